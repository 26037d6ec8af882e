//! When lookahead mixes.

use super::*;
use crate::config::spec::LookaheadSpec;

fn mixes(every: u64, start: Duration, at_epoch_end: bool) -> Vec<(u64, Mix)> {
    let decay = curve(0.0, Some(0.5), "linear");
    let mut spec = spec(vec![epochs(2.0, 10), epochs(1.0, 20)], LastBatch::Serve);
    spec.train.lookahead = Some(LookaheadSpec { every, decay, start, at_epoch_end });
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    plan.steps().filter_map(|step| Some((step.step, plan.mix_after(&step)?))).collect()
}

#[test]
fn weights_are_mixed_every_so_many_steps_and_returned_at_ends() {
    let blend = |taken: u64| (taken - 1, Mix::Blend { decay: 0.5 * taken as f64 / 25.0 });
    let none = every(0.0, DurationUnit::Steps);
    // Ten, ten and five steps.
    assert_eq!(mixes(6, none, false), [blend(6), blend(12), blend(18), blend(24), (24, Mix::Return)]);
    let with_ends = [blend(6), (9, Mix::Return), blend(12), blend(18), (19, Mix::Return), blend(24), (24, Mix::Return)];
    assert_eq!(mixes(6, none, true), with_ends);
    // Where both are due, the blend returns too.
    assert_eq!(mixes(5, none, true), [5, 10, 15, 20, 25].map(blend));
    // From a step on.
    assert_eq!(mixes(6, every(1.3, DurationUnit::Epochs), false), [blend(18), blend(24), (24, Mix::Return)]);
    assert!(mixes(6, every(100.0, DurationUnit::Percent), false).is_empty());
}

/// It has a column where it moves: of the steps after which weights are mixed, NaN elsewhere.
#[test]
fn a_decay_that_moves_is_in_the_trace() {
    let trace = |to: f64| {
        let mut spec = spec(vec![steps(6, 10)], LastBatch::Serve);
        let start = every(0.0, DurationUnit::Steps);
        let decay = curve(0.5, Some(to), "linear");
        spec.train.lookahead = Some(LookaheadSpec { every: 2, decay, start, at_epoch_end: false });
        let plan = Plan::compile(&spec, &facts(100)).unwrap();
        let values = plan.steps().flat_map(|step| plan.step_values(&step, &plan.applied(&step))).collect::<Vec<_>>();
        (plan.step_columns().into_iter().map(str::to_owned).collect::<Vec<_>>(), values)
    };
    assert!(trace(0.5).0.is_empty());
    let (columns, values) = trace(0.8);
    assert_eq!(columns, ["lookahead_decay"]);
    for (step, value) in values.into_iter().enumerate() {
        let taken = step as f64 + 1.0;
        assert!(
            if step % 2 == 0 { value.is_nan() } else { (value - 0.5 - 0.05 * taken).abs() < 1e-12 },
            "{step}: {value}"
        );
    }
}

/// For the picture it is known after every step, from the first that lookahead looks at.
#[test]
fn a_decay_that_moves_is_known_between_mixes() {
    let decays = |to: f64| {
        let mut spec = spec(vec![steps(4, 10), steps(6, 10)], LastBatch::Serve);
        let start = every(3.0, DurationUnit::Steps);
        let decay = curve(0.5, Some(to), "linear");
        spec.train.lookahead = Some(LookaheadSpec { every: 4, decay, start, at_epoch_end: false });
        let plan = Plan::compile(&spec, &facts(100)).unwrap();
        (0..10).map(|step| plan.step_row(step).lookahead_decay).collect::<Vec<_>>()
    };
    assert!(decays(0.5).iter().all(Option::is_none));
    for (step, decay) in decays(0.8).into_iter().enumerate() {
        let taken = step as f64 + 1.0;
        let as_planned = match decay {
            None => step < 3,
            Some(decay) => step >= 3 && (decay - 0.5 - 0.03 * taken).abs() < 1e-12,
        };
        assert!(as_planned, "{step}: {decay:?}");
    }
}

#[test]
fn the_decay_is_that_of_airbench94() {
    let power = Choice { kind: "power".into(), settings: Settings([("exponent".into(), Value::Float(3.0))].into()) };
    let decay = RampValue::new(0.0, Some(0.95f64.powi(5)), power);
    let mut spec = spec(vec![steps(60, 10)], LastBatch::Serve);
    let start = every(0.0, DurationUnit::Steps);
    spec.train.lookahead = Some(LookaheadSpec { every: 5, decay, start, at_epoch_end: false });
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    for taken in [5u64, 30, 60] {
        let expected = 0.95f64.powi(5) * (taken as f64 / 60.0).powi(3);
        let Some(Mix::Blend { decay }) = plan.mix_after(&plan.at(taken - 1)) else { panic!("nothing at {taken}") };
        assert!((decay - expected).abs() < 1e-15, "{taken}: {decay}, expected {expected}");
    }
    assert!(plan.table(80).contains("lookahead every 5 steps, decay 0 → 0.77378"), "{}", plan.table(80));
}
