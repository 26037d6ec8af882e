//! Compiles the kernels: with the C compiler for the emulation, and with nvcc, where there is one, for cards.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    cc::Build::new()
        .file("kernels/emulation.c")
        .include("kernels")
        // The emulation says the same on every machine: no fused products that the text does not ask for.
        .flag_if_supported("-ffp-contract=off")
        .flag_if_supported("-Wno-unused-function")
        .opt_level(2)
        .compile("runner_gpu_emulation");
    if env::var_os("CARGO_FEATURE_CUDA").is_some() {
        compile_for_cards();
    }
}

/// Machine code for the architectures in `CUDA_COMPUTE_CAP` (`90`, the default, is that of H100 and H200; `80,90` has
/// that of A100 too), and PTX of the oldest of them, which the driver compiles for all later ones, in one file. The
/// program is told what it has, in `RUNNER_GPU_KERNELS`. Without nvcc the file is empty, and the program says so when
/// it is to use a card: so that the Rust side can be checked anywhere.
fn compile_for_cards() {
    for name in ["NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP", "PATH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("kernels.fatbin");
    let Some(nvcc) = find_nvcc() else {
        // A path that is not there is looked at again each time.
        println!("cargo::rerun-if-changed=/usr/local/cuda/bin/nvcc");
        println!("cargo::warning=no nvcc: the kernels for cards are left out (scripts/cuda_toolkit sets one up)");
        println!("cargo::rustc-env=RUNNER_GPU_KERNELS=no card");
        std::fs::write(out, []).expect("the build folder can be written");
        return;
    };
    let architectures = architectures();
    let oldest = architectures[0];
    let mut command = Command::new(&nvcc);
    command.args(["-fatbin", "-O3", "-std=c++17", "-Ikernels", "-DNDEBUG"]);
    for architecture in &architectures {
        command.arg(format!("-gencode=arch=compute_{architecture},code=sm_{architecture}"));
    }
    command.arg(format!("-gencode=arch=compute_{oldest},code=compute_{oldest}"));
    command.args(["kernels/all.cu", "-o"]).arg(&out);
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} cannot compile the kernels: {status}; it says why above", nvcc.display()),
        Err(error) => panic!("{} cannot be run: {error}", nvcc.display()),
    }
    let names: Vec<String> = architectures.iter().map(|architecture| format!("sm_{architecture}")).collect();
    println!("cargo::rustc-env=RUNNER_GPU_KERNELS={} and later", names.join(", "));
}

/// Those of `CUDA_COMPUTE_CAP`, in ascending order: `90`, `9.0`, `80,90`.
fn architectures() -> Vec<u32> {
    let listed = env::var("CUDA_COMPUTE_CAP").unwrap_or_default();
    let listed = if listed.trim().is_empty() { "90" } else { &listed };
    let mut numbers: Vec<u32> = listed
        .split(',')
        .map(|one| match one.trim().replace('.', "").parse() {
            Ok(number) if (50..1000).contains(&number) => number,
            _ => {
                panic!("CUDA_COMPUTE_CAP is {listed:?}: numbers such as 90, or several with commas between, are meant")
            }
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// What `NVCC` names, or that of the toolkit in `CUDA_HOME` or `CUDA_PATH`, or the first on the `PATH`, or that in
/// `/usr/local/cuda`.
fn find_nvcc() -> Option<PathBuf> {
    if let Some(named) = env::var_os("NVCC").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "NVCC is {}, which is no file", named.display());
        return Some(named);
    }
    let homes =
        ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(|home| Path::new(&home).join("bin/nvcc"));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = env::split_paths(&path).map(|folder| folder.join("nvcc")).collect();
    homes.chain(on_path).chain([PathBuf::from("/usr/local/cuda/bin/nvcc")]).find(|nvcc| nvcc.is_file())
}
