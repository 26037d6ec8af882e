//! Inception's stems: the straight one of Inception-v3, and the one of several paths of Inception-v4.

use super::StemEntry;
use crate::model::Part;
use crate::model::inception::{self, Reduction, WIDTH, branch, scaled};
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Concat};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Kind, Param, Settings, Value};

const STRIDE: Param = Param {
    key: "stride",
    kind: Kind::Int { min: 1, max: 8 },
    default: Default::Toml("8"),
    doc: "by how much the stem shrinks the image: 8 as published, or 4, 2 or 1 for small ones, where as many of its three \
          reductions as that takes, the first ones, keep the size; 3 counts as 2, and 5 to 7 as 4",
};

const PARAMS: [Param; 8] = [
    WIDTH,
    STRIDE,
    inception::PADDING,
    style::INIT,
    style::norm_eps("1e-3"),
    style::NORM_UPDATE,
    style::NORM_SCALE,
    style::ACT,
];

pub static V3: StemEntry = Entry {
    name: "inception-v3",
    summary: "3×3 convolutions of 32, 32 and 64 channels, a pool, 1×1 of 80 and 3×3 of 192, a pool: an eighth of the size",
    cite: "Szegedy et al. 2015 (arXiv:1512.00567), table 1; the stem of timm's inception_resnet_v2, whose names it has",
    params: &PARAMS,
    shorthand: Some("width"),
    make: |settings| Box::new(Straight(Stem::new(settings))),
};

pub static V4: StemEntry = Entry {
    name: "inception-v4",
    summary: "three times two paths side by side, one of them factored into 7×1 and 1×7: an eighth of the size, 384 channels",
    cite: "Szegedy et al. 2016 (arXiv:1602.07261), figure 3: the stem of Inception-v4 and Inception-ResNet-v2",
    params: &PARAMS,
    shorthand: Some("width"),
    make: |settings| Box::new(Paths(Stem::new(settings))),
};

struct Stem {
    width: usize,
    /// Of the three reductions, in order.
    reductions: [Reduction; 3],
    style: Style,
}

impl Stem {
    fn new(settings: &Settings) -> Self {
        let halvings = settings.int("stride").ilog2() as usize;
        let padding = inception::padding(settings);
        let reductions = [0, 1, 2].map(|k| Reduction { padding, stride: if k + halvings < 3 { 1 } else { 2 } });
        Self { width: settings.usize("width"), reductions, style: Style::of(settings, Act::Relu) }
    }
}

/// Inception-v3's.
struct Straight(Stem);

impl Part for Straight {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Stem { width, reductions: [first, second, third], style } = &self.0;
        let c = |channels| scaled(*width, channels);
        let plain = first.keeping();
        net.scope("stem", |net| {
            let x = branch(style, net, "conv2d_1a", x, first.conv(style, c(32)))?;
            let x = branch(style, net, "conv2d_2a", x, plain.conv(style, c(32)))?;
            let x = branch(style, net, "conv2d_2b", x, style.conv(c(64), 3))?;
            let x = net.add("maxpool_3a", second.pool(), &[x])?;
            let x = branch(style, net, "conv2d_3b", x, style.conv(c(80), 1))?;
            let x = branch(style, net, "conv2d_4a", x, plain.conv(style, c(192)))?;
            net.add("maxpool_5a", third.pool(), &[x])
        })
    }
}

/// Inception-v4's.
struct Paths(Stem);

impl Part for Paths {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Stem { width, reductions: [first, second, third], style } = &self.0;
        let c = |channels| scaled(*width, channels);
        let plain = first.keeping();
        net.scope("stem", |net| {
            let x = branch(style, net, "conv1", x, first.conv(style, c(32)))?;
            let x = branch(style, net, "conv2", x, plain.conv(style, c(32)))?;
            let x = branch(style, net, "conv3", x, style.conv(c(64), 3))?;
            let x = net.scope("mixed1", |net| {
                let pool = net.add("pool", second.pool(), &[x])?;
                let conv = branch(style, net, "conv", x, second.conv(style, c(96)))?;
                net.add("concat", Concat, &[pool, conv])
            })?;
            let x = net.scope("mixed2", |net| {
                let a = branch(style, net, "branch0.0", x, style.conv(c(64), 1))?;
                let a = branch(style, net, "branch0.1", a, plain.conv(style, c(96)))?;
                let b = branch(style, net, "branch1.0", x, style.conv(c(64), 1))?;
                let b = branch(style, net, "branch1.1", b, style.rect(c(64), [7, 1]))?;
                let b = branch(style, net, "branch1.2", b, style.rect(c(64), [1, 7]))?;
                let b = branch(style, net, "branch1.3", b, plain.conv(style, c(96)))?;
                net.add("concat", Concat, &[a, b])
            })?;
            net.scope("mixed3", |net| {
                let conv = branch(style, net, "conv", x, third.conv(style, c(192)))?;
                let pool = net.add("pool", third.pool(), &[x])?;
                net.add("concat", Concat, &[conv, pool])
            })
        })
    }
}

/// The setting of an Inception stem that belongs to a backbone of that width and padding.
pub fn settings_of(backbone: &Settings) -> [(&'static str, Value); 2] {
    let padding = Value::Text(backbone.text(inception::PADDING.key).to_owned());
    [(WIDTH.key, Value::Int(backbone.int(WIDTH.key))), (inception::PADDING.key, padding)]
}
