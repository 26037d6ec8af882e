//! The words of the report's tables, the same in every form of it.

use super::{Scale, cost, images, p_value, span, with_digits};
use crate::compare::effects::{AxisEffect, Level, Tested};
use crate::compare::name::{has_planned, written};
use crate::compare::{
    Comparison, Contrast, Group, Lost, Options, Quantity, Summary, Test, TimeToTarget, Told, Untested, Verdict,
};
use crate::record::text::plural;
use crate::stats::Pairing;
use crate::units::number;
use std::ops::Range;

/// A table in words.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Sheet {
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// The columns that hold numbers, which stand to the right.
    pub numbers: Range<usize>,
}

/// Where the groups' names stand.
#[derive(Clone, Copy, PartialEq)]
pub enum Names {
    Beside,
    Apart,
}

/// Of two groups, the settings that differ side by side.
pub fn differences(comparison: &Comparison) -> Option<Sheet> {
    let [one, two] = &comparison.groups[..] else { return None };
    let row = |(path, value): (&String, &serde_json::Value)| {
        let other = two.differing.get(path).unwrap_or(&serde_json::Value::Null);
        vec![path.clone(), written(value), written(other)]
    };
    let rows: Vec<Vec<String>> = one.differing.iter().map(row).collect();
    let heads = ["setting", "#1", "#2"].map(str::to_owned).to_vec();
    (!rows.is_empty()).then_some(Sheet { heads, rows, numbers: 0..0 })
}

/// What is said of settings of phases of the plan, where groups differ in some and these may be others than the file's.
pub fn planned(comparison: &Comparison) -> Option<&'static str> {
    has_planned(&comparison.groups).then_some(
        "planned[0] is the first phase of the plan, where a recipe of the file stands for several (`runner plan` lists them); \
         phases[0] is the file's first, as --set counts",
    )
}

/// The groups' names, the best group first.
pub fn names(comparison: &Comparison) -> Sheet {
    let row = |k: usize| vec![format!("#{}", k + 1), named(comparison, k)];
    let rows = ranking(comparison).into_iter().map(row).collect();
    Sheet { heads: ["#", "group"].map(str::to_owned).to_vec(), rows, numbers: 0..0 }
}

/// The groups, the best mean first, each by its number.
pub fn results(comparison: &Comparison, names: Names) -> Sheet {
    let options = &comparison.options;
    let scale = Scale::of_metric(options);
    let (metric, unit) = (&options.metric, scale.unit());
    let beside = names == Names::Beside;
    let mut heads = vec!["#".to_owned()];
    heads.extend(beside.then(|| "group".to_owned()));
    heads.push("n".to_owned());
    heads.push(format!("{metric}{unit}"));
    heads.push(format!("best{unit}"));
    heads.push("training".to_owned());
    if let Some(target) = options.target {
        heads.push(format!("to {}{unit}", scale.show(target).trim_end_matches('0').trim_end_matches('.')));
        heads.push("images".to_owned());
        heads.extend(options.price.map(|_| "cost".to_owned()));
    }
    let mut rows = Vec::new();
    for k in ranking(comparison) {
        let group = &comparison.groups[k];
        let mut cells = vec![format!("#{}", k + 1)];
        cells.extend(beside.then(|| named(comparison, k)));
        cells.push(n(group));
        cells.push(spread(group.last(), scale));
        cells.push(spread(group.best(), scale));
        cells.push(group.train_seconds().map_or("–".to_owned(), span));
        if let Some(time) = group.time_to_target(options) {
            cells.extend(to_target(&time));
            cells.extend(options.price.map(|_| time.cost.map_or("–".to_owned(), cost)));
        }
        rows.push(cells);
    }
    let numbers = if beside { 2 } else { 1 }..heads.len();
    Sheet { heads, rows, numbers }
}

/// The name of group `k`, marked where the others are held against it.
fn named(comparison: &Comparison, k: usize) -> String {
    let mark = if k == comparison.baseline && comparison.groups.len() > 1 { " (baseline)" } else { "" };
    format!("{}{mark}", comparison.groups[k].name)
}

/// Counted runs, and how many there are where some do not count.
fn n(group: &Group) -> String {
    match (group.counted.len(), group.runs.len()) {
        (counted, all) if counted == all => counted.to_string(),
        (counted, all) => format!("{counted} of {all}"),
    }
}

