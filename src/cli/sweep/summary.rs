//! What became of a sweep's trials, as it is told at its end.

use super::metric::lower_is_better;
use super::words::{figure, states, values_of};
use crate::cli::{Failure, output};
use crate::compare::Options;
use crate::record::text::{plural, span};
use crate::sweep::ledger::{Ledger, Saved, State};
use crate::sweep::run::is_left;
use crate::sweep::{self, file};
use crate::units::count;
use std::path::Path;

/// Prints how the trials stand, which point is best, and where to look further.
pub fn print(folder: &Path, ledger: &Ledger, metric: &str) -> Result<(), Failure> {
    let mut text = format!("{}: {}\n", plural(ledger.trials.len() as u64, "trial"), states(ledger));
    text += &best_line(ledger, lower_is_better(metric));
    text += &saving(ledger);
    text += &failures(folder, ledger);
    let shown = folder.display();
    text += &match has_no_result(ledger) {
        true => format!("no trial has a result; trials.csv says why\n{shown}\n"),
        false => format!("{shown}\n`runner compare {shown}{}` tells whether that can be told\n", by(metric)),
    };
    Ok(output::print(&text)?)
}

/// What has `runner compare` look at the same column.
fn by(metric: &str) -> String {
    if metric == Options::default().metric { String::new() } else { format!(" --metric {metric}") }
}

/// The best point, and where it was found wanting; nothing while no trial has a value.
fn best_line(ledger: &Ledger, lower: bool) -> String {
    let Some(best) = sweep::best(ledger, lower) else { return String::new() };
    let (mean, seeds) = (figure(best.mean), plural(best.seeds as u64, "seed"));
    let lacks = best.lacks().map(|lacks| format!(" ({lacks})")).unwrap_or_default();
    let values = values_of(ledger, best.number);
    format!("best: point {}, {mean} on average over {seeds}{lacks}: {values}\n", best.number)
}

/// What was trained once for several trials; nothing where all trained everything.
fn saving(ledger: &Ledger) -> String {
    let saved: Vec<Saved> = ledger.trials.iter().filter_map(|trial| trial.saved).collect();
    let (steps, seconds) = saved.iter().fold((0, 0.0), |(steps, seconds), s| (steps + s.steps, seconds + s.seconds));
    match saved.len() {
        0 => String::new(),
        n => format!(
            "{n} began where another trial had come to: {} steps, {} of training saved\n",
            count(steps),
            span(seconds)
        ),
    }
}

/// Where to see why trials failed, and how they are run again; nothing where none did.
fn failures(folder: &Path, ledger: &Ledger) -> String {
    let failed = || ledger.trials.iter().filter(|trial| trial.state == State::Failed);
    let shown = folder.display();
    let again = match failed().any(|trial| is_left(trial, folder, true)) {
        true => format!("; `runner sweep --resume {shown} --retry-failed` runs what failed once more"),
        false => String::new(),
    };
    match failed().count() {
        0 => String::new(),
        n => format!(
            "{n} failed: {} says why, {} what each wrote{again}\n",
            file::TRIALS,
            folder.join(file::LOGS).display()
        ),
    }
}

/// Whether all trials are over and none came to its end.
pub fn has_no_result(ledger: &Ledger) -> bool {
    ledger.trials.iter().all(|trial| trial.state.is_over() && trial.state != State::Done)
}
