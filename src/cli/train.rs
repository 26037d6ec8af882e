//! `runner train`, and `runner CONFIG`.

use super::device::{DeviceChoice, instruction_set, other_device};
use super::fetching::{self, Fetching};
use super::recorded::Recorded;
use super::{Exit, Failure, Overrides, go_on, output, paths, prepare};
use crate::config::spec::Spec;
use crate::config::{Loaded, Override, Source};
use crate::data::{self, Dataset, Facts, Request};
use crate::kernels::Isa;
use crate::mlflow::{self, MlflowSink};
use crate::nn::Compute;
use crate::plan::PlannedPhase;
use crate::record::console::Display;
use crate::record::folder::{self, file};
use crate::record::reader::RunReader;
use crate::record::run_json::RunInfo;
use crate::record::text::plural;
use crate::record::{RecordError, RunFolder, Several, Sink, Status};
use crate::task::{self, Painting};
use crate::train::prefix::{self, Beginning, Kept};
use crate::train::{
    Job, Machine, PaintJob, PaintSession, Session, StopFlag, free_bytes, largest_extent, paint, picture_files, train,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  runner train configs/dawnbench.toml
  runner train configs/dawnbench.toml --set 'phases[1].lr.to=0.2' --seed 2 --name hot
  runner train configs/dawnbench.toml \\
    --set model.weights=runs/20261123T120000Z-dawnbench-1a2b/model.safetensors
  runner train --resume runs/20261123T120000Z-dawnbench-1a2b"
)]
pub struct TrainArgs {
    /// The experiment: a TOML file
    #[arg(required_unless_present = "resume")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// Where to compute: auto, cpu, cuda or cuda:N; auto is a GPU where there is one, and for a run that is taken up where it was
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// The folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
    /// The run folder itself, in place of a new one in --runs-dir; it must hold neither a run nor files that the run would write
    #[arg(long, value_name = "DIR", conflicts_with = "runs_dir")]
    run_folder: Option<PathBuf>,
    /// Go on with the run in --run-folder where there is one: the same command begins and resumes, for batch systems. A run of another
    /// experiment, seed or name is refused
    #[arg(long, requires = "run_folder")]
    go_on: bool,
    /// Keep the state before these phases, for runs that begin alike; `end`: that at the end, for one with further phases
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    keep_prefix: Vec<KeepAt>,
    /// Begin with what a run that begins alike kept in this folder; from step 0 where that does not fit
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    prefix: Option<PathBuf>,
    /// Replace the experiment's name, which the run folder's name contains
    #[arg(long)]
    name: Option<String>,
    /// Go on with an interrupted run, in its folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "set", "seed", "name", "runs_dir", "run_folder"])]
    resume: Option<PathBuf>,
    /// Print how the run ended, and nothing else
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    /// Stop as after a signal when standard input ends: for programs that start this one
    #[arg(long)]
    until_stdin_closes: bool,
}

/// Where the state of a run is kept.
#[derive(Clone, Copy, Debug)]
enum KeepAt {
    Before(usize),
    End,
}

impl FromStr for KeepAt {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let number = || word.parse().map(Self::Before).map_err(|_| "give the number of a phase, or `end`".to_owned());
        if word == "end" { Ok(Self::End) } else { number() }
    }
}

impl KeepAt {
    /// The phase before which it is, of so many.
    fn phase(self, phases: usize) -> usize {
        match self {
            Self::Before(phase) => phase,
            Self::End => phases,
        }
    }
}

/// How often a run that another process still writes is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

impl TrainArgs {
    fn display(&self) -> Display {
        match (self.quiet, self.json) {
            (true, _) => Display::Quiet,
            (_, true) => Display::Json,
            _ => Display::Progress,
        }
    }

    /// Raised when the training is to stop.
    fn stop_flag(&self) -> Result<StopFlag, Failure> {
        let flag = StopFlag::on_signals().map_err(|e| Failure::Other(e.into()))?;
        if self.until_stdin_closes {
            flag.also_when_stdin_closes().map_err(|e| Failure::Other(e.into()))?;
        }
        Ok(flag)
    }

    fn machine(&self, compute: Compute) -> Result<Machine, Failure> {
        Ok(Machine { compute, threads: start_threads(self.threads)? })
    }
}

