use super::StemEntry;
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::Act;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "conv3x3",
    summary: "one 3×3 convolution, batch norm, ReLU: the usual start on small images",
    cite: "He et al. 2015 (arXiv:1512.03385), section 4.2",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Toml("64"),
            doc: "output channels",
        },
        Param { key: "stride", kind: Kind::Int { min: 1, max: 8 }, default: Default::Toml("1"), doc: "on both axes" },
        Param {
            key: "bias",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "a bias in the convolution, redundant before batch norm but in some published nets",
        },
        Param {
            key: "norm",
            kind: Kind::Bool,
            default: Default::Toml("true"),
            doc: "batch norm and ReLU behind the convolution; pre-activation backbones begin with their own",
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
            stride: settings.usize("stride"),
            bias: settings.bool("bias"),
            norm: settings.bool("norm"),
            style: Style::of(settings, Act::Relu),
        })
    },
};

struct Stem {
    width: usize,
    stride: usize,
    bias: bool,
    norm: bool,
    style: Style,
}

impl Part for Stem {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("stem", |net| {
            let conv = self.style.conv(self.width, 3).stride(self.stride).bias(self.bias);
            let x = net.add("conv", conv, &[x])?;
            if self.norm { net.add("norm", self.style.norm(self.style.act), &[x]) } else { Ok(x) }
        })
    }
}
