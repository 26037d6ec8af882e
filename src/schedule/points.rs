use super::{Curve, CurveEntry, Unsound};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings, Value};
use crate::units::number;

/// Straight lines between points `(tₖ, yₖ)`, of which the first is (0, 1) and the last (1, 0):
///
/// ```text
/// to + (from − to)·y(i/n)
/// ```
pub static ENTRY: CurveEntry = Entry {
    name: "points",
    summary: "a shape of its own: straight lines between points, to + (from − to)·y(i/n)",
    cite: "as numpy.interp",
    params: &[Param {
        key: "points",
        kind: Kind::List(&Kind::List(&Kind::Float(Interval::unbounded()))),
        default: Default::Required,
        doc: "`[[0.3, 0.6], [0.8, 0.1]]`: three tenths into the phase six tenths of the way are left, and so on; `[0, 1]` before them \
              and `[1, 0]` behind go without saying. Two at one place are a jump; beyond 0 and 1 it overshoots",
    }],
    shorthand: Some("points"),
    make: |settings| Box::new(points(settings)),
};

/// Where, and what is left of the way, with both ends; which of the file's is no pair, where one is none.
struct Points {
    points: Result<Vec<[f64; 2]>, usize>,
    /// How many stand before those of the file.
    before: usize,
}

/// Those of the file, with both ends.
fn points(settings: &Settings) -> Points {
    let float = |value| if let Value::Float(number) = value { Some(number) } else { None };
    let pair = |(k, value)| {
        let numbers = match value {
            Value::List(pair) => pair.into_iter().map(float).collect::<Option<Vec<f64>>>(),
            _ => None,
        };
        numbers.and_then(|pair| <[f64; 2]>::try_from(pair).ok()).ok_or(k)
    };
    let mut points = match settings.list("points").into_iter().enumerate().map(pair).collect::<Result<Vec<_>, _>>() {
        Ok(points) => points,
        Err(k) => return Points { points: Err(k), before: 0 },
    };
    let begins = points.first().is_some_and(|[t, _]| *t == 0.0);
    if !begins {
        points.insert(0, [0.0, 1.0]);
    }
    if points.last().is_none_or(|[t, _]| *t != 1.0) {
        points.push([1.0, 0.0]);
    }
    Points { points: Ok(points), before: usize::from(!begins) }
}

impl Points {
    /// Of the points, which is at fault, and why.
    fn fault(points: &[[f64; 2]]) -> Option<(usize, String)> {
        let last = points.len() - 1;
        let outside = |[t, _]: &[f64; 2]| !(0.0..=1.0).contains(t);
        if let Some(k) = points.iter().position(outside) {
            return Some((k, format!("takes points from 0 to 1, and this one lies at {}", number(points[k][0]))));
        }
        if let Some(k) = (1..=last).find(|k| points[*k][0] < points[k - 1][0]) {
            let [before, at] = [points[k - 1][0], points[k][0]].map(number);
            let why = "takes points in order";
            return Some((k, format!("{why}, and this one lies at {at}, before the one in front of it, at {before}")));
        }
        if let Some(k) = (2..=last).find(|k| points[*k][0] == points[k - 2][0]) {
            let at = number(points[k][0]);
            return Some((k, format!("takes two points at one place at most, a jump, and this is a third at {at}")));
        }
        let jump = "cannot jump where it begins or ends: let `from` and `to` be others";
        if points[1][0] == 0.0 {
            return Some((1, jump.to_owned()));
        }
        if points[last - 1][0] == 1.0 {
            return Some((last - 1, jump.to_owned()));
        }
        let ends = "begins at `from`, [0, 1], and ends at `to`, [1, 0]";
        let is_wrong = [(0, [0.0, 1.0]), (last, [1.0, 0.0])].into_iter().find(|(k, end)| points[*k] != *end);
        is_wrong.map(|(k, _)| (k, ends.to_owned()))
    }
}

impl Curve for Points {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        let points = self.points.as_deref().expect("a curve that is sound has its points");
        // The last at or before `t`: behind a jump.
        let before = points.partition_point(|[at, _]| *at <= t).clamp(1, points.len() - 1) - 1;
        let ([a, left], [b, then]) = (points[before], points[before + 1]);
        to + (from - to) * (left + (then - left) * ((t - a) / (b - a)))
    }

    fn range(&self, from: f64, to: f64) -> [f64; 2] {
        let values = self.points.iter().flatten().map(|[_, left]| to + (from - to) * left);
        values.fold([from.min(to), from.max(to)], |[low, high], value| [low.min(value), high.max(value)])
    }

    fn sound(&self) -> Result<(), Unsound> {
        let unsound = |k: usize, why: String| Unsound { setting: format!("points[{k}]"), why };
        match &self.points {
            Err(k) => {
                let why = "takes pairs: where, as a share of the phase, and how much of the way is left";
                Err(unsound(*k, why.to_owned()))
            }
            Ok(points) => match Self::fault(points) {
                // Those at the ends that go without saying are never at fault.
                Some((k, why)) => Err(unsound(k.saturating_sub(self.before), why)),
                None => Ok(()),
            },
        }
    }
}
