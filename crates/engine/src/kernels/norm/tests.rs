use super::*;
use crate::kernels::testing::*;
use candle_core::{Tensor, Var};

const EPS: f32 = 1e-5;

/// One problem; `None` where a parameter or branch is left out.
struct Case<E> {
    rows: usize,
    c: usize,
    x: Vec<E>,
    residual: Option<Vec<E>>,
    gamma: Option<Vec<f32>>,
    beta: Option<Vec<f32>>,
    dy: Vec<E>,
    act: Act,
    statistics: Statistics,
}

/// What forward and backward give; buffers that are added to start at the case's `dy` or at 1.
struct Outcome<E> {
    y: Vec<E>,
    dx: Vec<E>,
    dresidual: Vec<E>,
    dgamma: Vec<f32>,
    dbeta: Vec<f32>,
}

impl<E: Element> Case<E> {
    fn new(seed: u64, rows: usize, c: usize) -> Self {
        let len = rows * c;
        // Channel means far from zero against their deviation.
        let x =
            values::<f32>(seed, len).into_iter().enumerate().map(|(i, v)| E::from_f32(v + (i % c) as f32 * 0.25 - 2.0));
        Self {
            rows,
            c,
            x: x.collect(),
            residual: Some(values(seed + 1, len)),
            gamma: Some(values(seed + 2, c)),
            beta: Some(values(seed + 3, c)),
            dy: values(seed + 4, len),
            act: Act::Relu,
            statistics: Statistics::OfBatch,
        }
    }

    fn run(&self, isa: Isa, give_y: bool) -> Outcome<E> {
        let (mut mean, mut var) = (vec![0.3f32; self.c], vec![0.8f32; self.c]);
        if self.statistics == Statistics::OfBatch {
            statistics(isa, &self.x, &mut mean, &mut var);
        }
        let norm = Norm {
            mean: &mean,
            var: &var,
            eps: EPS,
            gamma: self.gamma.as_deref(),
            beta: self.beta.as_deref(),
            act: self.act,
            within: None,
        };
        let mut y = vec![E::zeroed(); self.x.len()];
        forward(isa, &norm, &self.x, self.residual.as_deref(), &mut y);
        let (mut dx, mut dresidual) = (self.dy.clone(), self.dy.clone());
        let (mut dgamma, mut dbeta) = (vec![9.0f32; self.c], vec![1.0f32; self.c]);
        let saved = Saved {
            x: &self.x,
            residual: self.residual.as_deref(),
            y: give_y.then_some(&y),
            statistics: self.statistics,
        };
        let grads = Grads {
            dx: Some(Grad::add(&mut dx)),
            dresidual: Some(Grad::overwrite(&mut dresidual)),
            dgamma: Some(Grad::overwrite(&mut dgamma)),
            dbeta: Some(Grad::add(&mut dbeta)),
        };
        backward(isa, &norm, saved, &self.dy, grads);
        Outcome { y, dx, dresidual, dgamma, dbeta }
    }

    fn twin(&self) -> Outcome<f64> {
        let shape = [self.rows, self.c];
        let var = |t: Tensor| Var::from_tensor(&t).unwrap();
        let x = var(tensor(&self.x, &shape));
        let residual =
            var(self.residual.as_ref().map_or(tensor(&vec![0f32; self.x.len()], &shape), |r| tensor(r, &shape)));
        let gamma = var(self.gamma.as_ref().map_or(tensor(&vec![1f32; self.c], &[self.c]), |g| tensor(g, &[self.c])));
        let beta = var(self.beta.as_ref().map_or(tensor(&vec![0f32; self.c], &[self.c]), |b| tensor(b, &[self.c])));
        let moments = match self.statistics {
            Statistics::OfBatch => reference::statistics(&x).unwrap(),
            Statistics::Frozen => [0.3f32, 0.8].map(|v| tensor(&vec![v; self.c], &[self.c])),
        };
        let fused =
            reference::Fused { gamma: Some(&gamma), beta: Some(&beta), residual: Some(&residual), act: self.act };
        let y = reference::forward(&x, &moments, f64::from(EPS), fused).unwrap();
        let grads = (&y * tensor(&self.dy, &shape)).unwrap().sum_all().unwrap().backward().unwrap();
        let grad = |var: &Var| flat(grads.get(var).unwrap());
        Outcome {
            y: flat(&y),
            dx: grad(&x).iter().zip(doubles(&self.dy)).map(|(a, b)| a + b).collect(),
            dresidual: grad(&residual),
            dgamma: grad(&gamma).iter().map(|v| *v as f32).collect(),
            dbeta: grad(&beta).iter().map(|v| *v as f32 + 1.0).collect(),
        }
    }

    fn check(&self, what: &str) {
        let want = self.twin();
        for isa in Isa::available() {
            for give_y in [false, true] {
                let got = self.run(isa, give_y);
                let what = format!("{what} {isa} {}×{} {:?} y {give_y}", self.rows, self.c, self.act);
                assert_close(&format!("{what}: y"), &got.y, &want.y, 1e-5);
                assert_close(&format!("{what}: dx"), &got.dx, &want.dx, 2e-5);
                assert_close(&format!("{what}: dresidual"), &got.dresidual, &want.dresidual, 2e-6);
                let scale = (self.rows as f64).sqrt();
                assert_close(&format!("{what}: dgamma"), &got.dgamma, &doubles(&want.dgamma), 1e-5 * scale);
                assert_close(&format!("{what}: dbeta"), &got.dbeta, &doubles(&want.dbeta), 1e-5 * scale);
            }
        }
    }
}

