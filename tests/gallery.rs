//! The gallery of schedules: each of its experiments has its picture, and that is what is drawn today.

mod common;

use std::path::{Path, PathBuf};

fn names(folder: &Path, extension: &str) -> Vec<String> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| {
        let is = path.extension().is_some_and(|e| e == extension);
        is.then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
    };
    let mut names: Vec<String> = paths.filter_map(named).collect();
    names.sort();
    names
}

/// To draw them anew: `for f in configs/schedules/*.toml; do runner plan $f --plot docs/schedules/$(basename $f .toml).svg; done`
#[test]
fn pictures_are_those_that_plan_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (configs, pictures) = (root.join("configs/schedules"), root.join("docs/schedules"));
    let page = std::fs::read_to_string(root.join("docs/schedules.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(names(&configs, "toml"), names(&pictures, "svg"));
    for name in names(&configs, "toml") {
        let drawn = dir.path().join("drawn.svg");
        let file = configs.join(format!("{name}.toml"));
        let output = common::runner().arg("plan").arg(file).arg("--plot").arg(&drawn).output().unwrap();
        common::assert_exit(&output, 0);
        let kept = std::fs::read(pictures.join(format!("{name}.svg"))).unwrap();
        assert!(std::fs::read(&drawn).unwrap() == kept, "docs/schedules/{name}.svg is not what is drawn today");
        for words in [format!("](schedules/{name}.svg)"), format!("](../configs/schedules/{name}.toml)")] {
            assert!(page.contains(&words), "docs/schedules.md does not show {name}");
        }
    }
}
