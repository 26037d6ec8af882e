//! What `runner find-lr` found: as text, as JSON, as rows, as a picture.

use super::set::Setting;
use crate::cli::table::{Align, BOLD, DIM, Table, wrap};
use crate::find_lr::{Curve, End, Method, Point, Spread, Unusable, judge};
use crate::plan::RuleRate;
use crate::plot::{self, RateCurve, RateMark, RateScale};
use crate::schedule::Ramp;
use crate::train::Job;
use crate::units::number;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Suggestions that differ by more than this between seeds are said to.
const FAR_APART: f64 = 10.0;

/// The columns of the CSV file.
pub const COLUMNS: &[&str] = &["seed", "step", "lr", "loss", "smoothed"];

/// One seed's sweep, and what is concluded from it.
pub struct Found {
    pub seed: u64,
    pub curve: Curve,
    pub verdict: Result<(), Unusable>,
    /// In the order of [`Method::ALL`]; none of a curve that cannot be used.
    suggestions: [Option<f64>; Method::ALL.len()],
}

/// All that was found.
pub struct Report<'a> {
    /// Its plan is that of the sweep.
    pub job: &'a Job,
    /// Of the whole training.
    pub phase: usize,
    pub lr: Ramp,
    /// What the weights are, in a few words.
    pub weights: String,
    pub found: Vec<Found>,
    /// What to paste for the suggestion, where some setting gives the phase that rate.
    pub set: Option<Setting>,
    /// Why none does.
    pub unset: Option<String>,
    /// The experiment of a run, which `set` is for; `None`: that of the command line.
    pub of_run: Option<PathBuf>,
}

impl Found {
    pub fn new(seed: u64, curve: Curve) -> Self {
        let verdict = judge(&curve);
        let (lrs, losses) = curve.smoothed();
        let suggestions = Method::ALL.map(|method| method.suggest(&lrs, &losses).filter(|_| verdict.is_ok()));
        Self { seed, curve, verdict, suggestions }
    }

    /// Whether the loss is lowest where the sweep ends.
    fn falls_to_the_end(&self) -> bool {
        let points = self.curve.judged();
        let lowest = points.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed));
        self.curve.end == End::Whole && lowest.map(|point| point.lr) == points.last().map(|point| point.lr)
    }
}

