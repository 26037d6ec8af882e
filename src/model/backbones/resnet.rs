//! Residual nets after He et al. 2015.

use super::blocks::{self, Options, Residual};
use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Settings, Value};

const BASIC_WIDTH: &str =
    "channels of the stem and the first of four stages; each of the others has twice as many as the one before";
const BOTTLENECK_WIDTH: &str = "channels of the stem and inside the first stage's bottlenecks, which give four times as many; each of the other \
     stages has twice as many as the one before";

const fn params(width: &'static str) -> [Param; 12] {
    let width = Param { key: "width", kind: Kind::Int { min: 1, max: 1024 }, default: Default::Toml("64"), doc: width };
    [
        width,
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::NORM_ZERO,
        style::ACT,
        blocks::SE,
        blocks::BLUR,
        blocks::BLUR_BEFORE,
        blocks::AVG_DOWN,
        blocks::DROP_PATH,
    ]
}

pub static RESNET18: BackboneEntry = Entry {
    name: "resnet18",
    summary: "four stages of two basic blocks, each two 3×3 convolutions and a shortcut; 11.2 million parameters",
    cite: "He et al. 2015 (arXiv:1512.03385), tables 1 and 6; names as torchvision's; norm_zero: Goyal et al. 2017 (arXiv:1706.02677), section 5.1",
    params: &params(BASIC_WIDTH),
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet::new(settings, Block::Basic, &[2, 2, 2, 2])),
        stem,
        head,
        published: PUBLISHED,
    },
};

pub static RESNET34: BackboneEntry = Entry {
    name: "resnet34",
    summary: "stages of 3, 4, 6 and 3 basic blocks, each two 3×3 convolutions and a shortcut; 21.8 million parameters",
    cite: "He et al. 2015 (arXiv:1512.03385), table 1; names as torchvision's; norm_zero: Goyal et al. 2017 (arXiv:1706.02677), section 5.1",
    params: &params(BASIC_WIDTH),
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet::new(settings, Block::Basic, &[3, 4, 6, 3])),
        stem,
        head,
        published: PUBLISHED,
    },
};

pub static RESNET50: BackboneEntry = Entry {
    name: "resnet50",
    summary: "stages of 3, 4, 6 and 3 bottlenecks, 1×1, 3×3 and 1×1 convolutions and a shortcut; 25.6 million parameters",
    cite: "He et al. 2015 (arXiv:1512.03385), table 1; the stride on the 3×3 convolution, as torchvision's (\"v1.5\"); norm_zero: Goyal et al. 2017 (arXiv:1706.02677), section 5.1",
    params: &params(BOTTLENECK_WIDTH),
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet::new(settings, Block::Bottleneck, &[3, 4, 6, 3])),
        stem,
        head,
        published: PUBLISHED,
    },
};

pub static RESNET101: BackboneEntry = Entry {
    name: "resnet101",
    summary: "stages of 3, 4, 23 and 3 bottlenecks, as resnet50's; 44.5 million parameters",
    cite: "He et al. 2015 (arXiv:1512.03385), table 1; the stride on the 3×3 convolution, as torchvision's (\"v1.5\"); norm_zero: Goyal et al. 2017 (arXiv:1706.02677), section 5.1",
    params: &params(BOTTLENECK_WIDTH),
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet::new(settings, Block::Bottleneck, &[3, 4, 23, 3])),
        stem,
        head,
        published: PUBLISHED,
    },
};

pub static RESNET152: BackboneEntry = Entry {
    name: "resnet152",
    summary: "stages of 3, 8, 36 and 3 bottlenecks, as resnet50's; 60.2 million parameters",
    cite: "He et al. 2015 (arXiv:1512.03385), table 1; the stride on the 3×3 convolution, as torchvision's (\"v1.5\"); norm_zero: Goyal et al. 2017 (arXiv:1706.02677), section 5.1",
    params: &params(BOTTLENECK_WIDTH),
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet::new(settings, Block::Bottleneck, &[3, 8, 36, 3])),
        stem,
        head,
        published: PUBLISHED,
    },
};

/// torchvision's; timm's are the same, with `se` inside the blocks.
const PUBLISHED: &[(&str, &str)] = &[("conv1.", "stem.conv."), ("bn1.", "stem.norm."), ("fc.", "head.fc.")];

fn stem(settings: &Settings) -> Choice {
    let width = Value::Int(settings.int("width"));
    let mut stem = Choice::with("conv7x7", [("width", width)]);
    let blur = settings.0.get(blocks::BLUR.key).map(|blur| (blocks::BLUR.key.to_owned(), blur.clone()));
    stem.settings.0.extend(blur);
    Style::hand_on(settings, stem)
}

fn head(_: &Settings) -> Choice {
    Choice::plain("avg-pool")
}

/// What a stage is made of.
#[derive(Clone, Copy)]
enum Block {
    /// Two 3×3 convolutions.
    Basic,
    /// A 3×3 convolution between two of 1×1, of which the second gives four times the channels.
    Bottleneck,
}

struct ResNet {
    width: usize,
    block: Block,
    /// Blocks of each stage.
    blocks: &'static [usize],
    style: Style,
    options: Options,
}

impl ResNet {
    fn new(settings: &Settings, block: Block, blocks: &'static [usize]) -> Self {
        let (style, options) = (Style::of(settings, Act::Relu), Options::of(settings));
        Self { width: settings.usize("width"), block, blocks, style, options }
    }
}

