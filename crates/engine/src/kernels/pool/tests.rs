use super::average::{Average, AveragePlan, Edge};
use super::*;
use crate::kernels::testing::*;
use crate::kernels::{Element, Grad, Isa, Write};

const WINDOWS: [Window; 5] = [
    Window { kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
    Window { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
    Window { kernel: [2, 5], stride: [3, 1], padding: [1, 2] },
    Window { kernel: [1, 1], stride: [2, 2], padding: [0, 0] },
];

/// Square and oblong images, few and many channels.
const SHAPES: [[usize; 4]; 7] =
    [[2, 1, 1, 3], [1, 3, 3, 1], [3, 7, 7, 24], [2, 17, 3, 65], [1, 31, 31, 3], [2, 33, 33, 24], [1, 5, 8, 16]];

fn cases() -> impl Iterator<Item = (Window, [usize; 4], [usize; 4])> {
    WINDOWS
        .into_iter()
        .flat_map(|window| SHAPES.map(|shape| (window, shape)))
        .filter_map(|(window, shape)| Some((window, shape, window.output(shape)?)))
}

fn plus<E: Element>(grad: &[f64], old: &[E]) -> Vec<f64> {
    grad.iter().zip(doubles(old)).map(|(g, o)| g + o).collect()
}

fn max_matches_the_twin<E: Element>() {
    for (seed, (window, shape, out)) in cases().enumerate() {
        let x = values::<E>(seed as u64, len(shape));
        let dy = values::<E>(100 + seed as u64, len(out));
        let (y_twin, argmax_twin) = reference::max(window, shape, &doubles(&x));
        let dx_twin = reference::max_backward(window, shape, &argmax_twin, &doubles(&dy));
        for isa in Isa::available() {
            let what = format!("{isa} {window:?} {shape:?}");
            let (mut y, mut argmax) = (vec![E::zeroed(); len(out)], vec![0; len(out)]);
            max::forward(isa, window, shape, &x, &mut y, &mut argmax);
            assert_close(&what, &y, &y_twin, 0.0);
            assert_eq!(argmax, argmax_twin, "{what}");
            let (mut dx, mut sum) = (x.clone(), x.clone());
            max::backward(isa, window, shape, &argmax, &dy, Grad::overwrite(&mut dx));
            max::backward(isa, window, shape, &argmax, &dy, Grad::add(&mut sum));
            assert_close(&what, &dx, &dx_twin, 1e-6);
            assert_close(&what, &sum, &plus(&dx_twin, &x), 1e-6);
        }
    }
}
for_all_types!(max_matches_the_twin);

fn average_matches_the_twin<E: Element>() {
    let sides = [1, 2, 7].into_iter().flat_map(|side| [Average::Adaptive { side }, Average::Tiles { side }]);
    let edges = |stride| [Edge::Mirrored, Edge::Zeros].map(|edge| Average::Blur { stride, edge });
    let blurs = [1, 2, 3].into_iter().flat_map(edges);
    let windows = WINDOWS.into_iter().flat_map(|window| [Average::Windows(window), Average::Inside(window)]);
    let all: Vec<Average> = windows.chain(sides).chain(blurs).collect();
    let cases = all.into_iter().flat_map(|average| SHAPES.map(|shape| (average, shape)));
    for (seed, (average, shape)) in cases.enumerate() {
        let [_, h, w, c] = shape;
        let Some(out) = average.output(shape) else {
            assert!(AveragePlan::new(average, h, w).is_none());
            continue;
        };
        let x = values::<E>(seed as u64, len(shape));
        let dy = values::<E>(100 + seed as u64, len(out));
        let y_twin = reference::average(average, shape, &doubles(&x));
        let dx_twin = reference::average_backward(average, shape, &doubles(&dy));
        let plan = AveragePlan::new(average, h, w).unwrap();
        for isa in Isa::available() {
            let what = format!("{isa} {average:?} {shape:?}");
            let mut y = vec![E::zeroed(); len(out)];
            plan.forward(isa, c, &x, &mut y);
            assert_close(&what, &y, &y_twin, 1e-6);
            let (mut dx, mut sum) = (x.clone(), x.clone());
            plan.backward(isa, c, &dy, Grad::overwrite(&mut dx));
            plan.backward(isa, c, &dy, Grad::add(&mut sum));
            assert_close(&what, &dx, &dx_twin, 2e-6);
            assert_close(&what, &sum, &plus(&dx_twin, &x), 2e-6);
        }
    }
}
for_all_types!(average_matches_the_twin);

/// A window as large as the image is the twin of global pooling.
fn global_matches_the_twin<E: Element>() {
    for (seed, shape) in SHAPES.into_iter().filter(|[_, h, w, _]| h * w <= 256).enumerate() {
        let [n, h, w, c] = shape;
        let window = Window { kernel: [h, w], stride: [1, 1], padding: [0, 0] };
        let average = Average::Windows(window);
        let x = values::<E>(seed as u64, len(shape));
        let dy = values::<E>(100 + seed as u64, n * c);
        let (max_twin, argmax_twin) = reference::max(window, shape, &doubles(&x));
        let dmax_twin = reference::max_backward(window, shape, &argmax_twin, &doubles(&dy));
        let daverage_twin = reference::average_backward(average, shape, &doubles(&dy));
        for isa in Isa::available() {
            let what = format!("{isa} {shape:?}");
            let (mut y, mut argmax) = (vec![E::zeroed(); n * c], vec![0; n * c]);
            global::average(isa, shape, &x, &mut y);
            assert_close(&what, &y, &reference::average(average, shape, &doubles(&x)), 1e-6);
            global::max(isa, shape, &x, &mut y, &mut argmax);
            assert_close(&what, &y, &max_twin, 0.0);
            assert!(argmax.iter().zip(&argmax_twin).all(|(a, b)| *a == u32::from(*b)), "{what}");
            for (write, old) in [(Write::Overwrite, None), (Write::Add, Some(&x))] {
                let want = |grad: &[f64]| old.map_or(grad.to_vec(), |old| plus(grad, old));
                let mut dx = x.clone();
                global::average_backward(isa, shape, &dy, Grad { to: &mut dx, write });
                assert_close(&what, &dx, &want(&daverage_twin), 1e-6);
                let mut dx = x.clone();
                global::max_backward(shape, &argmax, &dy, Grad { to: &mut dx, write });
                assert_close(&what, &dx, &want(&dmax_twin), 1e-6);
            }
        }
    }
}
for_all_types!(global_matches_the_twin);

#[test]
fn the_first_of_equals_wins_and_nan_goes_through() {
    let window = Window::tiles(2);
    for isa in Isa::available() {
        let (mut y, mut argmax) = ([0.0f32; 2], [9; 2]);
        max::forward(isa, window, [1, 2, 4, 1], &[1.0, 5.0, 1.0, 7.0, 5.0, 5.0, 2.0, f32::NAN], &mut y, &mut argmax);
        assert_eq!((y[0], argmax[0]), (5.0, 1), "{isa}");
        assert!(y[1].is_nan(), "{isa}");
        let (mut y, mut argmax) = ([0.0f32; 1], [9; 1]);
        max::forward(isa, window, [1, 2, 2, 1], &[f32::NEG_INFINITY; 4], &mut y, &mut argmax);
        assert_eq!((y[0], argmax[0]), (f32::NEG_INFINITY, 0), "{isa}");
        let (mut y, mut argmax) = ([0.0f32; 1], [9; 1]);
        global::max(isa, [1, 1, 3, 1], &[1.0, f32::NAN, 3.0], &mut y, &mut argmax);
        assert!(y[0].is_nan(), "{isa}");
    }
}

#[test]
fn an_infinite_gradient_goes_to_the_largest_alone() {
    for isa in Isa::available() {
        let mut dx = [9.0f32; 4];
        max::backward(isa, Window::tiles(2), [1, 2, 2, 1], &[2], &[f32::INFINITY], Grad::overwrite(&mut dx));
        assert_eq!(dx, [0.0, 0.0, f32::INFINITY, 0.0], "{isa}");
    }
}

#[test]
fn windows_that_do_not_fit_have_no_output() {
    let fits = |kernel, padding, size| {
        Window { kernel: [kernel; 2], stride: [1; 2], padding: [padding; 2] }.output([1, size, size, 1]).is_some()
    };
    assert!(!fits(3, 0, 2) && fits(3, 1, 1) && !fits(2, 2, 9) && !fits(0, 0, 9));
}

#[test]
fn threads_do_not_matter() {
    let (window, shape) = (WINDOWS[1], [8, 33, 33, 24]);
    let out = window.output(shape).unwrap();
    let x = values::<f32>(1, len(shape));
    assert_same_for_threads("pool", || {
        let isa = Isa::detect().unwrap();
        let (mut y, mut argmax) = (vec![0.0; len(out)], vec![0; len(out)]);
        max::forward(isa, window, shape, &x, &mut y, &mut argmax);
        let mut dx = x.clone();
        max::backward(isa, window, shape, &argmax, &y, Grad::add(&mut dx));
        let [_, h, w, c] = shape;
        AveragePlan::new(Average::Inside(window), h, w).unwrap().backward(isa, c, &y, Grad::add(&mut dx));
        (y, dx)
    });
}
