//! `runner plan`.

use super::output::{self, Outputs, PictureFormat};
use super::prepare::Planned;
use super::{Exit, Failure, Overrides, origins, paths, prepare, rules};
use crate::config;
use crate::config::spec::Spec;
use crate::data::{Facts, FactsSource};
use crate::plan::Plan;
use crate::plot::{self, Across, LrScale, ScheduleOptions, Scheduled, Shown};
use crate::train::PICTURES;
use crate::units::{classes, count};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  runner plan configs/dawnbench.toml
  runner plan configs/dawnbench.toml --plot schedule.png --trace trace.csv
  runner plan configs/imagenet-fastai-18min.toml --plot schedule.svg --across epochs --log
  runner plan configs/dawnbench.toml --set 'phases[1].lr.from=0.2' --csv -
  runner plan configs/dawnbench.toml --json | jq '.phases[].lr'
  runner plan configs/dawnbench.toml --seed 2 --origins
  runner plan configs/schedules/one-cycle.toml --expand > plain.toml")]
pub struct PlanArgs {
    /// The experiment: a TOML file
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    /// List every setting with its value and where that comes from, in place of the phases
    #[arg(long)]
    origins: bool,
    /// Print the whole experiment as TOML, recipes as the plain phases they stand for, in place of the table
    #[arg(long, conflicts_with = "origins")]
    expand: bool,
    /// Print phases, data sets and all settings as one JSON object, in place of the table
    #[arg(long, conflicts_with_all = ["origins", "expand"])]
    json: bool,
    /// Write the phases as CSV, as in a run's plan.csv; `-` for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write what every step will use as CSV, as in a run's trace.csv; `-` for standard output
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Draw learning rate, momentum and what else moves
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    plot: Option<PathBuf>,
    /// What runs from left to right in the picture
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "steps",
        value_parser = ["steps", "epochs", "images"],
        requires = "plot"
    )]
    across: String,
    /// Draw learning rates on a logarithmic axis: those far apart are told from each other, and small ones from 0
    #[arg(long, requires = "plot")]
    log: bool,
    /// Draw without the phases' optimizers and sizes
    #[arg(long, requires = "plot")]
    no_labels: bool,
    /// Draw without momentum
    #[arg(long, requires = "plot")]
    no_momentum: bool,
}

impl PlanArgs {
    fn outputs(&self) -> Outputs<'_> {
        let printed = Outputs::default().prints("--origins", self.origins).prints("--expand", self.expand);
        let printed = printed.prints("--json", self.json);
        printed.file("--csv", &self.csv).file("--trace", &self.trace).file("--plot", &self.plot)
    }
}

/// Shows, lists and draws.
pub fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    if let Some(to) = &args.plot {
        PictureFormat::of(to, "--plot")?;
    }
    let outputs = args.outputs();
    outputs.check([&args.config])?;
    let loaded = paths::load(&args.config, &args.overrides.list())?;
    outputs.check(loaded.source.files())?;
    outputs.spare(&loaded.spec, None)?;
    if args.origins {
        // Before the plan is made: where a setting comes from is asked most when something does not fit.
        output::print(&origins::table(&loaded, output::width()))?;
    }
    let Planned { plan, facts } = prepare::planned(&loaded)?;
    prepare::weights_there(&loaded, &facts)?;
    let has_table = !outputs.take_stdout();
    let remarks = prepare::remarks(&loaded.spec, &plan, &facts[0]);
    for notice in prepare::notices(&loaded.spec, &facts, has_table).chain(remarks) {
        output::notice(&notice);
    }
    if args.json {
        output::print(&format!("{:#}\n", as_json(&loaded.spec, &plan, &facts)))?;
    }
    if args.expand {
        output::print(&config::write(&loaded.spec))?;
    }
    if has_table {
        let spec = loaded.spec.for_sets(&facts);
        let rules = rules::table(&spec, &plan, &prepare::members(&spec, &facts[0])?);
        let (table, data) = (plan.table(output::width()), facts.iter().map(data_line).collect::<Vec<_>>());
        output::print(&format!("{table}{rules}{}\n", data.join("\n")))?;
    }
    if let Some(to) = &args.csv {
        output::write(to, |out| plan.write_csv(out).map_err(std::io::Error::from))?;
    }
    if let Some(to) = &args.trace {
        output::write(to, |out| plan.write_trace(out).map_err(std::io::Error::from))?;
    }
    if let Some(to) = &args.plot {
        output::picture(to, "--plot", draw(args, &loaded.spec.name, &plan))?;
    }
    Ok(Exit::Done)
}

/// The plan for programs.
fn as_json(spec: &Spec, plan: &Plan, facts: &[Facts]) -> Value {
    let set = |facts: &Facts| {
        json!({
            "name": facts.name,
            "train_images": facts.train_images,
            "val_images": facts.val_images,
            "classes": facts.classes,
            "channels": facts.channels,
            "size": facts.size,
            "known": known(facts),
        })
    };
    let mut value = plan.json();
    value["name"] = json!(spec.name);
    value["seed"] = json!(spec.seed);
    value["datasets"] = facts.iter().map(set).collect();
    value["settings"] = json!(spec.settings());
    value
}

/// Where figures are known from.
fn known(facts: &Facts) -> &'static str {
    match facts.source {
        FactsSource::Data => "counted in its files",
        FactsSource::Drawn => "drawn in memory",
        FactsSource::File => "as the experiment gives it",
        FactsSource::Official => "the set is absent: its official figures",
        FactsSource::StandIn => "the stand-in: the set itself is absent",
    }
}

/// What is planned with, and where it is known from.
pub fn data_line(facts: &Facts) -> String {
    if facts.name == PICTURES {
        return format!("{}: {} at a time", facts.name, facts.train_images);
    }
    format!(
        "{}: {} training and {} validation images of {} ({})",
        facts.name,
        count(facts.train_images as u64),
        count(facts.val_images as u64),
        classes(facts.classes),
        known(facts)
    )
}

fn draw(args: &PlanArgs, name: &str, plan: &Plan) -> String {
    let shown = |hidden: bool| if hidden { Shown::No } else { Shown::Yes };
    let options = ScheduleOptions {
        labels: shown(args.no_labels),
        momentum: shown(args.no_momentum),
        across: Across::named(&args.across),
        lr: if args.log { LrScale::Log } else { LrScale::ByCurves },
    };
    let (steps, own) = (plan.sample(plot::POINTS), plan.sample_own(plot::POINTS));
    plot::schedule(name, &plan.rows(), Scheduled { steps: &steps, own: &own, ends: &plan.ends() }, options)
}