/// Sets up the thread pool, one thread a core where no number is asked for; gives how many there are.
pub fn start_threads(wanted: Option<u16>) -> Result<usize, Failure> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = wanted.map_or_else(cores, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Failure::Other(anyhow::Error::new(e).context("cannot start the threads")))?;
    data::stored::set_threads(threads);
    Ok(threads)
}

/// Trains, or goes on.
pub fn run(args: &TrainArgs) -> Result<Exit, Failure> {
    StopFlag::end_until_there_is_one(Exit::Interrupted as i32).map_err(|e| Failure::Other(e.into()))?;
    let isa = instruction_set()?;
    let sink = sink(args)?;
    let begun = args.run_folder.as_ref().filter(|folder| args.go_on && folder.join(file::RUN).is_file());
    let work = match (&args.resume, begun, &args.config) {
        (Some(run), ..) => resume(args, run, None, isa, sink)?,
        (None, Some(run), Some(config)) => resume(args, run, Some(&asked(args, config)?), isa, sink)?,
        (None, None, Some(config)) => Some(begin(args, config, isa, sink)?),
        (None, _, None) => unreachable!("clap asks for one of the two"),
    };
    // Another process came to its end before.
    let Some(work) = work else { return Ok(Exit::Done) };
    let outcome = match work {
        Work::Training(mut session) => train(&mut session).inspect_err(|error| session.fail(error))?,
        Work::Painting(mut session) => paint(&mut session).inspect_err(|error| session.fail(error))?,
    };
    Ok(match outcome.status {
        Status::Diverged => Exit::Diverged,
        Status::Interrupted => Exit::Interrupted,
        Status::Done | Status::Failed | Status::Running => Exit::Done,
    })
}

/// What an experiment is about, ready to begin or to go on.
enum Work {
    Training(Box<Session>),
    Painting(Box<PaintSession>),
}

/// The display; and the MLflow server, where the environment names one.
fn sink(args: &TrainArgs) -> Result<Box<dyn Sink>, Failure> {
    let display = args.display().sink();
    let address = mlflow::Address::from_env().map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(match address {
        Some(address) => Box::new(Several(vec![Box::new(MlflowSink::new(address)), display])),
        None => display,
    })
}

/// The experiment of a file, as the command line edits it.
fn asked(args: &TrainArgs, path: &Path) -> Result<Loaded, Failure> {
    let mut overrides = args.overrides.list();
    overrides.extend(args.name.clone().map(|value| Override::Flag { flag: "--name", key: "name", value }));
    paths::load(path, &overrides)
}

fn begin(args: &TrainArgs, path: &Path, isa: Isa, sink: Box<dyn Sink>) -> Result<Work, Failure> {
    let loaded = asked(args, path)?;
    // All that can be wrong with the file is said before anything is fetched or made.
    prepare::check(&loaded)?;
    check_free(args, &loaded)?;
    check_prefix(args)?;
    let painting = task::painting(loaded.spec.task.as_ref());
    // The files of a set may be looked at by several threads.
    let machine = args.machine(args.device.for_task(painting.is_some()).compute(isa)?)?;
    if let Some(painting) = painting {
        let mut job = paint_job(&loaded, *painting, on_cpu(machine)?)?;
        job.weights = prepare::weights(&job.spec, &loaded.source, &job.pictures.facts(&job.painting))?;
        prepare::painting(&job, &loaded.source, free_bytes())?;
        let (folder, stop) = folder(args, &job.spec)?;
        let session = PaintSession::begin(job, folder, sink, stop)?;
        return Ok(Work::Painting(Box::new(session)));
    }
    let mut job = open_data(&loaded, machine, args.display(), None)?;
    job.weights = prepare::weights(&job.spec, &loaded.source, &job.datasets[0].facts)?;
    fits(&job, &loaded.source)?;
    job.notices.extend(prepare::remarks(&job.spec, &job.plan, &job.datasets[0].facts));
    job.notices.extend(prepare::enlarged(&job.spec, &job.plan, &job.datasets));
    job.keep = args.keep_prefix.iter().map(|at| at.phase(job.plan.phases.len())).collect();
    check_kept(&job)?;
    let kept = args.prefix.as_ref().and_then(|from| prefix(&mut job, from));
    if let (None, Some(_), true, Some(why)) = (&kept, &args.prefix, args.quiet, job.notices.last()) {
        // It takes as long as if nobody had asked: no matter for silence.
        output::notice(why);
    }
    let (folder, stop) = folder(args, &job.spec)?;
    let session = match (kept, &args.prefix) {
        (Some(kept), Some(from)) => Session::fork(job, from, kept, folder, sink, stop)?,
        _ => Session::begin(job, folder, sink, stop)?,
    };
    Ok(Work::Training(Box::new(session)))
}

