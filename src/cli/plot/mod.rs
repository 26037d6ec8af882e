//! `runner plot`.

mod labels;

use super::output::{self, Outputs, PictureFormat};
use super::{Exit, Failure, paths};
use crate::compare::{folders_with_runs, not_looked_into, pruned, runs_in};
use crate::plot::{self, Across, LrScale, RunRows, ScheduleOptions, Scheduled};
use crate::record::folder::file;
use crate::record::reader::{RunReader, Table, TableState};
use crate::record::rows::{MetricsRow, PlanRow, PlannedStepRow, TraceRow};
use crate::record::run_json::RunInfo;
use crate::record::text::plural;
use crate::record::{RecordError, Status};
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  runner plot runs/20261123T120000Z-dawnbench-1a2b
  runner plot runs/*-dawnbench-* --output seeds.png --across epochs
  runner plot runs/* --schedule --output schedules.svg
  runner plot runs/20261123T120000Z-peak-lr-1a2b          the trials of a sweep

Runs of one name are called by what was varied between them, as `runner compare` calls groups; those of one experiment by \
their seeds.
Runs that are still going on or ended badly are drawn as far as they came. What is no run is left out, and said."
)]
pub struct PlotArgs {
    /// Run folders, or folders that hold some (a sweep, runs/)
    #[arg(required = true, value_name = "RUN|FOLDER")]
    paths: Vec<PathBuf>,
    /// The picture [default: curves.svg, with --schedule schedule.svg, in the current folder]
    #[arg(long, short, value_name = "FILE.svg|FILE.png")]
    output: Option<PathBuf>,
    /// What runs from left to right; `seconds` of training alone
    #[arg(long, value_name = "WHAT", default_value = "steps", value_parser = ["steps", "epochs", "seconds", "images"])]
    across: String,
    /// Draw the learning rate and momentum that steps used, instead of loss and accuracy
    #[arg(long)]
    schedule: bool,
    /// Draw learning rates on a logarithmic axis
    #[arg(long, requires = "schedule")]
    log: bool,
}

/// A run as it was read.
struct Read {
    folder: PathBuf,
    info: RunInfo,
    live: Option<bool>,
    /// Whether its sweep gave it up.
    pruned: bool,
    plan: Table<PlanRow>,
    metrics: Table<MetricsRow>,
    trace: Table<TraceRow>,
}

/// Draws runs into one picture.
pub fn run(args: &PlotArgs) -> Result<Exit, Failure> {
    let to = output_file(args)?;
    PictureFormat::of(&to, "--output")?;
    Outputs::default().file("--output", [&to]).check(&args.paths)?;
    let runs = read_all(&args.paths)?;
    let labels = labels::labels(&runs);
    let rows = runs.iter().zip(&labels).map(|(run, label)| run.rows(label));
    // A run without steps has no schedule.
    let rows: Vec<RunRows<'_>> = rows.filter(|run| !args.schedule || !run.trace.is_empty()).collect();
    if rows.is_empty() {
        let message = format!("no run has a step in its {}: there is no schedule to draw", file::TRACE);
        return Err(Failure::Usage(message));
    }
    output::picture(&to, "--output", draw(args, &title(&runs, &labels), &rows))?;
    output::print(&format!("{} shows {}\n", to.display(), plural(rows.len() as u64, "run")))?;
    Ok(Exit::Done)
}

/// Where the picture goes.
fn output_file(args: &PlotArgs) -> Result<PathBuf, Failure> {
    if let Some(to) = &args.output {
        return Ok(to.clone());
    }
    let to = if args.schedule { file::SCHEDULE } else { file::CURVES };
    if paths::is_run(Path::new(".")) {
        let message = format!("this folder is a run's, which has its own {to}: name another file with --output");
        return Err(Failure::Usage(message));
    }
    Ok(to.into())
}

/// The run folders that the paths are or hold, each once; behind them the paths that lead to none, of which reading says why.
fn folders(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let leads_to_runs = |path: &PathBuf| runs_in(std::slice::from_ref(path)).is_ok();
    let (known, others): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(leads_to_runs);
    if let ([only], []) = (&others[..], &known[..]) {
        holds_sweeps_alone(only)?;
        // With a better guess at what was meant than among many.
        paths::run(only)?;
    }
    let runs = runs_in(&known).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(runs.into_iter().chain(others).collect())
}

/// # Errors
/// When a folder holds no run itself, but folders with runs, as `runs/` does where all there is are sweeps.
fn holds_sweeps_alone(path: &Path) -> Result<(), Failure> {
    let inside = folders_with_runs(path);
    let Some(first) = inside.first().filter(|_| !paths::is_run(path)) else { return Ok(()) };
    let message = match inside.len() {
        1 => format!("{} holds no run itself, but a folder with runs", path.display()),
        n => format!("{} holds no run itself, but {n} folders with runs", path.display()),
    };
    let named = path.join(first);
    Err(Failure::Usage(format!("{message}\nhelp: name that folder: `runner plot {}`", named.display())))
}

/// Reads the runs; says what is left out, and what is not whole.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Read>, Failure> {
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    let folders = folders(paths)?;
    for folder in &folders {
        match Read::new(folder) {
            Ok(run) => runs.push(run),
            Err(error) => left_out.push(error.to_string()),
        }
    }
    if runs.is_empty() {
        return Err(Failure::Usage(left_out.join("\n")));
    }
    let given_up = pruned(runs.iter().map(|run| (run.folder.as_path(), &run.info)), None);
    for (run, pruned) in runs.iter_mut().zip(given_up) {
        run.pruned = pruned;
    }
    for problem in left_out {
        anstream::eprintln!("left out: {problem}");
    }
    if let Some(what) = not_looked_into(paths, &folders) {
        anstream::eprintln!("{what}");
    }
    for run in &runs {
        if let Some(what) = run.caveat() {
            anstream::eprintln!("{}: {what}", run.folder.display());
        }
    }
    Ok(runs)
}

impl Read {
    fn new(folder: &Path) -> Result<Self, RecordError> {
        let reader = RunReader::open(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            info: reader.info()?,
            live: reader.is_live(),
            pruned: false,
            plan: reader.plan()?,
            metrics: reader.metrics()?,
            trace: reader.trace()?,
        })
    }

    fn rows<'a>(&'a self, name: &'a str) -> RunRows<'a> {
        RunRows { name, phases: &self.plan.rows, metrics: &self.metrics.rows, trace: &self.trace.rows }
    }

    /// How the run stands, unless it is done.
    fn standing(&self) -> Option<&'static str> {
        match self.info.status {
            Status::Done => None,
            Status::Running if self.live == Some(false) => Some("killed"),
            _ if self.pruned => Some("pruned"),
            status => Some(status.name()),
        }
    }

    /// What a person should know of a run that is not whole.
    fn caveat(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        if let Some(standing) = self.standing() {
            // Of one that was pruned it is that it was stopped.
            let reason = self.info.exit_reason.as_ref().filter(|_| !self.pruned);
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            parts.push(format!("{standing}{reason}, drawn as far as it came"));
        }
        let tables =
            [(file::PLAN, self.plan.state), (file::METRICS, self.metrics.state), (file::TRACE, self.trace.state)];
        for (name, state) in tables {
            match state {
                TableState::Whole => {}
                TableState::Torn => parts.push(format!("the last line of {name} is torn and left out")),
                TableState::Missing => parts.push(format!("{name} is missing")),
            }
        }
        let cut_short = self.info.cut_short(self.metrics.rows.last().map(|row| row.step));
        parts.extend(cut_short.map(|what| format!("{}: {what}", file::METRICS)));
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// One run's label, or the names of the runs where they fit.
fn title(runs: &[Read], labels: &[String]) -> String {
    const MOST: usize = 60;
    if let [only] = labels {
        return only.clone();
    }
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.info.name.as_str()) {
            names.push(&run.info.name);
        }
    }
    let joined = names.join(", ");
    if names.len() == 1 || joined.len() <= MOST { joined } else { format!("{} experiments", names.len()) }
}

fn draw(args: &PlotArgs, title: &str, runs: &[RunRows<'_>]) -> String {
    let across = Across::named(&args.across);
    let lr = if args.log { LrScale::Log } else { LrScale::ByCurves };
    match (args.schedule, runs) {
        // As `runner plan --plot` draws the plan, which knows no seconds.
        (true, [run]) if across != Across::Seconds => {
            let steps: Vec<PlannedStepRow> = run.trace.iter().map(PlannedStepRow::from).collect();
            let options = ScheduleOptions { across, lr, ..ScheduleOptions::default() };
            plot::schedule(title, run.phases, Scheduled { steps: &steps, own: &[], ends: &[] }, options)
        }
        (true, _) => plot::schedules(title, runs, across, lr),
        (false, _) => plot::curves(title, runs, across),
    }
}
