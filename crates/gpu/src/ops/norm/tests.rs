use super::*;
use crate::Buffer;
use crate::ops::add::tests::plain;
use crate::ops::testing::{close, devices, noise, rounded, upload};
use std::collections::HashMap;
use std::ops::Range;

const EPS: f32 = 1e-5;

/// The rows of each part, by the definition.
fn parts(ghosts: Ghosts) -> Vec<Range<usize>> {
    let border = |part: usize| part * ghosts.images / ghosts.count * ghosts.pixels;
    (0..ghosts.count).map(|part| border(part)..border(part + 1)).collect()
}

/// Mean and biased variance of each part, each `(parts, c)`, by two passes.
fn plain_statistics(ghosts: Ghosts, c: usize, x: &[f32]) -> [Vec<f64>; 2] {
    let of = |rows: &Range<usize>, channel: usize| {
        let at = |row: usize| f64::from(x[row * c + channel]);
        let n = rows.len() as f64;
        let mean = rows.clone().map(at).sum::<f64>() / n;
        [mean, rows.clone().map(|row| (at(row) - mean).powi(2)).sum::<f64>() / n]
    };
    let each: Vec<[f64; 2]> =
        parts(ghosts).iter().flat_map(|rows| (0..c).map(move |channel| of(rows, channel))).collect();
    [0, 1].map(|k| each.iter().map(|both| both[k]).collect())
}

