//! A sweep as a person follows it: on a terminal a line for each running trial and one for all, elsewhere a line whenever a
//! trial ends.

use super::words::{assignments, figure, pairs, values_of};
use crate::record::console::{Screen, can_move_cursor};
use crate::record::text::{plural, span};
use crate::sweep::ledger::{Ledger, State, Trial};
use crate::sweep::run::{Order, Watcher, is_left};
use crate::sweep::{self, Standing};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

/// Shows a sweep on standard error.
pub struct Display {
    lower_is_better: bool,
    screen: Option<Lines>,
    begun: Instant,
    /// Trials that are over, those of earlier processes included, and all: as the ledger has them, and as a search will.
    over: usize,
    all: usize,
    /// The points of a search, and their seeds.
    search: Option<[usize; 2]>,
    /// Of the points all of whose seeds are done.
    best: Option<(f64, String)>,
    axes: Vec<String>,
}

struct Lines {
    screen: Screen,
    total: ProgressBar,
    trials: BTreeMap<String, ProgressBar>,
}

impl Display {
    pub fn new(ledger: &Ledger, order: &Order, search: Option<[usize; 2]>) -> Self {
        let folder = order.folder.as_path();
        let over = ledger.trials.iter().filter(|trial| !is_left(trial, folder, order.retry_failed)).count();
        let all = all(ledger, search);
        let threads =
            if order.threads == 1 { "1 thread each".to_owned() } else { format!("{} threads each", order.threads) };
        let (shown, jobs) = (folder.display(), order.jobs);
        tell(&format!("{shown}: {}, {over} of them over; {jobs} at a time, {threads}", plural(all as u64, "trial")));
        let screen = can_move_cursor().then(|| {
            let screen = Screen::open();
            let style =
                ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}").unwrap_or(ProgressStyle::default_bar());
            let total = screen.add(ProgressBar::new(all as u64).with_style(style).with_position(over as u64));
            Lines { screen, total, trials: BTreeMap::new() }
        });
        let (begun, axes) = (Instant::now(), ledger.axes.clone());
        let lower_is_better = order.lower_is_better;
        let mut display = Self { lower_is_better, screen, begun, over, all, search, best: None, axes };
        display.find_best(ledger);
        display
    }

    /// Takes in how the trials stand.
    fn take_in(&mut self, ledger: &Ledger) {
        self.over = ledger.trials.iter().filter(|trial| trial.state.is_over()).count();
        self.all = all(ledger, self.search);
        self.find_best(ledger);
    }

    fn find_best(&mut self, ledger: &Ledger) {
        let best = sweep::best(ledger, self.lower_is_better).filter(Standing::is_whole);
        self.best = best.map(|best| (best.mean, values_of(ledger, best.number)));
    }

    fn say(&self, line: &str) {
        match &self.screen {
            Some(lines) => lines.screen.suspend(|| tell(line)),
            None => tell(line),
        }
    }
}

/// How many trials there will be.
fn all(ledger: &Ledger, search: Option<[usize; 2]>) -> usize {
    let to_come = search.map_or(0, |[points, seeds]| points.saturating_sub(ledger.next_number()) * seeds);
    ledger.trials.len() + to_come
}