/// Sees that a training fits into memory; what a device has shows when it is asked for.
fn fits(job: &Job, source: &Source) -> Result<(), Failure> {
    let free = free_bytes().filter(|_| job.machine.compute.device.is_none());
    let extent =
        |phase: &PlannedPhase| largest_extent(&job.datasets[phase.set], phase.eval_size, job.spec.train.eval_batch);
    prepare::training_fits((&job.spec, source), &facts_of(&job.datasets), &job.plan, extent, free)
}

/// For tasks that know no other place.
fn on_cpu(machine: Machine) -> Result<Machine, Failure> {
    match &machine.compute.device {
        Some(device) => {
            let device = &device.facts().device;
            Err(Failure::Usage(format!("pictures are painted on the CPU: `--device cpu` in place of {device}")))
        }
        None => Ok(machine),
    }
}

/// Sees that a run in the folder of `--run-folder` overwrites nothing, before anything is fetched.
fn check_free(args: &TrainArgs, loaded: &Loaded) -> Result<(), Failure> {
    // Of a run that is there something else is said, once it is known whether a process writes it.
    let Some(folder) = args.run_folder.as_ref().filter(|folder| !paths::is_run(folder)) else { return Ok(()) };
    folder::check_free(folder, &own_files(&loaded.spec)).map_err(|error| not_ours(error, args.go_on))?;
    // That of a process that was killed early is replaced, but not while it is read.
    let path = folder.join(file::EXPERIMENT);
    match std::fs::canonicalize(&path) {
        Ok(there) if loaded.source.files().any(|read| std::fs::canonicalize(read).is_ok_and(|read| read == there)) => {
            Err(not_ours(RecordError::InTheWay { path }, args.go_on))
        }
        _ => Ok(()),
    }
}

/// What a run leaves that only some have.
fn own_files(spec: &Spec) -> Vec<String> {
    match task::painting(spec.task.as_ref()) {
        Some(painting) => picture_files(painting.images()),
        None => {
            let average = spec.train.average.iter().map(|average| file::averaged_model(&average.kind));
            let best = spec.record.best.then(|| file::BEST_MODEL.to_owned());
            let phases = if spec.record.phases { spec.phases.len() } else { 0 };
            let phases = (0..phases).map(file::model_of_phase);
            std::iter::once(file::MODEL.to_owned()).chain(average).chain(best).chain(phases).collect()
        }
    }
}

/// The folder of a new run, and what stops it.
fn folder(args: &TrainArgs, spec: &Spec) -> Result<(RunFolder, StopFlag), Failure> {
    let stop = args.stop_flag()?;
    if let Some(reason) = stop.raised() {
        return Err(Failure::TryAgain(format!("stopped before the run began: {reason}")));
    }
    let folder = match &args.run_folder {
        Some(path) => RunFolder::create_at(path, &own_files(spec)).map_err(|error| not_ours(error, args.go_on))?,
        None => RunFolder::create(&args.runs_dir, &spec.name).map_err(|e| Failure::Other(e.into()))?,
    };
    Ok((folder, stop))
}

/// What it means that the folder of `--run-folder` cannot be had.
fn not_ours(error: RecordError, go_on: bool) -> Failure {
    match error {
        RecordError::Locked { .. } => Failure::TryAgain(error.to_string()),
        // Begun by another process since it was looked at: the same command goes on with it.
        RecordError::Taken { .. } if go_on => Failure::TryAgain(error.to_string()),
        RecordError::Taken { .. } | RecordError::InTheWay { .. } | RecordError::NoFolder { .. } => {
            Failure::Usage(error.to_string())
        }
        error => Failure::Other(error.into()),
    }
}

