//! `runner find-lr`.

mod report;
mod set;

use super::device::{DeviceChoice, instruction_set};
use super::output::{self, Outputs, PictureFormat};
use super::recorded::Recorded;
use super::train::{open_data, start_threads};
use super::{Exit, Failure, Overrides, paths, prepare};
use crate::find_lr::Unusable;
use crate::nn::Compute;
use crate::record::console::{Counter, Display};
use crate::record::csv_file;
use crate::record::folder::file;
use crate::registry::{Choice, RampValue};
use crate::schedule::Ramp;
use crate::train::CHECKPOINT_FILE;
use crate::train::find_lr::{Begin, sweep};
use crate::train::{Job, Machine, checkpoint, device, net};
use crate::units::{count, number};
use report::{Found, Report};
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  runner find-lr configs/dawnbench.toml --plot find-lr.png
  runner find-lr configs/dawnbench.toml --phase 1 --seeds 5 --csv curves.csv
  runner find-lr configs/dawnbench.toml --set phases[0].optimizer=adamw --lr-from 1e-7 --lr-to 1
  runner find-lr --from runs/20261123T120000Z-dawnbench-1a2b --phase 2 --size 32 --json

A range test (Smith 2017): some steps as those of a phase, while the rate grows from far too small to far too large. \
Momentum, weight decay and rates that [[params]] rules give themselves stay what they are in the phase's first step; there \
is no lookahead. A sweep ends when its smoothed loss is four times the lowest. The suggestions are those of fastai: valley, \
slide, minimum/10, steepest. Nothing is changed: neither the experiment nor the run.

Exit codes: 0 done; 1 no curve can be used, or another failure; 2 usage or configuration; 3 no data; 4 no curve can be used, \
for the loss diverges at once."
)]
pub struct FindLrArgs {
    /// The experiment: a TOML file
    #[arg(required_unless_present = "from")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// Begin with what a run's checkpoint holds, weights, statistics and optimizer, in place of fresh weights
    #[arg(long, value_name = "RUN", conflicts_with = "config")]
    from: Option<PathBuf>,
    /// Take the steps of this phase, as `runner plan` numbers them [default: the first, or the one that the run has come to]
    #[arg(long, value_name = "N")]
    phase: Option<usize>,
    /// Side of the images [default: that of the phase]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    size: Option<u16>,
    /// Sweeps, each with a seed of its own: the experiment's and those after it
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..=100))]
    seeds: u16,
    /// Steps of a sweep
    #[arg(long, value_name = "N", default_value = "200", value_parser = clap::value_parser!(u16).range(40..=5000))]
    steps: u16,
    /// The rate that a sweep begins with
    #[arg(long, value_name = "RATE", default_value = "1e-5")]
    lr_from: f64,
    /// The rate that it goes up to
    #[arg(long, value_name = "RATE", default_value = "10")]
    lr_to: f64,
    /// How it gets there; linear for a closer look
    #[arg(long, value_name = "CURVE", default_value = "exponential", value_parser = ["exponential", "linear"])]
    curve: String,
    /// Draw loss over rate, and the suggestions
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    plot: Option<PathBuf>,
    /// Write each step's rate and loss as CSV; `-` for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Print what was found as one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N; auto is a GPU where there is one, with --from where the run was trained
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// Sweeps the rate, once a seed, and says what the curves suggest.
pub fn run(args: &FindLrArgs) -> Result<Exit, Failure> {
    check_outputs(args)?;
    let lr = rates(args)?;
    let Prepared { mut job, begin, weights, at_step } = match (&args.from, &args.config) {
        (Some(run), _) => from_run(args, run)?,
        (None, Some(config)) => fresh(args, config)?,
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    let phase = phase(args, &job, at_step)?;
    job.plan = job.plan.range_test(phase, lr.clone(), u64::from(args.steps));
    if let Some(size) = args.size {
        prepare::check_size(&job.spec, &job.datasets[0].facts, usize::from(size))?;
        job.plan.phases[0].size = usize::from(size);
    }
    job.notices.extend_from_slice(device::remarks(&job.machine.compute));
    for notice in &job.notices {
        output::notice(notice);
    }
    let found = sweeps(args, &job, &begin)?;
    let mut report = Report { job: &job, phase, lr, weights, found, set: None, unset: None, of_run: None };
    if let Some(spread) = report.suggestion() {
        match set::for_rate(args, &job.spec, phase, &report::short(spread.median)) {
            Ok(setting) => report.set = Some(setting),
            Err(why) => report.unset = Some(why),
        }
    }
    // Its phases are plain and its rates for the batches they have, whatever file the run was made from.
    report.of_run = args.from.as_ref().map(|run| run.join(file::EXPERIMENT));
    write(args, &report)?;
    Ok(exit(&report.found))
}

impl FindLrArgs {
    fn outputs(&self) -> Outputs<'_> {
        Outputs::default().prints("--json", self.json).file("--csv", &self.csv).file("--plot", &self.plot)
    }
}

