//! Whether points that are judged by a loss have the same one: of two that count something else neither is the better for being less.

use super::{Axis, Sweep, Values};
use crate::config::diagnostics::Diagnostic;
use crate::config::spec::{PhaseSpec, Spec};
use crate::registry::Choice;

/// The loss of training, which has more to it than those of evaluations.
const TRAINING: &str = "train_loss";

/// What is wrong with a metric that is a loss where an axis changes what that is.
pub(super) fn check(sweep: &Sweep) -> Option<Diagnostic> {
    if !sweep.metric.contains("loss") {
        return None;
    }
    let (axis, what) = sweep.axes.iter().enumerate().find_map(|(k, axis)| Some((axis, changed_by(sweep, k)?)))?;
    let (metric, name) = (&sweep.metric, &axis.name);
    let error = Diagnostic::new(
        sweep.metric_origin.clone(),
        format!("points are judged by `{metric}`, but along axis `{name}` that is another loss: `{what}` differs"),
    );
    Some(error.help(match what {
        "train.loss" => "judge them by an accuracy, `metric = \"val_acc\"`, or give each loss a sweep of its own",
        _ => "judge them by `val_loss`, which has nothing of it, or by an accuracy, `metric = \"val_acc\"`",
    }))
}

/// The setting by which losses differ along an axis, the others being at their first values, or at their last ones where those make no
/// experiment.
fn changed_by(sweep: &Sweep, axis: usize) -> Option<&'static str> {
    let ends: Vec<Vec<String>> = sweep.axes.iter().map(some_values).collect();
    let others = [|values: &Vec<String>| values.first().cloned(), |values: &Vec<String>| values.last().cloned()];
    others.iter().find_map(|of| {
        let mut point: Vec<String> = ends.iter().map(of).collect::<Option<_>>()?;
        let mut specs = ends[axis].iter().filter_map(|value| {
            point[axis].clone_from(value);
            Some(sweep.experiment(&point).ok()?.spec)
        });
        let first = specs.next()?;
        specs.find_map(|spec| differs(sweep, &first, &spec))
    })
}

/// All values of a list, the ends of a range.
fn some_values(axis: &Axis) -> Vec<String> {
    match &axis.values {
        Values::Choice(values) => values.clone(),
        Values::Uniform { low, high } | Values::LogUniform { low, high } => {
            [low, high].map(|x| format!("{x:?}")).into()
        }
        Values::Int { low, high } => [low, high].map(i64::to_string).into(),
    }
}

/// The setting that makes the metric of the one another loss than that of the other.
fn differs(sweep: &Sweep, a: &Spec, b: &Spec) -> Option<&'static str> {
    if a.train.loss != b.train.loss {
        return Some("train.loss");
    }
    if sweep.metric != TRAINING {
        return None;
    }
    // Trials are judged at their ends, but where some are given up before.
    let of = |spec: &Spec| -> Vec<Counted> {
        let last = spec.phases.len().saturating_sub(1);
        let from = if sweep.prune.is_some() { 0 } else { last };
        let mut all: Vec<Counted> = spec.phases[from..].iter().map(|phase| Counted::new(spec, phase)).collect();
        all.dedup();
        all
    };
    let (a, b) = (of(a), of(b));
    if a.len() == b.len() {
        return a.iter().zip(&b).find_map(|(a, b)| a.differs(b));
    }
    // One has more phases of their own sorts.
    a.iter().find_map(|a| b.iter().map(|b| a.differs(b)).find(Option::is_some).flatten())
}

/// What is in the training loss of a phase.
#[derive(PartialEq)]
struct Counted {
    label_smoothing: f64,
    mix_images: Vec<Choice>,
    prune_images: Option<Choice>,
}

impl Counted {
    fn new(spec: &Spec, phase: &PhaseSpec) -> Self {
        Self {
            label_smoothing: phase.label_smoothing.unwrap_or(spec.train.label_smoothing),
            mix_images: phase.mix_images.clone(),
            prune_images: phase.prune_images.clone(),
        }
    }

    fn differs(&self, other: &Self) -> Option<&'static str> {
        match () {
            () if self.label_smoothing != other.label_smoothing => Some("label_smoothing"),
            () if self.mix_images != other.mix_images => Some("mix_images"),
            () if self.prune_images != other.prune_images => Some("prune_images"),
            () => None,
        }
    }
}
