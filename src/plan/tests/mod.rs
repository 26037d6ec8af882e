//! The plan against figures worked out by hand; against a slow twin in `twin`.

mod across;
mod average;
mod groups;
mod lookahead;
mod optimizers;
mod prefix;
mod pruning;
mod range;
mod rules;
mod sets;
mod stops;
mod targets;
mod twin;

use super::*;
use crate::config::spec::{
    DataSpec, LastBatch, Length, ModelSpec, ParamRule, PhaseSpec, Precision, RecordSpec, Spec, StopSpec, TrainSpec,
    Tta, TtaAt,
};
use crate::data::{Facts, FactsSource};
use crate::record::rows::{PlanRow, TraceRow};
use crate::registry::{Duration, DurationUnit, RampValue, Settings, Value};
use std::collections::{BTreeMap, BTreeSet};

fn constant(from: f64) -> RampValue {
    RampValue::constant(from)
}

fn curve(from: f64, to: Option<f64>, kind: &str) -> RampValue {
    RampValue::new(from, to, Choice::plain(kind))
}

fn phase(length: Length, batch: usize) -> PhaseSpec {
    PhaseSpec {
        length,
        data: None,
        size: None,
        batch,
        accumulate: 1,
        mix_images: vec![],
        prune_images: None,
        label_smoothing: None,
        augment: vec![],
        optimizer: Choice::plain("sgd"),
        carry: false,
        fresh: false,
        lr: constant(0.1),
        momentum: constant(0.9),
        weight_decay: constant(0.0),
        beta: None,
        clip_norm: None,
        clip_value: None,
        lr_groups: BTreeMap::new(),
        weight_decay_groups: BTreeMap::new(),
        lr_values: BTreeMap::new(),
        freeze: BTreeSet::new(),
        source: 0,
        recipe: None,
    }
}

fn epochs(epochs: f64, batch: usize) -> PhaseSpec {
    phase(Length::Epochs(epochs), batch)
}

fn steps(steps: u64, batch: usize) -> PhaseSpec {
    phase(Length::Steps(steps), batch)
}

fn every(amount: f64, unit: DurationUnit) -> Duration {
    Duration { amount, unit }
}

fn spec(phases: Vec<PhaseSpec>, last_batch: LastBatch) -> Spec {
    Spec {
        task: None,
        name: "test".into(),
        seed: 1,
        data: DataSpec {
            dataset: Choice::plain("shapes"),
            root: None,
            stand_in: None,
            augment: vec![],
            last_batch,
            train_images: None,
            val_images: None,
            classes: None,
            statistics: None,
        },
        model: ModelSpec {
            stem: Choice::plain("conv3x3"),
            backbone: Choice::plain("resnet9"),
            head: Choice::plain("max-pool"),
            classes: None,
            weights: None,
        },
        train: TrainSpec {
            precision: Precision::F32,
            loss_scale: None,
            loss: None,
            label_smoothing: 0.0,
            checkpoint_every: every(1.0, DurationUnit::Epochs),
            eval_every: every(1.0, DurationUnit::Epochs),
            eval_phases: false,
            eval_batch: 100,
            eval_size: None,
            tta: Tta::None,
            tta_at: TtaAt::Every,
            winograd: true,
            deterministic: false,
            recompute: false,
            ghost_batch: None,
            lookahead: None,
            average: None,
            stop: StopSpec::default(),
        },
        record: RecordSpec::default(),
        params: Vec::<ParamRule>::new(),
        phases,
    }
}

fn facts(train_images: usize) -> [Facts; 1] {
    [Facts {
        name: "shapes".into(),
        train_images,
        val_images: 10,
        classes: 10,
        channels: 3,
        size: 32,
        source: FactsSource::Data,
    }]
}

fn plan(phases: Vec<PhaseSpec>, images: usize) -> Plan {
    Plan::compile(&spec(phases, LastBatch::Serve), &facts(images)).unwrap()
}

fn errors(phases: Vec<PhaseSpec>, images: usize) -> Vec<String> {
    let errors = Plan::compile(&spec(phases, LastBatch::Serve), &facts(images)).unwrap_err();
    errors.into_iter().map(|e| e.path).collect()
}

/// (epoch, first image, images) of each step.
fn batches(plan: &Plan) -> Vec<(u64, usize, usize)> {
    plan.steps().map(|s| (s.epoch, s.first, s.images)).collect()
}

#[test]
fn an_epoch_is_cut_consecutively_and_its_short_batch_served() {
    let plan = plan(vec![epochs(2.0, 40)], 100);
    assert_eq!(batches(&plan), [(0, 0, 40), (0, 40, 40), (0, 80, 20), (1, 0, 40), (1, 40, 40), (1, 80, 20)]);
    assert_eq!((plan.total_steps, plan.total_images, plan.phases[0].epochs), (6, 200, 2.0));
    assert_eq!(plan.steps().map(|s| s.ends_epoch).collect::<Vec<_>>(), [false, false, true, false, false, true]);
}

