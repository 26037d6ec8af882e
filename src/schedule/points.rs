use super::{Curve, CurveEntry};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings, Value};

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
    make: |settings| Box::new(Points(points(settings))),
};

/// Where, and what is left of the way; `None` where a list is no pair.
struct Points(Option<Vec<[f64; 2]>>);

/// Those of the file, with both ends.
fn points(settings: &Settings) -> Option<Vec<[f64; 2]>> {
    let number = |value| if let Value::Float(number) = value { Some(number) } else { None };
    let pair = |value| match value {
        Value::List(pair) => {
            let pair: Option<Vec<f64>> = pair.into_iter().map(number).collect();
            <[f64; 2]>::try_from(pair?).ok()
        }
        _ => None,
    };
    let mut points = settings.list("points").into_iter().map(pair).collect::<Option<Vec<_>>>()?;
    if points.first().is_none_or(|[t, _]| *t != 0.0) {
        points.insert(0, [0.0, 1.0]);
    }
    if points.last().is_none_or(|[t, _]| *t != 1.0) {
        points.push([1.0, 0.0]);
    }
    Some(points)
}

impl Curve for Points {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        let points = self.0.as_deref().expect("a curve that is sound has its points");
        // The last at or before `t`: behind a jump.
        let before = points.partition_point(|[at, _]| *at <= t).clamp(1, points.len() - 1) - 1;
        let ([a, left], [b, then]) = (points[before], points[before + 1]);
        to + (from - to) * (left + (then - left) * ((t - a) / (b - a)))
    }

    fn range(&self, from: f64, to: f64) -> [f64; 2] {
        let values = self.0.iter().flatten().map(|[_, left]| to + (from - to) * left);
        values.fold([from.min(to), from.max(to)], |[low, high], value| [low.min(value), high.max(value)])
    }

    fn sound(&self) -> Result<(), &'static str> {
        let points =
            self.0.as_deref().ok_or("takes pairs: where, as a share of the phase, and how much of the way is left")?;
        let within = |[t, _]: &[f64; 2]| (0.0..=1.0).contains(t);
        if !points.iter().all(within) || !points.is_sorted_by(|[a, _], [b, _]| a <= b) {
            Err("takes points one behind the other, from 0 to 1")
        } else if points.windows(3).any(|three| three[0][0] == three[2][0]) {
            Err("takes two points at one place at most: a jump")
        } else if points[1][0] == 0.0 || points[points.len() - 2][0] == 1.0 {
            Err("cannot jump where it begins or ends: let `from` and `to` be others")
        } else if points[0] != [0.0, 1.0] || points[points.len() - 1] != [1.0, 0.0] {
            Err("begins at `from`, [0, 1], and ends at `to`, [1, 0]")
        } else {
            Ok(())
        }
    }
}
