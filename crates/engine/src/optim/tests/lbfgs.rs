//! L-BFGS beyond the contract; its steps are held against PyTorch's in `tests/parity`.

use super::*;

/// Steps on a function of all weights, of which the optimizer has those of one segment; gives the evaluations.
fn minimise(
    settings: [(&str, Value); 2],
    steps: usize,
    hypers: &Hypers,
    params: &mut [f32],
    eval: impl Fn(&[f32], &mut [f32]) -> f64,
) -> usize {
    let segments = [Segment { name: "w".to_owned(), range: 1..params.len(), shape: vec![params.len() - 1] }];
    let mut optimizer = make_with("lbfgs", params.len() - 1, settings);
    let mut evaluations = 0;
    for _ in 0..steps {
        let mut grads = vec![0.0; params.len()];
        let loss = eval(params, &mut grads);
        let flat = Flat { params, grads: &mut grads, loss, segments: &segments, isa: Isa::Portable };
        let mut again = |params: &[f32], grads: &mut [f32]| {
            evaluations += 1;
            Ok(eval(params, grads))
        };
        optimizer.step(flat, hypers, &mut again).unwrap();
    }
    evaluations
}

const NEWTON: Hypers = Hypers { lr: 1.0, momentum: 0.0, ..HYPERS };

fn rosenbrock(x: &[f32], g: &mut [f32]) -> f64 {
    let (a, b) = (1.0 - x[1], x[2] - x[1] * x[1]);
    g.copy_from_slice(&[1e9, -2.0 * a - 400.0 * x[1] * b, 200.0 * b]);
    f64::from(a).powi(2) + 100.0 * f64::from(b).powi(2)
}

#[test]
fn rosenbrocks_valley_takes_a_hundred_evaluations() {
    let mut params = [7.0, -1.2, 1.0];
    let settings = [("search", Value::Text("strong-wolfe".into())), ("iterations", Value::Int(20))];
    let evaluations = minimise(settings, 5, &NEWTON, &mut params, rosenbrock);
    assert!((params[1] - 1.0).abs() < 1e-3 && (params[2] - 1.0).abs() < 1e-3, "{params:?}");
    assert!(evaluations < 100, "{evaluations}");
    assert_eq!(params[0], 7.0, "a weight of another group");
}

#[test]
fn weight_decay_is_part_of_the_loss() {
    // (x − 3)²/2 + wd·x²/2 has its minimum at 3/(1 + wd).
    let eval = |x: &[f32], g: &mut [f32]| {
        g[1] = x[1] - 3.0;
        0.5 * f64::from(g[1]).powi(2)
    };
    for search in ["strong-wolfe", "fixed"] {
        let mut params = [0.0, 0.0];
        let settings = [("search", Value::Text(search.into())), ("iterations", Value::Int(20))];
        minimise(settings, 2, &Hypers { weight_decay: 0.5, ..NEWTON }, &mut params, eval);
        assert!((params[1] - 2.0).abs() < 1e-5, "{search}: {params:?}");
    }
}

/// Each step's batch has another minimum: a difference between two batches' gradients is no curvature.
#[test]
fn curvature_is_that_of_one_batch() {
    let mut optimizer = make_with("lbfgs", 1, [("search", Value::Text("fixed".into())), ("iterations", Value::Int(1))]);
    let segments = [Segment { name: "w".to_owned(), range: 0..1, shape: vec![1] }];
    let mut params = [0.0f32];
    for minimum in [1.0f32, -50.0, 20.0] {
        let eval = |x: &[f32], g: &mut [f32]| {
            g[0] = 4.0 * (x[0] - minimum);
            2.0 * f64::from(x[0] - minimum).powi(2)
        };
        let mut grads = [0.0];
        let loss = eval(&params, &mut grads);
        let flat = Flat { params: &mut params, grads: &mut grads, loss, segments: &segments, isa: Isa::Portable };
        optimizer.step(flat, &NEWTON, &mut |x, g| Ok(eval(x, g))).unwrap();
        let state = optimizer.state();
        let newest = (state.counters["pairs"] - 1) as usize;
        let ratio = state.buffers["changes"][newest] / state.buffers["steps"][newest];
        assert!((ratio - 4.0).abs() < 1e-4, "{ratio}");
    }
    // The curvature is known after the first step: the last one went to its minimum.
    assert!((params[0] - 20.0).abs() < 1e-3, "{params:?}");
}

#[test]
fn a_step_that_finds_nothing_lower_stays() {
    let mut params = [0.0, 1.0];
    let settings = [("search", Value::Text("strong-wolfe".into())), ("iterations", Value::Int(3))];
    let broken = |_: &[f32], g: &mut [f32]| {
        g[1] = 1.0;
        f64::NAN
    };
    minimise(settings, 1, &NEWTON, &mut params, broken);
    assert!(params[1].is_finite(), "{params:?}");
}
