//! Options of residual blocks that several backbones have.

use crate::kernels::pool::average::{Average, Edge};
use crate::model::style::Style;
use crate::nn::layers::{Act, Add, Conv, Dropout, Gate, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Interval, Kind, Param, Settings};

/// Squeeze and excitation in each block.
pub const SE: Param = Param {
    key: "se",
    kind: Kind::Int { min: 1, max: 256 },
    default: Default::Absent,
    doc: "squeeze and excitation at the end of each block, through so many times fewer channels (16 in Hu et al. 2017, \
          arXiv:1709.01507); left out: none",
};

/// Blurred downsampling.
pub const BLUR: Param = Param {
    key: "blur",
    kind: Kind::Bool,
    default: Default::Absent,
    doc: "whether convolutions of stride 2 step by 1 and are blurred to half the size, so that a shift of the image by a \
          pixel changes little (Zhang 2019, arXiv:1904.11486); left out: no",
};

/// Blurred inputs of what shrinks the image.
pub const BLUR_BEFORE: Param = Param {
    key: "blur_before",
    kind: Kind::Bool,
    default: Default::Absent,
    doc: "whether the blocks' convolutions of stride 2 keep their stride and see a blurred image instead, which costs a \
          quarter as much as `blur` (FFCV's `BlurPoolConv2d`, Leclerc et al. 2022); left out: no",
};

/// Shortcuts that lose no pixel.
pub const AVG_DOWN: Param = Param {
    key: "avg_down",
    kind: Kind::Bool,
    default: Default::Absent,
    doc: "whether a shortcut that shrinks the image takes the mean of the pixels that become one, and then a 1×1 convolution of \
          stride 1, which else takes one pixel and leaves the others out (ResNet-D, He et al. 2018, arXiv:1812.01187; timm's \
          `avg_down`, fast.ai's XResNet); left out: no",
};

/// Stochastic depth.
pub const DROP_PATH: Param = Param {
    key: "drop_path",
    kind: Kind::Float(Interval::half_open(0.0, 1.0)),
    default: Default::Absent,
    doc: "share of the images for which each step of training drops the branch of the last block, so that its shortcut alone \
          is left; the share rises evenly from 0 at the first block, and what stays is scaled up by 1/(1 − share) (stochastic \
          depth, Huang et al. 2016, arXiv:1603.09382, as timm's `drop_path`); left out: none",
};

/// Where a block blurs what it shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blurring {
    Nowhere,
    /// Behind a convolution that steps by 1.
    Behind,
    /// Before a convolution that has the stride.
    Before,
    /// Settings ask for both.
    Twice,
}

/// What the settings say of them.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many times fewer channels the gates of a block are computed through.
    se: Option<usize>,
    blurring: Blurring,
    pub avg_down: bool,
    /// Of the last block.
    drop_path: f64,
}

/// One block of a net: what its layers are made by.
pub struct Residual<'a> {
    pub style: &'a Style,
    pub options: Options,
    /// Of its convolutions.
    pub width: usize,
    /// How many times smaller it makes the image.
    pub stride: usize,
}

impl Options {
    /// From the settings of an entry that declares [`SE`], [`BLUR`], [`BLUR_BEFORE`], [`AVG_DOWN`] and [`DROP_PATH`].
    pub fn of(settings: &Settings) -> Self {
        let given = |param: &Param| settings.opt_bool(param.key) == Some(true);
        let blurring = match (given(&BLUR), given(&BLUR_BEFORE)) {
            (false, false) => Blurring::Nowhere,
            (true, false) => Blurring::Behind,
            (false, true) => Blurring::Before,
            (true, true) => Blurring::Twice,
        };
        let drop_path = settings.opt_float(DROP_PATH.key).unwrap_or(0.0);
        Self { se: settings.opt_usize(SE.key), blurring, avg_down: given(&AVG_DOWN), drop_path }
    }

