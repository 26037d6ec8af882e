//! Which trainings begin alike.

use super::*;
use crate::config::spec::{LookaheadSpec, Role, RuleLr, Subject};
use crate::config::{self, Text};

/// Of 100 images: ten steps, and ten or more.
fn pair(change: impl Fn(&mut Spec, bool)) -> [Spec; 2] {
    [false, true].map(|second| {
        let mut spec = spec(vec![epochs(1.0, 10), epochs(if second { 2.0 } else { 1.0 }, 10)], LastBatch::Serve);
        change(&mut spec, second);
        spec
    })
}

fn prefixes(spec: &Spec) -> Vec<Prefix> {
    Plan::compile(spec, &facts(100)).unwrap_or_else(|errors| panic!("{errors:?}")).prefixes(spec)
}

/// Whether the two have the same first phase.
fn alike(change: impl Fn(&mut Spec, bool)) -> bool {
    let [first, second] = pair(change).map(|spec| prefixes(&spec));
    assert_eq!((first.len(), first[0].phase, first[0].steps), (1, 1, 10));
    first == second
}

#[test]
fn what_comes_after_a_border_makes_no_difference_before_it() {
    assert!(alike(|_, _| {}));
    assert!(alike(|spec, second| spec.phases[1].lr = constant(if second { 0.2 } else { 0.1 })));
    assert!(alike(|spec, second| spec.phases[1].optimizer = Choice::plain(if second { "sgd" } else { "rmsprop" })));
    assert!(alike(|spec, second| spec.phases[1].fresh = second));
    assert!(alike(|spec, second| {
        spec.phases[1].batch = if second { 20 } else { 10 };
        spec.phases[1].size = second.then_some(24);
        (spec.name, spec.seed) = (format!("{second}"), u64::from(second));
    }));
}

#[test]
fn what_differs_before_it_or_throughout_tells_them_apart() {
    assert!(!alike(|spec, second| spec.phases[0].lr = constant(if second { 0.2 } else { 0.1 })));
    assert!(!alike(|spec, second| spec.phases[0].carry = second));
    assert!(!alike(|spec, second| spec.phases[0].fresh = second));
    assert!(!alike(|spec, second| spec.train.label_smoothing = if second { 0.1 } else { 0.0 }));
    assert!(!alike(|spec, second| spec.train.stop.diverged = second));
    assert!(!alike(|spec, second| spec.train.loss = second.then(|| Choice::plain("bce"))));
}

/// What `[train]` says of it holds up to the first phase that says it itself.
#[test]
fn smoothing_counts_where_it_is_looked_at() {
    let smooth = |spec: &mut Spec, train, phases: [Option<f64>; 2]| {
        spec.train.label_smoothing = train;
        spec.phases.iter_mut().zip(phases).for_each(|(phase, own)| phase.label_smoothing = own);
    };
    assert!(alike(|spec, second| smooth(spec, 0.1, [None, second.then_some(0.2)])));
    assert!(alike(|spec, second| smooth(spec, 0.1, [Some(0.3), Some(if second { 0.2 } else { 0.0 })])));
    assert!(alike(|spec, second| smooth(spec, if second { 0.2 } else { 0.1 }, [Some(0.3); 2])));
    assert!(!alike(|spec, second| smooth(spec, if second { 0.2 } else { 0.1 }, [None, Some(0.3)])));
    assert!(!alike(|spec, second| smooth(spec, 0.1, [Some(if second { 0.2 } else { 0.0 }), Some(0.3)])));
}

