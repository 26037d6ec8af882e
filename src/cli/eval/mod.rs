//! `runner eval`.

mod report;

use super::device::DeviceChoice;
use super::output::{self, Outputs, PictureFormat};
use super::recorded::Recorded;
use super::train::{open_dataset, start_threads};
use super::{Exit, Failure, paths, prepare};
use crate::config::spec::{Spec, Tta};
use crate::data::{Dataset, Facts};
use crate::kernels::Isa;
use crate::kernels::isa::IsaError;
use crate::nn::{Compute, Params};
use crate::plan::Plan;
use crate::plot;
use crate::record::confusion::Confusion;
use crate::record::console::{Counter, Display};
use crate::record::folder::file;
use crate::record::{DatasetFacts, Status, csv_file};
use crate::train::CHECKPOINT_FILE;
use crate::train::{Evaluator, Figures, Weights, checkpoint, device, net};
use crate::units::count;
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

A run that is not done is evaluated with the weights of its checkpoint. The figures are those of metrics.csv where \
size, weights, device and instruction set are the same; of a GPU to the last digit with `train.deterministic` alone.

Exit codes: 0 done; 1 damaged weights or another failure; 2 no run, or a size that its net cannot take; 3 no data."
)]
pub struct EvalArgs {
    /// The folder of a run
    run: PathBuf,
    /// Side of the images [default: as in the run's last phase]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    size: Option<u16>,
    /// Evaluate the averaged weights of a run with `[train] average`
    #[arg(long)]
    average: bool,
    /// Evaluate these weights of the run, such as RUN/model-best.safetensors of one with `[record] best`
    #[arg(long, value_name = "FILE", conflicts_with = "average")]
    weights: Option<PathBuf>,
    /// Average the outputs over views of each image, for all figures [default: none]
    #[arg(long, value_name = "LEVEL", value_parser = Tta::WORDS.to_vec())]
    tta: Option<String>,
    /// Write the figures of each class as CSV; `-` for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
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
        Outputs::default().prints("--json", self.json).file("--csv", &self.csv).file("--confusion", &self.confusion)
    }
}

