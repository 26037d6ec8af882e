//! `runner eval`.

mod images;
mod report;

use super::device::DeviceChoice;
use super::output::{self, Outputs, PictureFormat};
use super::recorded::Recorded;
use super::train::start_threads;
use super::{Exit, Failure, paths, prepare};
use crate::config::spec::{Spec, Tta};
use crate::criterion::Rule;
use crate::data::{DataError, Dataset, Facts};
use crate::kernels::Isa;
use crate::kernels::isa::IsaError;
use crate::nn::{Compute, Params};
use crate::plan::Plan;
use crate::plot;
use crate::record::confusion::Confusion;
use crate::record::console::{Counter, Display};
use crate::record::folder::file;
use crate::record::predictions::{self, PredictionRow};
use crate::record::{Status, csv_file};
use crate::train::CHECKPOINT_FILE;
use crate::train::{Evaluator, Figures, Weights, checkpoint, device, measure_alone, net};
use crate::units::count;
use images::Evaluated;
use report::Report;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  runner eval runs/20261123T120000Z-dawnbench-1a2b
  runner eval runs/20261123T120000Z-dawnbench-1a2b --confusion confusion.png --csv classes.csv
  runner eval runs/20261123T120000Z-dawnbench-1a2b --tta mirror-translate
  runner eval runs/20261123T120000Z-dawnbench-1a2b --average
  runner eval runs/long --weights runs/long/model-best.safetensors
  runner eval runs/20261123T120000Z-dawnbench-1a2b --size 48 --json
  runner eval runs/20261123T120000Z-photos-1a2b --data photos/test --predictions test.csv

A run that is not done is evaluated with the weights of its checkpoint, of schedule-free optimizers with the mean that follows \
from them, as in training. The figures are those of metrics.csv where \
size, weights, device and instruction set are the same; of a GPU to the last digit with `train.deterministic` alone.

Exit codes: 0 done; 1 damaged weights or another failure; 2 no run, or a size that its net cannot take; 3 no data."
)]
pub struct EvalArgs {
    /// The folder of a run
    run: PathBuf,
    /// Side of the images [default: as in the phase that the weights are of, which is the run's last one where it is done]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    size: Option<u16>,
    /// Evaluate the averaged weights of a run with `[train] average`
    #[arg(long)]
    average: bool,
    /// Evaluate these weights of the run, such as RUN/model-best.safetensors of one with `[record] best`
    #[arg(long, value_name = "FILE", conflicts_with = "average")]
    weights: Option<PathBuf>,
    /// Evaluate on other images, of the run's classes by name: all in a folder of class folders; those for validation in a folder with
    /// train/ and val/ or in a pack; those in a list of files. The run's own set may be named where it has moved to [default: the run's
    /// validation images]
    #[arg(long, value_name = "DIR|PACK|LIST")]
    data: Option<PathBuf>,
    /// Average the outputs over views of each image, for all figures [default: none]
    #[arg(long, value_name = "LEVEL", value_parser = Tta::WORDS.to_vec())]
    tta: Option<String>,
    /// Write the figures of each class as CSV; `-` for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write what each image is taken for, and how surely, as CSV; `-` for standard output
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Write the confusion matrix, as table or picture (repeatable)
    #[arg(long, value_name = "FILE.csv|.svg|.png")]
    confusion: Vec<PathBuf>,
    /// Print all figures as one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N; auto is where the run was trained or, where that cannot be used, the CPU
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

impl EvalArgs {
    fn outputs(&self) -> Outputs<'_> {
        let files = Outputs::default().file("--csv", &self.csv).file("--predictions", &self.predictions);
        files.prints("--json", self.json).file("--confusion", &self.confusion)
    }

    fn display(&self) -> Display {
        if self.json { Display::Json } else { Display::Progress }
    }
}

