//! Every direction on every instruction set of this machine, against the slow twin.

use super::*;
use crate::kernels::DType;
use candle_core::{Device, Tensor};
use half::{bf16, f16};

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug)]
struct Way {
    algorithm: Algorithm,
    products: Products,
    isa: Isa,
}

impl Way {
    /// All that activations of `E` may take. Pairs of bf16 are emulated where the machine lacks the instruction.
    fn all<E: Element>() -> Vec<Self> {
        let products: &[Products] = match E::DTYPE {
            DType::Bf16 => &[Products::Single, Products::Pairs],
            _ => &[Products::Single],
        };
        let algorithms = [Algorithm::Fastest, Algorithm::Direct];
        let ways = algorithms.into_iter().flat_map(|a| products.iter().map(move |&p| (a, p)));
        ways.flat_map(|(algorithm, products)| {
            Isa::available().into_iter().map(move |isa| Self { algorithm, products, isa })
        })
        .collect()
    }

    fn fastest(isa: Isa) -> Self {
        Self { algorithm: Algorithm::Fastest, products: Products::Single, isa }
    }

    /// Error allowed in one element, relative to the largest of the tensor: sums of up to a few thousand products in `f32`,
    /// through Winograd's transforms twice that, and one rounding to the type. Direct sums of pairs are as exact, as the weights
    /// here are bf16 already; the transforms are rounded to it, which is what their 36 products make of 2⁻⁹ each.
    fn tolerance<E: Element>(&self, winograd: bool) -> f64 {
        match E::DTYPE {
            DType::Bf16 if winograd && self.products == Products::Pairs => 5e-2,
            DType::Bf16 => 4.5e-3,
            DType::F16 => 6e-4,
            _ => 6e-6,
        }
    }
}

