//! Densely connected nets after Huang et al. 2016: each layer sees all that came before it, side by side.

use super::{Backbone, BackboneEntry};
use crate::kernels::pool::Window;
use crate::kernels::pool::average::Average;
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, ConcatNorm, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Settings, Value};

const CITE: &str = "Huang et al. 2016 (arXiv:1608.06993), DenseNet-BC, table 1; names as torchvision's";

const fn params(growth: &'static str, width: &'static str) -> [Param; 8] {
    [
        Param {
            key: "growth",
            kind: Kind::Int { min: 1, max: 512 },
            default: Default::Toml(growth),
            doc: "channels that each layer adds: k of the paper",
        },
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 1024 },
            default: Default::Toml(width),
            doc: "channels of the stem that belongs to it",
        },
        Param {
            key: "bottleneck",
            kind: Kind::Int { min: 1, max: 16 },
            default: Default::Toml("4"),
            doc: "a layer's 1×1 convolution gives its 3×3 one so many times `growth` channels",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
    ]
}

macro_rules! entry {
    ($entry:ident, $name:literal, $summary:literal, $growth:literal, $width:literal, $layers:expr) => {
        pub static $entry: BackboneEntry = Entry {
            name: $name,
            summary: $summary,
            cite: CITE,
            params: &params($growth, $width),
            shorthand: Some("growth"),
            make: Backbone {
                part: |settings| Box::new(DenseNet::new(settings, &$layers)),
                stem,
                head: |_| Choice::plain("avg-pool"),
                published: PUBLISHED,
            },
        };
    };
}

entry!(
    DENSENET121,
    "densenet121",
    "four blocks of 6, 12, 24 and 16 layers that add 32 channels each to what all later ones see; 8.0 million parameters",
    "32",
    "64",
    [6, 12, 24, 16]
);
entry!(
    DENSENET161,
    "densenet161",
    "densenet121 with blocks of 6, 12, 36 and 24 layers that add 48 channels; 28.7 million parameters",
    "48",
    "96",
    [6, 12, 36, 24]
);
entry!(
    DENSENET169,
    "densenet169",
    "densenet121 with blocks of 6, 12, 32 and 32 layers; 14.1 million parameters",
    "32",
    "64",
    [6, 12, 32, 32]
);
entry!(
    DENSENET201,
    "densenet201",
    "densenet121 with blocks of 6, 12, 48 and 32 layers; 20.0 million parameters",
    "32",
    "64",
    [6, 12, 48, 32]
);

const PUBLISHED: &[(&str, &str)] = &[
    ("features.conv0.", "stem.conv."),
    ("features.norm0.", "stem.norm."),
    ("features.", ""),
    ("classifier.", "head.fc."),
];

fn stem(settings: &Settings) -> Choice {
    let width = Value::Int(settings.int("width"));
    Style::hand_on(settings, Choice::with("conv7x7", [("width", width)]))
}

struct DenseNet {
    growth: usize,
    bottleneck: usize,
    /// Layers of each block.
    layers: &'static [usize; 4],
    style: Style,
}

impl DenseNet {
    fn new(settings: &Settings, layers: &'static [usize; 4]) -> Self {
        let (growth, bottleneck) = (settings.usize("growth"), settings.usize("bottleneck"));
        Self { growth, bottleneck, layers, style: Style::of(settings, Act::Relu) }
    }

    /// Values side by side, normalised and activated; they are never copied to lie side by side before.
    fn norm(&self) -> ConcatNorm {
        ConcatNorm::new(self.style.norm(self.style.act))
    }

    /// What a layer adds to the values so far: `conv2(act(norm2(conv1(act(norm1(all))))))`.
    fn layer(&self, net: &mut Builder, all: &[ValueId]) -> Result<ValueId, ShapeError> {
        let Self { growth, bottleneck, style, .. } = self;
        let x = net.add("norm1", self.norm(), all)?;
        let x = net.add("conv1", style.conv(bottleneck * growth, 1), &[x])?;
        let x = net.add("norm2", style.norm(style.act), &[x])?;
        net.add("conv2", style.conv(*growth, 3), &[x])
    }
}

/// Halves the size.
const POOL: Average = Average::Windows(Window { kernel: [2; 2], stride: [2; 2], padding: [0; 2] });

impl Part for DenseNet {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for (block, layers) in self.layers.iter().enumerate() {
            let mut all = vec![x];
            net.scope(&format!("denseblock{}", block + 1), |net| {
                (1..=*layers).try_for_each(|layer| {
                    let new = net.scope(&format!("denselayer{layer}"), |net| self.layer(net, &all))?;
                    all.push(new);
                    Ok(())
                })
            })?;
            if block + 1 == self.layers.len() {
                return net.add("norm5", self.norm(), &all);
            }
            x = net.scope(&format!("transition{}", block + 1), |net| {
                let x = net.add("norm", self.norm(), &all)?;
                let half = net.shape(x).c / 2;
                let x = net.add("conv", self.style.conv(half, 1), &[x])?;
                net.add("pool", Pool::Average(POOL), &[x])
            })?;
        }
        Ok(x)
    }
}
