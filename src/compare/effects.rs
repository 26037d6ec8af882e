//! What each axis does, over all values of the others: where these are crossed, as in a grid, each run tells of every axis.

use super::axes::Axis;
use super::group::Lost;
use super::{Group, Options, Test};
use crate::stats::{Effect, anova, holm, mean};
use std::collections::BTreeSet;

/// Experiments that differ in more are no grid.
const MOST_AXES: usize = 8;

/// What axes do, each by itself and together.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Effects {
    pub axes: Vec<AxisEffect>,
    /// Whether what one axis does hangs on another's value; `None` where points have one run each, of which none is left to tell.
    pub together: Option<Tested>,
    /// Degrees of freedom of the error.
    pub df: usize,
    /// Whether the error is what runs of one point differ by; else it is what axes do together.
    pub repeated: bool,
    /// Whether what the seed does to all points is taken out of it.
    pub by_seed: bool,
    /// Points without a result, which are left out.
    pub left_out: usize,
    /// Seeds of the others that came to none: those that did do not speak for them.
    pub lost: usize,
}

/// One axis.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct AxisEffect {
    pub name: String,
    /// In order.
    pub levels: Vec<Level>,
    pub test: Option<Tested>,
}

/// One value of an axis.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Level {
    pub value: String,
    /// Points and runs that have it.
    pub points: usize,
    pub n: usize,
    /// Over the values of the other axes alike, whatever points are missing (least squares); of axes that go together, of the points'
    /// means.
    pub mean: f64,
}

/// An F-test.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Tested {
    #[serde(flatten)]
    pub effect: Effect,
    /// After Holm's correction for all that is tested here.
    pub p_adjusted: f64,
}

/// `None` where nothing is crossed: fewer than two axes, or points that what axes do each by itself tells apart.
pub fn effects(groups: &[Group], axes: &[Axis], options: &Options) -> Option<Effects> {
    if !(2..=MOST_AXES).contains(&axes.len()) {
        return None;
    }
    let samples: Vec<Vec<(u64, f64)>> = groups.iter().map(|group| sample(group, options)).collect();
    let points: Vec<usize> = (0..groups.len()).filter(|k| !samples[*k].is_empty()).collect();
    let levels: Vec<Vec<&str>> = axes.iter().map(|axis| levels(axis, &points)).collect();
    // A value of its own for each point is drawn from a range: no grid.
    if levels.iter().any(|levels| levels.len() < 2 || levels.len() == points.len()) {
        return None;
    }
    let place = |axis: usize, point: usize| {
        levels[axis].iter().position(|level| *level == axes[axis].values[point]).expect("a level for each value")
    };
    let runs =
        || points.iter().flat_map(|point| samples[*point].iter().map(move |(seed, value)| (*point, *seed, *value)));
    let factors: Vec<Vec<usize>> =
        (0..axes.len()).map(|axis| runs().map(|(point, ..)| place(axis, point)).collect()).collect();
    let values: Vec<f64> = runs().map(|(.., value)| value).collect();
    let seeds = seeds(points.iter().map(|point| &samples[*point])).filter(|_| options.test != Test::Welch);
    let blocks: Option<Vec<usize>> = seeds.map(|seeds| {
        runs().map(|(_, seed, _)| seeds.iter().position(|own| *own == seed).expect("a seed of all")).collect()
    });
    let found = anova(&factors, blocks.as_deref(), &values)?;
    let all: Vec<Option<Effect>> = found.factors.iter().copied().chain([found.together]).collect();
    let adjusted = holm(&all.iter().flatten().map(|effect| effect.p).collect::<Vec<f64>>());
    let mut adjusted = adjusted.into_iter();
    let mut tested =
        all.into_iter().map(|effect| effect.and_then(|effect| Some(Tested { effect, p_adjusted: adjusted.next()? })));
    let level = |axis: usize, k: usize| {
        let own: Vec<&Vec<(u64, f64)>> =
            points.iter().filter(|point| place(axis, **point) == k).map(|point| &samples[*point]).collect();
        let n = own.iter().map(|sample| sample.len()).sum();
        let of_point = |sample: &&Vec<(u64, f64)>| mean(&sample.iter().map(|(_, value)| *value).collect::<Vec<f64>>());
        let of_points = || mean(&own.iter().map(of_point).collect::<Vec<f64>>());
        let mean = found.means.as_ref().map_or_else(of_points, |means| means[axis][k]);
        Level { value: levels[axis][k].to_owned(), points: own.len(), n, mean }
    };
    let axes: Vec<AxisEffect> = axes
        .iter()
        .enumerate()
        .map(|(axis, Axis { name, .. })| AxisEffect {
            name: name.clone(),
            levels: (0..levels[axis].len()).map(|k| level(axis, k)).collect(),
            test: tested.next().flatten(),
        })
        .collect();
    Some(Effects {
        axes,
        together: tested.next().flatten(),
        df: found.df,
        repeated: found.repeated,
        by_seed: blocks.is_some(),
        left_out: groups.len() - points.len(),
        lost: points.iter().filter_map(|point| groups[*point].lost()).map(Lost::count).sum(),
    })
}

/// The values of a group's runs by seed; none where a run that counts has none.
fn sample(group: &Group, options: &Options) -> Vec<(u64, f64)> {
    let values: Vec<(u64, f64)> = group.quantities(options.by).unwrap_or_default().into_iter().collect();
    if values.iter().all(|(_, value)| value.is_finite()) { values } else { Vec::new() }
}

/// The values of an axis at these points: numbers in order, others as they come.
fn levels<'a>(axis: &'a Axis, points: &[usize]) -> Vec<&'a str> {
    let mut levels: Vec<&str> = Vec::new();
    for point in points {
        let value = axis.values[*point].as_str();
        if !levels.contains(&value) {
            levels.push(value);
        }
    }
    let numbers: Option<Vec<f64>> = levels.iter().map(|level| level.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut order: Vec<usize> = (0..levels.len()).collect();
        order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
        levels = order.into_iter().map(|k| levels[k]).collect();
    }
    levels
}

/// The seeds, where all points have two of them or more in common.
fn seeds<'a>(samples: impl Iterator<Item = &'a Vec<(u64, f64)>>) -> Option<Vec<u64>> {
    let of_points: Vec<BTreeSet<u64>> = samples.map(|sample| sample.iter().map(|(seed, _)| *seed).collect()).collect();
    let all: BTreeSet<u64> = of_points.iter().flatten().copied().collect();
    let common = all.iter().filter(|seed| of_points.iter().all(|own| own.contains(seed))).count();
    (common > 1).then(|| all.into_iter().collect())
}
