//! The two kinds of weight decay that rules of the SGD family share.

use super::Applied;
use crate::registry::{Default, Kind, Param, Settings};

/// How weight decay acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// `g ← g + wd·p`: L2 in the gradient, as PyTorch's SGD and RMSprop.
    Coupled,
    /// `p ← p − lr·wd·p` before the step, as AdamW.
    Decoupled,
}

/// The setting `decay`.
pub const PARAM: Param = Param {
    key: "decay",
    kind: Kind::Word(&["coupled", "decoupled"]),
    default: Default::Toml("\"coupled\""),
    doc: "weight decay in the gradient (coupled), or on the weights beside the step (decoupled)",
};

impl Decay {
    /// From checked settings.
    pub fn of(settings: &Settings) -> Self {
        if settings.text(PARAM.key) == "decoupled" { Self::Decoupled } else { Self::Coupled }
    }

    /// The factors of a step.
    pub fn factors(self, used: &Applied) -> Factors {
        let Applied { lr, weight_decay, share, .. } = *used;
        let (coupled, keep) = match self {
            Self::Coupled => (weight_decay, 1.0),
            Self::Decoupled => (0.0, 1.0 - used.shared_lr() * weight_decay),
        };
        Factors { lr: lr as f32, coupled: coupled as f32, keep: keep as f32, share: share as f32 }
    }
}

/// `p ← keep·p − lr·direction(g + coupled·p)`, where `p` on the right is the old one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    pub lr: f32,
    pub coupled: f32,
    pub keep: f32,
    /// Of the direction, in a mix of rules; 1 outside.
    pub share: f32,
}
