use super::StemEntry;
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "patchify",
    summary: "one convolution whose patches do not overlap, 4×4 of stride 4, and batch norm: the start of vision transformers",
    cite: "Dosovitskiy et al. 2020 (arXiv:2010.11929); Liu et al. 2022 (arXiv:2201.03545), section 2.2, there with layer norm",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Toml("64"),
            doc: "output channels",
        },
        Param {
            key: "patch",
            kind: Kind::Int { min: 1, max: 64 },
            default: Default::Toml("4"),
            doc: "side of a patch; pixels at the right and lower edge that fill none are not seen",
        },
        Param {
            key: "norm",
            kind: Kind::Bool,
            default: Default::Toml("true"),
            doc: "batch norm behind the convolution; without it the convolution has a bias",
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
            patch: settings.usize("patch"),
            norm: settings.bool("norm"),
            style: Style::of(settings, Act::None),
        })
    },
};

struct Stem {
    width: usize,
    patch: usize,
    norm: bool,
    style: Style,
}

impl Part for Stem {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { width, patch, norm, style } = self;
        net.scope("stem", |net| {
            let conv = style.conv(*width, *patch).padding(0).stride(*patch).bias(!norm);
            let x = net.add("conv", conv, &[x])?;
            match (norm, style.act) {
                (true, act) => net.add("norm", style.norm(act), &[x]),
                (false, Act::None) => Ok(x),
                (false, act) => net.add("act", Add::new().act(act), &[x]),
            }
        })
    }
}
