//! Copies of the weights that follow them, or that they follow: for whole buffers, of weights or statistics.

use crate::DType;
use crate::device::{Args, Device, Error, Grid, View, kernel};

kernel!(BLEND = optim_blend);

#[repr(C)]
#[derive(Clone, Copy)]
struct BlendArgs {
    len: u64,
    to: u64,
    from: u64,
    share: f32,
    both: u32,
}
// SAFETY: as `OptimBlend` of optim_average.cu.
unsafe impl Args for BlendArgs {}

/// `to ← to + share·(from − to)`, for a mean of the weights. A share of 1 is a copy.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffers are not `f32` of one length, or overlap.
pub fn blend(device: &Device, to: View<'_>, from: View<'_>, share: f32) -> Result<(), Error> {
    if share == 1.0 {
        from.expect(DType::F32, to.len());
        return device.copy(from, to);
    }
    launch(device, to, from, share, false)
}

/// `slow ← slow + take·(fast − slow)`, then `fast ← slow`, for Lookahead. Where nothing is taken, what is not finite in
/// the fast ones does not come into the slow ones.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffers are not `f32` of one length, or overlap.
pub fn lookahead(device: &Device, slow: View<'_>, fast: View<'_>, take: f32) -> Result<(), Error> {
    if take == 0.0 {
        slow.expect(DType::F32, fast.len());
        return device.copy(slow, fast);
    }
    launch(device, slow, fast, take, true)
}

fn launch(device: &Device, to: View<'_>, from: View<'_>, share: f32, both: bool) -> Result<(), Error> {
    let len = to.len();
    let args = BlendArgs {
        len: len as u64,
        to: to.expect(DType::F32, len),
        from: from.expect(DType::F32, len),
        share,
        both: both.into(),
    };
    // SAFETY: both have `len` elements.
    unsafe { device.launch(&BLEND, Grid::over(len), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::devices;
    use crate::ops::testing::noise;

    #[test]
    fn the_mean_takes_its_share_to_the_last_bit() {
        for (device, len) in devices().into_iter().flat_map(|device| [1, 300, 5001].map(|len| (device.clone(), len))) {
            let [mut mean, new] = [1, 2].map(|seed| noise(seed, len));
            let [to, from] = [&mean, &new].map(|x| device.upload(x).unwrap());
            for share in [0.25, 0.001, 0.0] {
                blend(&device, to.view(), from.view(), share).unwrap();
                mean.iter_mut().zip(&new).for_each(|(mean, new)| *mean += share * (new - *mean));
                assert_eq!(device.read_f32(to.view()).unwrap(), mean);
            }
            blend(&device, to.view(), from.view(), 1.0).unwrap();
            assert_eq!(device.read_f32(to.view()).unwrap(), new);
            assert_eq!(device.read_f32(from.view()).unwrap(), new);
        }
    }

    #[test]
    fn slow_weights_take_their_share_and_the_fast_ones_follow() {
        for device in devices() {
            let [slow, fast] = [3, 4].map(|seed| noise(seed, 2049));
            let [slow_at, fast_at] = [&slow, &fast].map(|x| device.upload(x).unwrap());
            lookahead(&device, slow_at.view(), fast_at.view(), 0.3).unwrap();
            let want: Vec<f32> = slow.iter().zip(&fast).map(|(slow, fast)| slow + 0.3 * (fast - slow)).collect();
            let read = |buffer: &crate::Buffer| device.read_f32(buffer.view()).unwrap();
            assert_eq!((read(&slow_at), read(&fast_at)), (want.clone(), want.clone()));

            let spoilt = device.upload(&vec![f32::NAN; 2049]).unwrap();
            lookahead(&device, slow_at.view(), spoilt.view(), 0.0).unwrap();
            assert_eq!((read(&slow_at), read(&spoilt)), (want.clone(), want));
        }
    }
}