#[test]
fn a_dropped_batch_counts_neither_as_step_nor_in_n() {
    let plan = Plan::compile(&spec(vec![epochs(1.5, 30), epochs(1.5, 45)], LastBatch::Drop), &facts(100)).unwrap();
    // Half an epoch of 90 is 45 images: between the borders at 30 and 60, the later one.
    // Then 40 are left, too few for a batch of 45: epoch 1 is over.
    let expected = [(0, 0, 30), (0, 30, 30), (0, 60, 30), (1, 0, 30), (1, 30, 30), (2, 0, 45), (2, 45, 45)];
    assert_eq!(batches(&plan), expected);
    assert!(plan.at(4).ends_epoch);
    assert_eq!((plan.phases[0].epochs, plan.phases[1].epochs), (150.0 / 90.0, 1.0));
}

#[test]
fn part_of_an_epoch_is_part_of_what_it_serves() {
    let mut spec = spec(vec![epochs(1.0, 16)], LastBatch::Drop);
    spec.train.eval_every = every(0.5, DurationUnit::Epochs);
    let plan = Plan::compile(&spec, &facts(100)).unwrap();
    // 96 images are served: half of them after the third batch of six.
    assert_eq!((0..6).filter(|step| plan.is_eval_step(*step)).collect::<Vec<_>>(), [2, 5]);
}

#[test]
fn a_phase_ends_at_the_nearest_border_and_at_the_later_of_two() {
    let steps_of = |phases| plan(phases, 100).phases.iter().map(|p| p.steps).collect::<Vec<_>>();
    assert_eq!(steps_of(vec![epochs(0.24, 10)]), [2]);
    assert_eq!(steps_of(vec![epochs(0.25, 10)]), [3]);
    // 0.1 + 0.2 is 0.30000000000000004, and 0.7 + 0.1 is 0.7999999999999999: both are ties all the same.
    assert_eq!(steps_of(vec![epochs(0.1, 10), epochs(0.2, 20)]), [1, 1]);
    assert_eq!(steps_of(vec![epochs(0.7, 10), epochs(0.1, 20), epochs(0.2, 10)]), [7, 1, 1]);
    // Rounding does not add up: ends are counted from the start of training.
    assert_eq!(steps_of(vec![epochs(0.26, 10); 4]), [3, 2, 3, 2]);
}

#[test]
fn a_phase_begins_in_mid_epoch_and_no_image_is_left_out() {
    let plan = plan(vec![epochs(0.5, 20), epochs(1.0, 32)], 100);
    assert_eq!(
        batches(&plan),
        [(0, 0, 20), (0, 20, 20), (0, 40, 20), (0, 60, 32), (0, 92, 8), (1, 0, 32), (1, 32, 32)]
    );
    assert!(plan.at(2).ends_phase && !plan.at(2).ends_epoch);
}

#[test]
fn epochs_after_steps_count_from_where_the_steps_ended() {
    let plan = plan(vec![steps(3, 10), epochs(1.0, 10)], 100);
    assert_eq!(plan.phases.iter().map(|p| p.steps).collect::<Vec<_>>(), [3, 10]);
    assert_eq!(plan.at(12).epoch, 1);
    assert_eq!(plan.phases[0].epochs, 0.3);
}

#[test]
fn hyper_parameters_run_over_their_phase() {
    let mut second = epochs(1.0, 25);
    second.lr = curve(0.4, None, "linear");
    second.momentum = curve(0.95, Some(0.85), "linear");
    second.beta = Some(constant(0.99));
    let plan = plan(vec![epochs(1.0, 50), second], 100);
    let lr: Vec<_> = plan.steps().map(|s| s.hypers.lr).collect();
    assert_eq!(lr, [0.1, 0.1, 0.4, 0.4 + -0.4 * 0.25, 0.2, 0.4 + -0.4 * 0.75]);
    assert_eq!((plan.at(0).hypers.beta, plan.at(4).hypers.beta), (None, Some(0.99)));
    assert_eq!(plan.at(4).hypers.momentum, 0.95 + (0.85 - 0.95) * 0.5);
    assert_eq!(plan.at(4).size, 32);
}

