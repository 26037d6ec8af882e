//! The plan of a range test.

use super::*;
use crate::config::spec::{Role, RuleLr, Subject};
use crate::schedule::Ramp;

fn sweep() -> Ramp {
    Ramp::new(&curve(1e-4, Some(1.0), "exponential")).unwrap()
}

/// From one rule to the other over all of training.
fn mix() -> Choice {
    let rules = ["from", "to"].map(|key| (key.to_owned(), Value::Choice(Choice::plain("sgd"))));
    let rates = ["from_rate", "to_rate"].map(|key| (key.to_owned(), Value::Float(1.0)));
    let weight = [("weight".to_owned(), Value::Ramp(curve(0.0, Some(1.0), "linear")))];
    Choice { kind: "mix".into(), settings: Settings(rules.into_iter().chain(rates).chain(weight).collect()) }
}

/// Ten steps, then ten of twice the batch, with all that can move moving; rules of each sort.
fn whole() -> Plan {
    let mut phases = vec![epochs(1.0, 10), steps(10, 20)];
    phases[1].momentum = curve(0.95, Some(0.85), "linear");
    phases[1].weight_decay = curve(1e-3, Some(1e-4), "exponential");
    phases[1].beta = Some(curve(0.9, Some(0.99), "linear"));
    phases[1].size = Some(48);
    let rule = |role: Role, lr: RuleLr| ParamRule {
        subject: Subject { role: Some(role), ..Subject::default() },
        optimizer: None,
        lr: Some(lr),
        momentum: None,
        weight_decay: None,
        until: None,
    };
    let frozen = Duration { amount: 5.0, unit: DurationUnit::Steps };
    let rules = vec![
        rule(Role::Norm, RuleLr::Factor(0.5)),
        rule(Role::Conv, RuleLr::Own(curve(2.0, Some(0.0), "linear"))),
        ParamRule { until: Some(frozen), ..rule(Role::Bias, RuleLr::Factor(1.0)) },
        ParamRule { optimizer: Some(mix()), ..rule(Role::Linear, RuleLr::Factor(1.0)) },
    ];
    Plan::compile(&Spec { params: rules, ..spec(phases, LastBatch::Serve) }, &facts(100)).unwrap()
}

#[test]
fn the_rate_sweeps_and_all_else_stands_still() {
    let whole = whole();
    let plan = whole.range_test(1, sweep(), 8);
    assert_eq!((plan.total_steps, plan.total_images, plan.phases.len()), (8, 160, 1));
    let first = whole.at(10);
    for step in plan.steps() {
        let i = step.step;
        assert_eq!(step.hypers.lr, 1e-4 * 1e4f64.powf(i as f64 / 8.0));
        assert_eq!(Hypers { lr: 0.0, ..step.hypers }, Hypers { lr: 0.0, ..first.hypers });
        assert_eq!((step.size, step.images), (48, 20));
        // From the beginning of a data order: five steps an epoch.
        assert_eq!((step.epoch, step.first), (i / 5, (i % 5) as usize * 20));
        let lr = |rule: usize| plan.rules[rule].hypers(&step).map(|hypers| hypers.lr);
        assert_eq!(lr(0), Some(0.5 * step.hypers.lr));
        assert_eq!(lr(1), whole.rules[1].hypers(&first).map(|hypers| hypers.lr), "as it stands there");
        assert_eq!(lr(2), None, "frozen by then");
        let share = |plan: &Plan, step: &StepPlan| plan.rules[3].hypers(step).map(|hypers| hypers.share);
        assert_eq!(share(&plan, &step), share(&whole, &first));
    }
    assert!(whole.range_test(0, sweep(), 8).rules[2].hypers(&plan.at(7)).is_some(), "not yet frozen");
}

#[test]
fn there_may_be_more_steps_than_the_phase_has() {
    let plan = whole().range_test(0, sweep(), 300);
    assert_eq!((plan.at(299).epoch, plan.total_images), (29, 3000));
    assert_eq!(plan.phases[0].epochs, 30.0);
}