/// Evaluates a run's weights on its validation images, or on others.
pub fn run(args: &EvalArgs) -> Result<Exit, Failure> {
    check_outputs(args)?;
    let folder = paths::run(&args.run)?;
    let mut recorded = Recorded::read(folder)?;
    args.outputs().spare(&recorded.loaded.spec, args.data.as_deref())?;
    prepare::trains(&recorded.loaded.spec)?;
    let mut notices = Vec::new();
    let isa = instruction_set(&recorded, &mut notices)?;
    let compute = args.device.compute_to_look(isa, &recorded.info.device, "evaluated", &mut notices)?;
    notices.extend_from_slice(device::remarks(&compute));
    let threads = start_threads(args.threads)?;
    let moved = args.data.as_ref().and_then(|from| images::own_at(&recorded, from, &mut notices));
    if moved.is_some() {
        recorded.loaded.spec.data.root.clone_from(&args.data);
    }
    let of_data = args.data.iter().map(|from| format!(" --data {}", from.display()));
    let command = format!("runner eval {}{}", folder.display(), of_data.collect::<String>());
    let facts = recorded.with_data(prepare::facts(&recorded.loaded.spec), folder, &command);
    let facts = facts.map_err(|failure| needed(args, failure))?;
    let (spec, plan) = (recorded.loaded.spec.for_sets(&facts), prepare::plan(&recorded.loaded, &facts)?);
    let Model { mut params, step, unmeasured } = match &args.weights {
        Some(file) if !file.exists() => return Err(Failure::Usage(format!("there is no {}", file.display()))),
        Some(file) => Model::kept(weights_of(file, &spec, &facts[0], &plan)?, steps_of(file, &recorded, &plan)),
        None if args.average => averaged_weights(folder, &recorded, &spec, &facts[0], &plan)?,
        None => weights(folder, &recorded, &spec, &facts[0], &plan, &mut notices)?,
    };
    let last = plan.at(step.clamp(1, plan.total_steps) - 1);
    let size = args.size.map_or(plan.phases[last.phase].eval_size, usize::from);
    prepare::check_size(&spec, &facts[0], size)?;
    let set = plan.phases[last.phase].set;
    let found = match (moved, &args.data) {
        (Some(dataset), _) => Ok(Evaluated { dataset, same_data: true, others: None }),
        (None, Some(from)) => images::others(&recorded, set, from, args.display(), &mut notices),
        (None, None) => images::own(&recorded, set, args.display(), &mut notices),
    };
    let found = recorded.with_data(found, folder, &command);
    let Evaluated { dataset, same_data, others } = found.map_err(|failure| needed(args, failure))?;
    for notice in &notices {
        output::notice(notice);
    }

    let dataset = Arc::new(dataset);
    device::set_up(&compute, &spec);
    if unmeasured {
        let own = match others {
            None => Arc::clone(&dataset),
            // What there is to say of them has been said.
            Some(_) => Arc::new(images::own(&recorded, set, args.display(), &mut Vec::new())?.dataset),
        };
        measure_alone(&mut params, &spec, &plan, &own, &last, &compute)?;
    }
    let tta = args.tta.as_deref().and_then(Tta::from_word).unwrap_or_default();
    let told = args.predictions.is_some();
    let Outcome { figures, confusion, left_out, predictions } =
        evaluate(&spec, &dataset, &compute, &mut params, size, tta, told)?;
    let info = &recorded.info;
    let average = spec.train.average.as_ref().filter(|_| args.average).map(|average| average.kind.as_str());
    let report = Report {
        folder,
        info,
        dataset: &dataset,
        same_data,
        data: args.data.as_deref(),
        chosen: others,
        figures,
        confusion,
        left_out,
        size,
        average,
        weights: args.weights.as_deref(),
        tta,
        step,
        compute: &compute,
        threads,
    };
    write(args, &report, predictions)?;
    Ok(Exit::Done)
}

/// Says, where other images are named and the run's own are absent, what these are needed for.
fn needed(args: &EvalArgs, failure: Failure) -> Failure {
    match failure {
        Failure::Data(DataError::Absent { why, remedy }) if args.data.is_some() => {
            let what = "they tell the classes, and what images are normalised with";
            DataError::Absent { why: format!("{why}; {what}"), remedy }.into()
        }
        other => other,
    }
}

/// Sees to it that results can be written before they are computed.
fn check_outputs(args: &EvalArgs) -> Result<(), Failure> {
    for to in &args.confusion {
        if !is_csv(to) && PictureFormat::of(to, "--confusion").is_err() {
            let message = format!("--confusion {}: the name must end in .csv, .svg or .png", to.display());
            return Err(Failure::Usage(message));
        }
    }
    args.outputs().check([&args.run].into_iter().chain(&args.data).chain(&args.weights))
}

fn is_csv(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "csv")
}

