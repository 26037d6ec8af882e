//! A sweep as a person follows it: on a terminal a line for each running trial and one for all, elsewhere a line whenever a
//! trial ends.

use super::assignments;
use crate::record::console::{Screen, can_move_cursor};
use crate::record::text::span;
use crate::sweep::ledger::{Ledger, State, Trial};
use crate::sweep::run::{Order, Watcher};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Shows a sweep on standard error.
pub struct Display {
    lower_is_better: bool,
    screen: Option<Lines>,
    begun: Instant,
    /// Trials that are over, those of earlier processes included, and all.
    over: usize,
    all: usize,
    best: Option<(f64, String)>,
    axes: Vec<String>,
}

struct Lines {
    screen: Screen,
    total: ProgressBar,
    trials: BTreeMap<String, ProgressBar>,
}

impl Display {
    pub fn new(folder: &Path, ledger: &Ledger, order: &Order, lower_is_better: bool) -> Self {
        let over = ledger.trials.iter().filter(|trial| trial.state.is_over()).count();
        let all = ledger.trials.len();
        let threads =
            if order.threads == 1 { "1 thread each".to_owned() } else { format!("{} threads each", order.threads) };
        anstream::eprintln!(
            "{}: {all} trials, {over} of them over; {} at a time, {threads}",
            folder.display(),
            order.jobs
        );
        let screen = can_move_cursor().then(|| {
            let screen = Screen::open();
            let style =
                ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}").unwrap_or(ProgressStyle::default_bar());
            let total = screen.add(ProgressBar::new(all as u64).with_style(style).with_position(over as u64));
            Lines { screen, total, trials: BTreeMap::new() }
        });
        let mut display =
            Self { lower_is_better, screen, begun: Instant::now(), over, all, best: None, axes: ledger.axes.clone() };
        for trial in ledger.trials.iter().filter(|trial| trial.state == State::Done) {
            display.take_best(trial, ledger);
        }
        display
    }

    fn take_best(&mut self, trial: &Trial, ledger: &Ledger) {
        let Some(objective) = trial.objective else { return };
        let better = self
            .best
            .as_ref()
            .is_none_or(|(best, _)| if self.lower_is_better { objective < *best } else { objective > *best });
        if better {
            self.best = Some((objective, assignments(ledger, trial)));
        }
    }

    fn say(&self, line: &str) {
        match &self.screen {
            Some(lines) => lines.screen.suspend(|| anstream::eprintln!("{line}")),
            None => anstream::eprintln!("{line}"),
        }
    }
}

/// A value of the metric, as the ledger's reader wants it: four digits.
pub fn figure(x: f64) -> String {
    format!("{x:.4}")
}

impl Watcher for Display {
    fn begun(&mut self, trial: &Trial) {
        let Some(lines) = &mut self.screen else { return };
        let style = ProgressStyle::with_template("{prefix:12} {msg}").unwrap_or(ProgressStyle::default_bar());
        let bar = lines.screen.add(ProgressBar::new(1).with_style(style).with_prefix(trial.run.clone()));
        let values = self.axes.iter().zip(&trial.values).map(|(axis, value)| format!("{axis}={value}"));
        bar.set_message(values.collect::<Vec<_>>().join(", "));
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
        self.over += usize::from(trial.state.is_over());
        if trial.state == State::Done {
            self.take_best(trial, ledger);
        }
        let objective = trial.objective.map(|x| format!(" {}", figure(x))).unwrap_or_default();
        let seconds = trial.seconds.map(|s| format!(" in {}", span(s))).unwrap_or_default();
        let reason = match trial.state {
            State::Done => String::new(),
            _ => format!(" ({})", trial.reason),
        };
        let state = trial.state.word();
        let values = assignments(ledger, trial);
        self.say(&format!("[{}/{}] {} {state}{objective}{seconds}{reason}  {values}", self.over, self.all, trial.run));
    }

    fn planned(&mut self, ledger: &Ledger) {
        self.all = ledger.trials.len();
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
