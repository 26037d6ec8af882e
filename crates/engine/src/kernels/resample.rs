//! Weighed sums of bytes along rows and along columns: what resizing an image is made of.
//!
//! A weight is a whole number of `2⁻²²`, a sum is rounded to a byte: with any instruction set the bytes are the same.

use super::Isa;
use super::simd::{Kernel, Simd};
use std::ops::Range;

/// Fractional bits of a weight: 32 bits less 8 for the byte and 2 for sums that overshoot.
const PRECISION: u32 = 32 - 8 - 2;
/// Half of the last bit that is kept.
const HALF: i32 = 1 << (PRECISION - 1);

/// A sum of weighed bytes as a byte.
#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// What each pixel of a result is made of along one axis: pixels of the source, one behind the other, and their weights.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    ranges: Vec<Range<usize>>,
    /// Those of all pixels, one after the other.
    weights: Vec<i32>,
    /// The same, by fours.
    #[cfg(target_arch = "x86_64")]
    fours: Vec<Four>,
    /// Room for the shares of one pixel.
    shares: Vec<f64>,
}

/// The weights of four source pixels: two 16-bit numbers in each word, of a pixel and its neighbour. A weight is
/// `high · 2¹¹ + low`; what is beyond the last pixel weighs nothing.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, Default)]
struct Four {
    high: [i32; 2],
    low: [i32; 2],
}

/// Bits of a weight's lower half.
#[cfg(target_arch = "x86_64")]
const LOW: u32 = PRECISION / 2;

#[cfg(target_arch = "x86_64")]
impl Four {
    fn new(weights: &[i32]) -> Self {
        let weight = |k: usize| weights.get(k).copied().unwrap_or(0);
        let pairs = |part: fn(i32) -> i32| [0, 2].map(|k| part(weight(k + 1)) << 16 | part(weight(k)));
        Self { high: pairs(|weight| weight >> LOW), low: pairs(|weight| weight & ((1 << LOW) - 1)) }
    }
}

impl Taps {
    pub fn clear(&mut self) {
        self.ranges.clear();
        self.weights.clear();
        #[cfg(target_arch = "x86_64")]
        self.fours.clear();
    }

    /// Adds a pixel of the result: source pixels from `start` on, in these shares, which are brought to a sum of 1.
    ///
    /// # Panics
    /// When a share is negative, or there is none that is not 0.
    pub fn push(&mut self, start: usize, shares: impl Iterator<Item = f64>) {
        self.shares.clear();
        self.shares.extend(shares);
        let total: f64 = self.shares.iter().sum();
        assert!(total > 0.0 && self.shares.iter().all(|share| *share >= 0.0), "shares of nothing");
        let weight = |share: &f64| (share / total * f64::from(1u32 << PRECISION) + 0.5) as i32;
        self.weights.extend(self.shares.iter().map(weight));
        #[cfg(target_arch = "x86_64")]
        self.fours.extend(self.weights[self.weights.len() - self.shares.len()..].chunks(4).map(Four::new));
        self.ranges.push(start..start + self.shares.len());
    }

    /// Pixels of the result.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The source pixels from the first of the first to the last of the last. In between they must not go beyond those.
    pub fn reach(&self) -> Range<usize> {
        let start = self.ranges.first().map_or(0, |range| range.start);
        start..self.ranges.last().map_or(start, |range| range.end)
    }

    /// Of each pixel of the result, the source pixels and their weights.
    fn iter(&self) -> impl Iterator<Item = (&Range<usize>, &[i32])> {
        let mut rest = &self.weights[..];
        self.ranges.iter().map(move |range| {
            let (weights, behind) = rest.split_at(range.len());
            rest = behind;
            (range, weights)
        })
    }

    /// Panics where a source pixel lies beyond a line of `pixels`.
    fn check(&self, pixels: usize) {
        assert!(self.ranges.iter().all(|range| range.end <= pixels), "a pixel beyond its line");
    }
}

