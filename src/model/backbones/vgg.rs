//! Plain nets of 3×3 convolutions and pools after Simonyan and Zisserman 2014.

use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Settings};

const CITE: &str = "Simonyan and Zisserman 2014 (arXiv:1409.1556), table 1; names and shapes as torchvision's; with batch norm as its vgg*_bn";

const WIDTH: Param = Param {
    key: "width",
    kind: Kind::Int { min: 1, max: 1024 },
    default: Default::Toml("64"),
    doc: "channels of the first of five stages; the second, third and fourth have 2, 4 and 8 times as many, the fifth 8",
};

/// Convolutions have a bias where no norm follows, so a plain net has nothing of a norm to set.
const PLAIN: &[Param] = &[WIDTH, style::INIT, style::ACT];
const NORMED: &[Param] = &[WIDTH, style::INIT, style::NORM_EPS, style::NORM_UPDATE, style::NORM_SCALE, style::ACT];

macro_rules! entry {
    ($entry:ident, $name:literal, $summary:literal, $norm:literal, $blocks:expr) => {
        pub static $entry: BackboneEntry = Entry {
            name: $name,
            summary: $summary,
            cite: CITE,
            params: if $norm { NORMED } else { PLAIN },
            shorthand: Some("width"),
            make: Backbone {
                part: |settings| Box::new(Vgg::new(settings, &$blocks, $norm)),
                stem: |_| Choice::plain("none"),
                head: |_| Choice::plain("fully-connected"),
                published: PUBLISHED,
            },
        };
    };
}

const PUBLISHED: &[(&str, &str)] =
    &[("classifier.0.", "head.hidden1."), ("classifier.3.", "head.hidden2."), ("classifier.6.", "head.fc.")];

entry!(
    VGG11,
    "vgg11",
    "stages of 1, 1, 2, 2 and 2 convolutions, each with a ReLU, and a pool; 132.9 million parameters with its head",
    false,
    [1, 1, 2, 2, 2]
);
entry!(VGG11_BN, "vgg11-bn", "vgg11 with batch norm behind each convolution", true, [1, 1, 2, 2, 2]);
entry!(
    VGG13,
    "vgg13",
    "stages of 2 convolutions each, as vgg11's; 133.0 million parameters with its head",
    false,
    [2, 2, 2, 2, 2]
);
entry!(VGG13_BN, "vgg13-bn", "vgg13 with batch norm behind each convolution", true, [2, 2, 2, 2, 2]);
entry!(
    VGG16,
    "vgg16",
    "stages of 2, 2, 3, 3 and 3 convolutions, as vgg11's; 138.4 million parameters with its head",
    false,
    [2, 2, 3, 3, 3]
);
entry!(VGG16_BN, "vgg16-bn", "vgg16 with batch norm behind each convolution", true, [2, 2, 3, 3, 3]);
entry!(
    VGG19,
    "vgg19",
    "stages of 2, 2, 4, 4 and 4 convolutions, as vgg11's; 143.7 million parameters with its head",
    false,
    [2, 2, 4, 4, 4]
);
entry!(VGG19_BN, "vgg19-bn", "vgg19 with batch norm behind each convolution", true, [2, 2, 4, 4, 4]);

struct Vgg {
    width: usize,
    /// Convolutions of each stage.
    blocks: &'static [usize; 5],
    norm: bool,
    style: Style,
}

impl Vgg {
    fn new(settings: &Settings, blocks: &'static [usize; 5], norm: bool) -> Self {
        let style = if norm { Style::of(settings, Act::Relu) } else { Style::without_norms(settings, Act::Relu) };
        Self { width: settings.usize("width"), blocks, norm, style }
    }
}

impl Part for Vgg {
    /// `features.0`, …, numbered as torchvision's modules: convolution, norm where there is one, activation, …, pool.
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { style, .. } = self;
        net.scope("features", |net| {
            let mut number = 0;
            for (stage, convs) in self.blocks.iter().enumerate() {
                let width = self.width << stage.min(3);
                for _ in 0..*convs {
                    x = net.add(&number.to_string(), style.conv(width, 3).bias(true), &[x])?;
                    let next = (number + 1).to_string();
                    // A norm has torchvision's next module, the activation, in it.
                    (x, number) = match self.norm {
                        true => (net.add(&next, style.norm(style.act), &[x])?, number + 3),
                        false => (net.add(&next, Add::new().act(style.act), &[x])?, number + 2),
                    };
                }
                x = net.add(&number.to_string(), Pool::max(2), &[x])?;
                number += 1;
            }
            Ok(x)
        })
    }
}
