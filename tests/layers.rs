//! The house keeps its floors: imports go downward only, and unsafe code stands where kernels and bindings to libraries do alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module under `src/` may import, itself aside. `main.rs` and `lib.rs` are not modules.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("registry", &[]),
    ("gpu", &[]),
    ("jpeg", &[]),
    ("stats", &["units"]),
    ("find_lr", &["stats", "units"]),
    ("kernels", &["units", "registry"]),
    ("nn", &["kernels", "units", "registry"]),
    ("schedule", &["registry", "units"]),
    ("average", &["registry", "units"]),
    ("loss_scale", &["registry", "units"]),
    ("criterion", &["kernels", "registry", "units"]),
    ("optim", &["nn", "kernels", "registry", "units"]),
    ("data", &["jpeg", "kernels", "registry", "units"]),
    ("model", &["nn", "kernels", "registry", "units"]),
    ("task", &["registry", "units"]),
    ("paint", &["task", "data", "nn", "kernels", "registry", "units"]),
    (
        "config",
        &[
            "task",
            "average",
            "loss_scale",
            "criterion",
            "schedule",
            "data",
            "model",
            "optim",
            "nn",
            "registry",
            "units",
        ],
    ),
    ("record", &["units"]),
    ("plot", &["record", "stats", "units"]),
    ("plan", &["average", "config", "criterion", "schedule", "data", "optim", "record", "registry", "units"]),
    ("compare", &["config", "record", "plot", "stats", "criterion", "data", "registry", "units"]),
    ("serve", &["compare", "record"]),
    ("mlflow", &["record"]),
    (
        "train",
        &[
            "average",
            "gpu",
            "loss_scale",
            "plan",
            "config",
            "schedule",
            "data",
            "model",
            "optim",
            "nn",
            "kernels",
            "record",
            "plot",
            "find_lr",
            "paint",
            "task",
            "stats",
            "registry",
            "units",
        ],
    ),
    ("launch", &["registry", "units"]),
    ("sweep", &["launch", "train", "plan", "config", "compare", "record", "stats", "registry", "units"]),
    (
        "cli",
        &[
            "criterion",
            "gpu",
            "mlflow",
            "serve",
            "sweep",
            "launch",
            "train",
            "plan",
            "config",
            "schedule",
            "data",
            "model",
            "optim",
            "nn",
            "kernels",
            "record",
            "plot",
            "compare",
            "find_lr",
            "paint",
            "task",
            "stats",
            "registry",
            "units",
        ],
    ),
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Each source file, with the module it belongs to and its code without comments. The lowest modules are crates of their
/// own, which the others see under the same names: `engine` holds several modules, the others are one each.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |src: &str, module| files_of(&root.join(src), module);
    let alone = ["gpu", "jpeg", "data"].map(|module| of(&format!("crates/{module}/src"), Some(module)));
    [alone.concat(), of("crates/engine/src", None), of("src", None)].concat()
}

/// Those of a crate, whose folders are modules; or which is one.
fn files_of(src: &Path, module: Option<&str>) -> Vec<(String, PathBuf, String)> {
    let mut paths = Vec::new();
    sources(src, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(src).unwrap().iter().next().unwrap().to_str().unwrap();
            let module = module.unwrap_or(inside.trim_end_matches(".rs")).to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (module, path, code)
        })
        .filter(|(module, ..)| module != "main" && module != "lib")
        .collect()
}

/// The modules of this crate that the code names: `crate::x`, `crate::{x, y::z}`.
fn imports(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = &group[..group.find("};").unwrap_or(group.len())];
            let mut depth = 0;
            let mut start = true;
            for (k, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && c.is_alphanumeric() => {
                        found.push(word(&group[k..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            found.push(word(rest));
        }
    }
    found
}

#[test]
fn imports_go_downward_only() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, path, code) in files() {
        let Some(allowed) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: module `{module}` has no floor in tests/layers.rs", path.display()));
            continue;
        };
        for import in imports(&code) {
            let is_module = MAY_IMPORT.iter().any(|(name, _)| *name == import);
            if is_module && import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: `{module}` imports `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_floor_is_above_what_it_may_import() {
    for (k, (module, allowed)) in MAY_IMPORT.iter().enumerate() {
        for import in *allowed {
            let below = MAY_IMPORT[..k].iter().any(|(name, _)| name == import);
            assert!(below, "`{module}` may import `{import}`, which does not come before it");
        }
    }
}

#[test]
fn unsafe_code_stands_under_kernels_and_bindings() {
    for (module, path, code) in files() {
        assert!(
            ["kernels", "gpu", "jpeg"].contains(&module.as_str()) || !code.contains("unsafe "),
            "{}: unsafe outside of kernels and bindings",
            path.display()
        );
    }
}

#[test]
fn the_record_side_knows_no_candle() {
    for (module, path, code) in files() {
        let knows = code.contains("candle_");
        assert!(
            !(knows && ["record", "plot", "units", "plan", "schedule"].contains(&module.as_str())),
            "{}",
            path.display()
        );
    }
}

#[test]
fn imports_are_found_in_groups_too() {
    let found = imports("use crate::{a, b::{c, d}, e as f};\nlet x = crate::g::h();");
    assert_eq!(found, ["a", "b", "e", "g"]);
}
