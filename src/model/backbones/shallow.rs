use super::{Backbone, BackboneEntry};
use crate::model::Part;
use crate::model::style::{self, Style};
use crate::nn::layers::Act;
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Entry, Kind, Param, Value};

pub static ENTRY: BackboneEntry = Entry {
    name: "shallow",
    summary: "one strided 3×3 convolution after a strided stem: the two-layer net that the lesson changes image sizes with",
    // The notebook writes a stride of 20 for the first layer, which leaves 2×2 pixels; a stride of 2 is taken as meant.
    cite: "fast.ai 2018, training_phase notebook (ShallowConvNet)",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 4096 },
            default: Default::Toml("128"),
            doc: "output channels; the stem has half as many",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
    ],
    shorthand: Some("width"),
    make: Backbone {
        part: |settings| Box::new(Shallow { width: settings.usize("width"), style: Style::of(settings, Act::Relu) }),
        stem: |settings| {
            let width = Value::Int((settings.int("width") / 2).max(1));
            let own = [("width", width), ("stride", Value::Int(2)), ("bias", Value::Bool(true))];
            Style::hand_on(settings, Choice::with("conv3x3", own))
        },
        head: |_| Choice::plain("avg-pool"),
        published: &[],
    },
};

struct Shallow {
    width: usize,
    style: Style,
}

impl Part for Shallow {
    fn build(&self, net: &mut Builder, x: ValueId) -> Result<ValueId, ShapeError> {
        net.scope("layer1", |net| {
            let x = net.add("conv", self.style.conv(self.width, 3).stride(2).bias(true), &[x])?;
            net.add("norm", self.style.norm(self.style.act), &[x])
        })
    }
}
