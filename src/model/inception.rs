//! What Inception's stems and backbones share: units named as timm's, widths in proportion, and reductions with or without
//! padding.

use super::style::Style;
use crate::kernels::pool::Window;
use crate::nn::layers::{Conv, Pool};
use crate::nn::{Builder, ShapeError, ValueId};
use crate::registry::{Default, Kind, Param, Settings};

/// Published channels are multiples of 16, so an even width divides them all.
pub const WIDTH: Param = Param {
    key: "width",
    kind: Kind::Int { min: 2, max: 512 },
    default: Default::Toml("32"),
    doc: "channels of the first convolution; all others are in proportion to the published ones, rounded up",
};

pub const PADDING: Param = Param {
    key: "padding",
    kind: Kind::Word(&["valid", "same"]),
    default: Default::Toml("\"valid\""),
    doc: "whether 3×3 windows that shrink the image stay inside it, as published for 299 pixels, or stand over its edge, so \
          that nothing is lost of small images",
};

/// How a 3×3 window that shrinks the image meets its edge.
#[derive(Clone, Copy)]
pub struct Reduction {
    pub padding: usize,
    pub stride: usize,
}

impl Reduction {
    /// A convolution.
    pub fn conv(&self, style: &Style, width: usize) -> Conv {
        style.conv(width, 3).padding(self.padding).stride(self.stride)
    }

    /// A max pool. It keeps the place of windows where a convolution of the same stride has them.
    pub fn pool(&self) -> Pool {
        Pool::Max(Window { kernel: [3; 2], stride: [self.stride; 2], padding: [self.padding; 2] })
    }

    /// The same without a stride.
    pub fn keeping(&self) -> Self {
        Self { stride: 1, ..*self }
    }
}

/// The padding that the settings ask for.
pub fn padding(settings: &Settings) -> usize {
    usize::from(settings.text(PADDING.key) == "same")
}

/// So many published channels, at a width of which 32 is the published one.
pub fn scaled(width: usize, channels: usize) -> usize {
    (channels * width).div_ceil(32)
}

/// Convolution, batch norm and activation: `name.conv`, `name.bn`.
pub fn branch(style: &Style, net: &mut Builder, name: &str, x: ValueId, conv: Conv) -> Result<ValueId, ShapeError> {
    net.scope(name, |net| {
        let x = net.add("conv", conv, &[x])?;
        net.add("bn", style.norm(style.act), &[x])
    })
}