impl Residual<'_> {
    /// x or, where the shape changes, a 1×1 convolution of it to `channels` with the stride, and a norm.
    fn shortcut(&self, net: &mut Builder, x: ValueId, channels: usize) -> Result<ValueId, ShapeError> {
        let Self { style, options, stride, .. } = *self;
        if stride == 1 && net.shape(x).c == channels {
            return Ok(x);
        }
        net.scope("downsample", |net| {
            // As timm names them, which then has a pool or nothing at `0`.
            let [conv, norm] = if options.avg_down { ["1", "2"] } else { ["0", "1"] };
            let (x, stride) = options.shortcut(net, "", x, stride)?;
            let x = net.add(conv, style.conv(channels, 1).stride(stride), &[x])?;
            net.add(norm, style.norm(Act::None), &[x])
        })
    }

    /// `act(shortcut + drop(gate(norm(y))))`: the end of a block.
    fn join(&self, net: &mut Builder, norm: &str, y: ValueId, shortcut: ValueId) -> Result<ValueId, ShapeError> {
        let Self { style, options, .. } = *self;
        if !options.ends() {
            return net.add(norm, style.last_norm(style.act), &[y, shortcut]);
        }
        let y = net.add(norm, style.last_norm(Act::None), &[y])?;
        let y = options.end(net, y)?;
        net.add("add", Add::new().act(style.act), &[shortcut, y])
    }

    /// `act(shortcut + f(x))`, f of two 3×3 convolutions with norms, the first with the stride.
    fn basic(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { style, options, width, stride } = *self;
        let shortcut = self.shortcut(net, x, width)?;
        let y = options.before(net, "blur", x, stride)?;
        let y = net.add("conv1", style.conv(width, 3).stride(options.stride(stride)), &[y])?;
        let y = net.add("bn1", style.norm(style.act), &[y])?;
        let y = options.behind(net, "blur", y, stride)?;
        let y = net.add("conv2", style.conv(width, 3), &[y])?;
        self.join(net, "bn2", y, shortcut)
    }

    /// `act(shortcut + f(x))`, f of a 1×1, a 3×3 with the stride, and a 1×1 convolution to four times the channels, each with
    /// a norm.
    fn bottleneck(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { style, options, width, stride } = *self;
        let shortcut = self.shortcut(net, x, 4 * width)?;
        let y = net.add("conv1", style.conv(width, 1), &[x])?;
        let y = net.add("bn1", style.norm(style.act), &[y])?;
        let y = options.before(net, "blur", y, stride)?;
        let y = net.add("conv2", style.conv(width, 3).stride(options.stride(stride)), &[y])?;
        let y = net.add("bn2", style.norm(style.act), &[y])?;
        let y = options.behind(net, "blur", y, stride)?;
        let y = net.add("conv3", style.conv(4 * width, 1), &[y])?;
        self.join(net, "bn3", y, shortcut)
    }
}

impl Part for ResNet {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        let all: usize = self.blocks.iter().sum();
        for (stage, blocks) in self.blocks.iter().enumerate() {
            let before: usize = self.blocks[..stage].iter().sum();
            x = net.scope(&format!("layer{}", stage + 1), |net| {
                (0..*blocks).try_fold(x, |x, block| {
                    let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                    let (width, options) = (self.width << stage, self.options.of_block(before + block, all));
                    let residual = Residual { style: &self.style, options, width, stride };
                    net.scope(&block.to_string(), |net| match self.block {
                        Block::Basic => residual.basic(net, x),
                        Block::Bottleneck => residual.bottleneck(net, x),
                    })
                })
            })?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Isa};
    use crate::nn::{Params, Shape, Tape, TapeOptions};

    /// A net of width 4 without stem and head, its parameters, and a tape for two images.
    fn net(zero: bool) -> (Params, Tape) {
        let settings = [
            ("init", Value::Text("uniform".to_owned())),
            ("norm_eps", Value::Float(1e-5)),
            ("norm_update", Value::Float(0.1)),
            ("norm_scale", Value::Bool(true)),
            ("norm_zero", Value::Bool(zero)),
            ("width", Value::Int(4)),
        ];
        let settings = Choice::with("resnet18", settings).settings;
        let mut net = Builder::new(Shape::new(8, 8, 4));
        let x = net.input();
        let out = ((RESNET18.make.part)(&settings)).build(&mut net, x).unwrap();
        let graph = net.finish(out);
        let params = Params::new(graph.params(), graph.stats(), 1);
        let tape = Tape::new(&graph, &params, TapeOptions::train(2, DType::F32, Isa::detect().unwrap()));
        (params, tape)
    }

    #[test]
    fn a_block_can_start_as_its_shortcut_and_still_learn() {
        let (mut params, mut tape) = net(true);
        let ones = |name: &str, params: &Params| params.get(name).unwrap().iter().all(|scale| *scale == 1.0);
        assert!(params.get("layer1.0.bn2.weight").unwrap().iter().all(|scale| *scale == 0.0));
        assert!(ones("layer1.0.bn1.weight", &params) && ones("layer2.0.downsample.1.weight", &params));
        assert!(ones("layer1.0.bn2.weight", &net(false).0), "but only where that is asked for");

        let images: Vec<f32> = (0..2 * 8 * 8 * 4).map(|k| (k * 37 % 101) as f32 / 50.0 - 1.0).collect();
        tape.forward(&mut params, &images).unwrap();
        let before = tape.output();
        tape.set_output_grad(&before.iter().enumerate().map(|(k, _)| (k % 5) as f32 - 2.0).collect::<Vec<_>>());
        tape.backward(&mut params).unwrap();
        let range = params.directory()["layer4.1.bn2.weight"].range.clone();
        assert!(params.grads()[range].iter().any(|gradient| *gradient != 0.0), "the scale moves");
        // What a block computes beside its shortcut does not show.
        let range = params.directory()["layer4.1.conv1.weight"].range.clone();
        params.values_mut()[range].iter_mut().for_each(|weight| *weight *= -3.0);
        tape.forward(&mut params, &images).unwrap();
        assert_eq!(tape.output(), before);
    }
}
