//! Bounds on gradients and shares of a mix over the phases.

use super::*;
use crate::optim::Clip;

fn mix(weight: RampValue) -> Choice {
    let rule = |name: &str| Value::Choice(Choice::plain(name));
    Choice::with("mix", [("from", rule("rmsprop")), ("to", rule("sgd")), ("weight", Value::Ramp(weight))])
}

#[test]
fn the_share_of_a_mix_runs_over_its_phase() {
    let mut middle = steps(4, 10);
    middle.optimizer = mix(curve(0.0, Some(1.0), "linear"));
    let plan = plan(vec![steps(2, 10), middle, steps(2, 10)], 100);
    let shares: Vec<f64> = plan.steps().map(|step| step.hypers.share).collect();
    assert_eq!(shares, [1.0, 1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    assert_eq!(plan.step_columns(), ["mix"]);
    let mut trace = Vec::new();
    plan.write_trace(&mut trace).unwrap();
    let trace = String::from_utf8(trace).unwrap();
    let last: Vec<&str> = trace.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(last, ["mix", "NaN", "NaN", "0.0", "0.25", "0.5", "0.75", "NaN", "NaN"]);
    assert_eq!(plan.step_row(3).mix, Some(0.25));
    let table = plan.table(200);
    assert!(table.contains("rmsprop → sgd") && table.contains("0 → 1 linear"), "{table}");
}

#[test]
fn a_share_that_its_curve_cannot_take_is_an_error() {
    let mut only = steps(4, 10);
    only.optimizer = mix(curve(0.0, Some(1.0), "exponential"));
    assert_eq!(errors(vec![only], 100), ["phases[0].optimizer.weight.from"]);
}

#[test]
fn a_rule_has_the_share_of_the_phase_or_its_own() {
    let mut middle = steps(4, 10);
    middle.optimizer = mix(constant(0.25));
    let mut spec = spec(vec![steps(4, 10), middle], LastBatch::Serve);
    let rule = |optimizer| ParamRule {
        subject: Default::default(),
        optimizer,
        lr: None,
        momentum: None,
        weight_decay: None,
        until: None,
    };
    let own = mix(curve(0.0, Some(1.0), "linear"));
    spec.params = vec![rule(None), rule(Some(Choice::plain("sgd"))), rule(Some(own))];
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    let shares = |step: u64| {
        let step = plan.at(step);
        plan.rules.iter().map(|rule| rule.hypers(&step).unwrap().share).collect::<Vec<_>>()
    };
    assert_eq!(shares(2), [1.0, 1.0, 0.25]);
    assert_eq!(shares(6), [0.25, 1.0, 0.75], "over all of training");
}

#[test]
fn gradients_are_bounded_where_a_phase_says_so() {
    let mut phases = vec![steps(2, 10), steps(4, 10), steps(2, 10)];
    phases[0].clip_norm = Some(constant(2.0));
    phases[1].clip_norm = Some(curve(2.0, Some(1.0), "linear"));
    phases[1].clip_value = Some(constant(0.5));
    phases[2].clip_norm = Some(constant(0.0));
    let plan = plan(phases, 100);
    let clip = |step| plan.at(step).clip;
    assert_eq!(clip(0), Clip { norm: Some(2.0), value: None });
    assert_eq!(clip(4), Clip { norm: Some(1.5), value: Some(0.5) });
    assert!(clip(7).is_none() && plan.clips());
    assert_eq!(plan.step_columns(), ["clip_norm", "clip_value"]);
    assert_eq!(plan.step_values(&plan.at(7), &plan.applied(&plan.at(7))), [f64::INFINITY; 2]);
    assert!(plan.table(200).contains("value 0.5, norm 2 → 1 linear"), "{}", plan.table(200));
}

/// What is not as by default is in the table, and no more digits than people read.
#[test]
fn the_table_tells_what_is_not_as_by_default() {
    let mut phases = vec![steps(4, 10), steps(4, 10), steps(4, 10)];
    let alpha = [("alpha", Value::Float(0.5)), ("eps", Value::Float(1e-8))];
    phases[0].optimizer = Choice::with("rmsprop", alpha);
    phases[1].optimizer = Choice::with("sgd", [("decay", Value::Text("decoupled".to_owned()))]);
    phases[1].carry = true;
    phases[2].fresh = true;
    phases[2].optimizer = Choice::with("adam", [("beta2", Value::Float(0.999))]);
    phases[2].beta = Some(constant(0.99));
    phases[1].lr = curve(0.7 * 0.4, Some(0.05 * 1.1), "linear");
    let table = plan(phases, 100).table(200);
    let row = |phase: &str| table.lines().find(|line| line.starts_with(phase)).unwrap();
    assert!(row("    0").contains("rmsprop alpha 0.5 ") && row("    0").ends_with("own"), "{table}");
    assert!(row("    1").contains("sgd decay decoupled ") && row("    1").ends_with("–"), "{table}");
    assert!(row("    1").contains(" 0.28 → 0.055 linear "), "{table}");
    assert!(row("    2").contains("adam ") && row("    2").ends_with("0.99"), "{table}");
    assert!(table.contains("momentum is carried over into phase 1\n"), "{table}");
    assert!(table.contains("the optimizer begins anew in phase 2\n"), "{table}");
}
