//! Ghost batch norm: each part of a batch is normalised by statistics of its own.
//!
//! A batch of `N` images is cut into `k` parts of consecutive images, each the batch of an ordinary batch norm:
//!
//! ```text
//! k = max(1, ⌊N/n + ½⌋),  part j: images ⌊j·N/k⌋ … ⌊(j+1)·N/k⌋ − 1
//! ```
//!
//! where `n` is the size that is asked for. Where `n` divides `N` all parts are of `n` images; else they are of sizes that
//! differ by one, between ¾·n and 3/2·n (a batch smaller than that is one part), so that no statistics are of a few
//! left-over images. Hoffer et al. leave such a rest a part of its own; Page's code refuses it. γ and β are those of the
//! whole batch, and their gradients sums over the parts. With one part all of this is the module above.
//!
//! Running averages move once a batch, towards the mean of the parts' statistics by their images:
//! `μ = Σⱼ nⱼ/N·μⱼ`, and likewise of the unbiased variances. That is what Page's running averages by part come to, whose
//! mean evaluation takes. The mean is that of the batch; the variance is less than the batch's by that of the parts' means.
//!
//! Source: Hoffer et al. 2017, arXiv:1705.08741, algorithm 1; Page 2018, How to Train Your ResNet.

use super::{Grads, Norm, Saved};
use crate::kernels::{Element, Grad, Isa, Write};
use std::ops::Range;

/// How a batch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ghosts {
    images: usize,
    /// Rows an image.
    pixels: usize,
    count: usize,
}

impl Ghosts {
    /// All of a batch of images of so many pixels.
    pub fn whole(images: usize, pixels: usize) -> Self {
        Self { images, pixels, count: 1 }
    }

    /// Parts of about `each` images.
    ///
    /// # Panics
    /// When `each` is 0.
    pub fn of(images: usize, pixels: usize, each: usize) -> Self {
        Self { images, pixels, count: ((2 * images + each) / (2 * each)).max(1) }
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows of a part.
    fn rows(&self, part: usize) -> Range<usize> {
        let border = |part: usize| part * self.images / self.count * self.pixels;
        border(part)..border(part + 1)
    }

    /// Each part's share of the elements of a value with so many channels.
    fn parts(self, c: usize) -> impl Iterator<Item = Range<usize>> {
        (0..self.count).map(move |part| self.rows(part)).map(move |rows| rows.start * c..rows.end * c)
    }

    /// As `parts`, of the norm's inputs, and of its outputs, which may lie within a wider value.
    fn shares(self, norm: &Norm<'_>, c: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.parts(c).zip(self.parts(norm.within.map_or(c, |within| within.width)))
    }

    fn check(&self, statistics: usize, len: usize) -> usize {
        let c = statistics / self.count;
        assert!(c > 0 && statistics == c * self.count, "norm: {statistics} statistics for {} parts", self.count);
        assert_eq!(len, self.images * self.pixels * c, "norm: lengths differ");
        c
    }
}

/// Mean and biased variance of each part, `(count, c)`; see [`super::statistics`].
///
/// # Panics
/// When the lengths do not fit.
pub fn statistics<E: Element>(isa: Isa, ghosts: Ghosts, x: &[E], mean: &mut [f32], var: &mut [f32]) {
    let c = ghosts.check(mean.len(), x.len());
    for ((part, mean), var) in ghosts.parts(c).zip(mean.chunks_exact_mut(c)).zip(var.chunks_exact_mut(c)) {
        super::statistics(isa, &x[part], mean, var);
    }
}

/// Moves running averages towards the mean of the parts' statistics; see [`super::update_running`].
pub fn update_running(ghosts: Ghosts, momentum: f32, batch: [&[f32]; 2], running: [&mut [f32]; 2]) {
    if ghosts.count == 1 {
        return super::update_running(ghosts.rows(0).len(), momentum, batch, running);
    }
    let all = (ghosts.images * ghosts.pixels) as f64;
    for (k, (batch, running)) in batch.into_iter().zip(running).enumerate() {
        let c = running.len();
        for (channel, r) in running.iter_mut().enumerate() {
            let of_part = |part: usize| {
                let rows = ghosts.rows(part).len() as f64;
                // A single row's variance counts as zero.
                let unbias = if k == 1 { rows / (rows.max(2.0) - 1.0) } else { 1.0 };
                rows / all * unbias * f64::from(batch[part * c + channel])
            };
            let (new, old) = ((0..ghosts.count).map(of_part).sum::<f64>(), f64::from(*r));
            *r = super::moved(old, new, momentum);
        }
    }
}

/// The norm of one part.
fn of_part<'a>(norm: &Norm<'a>, part: usize, c: usize) -> Norm<'a> {
    Norm { mean: &norm.mean[part * c..][..c], var: &norm.var[part * c..][..c], ..*norm }
}

