//! The rules of `[[params]]` over training.

use super::*;
use crate::config::spec::{Role, RuleLr, Subject};
use crate::record::rows::{OwnLine, OwnPoint, OwnQuantity};

fn rule(role: Role) -> ParamRule {
    ParamRule {
        subject: Subject { role: Some(role), ..Subject::default() },
        optimizer: None,
        lr: None,
        momentum: None,
        weight_decay: None,
        until: None,
    }
}

/// A rule that is over with a phase is drawn to where its curve ends, one that was over before is at 0, and one that goes on follows
/// the phase.
#[test]
fn rules_are_drawn_to_the_ends_of_phases() {
    let until = |amount: f64| Some(every(amount, DurationUnit::Steps));
    let plan = planned(vec![
        ParamRule { lr: Some(RuleLr::Factor(2.0)), ..rule(Role::Conv) },
        ParamRule { lr: Some(RuleLr::Factor(2.0)), until: until(20.0), ..rule(Role::Norm) },
        ParamRule { lr: Some(RuleLr::Factor(2.0)), until: until(19.0), ..rule(Role::Bias) },
    ]);
    let at = |step: u64| {
        let last = |line: &OwnLine| line.points.iter().rev().find(|point| point.step == step).unwrap().value;
        let first = |line: &OwnLine| line.points.iter().find(|point| point.step == step).unwrap().value;
        plan.sample_own(1000).iter().map(|line| (first(line), last(line))).collect::<Vec<_>>()
    };
    assert_eq!(at(20), [(0.5, 1.0), (0.5, 0.0), (0.0, 0.0)], "the end of one phase, and the first step of the next");
    assert_eq!(at(25), [(0.5, 0.5), (0.0, 0.0), (0.0, 0.0)]);
}

/// Two epochs of ten steps and one of five, with a rate that falls to half in each.
fn planned(rules: Vec<ParamRule>) -> Plan {
    let mut phases = vec![epochs(2.0, 10), epochs(1.0, 20)];
    phases.iter_mut().for_each(|phase| phase.lr = curve(0.5, Some(0.25), "linear"));
    phases[0].beta = Some(constant(0.7));
    let spec = Spec { params: rules, ..spec(phases, LastBatch::Serve) };
    Plan::compile(&spec, &facts(100)).unwrap()
}

#[test]
fn what_a_rule_does_not_say_is_the_phases() {
    let plan = planned(vec![rule(Role::Norm)]);
    assert!(plan.steps().all(|step| plan.rules[0].hypers(&step) == Some(step.hypers)));
    assert!(plan.lr_columns().is_empty() && plan.own_lrs(&plan.at(0)).is_empty());
    // The phase's beta is not for another kind of optimizer.
    let plan = planned(vec![ParamRule { optimizer: Some(Choice::plain("adam")), ..rule(Role::Norm) }]);
    assert_eq!(plan.at(0).hypers.beta, Some(0.7));
    assert_eq!(plan.rules[0].hypers(&plan.at(0)).unwrap().beta, None);
}