/// Sees that there is a beginning where `--prefix` names one. A trial that is started again may come when it is gone.
fn check_prefix(args: &TrainArgs) -> Result<(), Failure> {
    let Some(from) = args.prefix.as_ref().filter(|from| !args.go_on && !prefix::is_there(from)) else { return Ok(()) };
    let kept: Vec<String> = prefix::all_kept(from).iter().map(|folder| format!("`{}`", folder.display())).collect();
    let help = match (kept.is_empty(), paths::is_run(from)) {
        (false, _) => format!("it has kept {}: name that", kept.join(", ")),
        (true, true) => "it has kept none: train it with `--keep-prefix PHASE`".to_owned(),
        (true, false) => "name a folder that a run with `--keep-prefix PHASE` has kept: \
                          RUN/checkpoint/before-phase-PHASE"
            .to_owned(),
    };
    Err(Failure::Usage(format!("`--prefix {}`: there is no beginning\nhelp: {help}", from.display())))
}

/// Sees that the phases of `--keep-prefix` have something before them.
fn check_kept(job: &Job) -> Result<(), Failure> {
    let phases = job.plan.phases.len();
    match job.keep.iter().find(|phase| !(1..=phases).contains(*phase)) {
        None if job.keep.contains(&phases) => job.plan.whole(&job.spec).map(drop).map_err(|(why, help)| {
            Failure::Usage(format!(
                "`--keep-prefix end`: no longer training has this end as its beginning: {why}\nhelp: {help}"
            ))
        }),
        None => Ok(()),
        Some(phase) => {
            let there = match phases {
                1 => "there is one phase: nothing comes before another; `end` keeps the state behind it".to_owned(),
                2 => "there are phases 0 and 1: give 1, or `end`".to_owned(),
                _ => format!("there are phases 0 to {}: give one from 1 on, or `end`", phases - 1),
            };
            Err(Failure::Usage(format!("`--keep-prefix {phase}`: no phase begins there behind another\nhelp: {there}")))
        }
    }
}

/// What a run that begins alike kept. Where it does not fit, the run trains its beginning itself, and says why.
fn prefix(job: &mut Job, from: &Path) -> Option<Kept> {
    let why = match Kept::read(from) {
        Ok(kept) => {
            let differences = Beginning::of(job, kept.phase).map(|own| own.differences(&kept.beginning));
            match differences {
                Some(none) if none.is_empty() => return Some(kept),
                Some(some) => {
                    let only_settings = some == ["other settings"];
                    let other = other_settings(job, from, kept.phase).map(|other| format!(" ({other})"));
                    // As of a curve over all of training.
                    let later = || only_settings.then(|| " (by what comes behind)".to_owned());
                    let why = other.or_else(later).unwrap_or_default();
                    format!("{} begins otherwise: with {}{why}", kept.run, some.join(", "))
                }
                None => format!("{} begins with more phases than there are before the last", kept.run),
            }
        }
        Err(error) => format!("{error:#}"),
    };
    job.notices.push(format!("all steps are trained here: {why}"));
    None
}

/// The settings in which the run that kept a beginning differs up to that phase: `phases[0].lr.from is 0.3, there 0.1, and 2 more`.
fn other_settings(job: &Job, from: &Path, phase: usize) -> Option<String> {
    let run = from.canonicalize().ok()?.ancestors().nth(2)?.to_path_buf();
    let (own, there) = (job.spec.settings(), RunReader::open(&run).ok()?.info().ok()?.settings);
    let is_before = |path: &str| match path.strip_prefix("phases[").and_then(|rest| rest.split_once(']')) {
        Some((index, _)) => index.parse::<usize>().is_ok_and(|index| index < phase),
        None => !["name", "seed"].contains(&path),
    };
    let paths: BTreeSet<&String> = own.keys().chain(there.keys()).filter(|path| is_before(path)).collect();
    let mut differing = paths.into_iter().filter(|path| own.get(*path) != there.get(*path));
    let first = differing.next()?;
    let [own, there] =
        [own.get(first), there.get(first)].map(|value| value.map_or("absent".to_owned(), |v| v.to_string()));
    let more = match differing.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!("{first} is {own}, there {there}{more}"))
}

