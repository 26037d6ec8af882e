//! Phases that go over to another data set.

use super::*;
use crate::config::spec::{Metric, Patience, SetSpec};
use crate::data::Statistics;
use crate::record::rows::Row;

/// A phase on another set than the one before.
fn on(dataset: &str, phase: PhaseSpec) -> PhaseSpec {
    let dataset = Choice::plain(dataset);
    PhaseSpec {
        data: Some(SetSpec {
            dataset,
            root: None,
            train_images: None,
            val_images: None,
            classes: None,
            statistics: None,
        }),
        ..phase
    }
}

/// Figures of the first set, of 100 images, and of another.
fn two(name: &str, train_images: usize) -> [Facts; 2] {
    let [first] = facts(100);
    [first.clone(), Facts { name: name.to_owned(), train_images, size: 16, ..first }]
}

fn paths(phases: Vec<PhaseSpec>, facts: &[Facts]) -> Vec<String> {
    let errors = Plan::compile(&spec(phases, LastBatch::Serve), facts).unwrap_err();
    errors.into_iter().map(|error| error.path).collect()
}

#[test]
fn each_set_counts_its_own_epochs_and_numbers_go_on() {
    let phases = vec![epochs(1.0, 40), on("cifar10", epochs(1.5, 8)), on("cifar10", epochs(0.5, 20)), epochs(0.4, 40)];
    let plan = Plan::compile(&spec(phases, LastBatch::Serve), &two("cifar10", 20)).unwrap();
    assert_eq!(plan.sets, ["shapes", "cifar10"]);
    assert_eq!(
        plan.phases.iter().map(|phase| (phase.set, phase.size)).collect::<Vec<_>>(),
        [(0, 32), (1, 16), (1, 16), (0, 32)]
    );
    assert_eq!(
        batches(&plan),
        [(0, 0, 40), (0, 40, 40), (0, 80, 20), (1, 0, 8), (1, 8, 8), (1, 16, 4), (2, 0, 8), (2, 8, 12), (3, 0, 40)]
    );
    assert_eq!((plan.total_images, plan.images_before(7)), (100 + 40 + 40, 128));
    assert_eq!(plan.phases.iter().map(|phase| phase.epochs).collect::<Vec<_>>(), [1.0, 1.4, 0.6, 0.4]);
    let ends: Vec<u64> = plan.steps().filter(|step| step.ends_epoch).map(|step| step.step).collect();
    assert_eq!(ends, [2, 5, 7, 8]);
    assert_eq!(ends, plan.steps().map(|s| s.step).filter(|step| plan.is_eval_step(*step)).collect::<Vec<_>>());
    assert_eq!((0..4).map(|phase| plan.changes_set(phase)).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(plan.last_set_since(), 3);
}

/// 0.98 epochs of 100 images are rounded to a whole one, and its missing part is none of the next set's.
#[test]
fn a_border_rounded_to_an_epochs_end_leaves_the_next_set_nothing() {
    let phases = vec![epochs(0.98, 40), on("cifar10", epochs(2.0, 10))];
    let plan = Plan::compile(&spec(phases, LastBatch::Serve), &two("cifar10", 1000)).unwrap();
    assert_eq!((plan.phases[0].images, plan.phases[1].images), (100, 2000));
}

#[test]
fn a_set_that_cannot_begin_where_its_phase_does_is_an_error() {
    let middle = || epochs(0.8, 40);
    // The new set has fewer images than the epoch's offset: that is no panic.
    assert_eq!(paths(vec![middle(), on("cifar10", epochs(1.0, 8))], &two("cifar10", 20)), ["phases[1].data"]);
    assert_eq!(
        paths(vec![middle(), on("cifar10", epochs(1.0, 40))], &two("cifar10", 20)),
        ["phases[1].data", "phases[1].batch"]
    );
    let mut grey = two("mnist", 20);
    grey[1].channels = 1;
    let found = paths(vec![middle(), on("mnist", epochs(1.0, 8))], &grey);
    assert_eq!(found, ["phases[1].data.dataset", "phases[1].data"]);
    // Where a phase before is wrong, it is not known where this one begins.
    assert_eq!(paths(vec![epochs(0.8, 101), on("cifar10", epochs(1.0, 8))], &two("cifar10", 20)), ["phases[0].batch"]);
    let steps = vec![steps(3, 40), on("cifar10", steps(3, 8)), steps(1, 40)];
    Plan::compile(&spec(steps, LastBatch::Serve), &two("cifar10", 20)).unwrap();
}

/// Left-over images are no middle of an epoch where they are dropped.
#[test]
fn an_epoch_without_its_short_batch_ends_before_the_next_set() {
    let phases = vec![steps(2, 40), on("cifar10", epochs(1.0, 8))];
    let plan = Plan::compile(&spec(phases.clone(), LastBatch::Drop), &two("cifar10", 20)).unwrap();
    assert_eq!(batches(&plan), [(0, 0, 40), (0, 40, 40), (1, 0, 8), (1, 8, 8)]);
    assert_eq!(paths(phases, &two("cifar10", 20)), ["phases[1].data"]);
}

#[test]
fn stop_rules_see_other_losses_and_the_last_sets_evaluations_alone() {
    let mut spec = spec(vec![epochs(3.0, 50), on("cifar10", epochs(2.0, 20))], LastBatch::Serve);
    let check = |spec: &Spec| Plan::compile(spec, &two("cifar10", 20));
    let plan = check(&spec).unwrap();
    assert!((0..plan.total_steps).filter(|step| plan.begins_another_scale(*step)).eq([6]));
    let mut patience = |evaluations, every_epochs| {
        spec.train.eval_every = every(every_epochs, DurationUnit::Epochs);
        spec.train.stop.patience = Some(Patience { evaluations, metric: Metric::ValAcc, min_change: 0.0 });
        check(&spec).unwrap().lasting_patience()
    };
    // Two evaluations on the second set, of five.
    assert_eq!(patience(1, 1.0), None);
    let words = patience(2, 1.0).unwrap();
    assert!(words.ends_with("2 evaluations without improvement, in a plan of 2 on its last data set"), "{words}");
    // After the fourth epoch, and at the end in any case.
    assert!(patience(1, 2.0).is_none() && patience(2, 2.0).is_some());
}

#[test]
fn tables_name_the_sets_where_there_are_several() {
    let csv = |plan: &Plan| String::from_utf8(plan.csv().unwrap()).unwrap();
    let header = PlanRow::COLUMNS.join(",");
    let one = plan(vec![epochs(1.0, 50)], 100);
    assert_eq!(csv(&one).lines().next(), Some(header.as_str()));
    let phases = vec![epochs(1.0, 50), on("cifar10", epochs(1.0, 20))];
    let several = Plan::compile(&spec(phases, LastBatch::Serve), &two("cifar10", 20)).unwrap();
    let written = csv(&several);
    let ends: Vec<&str> = written.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(ends, ["dataset", "shapes", "cifar10"]);
    assert_eq!(written.lines().next(), Some(format!("{header},dataset").as_str()));
    assert!(several.table(200).contains("cifar10") && !one.table(200).contains("shapes"));
}

#[test]
fn statistics_are_of_as_many_channels_as_images_have() {
    let given = |numbers: [usize; 2]| {
        let [mean, deviation] = numbers.map(|count| vec![0.5; count]);
        Some(Statistics { mean, deviation })
    };
    let found = |first: Option<Statistics>, second: Option<Statistics>| {
        let mut spec = spec(vec![epochs(1.0, 40), on("cifar10", epochs(1.0, 8))], LastBatch::Serve);
        spec.data.statistics = first;
        spec.phases[1].data.as_mut().unwrap().statistics = second;
        let errors = Plan::compile(&spec, &two("cifar10", 20)).err().unwrap_or_default();
        errors.into_iter().map(|error| error.path).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(found(given([3, 3]), None), none);
    assert_eq!(found(given([3, 3]), given([0, 0])), none);
    assert_eq!(found(None, given([1, 3])), ["phases[1].data.mean"]);
    // Said where it is given, of each set.
    assert_eq!(found(given([3, 1]), None), ["data.deviation", "data.deviation"]);
    assert_eq!(found(given([3, 3]), given([0, 3])), ["phases[1].data.mean"]);
}
