//! Inputs on which a fuzzer once found a panic, a hang or a mountain of memory, and some that are near to that: each is read
//! again here. `fixtures/damaged/TARGET/*` are the inputs.

mod targets;

use std::path::Path;

#[test]
fn kept_cases_are_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/damaged");
    for (name, target) in targets::TARGETS {
        target(b"");
        let Ok(cases) = std::fs::read_dir(folder.join(name)) else { continue };
        for case in cases {
            let path = case.unwrap().path();
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
        }
    }
}
