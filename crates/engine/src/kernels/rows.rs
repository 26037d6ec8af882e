//! Weighed sums along rows of pixels: what making an image narrower is made of.

use std::ops::Range;

/// For each output pixel `i`, of which `taps` gives the source pixels and their weights, and for each of `R` rows `r` of three
/// channels: `to(i, r, sums)`, where `sums[c] = start + Σ_k weights[k] · wide[r·stride + 3·(pixels.start + k) + c]`.
///
/// A pixel takes the four lanes of a vector, of which the last holds a neighbour's byte and is left out: so each row has at least
/// one more byte behind it. Run inside of a [`Kernel`](super::simd::Kernel), it is compiled for that one's instructions.
///
/// # Panics
/// When a pixel does not lie in a row of `stride` bytes, or no byte lies behind the last row.
#[inline(always)]
pub fn weigh<'a, const R: usize>(
    wide: &[u8],
    stride: usize,
    taps: impl Iterator<Item = (&'a Range<usize>, &'a [i32])>,
    start: i32,
    mut to: impl FnMut(usize, usize, [i32; 3]),
) {
    assert!(R * stride < wide.len(), "rows without a byte behind them");
    for (i, (pixels, weights)) in taps.enumerate() {
        assert!(3 * pixels.end <= stride, "a pixel beyond its row");
        let mut sums = [[start; 4]; R];
        for (weight, x) in weights.iter().zip(pixels.clone()) {
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `3·x + 3` is at most the stride, so the fourth byte is at most the one behind row `r`, which is there.
                let four = unsafe { wide.as_ptr().add(r * stride + 3 * x).cast::<[u8; 4]>().read() };
                for (sum, byte) in sums.iter_mut().zip(four) {
                    *sum += weight * i32::from(byte);
                }
            }
        }
        for (r, [red, green, blue, _]) in sums.into_iter().enumerate() {
            to(i, r, [red, green, blue]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_each_pixel() {
        let wide: Vec<u8> = (0..3 * 7 * 2 + 1).map(|i| (i * i * 13 % 251) as u8).collect();
        let (ranges, weights) = ([0..2, 1..4, 6..7], [vec![3, -1], vec![1, 2, 3], vec![5]]);
        let taps = || ranges.iter().zip(weights.iter().map(Vec::as_slice));
        let mut found = Vec::new();
        weigh::<2>(&wide, 21, taps(), 9, |i, r, sums| found.push((i, r, sums)));
        let expected = |range: &Range<usize>, weights: &[i32], r: usize| {
            let sum = |c: usize| -> i32 {
                let terms = range.clone().zip(weights).map(|(x, weight)| weight * i32::from(wide[21 * r + 3 * x + c]));
                9 + terms.sum::<i32>()
            };
            [sum(0), sum(1), sum(2)]
        };
        let all = taps().enumerate().flat_map(|(i, (range, w))| [0, 1].map(|r| (i, r, expected(range, w, r))));
        assert_eq!(found, all.collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "without a byte behind")]
    fn the_last_row_needs_a_byte_behind_it() {
        let (range, weights) = (0..1, [1]);
        weigh::<1>(&[0; 3], 3, [(&range, &weights[..])].into_iter(), 0, |_, _, _| {});
    }
}
