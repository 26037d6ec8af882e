use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::{Add, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Value};

pub static ENTRY: BackboneEntry = Entry {
    name: "resnet9",
    summary: "three conv–pool stages of 2, 4 and 8 times the width, the first and last with a residual pair",
    cite: "Page 2018, How to Train Your ResNet",
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
    ],
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(ResNet9 { width: settings.usize("width"), style: Style::of(settings) }),
        stem: |settings| {
            let width = Value::Int(settings.int("width"));
            Style::hand_on(settings, Choice::with("conv3x3", [("width", width)]))
        },
        head: |_| Choice::with("max-pool", [("scale", Value::Float(0.125)), ("bias", Value::Bool(false))]),
    },
};

struct ResNet9 {
    width: usize,
    style: Style,
}

impl ResNet9 {
    /// x + f(x), f two times conv–norm–ReLU; no ReLU after the sum.
    fn residual(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        let width = net.shape(x).c;
        net.scope("res", |net| {
            let y = self.style.conv_norm_relu(net, "0", x, width)?;
            let y = self.style.conv_norm_relu(net, "1", y, width)?;
            net.add("add", Add::new(), &[x, y])
        })
    }
}

impl Part for ResNet9 {
    fn build(&self, net: &mut Builder, mut x: ValueId) -> Result<ValueId, ShapeError> {
        for (name, factor, with_residual) in [("layer1", 2, true), ("layer2", 4, false), ("layer3", 8, true)] {
            x = net.scope(name, |net| {
                let x = self.style.conv_norm_relu(net, "0", x, self.width * factor)?;
                let x = net.add("pool", Pool::max(2), &[x])?;
                if with_residual { self.residual(net, x) } else { Ok(x) }
            })?;
        }
        Ok(x)
    }
}
