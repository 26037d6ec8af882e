//! How the convolutions of a part start and how its norms behave: the settings that stems and backbones share.

use super::activations;
use crate::nn::layers::{Act, BatchNorm, Conv, Filters};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Choice, Default, Interval, Kind, Param, Settings};

const INIT_KEY: &str = "init";
const NORM_EPS_KEY: &str = "norm_eps";
const NORM_UPDATE_KEY: &str = "norm_update";
const NORM_SCALE_KEY: &str = "norm_scale";
const NORM_ZERO_KEY: &str = "norm_zero";
const ACT_KEY: &str = "act";

/// How filters start, as PyTorch's unless the file says otherwise.
pub const INIT: Param = init("'uniform'");
/// PyTorch's 1e-5 unless the file says otherwise.
pub const NORM_EPS: Param = norm_eps("1e-5");
/// PyTorch's 0.1 unless the file says otherwise.
pub const NORM_UPDATE: Param = norm_update("0.1");
/// Trained unless the file says otherwise.
pub const NORM_SCALE: Param = norm_scale("true");

const INITS: &[&str] = &["uniform", "kaiming-in", "kaiming-out", "dirac"];

/// How filters start.
pub const fn init(default: &'static str) -> Param {
    Param {
        key: INIT_KEY,
        kind: Kind::Word(INITS),
        default: Default::Toml(default),
        doc: "how filters start: uniform in ±1/√fan_in as PyTorch's convolutions by themselves; normal with deviation √(2/fan_out) \
              (`kaiming-out`, as torchvision's and timm's ResNets) or √(2/fan_in) (`kaiming-in`, as fast.ai's); or the first of each \
              convolution handing on one channel each (`dirac`)",
    }
}

/// What the norms add to the variance.
pub const fn norm_eps(default: &'static str) -> Param {
    Param {
        key: NORM_EPS_KEY,
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml(default),
        doc: "what batch norm adds to the variance",
    }
}

/// The batch's weight in the running statistics.
pub const fn norm_update(default: &'static str) -> Param {
    Param {
        key: NORM_UPDATE_KEY,
        kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
        default: Default::Toml(default),
        doc: "a batch's weight in batch norm's running statistics, which PyTorch calls its momentum",
    }
}

/// Whether the norms' scale is trained.
pub const fn norm_scale(default: &'static str) -> Param {
    Param {
        key: NORM_SCALE_KEY,
        kind: Kind::Bool,
        default: Default::Toml(default),
        doc: "whether batch norm's scale is trained; if not, it stays 1",
    }
}

/// Whether a residual block starts as its shortcut. For backbones whose blocks end in a norm that a shortcut is added to:
/// where an activation follows that norm alone, as a ReLU, zeros would stay zeros for ever.
pub const NORM_ZERO: Param = Param {
    key: NORM_ZERO_KEY,
    kind: Kind::Bool,
    default: Default::Absent,
    doc: "whether the scale of each block's last norm starts with 0, so that the block begins as its shortcut; \
          left out: it starts with 1",
};

/// What follows the norms.
pub const ACT: Param = Param {
    key: ACT_KEY,
    kind: Kind::Choice(&activations::FAMILY),
    default: Default::Absent,
    doc: "the activation; left out: as published, ReLU or what the summary says",
};

/// The settings as layers take them.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    filters: Filters,
    eps: f32,
    update: f32,
    scale: bool,
    zero: bool,
    /// What follows the norms, unless a layer says otherwise.
    pub act: Act,
}

impl Style {
    /// From the settings of an entry that declares the first four, and may declare [`NORM_ZERO`] and [`ACT`]; where that
    /// is left out, the activation is the part's own.
    pub fn of(settings: &Settings, own: Act) -> Self {
        Self {
            eps: settings.float(NORM_EPS_KEY) as f32,
            update: settings.float(NORM_UPDATE_KEY) as f32,
            scale: settings.bool(NORM_SCALE_KEY),
            zero: settings.opt_bool(NORM_ZERO_KEY) == Some(true),
            ..Self::without_norms(settings, own)
        }
    }

    /// As `of`, for a part without norms, which declares [`INIT`] alone of the first four.
    pub fn without_norms(settings: &Settings, own: Act) -> Self {
        let filters = match settings.text(INIT_KEY).as_str() {
            "dirac" => Filters::Dirac,
            "kaiming-in" => Filters::NormalIn,
            "kaiming-out" => Filters::NormalOut,
            _ => Filters::Uniform,
        };
        Self { filters, eps: 1e-5, update: 0.1, scale: true, zero: false, act: act(settings, own) }
    }

    /// Hands a backbone's settings on to the stem that belongs to it.
    pub fn hand_on(settings: &Settings, mut stem: Choice) -> Choice {
        let shared = [INIT_KEY, NORM_EPS_KEY, NORM_UPDATE_KEY, NORM_SCALE_KEY, ACT_KEY];
        let given = shared.into_iter().filter_map(|key| Some((key.to_owned(), settings.0.get(key)?.clone())));
        stem.settings.0.extend(given);
        stem
    }

    /// A square convolution without bias; padding keeps the size where the stride is 1 and the kernel odd.
    pub fn conv(&self, width: usize, kernel: usize) -> Conv {
        Conv::new(width, kernel).padding(kernel / 2).filters(self.filters)
    }

    /// With a kernel of `[height, width]`, both odd.
    pub fn rect(&self, width: usize, kernel: [usize; 2]) -> Conv {
        Conv::rect(width, kernel).padding_rect(kernel.map(|side| side / 2)).filters(self.filters)
    }

    /// A batch norm, and what is behind it.
    pub fn norm(&self, act: Act) -> BatchNorm {
        BatchNorm::new(act).eps(self.eps).update(self.update).frozen_scale(!self.scale)
    }

    /// The norm that ends a residual block, to whose output the shortcut is added.
    pub fn last_norm(&self, act: Act) -> BatchNorm {
        self.norm(act).scale(if self.zero { 0.0 } else { 1.0 })
    }

    /// A convolution, batch norm and activation under one name: `name.conv`, `name.norm`.
    pub fn unit(&self, net: &mut Builder, name: &str, x: ValueId, conv: Conv) -> Result<ValueId, ShapeError> {
        net.scope(name, |net| {
            let x = net.add("conv", conv, &[x])?;
            net.add("norm", self.norm(self.act), &[x])
        })
    }

    /// [`Style::unit`] of a 3×3 convolution.
    pub fn conv_norm_act(
        &self,
        net: &mut Builder,
        name: &str,
        x: ValueId,
        width: usize,
    ) -> Result<ValueId, ShapeError> {
        self.unit(net, name, x, self.conv(width, 3))
    }
}

/// The activation that settings choose, else the part's own.
pub fn act(settings: &Settings, own: Act) -> Act {
    settings.opt_choice(ACT_KEY).map_or(own, |choice| activations::make(&choice))
}
