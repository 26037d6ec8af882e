//! When the mean of the weights takes new ones in.

use super::*;
use crate::config::spec::LookaheadSpec;

fn average(kind: &str, settings: [(&str, Duration); 2]) -> Choice {
    let words = [("statistics", "average"), ("evaluate", "every")].map(|(key, word)| (key, Value::Text(word.into())));
    let mut choice = Choice::with(kind, words);
    choice.settings.0.extend(settings.map(|(key, value)| (key.to_owned(), Value::Duration(value))));
    choice
}

/// The steps after which weights are taken in, of 13: epochs end after 2, 6, 10 and, half done, 12.
fn taken_in(start: Duration, every: Duration) -> Result<Vec<u64>, Vec<PlanError>> {
    let mut spec = spec(vec![epochs(1.5, 40), epochs(2.0, 25)], LastBatch::Serve);
    spec.train.average = Some(average("swa", [("start", start), ("every", every)]));
    let plan = Plan::compile(&spec, &facts(100))?;
    Ok(plan.steps().filter(|step| plan.averages_after(step).is_some()).map(|step| step.step).collect())
}

#[test]
fn weights_are_taken_in_at_intervals_from_some_step_on() {
    use DurationUnit::{Epochs, Percent, Steps};
    let none = every(0.0, Steps);
    assert_eq!(taken_in(none, every(1.0, Epochs)).unwrap(), [2, 6, 10, 12]);
    // As they are when the first epoch is over.
    assert_eq!(taken_in(every(1.0, Epochs), every(1.0, Epochs)).unwrap(), [2, 6, 10, 12]);
    assert_eq!(taken_in(every(1.1, Epochs), every(1.0, Epochs)).unwrap(), [6, 10, 12]);
    assert_eq!(taken_in(every(50.0, Percent), every(2.0, Steps)).unwrap(), [7, 9, 11]);
    assert_eq!(taken_in(none, every(1.0, Steps)).unwrap(), (0..13).collect::<Vec<_>>());
}

#[test]
fn weights_are_taken_in_where_phases_end() {
    let mut spec = spec(vec![epochs(1.5, 40), epochs(0.5, 25), epochs(1.5, 25)], LastBatch::Serve);
    let mut swa =
        average("swa", [("start", every(5.0, DurationUnit::Steps)), ("every", every(1.0, DurationUnit::Steps))]);
    swa.settings.0.insert("phases".into(), Value::Bool(true));
    spec.train.average = Some(swa.clone());
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    let ends: Vec<u64> = plan.phases.iter().map(|phase| phase.end() - 1).collect();
    let taken: Vec<u64> =
        plan.steps().filter(|step| plan.averages_after(step).is_some()).map(|step| step.step).collect();
    assert!(ends[0] < 4 && taken == ends[1..], "{ends:?} {taken:?}");
    let words = format!("swa of the weights at the end of each phase, first after step {}\n", taken[0]);
    assert!(plan.table(200).contains(&words), "{}", plan.table(200));
    swa.settings.0.insert("start".into(), Value::Duration(every(9.0, DurationUnit::Epochs)));
    spec.train.average = Some(swa);
    assert_eq!(Plan::compile(&spec, &facts(100)).unwrap_err()[0].path, "train.average");
}

#[test]
fn the_plan_says_after_which_step_weights_are_first_taken_in() {
    let mut spec = spec(vec![steps(77, 10)], LastBatch::Serve);
    let steps = |amount| every(amount, DurationUnit::Steps);
    spec.train.average = Some(average("swa", [("start", steps(32.0)), ("every", steps(15.0))]));
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    assert!(plan.averages_after(&plan.at(44)).is_some());
    assert!(plan.table(200).contains("swa of the weights every 15step, first after step 44\n"), "{}", plan.table(200));
}

#[test]
fn a_mean_of_nothing_is_an_error() {
    use DurationUnit::{Epochs, Percent, Steps};
    for (start, interval) in [
        (every(0.0, Steps), every(5.0, Epochs)),
        (every(0.0, Steps), every(14.0, Steps)),
        (every(9.0, Epochs), every(1.0, Steps)),
    ] {
        let errors = taken_in(start, interval).unwrap_err();
        assert_eq!(errors[0].path, "train.average", "{start} {interval}");
    }
    assert_eq!(taken_in(every(100.0, Percent), every(1.0, Steps)).unwrap(), [12], "the last weights alone");
    assert_eq!(taken_in(every(0.0, Steps), every(0.0, Epochs)).unwrap_err()[0].path, "train.average.every");
}

