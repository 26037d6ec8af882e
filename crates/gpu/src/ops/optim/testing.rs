//! What the tests of rules share: several steps on a device and by a plain loop.

use super::moments::Moments;
use super::{Segment, Table};
use crate::ops::testing::{close, noise};
use crate::{DType, Device, View};

/// Every order of threads.
pub fn devices() -> Vec<Device> {
    let all = crate::ops::testing::devices().into_iter();
    all.filter(|(_, dtype)| *dtype == DType::F32).map(|(device, _)| device).collect()
}

/// Segments with gaps between some, of many lengths: less than a block, none, some chunks.
pub fn segments() -> Vec<Segment> {
    let ranges = [0..3, 3..4100, 4103..4104, 4110..4110, 4200..13_000, 13_001..13_300, 13_301..13_309];
    let adapted = |index: usize| index != 2 && index != 6;
    ranges.into_iter().enumerate().map(|(index, range)| Segment { range, adapted: adapted(index) }).collect()
}

/// Whose parameters are all 0 at first.
const ZERO: usize = 5;

/// A step on a device.
pub struct OnDevice<'a> {
    /// From 0 on.
    pub step: usize,
    pub params: View<'a>,
    pub grads: View<'a>,
}

/// A step of one segment by a plain loop.
pub struct Plain<'a, N> {
    /// From 0 on.
    pub step: usize,
    pub index: usize,
    pub segment: &'a Segment,
    pub params: &'a mut [N],
    pub grads: &'a mut [N],
}

/// The steps of each test.
const STEPS: usize = 3;

/// Steps on the device and by a loop in `N`; `compare` sees the parameters and the buffers of both after each step.
/// Checks that what lies between segments stays, and that no order of threads makes another result.
pub fn run<N: Copy + From<f32>, const B: usize>(
    segments: &[Segment],
    on_device: impl Fn(&Device, &Table, OnDevice<'_>, [View<'_>; B]),
    plain: impl Fn(Plain<'_, N>, [&mut [N]; B]),
    compare: impl Fn(&[f32], &[N]),
) {
    let flat = segments.last().map_or(0, |segment| segment.range.end) + 1;
    let mut start = noise(1, flat);
    if let Some(zero) = segments.get(ZERO) {
        start[zero.range.clone()].fill(0.0);
    }
    let mut found: Vec<Vec<f32>> = Vec::new();
    for device in devices() {
        let table = Table::new(&device, segments).unwrap();
        let params = device.upload(&start).unwrap();
        let buffers: [_; B] = std::array::from_fn(|_| device.zeros(DType::F32, table.values()).unwrap());
        let wide = |values: &[f32]| values.iter().map(|x| N::from(*x)).collect::<Vec<N>>();
        let mut want = wide(&start);
        let mut want_buffers: [_; B] = std::array::from_fn(|_| wide(&vec![0.0; table.values()]));
        for step in 0..STEPS {
            let gradient = noise(2 + step as u64, flat);
            let grads = device.upload(&gradient).unwrap();
            let at = OnDevice { step, params: params.view(), grads: grads.view() };
            on_device(&device, &table, at, buffers.each_ref().map(|buffer| buffer.view()));
            let mut gradient = wide(&gradient);
            let mut first = 0;
            for (index, segment) in segments.iter().enumerate() {
                let own = first..first + segment.range.len();
                let (params, grads) = (&mut want[segment.range.clone()], &mut gradient[segment.range.clone()]);
                let buffers = want_buffers.each_mut().map(|buffer| &mut buffer[own.clone()]);
                plain(Plain { step, index, segment, params, grads }, buffers);
                first = own.end;
            }
            compare(&device.read_f32(params.view()).unwrap(), &want);
            for (buffer, want) in buffers.iter().zip(&want_buffers) {
                compare(&device.read_f32(buffer.view()).unwrap(), want);
            }
        }
        let got = device.read_f32(params.view()).unwrap();
        for (k, (got, start)) in got.iter().zip(&start).enumerate() {
            assert!(got == start || segments.iter().any(|segment| segment.range.contains(&k)), "{k} is no one's");
        }
        found.push(got);
    }
    assert!(found.iter().all(|got| *got == found[0]), "the order of threads makes a difference");
}

/// The same with the segments of all tests, and a loop in `f64` that is to come to about the same.
pub fn check<const B: usize>(
    on_device: impl Fn(&Device, &Table, OnDevice<'_>, [View<'_>; B]),
    plain: impl Fn(Plain<'_, f64>, [&mut [f64]; B]),
) {
    run(&segments(), on_device, plain, |got, want| close(got, want, DType::F32, 1e-6));
}

/// The same with a loop in `f32` that is to come to the same bits.
pub fn same<const B: usize>(
    on_device: impl Fn(&Device, &Table, OnDevice<'_>, [View<'_>; B]),
    plain: impl Fn(Plain<'_, f32>, [&mut [f32]; B]),
) {
    run(&segments(), on_device, plain, |got, want: &[f32]| {
        let differs = got.iter().zip(want).position(|(got, want)| got.to_bits() != want.to_bits());
        assert!(got.len() == want.len() && differs.is_none(), "at {differs:?}");
    });
}

/// The factors of a step of Adam, with other βs in each.
pub fn moments(step: usize) -> Moments {
    let [beta1, beta2] = [[0.9, 0.999], [0.8, 0.99], [0.0, 0.95]][step];
    let weight = |beta: f64| 1.0 - beta.powi(step as i32 + 1);
    Moments {
        keep: beta1 as f32,
        take: (1.0 - beta1) as f32,
        keep_square: beta2 as f32,
        take_square: (1.0 - beta2) as f32,
        correct: (1.0 / weight(beta1)) as f32,
        correct_root: (1.0 / weight(beta2).sqrt()) as f32,
        eps: 1e-8,
    }
}

/// What the moments move to, and their direction.
pub fn plain_direction(by: &Moments, g: f64, m: &mut f64, v: &mut f64) -> f64 {
    let Moments { keep, take, keep_square, take_square, correct, correct_root, eps } = *by;
    let [keep, take, keep_square, take_square] = [keep, take, keep_square, take_square].map(f64::from);
    let [correct, correct_root, eps] = [correct, correct_root, eps].map(f64::from);
    *m = keep * *m + take * g;
    *v = keep_square * *v + take_square * g * g;
    correct * *m / (correct_root * v.sqrt() + eps)
}

/// `√Σx²`
pub fn plain_norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}
