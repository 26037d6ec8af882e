//! `runner plan`.

use super::{Exit, Failure, Overrides, prepare};
use crate::config;
use crate::data::FactsSource;
use crate::plan::Plan;
use crate::plot::{self, ScheduleOptions, Shown};
use crate::record::atomic;
use crate::units::count;
use anyhow::Context as _;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  runner plan configs/dawnbench.toml
  runner plan configs/dawnbench.toml --plot schedule.png --trace trace.csv
  runner plan configs/dawnbench.toml --set phases[1].lr.from=0.2 --csv -")]
pub struct PlanArgs {
    /// The experiment: a TOML file
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    /// Write the phases as CSV, as in a run's plan.csv; `-` for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write what every step will use as CSV, as in a run's trace.csv; `-` for standard output
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Draw learning rate and momentum over the steps
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    plot: Option<PathBuf>,
    /// Draw without the phases' optimizers and sizes
    #[arg(long, requires = "plot")]
    no_labels: bool,
    /// Draw without momentum
    #[arg(long, requires = "plot")]
    no_momentum: bool,
}

/// Shows, lists and draws.
pub fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    let loaded = config::load(&args.config, &args.overrides.set)?;
    let facts = prepare::facts(&loaded.spec)?;
    let plan = prepare::plan(&loaded, &facts)?;
    let writes = |to: &Option<PathBuf>| to.as_deref() == Some(Path::new("-"));
    if !writes(&args.csv) && !writes(&args.trace) {
        let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
        let source = match facts.source {
            FactsSource::Data => "counted in its files",
            FactsSource::File => "as the experiment gives it",
            FactsSource::Official => "the set is absent: its official figures",
            FactsSource::StandIn => "the stand-in: the set itself is absent",
        };
        let text = format!(
            "{}{}: {} training and {} validation images of {} classes ({source})\n",
            plan.table(width),
            facts.name,
            count(facts.train_images as u64),
            count(facts.val_images as u64),
            facts.classes
        );
        to_stdout(|| anstream::stdout().write_all(text.as_bytes()))?;
    }
    if let Some(to) = &args.csv {
        write(to, |out| plan.write_csv(out))?;
    }
    if let Some(to) = &args.trace {
        write(to, |out| plan.write_trace(out))?;
    }
    if let Some(to) = &args.plot {
        draw(args, &loaded.spec.name, &plan, to)?;
    }
    Ok(Exit::Done)
}

fn write(to: &Path, rows: impl FnOnce(&mut dyn Write) -> csv::Result<()>) -> anyhow::Result<()> {
    if to == Path::new("-") {
        return to_stdout(|| rows(&mut std::io::stdout().lock()).map_err(std::io::Error::from));
    }
    atomic::write_with(to, |out| rows(out).map_err(std::io::Error::other))?;
    Ok(())
}

/// Writes to standard output; a reader that has seen enough, as `head`, is no error.
fn to_stdout(write: impl FnOnce() -> std::io::Result<()>) -> anyhow::Result<()> {
    match write() {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

fn draw(args: &PlanArgs, name: &str, plan: &Plan, to: &Path) -> Result<(), Failure> {
    let shown = |hidden: bool| if hidden { Shown::No } else { Shown::Yes };
    let options = ScheduleOptions { labels: shown(args.no_labels), momentum: shown(args.no_momentum) };
    let svg = plot::schedule(name, &plan.rows(), &plan.sample(plot::POINTS), options);
    let bytes = match to.extension().and_then(|e| e.to_str()) {
        Some("svg") => svg.into_bytes(),
        Some("png") => plot::png(&svg, 2.0).context("cannot draw the picture")?,
        _ => {
            let message = format!("--plot {}: the name must end in .svg or .png", to.display());
            return Err(Failure::Usage(message));
        }
    };
    Ok(atomic::write(to, &bytes).map_err(anyhow::Error::from)?)
}