/// Numbers in (−1, 1) from a fixed generator.
fn noise<E: Element>(len: usize, seed: u64) -> Vec<E> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        E::from_f32((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

#[track_caller]
fn assert_close<E: Element>(what: &str, got: &[E], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-30, |m: f64, x| m.max(x.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(g.to_f32()) - e).abs() / scale;
        assert!(error <= tolerance, "{what}: [{i}] is {g:?}, not {e}, off by {error:e} of {scale}");
    }
}

/// What the three directions and the bias gradient give.
#[derive(Debug, PartialEq)]
struct Results<E> {
    y: Vec<E>,
    dx: Vec<E>,
    dw: Vec<f32>,
    db: Vec<f32>,
}

/// One problem with its data.
struct Case<E> {
    conv: Conv2d,
    n: usize,
    size: [usize; 2],
    x: Vec<E>,
    dy: Vec<E>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl<E: Element> Case<E> {
    fn new(conv: Conv2d, n: usize, size: [usize; 2]) -> Self {
        let [oh, ow] = conv.output(size[0], size[1]).unwrap();
        Self {
            conv,
            n,
            size,
            x: noise(n * size[0] * size[1] * conv.cin, 1),
            dy: noise(n * oh * ow * conv.cout, 2),
            weights: noise::<E>(conv.weight_len(), 3).into_iter().map(E::to_f32).collect(),
            bias: noise(conv.cout, 4),
        }
    }

    /// Buffers start as NaN: whatever is not overwritten shows.
    fn run(&self, Way { algorithm, products, isa }: Way) -> Results<E> {
        let Self { conv, n, x, dy, .. } = self;
        let plan = ConvPlan::with(algorithm, products, *conv, self.size[0], self.size[1], isa);
        let nan = || E::from_f32(f32::NAN);
        // One word of which both halves are no number either.
        let word = f32::from_bits(u32::MAX);
        let mut scratch = vec![word; plan.scratch_len(*n)];
        let mut forward = vec![word; plan.forward_pack_len()];
        let mut backward = vec![word; plan.backward_pack_len()];
        plan.pack_forward(&self.weights, &mut forward);
        plan.pack_backward(&self.weights, &mut backward);
        let (mut y, mut dx) = (vec![nan(); dy.len()], vec![nan(); x.len()]);
        let (mut dw, mut db) = (vec![f32::NAN; self.weights.len()], vec![f32::NAN; conv.cout]);
        plan.forward(*n, x, &forward, Some(&self.bias), &mut y, &mut scratch);
        plan.backward_data(*n, dy, &backward, &mut dx, false, &mut scratch);
        plan.backward_weight(*n, x, dy, &mut dw, &mut scratch);
        plan.backward_bias(*n, dy, &mut db, &mut scratch);
        Results { y, dx, dw, db }
    }

    fn check(&self) {
        let Self { conv, n, size, x, dy, .. } = self;
        let y = reference::forward(conv, *n, *size, x, &self.weights, Some(&self.bias));
        let dx = reference::backward_data(conv, *n, *size, dy, &self.weights);
        let dw = reference::backward_weight(conv, *n, *size, x, dy);
        let mut db = vec![0.0; conv.cout];
        dy.iter().enumerate().for_each(|(i, d)| db[i % conv.cout] += f64::from(d.to_f32()));
        for way in Way::all::<E>() {
            let what = |direction: &str| format!("{direction} {way:?} n={n} {size:?} {conv:?}");
            let got = self.run(way);
            let output = conv.output(size[0], size[1]).unwrap();
            let winograd = way.algorithm == Algorithm::Fastest && winograd::suits(conv, output);
            let tolerance = way.tolerance::<E>(winograd);
            assert_close(&what("y"), &got.y, &y, tolerance);
            assert_close(&what("dx"), &got.dx, &dx, tolerance);
            // It is f32 whatever the activations.
            let exact = if tolerance > 1e-2 { tolerance } else { 6e-6 };
            assert_close(&what("dw"), &got.dw, &dw, exact);
            assert_close(&what("db"), &got.db, &db, 6e-6);
        }
    }
}

fn conv(cin: usize, cout: usize, kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Conv2d {
    Conv2d { cin, cout, kernel, stride, padding, dilation: [1; 2], groups: 1 }
}

/// `(convolution, pictures, size)`: each awkward in its own way.
fn cases() -> Vec<(Conv2d, usize, [usize; 2])> {
    let same = Conv2d::same;
    vec![
        (same(3, 64, 3), 2, [33, 31]),
        (same(64, 24, 3), 1, [17, 17]),
        (same(65, 65, 3), 3, [7, 7]),
        (same(24, 65, 3), 5, [3, 3]),
        (same(160, 96, 3), 2, [4, 4]),
        // Winograd's: tiles over the edge, more than a chunk of them, several parts of the gradient, all paddings.
        (same(24, 40, 3), 3, [15, 17]),
        (same(16, 65, 3), 2, [33, 31]),
        (same(100, 130, 3), 1, [8, 12]),
        (same(401, 17, 3), 2, [4, 8]),
        (conv(24, 33, [3, 3], [1, 1], [0, 2]), 3, [17, 10]),
        (same(24, 10, 3), 5, [1, 1]),
        (same(1, 1, 3), 3, [1, 7]),
        (same(3, 3, 5), 1, [31, 7]),
        (same(65, 24, 1), 3, [7, 17]),
        (same(24, 64, 1), 1, [1, 1]),
        (conv(24, 65, [1, 1], [2, 2], [0, 0]), 3, [17, 7]),
        // A single tap along an axis: what lies between its pixels is not copied.
        (conv(24, 33, [1, 1], [2, 2], [1, 1]), 3, [7, 10]),
        (conv(10, 24, [1, 3], [2, 2], [0, 1]), 3, [9, 16]),
        (conv(3, 24, [3, 1], [1, 3], [1, 2]), 2, [7, 11]),
        (conv(3, 17, [1, 1], [2, 3], [0, 0]), 5, [8, 7]),
        (conv(40, 24, [3, 3], [2, 2], [1, 1]), 2, [33, 32]),
        (conv(3, 24, [7, 7], [2, 2], [3, 3]), 1, [33, 31]),
        (conv(24, 24, [3, 3], [2, 2], [1, 1]), 3, [17, 16]),
        (conv(24, 3, [1, 7], [1, 1], [0, 3]), 1, [7, 17]),
        (conv(3, 24, [7, 1], [1, 1], [3, 0]), 3, [17, 7]),
        (conv(24, 24, [2, 2], [1, 1], [0, 0]), 3, [7, 7]),
        (conv(24, 10, [2, 2], [2, 2], [1, 1]), 3, [7, 7]),
        (conv(10, 24, [3, 3], [1, 2], [1, 0]), 3, [7, 17]),
        (conv(3, 10, [2, 3], [3, 4], [0, 1]), 1, [17, 17]),
        (conv(3, 10, [3, 3], [1, 1], [3, 3]), 5, [1, 3]),
        (Conv2d { dilation: [2, 2], padding: [2, 2], ..same(24, 24, 3) }, 1, [17, 7]),
        (Conv2d { dilation: [1, 3], padding: [0, 3], stride: [2, 2], ..same(10, 24, 3) }, 3, [7, 17]),
        (Conv2d { groups: 3, ..same(24, 30, 3) }, 3, [7, 7]),
        (Conv2d { groups: 2, stride: [2, 2], ..same(48, 2, 3) }, 2, [7, 7]),
        (Conv2d { groups: 24, ..same(24, 24, 3) }, 3, [7, 7]),
        (Conv2d { groups: 24, stride: [2, 1], ..same(24, 48, 5) }, 1, [7, 7]),
    ]
}

#[test]
fn every_direction_agrees_with_the_slow_twin_in_f32() {
    cases().into_iter().for_each(|(conv, n, size)| Case::<f32>::new(conv, n, size).check());
}

#[test]
fn every_direction_agrees_with_the_slow_twin_in_bf16() {
    cases().into_iter().for_each(|(conv, n, size)| Case::<bf16>::new(conv, n, size).check());
}

#[test]
fn every_direction_agrees_with_the_slow_twin_in_f16() {
    cases().into_iter().step_by(3).for_each(|(conv, n, size)| Case::<f16>::new(conv, n, size).check());
}

/// Numbers of a normal distribution, by the sum of twelve uniform ones.
fn normal<E: Element>(len: usize, seed: u64) -> Vec<E> {
    noise::<f32>(12 * len, seed).chunks_exact(12).map(|twelve| E::from_f32(twelve.iter().sum::<f32>() / 2.0)).collect()
}

/// The root of the mean square of the error, relative to that of what is expected.
fn relative_error<E: Element>(got: &[E], expected: &[f64]) -> f64 {
    let squares = got.iter().zip(expected).map(|(got, expected)| (f64::from(got.to_f32()) - expected).powi(2));
    (squares.sum::<f64>() / expected.iter().map(|x| x * x).sum::<f64>()).sqrt()
}

#[test]
fn errors_in_bf16_are_what_the_design_says() {
    // Shape, and the most for outputs and weight gradients: rounding alone, of direct pairs, and of transformed ones.
    for (channels, side, pictures) in [(64, 32, 1), (256, 8, 2), (512, 4, 2)] {
        let mut case = Case::<bf16>::new(Conv2d::same(channels, channels, 3), pictures, [side; 2]);
        (case.x, case.dy) = (normal(case.x.len(), 1), normal(case.dy.len(), 2));
        (case.weights, case.bias) = (normal(case.weights.len(), 3), vec![0.0; channels]);
        let y = reference::forward(&case.conv, pictures, case.size, &case.x, &case.weights, None);
        let dw = reference::backward_weight(&case.conv, pictures, case.size, &case.x, &case.dy);
        let isa = *Isa::available().last().unwrap();
        for (algorithm, products, limits) in [
            (Algorithm::Direct, Products::Single, [1.8e-3, 1e-6]),
            (Algorithm::Direct, Products::Pairs, [2.6e-3, 1e-6]),
            (Algorithm::Fastest, Products::Single, [1.8e-3, 2e-6]),
            (Algorithm::Fastest, Products::Pairs, [1.5e-2, 1.5e-2]),
        ] {
            let got = case.run(Way { algorithm, products, isa });
            let errors = [relative_error(&got.y, &y), relative_error(&got.dw, &dw)];
            let [of_y, of_dw] = errors;
            let what =
                format!("{channels} channels, {side} × {side}, {algorithm:?}, {products:?}: {of_y:.1e}, {of_dw:.1e}");
            println!("{what}");
            assert!(errors[0] <= limits[0] && errors[1] <= limits[1], "{what}");
        }
    }
}

#[test]
fn forward_agrees_with_candle() {
    for (conv, n, size) in cases() {
        let case = Case::<f32>::new(conv, n, size);
        let [kh, kw] = conv.kernel;
        let device = &Device::Cpu;
        let x = Tensor::from_slice(&case.x, (n, size[0], size[1], conv.cin), device).unwrap();
        let shape = (conv.cout, conv.cin / conv.groups, kh, kw);
        let weights = Tensor::from_slice(&case.weights, shape, device).unwrap();
        let bias = Tensor::from_slice(&case.bias, conv.cout, device).unwrap();
        let y = match reference::candle_forward(&conv, &x, &weights, Some(&bias)) {
            Ok(y) => y.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            Err(_) if conv.dilation[0] != conv.dilation[1] || conv.stride[0] != conv.stride[1] => continue,
            Err(e) => panic!("{e}"),
        };
        let y: Vec<f64> = y.into_iter().map(f64::from).collect();
        let way = Way { algorithm: Algorithm::Direct, ..Way::fastest(Isa::Portable) };
        assert_close(&format!("{conv:?}"), &case.run(way).y, &y, way.tolerance::<f32>(false));
    }
}

#[test]
fn the_data_gradient_can_be_added() {
    for (conv, n, size) in cases() {
        let case = Case::<f32>::new(conv, n, size);
        for isa in Isa::available() {
            let plan = ConvPlan::new(conv, size[0], size[1], isa);
            let mut packed = vec![0.0; plan.backward_pack_len()];
            plan.pack_backward(&case.weights, &mut packed);
            let mut scratch = vec![0.0; plan.scratch_len(n)];
            let mut dx = case.x.clone();
            plan.backward_data(n, &case.dy, &packed, &mut dx, true, &mut scratch);
            let alone = case.run(Way::fastest(isa)).dx;
            let expected: Vec<f32> = case.x.iter().zip(alone).map(|(x, d)| x + d).collect();
            assert_eq!(dx, expected, "{isa} {conv:?}");
        }
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let pools = [pool(1), pool(2), pool(5)];
    fn check<E: Element>(pools: &[rayon::ThreadPool; 3], skip: usize) {
        for (conv, n, size) in cases().into_iter().skip(skip).step_by(3) {
            let case = Case::<E>::new(conv, n, size);
            for way in Way::all::<E>().into_iter().filter(|way| way.algorithm == Algorithm::Fastest) {
                let [one, two, five] = [0, 1, 2].map(|i: usize| pools[i].install(|| case.run(way)));
                assert_eq!(one, two, "{way:?} {conv:?}");
                assert_eq!(one, five, "{way:?} {conv:?}");
            }
        }
    }
    check::<f32>(&pools, 0);
    check::<bf16>(&pools, 1);
}

#[test]
fn a_plan_serves_any_number_of_pictures() {
    let strided = Conv2d { stride: [2, 2], ..Conv2d::same(24, 40, 3) };
    for (conv, size) in [(strided, [5, 6]), (Conv2d::same(24, 40, 3), [8, 7])] {
        serves_any_number(conv, size);
    }
}

fn serves_any_number(conv: Conv2d, size: [usize; 2]) {
    fn check<E: Element>(conv: Conv2d, size: [usize; 2]) {
        let large = Case::<E>::new(conv, 9, size);
        for way in Way::all::<E>() {
            let y = large.run(way).y;
            let mut small = Case::<E>::new(conv, 4, size);
            small.x = large.x[..small.x.len()].to_vec();
            assert_eq!(small.run(way).y, y[..small.dy.len()], "{way:?}");
        }
        Case::<E>::new(conv, 0, size).check();
    }
    check::<f32>(conv, size);
    check::<bf16>(conv, size);
}

#[test]
fn what_does_not_fit_has_no_output() {
    assert_eq!(Conv2d::same(3, 8, 3).output(1, 1), Some([1, 1]));
    assert_eq!(conv(3, 8, [3, 3], [1, 1], [0, 0]).output(2, 9), None);
    assert_eq!(Conv2d { dilation: [1, 4], ..Conv2d::same(3, 8, 3) }.output(9, 6), None);
    assert_eq!(Conv2d { groups: 2, ..Conv2d::same(3, 8, 3) }.output(9, 9), None);
    assert_eq!(Conv2d { stride: [0, 1], ..Conv2d::same(3, 8, 3) }.output(9, 9), None);
    assert_eq!(Conv2d::same(3, 8, 3).output(0, 9), None);
}

#[test]
fn flops_count_two_a_product() {
    // The first layer of ResNet-9 at 32 × 32.
    assert_eq!(Conv2d::same(3, 64, 3).flops(32, 32), 2 * 32 * 32 * 64 * 3 * 9);
    assert_eq!(Conv2d { groups: 3, ..Conv2d::same(24, 30, 3) }.flops(7, 7), 2 * 49 * 30 * 8 * 9);
}
