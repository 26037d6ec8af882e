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

#[test]
fn patience_that_outlasts_the_plan_is_an_error() {
    let check = |evaluations, eval_every| {
        let mut spec = spec(vec![epochs(2.0, 30), epochs(1.5, 40)], LastBatch::Serve);
        spec.train.eval_every = eval_every;
        spec.train.stop.patience = Some(Patience { evaluations, metric: Metric::ValAcc, min_change: 0.0 });
        Plan::compile(&spec, &facts(100)).map(|plan| plan.steps().filter(|step| plan.is_eval_step(step.step)).count())
    };
    // At the ends of three epochs and, half an epoch later, of training.
    assert_eq!(check(3, every(1.0, DurationUnit::Epochs)).unwrap(), 4);
    let errors = check(4, every(1.0, DurationUnit::Epochs)).unwrap_err();
    assert_eq!(errors[0].path, "train.patience.evaluations");
    assert!(
        errors[0].message.starts_with("4 evaluations without improvement, in a plan of 4"),
        "{}",
        errors[0].message
    );
    assert_eq!(check(11, every(0.01, DurationUnit::Epochs)).unwrap(), 12);
    assert!(check(12, every(1.0, DurationUnit::Steps)).is_err());
}
