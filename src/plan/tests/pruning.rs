//! Phases whose epochs leave images out.

use super::*;

/// Of 100 images: 63 of them, of which 50 · ½ count twice; then 40; then all.
fn pruned() -> Spec {
    let infobatch = Choice::with(
        "infobatch",
        [("easy", Value::Float(0.74)), ("keep", Value::Float(0.5)), ("rescale", Value::Bool(true))],
    );
    let mut spec = spec(vec![epochs(2.0, 10), epochs(1.5, 10), epochs(0.5, 20), epochs(1.0, 10)], LastBatch::Serve);
    spec.phases[0].prune_images = Some(infobatch);
    for phase in &mut spec.phases[1..3] {
        phase.prune_images = Some(Choice::with("random", [("keep", Value::Float(0.4))]));
    }
    spec
}

fn compiled(spec: &Spec) -> Plan {
    Plan::compile(spec, &facts(100)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn epochs_are_as_long_as_what_they_serve() {
    let plan = compiled(&pruned());
    let laid: Vec<_> = plan.phases.iter().map(|phase| (phase.steps, phase.images, phase.epochs)).collect();
    assert_eq!(laid, [(14, 126, 2.0), (6, 60, 1.5), (1, 20, 0.5), (10, 100, 1.0)]);
    let places: Vec<_> =
        [6, 13, 14, 19, 20, 21].map(|step| plan.at(step)).map(|at| (at.epoch, at.first, at.images)).into();
    // Within phases 1 and 2, which leave as many out in the same way, an epoch goes on.
    assert_eq!(places, [(0, 60, 3), (1, 60, 3), (2, 0, 10), (3, 10, 10), (3, 20, 20), (4, 0, 10)]);
    assert!([6, 13, 17, 20, 30].into_iter().all(|step| plan.is_eval_step(step)), "as many evaluations as epochs");
    assert_eq!(plan.total_images, 306);
    let table = plan.table(200);
    for line in [
        "in phase 0: infobatch easy 0.74 keep 0.5 rescale, 63 an epoch",
        "in phases 1 to 2: random 0.4, 40 an epoch",
        "in phase 3: none",
    ] {
        assert!(table.contains(&format!("\nimages pruned {line}\n")), "{table}");
    }
    assert_eq!(plan.json()["phases"][1]["prune_images"]["kind"], "random");
    assert!(
        plan.begins_another_scale(14)
            && !compiled(&spec(vec![epochs(1.0, 10)], LastBatch::Serve)).table(200).contains("pruned")
    );
}

#[test]
fn losses_are_remembered_until_the_last_phase_that_looks_at_them() {
    let mut spec = pruned();
    let remembered = |spec: &Spec| {
        let plan = compiled(spec);
        plan.phases.iter().map(|phase| plan.remembers_losses(&plan.at(phase.first_step))).collect::<Vec<bool>>()
    };
    assert_eq!(remembered(&spec), [true, false, false, false]);
    spec.phases[3].prune_images = spec.phases[0].prune_images.take();
    assert_eq!(remembered(&spec), [true; 4], "those of phases before it are of use");
    let plan = compiled(&spec);
    assert_eq!([0, 1, 9].map(|step| plan.sets_of_known_losses(step).len()), [0, 1, 1]);
}

#[test]
fn what_an_epoch_serves_does_not_change_within_it() {
    let mut spec = pruned();
    spec.phases[0].length = Length::Epochs(1.5);
    let errors = Plan::compile(&spec, &facts(100)).unwrap_err();
    assert_eq!(errors[0].path, "phases[1].prune_images");
    assert_eq!(errors[0].message, "other images cannot begin in the middle of an epoch: 1.5 are over");
    assert!(errors[0].help.contains("2 epochs"), "{}", errors[0].help);
    spec.phases[0].length = Length::Epochs(2.0);
    spec.phases[0].batch = 64;
    let errors = Plan::compile(&spec, &facts(100)).unwrap_err();
    assert!(errors[0].message.contains("a batch of 64 from 63 training images"), "{errors:?}");
}

/// While a rate sweeps, nobody looks at losses.
#[test]
fn a_range_test_serves_as_many_of_any() {
    let plan = compiled(&pruned()).range_test(0, Ramp::constant(0.1), 9);
    assert!(plan.phases[0].prune_images.is_none() && !plan.remembers_losses(&plan.at(0)));
    assert_eq!([6, 7].map(|step| (plan.at(step).epoch, plan.at(step).images)), [(0, 3), (1, 10)]);
}

/// A beginning is shared with a training that prunes later where both remember the same.
#[test]
fn a_later_phase_that_prunes_by_losses_has_another_beginning() {
    let digest = |choice: Option<Choice>| {
        let mut spec = spec(vec![epochs(1.0, 10), epochs(1.0, 10)], LastBatch::Serve);
        spec.phases[1].prune_images = choice;
        compiled(&spec).prefixes(&spec)[0].digest.clone()
    };
    let keep = |kind, share| Some(Choice::with(kind, [("keep", Value::Float(share))]));
    assert_eq!(digest(None), digest(keep("random", 0.5)));
    assert_eq!(digest(keep("hardest", 0.4)), digest(keep("hardest", 0.5)));
    assert_ne!(digest(None), digest(keep("hardest", 0.5)));
}
