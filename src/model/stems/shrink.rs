//! How the stems for large images shrink them: a stride, and a max-pool, blurred or not.

use crate::kernels::pool::Window;
use crate::kernels::pool::average::{Average, Edge};
use crate::nn::layers::Pool;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Kind, Param, Settings};

/// What [`Shrink`] reads.
pub const PARAMS: [Param; 3] = [
    Param {
        key: "stride",
        kind: Kind::Int { min: 1, max: 4 },
        default: Default::Absent,
        doc: "of the convolutions, all taken together; left out: 2",
    },
    Param {
        key: "pool",
        kind: Kind::Bool,
        default: Default::Absent,
        doc: "whether the max-pool follows, 3×3 of stride 2; left out: yes. Without it and with stride 1, the stem suits small images",
    },
    Param {
        key: "blur",
        kind: Kind::Bool,
        default: Default::Absent,
        doc: "whether the max-pool steps by 1 and is blurred to half the size (Zhang 2019, arXiv:1904.11486); left out: no",
    },
];

const WINDOW: Window = Window { kernel: [3; 2], stride: [2; 2], padding: [1; 2] };

/// The settings.
pub struct Shrink {
    pub stride: usize,
    pool: bool,
    blur: bool,
}

impl Shrink {
    /// From the settings of an entry that declares [`PARAMS`].
    pub fn of(settings: &Settings) -> Self {
        Self {
            stride: settings.opt_usize("stride").unwrap_or(2),
            pool: settings.opt_bool("pool") != Some(false),
            blur: settings.opt_bool("blur") == Some(true),
        }
    }

    /// The end of the stem: `pool`, and `blur` where that does the step.
    pub fn pool(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        match (self.pool, self.blur) {
            (false, _) => Ok(x),
            (true, false) => net.add("pool", Pool::Max(WINDOW), &[x]),
            (true, true) => {
                let x = net.add("pool", Pool::Max(Window { stride: [1; 2], ..WINDOW }), &[x])?;
                net.add("blur", Pool::Average(Average::Blur { stride: 2, edge: Edge::Mirrored }), &[x])
            }
        }
    }
}
