//! Where stop rules depend on the plan.

use super::*;
use crate::config::spec::{Metric, Patience};

#[test]
fn losses_are_forgotten_where_data_or_optimizer_change() {
    let mut phases = vec![steps(3, 10); 5];
    phases[2].size = Some(8);
    phases[3].size = Some(8);
    phases[4] = PhaseSpec { optimizer: Choice::plain("adam"), ..phases[3].clone() };
    phases[1].lr = constant(0.4);
    let plan = plan(phases, 100);
    assert_eq!((0..15).filter(|step| plan.begins_another_scale(*step)).collect::<Vec<_>>(), [6, 12]);
}

/// Two epochs of 30 images a step and one and a half of 40, with such a patience; and the steps that are evaluated.
fn patient(evaluations: u64, eval_every: Duration, eval_phases: bool) -> (Plan, Vec<u64>) {
    let mut spec = spec(vec![epochs(2.0, 30), epochs(1.5, 40)], LastBatch::Serve);
    (spec.train.eval_every, spec.train.eval_phases) = (eval_every, eval_phases);
    spec.train.stop.patience = Some(Patience { evaluations, metric: Metric::ValAcc, min_change: 0.0 });
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    let evaluated = (0..plan.total_steps).filter(|step| plan.is_eval_step(*step)).collect();
    (plan, evaluated)
}

#[test]
fn patience_that_outlasts_the_plan_is_said() {
    let check = |evaluations, eval_every| {
        let (plan, evaluated) = patient(evaluations, eval_every, false);
        (evaluated.len(), plan.lasting_patience())
    };
    // At the ends of three epochs and, half an epoch later, of training.
    assert_eq!(check(3, every(1.0, DurationUnit::Epochs)), (4, None));
    let words = check(4, every(1.0, DurationUnit::Epochs)).1.unwrap();
    assert!(words.ends_with("4 evaluations without improvement, in a plan of 4"), "{words}");
    assert_eq!(check(11, every(0.01, DurationUnit::Epochs)), (12, None));
    assert!(check(12, every(1.0, DurationUnit::Steps)).1.is_some());
}

/// With `eval_phases`, and once where the interval falls there too.
#[test]
fn the_ends_of_phases_are_evaluated_where_that_is_asked_for() {
    let interval = |steps| every(steps, DurationUnit::Steps);
    assert_eq!(patient(1, interval(5.0), false).1, [4, 9, 11]);
    assert_eq!(patient(1, interval(5.0), true).1, [4, 7, 9, 11]);
    for (steps, evaluated) in [(5.0, 4), (4.0, 3), (100.0, 2)] {
        let is_said = |evaluations: u64| {
            let (plan, all) = patient(evaluations, interval(steps), true);
            assert_eq!(all.len(), evaluated, "every {steps} steps");
            plan.lasting_patience().is_some()
        };
        assert!(is_said(evaluated as u64) && !is_said(evaluated as u64 - 1), "every {steps} steps");
    }
}
