use super::StemEntry;
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Conv, Filters};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "whiten-conv",
    summary: "frozen filters that whiten the patches of training images, then a 1×1 convolution, batch norm, ReLU; patches of 3×3",
    cite: "Page 2019, How to Train Your ResNet 8",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Toml("64"),
            doc: "output channels",
        },
        Param {
            key: "eps",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("0.01"),
            doc: "added to the eigenvalues, so that directions that hardly occur are not blown up",
        },
        Param {
            key: "images",
            kind: Kind::Int { min: 1, max: 1 << 30 },
            default: Default::Toml("10000"),
            doc: "training images that the filters are computed from, spread evenly over the set, unaugmented, at the first phase's size",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
    ],
    shorthand: Some("width"),
    make: |settings| {
        Box::new(Stem {
            width: settings.usize("width"),
            filters: Filters::Whitening { eps: settings.float("eps"), images: settings.usize("images") },
            style: Style::of(settings, Act::Relu),
        })
    },
};

const KERNEL: usize = 3;

struct Stem {
    width: usize,
    filters: Filters,
    style: Style,
}

impl Part for Stem {
    /// As many frozen filters as a patch has numbers, 27 for 3×3 of three colours, padded by zeros as the image's mean.
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let filters = KERNEL * KERNEL * net.shape(x).c;
        net.scope("stem", |net| {
            let whiten = Conv::new(filters, KERNEL).padding(KERNEL / 2).filters(self.filters);
            let x = net.add("whiten", whiten, &[x])?;
            let x = net.add("conv", self.style.conv(self.width, 1), &[x])?;
            net.add("norm", self.style.norm(self.style.act), &[x])
        })
    }
}
