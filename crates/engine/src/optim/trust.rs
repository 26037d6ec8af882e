//! Rates by the norms of each tensor: what LARS and LAMB share.

use super::Segment;
use crate::registry::{Default, Kind, Param, Settings};

/// The tensors whose rates are adapted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapted {
    /// Those of two axes or more: not biases, nor the scales and shifts of norms.
    Matrices,
    All,
}

/// The setting `adapt`.
pub const PARAM: Param = Param {
    key: "adapt",
    kind: Kind::Word(&["matrices", "all"]),
    default: Default::Toml("\"matrices\""),
    doc: "whose steps are scaled by the norms of their tensor: weights of two axes or more, or biases and norms too; \
          the others step as if this were not there",
};

impl Adapted {
    /// From checked settings.
    pub fn of(settings: &Settings) -> Self {
        if settings.text(PARAM.key) == "all" { Self::All } else { Self::Matrices }
    }

    /// Whether the rate of that tensor is adapted.
    pub fn has(self, segment: &Segment) -> bool {
        self == Self::All || segment.shape.len() > 1
    }
}

/// `of/by`, and 1 where one of them is 0 or no number: weights that are all zero could never leave it, and no gradient
/// needs no scale.
pub fn ratio(of: f64, by: f64) -> f64 {
    if of > 0.0 && by > 0.0 { of / by } else { 1.0 }
}
