//! The plan as rows and as CSV.

use super::{Plan, PlannedPhase, StepPlan, optimizer_in_words};
use crate::record::csv_file;
use crate::record::rows::{OwnLine, OwnPoint, OwnQuantity, PhaseEnds, PlanRow, PlannedStepRow, Row};
use crate::schedule::{Ramp, Run};
use serde_json::{Value, json};
use std::io::Write;

impl Plan {
    /// The rows of `plan.csv`, one a phase.
    pub fn rows(&self) -> Vec<PlanRow> {
        let row = |(i, phase): (usize, &PlannedPhase)| PlanRow { dataset: self.set_name(i), ..phase.row(i) };
        self.phases.iter().enumerate().map(row).collect()
    }

    /// The row of `plan --trace` for step `step`: what that step's row in `trace.csv` begins with.
    ///
    /// # Panics
    /// When `step` is not below `total_steps`.
    pub fn step_row(&self, step: u64) -> PlannedStepRow {
        self.row_of(self.at(step))
    }

    /// Rows enough to draw the plan from: each phase's first and last step, and between them so many that all phases
    /// together have about `points`.
    pub fn sample(&self, points: usize) -> Vec<PlannedStepRow> {
        self.sampled_steps(points).map(|step| self.step_row(step)).collect()
    }