#[test]
fn what_cannot_be_planned_is_named() {
    assert_eq!(errors(vec![epochs(1.0, 10), epochs(0.01, 10)], 100), ["phases[1].epochs"]);
    assert_eq!(errors(vec![steps(0, 10)], 100), ["phases[0].steps"]);
    assert_eq!(errors(vec![epochs(1.0, 101)], 100), ["phases[0].batch"]);
    assert_eq!(errors(vec![epochs(f64::NAN, 10), epochs(-1.0, 10)], 100), ["phases[0].epochs", "phases[1].epochs"]);
    assert_eq!(errors(vec![steps(u64::MAX, 10), epochs(1e300, 10)], 100), ["phases[0].steps", "phases[1].epochs"]);
    assert_eq!(errors(vec![], 100), ["phases"]);
    assert_eq!(errors(vec![epochs(1.0, 10)], 0), ["data"]);
    let mut bad = epochs(1.0, 200);
    bad.lr = curve(0.1, None, "exponential");
    assert_eq!(errors(vec![bad, epochs(1.0, 10)], 100), ["phases[0].lr.to", "phases[0].batch"]);
}

/// The steps after which something that comes `every` is due.
fn due(every: Duration, phases: Vec<PhaseSpec>, images: usize) -> Vec<u64> {
    let mut spec = spec(phases, LastBatch::Serve);
    spec.train.eval_every = every;
    let plan = Plan::compile(&spec, &facts(images)).unwrap();
    (0..plan.total_steps).filter(|&step| plan.is_eval_step(step)).collect()
}

#[test]
fn evaluations_come_at_epoch_ends_steps_and_shares_and_at_the_end() {
    use DurationUnit::{Epochs, Percent, Steps};
    // Epochs end after steps 2, 6 (the batch changes in the second), 10 and, half done, 12.
    let phases = || vec![epochs(1.5, 40), epochs(2.0, 25)];
    assert_eq!(
        plan(phases(), 100).steps().filter(|s| s.ends_epoch).map(|s| s.step).collect::<Vec<_>>(),
        [2, 6, 10, 12]
    );
    assert_eq!(due(every(1.0, Epochs), phases(), 100), [2, 6, 10, 12]);
    assert_eq!(due(every(2.0, Epochs), phases(), 100), [6, 12]);
    assert_eq!(due(every(0.5, Epochs), vec![epochs(2.0, 10)], 100), [4, 9, 14, 19]);
    assert_eq!(due(every(5.0, Steps), phases(), 100), [4, 9, 12]);
    assert_eq!(due(every(25.0, Percent), vec![epochs(2.0, 10)], 100), [4, 9, 14, 19]);
    assert_eq!(due(every(0.1, Epochs), vec![epochs(1.0, 10)], 100), (0..10).collect::<Vec<_>>());
    let mut spec = spec(phases(), LastBatch::Serve);
    spec.train.checkpoint_every = every(0.0, Steps);
    assert_eq!(Plan::compile(&spec, &facts(100)).unwrap_err()[0].path, "train.checkpoint_every");
}

#[test]
fn the_trace_is_the_front_of_what_training_records() {
    let mut only = epochs(1.0, 30);
    only.lr = curve(1e-6, Some(3.0), "exponential");
    only.weight_decay = constant(5e-4);
    let plan = plan(vec![only], 100);
    let mut trace = Vec::new();
    plan.write_trace(&mut trace).unwrap();
    let mut recorded = csv::Writer::from_writer(Vec::new());
    for step in plan.steps() {
        let row = TraceRow {
            step: step.step,
            epoch: step.epoch,
            phase: step.phase,
            optimizer: "sgd".into(),
            size: step.size,
            batch: step.images,
            lr: step.hypers.lr,
            momentum: step.hypers.momentum,
            weight_decay: step.hypers.weight_decay,
            loss: 2.5,
            grad_norm: 1.0,
            seconds: 0.1,
            mix: None,
            beta: None,
            clip_norm: None,
            clip_value: None,
            lookahead_decay: None,
            average_decay: None,
        };
        assert_eq!(crate::record::rows::PlannedStepRow::from(&row), plan.step_row(step.step));
        recorded.serialize(row).unwrap();
    }
    let recorded = String::from_utf8(recorded.into_inner().unwrap()).unwrap();
    let trace = String::from_utf8(trace).unwrap();
    assert!(trace.starts_with("step,epoch,phase,optimizer,size,batch,lr,momentum,weight_decay\n0,0,0,sgd,32,30,1e-6,"));
    assert_eq!(trace.lines().count(), 5);
    for (planned, recorded) in trace.lines().zip(recorded.lines()) {
        assert!(recorded.starts_with(&format!("{planned},")), "{planned} / {recorded}");
    }
}

#[test]
fn plan_csv_reads_back() {
    let plan = plan(three_phases(), 50_000);
    let mut bytes = Vec::new();
    plan.write_csv(&mut bytes).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.starts_with(
        "phase,source,optimizer,epochs,steps,images,size,batch,lr_from,lr_to,lr_curve,momentum_from,momentum_to,\
         momentum_curve\n0,0,rmsprop,1.0,49,50000,24,1024,0.01,0.1,linear,0.9,0.9,constant\n"
    ));
    let rows: Vec<PlanRow> = csv::Reader::from_reader(&bytes[..]).deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows, plan.rows());
}

