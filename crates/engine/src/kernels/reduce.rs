//! Whole buffers to one number.

use super::Isa;
use super::lanes::{load, spans};
use super::parallel::{self, Shared};
use super::pieces::Pieces;
use super::simd::{Kernel, Simd};

/// Elements summed in `f32` before the sum goes to `f64`.
const BLOCK: usize = 1 << 12;

/// `√Σx²`: the L2 norm of a gradient, in a fixed order. Infinite where a square exceeds `f32` (|x| > 1.8e19); NaN stays
/// NaN.
pub fn norm(isa: Isa, x: &[f32]) -> f64 {
    let pieces = Pieces::of(x.len(), BLOCK);
    let mut partial = vec![0.0f64; pieces.count()];
    let shared = Shared::new(&mut partial);
    let tasks = Pieces::of(pieces.count(), 16);
    parallel::for_each(tasks.count(), |task| {
        let blocks = tasks.get(task);
        // SAFETY: blocks are disjoint.
        let out = unsafe { shared.part(blocks.start, blocks.len()) };
        for (block, out) in blocks.zip(out) {
            *out = f64::from(isa.run(Squares { x: &x[pieces.get(block)] }));
        }
    });
    partial.iter().sum::<f64>().sqrt()
}

struct Squares<'a> {
    x: &'a [f32],
}

impl Kernel for Squares<'_> {
    type Out = f32;
    #[inline(always)]
    fn run<S: Simd>(self) -> f32 {
        // SAFETY: spans lie inside the slice.
        unsafe {
            let mut sums = [S::splat(0.0); 4];
            for (index, (at, n)) in spans::<S>(self.x.len()).enumerate() {
                let v = load::<S, f32>(self.x.as_ptr().add(at), n);
                sums[index % 4] = S::fma(v, v, sums[index % 4]);
            }
            S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_is_the_plain_one() {
        for len in [0, 1, 17, 4096, 100_003] {
            let x: Vec<f32> = (0..len).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect();
            let plain = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            for isa in Isa::available() {
                let norm = norm(isa, &x);
                assert!((norm - plain).abs() <= 1e-6 * plain, "{isa}, {len}: {norm} is not {plain}");
            }
        }
        assert!(norm(Isa::Portable, &[1.0, f32::NAN]).is_nan());
    }
}