#[test]
fn slow_weights_are_taken_in_whenever_they_are_mixed() {
    use DurationUnit::{Epochs, Percent, Steps};
    let slow = || {
        Choice::with(
            "lookahead",
            [("statistics", "average"), ("evaluate", "every")].map(|(key, word)| (key, Value::Text(word.into()))),
        )
    };
    for (interval, start) in
        [(4, every(0.0, Steps)), (3, every(1.0, Epochs)), (3, every(6.0, Steps)), (3, every(40.0, Percent))]
    {
        let mut spec = spec(vec![epochs(1.5, 40), epochs(2.0, 25)], LastBatch::Serve);
        let decay = curve(0.0, Some(0.5), "linear");
        spec.train.lookahead = Some(LookaheadSpec { every: interval, decay, start, at_epoch_end: true });
        spec.train.average = Some(slow());
        let plan = Plan::compile(&spec, &facts(100)).unwrap();
        let steps = |is: &dyn Fn(&StepPlan) -> bool| plan.steps().filter(is).map(|step| step.step).collect::<Vec<_>>();
        let mixed = steps(&|step| matches!(plan.mix_after(step), Some(Mix::Blend { .. })));
        assert_eq!(steps(&|step| plan.averages_after(step).is_some()), mixed, "every {interval} from {start} on");
        assert!(!mixed.is_empty());
        assert!(plan.table(80).contains("lookahead's slow weights as a model of their own"), "{}", plan.table(80));
    }
    let mut spec = spec(vec![epochs(1.5, 40)], LastBatch::Serve);
    spec.train.average = Some(slow());
    let errors = Plan::compile(&spec, &facts(100)).unwrap_err();
    assert_eq!((errors.len(), errors[0].path.as_str()), (1, "train.average"));
}

#[test]
fn a_decay_that_moves_goes_by_a_curve_over_all_of_training() {
    let steps = |amount| every(amount, DurationUnit::Steps);
    let ema = |decay: Value, more: &[(&str, Value)]| {
        let mut choice = average("ema", [("start", steps(3.0)), ("every", steps(2.0))]);
        let others = [("decay", decay), ("decay_warmup", Value::Bool(false))];
        choice
            .settings
            .0
            .extend(others.into_iter().chain(more.iter().cloned()).map(|(key, value)| (key.to_owned(), value)));
        let mut spec = spec(vec![super::steps(4, 10), super::steps(6, 10)], LastBatch::Serve);
        spec.train.average = Some(choice);
        Plan::compile(&spec, &facts(100))
    };
    let ramp = || Value::Ramp(curve(0.2, Some(0.7), "linear"));
    let plan = ema(ramp(), &[]).unwrap();
    // Taken in after steps 3, 5, 7 and 9, of which the first takes all.
    let kept: Vec<Option<f64>> = (0..10).map(|step| plan.kept_after(step)).collect();
    let at = |taken: f64| 0.2 + 0.5 * taken / 10.0;
    for (step, kept) in kept.iter().enumerate() {
        match step {
            5 | 7 | 9 => assert!((kept.unwrap() - at(step as f64 + 1.0)).abs() < 1e-15, "{step}: {kept:?}"),
            _ => assert_eq!(*kept, None, "{step}"),
        }
    }
    assert_eq!(plan.step_columns(), ["average_decay"]);
    let drawn: Vec<Option<f64>> = (0..10).map(|step| plan.step_row(step).average_decay).collect();
    assert!(drawn[..4].iter().all(Option::is_none) && (drawn[4].unwrap() - at(5.0)).abs() < 1e-15, "{drawn:?}");
    let share = |plan: &Plan, k, step| plan.share_of(plan.average.as_ref().unwrap(), k, step);
    assert_eq!((share(&plan, 0, 3), share(&plan, 1, 5)), (1.0, 1.0 - kept[5].unwrap()));
    assert!(
        plan.table(200).contains("ema of decay 0.2 → 0.7 linear of the weights every 2step"),
        "{}",
        plan.table(200)
    );

    // Both warm-ups hold it down: 2/11, and 1 − 3^−0.5 at the third.
    let warm = ema(ramp(), &[("decay_warmup", Value::Bool(true))]).unwrap();
    assert!((warm.kept_after(5).unwrap() - 2.0 / 11.0).abs() < 1e-15);
    let power = ema(Value::Float(0.999), &[("warmup_power", Value::Float(0.5))]).unwrap();
    assert!((power.kept_after(7).unwrap() - (1.0 - 3f64.powf(-0.5))).abs() < 1e-15);
    assert!(power.table(200).contains("ema of decay 0.999 that is warmed up by power 0.5 of"), "{}", power.table(200));

    // As before there were curves.
    let still = ema(Value::Float(0.9), &[("decay_warmup", Value::Bool(true))]).unwrap();
    assert!(still.step_columns().is_empty() && still.step_row(7).average_decay.is_none());
    assert_eq!(share(&still, 1, 5), 1.0 - 2.0 / 11.0);

    let wrong = |more: &[(&str, Value)]| ema(Value::Float(0.9), more).unwrap_err()[0].path.clone();
    let both = [("decay_warmup", Value::Bool(true)), ("warmup_power", Value::Float(0.5))];
    assert_eq!(wrong(&both), "train.average.warmup_power");
    assert_eq!(wrong(&[("warmup_gamma", Value::Float(2.0))]), "train.average.warmup_gamma");
}