/// As [`super::forward`]; `norm` has `(count, c)` statistics.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward<E: Element>(isa: Isa, ghosts: Ghosts, norm: &Norm<'_>, x: &[E], residual: Option<&[E]>, y: &mut [E]) {
    let c = ghosts.check(norm.mean.len(), x.len());
    for (k, (part, outputs)) in ghosts.shares(norm, c).enumerate() {
        let residual = residual.map(|residual| &residual[part.clone()]);
        super::forward(isa, &of_part(norm, k, c), &x[part], residual, &mut y[outputs]);
    }
}

/// As [`super::backward`]; `norm` has `(count, c)` statistics.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward<E: Element>(
    isa: Isa,
    ghosts: Ghosts,
    norm: &Norm<'_>,
    saved: Saved<'_, E>,
    dy: &[E],
    mut grads: Grads<'_, E>,
) {
    let c = ghosts.check(norm.mean.len(), saved.x.len());
    for (k, (part, outputs)) in ghosts.shares(norm, c).enumerate() {
        let saved = Saved {
            x: &saved.x[part.clone()],
            residual: saved.residual.map(|residual| &residual[part.clone()]),
            y: saved.y.map(|y| &y[outputs.clone()]),
            statistics: saved.statistics,
        };
        let grads = Grads {
            dx: grads.dx.as_mut().map(|grad| narrowed(grad, part.clone())),
            dresidual: grads.dresidual.as_mut().map(|grad| narrowed(grad, part)),
            dgamma: grads.dgamma.as_mut().map(|grad| summed(grad, k)),
            dbeta: grads.dbeta.as_mut().map(|grad| summed(grad, k)),
        };
        super::backward(isa, &of_part(norm, k, c), saved, &dy[outputs], grads);
    }
}

/// Where a part's gradient of a value goes.
fn narrowed<'a, E>(grad: &'a mut Grad<'_, E>, part: Range<usize>) -> Grad<'a, E> {
    Grad { to: &mut grad.to[part], write: grad.write }
}

/// Where a part's gradient of a parameter goes: those after the first are added to it.
fn summed<'a>(grad: &'a mut Grad<'_, f32>, part: usize) -> Grad<'a, f32> {
    Grad { to: &mut *grad.to, write: if part == 0 { grad.write } else { Write::Add } }
}

#[cfg(test)]
mod tests {
    use super::super::{Statistics, reference};
    use super::*;
    use crate::kernels::activation::Act;
    use crate::kernels::testing::*;
    use candle_core::{Tensor, Var};

    const EPS: f32 = 1e-5;