/// Sees to it that results can be written before they are computed.
fn check_outputs(args: &FindLrArgs) -> Result<(), Failure> {
    if let Some(to) = &args.plot {
        PictureFormat::of(to, "--plot")?;
    }
    args.outputs().check(args.config.iter().chain(&args.from))
}

/// How the rate moves.
fn rates(args: &FindLrArgs) -> Result<Ramp, Failure> {
    let (from, to) = (args.lr_from, args.lr_to);
    if !(from > 0.0 && to.is_finite()) {
        let message = format!("--lr-from {} --lr-to {}: rates are numbers above zero", number(from), number(to));
        return Err(Failure::Usage(message));
    }
    if from >= to {
        let message = format!(
            "--lr-from {} --lr-to {}: a sweep goes up\nhelp: begin at less than it goes up to",
            number(from),
            number(to)
        );
        return Err(Failure::Usage(message));
    }
    let value = RampValue::new(from, Some(to), Choice::plain(&args.curve));
    Ramp::new(&value).map_err(|error| Failure::Usage(error.to_string()))
}

/// What to sweep with.
struct Prepared {
    /// With the plan of the whole training.
    job: Job,
    begin: Begin,
    /// What the weights are, in a few words.
    weights: String,
    /// The step that a run has come to.
    at_step: Option<u64>,
}

fn machine(args: &FindLrArgs, compute: Compute) -> Result<Machine, Failure> {
    Ok(Machine { compute, threads: start_threads(args.threads)? })
}

fn display(args: &FindLrArgs) -> Display {
    if args.json { Display::Json } else { Display::Progress }
}

/// An experiment, with the weights that it begins with.
fn fresh(args: &FindLrArgs, config: &Path) -> Result<Prepared, Failure> {
    let loaded = paths::load(config, &args.overrides.list())?;
    args.outputs().check(loaded.source.files())?;
    args.outputs().spare(&loaded.spec, None)?;
    prepare::check(&loaded)?;
    let machine = machine(args, args.device.compute(instruction_set()?)?)?;
    let mut job = open_data(&loaded, machine, display(args), None)?;
    job.weights = prepare::weights(&job.spec, &loaded.source, &job.datasets[0].facts)?;
    let weights = match &job.weights {
        Some(weights) => format!("the weights of {}", weights.path),
        None => "fresh weights".to_owned(),
    };
    Ok(Prepared { job, begin: Begin::Fresh, weights, at_step: None })
}

