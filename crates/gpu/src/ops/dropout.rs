//! Dropout: some values become zero, drawn anew at each step, and the others grow so that means stay.
//!
//! ```text
//! y = x·m/(1 − p),  dx = dy·m/(1 − p),  m = 0 with probability p, else 1
//! ```
//!
//! There is a mask for each value, or one for each of as many equal parts of them. A mask is a function of a ChaCha8 stream
//! and of its number in it, the same bytes as `rand_chacha` gives.
//!
//! Sources: Srivastava et al. 2014, Journal of Machine Learning Research 15; Huang et al. 2016, arXiv:1603.09382.

use super::GradTo;
use super::pack::{SizedKernel, width};
use crate::device::{Args, DType, Device, Error, Grid, View, kernel, typed_kernel};

kernel!(DRAW = dropout_draw);
typed_kernel!(APPLY = dropout_apply_f32, dropout_apply_bf16, dropout_apply_f16);
typed_kernel!(APPLY_WIDE = dropout_apply_f32_wide, dropout_apply_bf16_wide, dropout_apply_f16_wide);

#[repr(C)]
#[derive(Clone, Copy)]
struct DrawArgs {
    len: u64,
    first: u64,
    dropped: u64,
    blocks: u64,
    nonce: u64,
    key: [u32; 8],
    kept: u64,
}
// SAFETY: as `DropoutDraw` of dropout.cu.
unsafe impl Args for DrawArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ApplyArgs {
    rows: u64,
    packs: u64,
    kept: u64,
    x: u64,
    y: u64,
    scale: f32,
    add: u32,
    whole: u32,
}
// SAFETY: as `Dropout` of dropout.cu.
unsafe impl Args for ApplyArgs {}

/// A stream of ChaCha8 with a counter of 64 bits: `rand_chacha`'s `ChaCha8Rng`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The seed, four bytes a word, the lowest first.
    pub key: [u32; 8],
    /// The number of the stream: `set_stream`, 0 where that was not called.
    pub nonce: u64,
}

impl Stream {
    /// That of `ChaCha8Rng::from_seed(seed)`.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let word = |k: usize| u32::from_le_bytes(std::array::from_fn(|byte| seed[4 * k + byte]));
        Self { key: std::array::from_fn(word), nonce: 0 }
    }
}

/// Draws masks: 1 in `kept`, bytes, or 0 with probability `p`. Mask `k` takes word `first + k` of the stream.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When `kept` are no bytes, or `p` is not at least 0 and less than 1.
pub fn draw(device: &Device, stream: Stream, first: u64, p: f64, kept: View<'_>) -> Result<(), Error> {
    let len = kept.len() as u64;
    check(p);
    assert!(first.checked_add(len + 16).is_some(), "a word at {first} and {len} more");
    let blocks = if len == 0 { 0 } else { (first + len).div_ceil(16) - first / 16 };
    let args = DrawArgs {
        len,
        first,
        // Of the 2³² words, those below are dropped.
        dropped: (p * 2f64.powi(32)).round() as u64,
        blocks,
        nonce: stream.nonce,
        key: stream.key,
        kept: kept.expect(DType::U8, kept.len()),
    };
    // SAFETY: `kept` has `len` bytes.
    unsafe { device.launch(&DRAW, Grid::over(blocks as usize), &args) }
}

/// `y = x·m/(1 − p)`; a mask is for `x.len()/kept.len()` neighbours.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or `p` is not at least 0 and less than 1.
pub fn forward(device: &Device, p: f64, kept: View<'_>, x: View<'_>, y: View<'_>) -> Result<(), Error> {
    apply(device, p, kept, x, GradTo::overwrite(y))
}

/// `dx (+)= dy·m/(1 − p)`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`forward`].
pub fn backward(device: &Device, p: f64, kept: View<'_>, dy: View<'_>, dx: GradTo<'_>) -> Result<(), Error> {
    apply(device, p, kept, dy, dx)
}

fn apply(device: &Device, p: f64, kept: View<'_>, from: View<'_>, to: GradTo<'_>) -> Result<(), Error> {
    let (dtype, len, masks) = (from.dtype(), from.len(), kept.len());
    let each = len / masks.max(1);
    check(p);
    assert!(masks * each == len, "dropout: {masks} masks do not fit {len} values");
    let whole = each > 1;
    let (rows, row) = if whole { (masks, each) } else { (1, len) };
    let width = width(dtype, &[row], &[from, to.to]);
    let args = ApplyArgs {
        rows: rows as u64,
        packs: (row / width) as u64,
        kept: kept.expect(DType::U8, masks),
        x: from.address(),
        y: to.to.expect(dtype, len),
        scale: (1.0 / (1.0 - p)) as f32,
        add: to.add.into(),
        whole: whole.into(),
    };
    let kernel = SizedKernel { narrow: &APPLY, wide: &APPLY_WIDE }.of(dtype, width);
    let [blocks, _] = Grid::over(row / width).blocks;
    // SAFETY: x and y have `len` elements, `rows` times `row`, aligned to those of a pack; there is a mask for each row, or for each element.
    unsafe { device.launch(kernel, Grid::blocks(blocks as usize, rows.min(65535)), &args) }
}