fn matches_the_twin_at_awkward_sizes<E: Element>() {
    for (seed, (rows, c)) in
        [(2, 1), (3 * 3, 3), (2 * 7 * 7, 65), (17 * 17, 24), (3 * 31 * 31, 3), (33 * 33, 65)].into_iter().enumerate()
    {
        Case::<E>::new(10 * seed as u64, rows, c).check("full");
    }
}
for_all_types!(matches_the_twin_at_awkward_sizes);

fn matches_the_twin_in_every_form<E: Element>() {
    for act in
        [Act::None, Act::Relu, Act::Gelu, Act::Silu, Act::Mish, Act::Celu { alpha: 0.3 }, Act::LeakyRelu { slope: 0.1 }]
    {
        for statistics in [Statistics::OfBatch, Statistics::Frozen] {
            let whole = Case::<E> { act, statistics, ..Case::new(77, 5 * 7 * 7, 24) };
            whole.check("whole");
            Case { residual: None, gamma: None, ..whole }.check("without scale");
            Case { residual: None, beta: None, gamma: None, act, statistics, ..Case::<E>::new(78, 50, 17) }
                .check("bare");
        }
    }
}
for_all_types!(matches_the_twin_in_every_form);

#[test]
fn statistics_survive_a_mean_far_above_the_deviation() {
    let (rows, c) = (4096, 3);
    let noise = values::<f32>(3, rows * c);
    let x: Vec<f32> = noise.iter().map(|v| 3000.0 + v * 0.01).collect();
    let twin = reference::statistics(&tensor(&x, &[rows, c])).unwrap();
    for isa in Isa::available() {
        let (mut mean, mut var) = (vec![0.0; c], vec![0.0; c]);
        statistics(isa, &x, &mut mean, &mut var);
        assert_close("mean", &mean, &flat(&twin[0]), 0.0);
        assert_close("var", &var, &flat(&twin[1]), 0.0);
    }
}

#[test]
fn running_statistics_are_unbiased_and_nan_is_not_hidden() {
    let (mut mean, mut var) = ([1.0f32], [2.0f32]);
    update_running(5, 0.1, [&[3.0], &[4.0]], [&mut mean, &mut var]);
    assert_close("mean", &mean, &[1.2], 0.0);
    assert_close("var", &var, &[2.0 * 0.9 + 0.1 * 4.0 * 5.0 / 4.0], 0.0);
    // With a momentum of 1 the batch's replace what was there, whatever it was.
    let (mut mean, mut var) = ([f32::NAN], [f32::INFINITY]);
    update_running(5, 1.0, [&[3.0], &[4.0]], [&mut mean, &mut var]);
    assert_eq!((mean, var), ([3.0], [5.0]));
    let mut x = vec![1.0f32; 40];
    x[17] = f32::NAN;
    let (mut mean, mut var) = ([0.0; 4], [0.0; 4]);
    statistics(Isa::Portable, &x, &mut mean, &mut var);
    assert!(mean[1].is_nan() && var[1].is_nan() && mean[0] == 1.0 && var[0] == 0.0);
}

#[test]
fn threads_do_not_matter() {
    let case = Case::<f32>::new(5, 3 * 33 * 33, 65);
    assert_same_for_threads("norm", || {
        let got = case.run(Isa::detect().unwrap(), true);
        (got.y, got.dx, got.dresidual, got.dgamma, got.dbeta)
    });
}

/// Into and out of a part of a wider value: the same numbers, and nothing else is touched.
fn a_wider_value_holds_the_same<E: Element>() {
    let (rows, c, width) = (37, 21, 40);
    let case = Case::<E>::new(5, rows, c);
    let (mut mean, mut var) = (vec![0.0; c], vec![0.0; c]);
    for isa in Isa::available() {
        statistics(isa, &case.x, &mut mean, &mut var);
        for act in [Act::None, Act::Relu, Act::Silu] {
            let (gamma, beta) = (case.gamma.as_deref(), case.beta.as_deref());
            let alone = Norm { mean: &mean, var: &var, eps: EPS, gamma, beta, act, within: None };
            let run = |norm: Norm<'_>, dy: &[E], mut y: Vec<E>| {
                forward(isa, &norm, &case.x, None, &mut y);
                let (mut dx, mut dgamma, mut dbeta) = (case.x.clone(), vec![0.0; c], vec![0.0; c]);
                let saved = Saved { x: &case.x, residual: None, y: Some(&y), statistics: Statistics::OfBatch };
                let grads = Grads {
                    dx: Some(Grad::add(&mut dx)),
                    dresidual: None,
                    dgamma: Some(Grad::overwrite(&mut dgamma)),
                    dbeta: Some(Grad::overwrite(&mut dbeta)),
                };
                backward(isa, &norm, saved, dy, grads);
                (y, dx, dgamma, dbeta)
            };
            let (y, dx, dgamma, dbeta) = run(alone, &case.dy, vec![E::zeroed(); rows * c]);
            for first in [0, 7, width - c] {
                let around = values::<E>(9, rows * width);
                let widened = |part: &[E]| {
                    let mut wide = around.clone();
                    for (wide, part) in wide.chunks_exact_mut(width).zip(part.chunks_exact(c)) {
                        wide[first..first + c].copy_from_slice(part);
                    }
                    wide
                };
                let norm = Norm { within: Some(Within { width, first }), ..alone };
                let got = run(norm, &widened(&case.dy), around.clone());
                assert!(got.0 == widened(&y), "{isa} {act:?} from {first} on: y, and what is beside it");
                assert!(got.1 == dx && got.2 == dgamma && got.3 == dbeta, "{isa} {act:?} from {first} on: gradients");
            }
        }
    }
}
for_all_types!(a_wider_value_holds_the_same);
