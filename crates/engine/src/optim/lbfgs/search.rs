//! A search along a line for a point that satisfies the strong Wolfe conditions.

/// The loss must fall by this share of what the slope at the start promises.
const ENOUGH: f64 = 1e-4;
/// The slope must be this share of that at the start, or flatter.
const FLAT: f64 = 0.9;

/// A point on the line.
#[derive(Clone)]
pub struct Point {
    /// Its place: 0 at the start.
    pub t: f64,
    pub loss: f64,
    pub grad: Vec<f32>,
    /// Of the loss along the line.
    pub slope: f64,
}

/// What the search stops at.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Evaluations after the first.
    pub evaluations: usize,
    /// The line's largest component: a bracket is narrow when no value differs by `tolerance` across it.
    pub largest: f64,
    pub tolerance: f64,
}

/// Searches from `start`, first at `t`, for `p` with
///
/// ```text
/// loss(p) ≤ loss(start) + 1e-4·t·slope(start)       and       |slope(p)| ≤ 0.9·|slope(start)|
/// ```
///
/// by bracketing and cubic interpolation (Nocedal and Wright 2006, algorithms 3.5 and 3.6), with the constants and safeguards
/// of PyTorch's `LBFGS`. Gives the lowest point that was found when a limit is reached, which may be the start. Where PyTorch
/// goes further out after a loss that is no number, this goes back.
///
/// # Errors
/// Those of `evaluate`.
pub fn strong_wolfe(
    start: &Point,
    t: f64,
    limits: Limits,
    mut evaluate: impl FnMut(f64) -> anyhow::Result<Point>,
) -> anyhow::Result<Point> {
    // Neither is true of NaN.
    let falls = |p: &Point| p.loss <= start.loss + ENOUGH * p.t * start.slope;
    let is_flat = |p: &Point| p.slope.abs() <= -FLAT * start.slope;
    let mut left = limits.evaluations;

    let (mut before, mut here) = (start.clone(), evaluate(t)?);
    let mut bracket = loop {
        if left == 0 {
            break [start.clone(), here];
        }
        let rises = limits.evaluations - left > 1 && here.loss >= before.loss;
        if !falls(&here) || rises {
            break [before, here];
        }
        if is_flat(&here) {
            return Ok(here);
        }
        if here.slope >= 0.0 {
            break [before, here];
        }
        let further = (here.t + 0.01 * (here.t - before.t), 10.0 * here.t);
        let t = cubic(&before, &here, further);
        before = std::mem::replace(&mut here, evaluate(t)?);
        left -= 1;
    };

    let mut was_close = false;
    while left > 0 {
        let (from, to) = (bracket[0].t.min(bracket[1].t), bracket[0].t.max(bracket[1].t));
        if (to - from) * limits.largest < limits.tolerance {
            break;
        }
        let mut t = cubic(&bracket[0], &bracket[1], (from, to));
        // Twice close to an end, or at it: a tenth of the bracket away from there.
        let margin = 0.1 * (to - from);
        let is_close = (to - t).min(t - from) < margin;
        if is_close && (was_close || t >= to || t <= from) {
            t = if (t - to).abs() < (t - from).abs() { to - margin } else { from + margin };
            was_close = false;
        } else {
            was_close = is_close;
        }
        let here = evaluate(t)?;
        left -= 1;
        let low = lower(&bracket);
        if !falls(&here) || here.loss >= bracket[low].loss {
            bracket[1 - low] = here;
        } else if is_flat(&here) {
            return Ok(here);
        } else {
            // The minimum lies between the new point and the end that its slope points to.
            if here.slope * (bracket[1 - low].t - bracket[low].t) >= 0.0 {
                bracket.swap(0, 1);
            }
            bracket[low] = here;
        }
    }
    let low = lower(&bracket);
    let [first, second] = bracket;
    Ok(if low == 0 { first } else { second })
}

/// Which end of a bracket has the lower loss; one that is no number is the higher.
fn lower(bracket: &[Point; 2]) -> usize {
    usize::from(bracket[1].loss < bracket[0].loss || bracket[0].loss.is_nan())
}

/// Where the cubic through two points with their slopes has its minimum, within the bounds; their middle where it has none.
fn cubic(a: &Point, b: &Point, (least, most): (f64, f64)) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    let (a, b) = if a.t <= b.t { (a, b) } else { (b, a) };
    let t = b.t - (b.t - a.t) * ((b.slope + square.sqrt() - d1) / (b.slope - a.slope + 2.0 * square.sqrt()));
    if t.is_nan() { f64::midpoint(least, most) } else { t.max(least).min(most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { evaluations: 25, largest: 1.0, tolerance: 1e-9 };

    fn point(t: f64, loss: f64, slope: f64) -> Point {
        Point { t, loss, slope, grad: vec![slope as f32] }
    }

    #[test]
    fn the_conditions_hold_from_any_first_step() {
        // A dip behind a bend: loss and slope along the line.
        let along = |t: f64| point(t, (t - 2.0).powi(2) + (3.0 * t).sin(), 2.0 * (t - 2.0) + 3.0 * (3.0 * t).cos());
        let start = along(0.0);
        for first in [1e-6, 0.01, 0.5, 1.0, 3.0, 40.0, 1e4] {
            let found = strong_wolfe(&start, first, LIMITS, |t| Ok(along(t))).unwrap();
            assert!(found.loss <= start.loss + ENOUGH * found.t * start.slope, "{first}: {}", found.t);
            assert!(found.slope.abs() <= -FLAT * start.slope, "{first}: {}", found.t);
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_turned_back_from() {
        let along = |t: f64| if t > 1.0 { point(t, f64::NAN, f64::NAN) } else { point(t, -t, -1.0) };
        for first in [1.5, 8.0] {
            let found = strong_wolfe(&along(0.0), first, LIMITS, |t| Ok(along(t))).unwrap();
            assert!(found.t > 0.0 && found.t <= 1.0 && found.loss < 0.0, "{first}: {}", found.t);
        }
        let nowhere = strong_wolfe(&along(0.0), 1.0, LIMITS, |t| Ok(point(t, f64::NAN, f64::NAN))).unwrap();
        assert_eq!(nowhere.t, 0.0, "the start is the lowest");
    }

    #[test]
    fn the_evaluations_are_no_more_than_asked_for() {
        for most in 0..6 {
            let mut count = 0;
            let limits = Limits { evaluations: most, ..LIMITS };
            let endless = |t: f64| point(t, -t, -1.0);
            strong_wolfe(&endless(0.0), 1.0, limits, |t| {
                count += 1;
                Ok(endless(t))
            })
            .unwrap();
            assert_eq!(count, most + 1);
        }
    }
}
