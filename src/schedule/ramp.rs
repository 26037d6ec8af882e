use super::{Curve, ENTRIES, Unsound};
use crate::registry::{self, Across, Choice, Interval, RampValue, Value};
use crate::units;
use std::fmt;
use std::sync::Arc;

/// A hyper-parameter over one phase, or over several together, resolved: both ends known, the curve able to join them.
#[derive(Clone)]
pub struct Ramp {
    from: f64,
    to: f64,
    choice: Choice,
    curve: Arc<dyn Curve>,
    across: Across,
    run: Option<Run>,
}

/// Phases that one curve runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub first_phase: usize,
    /// At least the one behind the first.
    pub last_phase: usize,
    /// Images served before the first of them.
    pub first_image: u64,
    /// Images that they serve.
    pub images: u64,
}

/// A ramp that has no meaning.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RampError {
    /// The key at fault, within the ramp: `from`, `to` or `curve`.
    pub key: &'static str,
    /// Of a curve the setting at fault, as the path within it, where it is one: `points[2]`.
    pub setting: Option<String>,
    pub message: String,
    pub help: String,
}

impl Ramp {
    /// Resolves a value of the file: looks the curve up and fills in the end.
    ///
    /// # Errors
    /// An unknown curve; an end that the curve needs and the file leaves out; ends that the curve cannot join.
    pub fn new(value: &RampValue) -> Result<Self, RampError> {
        let kind = value.curve.kind.as_str();
        let entry = registry::find(ENTRIES, kind).ok_or_else(|| RampError {
            key: "curve",
            setting: None,
            message: format!("there is no curve `{kind}`"),
            help: format!("one of: {}", ENTRIES.iter().map(|e| e.name).collect::<Vec<_>>().join(", ")),
        })?;
        let curve: Arc<dyn Curve> = (entry.make)(&value.curve.settings).into();
        curve.sound().map_err(|Unsound { setting, why }| RampError {
            key: "curve",
            setting: Some(setting),
            message: format!("the curve `{kind}` {why}"),
            help: "write it otherwise, or take another curve".to_owned(),
        })?;
        let to = value.to.or_else(|| curve.end(value.from)).ok_or_else(|| match value.from {
            0.0 => RampError {
                key: "from",
                setting: None,
                message: format!("the curve `{kind}` cannot leave zero"),
                help: "begin above zero, or take another curve".to_owned(),
            },
            from => RampError {
                key: "to",
                setting: None,
                message: format!("the curve `{kind}` needs an end: zero is out of its reach"),
                help: format!("give `to`, for example `to = {}`", units::number(from / 100.0)),
            },
        })?;
        curve.check(value.from, to).map_err(|why| RampError {
            key: if value.from == 0.0 && curve.end(value.from).is_none() { "from" } else { "to" },
            setting: None,
            message: format!(
                "the curve `{kind}` cannot go from {} to {}: it {why}",
                units::number(value.from),
                units::number(to)
            ),
            help: "give other ends, or take another curve".to_owned(),
        })?;
        Ok(Self { from: value.from, to, choice: value.curve.clone(), curve, across: value.across, run: None })
    }

    /// One value throughout.
    pub fn constant(value: f64) -> Self {
        let choice = Choice::plain(super::constant::ENTRY.name);
        let curve = (super::constant::ENTRY.make)(&choice.settings).into();
        Self { from: value, to: value, curve, choice, across: Across::No, run: None }
    }

    /// The value at step `i` of the phase's `n` steps; of a [`Run`], at image `i` of its `n` images.
    ///
    /// Step 0 is `from` to the bit: `to + (from − to)` need not round back to `from`.
    pub fn at(&self, i: u64, n: u64) -> f64 {
        if i == 0 { self.from } else { self.curve.value(self.from, self.to, i as f64 / n as f64) }
    }

    /// Whether the file has it run over several phases.
    pub fn across(&self) -> Across {
        self.across
    }

    /// The phases that it runs over; `None`: its own alone.
    pub fn run(&self) -> Option<Run> {
        self.run
    }

    /// Lays it over several phases.
    pub fn lay(&mut self, run: Run) {
        self.run = Some(run);
    }

    /// Where the curve begins, which of a [`Run`] is the beginning of its first phase.
    pub fn from(&self) -> f64 {
        self.from
    }

    /// Where the curve ends; no step uses it, but for a constant.
    pub fn to(&self) -> f64 {
        self.to
    }

    /// The least and the greatest of its values.
    pub fn range(&self) -> [f64; 2] {
        self.curve.range(self.from, self.to)
    }

    /// The same where they go beyond an interval.
    pub fn beyond(&self, interval: &Interval) -> Option<[f64; 2]> {
        let range = self.range();
        range.iter().any(|value| !interval.contains(*value)).then_some(range)
    }

    pub fn is_constant(&self) -> bool {
        self.choice.kind == super::constant::ENTRY.name
    }

    /// The curve in words: `linear`, `poly 0.9`.
    pub fn curve_name(&self) -> String {
        let numbers = self.choice.settings.0.values().filter_map(|v| match v {
            Value::Float(x) => Some(units::number(*x)),
            _ => None,
        });
        std::iter::once(self.choice.kind.clone()).chain(numbers).collect::<Vec<_>>().join(" ")
    }
}

/// The ramp in words: `0.9`, `0.01 → 0.1 linear`, `0.4 → 0 cosine over phases 1 to 3`.
impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_constant() {
            f.write_str(&units::brief(self.from))
        } else {
            write!(f, "{} → {} {}", units::brief(self.from), units::brief(self.to), self.curve_name())?;
            match self.run {
                Some(Run { first_phase, last_phase, .. }) => write!(f, " over phases {first_phase} to {last_phase}"),
                None => Ok(()),
            }
        }
    }
}

impl fmt::Debug for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ramp({self})")
    }
}

/// Two ramps are equal when they were resolved from the same choice, and run over the same: the curve follows from it.
impl PartialEq for Ramp {
    fn eq(&self, other: &Self) -> bool {
        self.from == other.from && self.to == other.to && self.choice == other.choice && self.run == other.run
    }
}
