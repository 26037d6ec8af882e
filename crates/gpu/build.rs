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

/// Machine code for the architecture in `CUDA_COMPUTE_CAP` (default 90: H100, H200) and PTX for later ones, in one file. Without nvcc
/// the file is empty, and the program says so when it is to use a card: so that the Rust side can be checked anywhere.
fn compile_for_cards() {
    for name in ["NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP", "PATH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("kernels.fatbin");
    let Some(nvcc) = find_nvcc() else {
        println!("cargo::warning=no nvcc: the kernels for cards are left out (scripts/cuda_toolkit sets one up)");
        std::fs::write(out, []).expect("the build folder can be written");
        return;
    };
    let arch = env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "90".to_owned());
    let status = Command::new(&nvcc)
        .args(["-fatbin", "-O3", "-std=c++17", "-Ikernels", "-DNDEBUG"])
        .arg(format!("-gencode=arch=compute_{arch},code=[sm_{arch},compute_{arch}]"))
        .args(["kernels/all.cu", "-o"])
        .arg(&out)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} failed: {status}", nvcc.display()),
        Err(error) => panic!("{} cannot be run: {error}", nvcc.display()),
    }
}

/// What `NVCC` names, or that of the toolkit in `CUDA_HOME` or `CUDA_PATH`, or the first on the `PATH`.
fn find_nvcc() -> Option<PathBuf> {
    let named = env::var_os("NVCC").map(PathBuf::from);
    let homes =
        ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(|home| Path::new(&home).join("bin/nvcc"));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = env::split_paths(&path).map(|folder| folder.join("nvcc")).collect();
    named.into_iter().chain(homes).chain(on_path).find(|nvcc| nvcc.is_file())
}