/// Reads the pictures of an experiment that paints, and plans.
fn paint_job(loaded: &Loaded, painting: Painting, machine: Machine) -> Result<PaintJob, Failure> {
    let pictures = prepare::pictures(&painting, &loaded.source)?;
    let plan = prepare::plan(loaded, &[pictures.facts(&painting)])?;
    let mut spec = loaded.spec.clone();
    prepare::with_absolute_paths(&mut spec)?;
    let argv = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    Ok(PaintJob { spec, plan, painting, pictures, machine, argv, weights: None, notices: Vec::new() })
}

/// The folder of a run that is gone on with. A batch system may start a trial again while its process of before is not over: it
/// may have lost its parent, or its machine, whose lock runs out later. That is waited for.
///
/// And what stops it, where it was waited for.
fn open(args: &TrainArgs, run: &Path) -> Result<(RunFolder, Option<StopFlag>), Failure> {
    let mut stop = None;
    loop {
        let error = match RunFolder::open(paths::run(run)?) {
            Ok(folder) => return Ok((folder, stop)),
            Err(error @ RecordError::Locked { .. }) if args.go_on => error,
            Err(error @ RecordError::Locked { .. }) => return Err(Failure::TryAgain(error.to_string())),
            Err(error) => return Err(Failure::Usage(error.to_string())),
        };
        if stop.is_none() && args.display() == Display::Progress {
            output::notice(&format!("waiting for another process: {error}"));
        }
        let flag = stop.map_or_else(|| args.stop_flag(), Ok)?;
        if flag.raised().is_some() {
            return Err(Failure::TryAgain(error.to_string()));
        }
        stop = Some(flag);
        std::thread::sleep(AGAIN);
    }
}

/// Says that nothing is left of a run that is to go on; `too_late`: see [`go_on::too_late`].
fn tell_done(run: &Path, before: &RunInfo, too_late: Option<&str>, display: Display) -> Result<(), Failure> {
    let reason = before.exit_reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
    let too_late = too_late.map_or(String::new(), |settings| format!("; takes effect no more: {settings}"));
    let line = format!("already done: {}{reason}{too_late}\n", run.display());
    match display {
        Display::Json => {
            output::print(&go_on::done_event(run, before)?)?;
            // Standard output holds events alone.
            anstream::eprint!("{line}");
        }
        Display::Quiet | Display::Progress => output::print(&line)?,
    }
    Ok(())
}

/// `None` where nothing is left of a run that is to go on. `asked`: what it must be a run of, for `--go-on`.
fn resume(
    args: &TrainArgs,
    run: &Path,
    asked: Option<&Loaded>,
    isa: Isa,
    sink: Box<dyn Sink>,
) -> Result<Option<Work>, Failure> {
    if let Some(asked) = asked {
        // Before another process is waited for, which it would still be.
        go_on::check(run, &Recorded::read(paths::run(run)?)?, asked, args.display())?;
    }
    let (folder, stop) = open(args, run)?;
    let stop = || stop.map_or_else(|| args.stop_flag(), Ok);
    let recorded = Recorded::read(folder.path())?;
    let Recorded { info: before, loaded, .. } = &recorded;
    let too_late = asked.and_then(|asked| go_on::too_late(asked, loaded.spec.record));
    if before.status == Status::Done && args.go_on {
        tell_done(run, before, too_late.as_deref(), args.display())?;
        return Ok(None);
    }
    if before.status == Status::Done {
        let run = run.display();
        let help = match loaded.spec.task {
            Some(_) => format!("{} is the picture", folder.join("result.png").display()),
            None => format!("`runner eval {run}` evaluates it"),
        };
        let message = format!("{run} is done: there is nothing to go on with\nhelp: {help}");
        return Err(Failure::Usage(message));
    }
    let of_run: Isa =
        before.instruction_set.parse().map_err(|e: crate::kernels::isa::IsaError| Failure::Usage(e.to_string()))?;
    // The same bytes come from the same instruction set alone.
    let isa = if of_run.is_available() { of_run } else { isa };
    let compute = args.device.compute_again(isa, &before.device)?;
    let moved = other_device(&compute, &before.device);
    let too_late = too_late.map(|settings| format!("takes effect no more, for the run has begun: {settings}"));
    let machine = args.machine(compute)?;
    if let Some(painting) = task::painting(loaded.spec.task.as_ref()) {
        let mut job = paint_job(loaded, *painting, on_cpu(machine)?)?;
        job.weights = before.weights.clone();
        job.notices.extend(other_isa(isa, of_run).into_iter().chain(moved).chain(too_late));
        same_images(&before.dataset.name, &before.dataset.digest, job.pictures.digest())?;
        same_spec(before, &folder, &job.spec_hash(), job.spec.seed)?;
        let session = PaintSession::resume(job, folder, sink, stop()?)?;
        return Ok(Some(Work::Painting(Box::new(session))));
    }
    let command = format!("runner train --resume {}", run.display());
    let found = open_data(loaded, machine, args.display(), Some(before));
    let mut job = recorded.with_data(found, run, &command)?;
    fits(&job, &loaded.source)?;
    // The checkpoint holds what became of them: the file itself is needed no more.
    job.weights = before.weights.clone();
    job.keep = args.keep_prefix.iter().map(|at| at.phase(job.plan.phases.len())).collect();
    check_kept(&job)?;
    // With what was asked for before.
    job.keep.extend(prefix::asked(folder.path())?);
    let stop = stop()?;
    for (set, before) in job.datasets.iter().zip(before.datasets()) {
        same_images(&before.name, &before.digest, &set.digest)?;
    }
    same_spec(before, &folder, &job.spec_hash(), job.spec.seed)?;
    job.notices.extend(other_isa(isa, of_run).into_iter().chain(moved).chain(too_late));
    Ok(Some(Work::Training(Box::new(Session::resume(job, folder, sink, stop)?))))
}

