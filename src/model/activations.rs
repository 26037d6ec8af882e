//! Activations: what follows the norms of a part, where the experiment chooses.

use crate::nn::layers::Act;
use crate::registry::{Choice, Default, Describe, Entry, Family, Interval, Kind, Param, Settings, find};

/// An entry of the family `activation`.
pub type ActivationEntry = Entry<fn(&Settings) -> Act>;

pub static ENTRIES: &[&ActivationEntry] = &[&RELU, &GELU, &SILU, &MISH, &CELU, &LEAKY_RELU];

pub static FAMILY: Family = Family {
    name: "activation",
    doc: "What follows the norms of a stem or a backbone",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

static RELU: ActivationEntry = Entry {
    name: "relu",
    summary: "max(0, z)",
    cite: "Nair and Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
    params: &[],
    shorthand: None,
    make: |_| Act::Relu,
};

static GELU: ActivationEntry = Entry {
    name: "gelu",
    summary: "z·Φ(z), Φ the normal distribution: a smooth ReLU",
    cite: "Hendrycks and Gimpel 2016 (arXiv:1606.08415); exact, as PyTorch's default",
    params: &[],
    shorthand: None,
    make: |_| Act::Gelu,
};

static SILU: ActivationEntry = Entry {
    name: "silu",
    summary: "z/(1 + exp(−z)), which is also called swish",
    cite: "Elfwing, Uchibe and Doya 2017 (arXiv:1702.03118)",
    params: &[],
    shorthand: None,
    make: |_| Act::Silu,
};

static MISH: ActivationEntry = Entry {
    name: "mish",
    summary: "z·tanh(log(1 + exp(z)))",
    cite: "Misra 2019 (arXiv:1908.08681)",
    params: &[],
    shorthand: None,
    make: |_| Act::Mish,
};

static CELU: ActivationEntry = Entry {
    name: "celu",
    summary: "z above 0, below it alpha·(exp(z/alpha) − 1): a ReLU whose slope has no jump",
    cite: "Barron 2017 (arXiv:1704.07483)",
    params: &[Param {
        key: "alpha",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml("1.0"),
        doc: "how far below 0 it falls",
    }],
    shorthand: Some("alpha"),
    make: |settings| Act::Celu { alpha: settings.float("alpha") as f32 },
};

static LEAKY_RELU: ActivationEntry = Entry {
    name: "leaky-relu",
    summary: "z above 0, slope·z below it",
    cite: "Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
    params: &[Param {
        key: "slope",
        kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true }),
        default: Default::Toml("0.1"),
        doc: "how steep it is below 0",
    }],
    shorthand: Some("slope"),
    make: |settings| Act::LeakyRelu { slope: settings.float("slope") as f32 },
};

/// The activation of a checked choice.
///
/// # Panics
/// When the choice names none: checking finds that.
pub fn make(choice: &Choice) -> Act {
    let entry = find(ENTRIES, &choice.kind).unwrap_or_else(|| panic!("`{}` is not an activation", choice.kind));
    (entry.make)(&choice.settings)
}