/// Evaluates a run's weights on its validation images.
pub fn run(args: &EvalArgs) -> Result<Exit, Failure> {
    check_outputs(args)?;
    let folder = paths::run(&args.run)?;
    let recorded = Recorded::read(folder)?;
    prepare::trains(&recorded.loaded.spec)?;
    let mut notices = Vec::new();
    let isa = instruction_set(&recorded, &mut notices)?;
    let compute = args.device.compute_to_look(isa, &recorded.info.device, "evaluated", &mut notices)?;
    notices.extend_from_slice(device::remarks(&compute));
    let threads = start_threads(args.threads)?;
    let facts = prepare::facts(&recorded.loaded.spec)?;
    let (spec, plan) = (recorded.loaded.spec.for_sets(&facts), prepare::plan(&recorded.loaded, &facts)?);
    let (mut params, step) = match &args.weights {
        Some(file) if !file.exists() => return Err(Failure::Usage(format!("there is no {}", file.display()))),
        Some(file) => (weights_of(file, &spec, &facts[0], &plan)?, recorded.info.steps_done),
        None if args.average => averaged_weights(folder, &recorded, &spec, &facts[0], &plan)?,
        None => weights(folder, &recorded, &spec, &facts[0], &plan, &mut notices)?,
    };
    let last = plan.at(step.clamp(1, plan.total_steps) - 1);
    let size = args.size.map_or(plan.phases[last.phase].eval_size, usize::from);
    prepare::check_size(&spec, &facts[0], size)?;
    let (dataset, before) = open(args, &recorded, plan.phases[last.phase].set, &mut notices)?;
    for notice in &notices {
        output::notice(notice);
    }

    let dataset = Arc::new(dataset);
    device::set_up(&compute, &spec);
    let tta = args.tta.as_deref().and_then(Tta::from_word).unwrap_or_default();
    let Found { figures, confusion, left_out } = evaluate(&spec, &dataset, &compute, &mut params, size, tta)?;
    let info = &recorded.info;
    let average = spec.train.average.as_ref().filter(|_| args.average).map(|average| average.kind.as_str());
    let same_data = dataset.digest == before.digest;
    let report = Report {
        folder,
        info,
        dataset: &dataset,
        same_data,
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
    write(args, &report)?;
    Ok(Exit::Done)
}

/// Sees to it that results can be written before they are computed.
fn check_outputs(args: &EvalArgs) -> Result<(), Failure> {
    for to in &args.confusion {
        if !is_csv(to) && PictureFormat::of(to, "--confusion").is_err() {
            let message = format!("--confusion {}: the name must end in .csv, .svg or .png", to.display());
            return Err(Failure::Usage(message));
        }
    }
    args.outputs().check([&args.run])
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

/// Opens one of the data sets, and says so where it is not what the run was trained on, which comes with it.
fn open<'a>(
    args: &EvalArgs,
    recorded: &'a Recorded,
    set: usize,
    notices: &mut Vec<String>,
) -> Result<(Dataset, &'a DatasetFacts), Failure> {
    let display = if args.json { Display::Json } else { Display::Progress };
    let (spec, info) = (&recorded.loaded.spec, &recorded.info);
    let before = info.datasets().nth(set).unwrap_or(&info.dataset);
    let dataset = open_dataset(&spec.request(&spec.sets()[set]), display, before.stands_in_for.clone(), notices)?;
    if dataset.digest != before.digest {
        notices.push(format!(
            "OTHER IMAGES than the run was trained with: `{}` had digest {}, and `{}` has {} now",
            before.name, before.digest, dataset.facts.name, dataset.digest
        ));
    }
    Ok((dataset, before))
}

/// The run's weights, and the number of steps after which they are.
fn weights(
    folder: &Path,
    recorded: &Recorded,
    spec: &Spec,
    facts: &Facts,
    plan: &Plan,
    notices: &mut Vec<String>,
) -> Result<(Params, u64), Failure> {
    let other = |error: anyhow::Error| Failure::Other(error);
    let (info, model) = (&recorded.info, folder.join(file::MODEL));
    if info.status == Status::Done && model.exists() {
        return Ok((weights_of(&model, spec, facts, plan)?, info.steps_done));
    }
    let path = folder.join(file::CHECKPOINT).join(CHECKPOINT_FILE);
    if !path.exists() {
        let why = if info.status == Status::Done { "its model.safetensors is gone" } else { "it was never begun" };
        let message = format!("{} holds no weights: {why}, and there is no {}", folder.display(), path.display());
        return Err(other(anyhow::anyhow!(message)));
    }
    let params = net::fresh_params(spec, facts, plan.phases[0].size).map_err(|e| other(e.into()))?;
    let rules = net::rules(spec, facts, plan.phases[0].size).map_err(|e| other(e.into()))?;
    let (state, _) = checkpoint::load(&path, params, &rules, plan).map_err(|e| other(e.into()))?;
    let step = state.progress.step;
    let why = match info.status {
        Status::Done => "its model.safetensors is gone".to_owned(),
        status => format!("its status is {}", status.name()),
    };
    notices.push(format!(
        "THE RUN IS NOT DONE ({why}): evaluating the weights of its checkpoint, after {} of {} steps",
        count(step),
        count(plan.total_steps)
    ));
    Ok((state.params, step))
}

/// The averaged weights of a run that is done, and the number of steps after which they are.
fn averaged_weights(
    folder: &Path,
    recorded: &Recorded,
    spec: &Spec,
    facts: &Facts,
    plan: &Plan,
) -> Result<(Params, u64), Failure> {
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
    Ok((weights_of(&file, spec, facts, plan)?, info.steps_done))
}

/// What a file of the run's holds.
fn weights_of(file: &Path, spec: &Spec, facts: &Facts, plan: &Plan) -> Result<Params, Failure> {
    let other = |error: anyhow::Error| Failure::Other(error);
    let mut params = net::fresh_params(spec, facts, plan.phases[0].size).map_err(|e| other(e.into()))?;
    Weights::read(file).and_then(|weights| weights.restore(&mut params)).map_err(|e| other(e.into()))?;
    Ok(params)
}

/// What an evaluation found.
struct Found {
    figures: Figures,
    confusion: Confusion,
    /// Images that it went without.
    left_out: usize,
}

/// Evaluates, with a bar on a terminal.
fn evaluate(
    spec: &Spec,
    dataset: &Arc<Dataset>,
    compute: &Compute,
    params: &mut Params,
    size: usize,
    tta: Tta,
) -> anyhow::Result<Found> {
    let outputs = spec.model.classes.unwrap_or(dataset.facts.classes);
    let mut confusion = Confusion::new(&class_names(dataset), outputs);
    let counter = Counter::new("evaluating", "images", dataset.val.labels.len() as u64);
    let evaluation = Evaluator::new(compute.clone()).evaluate(spec, dataset, params, size, tta, |seen| {
        for (label, predicted) in seen.labels.iter().zip(seen.predictions()) {
            confusion.add(*label as usize, predicted);
        }
        counter.at(seen.images as u64);
        Ok(())
    })?;
    let figures = evaluation.averaged.unwrap_or(evaluation.plain);
    Ok(Found { figures, confusion, left_out: evaluation.left_out })
}

/// One name a class, whatever the set gives.
fn class_names(dataset: &Dataset) -> Vec<String> {
    let given = |class: usize| dataset.class_names.get(class).cloned();
    (0..dataset.facts.classes).map(|class| given(class).unwrap_or_else(|| format!("class {class}"))).collect()
}

fn write(args: &EvalArgs, report: &Report<'_>) -> Result<(), Failure> {
    if args.json {
        output::print(&report.json()?)?;
    } else if !args.outputs().take_stdout() {
        output::print(&report.text(output::width()))?;
    }
    if let Some(to) = &args.csv {
        let bytes = csv_file::encode(report.confusion.by_class()).map_err(anyhow::Error::from)?;
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
