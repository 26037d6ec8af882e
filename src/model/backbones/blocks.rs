//! Options of residual blocks that several backbones have.

use crate::kernels::pool::average::Average;
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

/// What the settings say of both.
#[derive(Clone, Copy, Debug, std::default::Default)]
pub struct Options {
    /// How many times fewer channels the gates of a block are computed through.
    se: Option<usize>,
    blur: bool,
}

impl Options {
    /// From the settings of an entry that declares [`SE`] and [`BLUR`].
    pub fn of(settings: &Settings) -> Self {
        Self { se: settings.opt_usize(SE.key), blur: settings.opt_bool(BLUR.key) == Some(true) }
    }

    /// Whether something stands between a block's last convolution and the sum with its shortcut.
    pub fn gates(&self) -> bool {
        self.se.is_some()
    }

    /// The stride of a convolution that shrinks the image by `stride`.
    pub fn stride(&self, stride: usize) -> usize {
        if self.blur { 1 } else { stride }
    }

    /// What is left to shrink behind such a convolution, or before one of a shortcut: `name`.
    pub fn shrink(&self, net: &mut Builder, name: &str, x: ValueId, stride: usize) -> Result<ValueId, ShapeError> {
        match self.blur && stride > 1 {
            true => net.add(name, Pool::Average(Average::Blur { stride }), &[x]),
            false => Ok(x),
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
