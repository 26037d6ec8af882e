//! `runner compare`.

use super::{Exit, Failure, output};
use crate::compare::{CompareError, Expectation, Options, Quantity, Test, compare, report};
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Runs that differ in the seed alone are one group, named by the settings in which groups differ. Only runs that trained to
their end count, one a seed.

Examples:
  runner compare runs/*dawnbench* --target 0.9 --price 2.5
  runner compare runs --baseline phases[1].lr.to=0.2 --markdown
  runner compare runs/20261123T120000Z-peak-lr-1a2b --plot peak-lr.svg
  runner compare runs/20261123T120000Z-peak-lr-1a2b --html peak-lr.html      opens in any browser
  runner compare runs/*cosine* runs/*linear* --expect \"cosine > linear at 0.05\"     exits 6 when it does not hold")]
pub struct CompareArgs {
    /// Run folders, or folders that hold some (a sweep, runs/)
    #[arg(required = true, value_name = "RUN|FOLDER")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    question: Question,
    /// A claim, as `A > B at 0.05`; exits 6 when it does not hold (repeatable)
    #[arg(long, value_name = "CLAIM")]
    expect: Vec<Expectation>,
    /// Write a line a group as CSV; `-` for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw the metric over training time and over images, in the mean over seeds, and the learning rates
    #[arg(long, value_name = "FILE.svg|FILE.png")]
    plot: Option<PathBuf>,
    /// Write one page with everything, for a browser: no network, its numbers are those of the tables
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Print all of it as one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the tables as Markdown
    #[arg(long)]
    markdown: bool,
}

/// What is asked of the runs.
#[derive(clap::Args, Debug)]
pub struct Question {
    /// What is compared: a column of metrics.csv
    #[arg(long, value_name = "NAME", default_value = "val_acc")]
    metric: String,
    /// Time how soon the metric reaches this value: the first evaluation at or beyond it
    #[arg(long, value_name = "VALUE")]
    target: Option<f64>,
    /// Price of an hour of training, for the cost of reaching the target
    #[arg(long, value_name = "PRICE", requires = "target")]
    price: Option<f64>,
    /// Compare the last evaluation, the best one, or the seconds to the target
    #[arg(long, value_enum, default_value_t = By::Final)]
    by: By,
    /// How differences are tested
    #[arg(long, value_enum, default_value_t = TestName::Welch)]
    test: TestName,
    /// The group that others are held against: its name, a part of it, or #NUMBER [default: the first]
    #[arg(long, value_name = "GROUP")]
    baseline: Option<String>,
    /// The level at which a difference counts
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = level)]
    alpha: f64,
}

impl Question {
    /// # Errors
    /// A usage error where it makes no sense.
    pub fn options(&self) -> Result<Options, Failure> {
        if matches!(self.by, By::Time) && self.target.is_none() {
            return Err(Failure::Usage(
                "--by time compares the seconds to a target: give one with --target".to_owned(),
            ));
        }
        Ok(Options {
            metric: self.metric.clone(),
            target: self.target,
            price: self.price,
            by: match self.by {
                By::Final => Quantity::Final,
                By::Best => Quantity::Best,
                By::Time => Quantity::Time,
            },
            test: match self.test {
                TestName::Welch => Test::Welch,
                TestName::Wilcoxon => Test::Wilcoxon,
            },
            baseline: self.baseline.clone(),
            alpha: self.alpha,
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Final,
    Best,
    Time,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TestName {
    Welch,
    Wilcoxon,
}

/// A probability between the impossible and the certain.
fn level(text: &str) -> Result<f64, String> {
    let level: Option<f64> = text.parse().ok();
    level.filter(|p| *p > 0.0 && *p < 1.0).ok_or_else(|| "expected a number between 0 and 1, such as 0.05".to_owned())
}

/// Reads, compares, prints.
pub fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let options = args.question.options()?;
    if let Some(to) = &args.plot {
        output::PictureFormat::of(to, "--plot")?;
    }
    let usage = |error: CompareError| Failure::Usage(error.to_string());
    let comparison = compare(&args.paths, options).map_err(usage)?;
    let verdicts = comparison.judge(&args.expect).map_err(usage)?;
    if let Some(to) = &args.csv {
        output::write(to, |out| report::csv(&comparison, out))?;
    }
    if let Some(to) = &args.plot {
        output::picture(to, "--plot", report::svg(&comparison).map_err(anyhow::Error::from)?)?;
    }
    if let Some(to) = &args.html {
        let page = report::html(&comparison, &verdicts).map_err(anyhow::Error::from)?;
        output::write(to, |out| out.write_all(page.as_bytes()))?;
    }
    if args.json {
        output::print(&format!("{:#}\n", report::json(&comparison, &verdicts)))?;
    } else if args.markdown {
        output::print(&report::markdown(&comparison, &verdicts))?;
    } else if ![&args.csv, &args.html].iter().any(|to| to.as_deref().is_some_and(output::is_stdout)) {
        output::print(&report::terminal(&comparison, &verdicts, output::width()))?;
    }
    Ok(if verdicts.iter().all(|verdict| verdict.holds) { Exit::Done } else { Exit::NotAsExpected })
}
