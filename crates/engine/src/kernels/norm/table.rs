//! What the kernels read per channel.

use super::Norm;
use crate::kernels::lanes::padded;
use crate::kernels::simd::Simd;

/// Per-channel factors, each row padded to whole vectors.
pub struct Table {
    pub c: usize,
    width: usize,
    values: Vec<f32>,
}

impl Table {
    pub const MEAN: usize = 0;
    /// `γ·r`
    pub const SCALE: usize = 1;
    pub const SHIFT: usize = 2;
    /// `Σdz / rows`
    pub const PULL_MEAN: usize = 3;
    /// `r²·Σ dz·(x − μ) / rows`
    pub const PULL_SLOPE: usize = 4;
    const ROWS: usize = 5;

    pub fn new(norm: &Norm<'_>) -> Self {
        let (c, width) = (norm.channels(), padded(norm.channels()));
        let mut table = Self { c, width, values: vec![0.0; Self::ROWS * width] };
        for channel in 0..c {
            let gamma = norm.gamma.map_or(1.0, |g| g[channel]);
            table.set(Self::MEAN, channel, norm.mean[channel]);
            table.set(Self::SCALE, channel, (f64::from(gamma) * inverse_std(norm, channel)) as f32);
            table.set(Self::SHIFT, channel, norm.beta.map_or(0.0, |b| b[channel]));
        }
        table
    }

    fn set(&mut self, row: usize, channel: usize, value: f32) {
        self.values[row * self.width + channel] = value;
    }

    /// Fills in what goes through the batch's statistics, from `Σdz` and `Σ dz·(x − μ)`.
    pub fn set_pulls(&mut self, norm: &Norm<'_>, sums: &[[f64; 2]], rows: usize) {
        for (channel, [dz, dz_centred]) in sums.iter().enumerate() {
            let r = inverse_std(norm, channel);
            self.set(Self::PULL_MEAN, channel, (dz / rows as f64) as f32);
            self.set(Self::PULL_SLOPE, channel, (r * r * dz_centred / rows as f64) as f32);
        }
    }

    /// # Safety
    /// `channel < c` is a multiple of the lanes.
    #[inline(always)]
    pub unsafe fn get<S: Simd>(&self, row: usize, channel: usize) -> S::V {
        debug_assert!(row < Self::ROWS && channel + S::LANES <= self.width);
        // SAFETY: rows are padded to whole vectors.
        unsafe { S::load(self.values.as_ptr().add(row * self.width + channel)) }
    }

    /// `γ·(x − μ)·r + β`: subtracting first keeps the digits that `x·scale + shift` loses where |μ| ≫ σ.
    ///
    /// # Safety
    /// As for `get`.
    #[inline(always)]
    pub unsafe fn affine<S: Simd>(&self, x: S::V, channel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let centred = S::sub(x, self.get::<S>(Self::MEAN, channel));
            S::fma(centred, self.get::<S>(Self::SCALE, channel), self.get::<S>(Self::SHIFT, channel))
        }
    }
}

/// `1/√(σ² + ε)`
pub fn inverse_std(norm: &Norm<'_>, channel: usize) -> f64 {
    1.0 / (f64::from(norm.var[channel]) + f64::from(norm.eps)).sqrt()
}
