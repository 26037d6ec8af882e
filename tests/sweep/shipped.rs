//! Sweeps in `configs/sweeps`, and the schema of all.

use runner::config::spec::SetSpec;
use runner::config::sweep;
use runner::data::Facts;
use runner::plan::Plan;
use runner::sweep::ledger::Ledger;
use std::path::{Path, PathBuf};

#[test]
fn shipped_sweeps_are_right_and_of_the_schemas_form() {
    let schema = runner::config::json_schema::sweep();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let committed = configs.join("sweep.schema.json");
    let printed = format!("{schema:#}\n");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&committed, &printed).unwrap();
    }
    assert!(std::fs::read_to_string(&committed).unwrap_or_default() == printed, "BLESS=1 cargo test --test sweep");

    let mut seen = 0;
    for entry in std::fs::read_dir(configs.join("sweeps")).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read_to_string(&path).unwrap();
        assert!(content.starts_with("#:schema ../sweep.schema.json\n"), "{}", path.display());
        let table: toml::Table = content.parse().unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&serde_json::to_value(table).unwrap()).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        let sweep = sweep::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(sweep.name, path.file_stem().unwrap().to_str().unwrap(), "named as its file");
        for trial in runner::sweep::missing(&sweep, &Ledger::new(PathBuf::new(), vec![]), &|point| sweep.allows(point))
        {
            let spec = sweep.experiment(&trial.values).unwrap_or_else(|errors| panic!("{errors}")).spec;
            let known = |set: &SetSpec| {
                let official = runner::data::sets::make(&set.dataset).official();
                official.unwrap_or_else(|| runner::data::facts(&spec.request(set), &set.given()).unwrap())
            };
            let facts: Vec<Facts> = spec.sets().iter().map(known).collect();
            Plan::compile(&spec, &facts).unwrap_or_else(|errors| panic!("{}: {errors:?}", path.display()));
        }
        seen += 1;
    }
    assert!(seen > 0);
}
