//! How wide a text will be, without a font at hand: the advance widths of Inter, in thousandths of an em.

use super::svg::Weight;
use std::borrow::Cow;
use unicode_width::UnicodeWidthChar;

/// From the space to `~`, in code order.
#[rustfmt::skip]
const REGULAR: [u16; 95] = [
    281, 278, 403, 631, 638, 812, 639, 222, 362, 362, 500, 659, 280, 460, 276, 357, 625, 464, 605, 636, 642, 608, 624,
    571, 616, 624, 276, 280, 659, 659, 659, 507, 936, 676, 651, 727, 719, 598, 587, 743, 740, 264, 543, 652, 562, 889,
    753, 761, 635, 761, 639, 638, 642, 741, 676, 949, 642, 665, 625, 362, 357, 362, 469, 452, 497, 564, 621, 558, 621,
    582, 361, 609, 591, 237, 237, 544, 237, 869, 585, 597, 609, 609, 372, 523, 364, 581, 557, 812, 540, 557, 541, 362,
    327, 362, 659,
];

/// Semi-bold letters against regular ones, at most.
const SEMIBOLD: f64 = 1.06;

/// What a viewer's own font may be wider than Inter by.
const SPARE: f64 = 1.04;

/// The width of `text` at `size` pixels, rather too large than too small.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let thousandths: f64 = visible(text).chars().map(|c| f64::from(advance(c))).sum();
    let factor = if weight == Weight::Semibold { SEMIBOLD } else { 1.0 };
    thousandths / 1000.0 * size * factor * SPARE
}

/// The text with control characters escaped: XML holds none, and no reader would see them.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// As much of `text` as `room` pixels hold, with a sign where something is missing.
pub fn shortened(text: &str, size: f64, weight: Weight, room: f64) -> String {
    let mut short = visible(text).into_owned();
    let mut shown = short.clone();
    while width(&shown, size, weight) > room && short.pop().is_some() {
        shown = format!("{}…", short.trim_end());
    }
    shown
}

fn advance(c: char) -> u16 {
    match c {
        ' '..='~' => REGULAR[c as usize - ' ' as usize],
        '·' => 276,
        '×' | '−' | '±' => 659,
        '→' | '←' => 955,
        '…' => 850,
        '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁻' => 440,
        // As wide as high: Chinese and other such letters.
        c if c.width() == Some(2) => 1000,
        _ => 700,
    }
}