/// Runs what needs scratch memory, and asserts that it leaves alone what lies behind.
fn with_scratch(device: &Device, ghosts: Ghosts, c: usize, run: impl FnOnce(View<'_>) -> Result<(), Error>) {
    let (len, behind) = (scratch_len(ghosts, c), [5.0; 300]);
    let scratch = device.upload(&[&vec![f32::NAN; len][..], &behind].concat()).unwrap();
    run(scratch.view().part(0..len)).unwrap();
    assert_eq!(device.read_f32(scratch.view()).unwrap()[len..], behind);
}

fn of_device(device: &Device, ghosts: Ghosts, c: usize, x: View<'_>) -> [Buffer; 2] {
    let [mean, var] = [(); 2].map(|()| device.allocate(DType::F32, ghosts.count * c).unwrap());
    with_scratch(device, ghosts, c, |scratch| statistics(device, ghosts, x, mean.view(), var.view(), scratch));
    [mean, var]
}

/// Asserts that the statistics of these numbers are right: within `tolerance` of σ and of σ², and the rounding of the mean.
fn check_statistics(device: &Device, dtype: DType, ghosts: Ghosts, c: usize, x: &[f32], tolerance: f64) {
    let at = upload(device, dtype, x);
    let [mean, var] = of_device(device, ghosts, c, at.view()).map(|of| device.read_f32(of.view()).unwrap());
    let [want_mean, want_var] = plain_statistics(ghosts, c, x);
    for k in 0..mean.len() {
        let (m, v, what) = (want_mean[k], want_var[k], format!("{dtype:?} {ghosts:?} {c}: {k}"));
        let most = tolerance * v.sqrt() + 1e-7 * m.abs();
        assert!((f64::from(mean[k]) - m).abs() <= most, "{what}: mean {} not {m}", mean[k]);
        assert!((f64::from(var[k]) - v).abs() <= tolerance * v && var[k] >= 0.0, "{what}: var {} not {v}", var[k]);
    }
}

#[test]
fn statistics_are_those_of_plain_loops() {
    for (device, dtype) in devices() {
        for c in [1, 3, 4, 33, 64, 200] {
            // Images, pixels, images a part.
            for [images, pixels, each] in
                [[1, 1, 1], [2, 1, 2], [2, 1, 1], [5, 1, 2], [7, 9, 3], [3, 49, 40], [5, 1001, 2]]
            {
                let ghosts = Ghosts::of(images, pixels, each);
                let spread = |(k, x): (usize, &f32)| x * 1.7 + (k % c % 7) as f32 * 0.5 - 1.0;
                let x: Vec<f32> = noise(c as u64, ghosts.rows() * c).iter().enumerate().map(spread).collect();
                check_statistics(&device, dtype, ghosts, c, &rounded(dtype, &x), 1e-5);
            }
        }
    }
}

#[test]
fn statistics_survive_a_mean_far_above_the_deviation() {
    for (device, dtype) in devices().into_iter().filter(|(_, dtype)| *dtype == DType::F32) {
        for (c, images) in [(1, 1), (3, 5000), (64, 3000)] {
            let ghosts = Ghosts::of(images, 3, 1000);
            let far = |scale: f32, base: f32| {
                noise(3, ghosts.rows() * c).iter().map(|x| base + x * 3f32.sqrt() * scale).collect::<Vec<_>>()
            };
            check_statistics(&device, dtype, ghosts, c, &far(1.0, 1e4), 1e-5);
            check_statistics(&device, dtype, ghosts, c, &far(0.01, -3000.0), 1e-5);
            // Nearly all rows are one number, which the few others are far from.
            let mut rare = vec![100.25; ghosts.rows() * c];
            rare.iter_mut().step_by(1777).for_each(|x| *x = -5e4);
            check_statistics(&device, dtype, ghosts, c, &rare, 3e-5);
            check_statistics(&device, dtype, ghosts, c, &vec![1234.567; ghosts.rows() * c], 0.0);
        }
    }
}

#[test]
fn very_many_rows_are_cut_into_no_more_pieces_than_there_are_blocks() {
    let ghosts = Ghosts::whole(3, 750_001);
    assert_eq!(Cut::new(ghosts, 1, 1, OF_SUMS).pieces(), 977);
    let (device, dtype) = devices().remove(0);
    let x: Vec<f32> = noise(5, ghosts.rows()).iter().map(|x| 50.0 + x).collect();
    check_statistics(&device, dtype, ghosts, 1, &x, 1e-5);

    for (images, each, c, width) in
        [(1, 1, 1, 1), (10, 3, 33, 1), (1024, 1024, 64, 4), (300, 1, 2048, 4), (256, 32, 256, 4), (512, 512, 5000, 4)]
    {
        for pixels in [1, 49, 3136] {
            for fineness in [OF_SUMS, OF_ELEMENTS] {
                let ghosts = Ghosts::of(images, pixels, each);
                let cut = Cut::new(ghosts, c, width, fineness);
                let (tiles, columns) = (cut.tiles as usize, cut.columns as usize);
                let largest = parts(ghosts).iter().map(ExactSizeIterator::len).max().unwrap();
                assert!(cut.pieces() * tiles <= fineness.blocks.max(ghosts.count * tiles));
                assert!(tiles * columns * width >= c && (tiles - 1) * columns * width < c);
                let covered = u64::from(cut.pieces) * cut.length;
                assert!(covered >= largest as u64 && covered - cut.length < largest as u64);
            }
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    for (device, dtype) in devices() {
        let mut x = vec![1.0f32; 40 * 4];
        x[17 * 4 + 1] = f32::NAN;
        x[23 * 4 + 2] = f32::INFINITY;
        let (ghosts, at) = (Ghosts::whole(40, 1), upload(&device, dtype, &x));
        let [mean, var] = of_device(&device, ghosts, 4, at.view()).map(|of| device.read_f32(of.view()).unwrap());
        assert!(mean[1].is_nan() && var[1].is_nan() && var[2].is_nan());
        assert_eq!([mean[0], mean[3], var[0], var[3]], [1.0, 1.0, 0.0, 0.0]);
    }
}

#[test]
fn running_statistics_move_towards_the_mean_over_parts() {
    for (device, _) in devices() {
        // One image, two and two, of two pixels each; 40 channels, of which all but the first two hold something else.
        let (c, ghosts) = (40, Ghosts::of(5, 2, 2));
        assert_eq!(parts(ghosts), [0..2, 2..6, 6..10]);
        let of_parts = |firsts: [[f32; 2]; 3]| {
            let values: Vec<f32> = firsts.iter().flat_map(|[a, b]| [vec![*a, *b], noise(9, c - 2)].concat()).collect();
            device.upload(&values).unwrap()
        };
        let mean = of_parts([[2.0, -1.0], [4.0, -1.0], [6.0, -1.0]]);
        let var = of_parts([[3.0, 0.0], [6.0, 0.0], [9.0, 0.0]]);
        let [to_mean, to_var] = [1.0, 2.0].map(|start| device.upload(&vec![start; c]).unwrap());
        let update = |momentum: f32| {
            let (batch, running) = ([mean.view(), var.view()], [to_mean.view(), to_var.view()]);
            update_running(&device, ghosts, momentum, batch, running).unwrap();
            running.map(|of| device.read_f32(of).unwrap())
        };
        let (mean_now, var_now) = (4.4, 0.2 * 3.0 * 2.0 + 0.4 * 6.0 * 4.0 / 3.0 + 0.4 * 9.0 * 4.0 / 3.0);
        let [got_mean, got_var] = update(0.25);
        close(&got_mean[..2], &[0.75 + 0.25 * mean_now, 0.5], DType::F32, 1e-6);
        close(&got_var[..2], &[1.5 + 0.25 * var_now, 1.5], DType::F32, 1e-6);
        device.write(to_mean.view(), &vec![f32::NAN; c]).unwrap();
        let [got_mean, got_var] = update(1.0);
        close(&got_mean[..2], &[mean_now, -1.0], DType::F32, 1e-6);
        close(&got_var[..2], &[var_now, 0.0], DType::F32, 1e-6);

        // A single row.
        let [batch, running] = [[&mean, &var], [&to_mean, &to_var]].map(|both| both.map(|of| of.view().part(0..2)));
        device.write(batch[1], &[0.0f32; 2]).unwrap();
        update_running(&device, Ghosts::whole(1, 1), 0.5, batch, running).unwrap();
        close(&device.read_f32(running[0]).unwrap(), &[0.5 * (mean_now + 2.0), -1.0], DType::F32, 1e-6);
        close(&device.read_f32(running[1]).unwrap(), &[0.5 * var_now, 0.0], DType::F32, 1e-6);
    }
}

/// A problem, for which gradients are added or overwritten by turns.
#[derive(Clone, Copy, Debug)]
struct Case {
    ghosts: Ghosts,
    c: usize,
    act: Act,
    residual: bool,
    within: Option<Within>,
    statistics: Statistics,
    /// Elements by which values begin behind what four can be read at.
    offset: usize,
    base: f32,
}

impl Case {
    fn new(images: usize, pixels: usize, each: usize, c: usize) -> Self {
        Self {
            ghosts: Ghosts::of(images, pixels, each),
            c,
            act: Act::Relu,
            residual: true,
            within: None,
            statistics: Statistics::OfBatch,
            offset: 0,
            base: 0.5,
        }
    }

    /// Runs it on a device and compares all that comes out with plain loops; gives back its bits.
    fn check(self, device: &Device, dtype: DType) -> Vec<u32> {
        let Self { ghosts, c, act, within, statistics: kind, .. } = self;
        let Within { width, first } = within.unwrap_or(Within { width: c, first: 0 });
        let (rows, count) = (ghosts.rows(), ghosts.count);
        let x: Vec<f32> = noise(11, rows * c).iter().map(|x| self.base + 1.3 * x).collect();
        let x = rounded(dtype, &x);
        let [residual, before_x, before_residual] = [12, 13, 14].map(|seed| rounded(dtype, &noise(seed, rows * c)));
        let [dy, before_y] = [15, 16].map(|seed| rounded(dtype, &noise(seed, rows * width)));
        let [gamma, beta] = [17, 18].map(|seed| noise(seed, c));

        // Each value stands behind as many other elements as there are to be.
        let put = |values: &[f32]| upload(device, dtype, &[&vec![7.0; self.offset][..], values].concat());
        let [x_at, residual_at, dx_at, dresidual_at] = [&x, &residual, &before_x, &before_residual].map(|v| put(v));
        let [dy_at, y_at] = [&dy, &before_y].map(|v| put(v));
        let own = |buffer: &Buffer| self.offset..buffer.view().len();
        let view = |buffer| Buffer::view(buffer).part(own(buffer));
        let [gamma_at, beta_at] = [&gamma, &beta].map(|v| device.upload(v).unwrap());
        let [mean, var] = match kind {
            Statistics::OfBatch => of_device(device, ghosts, c, view(&x_at)),
            Statistics::Frozen => {
                let var: Vec<f32> = noise(20, count * c).iter().map(|x| 1.5 + x).collect();
                [noise(19, count * c), var].map(|v| device.upload(&v).unwrap())
            }
        };
        let norm = Norm {
            mean: mean.view(),
            var: var.view(),
            eps: EPS,
            gamma: gamma_at.view(),
            beta: beta_at.view(),
            act,
            within,
        };
        let added = self.residual.then(|| view(&residual_at));
        forward(device, ghosts, &norm, view(&x_at), added, view(&y_at)).unwrap();

        // The same by plain loops, from the statistics as they are on the device.
        let [mean, var] = [&mean, &var].map(|of| device.read_f32(of.view()).unwrap());
        let statistics_at = |row: usize, channel: usize| {
            let part = parts(ghosts).iter().position(|rows| rows.contains(&row)).unwrap();
            part * c + channel
        };
        let mut want_y: Vec<f64> = before_y.iter().map(|y| f64::from(*y)).collect();
        let (mut dz, mut scaled, mut r) = (vec![0.0; rows * c], vec![0.0; rows * c], vec![0.0; rows * c]);
        for row in 0..rows {
            for channel in 0..c {
                let (k, at) = (row * c + channel, statistics_at(row, channel));
                r[k] = 1.0 / (f64::from(var[at]) + f64::from(EPS)).sqrt();
                scaled[k] = (f64::from(x[k]) - f64::from(mean[at])) * r[k];
                let mut z = f64::from(gamma[channel]) * scaled[k] + f64::from(beta[channel]);
                if self.residual {
                    z += f64::from(residual[k]);
                }
                let (out, [value, slope]) = (row * width + first + channel, plain(act, z));
                want_y[out] = value;
                dz[k] = f64::from(dy[out]) * slope;
            }
        }
        let (mut dgamma, mut dbeta, mut dx) = (vec![0.0; c], vec![0.0; c], vec![0.0; rows * c]);
        // Of what is subtracted from each other in dx: where hardly anything is left, as in parts of two rows, it says how exact
        // that can be.
        let mut largest = 0.0f64;
        for part in parts(ghosts) {
            for channel in 0..c {
                let elements = || part.clone().map(|row| row * c + channel);
                let sums: [f64; 2] = [elements().map(|k| dz[k]).sum(), elements().map(|k| dz[k] * scaled[k]).sum()];
                dbeta[channel] += sums[0];
                dgamma[channel] += sums[1];
                let through = if kind == Statistics::OfBatch { sums } else { [0.0; 2] };
                let n = part.len() as f64;
                for k in elements() {
                    let own = dz[k] - through[0] / n - scaled[k] * through[1] / n;
                    dx[k] = f64::from(gamma[channel]) * r[k] * own;
                    largest = largest.max((f64::from(gamma[channel]) * r[k] * dz[k]).abs());
                }
            }
        }

        let y = device.read_f32(y_at.view()).unwrap();
        close(&y[self.offset..], &want_y, dtype, 2e-6);
        let mut bits: Vec<u32> = y.iter().chain(&mean).chain(&var).map(|x| x.to_bits()).collect();

        // ReLU with its output and without: the rest is then needed.
        for from_output in if act == Act::Relu { vec![true, false] } else { vec![false] } {
            let saved = Saved {
                x: view(&x_at),
                residual: added.filter(|_| !from_output && act != Act::None),
                y: from_output.then(|| view(&y_at)),
                statistics: kind,
            };
            for add in [true, false] {
                device.copy(put(&before_x).view(), dx_at.view()).unwrap();
                device.copy(put(&before_residual).view(), dresidual_at.view()).unwrap();
                let [dgamma_at, dbeta_at] = [(); 2].map(|()| device.allocate(DType::F32, c).unwrap());
                let grads = Grads {
                    dx: Some(GradTo { to: view(&dx_at), add }),
                    dresidual: self.residual.then(|| GradTo { to: view(&dresidual_at), add: !add }),
                    dgamma: Some(dgamma_at.view()),
                    dbeta: Some(dbeta_at.view()),
                };
                with_scratch(device, ghosts, c, |scratch| {
                    backward(device, ghosts, &norm, saved, view(&dy_at), grads, scratch)
                });
                let with = |add: bool, grad: &[f64], before: &[f32]| -> Vec<f64> {
                    let before = before.iter().map(|x| if add { f64::from(*x) } else { 0.0 });
                    grad.iter().zip(before).map(|(grad, before)| grad + before).collect()
                };
                let [got_x, got_residual] = [&dx_at, &dresidual_at].map(|at| device.read_f32(at.view()).unwrap());
                let beside = |values: &[f64]| [values, &[largest]].concat();
                let got = [&got_x[self.offset..], &[largest as f32]].concat();
                close(&got, &beside(&with(add, &dx, &before_x)), dtype, 4e-6);
                if self.residual {
                    close(&got_residual[self.offset..], &with(!add, &dz, &before_residual), dtype, 4e-6);
                }
                let got = [&dgamma_at, &dbeta_at].map(|at| device.read_f32(at.view()).unwrap());
                for (got, want) in got.iter().zip([&dgamma, &dbeta]) {
                    close(got, want, DType::F32, 1e-5);
                }
                // Behind the others' elements nothing has changed.
                assert!([&got_x, &got_residual].iter().all(|of| of[..self.offset].iter().all(|x| *x == 7.0)));
                bits.extend(got_x.iter().chain(&got_residual).chain(&got[0]).chain(&got[1]).map(|x| x.to_bits()));
            }
        }
        bits
    }
}

/// Checks a case everywhere, and that the order of threads changes no bit.
fn check(case: Case) {
    let mut bits = HashMap::new();
    for (device, dtype) in devices() {
        let got = case.check(&device, dtype);
        assert!(*bits.entry(dtype).or_insert_with(|| got.clone()) == got, "{dtype:?} {case:?}");
    }
}

#[test]
fn values_and_gradients_are_those_of_plain_loops() {
    for (images, pixels, each, c) in [
        (2, 1, 2, 1),
        (3, 1, 1, 3),
        (40, 1, 40, 1),
        (5, 9, 2, 3),
        (10, 25, 3, 33),
        (7, 49, 3, 64),
        (3, 301, 3, 64),
        (4, 7, 1, 200),
        (2, 2000, 1, 3),
        (6, 4, 40, 132),
    ] {
        let case = Case::new(images, pixels, each, c);
        for act in [Act::None, Act::Relu] {
            check(Case { act, ..case });
            check(Case { act, residual: false, ..case });
            check(Case { act, statistics: Statistics::Frozen, ..case });
        }
    }
}

#[test]
fn all_activations_have_their_slopes() {
    for act in [Act::Gelu, Act::Silu, Act::Mish, Act::Celu { alpha: 0.3 }, Act::LeakyRelu { slope: 0.1 }] {
        for (images, pixels, each, c) in [(5, 3, 2, 3), (4, 3, 4, 8)] {
            for residual in [true, false] {
                for statistics in [Statistics::OfBatch, Statistics::Frozen] {
                    check(Case { act, residual, statistics, ..Case::new(images, pixels, each, c) });
                }
            }
        }
    }
}

#[test]
fn a_wider_value_keeps_its_other_channels() {
    for act in [Act::None, Act::Relu, Act::Silu] {
        for (c, width, first) in [(21, 40, 3), (8, 20, 12), (8, 21, 4), (64, 128, 2), (3, 3, 0)] {
            let case = Case { act, within: Some(Within { width, first }), ..Case::new(5, 7, 2, c) };
            check(case);
            check(Case { residual: false, ..case });
        }
    }
}

#[test]
fn values_may_begin_anywhere() {
    for offset in [1, 2, 4] {
        check(Case { offset, ..Case::new(5, 7, 2, 8) });
    }
}

#[test]
fn a_row_alone_and_a_mean_far_above_the_deviation_have_gradients() {
    check(Case { act: Act::None, ..Case::new(1, 1, 1, 5) });
    for (device, dtype) in devices().into_iter().filter(|(_, dtype)| *dtype == DType::F32) {
        for c in [3, 64] {
            Case { base: 1e4, ..Case::new(7, 49, 3, c) }.check(&device, dtype);
        }
    }
}

#[test]
fn gradients_that_nobody_wants_are_left_out() {
    for (device, dtype) in devices() {
        for (ghosts, c) in [(Ghosts::whole(4, 9), 8), (Ghosts::of(4, 9, 2), 5)] {
            let len = ghosts.rows() * c;
            let [x, dy] = [1, 2].map(|seed| upload(&device, dtype, &noise(seed, len)));
            let [mean, var] = of_device(&device, ghosts, c, x.view());
            let [gamma, beta] = [3, 4].map(|seed| device.upload(&noise(seed, c)).unwrap());
            let norm = Norm {
                mean: mean.view(),
                var: var.view(),
                eps: EPS,
                gamma: gamma.view(),
                beta: beta.view(),
                act: Act::Silu,
                within: None,
            };
            for statistics in [Statistics::OfBatch, Statistics::Frozen] {
                let run = |wanted: [bool; 4]| {
                    let [dx, dresidual] = [(); 2].map(|()| upload(&device, dtype, &vec![9.0; len]));
                    let [dgamma, dbeta] = [(); 2].map(|()| device.upload(&vec![9.0; c]).unwrap());
                    let saved = Saved { x: x.view(), residual: None, y: None, statistics };
                    let grads = Grads {
                        dx: wanted[0].then(|| GradTo::overwrite(dx.view())),
                        dresidual: wanted[1].then(|| GradTo::overwrite(dresidual.view())),
                        dgamma: wanted[2].then(|| dgamma.view()),
                        dbeta: wanted[3].then(|| dbeta.view()),
                    };
                    with_scratch(&device, ghosts, c, |scratch| {
                        backward(&device, ghosts, &norm, saved, dy.view(), grads, scratch)
                    });
                    [dx, dresidual, dgamma, dbeta].map(|of| device.read_f32(of.view()).unwrap())
                };
                let all = run([true; 4]);
                for choice in 0..16 {
                    let wanted = [0, 1, 2, 3].map(|k| choice >> k & 1 == 1);
                    for ((got, all), wanted) in run(wanted).iter().zip(&all).zip(wanted) {
                        assert!(if wanted { got == all } else { got.iter().all(|x| *x == 9.0) });
                    }
                }
            }
        }
    }
}