/// A run's experiment, with what its checkpoint holds.
fn from_run(args: &FindLrArgs, run: &Path) -> Result<Prepared, Failure> {
    let folder = paths::run(run)?;
    let recorded = Recorded::read(folder)?;
    prepare::trains(&recorded.loaded.spec)?;
    let edited = Recorded::read_with(folder, &args.overrides.list())?.loaded;
    args.outputs().spare(&edited.spec, None)?;
    for (what, same) in [
        ("model…", edited.spec.model == recorded.loaded.spec.model),
        ("params…", edited.spec.params == recorded.loaded.spec.params),
        ("phases… of other groups of parameters", edited.spec.groups() == recorded.loaded.spec.groups()),
    ] {
        if !same {
            let message = format!(
                "--set {what}: the checkpoint is of the run's own net and rules\nhelp: begin with the run's weights \
                 alone: `runner find-lr CONFIG --set model.weights={}`",
                folder.join(file::MODEL).display()
            );
            return Err(Failure::Usage(message));
        }
    }
    let path = folder.join(file::CHECKPOINT).join(CHECKPOINT_FILE);
    if !path.exists() {
        return Err(Failure::Usage(format!("{} was never begun: there is no {}", run.display(), path.display())));
    }
    let mut notices = Vec::new();
    let compute = args.device.compute_to_look(instruction_set()?, &recorded.info.device, "swept", &mut notices)?;
    let mut job = open_data(&edited, machine(args, compute)?, display(args), Some(&recorded.info))?;
    job.notices.extend(notices);
    for (set, before) in job.datasets.iter().zip(recorded.info.datasets()) {
        if set.digest != before.digest {
            let name = &set.facts.name;
            job.notices.push(format!("OTHER IMAGES than the run was trained with: `{name}` is not as it was"));
        }
    }
    let facts = &job.datasets[0].facts;
    let plan = prepare::plan(&recorded.loaded, &prepare::facts(&recorded.loaded.spec)?)?;
    let params = net::fresh_params(&job.spec, facts, plan.phases[0].size).map_err(anyhow::Error::from)?;
    let rules = net::rules(&job.spec, facts, plan.phases[0].size).map_err(anyhow::Error::from)?;
    let (state, _) = checkpoint::load(&path, params, &rules, &plan).map_err(anyhow::Error::from)?;
    let step = state.progress.step;
    let weights =
        format!("the checkpoint of {} after {} of {} steps", run.display(), count(step), count(plan.total_steps));
    Ok(Prepared { job, begin: Begin::Checkpoint { file: path, plan: Box::new(plan) }, weights, at_step: Some(step) })
}

/// The phase whose steps are taken.
fn phase(args: &FindLrArgs, job: &Job, at_step: Option<u64>) -> Result<usize, Failure> {
    let plan = &job.plan;
    let last = plan.phases.len() - 1;
    let here = || at_step.map_or(0, |step| plan.phase_of(step.min(plan.total_steps - 1)));
    let phase = args.phase.unwrap_or_else(here);
    if phase <= last {
        return Ok(phase);
    }
    let there = if last == 0 { "there is phase 0 alone".to_owned() } else { format!("there are phases 0 to {last}") };
    Err(Failure::Usage(format!("--phase {phase}: {there}\nhelp: `runner plan` lists them")))
}

/// One sweep a seed, with a bar on a terminal.
fn sweeps(args: &FindLrArgs, job: &Job, begin: &Begin) -> anyhow::Result<Vec<Found>> {
    let counter = Counter::new("sweeping", "steps", u64::from(args.seeds) * u64::from(args.steps));
    let mut found = Vec::new();
    for k in 0..args.seeds {
        let seed = job.spec.seed.wrapping_add(u64::from(k));
        let mut done = u64::from(k) * u64::from(args.steps);
        let curve = sweep(job, begin, seed, || {
            done += 1;
            counter.at(done);
        })?;
        found.push(Found::new(seed, curve));
    }
    Ok(found)
}

fn write(args: &FindLrArgs, report: &Report<'_>) -> Result<(), Failure> {
    if args.json {
        output::print(&report.json()?)?;
    } else if args.csv.as_deref().is_some_and(output::is_stdout) {
        output::aside(|width| report.text(width));
    } else {
        output::print(&report.text(output::width()))?;
    }
    if let Some(to) = &args.csv {
        let bytes = csv_file::encode_columns(report::COLUMNS, report.rows()).map_err(anyhow::Error::from)?;
        output::write(to, |out| out.write_all(&bytes))?;
    }
    if let Some(to) = &args.plot {
        output::picture(to, "--plot", report.picture())?;
    }
    Ok(())
}

/// Whether anything was found.
fn exit(found: &[Found]) -> Exit {
    let diverged = |found: &Found| matches!(found.verdict, Err(Unusable::DivergesAtOnce { .. }));
    if found.iter().any(|found| found.verdict.is_ok()) {
        Exit::Done
    } else if found.iter().all(diverged) {
        Exit::Diverged
    } else {
        Exit::Unexpected
    }
}