/// The run's own, so that its numbers come out again; `RUNNER_ISA` or what the machine has where that cannot be.
fn instruction_set(recorded: &Recorded, notices: &mut Vec<String>) -> Result<Isa, Failure> {
    let usage = |error: IsaError| Failure::Usage(error.to_string());
    let mine = Isa::detect().map_err(usage)?;
    let of_run: Isa = recorded.info.instruction_set.parse().map_err(usage)?;
    let forced = std::env::var_os("RUNNER_ISA").is_some_and(|name| !name.is_empty());
    if of_run.is_available() && !forced {
        return Ok(of_run);
    }
    if mine != of_run {
        notices.push(format!(
            "the run was trained with {of_run} and is evaluated with {mine}: the figures may differ in the last digits"
        ));
    }
    Ok(mine)
}

/// Weights of a run.
struct Model {
    params: Params,
    /// The number of steps after which they are.
    step: u64,
    /// Whether they are a mean that no step was taken with, whose running statistics are yet to be measured.
    unmeasured: bool,
}

impl Model {
    /// Kept in a file as they are to be evaluated.
    fn kept(params: Params, step: u64) -> Self {
        Self { params, step, unmeasured: false }
    }
}

/// The number of steps after which weights in a file are, which those that were kept on the way tell; others are of the run's end.
fn steps_of(file: &Path, recorded: &Recorded, plan: &Plan) -> u64 {
    let steps = checkpoint::step_of_model(file).map(|last| last.saturating_add(1));
    steps.filter(|steps| *steps <= plan.total_steps).unwrap_or(recorded.info.steps_done)
}

/// The run's weights.
fn weights(
    folder: &Path,
    recorded: &Recorded,
    spec: &Spec,
    facts: &Facts,
    plan: &Plan,
    notices: &mut Vec<String>,
) -> Result<Model, Failure> {
    let other = |error: anyhow::Error| Failure::Other(error);
    let (info, model) = (&recorded.info, folder.join(file::MODEL));
    if info.status == Status::Done && model.exists() {
        return Ok(Model::kept(weights_of(&model, spec, facts, plan)?, info.steps_done));
    }
    let path = folder.join(file::CHECKPOINT).join(CHECKPOINT_FILE);
    if !path.exists() {
        let why = if info.status == Status::Done { "its model.safetensors is gone" } else { "it was never begun" };
        let message = format!("{} holds no weights: {why}, and there is no {}", folder.display(), path.display());
        return Err(other(anyhow::anyhow!(message)));
    }
    let params = net::fresh_params(spec, facts, plan.phases[0].size).map_err(|e| other(e.into()))?;
    let rules = net::rules(spec, facts, plan.phases[0].size).map_err(|e| other(e.into()))?;
    let (mut state, _) = checkpoint::load(&path, params, &rules, plan).map_err(|e| other(e.into()))?;
    let step = state.progress.step;
    // In a checkpoint are the weights that gradients are taken at.
    let is_mean = step > 0 && plan.phases[plan.at(step - 1).phase].model_is_mean;
    if is_mean {
        state.optimizers.to_average(state.params.values_mut());
    }
    let unmeasured = is_mean && !state.params.stats().is_empty();
    let why = match info.status {
        Status::Done => "its model.safetensors is gone".to_owned(),
        status => format!("its status is {}", status.name()),
    };
    let mean = if is_mean { "the mean that its optimizer keeps of " } else { "" };
    let measured = if unmeasured { ", with statistics measured on the training images, as in training" } else { "" };
    notices.push(format!(
        "THE RUN IS NOT DONE ({why}): evaluating {mean}the weights of its checkpoint, after {} of {} steps{measured}",
        count(step),
        count(plan.total_steps)
    ));
    Ok(Model { params: state.params, step, unmeasured })
}

/// The averaged weights of a run that is done.
fn averaged_weights(
    folder: &Path,
    recorded: &Recorded,
    spec: &Spec,
    facts: &Facts,
    plan: &Plan,
) -> Result<Model, Failure> {
    let info = &recorded.info;
    let Some(average) = &spec.train.average else {
        let message = format!("--average: {} kept no averaged weights", folder.display());
        return Err(Failure::Usage(message + "\nhelp: `[train] average` of the experiment asks for them"));
    };
    let file = folder.join(file::averaged_model(&average.kind));
    if !file.exists() {
        let why = match info.status {
            Status::Done => "the run ended before weights were averaged, or the file was removed".to_owned(),
            status => format!("it is written when a run is done, and this one is {}", status.name()),
        };
        return Err(Failure::Usage(format!("--average: there is no {}: {why}", file.display())));
    }
    Ok(Model::kept(weights_of(&file, spec, facts, plan)?, info.steps_done))
}

