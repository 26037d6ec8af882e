//! Colour to grey.

/// ITU-R 601 luma in 16-bit fractions: Pillow's `convert("L")`.
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + (1 << 15)) >> 16) as u8
}
