//! The command line: one file a subcommand.

mod bench;
mod compare;
mod completions;
mod data;
mod device;
mod eval;
mod exit;
mod export;
mod fetching;
mod find_lr;
mod go_on;
mod groups;
mod list;
mod model;
mod origins;
mod output;
mod paths;
mod plan;
mod plot;
mod prepare;
mod recorded;
mod rules;
mod schema;
mod serve;
mod sweep;
mod table;
mod train;

pub use exit::{Exit, Failure};

use crate::config::Override;
use crate::record::console::LogWriter;
use clap::{Args, Parser, Subcommand};

/// Finds out how to train image networks faster.
///
/// An experiment is a TOML file: phases with their own optimizer, learning-rate and momentum curves, image size and batch.
/// `runner CONFIG` trains it and leaves a folder of CSV files; `runner plan CONFIG` shows beforehand what it will do.
#[derive(Parser)]
#[command(
    name = "runner",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
#[command(subcommand_negates_reqs = true, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::TrainArgs,
}

const AFTER_HELP: &str = "\
Examples:
  runner configs/dawnbench.toml                          # trains, as `runner train` does
  runner configs/dawnbench.toml --set 'phases[1].lr.to=0.2' --seed 2
  runner plan configs/dawnbench.toml --plot schedule.png
  runner train --resume runs/20261123T120000Z-dawnbench-1a2b
  runner data fetch cifar10
  runner find-lr configs/dawnbench.toml --phase 1 --plot find-lr.png
  runner eval runs/20261123T120000Z-dawnbench-1a2b --confusion confusion.png
  runner plot runs/*-dawnbench-* --output seeds.svg

Exit codes: 0 done; 1 unexpected; 2 usage or configuration; 3 data; 4 diverged; 5 some trials of a sweep failed, or none has a result; 6 an expectation \
of `compare` does not hold; 75 try again: stopped by a signal after a checkpoint or before it began, a sweep is not whole, or another process writes the run or the sweep.";

#[derive(Subcommand)]
enum Command {
    /// Train an experiment, or go on with a run
    Train(train::TrainArgs),
    /// Show, list and draw what training will do, without training
    Plan(plan::PlanArgs),
    /// Show the layers of an experiment's net, and what they take
    Model(model::ModelArgs),
    /// Try learning rates from far too small to far too large, and suggest some
    FindLr(find_lr::FindLrArgs),
    /// Evaluate a run's weights: accuracy, per class, confusion matrix
    Eval(eval::EvalArgs),
    /// Draw loss and accuracy, or the schedule, of one run or several
    Plot(plot::PlotArgs),
    /// Try many experiments: the points of a sweep file
    Sweep(sweep::SweepArgs),
    /// Tell which of several experiments is better, and whether that can be told
    Compare(compare::CompareArgs),
    /// Show runs in a browser while they train
    Serve(serve::ServeArgs),
    /// Write runs and sweeps for other programs, or send them there
    Export(export::ExportArgs),
    /// List what an experiment can name: data sets, optimizers, curves…
    List(list::ListArgs),
    /// List the data sets, fetch one, look at one
    Data(data::DataArgs),
    /// Measure how fast training steps are on this machine
    Bench(bench::BenchArgs),
    /// Print the JSON Schema of experiment files, for editors and other tools
    Schema(schema::SchemaArgs),
    /// Write a script that lets a shell complete commands and options
    Completions(completions::CompletionsArgs),
}

/// Which experiment, as edited on the command line.
#[derive(Args, Clone, Debug)]
pub struct Overrides {
    /// Replace a value of the experiment: a path and a TOML value, as `--set 'phases[1].lr.to=0.4'` (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Replace the experiment's seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl Overrides {
    /// Those of `--set` in the order given; an option of its own has the last word.
    pub fn list(&self) -> Vec<Override> {
        let seed = |seed: u64| Override::Flag { flag: "--seed", key: "seed", value: seed.to_string() };
        self.set.iter().cloned().map(Override::Set).chain(self.seed.map(seed)).collect()
    }
}

/// Parses the process's arguments and does what they say.
pub fn main() -> std::process::ExitCode {
    env_logger::Builder::new()
        // The writer takes colours off where they are not wanted, and keeps log lines out of moving ones.
        .write_style(env_logger::WriteStyle::Always)
        .target(env_logger::Target::Pipe(Box::new(LogWriter)))
        .parse_env(env_logger::Env::default().default_filter_or("error,runner=warn"))
        .init();
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Plan(args)) => plan::run(&args),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::FindLr(args)) => find_lr::run(&args),
        Some(Command::Eval(args)) => eval::run(&args),
        Some(Command::Plot(args)) => plot::run(&args),
        Some(Command::Sweep(args)) => sweep::run(&args),
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::List(args)) => list::run(&args),
        Some(Command::Data(args)) => data::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Schema(args)) => schema::run(&args),
        Some(Command::Completions(args)) => completions::run(&args),
        None => train::run(&cli.train),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.eprint();
            failure.exit().into()
        }
    }
}