/// What a file of the run's holds.
fn weights_of(file: &Path, spec: &Spec, facts: &Facts, plan: &Plan) -> Result<Params, Failure> {
    let other = |error: anyhow::Error| Failure::Other(error);
    let mut params = net::fresh_params(spec, facts, plan.phases[0].size).map_err(|e| other(e.into()))?;
    Weights::read(file).and_then(|weights| weights.restore(&mut params)).map_err(|e| other(e.into()))?;
    Ok(params)
}

/// What an evaluation found.
struct Outcome {
    figures: Figures,
    confusion: Confusion,
    /// Images that it went without.
    left_out: usize,
    /// Of the others, in the set's order; none where they are not wanted.
    predictions: Vec<PredictionRow>,
}

/// Evaluates, with a bar on a terminal. `told`: whether what is found of each image is wanted.
fn evaluate(
    spec: &Spec,
    dataset: &Arc<Dataset>,
    compute: &Compute,
    params: &mut Params,
    size: usize,
    tta: Tta,
    told: bool,
) -> anyhow::Result<Outcome> {
    let outputs = spec.model.classes.unwrap_or(dataset.facts.classes);
    let mut confusion = Confusion::new(&class_names(dataset.facts.classes, &dataset.class_names), outputs);
    let names = confusion.names().to_owned();
    let mut told_of = Vec::new();
    let counter = Counter::new("evaluating", "images", dataset.val.labels.len() as u64);
    let evaluation = Evaluator::new(compute.clone()).evaluate(spec, dataset, params, size, tta, |seen| {
        let answers = seen.predictions();
        for (label, predicted) in seen.labels.iter().zip(&answers) {
            confusion.add(*label as usize, *predicted);
        }
        if told {
            let images = seen.numbers.iter().zip(seen.labels).zip(answers).zip(seen.outputs());
            told_of.extend(images.map(|(((number, label), predicted), outputs)| {
                let file = dataset.val_file(*number as usize).map(|file| file.display().to_string());
                let image = file.unwrap_or_else(|| number.to_string());
                let probabilities = match spec.train.criterion() {
                    Rule::CrossEntropy => predictions::softmax(outputs),
                    Rule::Binary { .. } => predictions::logistic(outputs),
                };
                (*number, PredictionRow::new(image, &names, *label as usize, predicted, &probabilities))
            }));
        }
        counter.at(seen.images as u64);
        Ok(())
    })?;
    // What keeps its shape comes in another order.
    told_of.sort_by_key(|(number, _)| *number);
    let predictions = told_of.into_iter().map(|(_, row)| row).collect();
    let figures = evaluation.averaged.unwrap_or(evaluation.plain);
    Ok(Outcome { figures, confusion, left_out: evaluation.left_out, predictions })
}

/// One name a class, whatever the set gives.
fn class_names(classes: usize, given: &[String]) -> Vec<String> {
    let name = |class: usize| given.get(class).cloned();
    (0..classes).map(|class| name(class).unwrap_or_else(|| format!("class {class}"))).collect()
}

fn write(args: &EvalArgs, report: &Report<'_>, predictions: Vec<PredictionRow>) -> Result<(), Failure> {
    if args.json {
        output::print(&report.json()?)?;
    } else if !args.outputs().take_stdout() {
        output::print(&report.text(output::width()))?;
    }
    if let Some(to) = &args.csv {
        let bytes = csv_file::encode(report.confusion.by_class()).map_err(anyhow::Error::from)?;
        output::write_bytes(to, &bytes)?;
    }
    if let Some(to) = &args.predictions {
        let bytes = csv_file::encode(predictions).map_err(anyhow::Error::from)?;
        output::write_bytes(to, &bytes)?;
    }
    for to in &args.confusion {
        if is_csv(to) {
            let bytes = report.confusion.to_csv().map_err(anyhow::Error::from)?;
            output::write_bytes(to, &bytes)?;
        } else {
            let svg = plot::confusion(&report.title(), &report.subtitle(), &report.confusion);
            output::picture(to, "--confusion", svg)?;
        }
    }
    Ok(())
}
