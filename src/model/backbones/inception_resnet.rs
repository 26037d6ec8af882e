use super::{Backbone, BackboneEntry};
use crate::kernels::pool::Window;
use crate::kernels::pool::average::Average;
use crate::model::Part;
use crate::model::inception::{self, Reduction, branch, scaled};
use crate::model::stems::inception::settings_of;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add, Concat, Conv, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Interval, Kind, Param};

const fn blocks(key: &'static str, default: &'static str, doc: &'static str) -> Param {
    Param { key, kind: Kind::Int { min: 0, max: 100 }, default: Default::Toml(default), doc }
}

const fn scale(key: &'static str, default: &'static str) -> Param {
    Param {
        key,
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml(default),
        doc: "how much of what such a block computes is added to its shortcut",
    }
}

pub static V2: BackboneEntry = Entry {
    name: "inception-resnet-v2",
    summary: "paths of 1×1, 3×3 and factored convolutions side by side, added to a shortcut in part: blocks at three sizes; 55.8 million parameters",
    cite: "Szegedy et al. 2016 (arXiv:1602.07261), figures 16 to 19; numbers and names as timm's inception_resnet_v2, whose stem is inception-v3",
    params: &[
        inception::WIDTH,
        blocks("blocks_a", "10", "blocks with 3×3 and 5×5 windows, of 35 pixels where the image has 299"),
        blocks("blocks_b", "20", "blocks with factored 7×7 windows, of 17 pixels"),
        blocks(
            "blocks_c",
            "9",
            "blocks with factored 3×3 windows, of 8 pixels; one without an activation follows them",
        ),
        scale("scale_a", "0.17"),
        scale("scale_b", "0.1"),
        scale("scale_c", "0.2"),
        inception::PADDING,
        style::INIT,
        style::norm_eps("1e-3"),
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
    ],
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| {
            Box::new(InceptionResNet {
                width: settings.usize("width"),
                blocks: ["blocks_a", "blocks_b", "blocks_c"].map(|key| settings.usize(key)),
                scales: ["scale_a", "scale_b", "scale_c"].map(|key| settings.float(key) as f32),
                reduction: Reduction { padding: inception::padding(settings), stride: 2 },
                style: Style::of(settings, Act::Relu),
            })
        },
        stem: |settings| Style::hand_on(settings, Choice::with("inception-v3", settings_of(settings))),
        head: |_| Choice::plain("avg-pool"),
        published: &[
            ("conv2d_1a.", "stem.conv2d_1a."),
            ("conv2d_2a.", "stem.conv2d_2a."),
            ("conv2d_2b.", "stem.conv2d_2b."),
            ("conv2d_3b.", "stem.conv2d_3b."),
            ("conv2d_4a.", "stem.conv2d_4a."),
            ("classif.", "head.fc."),
        ],
    },
};

struct InceptionResNet {
    width: usize,
    /// Of each of three kinds.
    blocks: [usize; 3],
    scales: [f32; 3],
    reduction: Reduction,
    style: Style,
}

/// The mean that stands in a path of its own.
const AVERAGE: Average = Average::Inside(Window { kernel: [3; 2], stride: [1; 2], padding: [1; 2] });

impl InceptionResNet {
    /// A 1×1 convolution to so many of the published channels.
    fn one(&self, channels: usize) -> Conv {
        self.sized(channels, [1, 1])
    }

    fn sized(&self, channels: usize, kernel: [usize; 2]) -> Conv {
        self.style.rect(scaled(self.width, channels), kernel)
    }

    /// A 3×3 convolution that halves the size.
    fn halving(&self, channels: usize) -> Conv {
        self.reduction.conv(&self.style, scaled(self.width, channels))
    }

    /// One convolution after another: `name`, or `name.0`, `name.1`, … where there are several.
    fn path(&self, net: &mut Builder, name: &str, x: ValueId, convs: &[Conv]) -> Result<ValueId, ShapeError> {
        match convs {
            [conv] => branch(&self.style, net, name, x, *conv),
            _ => net.scope(name, |net| {
                let mut each = convs.iter().enumerate();
                each.try_fold(x, |x, (k, conv)| branch(&self.style, net, &k.to_string(), x, *conv))
            }),
        }
    }

