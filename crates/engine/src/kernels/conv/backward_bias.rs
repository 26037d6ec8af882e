//! The bias gradient: `db[o] = Σ_pixels dy[pixel][o]`.

use crate::kernels::parallel::{self, Shared};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Isa};

/// Chunks that the pixels are summed in, whatever the number of threads.
const CHUNKS: usize = 32;

/// Floats of scratch for [`run`].
pub(super) fn scratch_len(channels: usize) -> usize {
    CHUNKS * channels
}

/// `db[c] = Σ_pixels dy[pixel][c]`, overwritten.
pub(super) fn run<E: Element>(isa: Isa, dy: &[E], db: &mut [f32], scratch: &mut [f32]) {
    let channels = db.len();
    let pixels = dy.len() / channels;
    let sums = Shared::new(&mut scratch[..scratch_len(channels)]);
    parallel::for_each(CHUNKS, |i| {
        // SAFETY: one task a chunk.
        let sums = unsafe { sums.part(i * channels, channels) };
        let range = i * pixels / CHUNKS * channels..(i + 1) * pixels / CHUNKS * channels;
        isa.run(SumPixels { pixels: &dy[range], sums });
    });
    db.fill(0.0);
    for part in scratch[..scratch_len(channels)].chunks_exact(channels) {
        db.iter_mut().zip(part).for_each(|(to, x)| *to += x);
    }
}

/// `sums[c] = Σ pixels[·][c]`.
struct SumPixels<'a, E> {
    pixels: &'a [E],
    sums: &'a mut [f32],
}

impl<E: Element> Kernel for SumPixels<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.sums.fill(0.0);
        let channels = self.sums.len();
        let whole = channels / S::LANES * S::LANES;
        for pixel in self.pixels.chunks_exact(channels) {
            for c in (0..whole).step_by(S::LANES) {
                // SAFETY: `c + LANES <= channels`, the length of both.
                unsafe {
                    let sum = self.sums.as_mut_ptr().add(c);
                    S::store(sum, S::add(S::load(sum), E::load::<S>(pixel.as_ptr().add(c))));
                }
            }
            for (sum, x) in self.sums[whole..].iter_mut().zip(&pixel[whole..]) {
                *sum += x.to_f32();
            }
        }
    }
}
