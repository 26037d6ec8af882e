//! Curves and ramps: a hyper-parameter as a pure function of the step; recipes: phases made of them.

pub mod constant;
pub mod cosine;
pub mod exponential;
pub mod inverse;
pub mod linear;
pub mod points;
pub mod poly;
pub mod power;
pub mod recipes;
pub mod rex;

mod length;
mod ramp;

pub use length::Length;
pub use ramp::{Ramp, RampError, Run};

use crate::registry::{Describe, Entry, Family, Settings};

/// The shape of a decay: where between `from` and `to` a phase stands.
///
/// A step `i` of a phase's `n` stands at `t = i/n`: the interval is half-open, no step uses `to` itself, for it is where
/// the next phase begins.
pub trait Curve: Send + Sync {
    /// The value at fraction `t = i/n` of the phase, `0 ≤ t < 1`, from `from` to `to`.
    fn value(&self, from: f64, to: f64, t: f64) -> f64;

    /// Where the curve ends when the file does not say; `None`: it must say.
    fn end(&self, _from: f64) -> Option<f64> {
        Some(0.0)
    }

    /// The least and the greatest of its values: its ends, of a curve that goes one way.
    fn range(&self, from: f64, to: f64) -> [f64; 2] {
        [from.min(to), from.max(to)]
    }

    /// Whether its settings go together.
    ///
    /// # Errors
    /// Which of them is at fault, and why.
    fn sound(&self) -> Result<(), Unsound> {
        Ok(())
    }

    /// Whether the curve can go from `from` to `to`.
    ///
    /// # Errors
    /// Why it cannot, as half a sentence after "the curve".
    fn check(&self, _from: f64, _to: f64) -> Result<(), &'static str> {
        Ok(())
    }
}

/// A setting of a curve that does not go with the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsound {
    /// As the path within the curve's: `points[2]`.
    pub setting: String,
    /// Half a sentence after "the curve".
    pub why: String,
}

/// Whether a curve of factors, which never comes to zero, can join its ends.
fn away_from_zero(from: f64, to: f64) -> Result<(), &'static str> {
    if from == 0.0 || to == 0.0 {
        Err("neither leaves nor reaches zero")
    } else if (from < 0.0) != (to < 0.0) {
        Err("cannot pass through zero")
    } else {
        Ok(())
    }
}

/// An entry of the family `curve`.
pub type CurveEntry = Entry<fn(&Settings) -> Box<dyn Curve>>;

pub static ENTRIES: &[&CurveEntry] = &[
    &constant::ENTRY,
    &linear::ENTRY,
    &cosine::ENTRY,
    &exponential::ENTRY,
    &poly::ENTRY,
    &power::ENTRY,
    &inverse::ENTRY,
    &rex::ENTRY,
    &points::ENTRY,
];

pub static FAMILY: Family = Family {
    name: "curve",
    doc: "How a hyper-parameter goes from its first value to its last within a phase",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

#[cfg(test)]
mod tests;
