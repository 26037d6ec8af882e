use super::StemEntry;
use crate::model::Part;
use crate::model::style;
use crate::nn::layers::{Act, Add, Conv, Filters};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "whiten",
    summary: "convolution whose frozen filters whiten the patches of training images, a trained bias, GELU",
    cite: "Page 2019, How to Train Your ResNet 8; Jordan 2024 (arXiv:2404.00498)",
    params: &[
        Param {
            key: "kernel",
            kind: Kind::Int { min: 1, max: 7 },
            default: Default::Toml("2"),
            doc: "side of the patches; there are two filters for each number of a patch: 24 for 2×2 of three colours",
        },
        Param {
            key: "eps",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("5e-4"),
            doc: "added to the eigenvalues, so that directions that hardly occur are not blown up",
        },
        Param {
            key: "images",
            kind: Kind::Int { min: 1, max: 1 << 30 },
            default: Default::Toml("5000"),
            doc: "training images that the filters are computed from, spread evenly over the set, unaugmented, at the first phase's size",
        },
        style::ACT,
    ],
    shorthand: Some("kernel"),
    make: |settings| {
        let filters = Filters::Whitening { eps: settings.float("eps"), images: settings.usize("images") };
        Box::new(Stem { kernel: settings.usize("kernel"), filters, act: style::act(settings, Act::Gelu) })
    },
};

struct Stem {
    kernel: usize,
    filters: Filters,
    act: Act,
}

impl Part for Stem {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let width = 2 * self.kernel * self.kernel * net.shape(x).c;
        net.scope("stem", |net| {
            let x = net.add("conv", Conv::new(width, self.kernel).bias(true).filters(self.filters), &[x])?;
            net.add("act", Add::new().act(self.act), &[x])
        })
    }
}
