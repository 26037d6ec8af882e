//! Events in words, for `log.txt` and the displays. Plain text; phases, epochs and steps are counted from 1 here, as
//! `3/6`, where the CSV files count from 0.

use super::event::{DatasetFacts, Event, PhaseBegins, RunFacts, SecondsByKind, Status, StepDone};
use super::rows::MetricsRow;
use super::scores::Scores;
use crate::units::{Seconds, count};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a run is, as labels and values.
pub fn facts(facts: &RunFacts, folder: &Path) -> Vec<(&'static str, String)> {
    let mut lines = vec![("data", dataset(&facts.dataset))];
    lines.extend(facts.further_datasets.iter().map(|set| ("then", dataset(set))));
    lines.push(("net", format!("{}, {} parameters", facts.model, count(facts.parameters))));
    lines.extend(facts.weights.as_ref().map(|weights| ("weights", format!("from {}", weights.path))));
    // Of one image an epoch is a step.
    let epochs = if facts.paints() { String::new() } else { format!("{}, ", plural(facts.epochs, "epoch")) };
    lines.extend([
        (
            "plan",
            format!(
                "{}, {epochs}{}, seed {}",
                plural(facts.phases as u64, "phase"),
                plural(facts.steps, "step"),
                facts.seed
            ),
        ),
        (
            "device",
            format!(
                "{}, {}, {}, {}",
                facts.device,
                plural(facts.threads as u64, "thread"),
                facts.instruction_set,
                facts.precision
            ),
        ),
        ("version", version()),
        ("folder", folder.display().to_string()),
    ]);
    lines
}

fn dataset(set: &DatasetFacts) -> String {
    if set.val_images == 0 {
        return format!("{}, {}", dataset_name(set), plural(set.images, "image"));
    }
    format!("{}, {} + {} images", dataset_name(set), count(set.images), count(set.val_images))
}

/// `cifar10`, or `shapes (stand-in for cifar10)`.
pub fn dataset_name(set: &DatasetFacts) -> String {
    match &set.stands_in_for {
        Some(absent) => format!("{} (stand-in for {absent})", set.name),
        None if set.stand_in => format!("{} (stand-in)", set.name),
        None => set.name.clone(),
    }
}

/// `runner 0.1.0, commit 9f88158 with changes`
fn version() -> String {
    let mut text = format!("runner {}", env!("CARGO_PKG_VERSION"));
    if let Some(commit) = option_env!("RUNNER_GIT_COMMIT") {
        text += &format!(", commit {}", commit.get(..9).unwrap_or(commit));
        if option_env!("RUNNER_GIT_DIRTY") == Some("true") {
            text += " with changes";
        }
    }
    text
}

/// A phase as it begins.
pub fn phase(facts: &RunFacts, begins: &PhaseBegins) -> String {
    let dataset = begins.dataset.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
    format!(
        "phase {}/{} begins: {dataset}{}, {} px, batch {}, {}",
        begins.phase + 1,
        facts.phases,
        begins.optimizer,
        begins.size,
        begins.batch,
        plural(begins.steps, "step")
    )
}

/// A step in one line.
pub fn step(facts: &RunFacts, done: &StepDone) -> String {
    let row = &done.row;
    let epoch = if facts.paints() { String::new() } else { format!("  epoch {}/{}", row.epoch + 1, facts.epochs) };
    format!(
        "step {}/{}  phase {}/{}{epoch}  {}{}",
        count(row.step + 1),
        count(facts.steps),
        row.phase + 1,
        facts.phases,
        numbers(done),
        done.seconds_left.map(|left| format!("  {} left", span(left))).unwrap_or_default()
    )
}

/// A painting as it is after a step, and the loss that the step began with.
pub fn snapshot(facts: &RunFacts, step: u64, file: &str, loss: f64) -> String {
    format!("after step {}/{}  loss before it {:<8}  {file}", count(step + 1), count(facts.steps), short(loss))
}

/// What a step used and found, in columns that keep their places. Where pixels are trained there is nothing to be right.
pub fn numbers(done: &StepDone) -> String {
    let rate = done.images_per_second;
    if done.train_acc.is_nan() {
        let (loss, norm) = (short(done.row.loss), short(done.row.grad_norm));
        return format!(
            "loss {loss:<8}  gradient {norm:<8}  lr {:<8}  {} a step",
            short(done.row.lr),
            span(done.row.seconds)
        );
    }
    format!(
        "loss {:<6}  acc {:>7}  lr {:<8} momentum {:<6}  {:>6} images/s",
        fixed(done.row.loss),
        percent(done.train_acc),
        short(done.row.lr),
        short(done.row.momentum),
        count(rate.round() as u64)
    )
}

