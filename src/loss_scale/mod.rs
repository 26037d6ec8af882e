//! Factors on the loss that keep gradients of half precision from vanishing.
//!
//! Gradients of activations are stored in `f16`, whose smallest number is 6e-8 and whose largest 65504. Those of `scale` times
//! the loss are computed instead, and the parameters' gradients, which are `f32`, divided by it before anything looks at them.

pub mod dynamic;
pub mod fixed;

use crate::registry::{Choice, Describe, Entry, Family, Settings, find};
use serde::{Deserialize, Serialize};

/// How a scale moves.
pub trait LossScale: Send + Sync {
    /// The scale of the first step.
    fn initial(&self) -> f64;

    /// The scale after a step whose gradients were all `finite`, or were not, which leaves the step out; `None` where that ends
    /// training.
    fn after(&self, scale: Scale, finite: bool) -> Option<Scale>;
}

/// A scale between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    pub value: f64,
    /// Steps in a row that the rule counts: of `dynamic` the good ones since it last changed, of `static` those left out.
    #[serde(alias = "steady")]
    pub streak: u64,
    /// Steps that were left out so far.
    pub skipped: u64,
}

/// An entry of the family `loss-scale`.
pub type LossScaleEntry = Entry<fn(&Settings) -> Box<dyn LossScale>>;

pub static ENTRIES: &[&LossScaleEntry] = &[&fixed::ENTRY, &dynamic::ENTRY];

pub static FAMILY: Family = Family {
    name: "loss-scale",
    doc: "A factor on the loss while gradients are computed, so that small ones are not lost in half precision",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The rule that a checked choice stands for.
///
/// # Panics
/// When there is no such entry.
pub fn make(choice: &Choice) -> Box<dyn LossScale> {
    let entry = find(ENTRIES, &choice.kind).expect("a checked loss scale is known");
    (entry.make)(&choice.settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Value;

    fn rule(entry: &LossScaleEntry, settings: &[(&str, Value)]) -> Box<dyn LossScale> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        (entry.make)(&Settings(settings))
    }

    #[test]
    fn a_dynamic_scale_grows_when_all_is_well_and_shrinks_when_it_is_not() {
        let numbers = [("initial", 8.0), ("growth", 2.0), ("backoff", 0.5)].map(|(key, x)| (key, Value::Float(x)));
        let rule = rule(&dynamic::ENTRY, &[&numbers[..], &[("every", Value::Int(3))]].concat());
        let mut scale = Scale { value: rule.initial(), streak: 0, skipped: 0 };
        // As PyTorch's GradScaler with these constants: the third good step in a row doubles it, a bad one halves it.
        let good = [true, true, true, true, false, true, true, false, true, true, true];
        let expected = [8.0, 8.0, 16.0, 16.0, 8.0, 8.0, 8.0, 4.0, 4.0, 4.0, 8.0];
        let found = good.map(|finite| {
            scale = rule.after(scale, finite).unwrap();
            scale.value
        });
        assert_eq!(found, expected);
        assert_eq!(scale.skipped, 2);
        let last = Scale { value: 1.0, ..scale };
        assert_eq!(rule.after(last, false), None, "no scale below 1");
        let huge = Scale { value: dynamic::LARGEST, streak: 2, skipped: 0 };
        assert_eq!(rule.after(huge, true).unwrap().value, dynamic::LARGEST);
    }

    #[test]
    fn a_fixed_scale_stays_and_leaves_out_what_is_not_finite() {
        let rule = rule(&fixed::ENTRY, &[("scale", Value::Float(512.0))]);
        let scale = Scale { value: rule.initial(), streak: 0, skipped: 0 };
        assert_eq!(rule.after(scale, true), Some(scale));
        let bad = rule.after(scale, false).unwrap();
        assert_eq!(bad, Scale { skipped: 1, streak: 1, ..scale });
        assert_eq!(rule.after(bad, true), Some(Scale { streak: 0, ..bad }));
        // When no step is good any more, it is no use to go on.
        let after_many = (0..99).fold(scale, |scale, _| rule.after(scale, false).unwrap());
        assert_eq!(rule.after(after_many, false), None);
    }
}
