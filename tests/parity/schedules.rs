//! Recipes, laid out over steps, against PyTorch's schedulers and `numpy.interp`.

use crate::common::spec_of;
use crate::fixture::Fixture;
use runner::data::{Facts, FactsSource};
use runner::plan::Plan;

/// Relative; some of PyTorch's rates are multiplied up step by step.
const TOLERANCE: f64 = 1e-12;

/// A hundred steps an epoch.
fn facts() -> Facts {
    Facts {
        name: "shapes".into(),
        train_images: 800,
        val_images: 8,
        classes: 10,
        channels: 3,
        size: 32,
        source: FactsSource::Official,
    }
}

#[test]
fn recipes_are_pytorchs_schedulers() {
    let fixture = Fixture::read("schedules");
    assert!(fixture.cases().len() >= 8);
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let spec = spec_of(&format!("batch = 8\noptimizer = 'sgd'\n{}", case["recipe"].as_str().unwrap()));
        let plan = Plan::compile(&spec, &[facts()]).unwrap();
        let used: Vec<_> = plan.steps().map(|step| step.hypers).collect();
        for column in fixture.under(&format!("{name}/")) {
            let want = &fixture.get(&format!("{name}/{column}")).values;
            assert_eq!(used.len(), want.len(), "{name}: steps");
            for (step, (used, want)) in used.iter().zip(want).enumerate() {
                let got = if column == "lr" { used.lr } else { used.momentum };
                assert!(
                    (got - want).abs() <= TOLERANCE * want.abs(),
                    "{name}: {column} of step {step}: {got}, not {want}"
                );
            }
        }
    }
}
