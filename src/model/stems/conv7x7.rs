use super::StemEntry;
use super::shrink::{self, Shrink};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::Act;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "conv7x7",
    summary: "7×7 convolution of stride 2, batch norm, ReLU, 3×3 max-pool of stride 2: a quarter of the size, for large images",
    cite: "He et al. 2015 (arXiv:1512.03385), table 1",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Toml("64"),
            doc: "output channels",
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
        let (style, shrink) = (Style::of(settings, Act::Relu), Shrink::of(settings));
        Box::new(Stem { width: settings.usize("width"), style, shrink })
    },
};

struct Stem {
    width: usize,
    style: Style,
    shrink: Shrink,
}

impl Part for Stem {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("stem", |net| {
            let x = net.add("conv", self.style.conv(self.width, 7).stride(self.shrink.stride), &[x])?;
            let x = net.add("norm", self.style.norm(self.style.act), &[x])?;
            self.shrink.pool(net, x)
        })
    }
}