/// Weighs along rows: `wide`, rows of so many bytes, into `narrow`, equally many rows of `taps.len()` pixels, of one channel
/// or three.
///
/// # Panics
/// When there are no taps or one lies beyond its row, or a slice has not as many bytes as that says.
pub fn across(isa: Isa, taps: &Taps, channels: usize, (wide, stride): (&[u8], usize), narrow: &mut [u8]) {
    let row = taps.len() * channels;
    taps.check(stride / channels);
    assert!(
        row > 0 && stride > 0 && wide.len().is_multiple_of(stride) && narrow.len() == wide.len() / stride * row,
        "rows of another length"
    );
    if channels == 1 {
        let lines = wide.chunks_exact(stride).zip(narrow.chunks_exact_mut(row));
        lines.for_each(|(wide, narrow)| narrow_row::<1>(taps, wide, narrow));
        return;
    }
    assert_eq!(channels, 3, "one channel or three");
    // What is read behind a row's last pixel lies in the next row.
    let fast = match wide.len() / stride {
        rows if stride >= SPILL => rows.saturating_sub(1),
        _ => 0,
    };
    let (fast_rows, slow_rows) = narrow.split_at_mut(fast * row);
    match isa.has_avx2() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: AVX2 is there; the rows and their taps were checked above, and behind the last of these rows there is another
        // one, of at least as many bytes as are read behind a row.
        true => unsafe { x86::across(taps, wide, stride, fast_rows) },
        _ => across_portable(taps, wide, stride, fast_rows),
    }
    let lines = wide.chunks_exact(stride).skip(fast).zip(slow_rows.chunks_exact_mut(row));
    lines.for_each(|(wide, narrow)| narrow_row::<3>(taps, wide, narrow));
}

/// Bytes that are read at a pixel, at most; of the last pixel of a row all but three lie behind it.
const SPILL: usize = 16;

/// Weighs a row of pixels of `C` channels: the slow twin of all else here.
fn narrow_row<const C: usize>(taps: &Taps, wide: &[u8], narrow: &mut [u8]) {
    let (wide, narrow) = (wide.as_chunks::<C>().0, narrow.as_chunks_mut::<C>().0);
    for (pixel, (range, weights)) in narrow.iter_mut().zip(taps.iter()) {
        let mut sums = [HALF; C];
        for (weight, from) in weights.iter().zip(&wide[range.clone()]) {
            for (sum, byte) in sums.iter_mut().zip(from) {
                *sum += weight * i32::from(*byte);
            }
        }
        *pixel = sums.map(byte);
    }
}

/// Rows at a time: each weight serves as many pixels.
const TOGETHER: usize = 4;

/// Rows of three channels, some of them at a time: [`narrow_row`] as the compiler makes vectors of it.
fn across_portable(taps: &Taps, wide: &[u8], stride: usize, narrow: &mut [u8]) {
    let row = 3 * taps.len();
    for (k, narrow) in narrow.chunks_mut(TOGETHER * row).enumerate() {
        let wide = &wide[k * TOGETHER * stride..];
        if narrow.len() == TOGETHER * row {
            narrow_rows::<TOGETHER>(taps, wide, stride, narrow);
        } else {
            let lines = narrow.chunks_exact_mut(row).enumerate();
            lines.for_each(|(r, narrow)| narrow_rows::<1>(taps, &wide[r * stride..], stride, narrow));
        }
    }
}

