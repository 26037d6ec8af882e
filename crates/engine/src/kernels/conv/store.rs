//! From sums to pixels: bias, accumulation, rounding to the activations' type.

use super::microkernel::MAX_LANES;
use crate::kernels::Element;
use crate::kernels::parallel::Shared;
use crate::kernels::simd::{Kernel, Simd};

/// Where a correlation writes.
pub(super) struct Destination<'a, E> {
    /// `(n, height, width, groups · outputs)`.
    pub pixels: Shared<E>,
    pub bias: Option<&'a [f32]>,
    /// Adds to what is there.
    pub accumulate: bool,
}

/// Writes one panel of sums to its pixels, with the bias, rounded to `E`.
pub(super) struct StorePanel<'a, E> {
    /// `(pixels, lanes)`.
    pub sums: &'a [f32],
    pub lanes: usize,
    /// Lanes that are channels.
    pub used: usize,
    pub offsets: &'a [u32],
    /// The pixel that offsets count from.
    pub origin: usize,
    pub channels: usize,
    /// The first lane's channel.
    pub channel: usize,
    pub to: &'a Destination<'a, E>,
}

impl<E: Element> Kernel for StorePanel<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // A full panel is a fixed number of vectors, known to the compiler.
        match self.used {
            used if used == 2 * S::LANES => self.store::<S, 2>(),
            used if used == S::LANES => self.store::<S, 1>(),
            _ => self.store::<S, 0>(),
        }
    }
}

impl<E: Element> StorePanel<'_, E> {
    /// `VECTORS` and then as many single lanes as are left.
    #[inline(always)]
    fn store<S: Simd, const VECTORS: usize>(self) {
        let Self { sums, lanes, used, offsets, origin, channels, channel, to } = self;
        let whole = VECTORS * S::LANES;
        let mut bias = [0.0; MAX_LANES];
        if let Some(all) = to.bias {
            bias[..used].copy_from_slice(&all[channel..channel + used]);
        }
        for (sums, &offset) in sums.chunks_exact(lanes).zip(offsets) {
            // SAFETY: each output pixel belongs to one task of one pass, each panel to one task.
            let pixel = unsafe { to.pixels.part((origin + offset as usize) * channels + channel, used) };
            for v in 0..VECTORS {
                // SAFETY: `VECTORS · LANES <= used`, the length of the pixel, and `used <= lanes`.
                unsafe {
                    let p = pixel.as_mut_ptr().add(v * S::LANES);
                    let bias = S::load(bias.as_ptr().add(v * S::LANES));
                    let mut sum = S::add(S::load(sums.as_ptr().add(v * S::LANES)), bias);
                    if to.accumulate {
                        sum = S::add(E::load::<S>(p), sum);
                    }
                    E::store::<S>(p, sum);
                }
            }
            for l in whole..used {
                let before = if to.accumulate { pixel[l].to_f32() } else { 0.0 };
                pixel[l] = E::from_f32(before + (sums[l] + bias[l]));
            }
        }
    }
}