/// `85.80 ± 0.12`
fn spread(summary: Option<Summary>, scale: Scale) -> String {
    let Some(Summary { mean, sd, .. }) = summary else { return "–".to_owned() };
    match sd {
        Some(sd) if !mean.is_nan() => format!("{} ± {}", scale.show(mean), scale.show(sd)),
        _ => scale.show(mean),
    }
}

fn to_target(time: &TimeToTarget) -> [String; 2] {
    let share = format!("({}/{})", time.reached, time.of);
    let seconds = time.seconds.as_ref().map_or("never".to_owned(), |s| span(s.mean));
    [format!("{seconds} {share}"), time.images.as_ref().map_or("–".to_owned(), |s| images(s.mean))]
}

/// The groups' indices, the best last value first; those without one at the end.
pub fn ranking(comparison: &Comparison) -> Vec<usize> {
    let lower = comparison.options.lower_is_better();
    let key = |k: &usize| match comparison.groups[*k].last() {
        Some(Summary { mean, .. }) if !mean.is_nan() => {
            if lower {
                mean
            } else {
                -mean
            }
        }
        _ => f64::INFINITY,
    };
    let mut order: Vec<usize> = (0..comparison.groups.len()).collect();
    order.sort_by(|a, b| key(a).total_cmp(&key(b)));
    order
}

/// The value that stands for a run.
pub fn quantity(options: &Options) -> String {
    match options.by {
        Quantity::Final => format!("final {}", options.metric),
        Quantity::Best => format!("best {}", options.metric),
        Quantity::Time => "training seconds to the target".to_owned(),
    }
}

/// What the contrasts compare, and how.
pub fn contrasts_title(comparison: &Comparison) -> String {
    let options = &comparison.options;
    let what = quantity(options);
    // Contrasts without a p were not tested, and the others not corrected for them.
    let tested = || comparison.contrasts.iter().filter(|c| c.p.is_some());
    // Where none has one, what was tried.
    let none = tested().next().is_none();
    let test = match (options.test, pairings(comparison.contrasts.iter().filter(|c| none || c.p.is_some()))) {
        (Test::Welch, _) => "Welch's t-test",
        (Test::Paired, Pairings::All) => "Student's t-test of pairs",
        (Test::Paired, Pairings::Mixed) => "Student's t-test of pairs where there are seeds in common, else Welch's",
        (Test::Paired, Pairings::None) => "Welch's t-test",
        (Test::Wilcoxon, Pairings::All) => "Wilcoxon's signed-rank test",
        (Test::Wilcoxon, Pairings::Mixed) => {
            "Wilcoxon's signed-rank test where there are seeds in common, else his rank-sum test"
        }
        (Test::Wilcoxon, Pairings::None) => "Wilcoxon's rank-sum test",
    };
    let holm = match tested().count() {
        0 | 1 => String::new(),
        several => format!(", p corrected for {several} comparisons (Holm)"),
    };
    let with_interval = || comparison.contrasts.iter().filter(|c| c.interval.is_some());
    let intervals = match pairings(with_interval()) {
        _ if with_interval().next().is_none() => "",
        Pairings::All => "; intervals: bootstrap, paired by seed",
        Pairings::Mixed => "; intervals: bootstrap, paired by seed where the test is",
        Pairings::None => "; intervals: bootstrap",
    };
    let (baseline, scale) = (comparison.baseline + 1, Scale::of_quantity(options));
    // Holm's correction is of p: intervals are no wider for being many.
    let each = if with_interval().nth(1).is_some() { ", each by itself" } else { "" };
    let within = |margin: f64| format!("; the same: interval within ±{}{}{each}", scale.given(margin), scale.unit());
    let same = options.margin.map(within).unwrap_or_default();
    format!("against #{baseline}: {what}; {test}{holm}{intervals}{same}")
}

/// How many of some contrasts are paired.
#[derive(Clone, Copy)]
enum Pairings {
    All,
    Mixed,
    None,
}

fn pairings<'a>(contrasts: impl Iterator<Item = &'a Contrast>) -> Pairings {
    let (paired, unpaired): (Vec<_>, Vec<_>) = contrasts.partition(|c| c.pairing == Pairing::Paired);
    match (paired.is_empty(), unpaired.is_empty()) {
        (true, _) => Pairings::None,
        (false, true) => Pairings::All,
        (false, false) => Pairings::Mixed,
    }
}