/// Where nobody can read it any more, the sweep goes on all the same.
fn tell(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

impl Watcher for Display {
    fn begun(&mut self, trial: &Trial) {
        let Some(lines) = &mut self.screen else { return };
        let style = ProgressStyle::with_template("{prefix:12} {msg}").unwrap_or(ProgressStyle::default_bar());
        let bar = lines.screen.add(ProgressBar::new(1).with_style(style).with_prefix(trial.run.clone()));
        bar.set_message(pairs(&self.axes, &trial.values));
        lines.trials.insert(trial.run.clone(), bar);
    }

    fn event(&mut self, trial: &Trial, event: &Value) {
        let Some(bar) = self.screen.as_ref().and_then(|lines| lines.trials.get(&trial.run)) else { return };
        if event["event"] == "evaluated" {
            let number = |key: &str| event[key].as_f64().map_or("–".to_owned(), figure);
            bar.set_message(format!(
                "step {}  val loss {}  val acc {}",
                event["step"].as_u64().unwrap_or(0) + 1,
                number("val_loss"),
                number("val_acc")
            ));
        }
    }

    fn ended(&mut self, trial: &Trial, ledger: &Ledger) {
        if let Some(lines) = &mut self.screen
            && let Some(bar) = lines.trials.remove(&trial.run)
        {
            bar.finish_and_clear();
        }
        self.take_in(ledger);
        let objective = trial.objective.map(|x| format!(" {}", figure(x))).unwrap_or_default();
        let seconds = trial.seconds.map(|s| format!(" in {}", span(s))).unwrap_or_default();
        let reason = match trial.state {
            State::Done => String::new(),
            _ if trial.reason.is_empty() => String::new(),
            _ => format!(" ({})", trial.reason),
        };
        let state = trial.state.word();
        let values = assignments(ledger, trial);
        self.say(&format!("[{}/{}] {} {state}{objective}{seconds}{reason}  {values}", self.over, self.all, trial.run));
    }

    fn planned(&mut self, ledger: &Ledger) {
        self.take_in(ledger);
        if let Some(lines) = &self.screen {
            lines.total.set_length(self.all as u64);
        }
    }

    fn tick(&mut self) {
        let Some(lines) = &self.screen else { return };
        lines.total.set_position(self.over as u64);
        let best = self.best.as_ref().map(|(best, values)| format!("  best {} at {values}", figure(*best)));
        lines.total.set_message(format!("{}{}", span(self.begun.elapsed().as_secs_f64()), best.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::prefix::Prefixes;
    use crate::sweep::run::experiment_file;

    #[test]
    fn the_ledger_says_how_many_are_over_and_which_is_best() {
        let folder = tempfile::tempdir().unwrap();
        let order = Order {
            folder: folder.path().to_owned(),
            metric: "val_acc".to_owned(),
            jobs: 1,
            threads: 1,
            device: None,
            retry_failed: true,
            prune: None,
            lower_is_better: false,
            prefixes: Prefixes::default(),
        };
        let mut ledger = Ledger::new(folder.path().join("trials.csv"), vec!["lr".to_owned()]);
        ledger.extend((0..4).map(|number| Trial::planned(number, 1, vec![number.to_string()])));
        // One that made no experiment, one that is tried again, and one of which nothing is written down yet.
        (ledger.trials[0].state, ledger.trials[1].state, ledger.trials[2].state) =
            (State::Failed, State::Failed, State::Running);
        std::fs::create_dir(folder.path().join("points")).unwrap();
        std::fs::write(experiment_file(folder.path(), 1), "").unwrap();
        let mut display = Display::new(&ledger, &order, None);
        assert_eq!((display.over, display.all), (1, 4));
        let search = Display::new(&ledger, &order, Some([6, 2]));
        assert_eq!((search.over, search.all), (1, 8), "two points by two seeds are to come");

        // As the sweep finds them.
        ledger.trials[1].state = State::Planned;
        (ledger.trials[2].state, ledger.trials[2].objective) = (State::Done, Some(0.5));
        display.planned(&ledger);
        assert_eq!((display.over, display.best.clone()), (2, Some((0.5, "lr=2".to_owned()))));
        (ledger.trials[1].state, ledger.trials[1].objective) = (State::Done, Some(0.75));
        display.ended(&ledger.trials[1], &ledger);
        assert_eq!((display.over, display.best.clone()), (3, Some((0.75, "lr=1".to_owned()))));
        ledger.trials[3].state = State::Interrupted;
        display.ended(&ledger.trials[3], &ledger);
        assert_eq!((display.over, display.all), (3, 4));
    }
}
