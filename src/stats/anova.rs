//! What several factors do to a value, each by itself: analysis of variance.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};
use std::collections::BTreeSet;

/// How much of the spread a factor, or several together, make.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Effect {
    /// `(squares it explains / df) / (squares of the error / its df)`
    pub f: f64,
    pub df: usize,
    pub p: f64,
}

/// An analysis of variance over factors that are crossed.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Anova {
    /// Of each factor, over all others.
    pub factors: Vec<Option<Effect>>,
    /// Of all that the factors do not do each by itself: whether what one does hangs on another. `None` where nothing is left to
    /// tell that from chance.
    pub together: Option<Effect>,
    /// Of each factor at each of its levels, over the levels of all others alike: least-squares means, which points that are missing do
    /// not move. `None` where the factors cannot be told apart, as where two go together.
    pub means: Option<Vec<Vec<f64>>>,
    /// Of the error.
    pub df: usize,
    /// Whether the error is what repeated values of a point differ by; else it is what factors do together.
    pub repeated: bool,
}

/// Type II: the squares of a factor are what a model of all factors, each by itself, explains beyond one without it (statsmodels'
/// `anova_lm(typ=2)`); so points may be missing, or have different numbers of values. The error is what values of one point differ by,
/// where there are several; else what the factors do together.
///
/// `factors`: of each the level of each value, from 0, none of them without a value. `blocks`: levels of what is no factor of interest and goes through all points, as a seed
/// that all of them were trained with.
///
/// `None` where levels are not crossed, so that nothing is left beside what factors do by themselves; where nothing varies; where a
/// value is not finite.
pub fn anova(factors: &[Vec<usize>], blocks: Option<&[usize]>, values: &[f64]) -> Option<Anova> {
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let blocks: Vec<&[usize]> = blocks.into_iter().collect();
    let points = points(factors, values.len());
    let fit = |factors: &[&[usize]]| residual(&[factors, &blocks].concat(), values);
    let alone: Vec<&[usize]> = factors.iter().map(Vec::as_slice).collect();
    let additive = fit(&alone);
    let whole = fit(&[&points]);
    let crossed = additive.df.checked_sub(whole.df).filter(|df| *df > 0)?;
    let repeated = whole.df > 0;
    let error = if repeated { whole } else { additive };
    // What rounding leaves of values that do not vary is no error to measure by.
    let variance = error.squares / error.df as f64;
    let scale = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    if variance <= (1e-12 * scale).powi(2) {
        return None;
    }
    let effect = |squares: f64, df: usize| {
        let f = squares.max(0.0) / df as f64 / variance;
        let distribution = FisherSnedecor::new(df as f64, error.df as f64).ok()?;
        Some(Effect { f, df, p: distribution.sf(f) })
    };
    let of_factor = |k: usize| {
        let others: Vec<&[usize]> =
            alone.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, levels)| *levels).collect();
        let without = fit(&others);
        effect(without.squares - additive.squares, without.df.checked_sub(additive.df).filter(|df| *df > 0)?)
    };
    Some(Anova {
        means: means(&alone, &blocks, values, values.len() - additive.df),
        factors: (0..factors.len()).map(of_factor).collect(),
        together: if repeated { effect(additive.squares - whole.squares, crossed) } else { None },
        df: error.df,
        repeated,
    })
}

/// Sweeps over the factors that the means are found in: each takes a good part of what is missing.
const SWEEPS: usize = 1000;

/// Least-squares means, by turns: what a level adds is the mean of what the others leave of its values. `rank`: of the model.
fn means(factors: &[&[usize]], blocks: &[&[usize]], values: &[f64], rank: usize) -> Option<Vec<Vec<f64>>> {
    let all: Vec<&[usize]> = [factors, blocks].concat();
    let levels: Vec<usize> = all.iter().map(|factor| factor.iter().max().map_or(0, |last| last + 1)).collect();
    if rank != 1 + levels.iter().map(|levels| levels - 1).sum::<usize>() {
        return None;
    }
    let middle = values.iter().sum::<f64>() / values.len() as f64;
    let mut added: Vec<Vec<f64>> = levels.iter().map(|levels| vec![0.0; *levels]).collect();
    for _ in 0..SWEEPS {
        let mut moved: f64 = 0.0;
        for k in 0..all.len() {
            let mut sums = vec![(0.0, 0usize); levels[k]];
            for (at, value) in values.iter().enumerate() {
                let others: f64 = (0..all.len()).filter(|j| *j != k).map(|j| added[j][all[j][at]]).sum();
                let (sum, count) = &mut sums[all[k][at]];
                *sum += value - middle - others;
                *count += 1;
            }
            for (own, (sum, count)) in added[k].iter_mut().zip(sums) {
                let new = sum / count.max(1) as f64;
                moved = moved.max((new - *own).abs());
                *own = new;
            }
        }
        if moved <= 1e-15 * middle.abs().max(1e-300) {
            break;
        }
    }
    let mean = |k: usize| added[k].iter().sum::<f64>() / levels[k] as f64;
    let whole = middle + (0..all.len()).map(mean).sum::<f64>();
    let of = |k: usize| added[k].iter().map(|own| whole - mean(k) + own).collect();
    Some((0..factors.len()).map(of).collect())
}

/// The point of each value: all its levels as one.
fn points(factors: &[Vec<usize>], count: usize) -> Vec<usize> {
    let levels = |value: usize| factors.iter().map(|factor| factor[value]).collect::<Vec<usize>>();
    let there: BTreeSet<Vec<usize>> = (0..count).map(levels).collect();
    let there: Vec<Vec<usize>> = there.into_iter().collect();
    (0..count).map(|value| there.binary_search(&levels(value)).unwrap_or_default()).collect()
}

/// What a model leaves: the sum of squares, and its degrees of freedom.
#[derive(Clone, Copy)]
struct Residual {
    squares: f64,
    df: usize,
}

/// Below this part of its length a column is a sum of those before it.
const DEPENDENT: f64 = 1e-9;

/// Least squares of values by a constant and one for each level of each factor, by Gram and Schmidt.
fn residual(factors: &[&[usize]], values: &[f64]) -> Residual {
    let constant = std::iter::once(vec![1.0; values.len()]);
    let indicators = factors.iter().flat_map(|factor| {
        let levels: BTreeSet<usize> = factor.iter().copied().collect();
        levels.into_iter().map(|level| factor.iter().map(|own| f64::from(u8::from(*own == level))).collect())
    });
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut left = values.to_vec();
    for mut column in constant.chain(indicators) {
        let length = dot(&column, &column).sqrt();
        // Twice: once leaves what rounding makes of nearly equal columns.
        for direction in basis.iter().chain(&basis) {
            take_out(&mut column, direction);
        }
        let own = dot(&column, &column).sqrt();
        if own > DEPENDENT * length {
            column.iter_mut().for_each(|x| *x /= own);
            take_out(&mut left, &column);
            take_out(&mut left, &column);
            basis.push(column);
        }
    }
    Residual { squares: dot(&left, &left), df: values.len() - basis.len() }
}

/// Takes the part along a direction of length one out.
fn take_out(of: &mut [f64], direction: &[f64]) {
    let along = dot(of, direction);
    of.iter_mut().zip(direction).for_each(|(x, d)| *x -= along * d);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