#[test]
fn a_factor_follows_the_phases_and_a_curve_of_its_own_does_not() {
    let own = RuleLr::Own(curve(3.0, Some(1.0), "linear"));
    let plan = planned(vec![
        ParamRule { lr: Some(RuleLr::Factor(4.0)), weight_decay: Some(0.125), ..rule(Role::Norm) },
        ParamRule { lr: Some(own), momentum: Some(curve(0.5, Some(0.75), "linear")), ..rule(Role::Bias) },
    ]);
    assert_eq!(plan.lr_columns(), ["lr.norm", "lr.bias"]);
    assert_eq!(plan.step_columns(), ["beta", "weight_decay.norm", "momentum.bias"]);
    // Drawn to the end, behind which no step is; a decay that rests is not.
    let ends = plan.sample_own(1000).into_iter().map(|line| (line.quantity, *line.points.last().unwrap()));
    let end = |value: f64| OwnPoint { phase: 1, step: 25, value };
    let ends: Vec<_> = ends.collect();
    assert_eq!(
        ends,
        [(OwnQuantity::Lr, end(1.0)), (OwnQuantity::Lr, end(1.0)), (OwnQuantity::Momentum, end(0.75))],
        "where their curves and those of the phase have come to"
    );
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    for (step, phase, own, momentum) in [(0, 0.5, 3.0, 0.5), (10, 0.375, 2.2, 0.6), (20, 0.5, 1.4, 0.7)] {
        let step = plan.at(step);
        close(step.hypers.lr, phase);
        let [of_norms, of_biases] = [0, 1].map(|rule| plan.rules[rule].hypers(&step).unwrap());
        close(of_norms.lr, 4.0 * phase);
        close(of_biases.lr, own);
        close(of_biases.momentum, momentum);
        assert_eq!((of_norms.momentum, of_norms.weight_decay, of_biases.weight_decay), (0.9, 0.125, 0.0));
        assert_eq!(plan.own_lrs(&step), [of_norms.lr, of_biases.lr]);
        let further = plan.step_values(&step, &plan.applied(&step));
        assert_eq!(further[1..], [of_norms.weight_decay, of_biases.momentum]);
        assert!(if step.phase == 0 { further[0] == 0.7 } else { further[0].is_nan() }, "{further:?}");
    }
}

#[test]
fn parameters_are_frozen_from_their_end_on_and_their_curve_ends_there() {
    let until = |until: Duration| {
        let own = RuleLr::Own(curve(1.0, Some(0.0), "linear"));
        let plan = planned(vec![ParamRule { lr: Some(own), until: Some(until), ..rule(Role::Bias) }]);
        let trained: Vec<f64> =
            plan.steps().map_while(|step| plan.rules[0].hypers(&step)).map(|hypers| hypers.lr).collect();
        let frozen = plan.steps().skip(trained.len());
        assert!(frozen.into_iter().all(|step| plan.rules[0].hypers(&step).is_none() && plan.own_lrs(&step) == [0.0]));
        assert_eq!(plan.lr_columns(), ["lr.bias"]);
        for (i, lr) in trained.iter().enumerate() {
            assert!((lr - (1.0 - i as f64 / trained.len() as f64)).abs() < 1e-12, "{until}: {trained:?}");
        }
        trained.len()
    };
    use DurationUnit::{Epochs, Percent, Steps};
    // Batches of 10 in the first two epochs, of 20 in the third.
    for (amount, unit, steps) in [
        (1.0, Epochs, 10),
        (1.05, Epochs, 11),
        (2.0, Epochs, 20),
        (2.1, Epochs, 21),
        (2.2, Epochs, 21),
        (1e-6, Epochs, 1),
        (50.0, Epochs, 25),
        (7.0, Steps, 7),
        (700.0, Steps, 25),
        (20.0, Percent, 5),
        (21.0, Percent, 6),
        (100.0, Percent, 25),
    ] {
        assert_eq!(until(every(amount, unit)), steps, "{amount}{}", unit.suffix());
    }
}

#[test]
fn the_trace_ends_with_the_rates_that_differ() {
    let plan = planned(vec![
        rule(Role::Conv),
        ParamRule { lr: Some(RuleLr::Factor(0.5)), ..rule(Role::Norm) },
        ParamRule { until: Some(every(2.0, DurationUnit::Steps)), ..rule(Role::Bias) },
    ]);
    let mut trace = Vec::new();
    plan.write_trace(&mut trace).unwrap();
    let text = String::from_utf8(trace).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with(",lr,momentum,weight_decay,lr.norm,lr.bias,beta"), "{text}");
    assert!(lines[1].ends_with(",0.5,0.9,0.0,0.25,0.5,0.7") && lines[3].ends_with(",0.0,0.7"), "{text}");
    assert!(lines[25].ends_with(",NaN"), "no beta is given: {text}");
}