impl Report<'_> {
    /// Each rule with what the seeds suggest by it.
    fn spreads(&self) -> impl Iterator<Item = (Method, Option<Spread>)> + '_ {
        Method::ALL.into_iter().enumerate().map(|(k, method)| {
            let rates: Vec<f64> = self.found.iter().filter_map(|found| found.suggestions[k]).collect();
            (method, Spread::of(&rates))
        })
    }

    /// What fastai would take: the valley of the seed in the middle.
    pub fn suggestion(&self) -> Option<Spread> {
        self.spreads().find_map(|(method, spread)| spread.filter(|_| method == Method::Valley))
    }

    /// `phase 1: sgd, 24 px, batch 125, shapes (stand-in for cifar10), fresh weights`
    fn subject(&self) -> String {
        let phase = &self.job.plan.phases[0];
        let set = &self.job.datasets[phase.set];
        let set = match &set.stands_in_for {
            Some(absent) => format!("{} (stand-in for {absent})", set.facts.name),
            None => set.facts.name.clone(),
        };
        let optimizer = &phase.optimizer.kind;
        let (size, batch, weights) = (phase.size, phase.batch, &self.weights);
        format!("phase {}: {optimizer}, {size} px, batch {batch}, {set}, {weights}", self.phase)
    }

    /// `100 steps, rate 1e-7 → 10 exponential; seeds 1, 2, 3`
    fn sweep(&self) -> String {
        let seeds: Vec<String> = self.found.iter().map(|found| found.seed.to_string()).collect();
        let plural = if seeds.len() == 1 { "" } else { "s" };
        format!("{} steps, rate {}; seed{plural} {}", self.job.plan.total_steps, self.lr, seeds.join(", "))
    }

    /// What a person should know besides the figures.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for found in &self.found {
            if let Err(why) = &found.verdict {
                remarks.push(format!(
                    "seed {} cannot be used: {}. Remedy: {}.",
                    found.seed,
                    why.problem(),
                    why.remedy()
                ));
            }
        }
        let usable = || self.found.iter().filter(|found| found.verdict.is_ok());
        if usable().next().is_none() {
            remarks.push("No curve can be used: there is nothing to suggest.".to_owned());
        } else if usable().all(Found::falls_to_the_end) {
            let high = number(self.lr.to());
            remarks.push(format!("The loss still falls at the highest rate, {high}: go higher, with --lr-to."));
        }
        if let Some(spread) = self.suggestion().filter(|spread| spread.factor() > FAR_APART) {
            let times = number(spread.factor().round());
            remarks.push(format!("The seeds' valleys lie {times} times apart: take more --steps or larger batches."));
        }
        let plan = &self.job.plan;
        let is_own = |rate: &RuleRate| matches!(rate, RuleRate::Own(_));
        let rules = plan.rules.iter().filter(|rule| is_own(&rule.lr)).map(|rule| rule.label.as_str());
        let groups = plan.groups.names.iter().zip(&plan.phases[0].groups);
        let groups = groups.filter(|(_, group)| is_own(&group.rate) && !group.frozen).map(|(name, _)| name.as_str());
        let own = |by: &str, names: Vec<&str>| {
            let names = Some(names.join(", ")).filter(|names| !names.is_empty())?;
            Some(format!("Not swept, for {by} gives them a rate of their own: {names}. The loss falls by those too."))
        };
        remarks.extend(own("[[params]]", rules.collect()));
        remarks.extend(own("`lr_values` of the phase", groups.collect()));
        remarks.extend(self.unset.clone());
        remarks
    }

    /// Suggestions as a table, remarks, and what to paste.
    pub fn text(&self, width: usize) -> String {
        let mut out = format!("{BOLD}{}{BOLD:#}\n", self.job.spec.name);
        for line in [self.subject(), self.sweep()].iter().flat_map(|line| wrap(line, width.saturating_sub(2).max(20))) {
            out += &format!("  {line}\n");
        }
        let mut table = Table::new([
            ("suggestion", Align::Left),
            ("rate", Align::Right),
            ("lowest", Align::Right),
            ("highest", Align::Right),
            ("what it is", Align::Left),
        ]);
        for (method, spread) in self.spreads() {
            if let Some(Spread { median, low, high }) = spread {
                let cells = [median, low, high].map(short);
                let cells = std::iter::once(method.name().to_owned()).chain(cells);
                table.row(cells.chain([method.summary().to_owned()]));
            }
        }
        if self.suggestion().is_some() {
            out += &format!("\n{}", table.render());
            let seeds = self.found.iter().filter(|found| found.verdict.is_ok()).count();
            let of = if seeds == 1 { "One seed".to_owned() } else { format!("Median of {seeds} seeds") };
            out += &format!("{DIM}{of}; lowest and highest are those of single seeds.{DIM:#}\n");
        }
        for remark in self.remarks() {
            out += &format!("\n{}\n", wrap(&remark, width.max(20)).join("\n"));
        }
        if let Some(Setting { set, both_ends }) = &self.set {
            let recipe = self.job.spec.phases[self.phase].recipe.as_deref();
            let highest = match both_ends {
                true => " as the highest of the phase, whose other end goes down with it".to_owned(),
                false => recipe.map(|recipe| format!(" as the highest of `{recipe}`")).unwrap_or_default(),
            };
            let command = self.of_run.as_ref().map(|file| format!("runner train {} ", file.display()));
            let command = command.unwrap_or_default();
            out += &format!("\nTo train with the valley's rate{highest}: {command}--set '{set}'\n");
        }
        out
    }

    /// All of it as one JSON object.
    pub fn json(&self) -> anyhow::Result<String> {
        let phase = &self.job.plan.phases[0];
        let set = &self.job.datasets[phase.set];
        let spread = |spread: Spread| json!({"median": spread.median, "low": spread.low, "high": spread.high});
        let suggestions: Map<String, Value> =
            self.spreads().map(|(method, s)| (method.name().to_owned(), s.map_or(Value::Null, spread))).collect();
        let seeds: Vec<Value> = self.found.iter().map(Found::json).collect();
        let object = json!({
            "name": self.job.spec.name,
            "phase": self.phase,
            "optimizer": phase.optimizer.kind,
            "size": phase.size,
            "batch": phase.batch,
            "dataset": set.facts.name,
            "stands_in_for": set.stands_in_for,
            "weights": self.weights,
            "device": self.job.machine.compute.name(),
            "steps": self.job.plan.total_steps,
            "lr_from": self.lr.from(),
            "lr_to": self.lr.to(),
            "curve": self.lr.curve_name(),
            "suggestions": suggestions,
            "set": self.set.as_ref().map(|setting| &setting.set),
            "set_in": self.of_run.as_ref().map(|file| file.display().to_string()),
            "remarks": self.remarks(),
            "seeds": seeds,
        });
        Ok(serde_json::to_string(&object)? + "\n")
    }

    /// A row for each step of each sweep.
    pub fn rows(&self) -> impl Iterator<Item = (u64, usize, f64, f64, f64)> + '_ {
        self.found.iter().flat_map(|found| {
            let row = |(step, point): (usize, &Point)| (found.seed, step, point.lr, point.loss, point.smoothed);
            found.curve.points.iter().enumerate().map(row)
        })
    }

    /// Loss over rate.
    pub fn picture(&self) -> String {
        let title = format!("{}: learning-rate range test", self.job.spec.name);
        let curves: Vec<RateCurve> = self.found.iter().map(Found::drawn).collect();
        let mark = |(method, spread): (Method, Option<Spread>)| {
            let Spread { median, low, high } = spread?;
            let range = if low < high { format!(" (seeds {} to {})", short(low), short(high)) } else { String::new() };
            Some(RateMark { words: format!("{} {}{range}", method.name(), short(median)), median, low, high })
        };
        let marks: Vec<RateMark> = self.spreads().filter_map(mark).collect();
        let scale = if self.lr.curve_name() == "linear" { RateScale::Linear } else { RateScale::Log };
        plot::find_lr(&title, self.subject(), &curves, &marks, scale)
    }
}

