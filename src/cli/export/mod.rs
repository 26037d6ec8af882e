//! `runner export`: runs and sweeps for other programs.

mod dawnbench;
mod mlflow;
mod optuna;

use super::{Exit, Failure};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  runner export dawnbench runs/20261123T120000Z-dawnbench-1a2b --cost-per-hour 0.9 \\
    --author 'A. Body' --email a.body@example.org
  runner export optuna runs/20261123T120000Z-peak-lr-1a2b --output journal.log
  optuna-dashboard journal.log
  MLFLOW_TRACKING_URI=http://localhost:5000 runner export mlflow runs

TensorBoard's files are written while a run trains: `[record] tensorboard = true`.")]
pub struct ExportArgs {
    #[command(subcommand)]
    command: ExportCommand,
}

#[derive(clap::Subcommand, Debug)]
enum ExportCommand {
    /// Write a run as an entry of DAWNBench: a table and a JSON file
    Dawnbench(dawnbench::DawnbenchArgs),
    /// Write a sweep as a journal that Optuna and its dashboard open
    Optuna(optuna::OptunaArgs),
    /// Send runs to an MLflow server, as far as they are not there yet
    Mlflow(mlflow::MlflowArgs),
}

/// Writes or sends.
pub fn run(args: &ExportArgs) -> Result<Exit, Failure> {
    match &args.command {
        ExportCommand::Dawnbench(args) => dawnbench::run(args),
        ExportCommand::Optuna(args) => optuna::run(args),
        ExportCommand::Mlflow(args) => mlflow::run(args),
    }
}
