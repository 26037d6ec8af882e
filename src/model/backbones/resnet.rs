//! Residual nets after He et al. 2015.

use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::Act;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Settings, Value};

const WIDTH: Param = Param {
    key: "width",
    kind: Kind::Int { min: 1, max: 1024 },
    default: Default::Toml("64"),
    doc: "channels of the stem and the first of four stages; each of the others has twice as many as the one before",
};

pub static RESNET18: BackboneEntry = Entry {
    name: "resnet18",
    summary: "four stages of two basic blocks, each two 3×3 convolutions and a shortcut; 11.2 million parameters",
    cite: "He et al. 2015 (arXiv:1512.03385), tables 1 and 6; names as torchvision's",
    params: &[WIDTH, style::INIT, style::NORM_EPS, style::NORM_UPDATE, style::NORM_SCALE],
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet::new(settings, &[2, 2, 2, 2])),
        stem: |settings| {
            let width = Value::Int(settings.int("width"));
            Style::hand_on(settings, Choice::with("conv7x7", [("width", width)]))
        },
        head: |_| Choice::plain("avg-pool"),
    },
};

struct ResNet {
    width: usize,
    /// Basic blocks of each stage.
    blocks: &'static [usize],
    style: Style,
}

impl ResNet {
    fn new(settings: &Settings, blocks: &'static [usize]) -> Self {
        Self { width: settings.usize("width"), blocks, style: Style::of(settings) }
    }

    /// `relu(x + f(x))`, f of two 3×3 convolutions with norms, the first with the stride. Where the shape changes, x goes
    /// through a 1×1 convolution of that stride and a norm.
    fn basic(&self, net: &mut Builder, x: ValueId, width: usize, stride: usize) -> Result<ValueId, ShapeError> {
        let Self { style, .. } = self;
        let shortcut = if stride == 1 && net.shape(x).c == width {
            x
        } else {
            net.scope("downsample", |net| {
                let x = net.add("0", style.conv(width, 1).stride(stride), &[x])?;
                net.add("1", style.norm(Act::None), &[x])
            })?
        };
        let y = net.add("conv1", style.conv(width, 3).stride(stride), &[x])?;
        let y = net.add("bn1", style.norm(Act::Relu), &[y])?;
        let y = net.add("conv2", style.conv(width, 3), &[y])?;
        net.add("bn2", style.norm(Act::Relu), &[y, shortcut])
    }
}

impl Part for ResNet {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for (stage, blocks) in self.blocks.iter().enumerate() {
            x = net.scope(&format!("layer{}", stage + 1), |net| {
                (0..*blocks).try_fold(x, |x, block| {
                    let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                    net.scope(&block.to_string(), |net| self.basic(net, x, self.width << stage, stride))
                })
            })?;
        }
        Ok(x)
    }
}
