use super::StemEntry;
use super::shrink::{self, Shrink};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: StemEntry = Entry {
    name: "factored7x7",
    summary: "conv7x7 in two steps, 1×7 and 7×1, each of stride 2 along its own axis: 14 taps for 49",
    cite: "the factoring of Szegedy et al. 2015 (arXiv:1512.00567), section 3.2, in the stem of He et al. 2015; the lesson's question",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Toml("64"),
            doc: "output channels",
        },
        Param {
            key: "middle",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Absent,
            doc: "channels between the two; left out: as many as come out",
        },
        Param {
            key: "order",
            kind: Kind::Word(&["1x7-7x1", "7x1-1x7"]),
            default: Default::Toml("\"1x7-7x1\""),
            doc: "which of the two, height times width, comes first",
        },
        Param {
            key: "between",
            kind: Kind::Word(&["nothing", "norm", "act", "norm-act"]),
            default: Default::Toml("\"norm-act\""),
            doc: "what stands between the two: with nothing they are one 7×7 convolution of few parameters, with norm and \
                  activation two layers",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
        shrink::PARAMS[0],
        shrink::PARAMS[1],
        shrink::PARAMS[2],
    ],
    shorthand: Some("width"),
    make: |settings| {
        let width = settings.usize("width");
        let between = settings.text("between");
        Box::new(Stem {
            width,
            middle: settings.opt_usize("middle").unwrap_or(width),
            wide_first: settings.text("order") == "1x7-7x1",
            norm: between.starts_with("norm"),
            act: between.ends_with("act"),
            style: Style::of(settings, Act::Relu),
            shrink: Shrink::of(settings),
        })
    },
};

struct Stem {
    width: usize,
    middle: usize,
    /// Whether 1×7 comes before 7×1.
    wide_first: bool,
    /// What stands between the two.
    norm: bool,
    act: bool,
    style: Style,
    shrink: Shrink,
}

impl Part for Stem {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let Self { style, shrink, .. } = self;
        let axes = if self.wide_first { [[1, 7], [7, 1]] } else { [[7, 1], [1, 7]] };
        // The stride is that of the axis along which the kernel is long.
        let conv = |width, kernel: [usize; 2]| {
            style.rect(width, kernel).stride_rect(kernel.map(|k| if k > 1 { shrink.stride } else { 1 }))
        };
        let act = if self.act { style.act } else { Act::None };
        net.scope("stem", |net| {
            let mut x = net.add("conv1", conv(self.middle, axes[0]), &[x])?;
            if self.norm {
                x = net.add("norm1", style.norm(act), &[x])?;
            } else if self.act {
                x = net.add("act1", Add::new().act(act), &[x])?;
            }
            let x = net.add("conv2", conv(self.width, axes[1]), &[x])?;
            let x = net.add("norm2", style.norm(style.act), &[x])?;
            self.shrink.pool(net, x)
        })
    }
}