/// Weighs `R` rows of `stride` bytes, behind which there is at least one more byte. A pixel takes the four lanes of a vector, of which
/// the last holds a neighbour's byte and is left out.
#[inline(always)]
fn narrow_rows<const R: usize>(taps: &Taps, wide: &[u8], stride: usize, narrow: &mut [u8]) {
    let row = narrow.len() / R;
    for (i, (range, weights)) in taps.iter().enumerate() {
        let mut sums = [[HALF; 4]; R];
        for (weight, x) in weights.iter().zip(range.clone()) {
            for (r, sums) in sums.iter_mut().enumerate() {
                let four = &wide[r * stride + 3 * x..][..4];
                for (sum, byte) in sums.iter_mut().zip(four) {
                    *sum += weight * i32::from(*byte);
                }
            }
        }
        for (r, [red, green, blue, _]) in sums.into_iter().enumerate() {
            narrow[r * row + 3 * i..][..3].copy_from_slice(&[red, green, blue].map(byte));
        }
    }
}

/// By vectors whose bytes are put in order for products of 16 bits, of which neighbours are added.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Four, HALF, LOW, PRECISION, Taps};
    use std::arch::x86_64::*;

    /// Of four pixels' bytes the first two pixels': their reds, greens and blues side by side, each as 16 bits; the last lane is empty.
    const FIRST: [i8; 16] = [0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1];
    /// And the last two.
    const LAST: [i8; 16] = [6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1];

    /// Pairs of rows at a time: each weight serves as many pixels, and there are registers for their sums.
    const PAIRS: usize = 4;

    /// # Safety
    /// The machine has AVX2. `narrow` is whole rows of `3 · taps.len()` bytes, `wide` at least one row more of `stride` bytes, of
    /// at least 16; each tap lies in such a row.
    #[target_feature(enable = "avx2")]
    pub unsafe fn across(taps: &Taps, wide: &[u8], stride: usize, narrow: &mut [u8]) {
        let row = 3 * taps.len();
        for (k, narrow) in narrow.chunks_mut(2 * PAIRS * row).enumerate() {
            let wide = &wide[k * 2 * PAIRS * stride..];
            let rows = narrow.len() / row;
            // SAFETY: the caller's promises.
            unsafe {
                match rows.div_ceil(2) {
                    PAIRS => pairs::<PAIRS>(taps, wide, stride, narrow, rows),
                    _ => {
                        for (k, narrow) in narrow.chunks_mut(2 * row).enumerate() {
                            let rows = narrow.len() / row;
                            pairs::<1>(taps, &wide[k * 2 * stride..], stride, narrow, rows);
                        }
                    }
                }
            }
        }
    }

    /// So many pairs of rows, of which the last may lack its second.
    ///
    /// # Safety
    /// As of [`across`].
    #[target_feature(enable = "avx2")]
    unsafe fn pairs<const P: usize>(taps: &Taps, wide: &[u8], stride: usize, narrow: &mut [u8], rows: usize) {
        let row = 3 * taps.len();
        // A row that is missing is the one before it again.
        let second = usize::from(rows == 2 * P);
        let (from, to) = (wide.as_ptr(), narrow.as_mut_ptr());
        let last_pixel = taps.len() - 1;
        // SAFETY: 16 bytes are read at pixels that lie in one of `rows` rows of at least 16 bytes, behind which there is one more;
        // three are written at each pixel of these rows, and of all but a row's last one a fourth that belongs to the next.
        // No intrinsic stands in a closure that something else calls: there it would be a call of its own.
        unsafe {
            let first = _mm256_broadcastsi128_si256(_mm_loadu_si128(FIRST.as_ptr().cast()));
            let last = _mm256_broadcastsi128_si256(_mm_loadu_si128(LAST.as_ptr().cast()));
            let mut fours = taps.fours.iter();
            for (i, range) in taps.ranges.iter().enumerate() {
                let mut high = [_mm256_setzero_si256(); P];
                let mut low = [_mm256_set1_epi32(HALF); P];
                for x in range.clone().step_by(4) {
                    let Some(Four { high: [h0, h1], low: [l0, l1] }) = fours.next() else { break };
                    let (h0, h1) = (_mm256_set1_epi32(*h0), _mm256_set1_epi32(*h1));
                    let (l0, l1) = (_mm256_set1_epi32(*l0), _mm256_set1_epi32(*l1));
                    for pair in 0..P {
                        let next = if pair + 1 == P { second } else { 1 };
                        let upper = _mm_loadu_si128(from.add(2 * pair * stride + 3 * x).cast());
                        let lower = _mm_loadu_si128(from.add((2 * pair + next) * stride + 3 * x).cast());
                        let both = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(upper), lower);
                        let (a, b) = (_mm256_shuffle_epi8(both, first), _mm256_shuffle_epi8(both, last));
                        let of_high = _mm256_add_epi32(_mm256_madd_epi16(a, h0), _mm256_madd_epi16(b, h1));
                        let of_low = _mm256_add_epi32(_mm256_madd_epi16(a, l0), _mm256_madd_epi16(b, l1));
                        high[pair] = _mm256_add_epi32(high[pair], of_high);
                        low[pair] = _mm256_add_epi32(low[pair], of_low);
                    }
                }
                for pair in 0..P {
                    let sum = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW as i32 }>(high[pair]), low[pair]);
                    let whole = _mm256_srai_epi32::<{ PRECISION as i32 }>(sum);
                    // Both steps cut off at the ends of what their results can hold: the second at 0 and 255.
                    let bytes = _mm256_packs_epi32(whole, whole);
                    let bytes = _mm256_packus_epi16(bytes, bytes);
                    let pixels = [_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes)];
                    let next = if pair + 1 == P { second } else { 1 };
                    for (r, pixel) in [2 * pair, 2 * pair + next].into_iter().zip(pixels) {
                        let (to, pixel) = (to.add(r * row + 3 * i), _mm_cvtsi128_si32(pixel).to_le_bytes());
                        if i < last_pixel {
                            to.cast::<[u8; 4]>().write(pixel);
                        } else {
                            to.cast::<[u8; 3]>().write([pixel[0], pixel[1], pixel[2]]);
                        }
                    }
                }
            }
        }
    }
}