/// An evaluation in one line.
pub fn evaluation(facts: &RunFacts, row: &MetricsRow) -> String {
    let top5 = if facts.has_top5() { format!(" top-5 {}", percent(row.val_acc_top5)) } else { String::new() };
    format!(
        "evaluated after step {}/{}  phase {}/{}  epoch {}/{}  train loss {} acc {}  val loss {} acc {}{top5}{}  train time {}",
        count(row.step + 1),
        count(facts.steps),
        row.phase + 1,
        facts.phases,
        row.epoch + 1,
        facts.epochs,
        fixed(row.train_loss),
        percent(row.train_acc),
        fixed(row.val_loss),
        percent(row.val_acc),
        further(row),
        span(row.train_seconds)
    )
}

/// The accuracies that some runs have besides: ` tta 91.0 % avg 90.2 %`.
fn further(row: &MetricsRow) -> String {
    let columns = [("tta", row.val_acc_tta), ("avg", row.val_acc_avg), ("avg tta", row.val_acc_avg_tta)];
    columns.into_iter().filter_map(|(name, acc)| Some(format!(" {name} {}", percent(acc?)))).collect()
}

/// How the run ended, in one line.
pub fn finished(status: Status, exit_reason: &str, step: u64, seconds: &SecondsByKind, scores: &Scores) -> String {
    let mut text =
        format!("{} ({exit_reason}) after {}, {}", status.name(), plural(step, "step"), span(total(seconds)));
    if let Some(last) = &scores.last {
        text += &format!("  val acc {}", percent(last.val_acc));
        text += &further(last);
    }
    if let Some(best) = &scores.best {
        text += &format!(" (best {})", percent(best.val_acc));
    }
    text
}

/// All seconds that a run took.
pub fn total(seconds: &SecondsByKind) -> Seconds {
    seconds.train + seconds.eval + seconds.checkpoint
}

/// Where the seconds went.
pub fn seconds(seconds: &SecondsByKind) -> String {
    format!(
        "train {} (waiting for data {}), eval {}, checkpoints {}",
        span(seconds.train),
        span(seconds.data_wait),
        span(seconds.eval),
        span(seconds.checkpoint)
    )
}

/// Any event in plain lines; none for a step.
pub fn lines(facts: &RunFacts, scores: &Scores, event: &Event) -> Vec<String> {
    let about =
        |folder: &Path| self::facts(facts, folder).into_iter().map(|(label, value)| format!("{label}: {value}"));
    match event {
        Event::Started { folder, .. } => {
            let mut lines = vec![format!("{} started: {}", facts.name, facts.argv.join(" "))];
            lines.extend(about(folder));
            lines
        }
        Event::Resumed { folder, step, .. } => {
            let mut lines = vec![format!("{} resumed at step {}/{}", facts.name, count(*step), count(facts.steps))];
            lines.extend(about(folder));
            lines
        }
        Event::Notice { text } => text.lines().map(|line| format!("NOTICE: {line}")).collect(),
        Event::PhaseBegins(begins) => vec![phase(facts, begins)],
        Event::StepDone(_) | Event::Evaluating { .. } => vec![],
        Event::Evaluated(row) => vec![evaluation(facts, row)],
        Event::Damaged { set, train_replaced, val_left_out } => {
            vec![damaged(facts.set_name(*set), *train_replaced, *val_left_out)]
        }
        Event::Snapshot { step, file, loss } => vec![snapshot(facts, *step, file, *loss)],
        Event::Checkpoint { step, .. } => vec![format!("checkpoint: {} safe", plural(*step, "step"))],
        Event::Finished { status, exit_reason, step, seconds, skipped_steps } => {
            let mut lines = vec![finished(*status, exit_reason, *step, seconds, scores), self::seconds(seconds)];
            lines.extend(skipped_steps.filter(|steps| *steps > 0).map(skipped));
            lines
        }
    }
}

