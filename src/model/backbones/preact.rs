//! Pre-activation residual nets after He et al. 2016: norms and activations stand before the convolutions.

use super::blocks::{self, Options, Residual};
use super::{Backbone, BackboneEntry};
use crate::model::style::{self, Style};
use crate::model::{Part, counts};
use crate::nn::layers::{Act, Add};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Value};

pub static RESNET18: BackboneEntry = Entry {
    name: "preact-resnet18",
    summary: "pre-activation ResNet-18 for small images: four stages of two blocks, 64, 128, 256 and 256 channels; 6.1 million parameters",
    cite: "He et al. 2016 (arXiv:1603.05027); github.com/bkj/basenet, examples/cifar, DAWNBench entry of 2018",
    params: &[
        Param {
            key: "widths",
            kind: Kind::List(&Kind::Int { min: 1, max: 4096 }),
            default: Default::Toml("[64, 128, 256, 256]"),
            doc: "channels of each stage; there are as many stages as widths, each after the first halves the image",
        },
        Param {
            key: "final_norm",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "whether a norm and an activation follow the last block, as in the paper; bkj's net has none",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
        blocks::SE,
        blocks::BLUR,
        blocks::BLUR_BEFORE,
        blocks::AVG_DOWN,
        blocks::DROP_PATH,
    ],
    shorthand: Some("widths"),
    make: Backbone {
        part: |settings| {
            let (style, options) = (Style::of(settings, Act::Relu), Options::of(settings));
            let final_norm = settings.bool("final_norm");
            Box::new(PreAct { widths: counts(settings, "widths"), blocks: 2, final_norm, style, options })
        },
        stem: |settings| {
            let width = counts(settings, "widths").first().map_or(1, |width| *width as i64);
            Style::hand_on(settings, Choice::with("conv3x3", [("width", Value::Int(width))]))
        },
        head: |_| Choice::plain("concat-pool"),
        published: &[],
    },
};

/// Stages of blocks, of which the first of each stage but the first halves the image.
pub(super) struct PreAct {
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Of each stage.
    pub blocks: usize,
    /// Whether a norm and an activation follow the last block.
    pub final_norm: bool,
    pub style: Style,
    pub options: Options,
}

impl Residual<'_> {
    /// `shortcut + drop(gate(conv2(act(norm2(conv1(h))))))` of `h = act(norm1(x))`; the first convolution has the stride.
    /// The shortcut is x or, where the shape changes, a 1×1 convolution of h with that stride.
    fn preact(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { style, options, width, stride } = *self;
        let keeps_shape = stride == 1 && net.shape(x).c == width;
        let h = net.add("norm1", style.norm(style.act), &[x])?;
        let shortcut = if keeps_shape {
            x
        } else {
            let (h, stride) = options.shortcut(net, "shortcut_", h, stride)?;
            net.add("shortcut", style.conv(width, 1).stride(stride), &[h])?
        };
        let y = options.before(net, "blur", h, stride)?;
        let y = net.add("conv1", style.conv(width, 3).stride(options.stride(stride)), &[y])?;
        let y = net.add("norm2", style.norm(style.act), &[y])?;
        let y = options.behind(net, "blur", y, stride)?;
        let y = net.add("conv2", style.conv(width, 3), &[y])?;
        let y = options.end(net, y)?;
        net.add("add", Add::new(), &[shortcut, y])
    }
}

impl Part for PreAct {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for (stage, width) in self.widths.iter().enumerate() {
            x = net.scope(&format!("layer{}", stage + 1), |net| {
                (0..self.blocks).try_fold(x, |x, block| {
                    let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                    let index = stage * self.blocks + block;
                    let options = self.options.of_block(index, self.widths.len() * self.blocks);
                    let residual = Residual { style: &self.style, options, width: *width, stride };
                    net.scope(&block.to_string(), |net| residual.preact(net, x))
                })
            })?;
        }
        if self.final_norm { net.add("norm", self.style.norm(self.style.act), &[x]) } else { Ok(x) }
    }
}
