use super::StemEntry;
use super::shrink::{self, Shrink};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::Act;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "deep3x3",
    summary: "conv7x7's reach by three 3×3 convolutions, the first of stride 2, each with batch norm and ReLU, then the max-pool",
    cite: "He et al. 2018 (arXiv:1812.01187), figure 2, ResNet-C, after Inception-v3's start",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 2, max: 4096 },
            default: Default::Toml("64"),
            doc: "output channels; the first two convolutions have half as many",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
        shrink::PARAMS[0],
        shrink::PARAMS[1],
        shrink::PARAMS[2],
    ],
    shorthand: Some("width"),
    make: |settings| {
        Box::new(Stem {
            width: settings.usize("width"),
            style: Style::of(settings, Act::Relu),
            shrink: Shrink::of(settings),
        })
    },
};

struct Stem {
    width: usize,
    style: Style,
    shrink: Shrink,
}

impl Part for Stem {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { width, style, shrink } = self;
        net.scope("stem", |net| {
            let x = style.unit(net, "0", x, style.conv(width / 2, 3).stride(shrink.stride))?;
            let x = style.unit(net, "1", x, style.conv(width / 2, 3))?;
            let x = style.unit(net, "2", x, style.conv(*width, 3))?;
            self.shrink.pool(net, x)
        })
    }
}
