//! The two kinds of weight decay that rules of the SGD family share.

use super::{Applied, Segment};
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

    /// The factors of one segment's step.
    pub fn factors(self, used: &Applied, segment: &Segment) -> Factors {
        let lr = used.lr * segment.lr_scale;
        let decay = segment.weight_decay.unwrap_or(used.weight_decay);
        let (coupled, keep) = match self {
            Self::Coupled => (decay, 1.0),
            Self::Decoupled => (0.0, 1.0 - lr * decay),
        };
        Factors { lr: lr as f32, coupled: coupled as f32, keep: keep as f32 }
    }
}

/// `p ← keep·p − lr·direction(g + coupled·p)`, where `p` on the right is the old one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    pub lr: f32,
    pub coupled: f32,
    pub keep: f32,
}
