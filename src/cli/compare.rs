//! `runner compare`.

use super::output::{self, Outputs, PictureFormat};
use super::{Exit, Failure};
use crate::compare::{CompareError, Expectation, Options, Quantity, Test, Verdict, compare, report};
use crate::units::number;
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Runs that differ in the seed alone are one group, named by the settings in which groups differ; trials of a sweep by \
their values of its axes. Only runs that trained to their end count, one a seed. That no difference is found is no sign \
that there is none: that groups are the same is said of an interval within --margin alone.

Examples:
  runner compare runs/*dawnbench* --target 0.9 --price 2.5
  runner compare runs --baseline 'phases[1].lr.to=0.2' --markdown
  runner compare runs --baseline 2
  runner compare runs/20261123T120000Z-peak-lr-1a2b --plot peak-lr.svg
  runner compare runs/20261123T120000Z-peak-lr-1a2b --html peak-lr.html     # for any browser
  runner compare runs/*cosine* runs/*linear* --margin 0.5     # the same within half a point?
  runner compare runs/*cosine* runs/*linear* --expect 'cosine > linear at 0.05'

Exit codes: 0 done; 1 a file cannot be written; 2 usage, or runs that cannot be compared; 4 all runs diverged; 6 a claim does not hold, which \
is then said on standard error where no tables are printed.")]
pub struct CompareArgs {
    /// Run folders, or folders that hold some (a sweep, runs/)
    #[arg(required = true, value_name = "RUN|FOLDER")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    question: Question,
    /// A claim, as `A > B at 0.05`; exits 6 when it does not hold (repeatable). Its p is corrected (Holm) for the number of
    /// claims, not for that of the table's comparisons: claim before the runs are there, for one picked from the table proves
    /// little
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
    /// Time how soon the metric reaches this value, of an accuracy a fraction, as 0.94: the first evaluation at or beyond it
    #[arg(long, value_name = "VALUE", value_parser = finite, allow_negative_numbers = true)]
    target: Option<f64>,
    /// Price of an hour of training, for the cost of reaching the target
    #[arg(long, value_name = "PRICE", requires = "target", value_parser = price, allow_negative_numbers = true)]
    price: Option<f64>,
    /// Compare the last evaluation, the best one, or the seconds to the target
    #[arg(long, value_enum, default_value_t = By::Final)]
    by: By,
    /// How differences are tested
    #[arg(long, value_enum, default_value_t = TestName::Welch)]
    test: TestName,
    /// The group that others are held against: its name, a part of it, a setting, or its number, 2 or '#2' [default: the first]
    #[arg(long, value_name = "GROUP")]
    baseline: Option<String>,
    /// The level at which a difference counts; intervals are of a confidence of 1 - P
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = level, allow_negative_numbers = true)]
    alpha: f64,
    /// Call groups the same where their difference is below this, in the unit of the tables: of accuracies points of per cent.
    /// The interval that is shown has to lie within, of six runs a side or more: of fewer it is too narrow. Two one-sided tests
    /// at the level of --alpha would ask for a confidence of 1 - 2 P, a narrower one. Each comparison is by itself: among many,
    /// some that differ may be called the same, fewer with a smaller --alpha
    #[arg(long, value_name = "X", value_parser = margin, allow_negative_numbers = true)]
    margin: Option<f64>,
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
        self.check_target()?;
        let options = Options {
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
                TestName::Paired => Test::Paired,
                TestName::Wilcoxon => Test::Wilcoxon,
            },
            baseline: self.baseline.clone(),
            alpha: self.alpha,
            margin: None,
        };
        let margin = self.margin.map(|shown| report::meant(shown, &options));
        Ok(Options { margin, ..options })
    }

    /// Accuracies are fractions: no run reaches a target in per cent.
    fn check_target(&self) -> Result<(), Failure> {
        let is_accuracy = self.metric.contains("acc");
        let Some(target) = self.target.filter(|target| is_accuracy && !(0.0..=1.0).contains(target)) else {
            return Ok(());
        };
        // Rounded: 93.1 / 100 is not 0.931.
        let fraction = (target * 100.0).round() / 1e4;
        let help = match target > 1.0 && target <= 100.0 {
            true => format!("\nhelp: did you mean {}?", number(fraction)),
            false => String::new(),
        };
        let (metric, target) = (&self.metric, number(target));
        Err(Failure::Usage(format!("--target {target}: {metric} is a fraction, between 0 and 1{help}")))
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
    /// Welch's t-test
    Welch,
    /// Student's t-test of pairs, over the seeds that both groups have (fewer than two, or than half of a group's: Welch's): for
    /// trials that share a beginning
    Paired,
    /// Wilcoxon's signed ranks, over the seeds that both groups have (fewer than two, or than half of a group's: his rank sums)
    Wilcoxon,
}

/// A probability between the impossible and the certain.
fn level(text: &str) -> Result<f64, String> {
    let level: Option<f64> = text.parse().ok();
    level.filter(|p| *p > 0.0 && *p < 1.0).ok_or_else(|| "expected a number between 0 and 1, such as 0.05".to_owned())
}

fn finite(text: &str) -> Result<f64, String> {
    let value: Option<f64> = text.parse().ok();
    value.filter(|value| value.is_finite()).ok_or_else(|| "expected a number, such as 0.94".to_owned())
}

/// A difference that matters.
fn margin(text: &str) -> Result<f64, String> {
    let margin = finite(text).ok().filter(|margin| *margin > 0.0);
    margin.ok_or_else(|| "expected a number above 0, such as 0.5".to_owned())
}

/// What an hour of a machine costs.
pub fn price(text: &str) -> Result<f64, String> {
    let price = finite(text).ok().filter(|price| *price >= 0.0);
    price.ok_or_else(|| "expected a number that is not below 0, such as 2.5".to_owned())
}

impl CompareArgs {
    fn outputs(&self) -> Outputs<'_> {
        let printed = Outputs::default().prints("--json", self.json).prints("--markdown", self.markdown);
        printed.file("--csv", &self.csv).file("--html", &self.html).file("--plot", &self.plot)
    }
}

/// Reads, compares, prints.
pub fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let options = args.question.options()?;
    if let Some(to) = &args.plot {
        PictureFormat::of(to, "--plot")?;
    }
    let outputs = args.outputs();
    outputs.check(&args.paths)?;
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
        output::write_bytes(to, page.as_bytes())?;
    }
    if args.json {
        output::print(&format!("{:#}\n", report::json(&comparison, &verdicts)))?;
    } else if args.markdown {
        output::print(&report::markdown(&comparison, &verdicts))?;
    } else if !outputs.take_stdout() {
        output::print(&report::terminal(&comparison, &verdicts, output::width()))?;
    }
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.holds).collect();
    // The tables say it themselves.
    if outputs.take_stdout() && !args.markdown {
        failed.iter().for_each(|verdict| anstream::eprintln!("{}", report::claim(&comparison, verdict)));
    }
    Ok(match failed.is_empty() {
        false => Exit::NotAsExpected,
        true if comparison.all_diverged() => Exit::Diverged,
        true => Exit::Done,
    })
}
