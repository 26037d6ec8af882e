use super::HeadEntry;
use crate::model::Part;
use crate::nn::layers::{Conv, Dropout, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: HeadEntry = Entry {
    name: "conv",
    summary: "a 1×1 convolution to one map a class, and each map's average: says where, too",
    cite: "Lin et al. 2013 (arXiv:1312.4400), section 3.2; Iandola et al. 2016 (arXiv:1602.07360)",
    params: &[
        Param { key: "bias", kind: Kind::Bool, default: Default::Toml("true"), doc: "a bias in the convolution" },
        Param {
            key: "dropout",
            kind: Kind::Float(Interval::half_open(0.0, 1.0)),
            default: Default::Absent,
            doc: "share of the convolution's inputs that each step of training sets to zero; left out: none",
        },
    ],
    shorthand: None,
    make: |settings, classes| {
        let dropout = settings.opt_float("dropout").unwrap_or(0.0);
        Box::new(Head { conv: Conv::new(classes, 1).bias(settings.bool("bias")), dropout })
    },
};

/// `head.conv`, `head.pool`.
struct Head {
    conv: Conv,
    dropout: f64,
}

impl Part for Head {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("head", |net| {
            if self.dropout > 0.0 {
                x = net.add("dropout", Dropout::new(self.dropout), &[x])?;
            }
            let x = net.add("conv", self.conv, &[x])?;
            net.add("pool", Pool::global_avg(), &[x])
        })
    }
}