/// Each group against the baseline.
pub fn contrasts(comparison: &Comparison) -> Sheet {
    let options = &comparison.options;
    let scale = Scale::of_quantity(options);
    let confidence = number((1e6 * (1.0 - options.alpha)).round() / 1e4);
    let heads = ["#".to_owned(), format!("difference{}", scale.unit()), format!("{confidence} % interval")];
    let heads = heads.into_iter().chain(["p", "effect (g)", "verdict"].map(str::to_owned)).collect();
    let dash = || "–".to_owned();
    let interval = |i: crate::stats::Interval| format!("{} … {}", scale.signed(i.low), scale.signed(i.high));
    let row = |contrast: &Contrast| {
        vec![
            format!("#{}", contrast.group + 1),
            if contrast.difference.is_nan() { dash() } else { scale.signed(contrast.difference) },
            contrast.interval.map_or_else(dash, interval),
            contrast.p_adjusted.map_or_else(dash, p_value),
            contrast.effect.map_or_else(dash, |g| format!("{g:+.1}")),
            verdict(contrast, comparison),
        ]
    };
    Sheet { heads, rows: comparison.contrasts.iter().map(row).collect(), numbers: 2..5 }
}

/// What each axis does, and how that was tested.
pub fn effects(comparison: &Comparison) -> Option<(String, Sheet)> {
    let (options, effects) = (&comparison.options, comparison.effects.as_ref()?);
    let scale = Scale::of_quantity(options);
    let tests = effects.axes.iter().filter_map(|axis| axis.test.as_ref()).chain(&effects.together).count();
    let holm = if tests > 1 { format!(", p corrected for {tests} tests (Holm)") } else { String::new() };
    let error = match (effects.repeated, effects.by_seed) {
        (true, false) => "against what seeds of a point differ by",
        (true, true) => "against what seeds of a point differ by, but for what a seed does to all",
        (false, _) => "against what axes do together, for each point has one run",
    };
    let left_out = match effects.left_out {
        0 => String::new(),
        n => format!("; {} without a result left out", plural(n as u64, "point")),
    };
    let lost = match effects.lost {
        0 => String::new(),
        n => {
            format!("; of the others {} that diverged, failed or were given up left out too", plural(n as u64, "seed"))
        }
    };
    let freedom = plural(effects.df as u64, "degree");
    let title = format!(
        "what each axis does, in the mean over the others: {}; F-tests {error} ({freedom} of freedom){holm}{left_out}{lost}",
        quantity(options)
    );
    let heads = ["axis".to_owned(), "value".to_owned(), "points".to_owned(), "n".to_owned()];
    let heads = heads.into_iter().chain([format!("mean{}", scale.unit()), "F".to_owned(), "p".to_owned()]).collect();
    let tested = |test: &Option<Tested>| match test {
        Some(Tested { effect, p_adjusted }) => [with_digits(effect.f, 3, 1, 4), p_value(*p_adjusted)],
        None => ["–".to_owned(), "–".to_owned()],
    };
    let rows_of = |axis: &AxisEffect| {
        let row = |(k, level): (usize, &Level)| {
            let (name, [f, p]) = if k == 0 { (axis.name.clone(), tested(&axis.test)) } else { Default::default() };
            vec![name, level.value.clone(), level.points.to_string(), level.n.to_string(), scale.show(level.mean), f, p]
        };
        axis.levels.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = effects.axes.iter().flat_map(rows_of).collect();
    if effects.together.is_some() {
        let [f, p] = tested(&effects.together);
        let what = "whether one hangs on another".to_owned();
        rows.push(vec![what, String::new(), String::new(), String::new(), String::new(), f, p]);
    }
    Some((title, Sheet { heads, rows, numbers: 2..7 }))
}

/// What can be told, and behind it which seeds it is told without.
fn verdict(contrast: &Contrast, comparison: &Comparison) -> String {
    let [own, baseline] = [contrast.group, contrast.baseline].map(|k| comparison.groups[k].lost());
    if let Some(all) = own.and_then(Lost::all) {
        return all;
    }
    let number = contrast.baseline + 1;
    if let Some(all) = baseline.and_then(Lost::all) {
        return format!("#{number} {all}");
    }
    let lost = own.map(Lost::words).into_iter().chain(baseline.map(|lost| format!("of #{number} {}", lost.words())));
    let lost: Vec<String> = lost.collect();
    let told = told(contrast, &comparison.options);
    if lost.is_empty() { told } else { format!("{told} ({})", lost.join("; ")) }
}

/// What can be told from the runs that count, in words.
fn told(contrast: &Contrast, options: &Options) -> String {
    let scale = Scale::of_quantity(options);
    let side = |better: bool| if better { "better" } else { "worse" };
    let margin = || scale.given(options.margin.unwrap_or_default());
    // A pair may want a run of one side alone.
    let each = if contrast.left_out == [0, 0] { "each" } else { "in common" };
    let seeds = |more: usize| format!("{} {each}", plural(more as u64, "more seed"));
    match contrast.told(options) {
        Told::Unlike(what) => format!("not comparable: of different {what}"),
        Told::Differs { better, negligible: true } => format!("{}, by less than {}", side(better), margin()),
        Told::Differs { better, negligible: false } => side(better).to_owned(),
        Told::Untested(why) => untested(why).unwrap_or("too few runs to tell").to_owned(),
        Told::Same => format!("the same within {}", margin()),
        Told::PerhapsSame { lacks } => format!("the same within {}? at least {}", margin(), seeds(lacks)),
        Told::PerhapsDiffers { better, more } => {
            let about = if contrast.at_least { "at least" } else { "about" };
            format!("{}? {about} {}", side(better), seeds(more))
        }
        Told::Nothing => match contrast.interval {
            Some(interval) => format!("cannot be told: could reach {}", scale.signed(interval.farthest())),
            None => "cannot be told".to_owned(),
        },
    }
}

/// Why there is no p, where more runs would not help.
fn untested(why: Option<Untested>) -> Option<&'static str> {
    match why? {
        Untested::TooFew => None,
        Untested::NotReached => Some("not all runs reached the target"),
        Untested::NotFinite => Some("not all values are finite: no test"),
        Untested::Constant => Some("the values do not vary: no test"),
        Untested::EqualPairs => Some("the runs of each seed are equal: no test"),
        Untested::EqualDifferences => Some("the runs of each seed differ by the same: no test"),
    }
}