    /// Paths side by side, `branch0`, `branch1`, …
    fn paths(&self, net: &mut Builder, x: ValueId, paths: &[&[Conv]]) -> Result<Vec<ValueId>, ShapeError> {
        paths.iter().enumerate().map(|(k, convs)| self.path(net, &format!("branch{k}"), x, convs)).collect()
    }

    /// `act(x + scale·conv2d(paths))`, where conv2d brings the paths back to the channels of x and has a bias.
    fn residual(
        &self,
        net: &mut Builder,
        x: ValueId,
        scale: f32,
        act: Act,
        paths: &[&[Conv]],
    ) -> Result<ValueId, ShapeError> {
        let paths = self.paths(net, x, paths)?;
        let all = net.add("concat", Concat, &paths)?;
        let up = self.style.conv(net.shape(x).c, 1).bias(true);
        let up = net.add("conv2d", up, &[all])?;
        net.add("add", Add::new().scale(scale).act(act), &[x, up])
    }

    /// Paths of all sizes up to 5×5, beside a mean.
    fn mixed_5b(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let five = [self.one(48), self.sized(64, [5, 5])];
        let twice = [self.one(64), self.sized(96, [3, 3]), self.sized(96, [3, 3])];
        let mut paths = self.paths(net, x, &[&[self.one(96)], &five, &twice])?;
        let mean = net.add("branch3.0", Pool::Average(AVERAGE), &[x])?;
        paths.push(branch(&self.style, net, "branch3.1", mean, self.one(64))?);
        net.add("concat", Concat, &paths)
    }

    fn block_a(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let three = [self.one(32), self.sized(32, [3, 3])];
        let twice = [self.one(32), self.sized(48, [3, 3]), self.sized(64, [3, 3])];
        self.residual(net, x, self.scales[0], self.style.act, &[&[self.one(32)], &three, &twice])
    }

    fn mixed_6a(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let longer = [self.one(256), self.sized(256, [3, 3]), self.halving(384)];
        let mut paths = self.paths(net, x, &[&[self.halving(384)], &longer])?;
        paths.push(net.add("branch2", self.reduction.pool(), &[x])?);
        net.add("concat", Concat, &paths)
    }

    fn block_b(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let seven = [self.one(128), self.sized(160, [1, 7]), self.sized(192, [7, 1])];
        self.residual(net, x, self.scales[1], self.style.act, &[&[self.one(192)], &seven])
    }

    fn mixed_7a(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let first = [self.one(256), self.halving(384)];
        let second = [self.one(256), self.halving(288)];
        let third = [self.one(256), self.sized(288, [3, 3]), self.halving(320)];
        let mut paths = self.paths(net, x, &[&first, &second, &third])?;
        paths.push(net.add("branch3", self.reduction.pool(), &[x])?);
        net.add("concat", Concat, &paths)
    }

    fn block_c(&self, net: &mut Builder, x: ValueId, scale: f32, act: Act) -> Result<ValueId, ShapeError> {
        let three = [self.one(192), self.sized(224, [1, 3]), self.sized(256, [3, 1])];
        self.residual(net, x, scale, act, &[&[self.one(192)], &three])
    }

    /// Blocks one after another, `name.0`, `name.1`, …
    fn repeat(
        net: &mut Builder,
        name: &str,
        count: usize,
        x: ValueId,
        block: impl Fn(&mut Builder, ValueId) -> Result<ValueId, ShapeError>,
    ) -> Result<ValueId, ShapeError> {
        net.scope(name, |net| (0..count).try_fold(x, |x, k| net.scope(&k.to_string(), |net| block(net, x))))
    }
}

impl Part for InceptionResNet {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let [a, b, c] = self.blocks;
        let x = net.scope("mixed_5b", |net| self.mixed_5b(net, x))?;
        let x = Self::repeat(net, "repeat", a, x, |net, x| self.block_a(net, x))?;
        let x = net.scope("mixed_6a", |net| self.mixed_6a(net, x))?;
        let x = Self::repeat(net, "repeat_1", b, x, |net, x| self.block_b(net, x))?;
        let x = net.scope("mixed_7a", |net| self.mixed_7a(net, x))?;
        let x = Self::repeat(net, "repeat_2", c, x, |net, x| self.block_c(net, x, self.scales[2], self.style.act))?;
        let x = net.scope("block8", |net| self.block_c(net, x, 1.0, Act::None))?;
        branch(&self.style, net, "conv2d_7b", x, self.one(1536))
    }
}