/// Sees that a run that is taken up finds the images that it was begun with.
fn same_images(name: &str, before: &str, now: &str) -> Result<(), Failure> {
    let message = || format!("the run was begun with other images: `{name}` had digest {before}, and has {now} now");
    if before == now { Ok(()) } else { Err(Failure::Usage(message())) }
}

/// Sees that a run that is taken up is the one that was begun. The hash leaves the seed out.
fn same_spec(before: &RunInfo, folder: &RunFolder, hash: &str, seed: u64) -> Result<(), Failure> {
    let message = || {
        let experiment = folder.join(file::EXPERIMENT);
        format!("{} was changed since the run was begun: put it back, or start a new run with it", experiment.display())
    };
    if before.spec_hash == hash && before.seed == seed { Ok(()) } else { Err(Failure::Usage(message())) }
}

/// What to say where numbers will not be those of the instruction set that a run was begun with.
fn other_isa(isa: Isa, recorded: Isa) -> Option<String> {
    (isa != recorded).then(|| {
        format!(
            "this machine lacks {recorded}, which the run was begun with: it goes on with {isa}, and its numbers will \
             differ from those of an uninterrupted run"
        )
    })
}

/// Opens the data sets, fetching those that are absent, and plans for what was opened. `before`: the run that is taken up.
pub fn open_data(
    loaded: &Loaded,
    machine: Machine,
    display: Display,
    before: Option<&RunInfo>,
) -> Result<Job, Failure> {
    let mut notices = Vec::new();
    let Opened { loaded, datasets } = Opened::open(loaded, display, before, &mut notices)?;
    let plan = prepare::plan(&loaded, &facts_of(&datasets))?;
    let mut spec = loaded.spec;
    prepare::with_absolute_paths(&mut spec)?;
    let argv = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    Ok(Job { spec, plan, datasets, machine, argv, weights: None, notices, keep: Vec::new() })
}

/// The figures of sets in memory.
pub fn facts_of(datasets: &[Arc<Dataset>]) -> Vec<Facts> {
    datasets.iter().map(|set| set.facts.clone()).collect()
}

/// An experiment as it really runs, and its data sets in memory.
pub struct Opened {
    /// Naming the sets that are really used.
    pub loaded: Loaded,
    /// Those of its spec, in their order.
    pub datasets: Vec<Arc<Dataset>>,
}