/// The two are of 20 and of 30 steps.
#[test]
fn shares_of_all_of_training_tell_them_apart_where_they_fall_before_the_border() {
    let percent = |amount: f64| every(amount, DurationUnit::Percent);
    assert!(!alike(|spec, _| spec.train.eval_every = percent(10.0)));
    assert!(alike(|spec, _| spec.train.eval_every = percent(60.0)));
    assert!(alike(|spec, _| spec.train.checkpoint_every = percent(10.0)), "checkpoints change nothing");

    let lookahead = |spec: &mut Spec, decay, start| {
        spec.train.lookahead = Some(LookaheadSpec { every: 4, decay, start, at_epoch_end: false });
    };
    let step = |amount: f64| every(amount, DurationUnit::Steps);
    assert!(!alike(|spec, _| lookahead(spec, curve(0.0, Some(0.5), "linear"), step(0.0))));
    assert!(alike(|spec, _| lookahead(spec, constant(0.5), step(0.0))));
    assert!(alike(|spec, _| lookahead(spec, curve(0.0, Some(0.5), "linear"), step(10.0))));
    assert!(!alike(|spec, _| lookahead(spec, constant(0.5), percent(30.0))), "slow weights of other steps");

    let ema = |spec: &mut Spec, decay: Value, start| {
        let words =
            [("statistics", "average"), ("evaluate", "every")].map(|(key, word)| (key, Value::Text(word.into())));
        let mut choice = Choice::with("ema", words);
        let times = [("start", Value::Duration(start)), ("every", Value::Duration(step(1.0)))];
        let others = [("decay", decay), ("decay_warmup", Value::Bool(false))];
        choice.settings.0.extend(times.into_iter().chain(others).map(|(key, value)| (key.to_owned(), value)));
        spec.train.average = Some(choice);
    };
    let ramp = || Value::Ramp(curve(0.5, Some(0.9), "linear"));
    assert!(alike(|spec, _| ema(spec, Value::Float(0.9), step(0.0))));
    assert!(!alike(|spec, _| ema(spec, ramp(), step(0.0))));
    assert!(alike(|spec, _| ema(spec, ramp(), step(11.0))));

    let rule = |spec: &mut Spec, until| {
        let subject = Subject { role: Some(Role::Norm), ..Subject::default() };
        let lr = Some(RuleLr::Own(curve(0.1, Some(0.01), "linear")));
        spec.params = vec![ParamRule { subject, optimizer: None, lr, momentum: None, weight_decay: None, until }];
    };
    assert!(!alike(|spec, _| rule(spec, None)));
    assert!(alike(|spec, _| rule(spec, Some(step(15.0)))));
}

/// They divide the optimizers, and are columns of the tables.
#[test]
fn groups_and_bounds_of_later_phases_tell_them_apart() {
    let text = "name = 'net'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = { resnet9 = 4 }\n[[phases]]\nsteps = 1\nbatch = 1\n\
                optimizer = 'sgd'\nlr = 0.1\n";
    let text = Text { name: "net.toml".into(), content: text.to_owned(), folder: "".into() };
    let model = config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec.model;
    assert!(!alike(|spec, second| {
        spec.model = model.clone();
        spec.phases[1].lr_groups.extend(second.then(|| ("head".to_owned(), 0.5)));
    }));
    assert!(!alike(|spec, second| spec.phases[1].clip_norm = second.then(|| constant(1.0))));
}

#[test]
fn every_border_has_a_prefix_of_its_own() {
    let all = prefixes(&spec(vec![epochs(1.0, 10), steps(3, 20), steps(4, 50)], LastBatch::Serve));
    assert_eq!(all.iter().map(|prefix| (prefix.phase, prefix.steps)).collect::<Vec<_>>(), [(1, 10), (2, 13)]);
    assert_ne!(all[0].digest, all[1].digest);
    assert!(prefixes(&spec(vec![epochs(1.0, 10)], LastBatch::Serve)).is_empty());
}

#[test]
fn a_training_is_the_beginning_of_one_with_further_phases() {
    let whole = |spec: &Spec| Plan::compile(spec, &facts(100)).unwrap().whole(spec);
    let border = |spec: &Spec, phase: usize| prefixes(spec).swap_remove(phase - 1);
    let two = || vec![epochs(1.0, 10), epochs(2.0, 20)];
    let longer = |mut phases: Vec<PhaseSpec>| {
        phases.push(steps(4, 50));
        phases
    };
    let short = spec(two(), LastBatch::Serve);
    let found = whole(&short).unwrap();
    assert_eq!((found.phase, found.steps), (2, 20));
    assert_eq!(found, border(&spec(longer(two()), LastBatch::Serve), 2));
    // What differs before is told apart, and so is a curve over all of training.
    let mut other = spec(longer(two()), LastBatch::Serve);
    other.phases[1].lr = RampValue::constant(0.3);
    assert_ne!(found, border(&other, 2));
    // What is done at the end alone.
    let refused = |change: &dyn Fn(&mut Spec), words: &str| {
        let mut spec = spec(two(), LastBatch::Serve);
        change(&mut spec);
        let (why, _) = whole(&spec).unwrap_err();
        assert!(why.contains(words), "{why}");
    };
    refused(&|spec| spec.phases[1] = epochs(1.4, 20), "middle of an epoch");
    refused(&|spec| (spec.train.tta, spec.train.tta_at) = (Tta::Mirror, TtaAt::Last), "views");
    refused(&|spec| spec.train.eval_every = every(7.0, DurationUnit::Epochs), "because it is the end");
    let mut at_phases = spec(two(), LastBatch::Serve);
    at_phases.train.eval_every = every(7.0, DurationUnit::Epochs);
    at_phases.train.eval_phases = true;
    let mut longer = at_phases.clone();
    longer.phases.push(steps(4, 50));
    assert_eq!(whole(&at_phases).unwrap(), border(&longer, 2));
}
