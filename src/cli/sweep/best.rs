//! `runner sweep --best`: the experiment of the best point.

use super::folder::read;
use super::metric::lower_is_better;
use super::summary::has_no_result;
use super::words::{figure, states, values_of};
use crate::cli::{Exit, Failure, output};
use crate::config::sweep::Sweep;
use crate::record::text::plural;
use crate::sweep;
use crate::sweep::ledger::{Ledger, State};
use crate::sweep::run::experiment_file;
use anyhow::Context as _;
use std::path::Path;

/// Prints it, below what it came to.
///
/// # Errors
/// When no point is best, or what is there cannot be read.
pub fn print(folder: &Path) -> Result<Exit, Failure> {
    let (sweep, ledger) = read(folder)?;
    let Some(best) = sweep::best(&ledger, lower_is_better(&sweep.metric)) else {
        return Err(Failure::Usage(no_best(folder, &sweep, &ledger)));
    };
    let path = experiment_file(folder, best.number);
    let experiment = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let head = format!(
        "# The best point of sweep {}: {}\n# {} {} on average over {}\n",
        sweep.name,
        values_of(&ledger, best.number),
        sweep.metric,
        figure(best.mean),
        plural(best.seeds as u64, "seed")
    );
    let lacks = best.lacks().map(|lacks| format!("# {lacks}\n")).unwrap_or_default();
    output::print(&format!("{head}{lacks}\n{experiment}"))?;
    Ok(Exit::Done)
}

/// Why no point is best.
fn no_best(folder: &Path, sweep: &Sweep, ledger: &Ledger) -> String {
    let (shown, metric) = (folder.display(), &sweep.metric);
    match ledger.trials.iter().filter(|trial| trial.state == State::Done).count() {
        0 if has_no_result(ledger) && !ledger.trials.is_empty() => {
            format!("no trial of {shown} has a result: {}", states(ledger))
        }
        0 => format!("no trial of {shown} is done yet"),
        _ => format!(
            "no trial of {shown} has a value of `{metric}`: {}\n\
             help: `runner compare {shown} --metric COLUMN` judges them by another column of metrics.csv",
            states(ledger)
        ),
    }
}