    #[test]
    fn parts_are_alike_in_size() {
        let sizes = |images, each| {
            let ghosts = Ghosts::of(images, 1, each);
            (0..ghosts.count()).map(|part| ghosts.rows(part).len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(128, 32), [32; 4]);
        assert_eq!(sizes(5, 32), [5]);
        assert_eq!(sizes(33, 32), [33]);
        assert_eq!(sizes(47, 32), [47]);
        assert_eq!(sizes(48, 32), [24, 24]);
        assert_eq!(sizes(63, 32), [31, 32]);
        assert_eq!(sizes(10, 3), [3, 3, 4]);
        assert_eq!(sizes(4, 1), [1; 4]);
        for (images, each) in (1..200).flat_map(|images| (1..70).map(move |each| (images, each))) {
            let sizes = sizes(images, each);
            assert_eq!(sizes.iter().sum::<usize>(), images);
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            let fits = |size: &usize| {
                4 * size + 4 > 3 * each && 2 * size < 3 * each || sizes.len() == 1 && 2 * images < 3 * each
            };
            assert!(sizes.iter().all(fits), "{images} by {each}: {sizes:?}");
        }
    }

    /// Values of a case, and what forward and backward give.
    struct Case<E> {
        ghosts: Ghosts,
        c: usize,
        x: Vec<E>,
        residual: Vec<E>,
        dy: Vec<E>,
        gamma: Vec<f32>,
        beta: Vec<f32>,
        act: Act,
    }

    #[derive(PartialEq)]
    struct Outcome<E> {
        y: Vec<E>,
        dx: Vec<E>,
        dresidual: Vec<E>,
        dgamma: Vec<f32>,
        dbeta: Vec<f32>,
    }

    impl<E: Element> Case<E> {
        fn new([images, pixels, each, c]: [usize; 4], act: Act) -> Self {
            let len = images * pixels * c;
            // Channel means far from zero, and other ones from part to part.
            let shifted = |(i, v): (usize, f32)| E::from_f32(v + (i % c) as f32 * 0.25 + i as f32 / len as f32 - 2.0);
            let x = values::<f32>(1, len).into_iter().enumerate().map(shifted).collect();
            let [gamma, beta] = [2, 3].map(|seed| values(seed, c));
            let ghosts = Ghosts::of(images, pixels, each);
            Self { ghosts, c, x, residual: values(4, len), dy: values(5, len), gamma, beta, act }
        }

        fn run(&self, isa: Isa) -> Outcome<E> {
            let all = self.ghosts.count() * self.c;
            let (mut mean, mut var) = (vec![9.0; all], vec![9.0; all]);
            statistics(isa, self.ghosts, &self.x, &mut mean, &mut var);
            let (gamma, beta) = (Some(&self.gamma[..]), Some(&self.beta[..]));
            let norm = Norm { mean: &mean, var: &var, eps: EPS, gamma, beta, act: self.act, within: None };
            let mut y = vec![E::zeroed(); self.x.len()];
            forward(isa, self.ghosts, &norm, &self.x, Some(&self.residual), &mut y);
            let (mut dx, mut dresidual) = (self.dy.clone(), self.dy.clone());
            let (mut dgamma, mut dbeta) = (vec![9.0f32; self.c], vec![1.0f32; self.c]);
            let grads = Grads {
                dx: Some(Grad::add(&mut dx)),
                dresidual: Some(Grad::overwrite(&mut dresidual)),
                dgamma: Some(Grad::overwrite(&mut dgamma)),
                dbeta: Some(Grad::add(&mut dbeta)),
            };
            let saved = Saved {
                x: &self.x,
                residual: Some(&self.residual),
                y: (self.act == Act::Relu).then_some(&y),
                statistics: Statistics::OfBatch,
            };
            backward(isa, self.ghosts, &norm, saved, &self.dy, grads);
            Outcome { y, dx, dresidual, dgamma, dbeta }
        }

        /// Each part through the slow twin of batch norm.
        fn twin(&self) -> Outcome<f64> {
            let shape = [self.x.len() / self.c, self.c];
            let [x, residual] = [&self.x, &self.residual].map(|v| Var::from_tensor(&tensor(v, &shape)).unwrap());
            let [gamma, beta] = [&self.gamma, &self.beta].map(|v| Var::from_tensor(&tensor(v, &[self.c])).unwrap());
            let part = |part: usize| {
                let rows = self.ghosts.rows(part);
                let [x, residual] = [&x, &residual].map(|v| v.narrow(0, rows.start, rows.len()).unwrap());
                let (gamma, beta, residual) = (Some(&*gamma), Some(&*beta), Some(&residual));
                let fused = reference::Fused { gamma, beta, residual, act: self.act };
                let moments = reference::statistics(&x).unwrap();
                reference::forward(&x, &moments, f64::from(EPS), fused).unwrap()
            };
            let y = Tensor::cat(&(0..self.ghosts.count()).map(part).collect::<Vec<_>>(), 0).unwrap();
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
    }

    fn matches_the_twin<E: Element>() {
        // Images, pixels, images a part, channels.
        for case in [[4, 1, 2, 1], [5, 9, 2, 3], [7, 49, 3, 65], [10, 25, 4, 24], [3, 31 * 31, 1, 17], [6, 4, 40, 5]] {
            for act in [Act::None, Act::Relu, Act::Gelu] {
                let case = Case::<E>::new(case, act);
                let want = case.twin();
                for isa in Isa::available() {
                    let got = case.run(isa);
                    let what = format!("{isa} {:?} {} channels {act:?}", case.ghosts, case.c);
                    let rows = (case.x.len() / case.c) as f64;
                    assert_close(&format!("{what}: y"), &got.y, &want.y, 2e-5);
                    assert_close(&format!("{what}: dx"), &got.dx, &want.dx, 4e-5);
                    assert_close(&format!("{what}: dresidual"), &got.dresidual, &want.dresidual, 2e-6);
                    assert_close(&format!("{what}: dgamma"), &got.dgamma, &doubles(&want.dgamma), 1e-5 * rows.sqrt());
                    assert_close(&format!("{what}: dbeta"), &got.dbeta, &doubles(&want.dbeta), 1e-5 * rows.sqrt());
                }
            }
        }
    }
    for_all_types!(matches_the_twin);

    #[test]
    fn one_part_is_the_norm_of_the_batch() {
        let (rows, c) = (6 * 7, 5);
        let x = values::<f32>(7, rows * c);
        let isa = Isa::detect().unwrap();
        let of = |ghosts: Ghosts| {
            let [mut mean, mut var] = [vec![0.0; c], vec![0.0; c]];
            statistics(isa, ghosts, &x, &mut mean, &mut var);
            let [mut running_mean, mut running_var] = [vec![0.5; c], vec![2.0; c]];
            update_running(ghosts, 0.25, [&mean, &var], [&mut running_mean, &mut running_var]);
            [mean, var, running_mean, running_var]
        };
        let [mut mean, mut var] = [vec![0.0; c], vec![0.0; c]];
        super::super::statistics(isa, &x, &mut mean, &mut var);
        let [mut running_mean, mut running_var] = [vec![0.5; c], vec![2.0; c]];
        super::super::update_running(rows, 0.25, [&mean, &var], [&mut running_mean, &mut running_var]);
        let want = [mean, var, running_mean, running_var];
        assert_eq!(of(Ghosts::whole(6, 7)), want);
        assert_eq!(of(Ghosts::of(6, 7, 6)), want);
    }

    #[test]
    fn running_statistics_move_towards_the_mean_over_parts() {
        // One image, two and two, of two pixels each.
        let ghosts = Ghosts::of(5, 2, 2);
        assert_eq!((ghosts.count(), ghosts.rows(0).len(), ghosts.rows(1).len()), (3, 2, 4));
        let (mut mean, mut var) = ([1.0f32], [1.0f32]);
        update_running(ghosts, 0.5, [&[2.0, 4.0, 6.0], &[3.0, 6.0, 9.0]], [&mut mean, &mut var]);
        assert_close("mean", &mean, &[0.5 + 0.5 * (0.2 * 2.0 + 0.4 * 4.0 + 0.4 * 6.0)], 0.0);
        let unbiased = 0.2 * 3.0 * 2.0 + 0.4 * 6.0 * 4.0 / 3.0 + 0.4 * 9.0 * 4.0 / 3.0;
        assert_close("var", &var, &[0.5 + 0.5 * unbiased], 0.0);
    }

    #[test]
    fn threads_do_not_matter() {
        let case = Case::<f32>::new([9, 33 * 33, 4, 65], Act::Relu);
        assert_same_for_threads("ghost norm", || case.run(Isa::detect().unwrap()));
    }
}
