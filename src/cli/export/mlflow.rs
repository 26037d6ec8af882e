//! `runner export mlflow`.

use crate::cli::{Exit, Failure, output};
use crate::compare::{not_looked_into, runs_in};
use crate::mlflow::{Address, MlflowError, Sender};
use crate::record::folder::is_locked;
use std::path::{Path, PathBuf};

/// What runs have on record, on the MLflow server of MLFLOW_TRACKING_URI: parameters, metrics by step, status. What is there already is
/// not sent again.
///
/// Trainings send by themselves while that variable is set; this sends what they could not, and runs that were trained without.
#[derive(clap::Args, Debug)]
pub struct MlflowArgs {
    /// Run folders, or folders that hold some (a sweep, runs/)
    #[arg(required = true, value_name = "RUN|FOLDER")]
    paths: Vec<PathBuf>,
}

/// Sends one run after the other; a server that is not there ends it.
pub fn run(args: &MlflowArgs) -> Result<Exit, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let Some(address) = Address::from_env().map_err(|error| usage(&error))? else {
        let message = "MLFLOW_TRACKING_URI does not say which server: set it, as http://localhost:5000";
        return Err(Failure::Usage(message.to_owned()));
    };
    let (mut sent, mut left) = (0, 0);
    let runs = runs_in(&args.paths).map_err(|error| usage(&error))?;
    if let Some(what) = not_looked_into(&args.paths, &runs) {
        log::warn!("{what}");
    }
    for path in runs {
        if is_locked(&path) == Some(true) {
            output::print(&format!("{}: is being trained, and is left to its training\n", path.display()))?;
            continue;
        }
        match send(&path, &address) {
            Ok(()) => sent += 1,
            Err(error @ MlflowError::Unreachable { .. }) => return Err(Failure::Other(error.into())),
            Err(error) => {
                left += 1;
                log::error!("{}: {error}", path.display());
            }
        }
    }
    output::print(&format!("{sent} runs are on {}\n", address.uri))?;
    Ok(if left > 0 { Exit::Unexpected } else { Exit::Done })
}

fn send(run: &Path, address: &Address) -> Result<(), MlflowError> {
    Sender::new(run, address.clone())?.send()
}