#[test]
fn parts_of_a_step_change_nothing_but_the_images_at_a_time() {
    let mut parts = vec![epochs(1.5, 40), epochs(0.5, 7)];
    let whole = plan(parts.clone(), 100);
    parts[0].accumulate = 3;
    parts[1].accumulate = 7;
    let plan = plan(parts.clone(), 100);
    assert_eq!(plan.steps().collect::<Vec<_>>(), whole.steps().collect::<Vec<_>>());
    assert_eq!([plan.phases[0].part(), plan.phases[1].part(), whole.phases[0].part()], [14, 1, 40]);
    let said = "phase 0: the 40 images of a step pass in 3 parts of up to 14\nphase 1: the 7 images of a step pass in 7 parts of 1\n";
    assert!(plan.table(80).contains(said), "{}", plan.table(80));
    parts[1].accumulate = 8;
    assert_eq!(errors(parts, 100), ["phases[1].accumulate"]);
}

#[test]
fn a_sample_has_both_ends_of_every_phase() {
    let plan = plan(vec![steps(1, 10), steps(990, 10), steps(2, 10)], 100);
    let steps: Vec<_> = plan.sample(100).iter().map(|r| r.step).collect();
    assert!(steps.len() < 120 && steps.is_sorted_by(|a, b| a < b));
    for edge in [0, 1, 990, 991, 992] {
        assert!(steps.contains(&edge), "{edge}");
    }
}

/// The phases of the example in the README, on CIFAR-10.
fn three_phases() -> Vec<PhaseSpec> {
    let setting = |key: &str, value| Settings([(key.to_owned(), value)].into());
    let mut warm = epochs(1.0, 1024);
    warm.size = Some(24);
    warm.optimizer = Choice { kind: "rmsprop".into(), settings: setting("alpha", Value::Float(0.99)) };
    warm.lr = curve(0.01, Some(0.1), "linear");
    let mut long = epochs(4.0, 512);
    long.optimizer = Choice { kind: "sgd".into(), settings: setting("nesterov", Value::Bool(true)) };
    long.lr = RampValue::new(0.4, None, Choice { kind: "poly".into(), settings: setting("power", Value::Float(0.9)) });
    long.momentum = curve(0.95, Some(0.85), "cosine");
    long.weight_decay = constant(5e-4);
    long.augment = vec![
        Choice::plain("flip-alternating"),
        Choice { kind: "translate".into(), settings: setting("pixels", Value::Int(2)) },
    ];
    let mut tail = long.clone();
    tail.length = Length::Epochs(0.3);
    tail.lr = constant(1e-5);
    vec![warm, long, tail]
}

#[test]
fn the_table_fits_the_terminal() {
    let mut phases = three_phases();
    phases.iter_mut().enumerate().for_each(|(k, phase)| phase.source = k);
    let recipe = plan(three_phases(), 50_000).table(120);
    assert!(recipe.contains("phase  source  epochs") && recipe.contains("\n    2       0   0.297"), "{recipe}");
    let plan = plan(phases, 50_000);
    let plain = |width| {
        let table = plan.table(width);
        table.replace("\x1b[1m", "").replace("\x1b[0m", "")
    };
    let narrow = "\
phase  epochs  steps   images  size  batch  optimizer
    0       1     49   50,000    24   1024  rmsprop
       lr 0.01 → 0.1 linear, momentum 0.9
    1       4    392  200,000    32    512  sgd nesterov
       lr 0.4 → 0 poly 0.9, momentum 0.95 → 0.85 cosine, weight decay 0.0005
    2   0.297     29   14,848    32    512  sgd nesterov
       lr 1e-5, momentum 0.95 → 0.85 cosine, weight decay 0.0005
total   5.297    470  264,848
augmentation in phase 0: none
augmentation in phases 1 to 2: flip-alternating, translate 2
";
    assert_eq!(plain(80), narrow);
    let wide = "\
phase  epochs  steps   images  size  batch  optimizer     lr                 momentum            weight decay
    0       1     49   50,000    24   1024  rmsprop       0.01 → 0.1 linear  0.9                 0
    1       4    392  200,000    32    512  sgd nesterov  0.4 → 0 poly 0.9   0.95 → 0.85 cosine  0.0005
    2   0.297     29   14,848    32    512  sgd nesterov  1e-5               0.95 → 0.85 cosine  0.0005
total   5.297    470  264,848
augmentation in phase 0: none
augmentation in phases 1 to 2: flip-alternating, translate 2
";
    assert_eq!(plain(120), wide);
    assert!(plan.table(40).lines().all(|line| line.len() < 90));
}
