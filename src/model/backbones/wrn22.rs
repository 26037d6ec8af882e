use super::blocks::{self, Options};
use super::preact::PreAct;
use super::{Backbone, BackboneEntry};
use crate::model::style::{self, Style};
use crate::nn::layers::Act;
use crate::registry::{Choice, Default, Entry, Kind, Param, Value};

pub static ENTRY: BackboneEntry = Entry {
    name: "wrn22",
    summary: "pre-activation wide ResNet: three stages of three blocks, 96, 192 and 384 channels; 9.65 million parameters",
    cite: "Zagoruyko and Komodakis 2016 (arXiv:1605.07146); fast.ai's DAWNBench entry of 2018",
    params: &[
        Param {
            key: "width",
            kind: Kind::Int { min: 1, max: 256 },
            default: Default::Toml("16"),
            doc: "channels of the stem; each stage has twice as many as the one before, times `widen`",
        },
        Param {
            key: "widen",
            kind: Kind::Int { min: 1, max: 64 },
            default: Default::Toml("6"),
            doc: "k of the paper: the first stage has so many times the stem's channels",
        },
        style::INIT,
        style::NORM_EPS,
        style::NORM_UPDATE,
        style::NORM_SCALE,
        style::ACT,
        blocks::SE,
        blocks::BLUR,
        blocks::BLUR_BEFORE,
        blocks::AVG_DOWN,
        blocks::DROP_PATH,
    ],
    shorthand: Some("widen"),
    make: Backbone {
        part: |settings| {
            let width = settings.usize("width") * settings.usize("widen");
            let widths = (0..3).map(|stage| width << stage).collect();
            let (style, options) = (Style::of(settings, Act::Relu), Options::of(settings));
            Box::new(PreAct { widths, blocks: 3, final_norm: true, style, options })
        },
        stem: |settings| {
            let width = Value::Int(settings.int("width"));
            Style::hand_on(settings, Choice::with("conv3x3", [("width", width), ("norm", Value::Bool(false))]))
        },
        head: |_| Choice::plain("avg-pool"),
        published: &[],
    },
};
