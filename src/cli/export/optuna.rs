//! `runner export optuna`.

use crate::cli::output::{self, Outputs};
use crate::cli::{Exit, Failure, sweep};
use crate::record::text::plural;
use crate::sweep::optuna::journal;
use std::path::PathBuf;

/// A journal of Optuna, for `optuna-dashboard FILE` and `optuna.storages.JournalStorage`: trials with their values of the axes,
/// evaluations and results, as they are now. It is a copy: nothing that Optuna adds to it comes back.
#[derive(clap::Args, Debug)]
pub struct OptunaArgs {
    /// The sweep's folder
    #[arg(value_name = "SWEEP")]
    sweep: PathBuf,
    /// The file to write; `-` for standard output [default: optuna-journal.log in the sweep's folder]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the journal.
pub fn run(args: &OptunaArgs) -> Result<Exit, Failure> {
    Outputs::default().file("--output", &args.output).check([&args.sweep])?;
    let (file, ledger) = sweep::read(&args.sweep)?;
    let text = journal(&args.sweep, &file, &ledger, sweep::lower_is_better(&file.metric));
    let to = args.output.clone().unwrap_or_else(|| args.sweep.join("optuna-journal.log"));
    output::write_bytes(&to, text.as_bytes())?;
    if !output::is_stdout(&to) {
        let trials = plural(ledger.trials.len() as u64, "trial");
        output::print(&format!("{} has {trials}: `optuna-dashboard {}` shows them\n", to.display(), to.display()))?;
    }
    Ok(Exit::Done)
}
