//! Options of residual blocks that several backbones have.

use crate::kernels::pool::average::{Average, Edge};
use crate::nn::layers::{Act, Add, Conv, Gate, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Kind, Param, Settings};

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
}

impl Options {
    /// From the settings of an entry that declares [`SE`], [`BLUR`] and [`BLUR_BEFORE`].
    pub fn of(settings: &Settings) -> Self {
        let given = |param: &Param| settings.opt_bool(param.key) == Some(true);
        let blurring = match (given(&BLUR), given(&BLUR_BEFORE)) {
            (false, false) => Blurring::Nowhere,
            (true, false) => Blurring::Behind,
            (false, true) => Blurring::Before,
            (true, true) => Blurring::Twice,
        };
        Self { se: settings.opt_usize(SE.key), blurring }
    }

    /// Whether something stands between a block's last convolution and the sum with its shortcut.
    pub fn gates(&self) -> bool {
        self.se.is_some()
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
    /// is one of stride 1 over a quarter of that.
    pub fn shortcut(
        &self,
        net: &mut Builder,
        name: &str,
        x: ValueId,
        stride: usize,
    ) -> Result<(ValueId, usize), ShapeError> {
        let edge = match self.blurring {
            Blurring::Behind => Edge::Mirrored,
            Blurring::Before => Edge::Zeros,
            Blurring::Nowhere | Blurring::Twice => return Ok((x, stride)),
        };
        match stride {
            1 => Ok((x, 1)),
            _ => Ok((blurred(net, name, x, stride, edge)?, 1)),
        }
    }

    /// `x·σ(fc2(relu(fc1(mean of x))))`, a number a channel: `se.pool`, `se.fc1`, `se.act`, `se.fc2`, `se.gate`.
    pub fn gate(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
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
