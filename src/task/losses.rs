//! The terms of a painting's loss.
//!
//! ```text
//! F        activations of a layer: h·w rows of c channels
//! content  mean((F − F_content)²)
//! style    mean((G − G_style)²),  G = FᵀF / (c·h·w)
//! ```
//!
//! Each is a mean over the images of a batch, and counts by its weight.

use super::{floats, texts};
use crate::registry::{Choice, Default, Describe, Entry, Family, Interval, Kind, Param, Settings, find};

/// A term.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    pub kind: LossKind,
    /// Names or rules; none of total variation.
    pub layers: Vec<String>,
    /// One a layer where `weights` is given, else `weight` for all.
    weights: Option<Vec<f64>>,
    weight: f64,
}

impl Loss {
    /// Factors of a rule's or a name's layers: the `k`-th of `layers`.
    pub fn weight(&self, k: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[k]) * self.weight
    }

    /// How many weights are given, if any are.
    pub fn weights(&self) -> Option<usize> {
        self.weights.as_ref().map(Vec::len)
    }
}

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    Content,
    Style {
        /// Whether only the Gram matrix's diagonal counts.
        diagonal: bool,
    },
    TotalVariation,
}

/// An entry of the family `loss`.
pub type LossEntry = Entry<fn(&Settings) -> Loss>;

const WEIGHT: Param = Param {
    key: "weight",
    kind: Kind::Float(Interval::at_least(0.0)),
    default: Default::Toml("1.0"),
    doc: "factor on the term in the sum of all",
};

const LAYERS: Param = Param {
    key: "layers",
    kind: Kind::List(&Kind::Text),
    default: Default::Toml("['before-pools']"),
    doc: "of which layers' outputs: names as `runner model` shows them; `before-pools` for the layer before each pooling, \
          `before-pool-4` for that before the fourth",
};

const WEIGHTS: Param = Param {
    key: "weights",
    kind: Kind::List(&Kind::Float(Interval::at_least(0.0))),
    default: Default::Absent,
    doc: "a further factor for each of the layers that `layers` comes to, in their order; left out: 1 for each",
};

const GATYS: &str = "Gatys, Ecker and Bethge 2015 (arXiv:1508.06576)";

static CONTENT: LossEntry = Entry {
    name: "content",
    summary: "the mean square of how activations differ from those of the content image",
    cite: GATYS,
    params: &[Param { default: Default::Toml("['before-pool-4']"), ..LAYERS }, WEIGHT, WEIGHTS],
    shorthand: None,
    make: |settings| of_layers(LossKind::Content, settings),
};

static STYLE: LossEntry = Entry {
    name: "style",
    summary: "the mean square of how the channels' mean products (Gram matrix) differ from those of the style images",
    cite: GATYS,
    params: &[
        LAYERS,
        WEIGHT,
        WEIGHTS,
        Param {
            key: "diagonal",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "whether only the channels' mean squares count, the diagonal of the matrix",
        },
    ],
    shorthand: None,
    make: |settings| of_layers(LossKind::Style { diagonal: settings.bool("diagonal") }, settings),
};

static TOTAL_VARIATION: LossEntry = Entry {
    name: "total-variation",
    summary: "the squares of how neighbouring pixels differ, across and down, a mean over pixels: smooths",
    cite: "Mahendran and Vedaldi 2014 (arXiv:1412.0035), β = 2",
    params: &[WEIGHT],
    shorthand: Some("weight"),
    make: |settings| Loss {
        kind: LossKind::TotalVariation,
        layers: Vec::new(),
        weights: None,
        weight: settings.float("weight"),
    },
};

fn of_layers(kind: LossKind, settings: &Settings) -> Loss {
    Loss {
        kind,
        layers: texts(settings, "layers"),
        weights: floats(settings, "weights"),
        weight: settings.float("weight"),
    }
}

pub static ENTRIES: &[&LossEntry] = &[&CONTENT, &STYLE, &TOTAL_VARIATION];

pub static FAMILY: Family = Family {
    name: "loss",
    doc: "A term of what a painted image is to bring down",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The term that a checked choice names.
pub fn make(choice: &Choice) -> Loss {
    (find(ENTRIES, &choice.kind).expect("a checked loss is known").make)(&choice.settings)
}