    fn sampled_steps(&self, points: usize) -> impl Iterator<Item = u64> + '_ {
        let stride = (self.total_steps / points.max(1) as u64).max(1) as usize;
        self.phases.iter().flat_map(move |phase| {
            let last = phase.steps - 1;
            (0..last).step_by(stride).chain([last]).map(|i| phase.first_step + i)
        })
    }

    /// What rules and groups use in the steps of [`sample`](Self::sample) where it may differ from what the phase says: their rates,
    /// decays that move, and momenta.
    pub fn sample_own(&self, points: usize) -> Vec<OwnLine> {
        let line = |quantity: OwnQuantity, column: &str| {
            let name = column.split_once('.').map_or(column, |(_, name)| name).to_owned();
            OwnLine { quantity, name, points: Vec::new() }
        };
        let quantities = [OwnQuantity::Lr, OwnQuantity::WeightDecay, OwnQuantity::Momentum];
        let columns = self.drawn_columns();
        let mut lines: Vec<OwnLine> = quantities
            .into_iter()
            .zip(&columns)
            .flat_map(|(quantity, columns)| columns.iter().map(move |column| line(quantity, column)))
            .collect();
        if lines.is_empty() {
            return lines;
        }
        for step in self.sampled_steps(points).map(|step| self.at(step)) {
            let phase = &self.phases[step.phase];
            // Where the curves end, behind the last step: no step uses it.
            let end = (step.step + 1 == phase.end()).then(|| StepPlan {
                step: phase.end(),
                hypers: phase.hypers(phase.steps),
                ..step.clone()
            });
            let used = (step.step, self.applied(&step));
            let ends = end.map(|end| (end.step, self.units_at(&end)));
            for (at, units) in [used].into_iter().chain(ends) {
                for (line, value) in lines.iter_mut().zip(self.drawn_values(&units)) {
                    line.points.push(OwnPoint { phase: step.phase, step: at, value });
                }
            }
        }
        lines
    }

    /// Where the curves of each phase end.
    pub fn ends(&self) -> Vec<PhaseEnds> {
        let ends = |phase: &PlannedPhase| {
            let end = |ramp: &Option<Ramp>| ramp.as_ref().map_or(f64::NAN, |ramp| phase.ends_of(ramp).1);
            PhaseEnds {
                weight_decay: phase.ends_of(&phase.weight_decay).1,
                mix: end(&phase.mix),
                beta: end(&phase.beta),
                clip_norm: end(&phase.clip_norm),
                clip_value: end(&phase.clip_value),
            }
        };
        self.phases.iter().map(ends).collect()
    }

    /// The phases for programs, with all that moves over them.
    pub fn json(&self) -> Value {
        let phases = self.phases.iter().enumerate().map(|(k, phase)| {
            let curve = |ramp: &Ramp| phase.curve_json(ramp);
            let moving = |ramp: &Option<Ramp>| ramp.as_ref().map(curve);
            json!({
                "phase": k,
                "source": phase.source,
                "dataset": self.sets[phase.set],
                "first_step": phase.first_step,
                "steps": phase.steps,
                "images": phase.images,
                "epochs": phase.epochs,
                "size": phase.size,
                "eval_size": phase.eval_size,
                "batch": phase.batch,
                "accumulate": phase.accumulate,
                "prune_images": phase.prune_images,
                "label_smoothing": phase.label_smoothing,
                "optimizer": optimizer_in_words(&phase.optimizer),
                "lr": curve(&phase.lr),
                "momentum": curve(&phase.momentum),
                "weight_decay": curve(&phase.weight_decay),
                "beta": moving(&phase.beta),
                "clip_norm": moving(&phase.clip_norm),
                "clip_value": moving(&phase.clip_value),
                "mix": moving(&phase.mix),
            })
        });
        let evaluations = (0..self.total_steps).filter(|step| self.is_eval_step(*step)).count();
        json!({
            "steps": self.total_steps,
            "images": self.total_images,
            "epochs": self.phases.iter().map(|phase| phase.epochs).sum::<f64>(),
            "evaluations": evaluations,
            "phases": phases.collect::<Vec<_>>(),
        })
    }

    /// Writes `plan.csv`. A plan with several data sets has a column of their names, behind the others.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, mut out: impl Write) -> csv::Result<()> {
        out.write_all(&self.csv()?)?;
        Ok(out.flush()?)
    }

    /// The bytes of `plan.csv`.
    ///
    /// # Errors
    /// When a row cannot be written as CSV.
    pub fn csv(&self) -> csv::Result<Vec<u8>> {
        let mut rows = self.rows();
        let sets: Vec<Option<String>> = rows.iter_mut().map(|row| row.dataset.take()).collect();
        if self.sets.len() == 1 {
            return csv_file::encode(rows);
        }
        let columns: Vec<&str> = PlanRow::COLUMNS.iter().copied().chain(["dataset"]).collect();
        csv_file::encode_columns(&columns, rows.into_iter().zip(sets))
    }

    /// Writes one row a step, formatted as `trace.csv` is; columns that only some plans have come last.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_trace(&self, mut out: impl Write) -> csv::Result<()> {
        let lrs = self.lr_columns();
        let own = lrs.iter().map(String::as_str).chain(self.step_columns());
        let columns: Vec<&str> = PlannedStepRow::COLUMNS.iter().copied().chain(own).collect();
        let rows = self.steps().map(|step| {
            let units = self.applied(&step);
            let own = (self.own_lrs_of(&units), self.step_values(&step, &units));
            (self.row_of(step), own)
        });
        out.write_all(&csv_file::encode_columns(&columns, rows)?)?;
        Ok(out.flush()?)
    }

    /// The name of a phase's data set, where there are several.
    fn set_name(&self, phase: usize) -> Option<String> {
        (self.sets.len() > 1).then(|| self.sets[self.phases[phase].set].clone())
    }

    fn row_of(&self, step: StepPlan) -> PlannedStepRow {
        PlannedStepRow {
            step: step.step,
            epoch: step.epoch,
            phase: step.phase,
            optimizer: self.phases[step.phase].optimizer.kind.clone(),
            size: step.size,
            batch: step.images,
            lr: step.hypers.lr,
            momentum: step.hypers.momentum,
            weight_decay: step.hypers.weight_decay,
            mix: self.phases[step.phase].mix.as_ref().map(|_| step.hypers.share),
            beta: step.hypers.beta,
            clip_norm: step.clip.norm,
            clip_value: step.clip.value,
            lookahead_decay: self.moving_decay_after(step.step),
            average_decay: self.moving_kept_after(step.step),
        }
    }
}

impl PlannedPhase {
    /// `{from, to, curve}`, of the phase; of a curve that runs over several, these too.
    fn curve_json(&self, ramp: &Ramp) -> Value {
        let (from, to) = self.ends_of(ramp);
        let mut curve = json!({ "from": from, "to": to, "curve": ramp.curve_name() });
        if let Some(Run { first_phase, last_phase, .. }) = ramp.run() {
            curve["over_phases"] = json!([first_phase, last_phase]);
        }
        curve
    }

    fn row(&self, phase: usize) -> PlanRow {
        let (lr, momentum) = (self.ends_of(&self.lr), self.ends_of(&self.momentum));
        PlanRow {
            phase,
            source: self.source,
            optimizer: self.optimizer.kind.clone(),
            epochs: self.epochs,
            steps: self.steps,
            images: self.images,
            size: self.size,
            batch: self.batch,
            lr_from: lr.0,
            lr_to: lr.1,
            lr_curve: self.lr.curve_name(),
            momentum_from: momentum.0,
            momentum_to: momentum.1,
            momentum_curve: self.momentum.curve_name(),
            dataset: None,
        }
    }
}