/// Weighs along columns: `rows`, of which the first is row `first` of the source, into `target`, rows as long, `taps.len()` of them.
///
/// # Panics
/// When a tap lies beyond the rows, or a slice has not as many bytes as that says.
pub fn down(isa: Isa, taps: &Taps, (rows, first): (&[u8], usize), row: usize, target: &mut [u8]) {
    assert!(row > 0 && rows.len().is_multiple_of(row) && target.len() == taps.len() * row, "rows of another length");
    taps.check(first + rows.len() / row);
    isa.run(Down { taps, first, rows, row, target });
}

/// Columns, many of them at a time.
struct Down<'a> {
    taps: &'a Taps,
    first: usize,
    rows: &'a [u8],
    row: usize,
    target: &'a mut [u8],
}

/// Bytes of a row at a time: their sums fit into a few vector registers.
const TILE: usize = 32;

impl Kernel for Down<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { taps, first, rows, row, target } = self;
        for (line, (range, weights)) in target.chunks_exact_mut(row).zip(taps.iter()) {
            let above = &rows[(range.start - first) * row..];
            let (tiles, rest) = line.as_chunks_mut::<TILE>();
            for (k, tile) in tiles.iter_mut().enumerate() {
                let mut sums = [HALF; TILE];
                for (weight, from) in weights.iter().zip(above.chunks(row)) {
                    if let Some(from) = from[k * TILE..].first_chunk::<TILE>() {
                        for (sum, byte) in sums.iter_mut().zip(from) {
                            *sum += weight * i32::from(*byte);
                        }
                    }
                }
                for (to, sum) in tile.iter_mut().zip(sums) {
                    *to = byte(sum);
                }
            }
            let done = row - rest.len();
            for (k, to) in rest.iter_mut().enumerate() {
                let column = above.chunks(row).map(|from| i32::from(from[done + k]));
                *to = byte(weights.iter().zip(column).fold(HALF, |sum, (weight, byte)| sum + weight * byte));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel of `to` from up to `most` of `of` pixels, in shares that differ.
    fn taps(of: usize, to: usize, most: usize) -> Taps {
        let mut taps = Taps::default();
        for i in 0..to {
            let start = i * of / to;
            let end = (start + 1 + i % most).min(of);
            taps.push(start, (start..end).map(|x| ((x * 7 + i) % 5) as f64 + if x == start { 0.5 } else { 0.0 }));
        }
        taps
    }

    #[test]
    fn weights_add_up_and_halves_are_whole_weights() {
        let taps = taps(40, 9, 9);
        for ((_, weights), range) in taps.iter().zip(&taps.ranges) {
            assert!((weights.iter().sum::<i32>() - (1 << PRECISION)).abs() <= range.len() as i32);
        }
        #[cfg(target_arch = "x86_64")]
        {
            let four = Four::new(&[1 << PRECISION, 5, 2048 + 7]);
            assert_eq!((four.high, four.low), ([2048, 1], [5 << 16, 7]));
        }
    }

    #[test]
    fn rows_are_those_of_the_slow_twin_on_every_instruction_set() {
        for (width, height, to, most) in [
            (1, 1, 1, 1),
            (2, 1, 3, 2),
            (5, 3, 4, 4),
            (6, 2, 3, 3),
            (7, 6, 5, 7),
            (33, 5, 40, 5),
            (31, 6, 9, 13),
            (9, 8, 7, 4),
            (12, 9, 5, 6),
            (11, 16, 12, 3),
            (64, 13, 17, 4),
        ] {
            let wide: Vec<u8> = (0..width * height * 3)
                .map(|i| if i % 11 < 4 { 255 } else { (i * i * 13 + i / 7 * 29) as u8 })
                .collect();
            let taps = taps(width, to, most);
            let mut expected = vec![0; height * to * 3];
            for (wide, narrow) in wide.chunks_exact(width * 3).zip(expected.chunks_exact_mut(to * 3)) {
                narrow_row::<3>(&taps, wide, narrow);
            }
            for isa in Isa::available() {
                let mut narrow = vec![1; expected.len()];
                across(isa, &taps, 3, (&wide, width * 3), &mut narrow);
                assert_eq!(narrow, expected, "{isa}: {width}×{height} to {to}");
            }
        }
    }

    #[test]
    fn sums_over_the_widest_rows_fit() {
        let (width, height) = (1 << 14, 9);
        let mut taps = Taps::default();
        taps.push(0, std::iter::repeat_n(1.0, width));
        for isa in Isa::available() {
            let mut narrow = vec![1; height * 3];
            across(isa, &taps, 3, (&vec![255; width * height * 3], width * 3), &mut narrow);
            assert!(narrow.iter().all(|byte| *byte == 255), "{isa}: {narrow:?}");
        }
    }

    #[test]
    fn columns_are_rows_of_the_turned_image() {
        for (height, width, to, most) in [(1, 1, 1, 1), (5, 33, 7, 3), (20, 40, 9, 9), (6, 32, 12, 2)] {
            let image: Vec<u8> = (0..width * height).map(|i| (i * i * 31 + i / 5 * 17) as u8).collect();
            let turned: Vec<u8> = (0..width * height).map(|i| image[i % height * width + i / height]).collect();
            let taps = taps(height, to, most);
            let mut expected = vec![0; width * to];
            across(Isa::Portable, &taps, 1, (&turned, height), &mut expected);
            for isa in Isa::available() {
                let mut target = vec![1; width * to];
                down(isa, &taps, (&image, 0), width, &mut target);
                let turned: Vec<u8> = (0..width * to).map(|i| target[i % to * width + i / to]).collect();
                assert_eq!(turned, expected, "{isa}: {width}×{height} to {to}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a pixel beyond its line")]
    fn taps_beyond_a_row_are_refused() {
        across(Isa::Portable, &taps(7, 3, 3), 3, (&[0; 2 * 18], 18), &mut [0; 18]);
    }
}