impl Opened {
    /// Opens the data sets, fetching those that are absent; what must be said loudly is added to `notices`.
    ///
    /// The experiment of a run on a stand-in names the stand-in: `before` then knows the set that it had asked for.
    pub fn open(
        loaded: &Loaded,
        display: Display,
        before: Option<&RunInfo>,
        notices: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        prepare::trains(&loaded.spec)?;
        let mut datasets = Vec::new();
        for (k, set) in loaded.spec.sets().iter().enumerate() {
            let before = before.and_then(|before| before.datasets().nth(k));
            let stands_in_for = before.and_then(|set| set.stands_in_for.clone());
            datasets.push(Arc::new(open_dataset(&loaded.spec.request(set), display, stands_in_for, notices)?));
        }
        let names: Vec<&str> = datasets.iter().map(|set| set.facts.name.as_str()).collect();
        let used = loaded.spec.using(&names).for_sets(&facts_of(&datasets));
        // Where one set stands in for several, those have become one.
        let (sets, by_phase) = used.sets_by_phase();
        let asked = loaded.spec.sets_by_phase().1;
        let was = |set: usize| by_phase.iter().position(|of| *of == set).map_or(0, |phase| asked[phase]);
        let datasets = (0..sets.len()).map(|set| Arc::clone(&datasets[was(set)])).collect();
        Ok(Self { loaded: Loaded { spec: used, source: loaded.source.clone() }, datasets })
    }
}

/// Opens one data set; what must be said loudly is added to `notices`. `stands_in_for`: the set that it stood in for before.
pub fn open_dataset(
    request: &Request<'_>,
    display: Display,
    stands_in_for: Option<String>,
    notices: &mut Vec<String>,
) -> Result<Dataset, Failure> {
    let mut fetching = Fetching::new();
    let mut dataset = data::open(request, &mut |notice| match notice {
        data::Notice::Fetching(event) if display != Display::Progress => fetching::log(event),
        data::Notice::Fetching(event) => fetching.show(event),
        data::Notice::StandIn { .. } => notices.push(notice.to_string()),
    })?;
    drop(fetching);
    notices.extend(left_out(&dataset));
    if let Some(set) = stands_in_for {
        notices.push(format!(
            "`{set}` IS NOT USED: the generated set `{}` stands in for it, as before",
            dataset.facts.name
        ));
        dataset.stands_in_for = Some(set);
    }
    Ok(dataset)
}

/// What to say of files that are left out.
pub fn left_out(dataset: &Dataset) -> Option<String> {
    /// So many are named.
    const NAMED: usize = 5;
    let skipped = &dataset.skipped;
    let named = skipped.iter().take(NAMED).map(|bad| format!("{}: {}", bad.path.display(), bad.problem));
    let lines: Vec<String> = named.chain((skipped.len() > NAMED).then(|| "…".to_owned())).collect();
    (!skipped.is_empty()).then(|| {
        let (files, name) = (plural(skipped.len() as u64, "file"), &dataset.facts.name);
        format!("{files} of `{name}` left out, as skip_bad says\n{}", lines.join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_other_in_a_moment_is_worth_another_try() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let code = |path: &Path, go_on: bool| {
            not_ours(RunFolder::create_at(path, &[]).expect_err("it cannot be had"), go_on).exit() as i32
        };
        let held = RunFolder::create_at(&path, &[]).unwrap();
        assert_eq!([code(&path, false), code(&path, true)], [75, 75], "another process is at it");
        drop(held);
        std::fs::write(path.join(file::RUN), "{}").unwrap();
        assert_eq!([code(&path, false), code(&path, true)], [2, 75], "there is a run");
        let in_the_way = dir.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let free = dir.path().join("free");
        std::fs::create_dir(&free).unwrap();
        std::fs::write(free.join(file::PLAN), "of others").unwrap();
        assert_eq!([code(&free, false), code(&free, true)], [2, 2], "it holds files of others");
        assert_eq!([code(&in_the_way, false), code(&in_the_way.join("run"), true)], [2, 2], "no folder can be there");
    }

    #[test]
    fn another_seed_is_another_experiment() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create_at(&dir.path().join("run"), &[]).unwrap();
        let before = RunInfo { seed: 3, ..RunInfo::of_others("a", "aaaaaaaa", "cpu", "2026-01-01T00:00:00Z") };
        assert!(same_spec(&before, &folder, "aaaaaaaa", 3).is_ok());
        for (hash, seed) in [("aaaaaaaa", 4), ("bbbbbbbb", 3)] {
            let error = same_spec(&before, &folder, hash, seed).expect_err("it is another one");
            let is_said = matches!(&error, Failure::Usage(said) if said.contains("experiment.toml was changed"));
            assert!(is_said, "{error:?}");
        }
    }
}
