//! The slow twin: plain loops in `f64`. candle's own pooling knows no padding, and its backward is wrong or missing where
//! kernel and stride differ.

use super::average::{Average, Divisor};
use super::{Window, len};

/// Every window: its output's flat position, then its taps inside the image as (place in the window, input's flat
/// position), for one channel after the other.
fn windows(window: Window, shape: [usize; 4]) -> impl Iterator<Item = (usize, Vec<(usize, usize)>)> {
    let [n, h, w, c] = shape;
    let [_, oh, ow, _] = window.expect_output(shape);
    (0..n * oh * ow * c).map(move |out| {
        let (channel, ox, oy, image) = (out % c, out / c % ow, out / c / ow % oh, out / c / ow / oh);
        let mut taps = Vec::new();
        for place in 0..window.kernel[0] * window.kernel[1] {
            let y = (oy * window.stride[0] + place / window.kernel[1]).checked_sub(window.padding[0]);
            let x = (ox * window.stride[1] + place % window.kernel[1]).checked_sub(window.padding[1]);
            if let (Some(y), Some(x)) = (y.filter(|y| *y < h), x.filter(|x| *x < w)) {
                taps.push((place, ((image * h + y) * w + x) * c + channel));
            }
        }
        (out, taps)
    })
}

/// Maxima and their places in the window; the first wins a tie.
pub fn max(window: Window, shape: [usize; 4], x: &[f64]) -> (Vec<f64>, Vec<u8>) {
    windows(window, shape)
        .map(|(_, taps)| {
            let (mut place, mut best) = (taps[0].0, x[taps[0].1]);
            for (p, from) in taps {
                if x[from] > best {
                    (place, best) = (p, x[from]);
                }
            }
            (best, place as u8)
        })
        .unzip()
}

/// The gradient of [`max`]'s input.
pub fn max_backward(window: Window, shape: [usize; 4], argmax: &[u8], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; len(shape)];
    for (out, taps) in windows(window, shape) {
        for (_, at) in taps.into_iter().filter(|(place, _)| *place == usize::from(argmax[out])) {
            dx[at] += dy[out];
        }
    }
    dx
}

fn divisor(average: Average, taps: &[(usize, usize)]) -> f64 {
    match average.divisor {
        Divisor::Window => average.window.kernel.into_iter().product::<usize>() as f64,
        Divisor::Valid => taps.len() as f64,
    }
}

/// Averages.
pub fn average(average: Average, shape: [usize; 4], x: &[f64]) -> Vec<f64> {
    windows(average.window, shape)
        .map(|(_, taps)| {
            let divisor = divisor(average, &taps);
            taps.into_iter().map(|(_, from)| x[from]).sum::<f64>() / divisor
        })
        .collect()
}

/// The gradient of [`average`]'s input.
pub fn average_backward(average: Average, shape: [usize; 4], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; len(shape)];
    for (out, taps) in windows(average.window, shape) {
        let divisor = divisor(average, &taps);
        for (_, at) in taps {
            dx[at] += dy[out] / divisor;
        }
    }
    dx
}
