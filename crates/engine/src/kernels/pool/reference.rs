//! The slow twin: plain loops in `f64`. candle's own pooling knows no padding, and its backward is wrong or missing where
//! kernel and stride differ.

use super::average::{Average, Edge};
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

/// Every output of a mean: its flat position, then of each of its inputs the flat position and the weight.
fn weights(average: Average, shape: [usize; 4]) -> Vec<(usize, Vec<(usize, f64)>)> {
    let evenly = |taps: Vec<(usize, usize)>, divisor: usize| {
        taps.into_iter().map(|(_, from)| (from, 1.0 / divisor as f64)).collect()
    };
    let of_inside = |(out, inside): (usize, Vec<_>)| {
        let taps = inside.len();
        (out, evenly(inside, taps))
    };
    let [n, h, w, c] = shape;
    let [_, oh, ow, _] = average.output(shape).unwrap();
    let position = |image: usize, y: usize, x: usize, channel: usize| ((image * h + y) * w + x) * c + channel;
    let place = |out: usize| (out / c / ow / oh, out / c / ow % oh, out / c % ow, out % c);
    match average {
        Average::Windows(window) => {
            let taps = window.kernel[0] * window.kernel[1];
            windows(window, shape).map(|(out, inside)| (out, evenly(inside, taps))).collect()
        }
        Average::Inside(window) => windows(window, shape).map(of_inside).collect(),
        Average::Tiles { side } => {
            let mut tiles: Vec<(usize, Vec<(usize, usize)>)> =
                (0..n * oh * ow * c).map(|out| (out, Vec::new())).collect();
            for at in 0..n * h * w * c {
                let (channel, x, y, image) = (at % c, at / c % w, at / c / w % h, at / c / w / h);
                let out = ((image * oh + y / side) * ow + x / side) * c + channel;
                tiles[out].1.push((0, at));
            }
            tiles.into_iter().map(of_inside).collect()
        }
        Average::Adaptive { side } => {
            let border = |o: usize, size: usize| {
                let share = size as f64 / side as f64;
                ((o as f64 * share).floor() as usize, ((o + 1) as f64 * share).ceil() as usize)
            };
            let of = |out: usize| {
                let (image, oy, ox, channel) = place(out);
                let ((top, bottom), (left, right)) = (border(oy, h), border(ox, w));
                let weight = 1.0 / ((bottom - top) * (right - left)) as f64;
                let inside = (top..bottom).flat_map(|y| (left..right).map(move |x| (y, x)));
                (out, inside.map(|(y, x)| (position(image, y, x, channel), weight)).collect())
            };
            (0..n * oh * ow * c).map(of).collect()
        }
        Average::Blur { stride, edge } => {
            let seen = |at: isize, size: usize| {
                let last = size as isize - 1;
                match (0..=last).contains(&at) {
                    true => Some(at as usize),
                    false => (edge == Edge::Mirrored).then(|| (if at < 0 { -at } else { 2 * last - at }) as usize),
                }
            };
            let of = |out: usize| {
                let (image, oy, ox, channel) = place(out);
                let around = (-1..=1isize).flat_map(|dy| (-1..=1isize).map(move |dx| (dy, dx)));
                let taps = around.filter_map(|(dy, dx)| {
                    let (y, x) = (seen((oy * stride) as isize + dy, h)?, seen((ox * stride) as isize + dx, w)?);
                    Some((position(image, y, x, channel), ((2 - dy.abs()) * (2 - dx.abs())) as f64 / 16.0))
                });
                (out, taps.collect())
            };
            (0..n * oh * ow * c).map(of).collect()
        }
    }
}

/// Means.
pub fn average(average: Average, shape: [usize; 4], x: &[f64]) -> Vec<f64> {
    let sum = |taps: Vec<(usize, f64)>| taps.into_iter().map(|(from, weight)| x[from] * weight).sum();
    weights(average, shape).into_iter().map(|(_, taps)| sum(taps)).collect()
}

/// The gradient of [`average`]'s input.
pub fn average_backward(average: Average, shape: [usize; 4], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; len(shape)];
    for (out, taps) in weights(average, shape) {
        taps.into_iter().for_each(|(at, weight)| dx[at] += dy[out] * weight);
    }
    dx
}
