//! Darknet after Redmon and Farhadi 2018: residual blocks of a 1×1 and a 3×3 convolution, and leaky ReLUs.

use super::{Backbone, BackboneEntry};
use crate::model::style::{self, Style};
use crate::model::{Part, counts};
use crate::nn::layers::{Act, Add};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Settings, Value};

const WIDTH: Param = Param {
    key: "width",
    kind: Kind::Int { min: 2, max: 1024 },
    default: Default::Toml("32"),
    doc: "channels of the stem; each group has twice as many as the one before",
};

const fn params(blocks: &'static str) -> [Param; 7] {
    let blocks = Param {
        key: "blocks",
        kind: Kind::List(&Kind::Int { min: 0, max: 100 }),
        default: Default::Toml(blocks),
        doc: "residual blocks of each group; there are as many groups as numbers",
    };
    [WIDTH, blocks, style::INIT, style::NORM_EPS, style::NORM_UPDATE, style::NORM_SCALE, style::ACT]
}

pub static DARKNET53: BackboneEntry = Entry {
    name: "darknet53",
    summary: "groups of 1, 2, 8, 8 and 4 residual blocks, each group half the size and twice the channels of the one before; leaky ReLU; 41.6 million parameters",
    cite: "Redmon and Farhadi 2018, YOLOv3 (arXiv:1804.02767), table 1",
    params: &params("[1, 2, 8, 8, 4]"),
    shorthand: Some("blocks"),
    make: Backbone { part: |settings| Box::new(Darknet::new(settings, None)), stem, head, published: &[] },
};

pub static DARKNET: BackboneEntry = Entry {
    name: "darknet",
    summary: "darknet53 made smaller for small images: groups of 1, 2, 4, 6 and 3 blocks, of which the second keeps the size",
    cite: "fast.ai 2018, the lesson's darknet.py and CIFAR-10 notebook",
    params: &params("[1, 2, 4, 6, 3]"),
    shorthand: Some("blocks"),
    make: Backbone { part: |settings| Box::new(Darknet::new(settings, Some(1))), stem, head, published: &[] },
};

fn stem(settings: &Settings) -> Choice {
    let leaky = Choice::with("leaky-relu", [("slope", Value::Float(f64::from(SLOPE)))]);
    let own = [("width", Value::Int(settings.int("width"))), ("act", Value::Choice(leaky))];
    Style::hand_on(settings, Choice::with("conv3x3", own))
}

fn head(_: &Settings) -> Choice {
    Choice::plain("avg-pool")
}

/// Of the leaky ReLU.
const SLOPE: f32 = 0.1;

struct Darknet {
    blocks: Vec<usize>,
    /// The group that does not halve the size.
    keeps_size: Option<usize>,
    style: Style,
}

impl Darknet {
    fn new(settings: &Settings, keeps_size: Option<usize>) -> Self {
        let style = Style::of(settings, Act::LeakyRelu { slope: SLOPE });
        Self { blocks: counts(settings, "blocks"), keeps_size, style }
    }

    /// `x + conv2(conv1(x))`, each with norm and activation, the first to half the channels.
    fn block(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let width = net.shape(x).c;
        let y = self.style.unit(net, "conv1", x, self.style.conv((width / 2).max(1), 1))?;
        let y = self.style.unit(net, "conv2", y, self.style.conv(width, 3))?;
        net.add("add", Add::new(), &[x, y])
    }
}

impl Part for Darknet {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for (group, blocks) in self.blocks.iter().enumerate() {
            x = net.scope(&format!("group{}", group + 1), |net| {
                let stride = if self.keeps_size == Some(group) { 1 } else { 2 };
                let width = 2 * net.shape(x).c;
                let x = self.style.unit(net, "down", x, self.style.conv(width, 3).stride(stride))?;
                (0..*blocks).try_fold(x, |x, block| net.scope(&block.to_string(), |net| self.block(net, x)))
            })?;
        }
        Ok(x)
    }
}