/// `holds: #1 > #2 at 0.05 (difference +0.35 %, p 0.0021)`
pub fn claim(comparison: &Comparison, verdict: &Verdict) -> String {
    let scale = Scale::of_quantity(&comparison.options);
    let expectation = &verdict.expectation;
    let sign = expectation.order.sign();
    let word = if verdict.holds { "holds" } else { "DOES NOT HOLD" };
    let no_test = untested(verdict.untested).unwrap_or("too few runs to test");
    let p = verdict.p_adjusted.map_or(no_test.to_owned(), |p| p_of(comparison, verdict, p));
    let difference = format!("difference {}{}", scale.signed(verdict.difference), scale.unit());
    let known = (!verdict.difference.is_nan()).then_some(difference);
    let facts = known.into_iter().chain([p]).chain(in_place(comparison, verdict)).chain(verdict.perhaps.clone());
    let facts: Vec<String> = facts.collect();
    let against = verdict.against.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    format!(
        "{word}: {} {sign} {} at {} ({}{against})",
        expectation.left,
        expectation.right,
        number(expectation.alpha),
        facts.join(", "),
    )
}

/// `p 0.0466`; where the table has another p of the same pair, `p 0.0466 by itself, 0.33 among the table's 7 comparisons`
fn p_of(comparison: &Comparison, verdict: &Verdict, p: f64) -> String {
    let p = p_value(p);
    let Some(other) = verdict.p_table.map(p_value).filter(|other| *other != p) else { return format!("p {p}") };
    let claims = match verdict.claims {
        1 => "by itself".to_owned(),
        several => format!("among {several} claims"),
    };
    let comparisons = match comparison.contrasts.iter().filter(|contrast| contrast.p.is_some()).count() {
        1 => "by itself in the table".to_owned(),
        several => format!("among the table's {several} comparisons"),
    };
    format!("p {p} {claims}, {other} {comparisons}")
}

/// The test that was done, where it is not the one that was asked for.
fn in_place(comparison: &Comparison, verdict: &Verdict) -> Option<String> {
    verdict.p_adjusted.filter(|_| verdict.pairing == Pairing::Unpaired)?;
    let test = match comparison.options.test {
        Test::Welch => return None,
        Test::Paired => "Welch's t-test",
        Test::Wilcoxon => "rank-sum test",
    };
    Some(format!("by {test}: too few seeds in common"))
}
