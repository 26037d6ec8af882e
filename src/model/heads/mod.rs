//! Heads: from the backbone's activations to one logit a class.

pub mod avg_pool;
pub mod concat_pool;
pub mod conv;
pub mod fully_connected;
pub mod max_pool;

use super::Part;
use crate::nn::layers::{Dropout, Linear, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Describe, Entry, Family, Interval, Kind, Param, Settings};

/// An entry of the family `head`; `make` gets the settings and the number of classes.
pub type HeadEntry = Entry<fn(&Settings, usize) -> Box<dyn Part>>;

pub static ENTRIES: &[&HeadEntry] =
    &[&avg_pool::ENTRY, &max_pool::ENTRY, &concat_pool::ENTRY, &fully_connected::ENTRY, &conv::ENTRY];

pub static FAMILY: Family = Family {
    name: "head",
    doc: "The last layers, from the backbone to the classes",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The settings that heads with one linear layer share.
const LINEAR_PARAMS: &[Param] = &[
    Param {
        key: "scale",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml("1.0"),
        doc: "a fixed factor on the logits",
    },
    Param { key: "bias", kind: Kind::Bool, default: Default::Toml("true"), doc: "a bias in the linear layer" },
    Param {
        key: "init_std",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Absent,
        doc: "the weights start scaled to this standard deviation; left out: as PyTorch's, uniform in ±1/√fan_in",
    },
    Param {
        key: "dropout",
        kind: Kind::Float(Interval::half_open(0.0, 1.0)),
        default: Default::Absent,
        doc: "share of the linear layer's inputs that each step of training sets to zero; left out: none",
    },
];

/// What [`LINEAR_PARAMS`] describe: a linear layer, `fc`, and before it, where asked for, `dropout`.
struct FullyConnected {
    dropout: f64,
    linear: Linear,
}

impl FullyConnected {
    fn new(settings: &Settings, classes: usize) -> Self {
        let (scale, bias) = (settings.float("scale") as f32, settings.bool("bias"));
        let linear = Linear::new(classes).scale(scale).bias(bias).std(settings.opt_float("init_std"));
        Self { dropout: settings.opt_float("dropout").unwrap_or(0.0), linear }
    }

    fn add(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        if self.dropout > 0.0 {
            x = net.add("dropout", Dropout::new(self.dropout), &[x])?;
        }
        net.add("fc", self.linear, &[x])
    }
}

/// Pooling over all pixels, `head.pool`, then one linear layer.
struct PoolLinear {
    pool: Pool,
    linear: FullyConnected,
}

impl PoolLinear {
    fn new(pool: Pool, settings: &Settings, classes: usize) -> Self {
        Self { pool, linear: FullyConnected::new(settings, classes) }
    }
}

impl Part for PoolLinear {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("head", |net| {
            let x = net.add("pool", self.pool, &[x])?;
            self.linear.add(net, x)
        })
    }
}
