use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Value};

pub static ENTRY: BackboneEntry = Entry {
    name: "wrn22",
    summary: "pre-activation wide ResNet: three stages of three blocks, 96, 192 and 384 channels; 9.65 million parameters",
    cite: "Zagoruyko and Komodakis 2016 (arXiv:1605.07146); fast.ai's DAWNBench entry of 2018",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 256 },
            default: Default::Toml("16"),
            doc: "channels of the stem; each stage has twice as many as the one before, times `widen`",
        },
        Param {
            key: "widen",
            kind: Kind::Int { min: 1, max: 64 },
            default: Default::Toml("6"),
            doc: "k of the paper: the first stage has so many times the stem's channels",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
    ],
    shorthand: Some("widen"),
    make: Backbone {
        part: |settings| {
            let width = settings.usize("width") * settings.usize("widen");
            Box::new(WideResNet { width, style: Style::of(settings) })
        },
        stem: |settings| {
            let width = Value::Int(settings.int("width"));
            Style::hand_on(settings, Choice::with("conv3x3", [("width", width), ("norm", Value::Bool(false))]))
        },
        head: |_| Choice::plain("avg-pool"),
    },
};

const BLOCKS: usize = 3;

struct WideResNet {
    /// Of the first stage.
    width: usize,
    style: Style,
}

impl WideResNet {
    /// `shortcut + conv2(relu(norm2(conv1(h))))` of `h = relu(norm1(x))`; the first convolution has the stride. The shortcut
    /// is x or, where the shape changes, a 1×1 convolution of h with that stride.
    fn block(&self, net: &mut Builder, x: ValueId, width: usize, stride: usize) -> Result<ValueId, ShapeError> {
        let Self { style, .. } = self;
        let keeps_shape = stride == 1 && net.shape(x).c == width;
        let h = net.add("norm1", style.norm(Act::Relu), &[x])?;
        let shortcut = if keeps_shape { x } else { net.add("shortcut", style.conv(width, 1).stride(stride), &[h])? };
        let y = net.add("conv1", style.conv(width, 3).stride(stride), &[h])?;
        let y = net.add("norm2", style.norm(Act::Relu), &[y])?;
        let y = net.add("conv2", style.conv(width, 3), &[y])?;
        net.add("add", Add::new(), &[shortcut, y])
    }
}

impl Part for WideResNet {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for stage in 0..3 {
            x = net.scope(&format!("layer{}", stage + 1), |net| {
                (0..BLOCKS).try_fold(x, |x, block| {
                    let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                    net.scope(&block.to_string(), |net| self.block(net, x, self.width << stage, stride))
                })
            })?;
        }
        net.add("norm", self.style.norm(Act::Relu), &[x])
    }
}