/// `1 phase`, `2,345 steps`
pub fn plural(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Which images of a set were damaged, and what was done without them.
pub fn damaged(set: &str, train_replaced: u64, val_left_out: u64) -> String {
    let train = format!("{} replaced by others of the same class", plural(train_replaced, "training image"));
    let val = format!("{} left out", plural(val_left_out, "validation image"));
    let said = [(train_replaced, train), (val_left_out, val)].into_iter().filter(|(images, _)| *images > 0);
    format!("damaged files of `{set}`: {}", said.map(|(_, words)| words).collect::<Vec<_>>().join(", "))
}

/// Of a run's steps, those that did nothing.
pub fn skipped(steps: u64) -> String {
    format!("{} left out, of which a gradient was not finite", plural(steps, "step"))
}

/// A fraction as `78.4 %`.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.1} %", 100.0 * fraction) } else { "n/a".to_owned() }
}

/// A loss: four decimals, fewer for large ones.
pub fn fixed(x: f64) -> String {
    if !x.is_finite() {
        x.to_string()
    } else if x.abs() < 100.0 {
        format!("{x:.4}")
    } else if x.abs() < 100_000.0 {
        format!("{x:.1}")
    } else {
        format!("{x:.1e}")
    }
}

/// Four significant digits at most, no needless zeros: `0.0987`, `0.4`, `1.235e-5`.
pub fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let magnitude = x.abs().log10().floor() as i32;
    if (-4..5).contains(&magnitude) {
        let decimals = usize::try_from(3 - magnitude).unwrap_or(0);
        let text = format!("{x:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        let text = format!("{x:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// `0.3 s`, `12 s`, `1 min 05 s`, `2 h 03 min`
pub fn span(seconds: Seconds) -> String {
    if !seconds.is_finite() {
        return "n/a".to_owned();
    }
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", count(whole / 3600), whole % 3600 / 60),
    }
}

/// Lets a line pass now and then.
pub struct Pace {
    interval: Duration,
    last: Instant,
}

impl Pace {
    pub fn new(interval: Duration) -> Self {
        Self { interval, last: Instant::now() }
    }

    /// Whether the interval is over; the next one then begins.
    pub fn due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.interval;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::facts;
    use super::super::rows::tests::metrics;
    use super::*;

    #[test]
    fn what_is_damaged_is_told_by_what_became_of_it() {
        assert_eq!(damaged("folder", 0, 1), "damaged files of `folder`: 1 validation image left out");
        let both = "damaged files of `folder`: 1,200 training images replaced by others of the same class, 2 validation images \
                    left out";
        assert_eq!(damaged("folder", 1200, 2), both);
    }

    #[test]
    fn five_of_five_outputs_are_not_told() {
        for (outputs, is_told) in [(2, false), (5, false), (6, true), (10, true)] {
            let line = evaluation(&RunFacts { outputs, ..facts() }, &metrics(811, 0.75));
            assert_eq!(line.contains("acc 75.0 % top-5 90.0 %  train time"), is_told, "{line}");
            assert_eq!(line.contains("acc 75.0 %  train time"), !is_told, "{line}");
        }
    }

    #[test]
    fn a_painting_has_steps_and_no_epochs() {
        let plan = |outputs: usize| {
            let lines = super::facts(&RunFacts { outputs, ..facts() }, Path::new("runs/a"));
            lines.into_iter().find(|(label, _)| *label == "plan").map(|(_, value)| value).unwrap()
        };
        assert_eq!(plan(10), "3 phases, 6 epochs, 2,345 steps, seed 1");
        assert_eq!(plan(0), "3 phases, 2,345 steps, seed 1");
        let step = super::step(&RunFacts { outputs: 0, ..facts() }, &super::super::event::tests::step_done(0));
        assert!(step.starts_with("step 1/2,345  phase 2/3  loss "), "{step}");
    }

    #[test]
    fn numbers_are_short_and_right() {
        let shorts = [(0.0987, "0.0987"), (0.4, "0.4"), (1.0, "1"), (123.456, "123.5"), (12345.0, "12345")];
        for (x, want) in shorts.into_iter().chain([(1.2345e-5, "1.234e-5"), (0.0, "0"), (2e6, "2e6")]) {
            assert_eq!(short(x), want);
        }
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([fixed(1.0), fixed(1234.5), fixed(1e9), fixed(f64::NAN)], ["1.0000", "1234.5", "1.0e9", "NaN"]);
        assert_eq!([percent(0.7836), percent(1.0), percent(f64::NAN)], ["78.4 %", "100.0 %", "n/a"]);
        let spans = [(0.25, "0.2 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.9, "1 h 00 min"), (-1.0, "0.0 s")];
        for (seconds, want) in spans {
            assert_eq!(span(seconds), want);
        }
    }
}