fn check(p: f64) {
    assert!((0.0..1.0).contains(&p), "dropout of {p}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    const SEED: [u8; 32] = *b"\xff\xfe and some thirty bytes of text";

    /// As a CPU draws them.
    fn plain(nonce: u64, first: u64, p: f64, len: usize) -> Vec<u8> {
        let mut words = ChaCha8Rng::from_seed(SEED);
        words.set_stream(nonce);
        words.set_word_pos(u128::from(first));
        let dropped = (p * 2f64.powi(32)).round() as u64;
        (0..len).map(|_| u8::from(u64::from(words.next_u32()) >= dropped)).collect()
    }

    fn drawn(device: &Device, nonce: u64, first: u64, p: f64, len: usize, skip: usize) -> Vec<u8> {
        let buffer = device.allocate(DType::U8, skip + len + 1).unwrap();
        let kept = buffer.view().part(skip..skip + len);
        draw(device, Stream { nonce, ..Stream::from_seed(SEED) }, first, p, kept).unwrap();
        let mut all = vec![0; skip + len + 1];
        device.read(buffer.view(), &mut all).unwrap();
        assert!(all[..skip].iter().chain(&all[skip + len..]).all(|byte| *byte == 0xff), "beside the mask");
        all[skip..skip + len].to_vec()
    }

    #[test]
    fn masks_are_those_of_rand_chacha() {
        // The counter's low half overflows within the second of these.
        let firsts = [0, 16, (1u64 << 36) - 32, 5, 77, (1 << 36) - 7, 3 << 50, 1 << 63];
        for device in [crate::device::Order::Ascending, crate::device::Order::Descending].map(Device::emulated) {
            for (first, len) in
                firsts.into_iter().flat_map(|first| [0, 1, 15, 16, 17, 1000, 70_003].map(|len| (first, len)))
            {
                for (nonce, p, skip) in [(0, 0.5, 0), (0x1234_5678_9abc_def0, 0.3, 3)] {
                    let kept = drawn(&device, nonce, first, p, len, skip);
                    assert!(kept == plain(nonce, first, p, len), "{len} from {first}");
                }
            }
            for p in [0.0, 1e-10, 1e-9, 0.1, 0.999, 1.0 - 1e-12] {
                assert_eq!(drawn(&device, 0, 3, p, 5000, 0), plain(0, 3, p, 5000), "{p}");
            }
        }
    }

    #[test]
    fn values_and_gradients_follow_the_mask_and_nan_is_not_hidden() {
        for (device, dtype) in devices() {
            // Masks, and the values of each: more masks than a grid has rows, and parts that whole packs fit or not.
            let values = [(0.0, 1, 1), (0.5, 17, 1), (0.3, 5001, 1), (0.3, 4096, 1)];
            let parts = [(0.5, 5, 3), (0.3, 7, 513), (0.4, 3, 5008), (0.2, 66_000, 2), (0.5, 1, 40)];
            for (p, masks, each) in values.into_iter().chain(parts) {
                let (len, mask) = (masks * each, plain(0, 0, p, masks));
                let [x, before] = [1, 2].map(|seed| rounded(dtype, &noise(seed, len)));
                let kept = device.allocate(DType::U8, masks).unwrap();
                device.write(kept.view(), &mask).unwrap();
                let [x_at, sum] = [&x, &before].map(|values| upload(&device, dtype, values));
                let y = device.allocate(dtype, len).unwrap();
                forward(&device, p, kept.view(), x_at.view(), y.view()).unwrap();
                let factor = |k: usize| f64::from(mask[k / each]) / (1.0 - p);
                let want: Vec<f64> = x.iter().enumerate().map(|(k, x)| f64::from(*x) * factor(k)).collect();
                close(&device.read_f32(y.view()).unwrap(), &want, dtype, 1e-6);
                let to = GradTo { to: sum.view(), add: true };
                backward(&device, p, kept.view(), x_at.view(), to).unwrap();
                let sums: Vec<f64> = want.iter().zip(&before).map(|(d, before)| d + f64::from(*before)).collect();
                close(&device.read_f32(sum.view()).unwrap(), &sums, dtype, 1e-6);
            }
            let kept = device.allocate(DType::U8, 2).unwrap();
            device.write(kept.view(), &[0u8, 1]).unwrap();
            let x = upload(&device, dtype, &[f32::NAN, 1.0]);
            forward(&device, 0.5, kept.view(), x.view(), x.view()).unwrap();
            let y = device.read_f32(x.view()).unwrap();
            assert!(y[0].is_nan() && y[1] == 2.0);
        }
    }
}
