use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Act, Add, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Value};

pub static ENTRY: BackboneEntry = Entry {
    name: "resnet9",
    summary: "three conv–pool stages of 2, 4 and 8 times the width, the first and last with a residual pair",
    cite: "Page 2018, How to Train Your ResNet; pool_first: part 8 of it, 2019",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 1024 },
            default: Default::Toml("64"),
            doc: "channels after the stem; the stages have 2, 4 and 8 times as many",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
        Param {
            key: "pool_first",
            kind: Kind::Bool,
            default: Default::Absent,
            doc: "whether each stage pools right behind its convolution, before norm and activation: the net of Page 2019; \
                  left out: behind both",
        },
    ],
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| {
            let (style, pool_first) = (Style::of(settings, Act::Relu), settings.opt_bool("pool_first") == Some(true));
            Box::new(ResNet9 { width: settings.usize("width"), style, pool_first })
        },
        stem: |settings| {
            let width = Value::Int(settings.int("width"));
            Style::hand_on(settings, Choice::with("conv3x3", [("width", width)]))
        },
        head: |_| Choice::with("max-pool", [("scale", Value::Float(0.125)), ("bias", Value::Bool(false))]),
        published: &[],
    },
};

struct ResNet9 {
    width: usize,
    style: Style,
    /// Whether stages pool before their norm.
    pool_first: bool,
}

impl ResNet9 {
    /// `0.conv`, `0.norm` and `pool`, in this order or with the pool before the norm.
    fn conv_pool(&self, net: &mut Builder, x: ValueId, width: usize) -> Result<ValueId, ShapeError> {
        if !self.pool_first {
            let x = self.style.conv_norm_act(net, "0", x, width)?;
            return net.add("pool", Pool::max(2), &[x]);
        }
        let x = net.add("0.conv", self.style.conv(width, 3), &[x])?;
        let x = net.add("pool", Pool::max(2), &[x])?;
        net.add("0.norm", self.style.norm(self.style.act), &[x])
    }

    /// x + f(x), f two times conv–norm–activation; no activation after the sum.
    fn residual(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let width = net.shape(x).c;
        net.scope("res", |net| {
            let y = self.style.conv_norm_act(net, "0", x, width)?;
            let y = self.style.conv_norm_act(net, "1", y, width)?;
            net.add("add", Add::new(), &[x, y])
        })
    }
}

impl Part for ResNet9 {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for (name, factor, with_residual) in [("layer1", 2, true), ("layer2", 4, false), ("layer3", 8, true)] {
            x = net.scope(name, |net| {
                let x = self.conv_pool(net, x, self.width * factor)?;
                if with_residual { self.residual(net, x) } else { Ok(x) }
            })?;
        }
        Ok(x)
    }
}
