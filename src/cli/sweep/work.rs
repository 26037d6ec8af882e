//! Runs the trials that are left, and those that a search proposes.

use super::display::Display;
use super::folder::write_point;
use super::point::Maker;
use super::summary::{self, has_no_result};
use super::unjudged::Unjudged;
use crate::cli::{Exit, Failure};
use crate::config::sweep::{Method, Sweep};
use crate::data::DataError;
use crate::launch::Launcher;
use crate::sweep::ledger::{Ledger, State};
use crate::sweep::run::{Order, Source, SweepError, run as run_trials};
use crate::sweep::search::{NoPoint, Searching};
use crate::train::StopFlag;
use std::io::ErrorKind;

/// Runs them, and tells at the end what became of them.
pub fn work(
    maker: &Maker<'_>,
    order: &Order,
    launcher: &mut dyn Launcher,
    ledger: &mut Ledger,
) -> Result<Exit, Failure> {
    let (sweep, folder, lower) = (maker.sweep, order.folder.as_path(), order.lower_is_better);
    let stop = StopFlag::on_signals().map_err(|e| Failure::Other(e.into()))?;
    let search = match sweep.method {
        Method::Tpe(search) => Some([search.draws.points as usize, sweep.seeds.len()]),
        _ => None,
    };
    let mut display = Display::new(ledger, order, search);
    let prepare = |number: usize, values: &[String]| {
        let point = maker.make(values).map_err(no_point)?;
        write_point(folder, number, &point).map_err(|error| NoPoint::Broken(error.into()))?;
        Ok(maker.beginnings(&point))
    };
    let unjudged = Unjudged::default();
    let allows = |point: &[String]| unjudged.refusal(maker, point).is_none();
    let mut search;
    let source: &mut dyn Source = match sweep.method {
        Method::Tpe(how) => {
            search = Searching::new(sweep, how, lower, &prepare, &allows);
            &mut search
        }
        _ => &mut (),
    };
    let result = run_trials(ledger, order, source, launcher, &mut display, &|| stop.raised().is_some());
    drop(display);
    result.map_err(|error| match error {
        SweepError::Propose(error) => error.into(),
        SweepError::Busy(_) => Failure::TryAgain(error.to_string()),
        error => Failure::Other(error.into()),
    })?;
    unjudged.say(sweep);
    summary::print(folder, ledger, &order.metric)?;
    Ok(match () {
        () if !is_whole(sweep, ledger) => Exit::Interrupted,
        () if ledger.trials.iter().any(|trial| trial.state == State::Failed) => Exit::TrialsFailed,
        () if has_no_result(ledger) => Exit::TrialsFailed,
        () => Exit::Done,
    })
}

/// What a search makes of a point that cannot be made. What is wrong with the point itself will always be; a disk or a network may do
/// better another time.
fn no_point(failure: Failure) -> NoPoint {
    // As much as `trials.csv` has room for.
    let first_line = |text: &str| NoPoint::Refused(text.lines().next().unwrap_or_default().to_owned());
    match failure {
        Failure::Config(diagnostics) | Failure::Files(diagnostics) => first_line(diagnostics.first_message()),
        Failure::Usage(message) => first_line(&message),
        Failure::TryAgain(message) => NoPoint::Broken(anyhow::Error::msg(message)),
        // A file that is not there, or is no image, is the point's own.
        Failure::Data(error) => match &error {
            DataError::Io { source, .. } if source.kind() != ErrorKind::NotFound => NoPoint::Broken(error.into()),
            _ => first_line(&error.to_string()),
        },
        Failure::Other(error) => NoPoint::Broken(error),
    }
}

/// Whether nothing is left to run or to propose.
fn is_whole(sweep: &Sweep, ledger: &Ledger) -> bool {
    let proposed = match sweep.method {
        Method::Tpe(search) => ledger.next_number() >= search.draws.points as usize,
        _ => true,
    };
    proposed && ledger.trials.iter().all(|trial| trial.state.is_over())
}
