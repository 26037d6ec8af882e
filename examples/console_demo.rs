//! Shows the progress display with made-up numbers, to judge changes of its looks by eye:
//! `cargo run --example console_demo -- [progress|quiet|json] [steps]`; pipe it, or set `NO_COLOR`, to see the plain forms.

use runner::record::console::Display;
use runner::record::rows::{MetricsRow, TraceRow};
use runner::record::{DatasetFacts, Event, PhaseBegins, RecordError, RunFacts, SecondsByKind, Sink, Status, StepDone};
use std::collections::BTreeMap;
use std::time::Duration;

const SIZES: [usize; 3] = [16, 24, 32];
const TICK: Duration = Duration::from_millis(25);

fn main() -> Result<(), RecordError> {
    let mut args = std::env::args().skip(1);
    let display = match args.next().as_deref() {
        Some("quiet") => Display::Quiet,
        Some("json") => Display::Json,
        _ => Display::Progress,
    };
    let steps = args.next().and_then(|text| text.parse().ok()).unwrap_or(240);
    show(display.sink().as_mut(), steps)
}

fn show(sink: &mut dyn Sink, steps: u64) -> Result<(), RecordError> {
    let phases = SIZES.len() as u64;
    let (per_phase, per_epoch) = (steps / phases, steps / (2 * phases));
    sink.event(&Event::Started {
        folder: "runs/20260131T235959Z-dawnbench-1f0a".into(),
        facts: Box::new(facts(steps)),
    })?;
    sink.event(&Event::Notice {
        text:
            "cifar10 is neither at ~/.cache/runner/cifar10 nor reachable: training on the generated stand-in `shapes`. \
               All records name it.\nFor the real data: runner data fetch cifar10, or --set data.root=DIR"
                .to_owned(),
    })?;
    for step in 0..steps {
        let phase = ((step / per_phase) as usize).min(SIZES.len() - 1);
        if step % per_phase == 0 {
            sink.event(&Event::PhaseBegins(PhaseBegins {
                phase,
                first_step: step,
                steps: per_phase,
                size: SIZES[phase],
                batch: 128,
                optimizer: optimizer(phase).to_owned(),
                dataset: None,
            }))?;
        }
        std::thread::sleep(TICK);
        let done = step_done(step, steps, phase, step / per_epoch);
        sink.event(&Event::StepDone(done.clone()))?;
        if (step + 1) % per_epoch == 0 {
            for images in (100..=1000).step_by(100) {
                std::thread::sleep(TICK);
                sink.event(&Event::Evaluating { images, of: 1000 })?;
            }
            sink.event(&Event::Evaluated(evaluated(&done)))?;
            sink.event(&Event::Checkpoint { step: step + 1, seconds: seconds(step + 1), skipped_steps: None })?;
        }
    }
    let (status, exit_reason) = match steps {
        240.. => (Status::Done, "completed"),
        _ => (Status::Interrupted, "SIGINT"),
    };
    let exit_reason = exit_reason.to_owned();
    sink.event(&Event::Finished { status, exit_reason, step: steps, seconds: seconds(steps), skipped_steps: None })
}

fn facts(steps: u64) -> RunFacts {
    RunFacts {
        name: "dawnbench".to_owned(),
        argv: std::env::args().collect(),
        seed: 1,
        spec_hash: "sha256:3f2a".to_owned(),
        device: "cpu".to_owned(),
        device_name: None,
        device_versions: BTreeMap::new(),
        instruction_set: "avx512".to_owned(),
        threads: 2,
        precision: "f32".to_owned(),
        dataset: DatasetFacts {
            name: "shapes".to_owned(),
            images: 5000,
            val_images: 1000,
            digest: "sha256:77aa".to_owned(),
            stand_in: true,
            stands_in_for: Some("cifar10".to_owned()),
            skipped: 0,
            train_replaced: 0,
            val_left_out: 0,
        },
        further_datasets: Vec::new(),
        last_set_since: 0,
        model: "conv3x3 + resnet9 + linear".to_owned(),
        weights: None,
        parameters: 1_634_570,
        outputs: 10,
        settings: BTreeMap::new(),
        phases: SIZES.len(),
        epochs: 2 * SIZES.len() as u64,
        steps,
        lr_columns: Vec::new(),
        step_columns: Vec::new(),
        tta: false,
        average: None,
    }
}

fn optimizer(phase: usize) -> &'static str {
    if phase == 0 { "rmsprop" } else { "sgd" }
}

fn step_done(step: u64, steps: u64, phase: usize, epoch: u64) -> StepDone {
    let part = step as f64 / steps as f64;
    let row = TraceRow {
        step,
        epoch,
        phase,
        optimizer: optimizer(phase).to_owned(),
        size: SIZES[phase],
        batch: 128,
        lr: 0.4 * (1.0 - part),
        momentum: 0.95 - 0.1 * part,
        weight_decay: 5e-4,
        loss: 2.3 * (-2.0 * part).exp() + 0.05 * (step as f64).sin(),
        grad_norm: 1.0,
        seconds: TICK.as_secs_f64(),
        mix: None,
        beta: None,
        clip_norm: None,
        clip_value: None,
        lookahead_decay: None,
        average_decay: None,
    };
    StepDone {
        row,
        own_lrs: Vec::new(),
        step_values: Vec::new(),
        train_acc: 0.1 + 0.8 * part,
        images_per_second: 128.0 / TICK.as_secs_f64() / (phase + 1) as f64,
        seconds_left: (step > 3).then(|| (steps - step) as f64 * TICK.as_secs_f64()),
        wait_seconds: 0.0,
    }
}

fn evaluated(done: &StepDone) -> MetricsRow {
    let row = &done.row;
    MetricsRow {
        step: row.step,
        epoch: row.epoch,
        phase: row.phase,
        optimizer: row.optimizer.clone(),
        size: row.size,
        batch: row.batch,
        lr: row.lr,
        momentum: row.momentum,
        train_loss: row.loss,
        train_acc: done.train_acc,
        val_loss: 1.1 * row.loss,
        // One evaluation is worse than the one before.
        val_acc: 0.95 * done.train_acc - if row.epoch == 3 { 0.2 } else { 0.0 },
        val_acc_top5: 1.0 - 0.2 * (1.0 - done.train_acc),
        images: 128 * (row.step + 1),
        train_seconds: seconds(row.step + 1).train,
        eval_seconds: 0.5,
        wall_seconds: seconds(row.step + 1).train + 1.0,
        val_acc_tta: None,
        val_acc_avg: None,
        val_loss_avg: None,
        val_acc_avg_tta: None,
    }
}

fn seconds(steps: u64) -> SecondsByKind {
    let train = steps as f64 * TICK.as_secs_f64();
    SecondsByKind { train, eval: 0.1 * train, data_wait: 0.01 * train, checkpoint: 0.02 * train }
}
