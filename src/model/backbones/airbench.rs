//! The nets of Jordan's airbench: fast on CIFAR-10.

use super::{Backbone, BackboneEntry};
use crate::model::style::{self, Style};
use crate::model::{Part, counts};
use crate::nn::layers::{Act, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Settings, Value};

const fn widths_param(default: &'static str) -> Param {
    Param {
        key: "widths",
        kind: Kind::List(&Kind::Int { min: 1, max: 4096 }),
        default: Default::Toml(default),
        doc: "channels of each group; there are as many groups as widths, each halves the image",
    }
}

const fn depth(default: &'static str) -> Param {
    Param {
        key: "depth",
        kind: Kind::Int { min: 1, max: 16 },
        default: Default::Toml(default),
        doc: "convolutions of a group; from 3 on, what the first gives is added before the last activation",
    }
}

const STYLE: [Param; 5] = [
    style::init("'dirac'"),
    style::norm_eps("1e-12"),
    style::norm_update("0.4"),
    style::norm_scale("false"),
    style::ACT,
];

const CITE: &str = "Jordan 2024, 94 % on CIFAR-10 in 3.29 seconds on a single GPU (arXiv:2404.00498)";

pub static AIRBENCH94: BackboneEntry = Entry {
    name: "airbench94",
    summary: "three groups conv–max-pool–norm–GELU–conv–norm–GELU, 64, 256 and 256 channels, on whitened patches",
    cite: CITE,
    params: &[widths_param("[64, 256, 256]"), depth("2"), STYLE[0], STYLE[1], STYLE[2], STYLE[3], STYLE[4]],
    shorthand: Some("widths"),
    make: Backbone { part: Airbench::part, stem, head, published: &[] },
};

pub static AIRBENCH96: BackboneEntry = Entry {
    name: "airbench96",
    summary: "airbench94 with 128, 384 and 512 channels, three convolutions a group and a residual over the last two",
    cite: CITE,
    params: &[widths_param("[128, 384, 512]"), depth("3"), STYLE[0], STYLE[1], STYLE[2], STYLE[3], STYLE[4]],
    shorthand: Some("widths"),
    make: Backbone { part: Airbench::part, stem, head, published: &[] },
};

fn stem(_: &Settings) -> Choice {
    Choice::plain("whiten")
}

fn head(_: &Settings) -> Choice {
    Choice::with("max-pool", [("scale", Value::Float(1.0 / 9.0)), ("bias", Value::Bool(false))])
}

struct Airbench {
    widths: Vec<usize>,
    depth: usize,
    style: Style,
}

impl Airbench {
    fn part(settings: &Settings) -> Box<dyn Part> {
        Box::new(Self {
            widths: counts(settings, "widths"),
            depth: settings.usize("depth"),
            style: Style::of(settings, Act::Gelu),
        })
    }

    /// One group: `conv1`, `pool`, `norm1`, then `conv2`, `norm2`, and so on.
    fn group(&self, net: &mut Builder, x: ValueId, width: usize) -> Result<ValueId, ShapeError> {
        let Self { style, depth, .. } = self;
        let x = net.add("conv1", style.conv(width, 3), &[x])?;
        let x = net.add("pool", Pool::max(2), &[x])?;
        let first = net.add("norm1", style.norm(style.act), &[x])?;
        let mut x = first;
        for k in 2..=*depth {
            let y = net.add(&format!("conv{k}"), style.conv(width, 3), &[x])?;
            let inputs: &[ValueId] = if k == *depth && k > 2 { &[y, first] } else { &[y] };
            x = net.add(&format!("norm{k}"), style.norm(style.act), inputs)?;
        }
        Ok(x)
    }
}

impl Part for Airbench {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        self.widths
            .iter()
            .enumerate()
            .try_fold(x, |x, (k, width)| net.scope(&format!("layer{}", k + 1), |net| self.group(net, x, *width)))
    }
}