    /// Those of block `index`, from 0 on, of a net of so many: its share of dropped images is `drop_path·index/(blocks − 1)`,
    /// as timm's residual nets have it.
    pub fn of_block(self, index: usize, blocks: usize) -> Self {
        let rise = index as f64 / (blocks - 1).max(1) as f64;
        Self { drop_path: self.drop_path * rise, ..self }
    }

    /// Whether something stands between the end of a block's branch and the sum with its shortcut.
    pub fn ends(&self) -> bool {
        self.se.is_some() || self.drop_path > 0.0
    }

    /// What stands there: gates, then `drop_path`, the branch or zeros in its place.
    pub fn end(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let x = self.gate(net, x)?;
        if self.drop_path > 0.0 { net.add("drop_path", Dropout::of_images(self.drop_path), &[x]) } else { Ok(x) }
    }

    /// The stride of a convolution that shrinks the image by `stride`.
    pub fn stride(&self, stride: usize) -> usize {
        if self.blurring == Blurring::Behind { 1 } else { stride }
    }

    /// What such a convolution sees: x, or `name`, x blurred.
    pub fn before(&self, net: &mut Builder, name: &str, x: ValueId, stride: usize) -> Result<ValueId, ShapeError> {
        match self.blurring {
            Blurring::Before if stride > 1 => blurred(net, name, x, 1, Edge::Zeros),
            Blurring::Twice => Err(ShapeError {
                layer: name.to_owned(),
                problem: "`blur` and `blur_before` are two ways to do the same: leave one of them out".to_owned(),
            }),
            _ => Ok(x),
        }
    }

    /// What is left to shrink behind such a convolution: `name`.
    pub fn behind(&self, net: &mut Builder, name: &str, x: ValueId, stride: usize) -> Result<ValueId, ShapeError> {
        match self.blurring {
            Blurring::Behind if stride > 1 => blurred(net, name, x, stride, Edge::Mirrored),
            _ => Ok(x),
        }
    }

    /// What a shortcut's 1×1 convolution sees, and its stride. It takes single pixels, so one of stride 2 over a blurred image
    /// is one of stride 1 over a quarter of that. What is made of x is named `pool` or `blur`, behind `scope`.
    pub fn shortcut(
        &self,
        net: &mut Builder,
        scope: &str,
        x: ValueId,
        stride: usize,
    ) -> Result<(ValueId, usize), ShapeError> {
        if self.avg_down && stride > 1 {
            let mean = Pool::Average(Average::Tiles { side: stride });
            return Ok((net.add(&format!("{scope}pool"), mean, &[x])?, 1));
        }
        let edge = match self.blurring {
            Blurring::Behind => Edge::Mirrored,
            Blurring::Before => Edge::Zeros,
            Blurring::Nowhere | Blurring::Twice => return Ok((x, stride)),
        };
        match stride {
            1 => Ok((x, 1)),
            _ => Ok((blurred(net, &format!("{scope}blur"), x, stride, edge)?, 1)),
        }
    }

    /// `x·σ(fc2(relu(fc1(mean of x))))`, a number a channel: `se.pool`, `se.fc1`, `se.act`, `se.fc2`, `se.gate`.
    fn gate(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Some(fewer) = self.se else { return Ok(x) };
        net.scope("se", |net| {
            let width = net.shape(x).c;
            let g = net.add("pool", Pool::global_avg(), &[x])?;
            let g = net.add("fc1", Conv::new((width / fewer).max(1), 1).bias(true), &[g])?;
            let g = net.add("act", Add::new().act(Act::Relu), &[g])?;
            let g = net.add("fc2", Conv::new(width, 1).bias(true), &[g])?;
            net.add("gate", Gate, &[x, g])
        })
    }
}

/// `name`: x, blurred, every `stride`-th pixel of it.
fn blurred(net: &mut Builder, name: &str, x: ValueId, stride: usize, edge: Edge) -> Result<ValueId, ShapeError> {
    net.add(name, Pool::Average(Average::Blur { stride, edge }), &[x])
}