impl Found {
    fn json(&self) -> Value {
        let suggestions: Map<String, Value> = Method::ALL
            .iter()
            .zip(self.suggestions)
            .map(|(method, lr)| (method.name().to_owned(), lr.into()))
            .collect();
        let why = self.verdict.err();
        json!({
            "seed": self.seed,
            "steps": self.curve.points.len(),
            "ended": match self.curve.end {
                End::Whole => "whole",
                End::Rose => "loss-rose",
                End::NotFinite => "not-finite",
            },
            "usable": why.is_none(),
            "unusable": why.map(|why| why.word()),
            "problem": why.map(|why| why.problem()),
            "remedy": why.map(|why| why.remedy()),
            "suggestions": suggestions,
        })
    }

    fn drawn(&self) -> RateCurve {
        let points = self.curve.judged();
        let usable = self.verdict.is_ok();
        RateCurve {
            name: if usable { format!("seed {}", self.seed) } else { format!("seed {}, not usable", self.seed) },
            raw: points.iter().map(|point| (point.lr, point.loss)).collect(),
            smoothed: points.iter().map(|point| (point.lr, point.smoothed)).collect(),
            usable,
        }
    }
}

/// Two digits: a range test tells no more.
pub fn short(rate: f64) -> String {
    format!("{rate:.1e}").parse().map_or_else(|_| number(rate), number)
}
