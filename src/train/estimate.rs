//! How long a training will take, from a few steps of it.

use super::net;
use super::rehearsal::{Rehearsal, noise};
use super::tta::views;
use crate::average::Statistics;
use crate::config::spec::{Spec, TtaAt};
use crate::data::Facts;
use crate::nn::Compute;
use crate::plan::{Plan, PlannedPhase};
use crate::units::Seconds;
use std::time::Instant;

/// Images in a measured step, at most: enough to be as fast as larger batches.
const BATCH: usize = 64;
/// Measured steps; the fastest counts.
const STEPS: usize = 3;
/// A step costs about three times its forward pass.
const STEP: f64 = 3.0;

/// Floating-point operations a second that this machine trains the experiment's net with, measured on images of noise at
/// the size of the first phase. `None` where its optimizer takes no fixed time a step.
///
/// # Errors
/// When the net cannot be built.
pub fn flops_per_second(spec: &Spec, facts: &Facts, compute: &Compute) -> anyhow::Result<Option<f64>> {
    let phase = &spec.phases[0];
    let (size, batch) = (phase.size.unwrap_or(facts.size), phase.batch.div_ceil(phase.accumulate).min(BATCH));
    let mut rehearsal = Rehearsal::new(spec, facts, size, batch, compute)?;
    if !rehearsal.is_regular() {
        return Ok(None);
    }
    let images = noise(spec, facts, size, batch);
    let mut fastest = f64::INFINITY;
    for _ in 0..=STEPS {
        let begun = Instant::now();
        rehearsal.step(&images)?;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    Ok(Some(STEP * rehearsal.graph.flops() as f64 * batch as f64 / fastest))
}

/// Seconds that a training and its evaluations take at that speed: an estimate, for other image sizes and other nets are not
/// equally fast. `facts`: of each of the plan's sets.
///
/// # Errors
/// When the net cannot be built.
pub fn seconds(spec: &Spec, plan: &Plan, facts: &[Facts], flops_per_second: f64) -> anyhow::Result<Seconds> {
    seconds_before(plan.phases.len(), spec, plan, facts, flops_per_second)
}

/// The same of the phases before one.
///
/// # Errors
/// When the net cannot be built.
pub fn seconds_before(
    phase: usize,
    spec: &Spec,
    plan: &Plan,
    facts: &[Facts],
    flops_per_second: f64,
) -> anyhow::Result<Seconds> {
    let Operations { training, evaluation } = operations(&plan.phases[..phase], spec, plan, facts)?;
    Ok((training + evaluation) / flops_per_second)
}

/// Operations of what counts as training: of all steps, and of the passes that measure the statistics of a model that is a mean.
///
/// # Errors
/// When the net cannot be built.
pub fn training_flops(spec: &Spec, plan: &Plan, facts: &[Facts]) -> anyhow::Result<f64> {
    Ok(operations(&plan.phases, spec, plan, facts)?.training)
}

/// Those of phases, by what a run books their time under.
struct Operations {
    training: f64,
    evaluation: f64,
}

fn operations(phases: &[PlannedPhase], spec: &Spec, plan: &Plan, facts: &[Facts]) -> anyhow::Result<Operations> {
    let mut all = Operations { training: 0.0, evaluation: 0.0 };
    for phase in phases {
        let graph = net::graph(spec, &facts[0], phase.size)?;
        let trained_at = graph.flops() as f64;
        let same = phase.eval_size == phase.size;
        let evaluated_at = if same { trained_at } else { net::graph(spec, &facts[0], phase.eval_size)?.flops() as f64 };
        let Passes { measured, evaluated } = Passes::of(phase, spec, plan);
        // A net without statistics has none to measure.
        let measured = if graph.stats().is_empty() { 0 } else { measured };
        let (train, val) = (facts[phase.set].train_images, facts[phase.set].val_images);
        all.training += trained_at * (STEP * phase.images as f64 + (measured * train) as f64);
        all.evaluation += evaluated_at * (evaluated * val) as f64;
    }
    Ok(all)
}

/// How often a phase has images passed forward beside its steps.
#[derive(Debug, PartialEq, Eq)]
struct Passes {
    /// The training images, which a mean of weights has its statistics from.
    measured: usize,
    /// The validation images: once for each view, of the model and of averaged weights.
    evaluated: usize,
}

impl Passes {
    fn of(phase: &PlannedPhase, spec: &Spec, plan: &Plan) -> Self {
        let (views, averaged_from) = (views(spec.train.tta).len(), plan.first_averaged());
        let mut passes = Self { measured: 0, evaluated: 0 };
        for step in phase.first_step..phase.end() {
            let is_evaluated = plan.is_eval_step(step);
            let is_kept = spec.record.phases && step + 1 == phase.end();
            // A model that is kept is the one that was evaluated.
            passes.measured += usize::from(phase.model_is_mean && (is_evaluated || is_kept));
            if !is_evaluated {
                continue;
            }
            let is_last = step + 1 == plan.total_steps;
            let seen = if is_last || spec.train.tta_at == TtaAt::Every { views } else { 1 };
            let average = plan.average.as_ref().filter(|of| averaged_from <= step && of.is_evaluated(is_last));
            passes.measured += usize::from(average.is_some_and(|of| of.statistics == Statistics::Measure));
            passes.evaluated += seen * (1 + usize::from(average.is_some()));
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Text, read};
    use crate::data::sets;

    /// Two phases of 300 steps, looked at every 100.
    fn planned(train: &str, optimizers: [&str; 2]) -> (Spec, Plan, Facts) {
        let [first, second] = optimizers;
        let content = format!(
            "name = 'e'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'resnet9'\n\
             [train]\neval_every = '100step'\n{train}\n\
             [[phases]]\nsteps = 300\nbatch = 50\nsize = 16\noptimizer = '{first}'\nlr = 0.1\n\
             [[phases]]\nsteps = 300\noptimizer = '{second}'\nlr = 0.1\n"
        );
        let text = Text { name: "e.toml".into(), content, folder: "".into() };
        let spec = read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec;
        let facts = sets::make(&spec.data.dataset).official().unwrap();
        let plan = Plan::compile(&spec, std::slice::from_ref(&facts)).unwrap();
        (spec, plan, facts)
    }

    #[test]
    fn means_of_weights_are_measured_and_views_are_looked_at() {
        let plain = ["sgd", "sgd"];
        let ema =
            |further: &str| format!("average = {{ kind = 'ema', start = '250step', every = '10step', {further} }}");
        let passes = |train: &str, optimizers: [&str; 2]| {
            let (spec, plan, _) = planned(train, optimizers);
            [0, 1].map(|k| Passes::of(&plan.phases[k], &spec, &plan)).map(|of| (of.measured, of.evaluated))
        };
        assert_eq!(passes("", plain), [(0, 3), (0, 3)]);
        assert_eq!(passes("", ["sgd", "schedule-free-sgd"]), [(0, 3), (3, 3)]);
        assert_eq!(passes("[record]\nphases = true", ["schedule-free-sgd"; 2]), [(3, 3), (3, 3)]);
        let (mut spec, _, facts) = planned("[record]\nphases = true", ["schedule-free-sgd"; 2]);
        spec.train.eval_every = "250step".parse().unwrap();
        let plan = Plan::compile(&spec, &[facts]).unwrap();
        let of_first = Passes::of(&plan.phases[0], &spec, &plan);
        assert_eq!(of_first, Passes { measured: 2, evaluated: 1 }, "the model is kept at the border");
        assert_eq!(passes("tta = 'mirror'", plain), [(0, 6), (0, 6)]);
        assert_eq!(passes("tta = 'mirror-translate'\ntta_at = 'last'", plain), [(0, 3), (0, 8)]);
        // None is there at the first two.
        assert_eq!(passes(&ema("statistics = 'measure', evaluate = 'every'"), plain), [(1, 4), (3, 6)]);
        assert_eq!(passes(&ema("statistics = 'measure', evaluate = 'last'"), plain), [(0, 3), (1, 4)]);
        assert_eq!(passes(&format!("tta = 'mirror'\n{}", ema("evaluate = 'last'")), plain)[1].1, 8);
    }

    #[test]
    fn measuring_is_training_and_counts_as_such() {
        let of = |train: &str, optimizers: [&str; 2]| {
            let (spec, plan, facts) = planned(train, optimizers);
            let facts = [facts];
            let forward = net::graph(&spec, &facts[0], 16).unwrap().flops() as f64;
            let training = training_flops(&spec, &plan, &facts).unwrap() / forward;
            let images: u64 = plan.phases.iter().map(|phase| phase.images).sum();
            let all = seconds(&spec, &plan, &facts, forward).unwrap();
            (training - 3.0 * images as f64, all - training, facts)
        };
        let about = |a: f64, b: usize| (a - b as f64).abs() < 1e-3;
        let (measured, seen, [facts]) = of("", ["sgd", "sgd"]);
        assert!(about(measured, 0) && about(seen, 6 * facts.val_images), "{measured} {seen}");
        let (measured, seen, _) = of("tta = 'mirror'", ["sgd", "schedule-free-sgd"]);
        assert!(about(measured, 3 * facts.train_images) && about(seen, 12 * facts.val_images), "{measured} {seen}");
    }
}
