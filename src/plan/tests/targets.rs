//! Label smoothing by phase, and thresholds that targets are held against.

use super::*;

/// Three phases of ten steps, which begin with the smoothing of `[train]`.
fn smoothed(train: f64, phases: [Option<f64>; 3]) -> Spec {
    let mut spec = spec(vec![epochs(1.0, 10), epochs(1.0, 10), epochs(1.0, 10)], LastBatch::Serve);
    spec.train.label_smoothing = train;
    spec.phases.iter_mut().zip(phases).for_each(|(phase, own)| phase.label_smoothing = own);
    spec
}

fn compiled(spec: &Spec) -> Plan {
    Plan::compile(spec, &facts(100)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn smoothing_is_that_of_train_until_a_phase_gives_its_own() {
    let plan = compiled(&smoothed(0.1, [None, Some(0.0), Some(0.25)]));
    let by_step: Vec<f64> = plan.steps().map(|step| step.label_smoothing).collect();
    assert_eq!(by_step, [[0.1; 10], [0.0; 10], [0.25; 10]].concat());
    let table = plan.table(200);
    for line in ["in phase 0: 0.1", "in phase 1: none", "in phase 2: 0.25"] {
        assert!(table.contains(&format!("\nlabel smoothing {line}\n")), "{table}");
    }
    let json = plan.json();
    let in_json: Vec<f64> = (0..3).map(|k| json["phases"][k]["label_smoothing"].as_f64().unwrap()).collect();
    assert_eq!(in_json, [0.1, 0.0, 0.25]);
    // A loss against softer targets is another one.
    assert!(plan.begins_another_scale(10) && plan.begins_another_scale(20));

    let plan = compiled(&smoothed(0.1, [None, Some(0.1), Some(0.1)]));
    assert!(plan.table(200).contains("\nlabel smoothing: 0.1\n"));
    assert!(!plan.begins_another_scale(10));
    assert!(!compiled(&smoothed(0.0, [None; 3])).table(200).contains("smoothing"));
}

/// A range test takes the smoothing of the phase that it is of.
#[test]
fn range_tests_are_smoothed_as_their_phase() {
    let plan = compiled(&smoothed(0.1, [None, Some(0.3), Some(0.3)]));
    let found = [0, 1].map(|phase| plan.range_test(phase, Ramp::constant(0.1), 5).at(4).label_smoothing);
    assert_eq!(found, [0.1, 0.3]);
}

/// Of ten classes: smoothing of ε makes ε/10 of none and 1 − ε + ε/10 of all.
#[test]
fn thresholds_tell_an_images_class_from_the_others() {
    let refused = |threshold: f64, smoothing: f64| {
        let mut spec = smoothed(0.0, [None, Some(smoothing), Some(smoothing)]);
        spec.train.loss = Some(Choice::with("bce", [("threshold", Value::Float(threshold))]));
        Plan::compile(&spec, &facts(100)).err().map(|errors| errors[0].message.clone())
    };
    assert_eq!(refused(0.2, 0.1), None);
    assert_eq!(refused(0.0, 0.0), None);
    let all = refused(0.05, 0.6).unwrap();
    assert_eq!(
        all,
        "targets above 0.05 are of every class in phase 1, where smoothing makes 0.06 of that of the other classes"
    );
    let none = refused(0.5, 0.6).unwrap();
    assert_eq!(
        none,
        "targets above 0.5 are of no class in phase 1, where smoothing makes 0.46 of that of an image's label"
    );
}
