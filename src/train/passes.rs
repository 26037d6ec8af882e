//! A step's images through the net: in one pass, or in several parts of which the gradients add up.

use super::evaluate::add;
use super::ledger::{Ledger, Places};
use crate::gpu::ops::optim::gradient;
use crate::gpu::{Buffer, DType, Device, ops};
use crate::kernels::loss::Mixed;
use crate::nn::device::Images;
use crate::nn::{Executor, Loss, Noise, Params, Target};
use rayon::prelude::*;

/// Elements a task.
const CHUNK: usize = 1 << 14;

/// What a step is taken on.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    pub images: Images<'a>,
    pub labels: &'a [u32],
    /// Second labels, where images are blended with each other.
    pub mixed: Option<Mixed<'a>>,
    pub smoothing: f32,
    /// How much each image counts; 1 where there are none.
    pub weights: Option<&'a [f32]>,
    /// What layers draw from: that of the step's first image.
    pub noise: Noise,
}

impl<'a> Lesson<'a> {
    /// Parts of `each` images, in order.
    fn parts(self, each: usize) -> impl Iterator<Item = Self> {
        let all = self.labels.len();
        let part = move |(k, labels): (usize, &'a [u32])| {
            let noise = Noise { first: self.noise.first + (k * each) as u64, ..self.noise };
            let second = |mixed: Mixed<'a>| Mixed { labels: &mixed.labels[k * each..][..labels.len()], ..mixed };
            let places = k * each..k * each + labels.len();
            let images = self.images.part(all, places.clone());
            let weights = self.weights.map(|weights| &weights[places]);
            Self { images, labels, mixed: self.mixed.map(second), weights, noise, ..self }
        };
        self.labels.chunks(each).enumerate().map(part)
    }

    fn target(self) -> Target<'a> {
        Target { labels: self.labels, mixed: self.mixed, smoothing: self.smoothing, weights: self.weights }
    }
}

/// A training tape, and how many of a step's images it takes at a time.
///
/// The gradient is that of the mean loss over all images of the step, whatever the parts:
///
/// ```text
/// ∇ = Σₚ nₚ/n · ∇ₚ,  ∇ₚ of the mean over the nₚ images of part p,  n = Σₚ nₚ
/// ```
///
/// so a short last part weighs less. Only rounding tells it from one pass, and batch norm, which knows the images of a part
/// alone, cuts them into ghost batches where those are asked for, and moves its running statistics once a part. Random
/// layers draw for each image what they would in one pass. PyTorch's usual loop, `(loss / parts).backward()`, weighs parts
/// equally.
pub struct Passes {
    tape: Executor,
    /// Images a part.
    part: usize,
    /// The gradient so far.
    sum: Sum,
    loss_scale: f32,
}

impl Passes {
    /// For a tape that takes `part` images.
    pub fn new(tape: Executor, part: usize) -> Self {
        Self { tape, part, sum: Sum::default(), loss_scale: 1.0 }
    }

    /// Has room for gradients of so many numbers to add up on a device.
    ///
    /// # Errors
    /// When its memory is too small.
    pub fn reserve(&mut self, device: &Device, len: usize) -> anyhow::Result<()> {
        self.sum.device = Some(device.allocate(DType::F32, len)?);
        Ok(())
    }

    /// From now on the net computes the gradient of so many times the loss; what [`gradient`](Self::gradient) gives is divided
    /// by it.
    pub fn set_loss_scale(&mut self, scale: f32) {
        self.tape.set_loss_scale(scale);
        self.loss_scale = scale;
    }

    /// The loss over all images, and the gradient of its mean into that of `params`; where the net runs on a device, it stays there.
    ///
    /// # Errors
    /// Those of a candle bridge or a device.
    ///
    /// # Panics
    /// When the images are not as many as the labels.
    pub fn gradient(&mut self, params: &mut Params, lesson: Lesson<'_>) -> anyhow::Result<Loss> {
        self.gradient_and_losses(params, lesson, None)
    }

    /// As [`gradient`](Self::gradient), and, where they are asked for, the losses of all images in the place of what `losses` holds.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn gradient_and_losses(
        &mut self,
        params: &mut Params,
        lesson: Lesson<'_>,
        mut losses: Option<&mut Vec<f32>>,
    ) -> anyhow::Result<Loss> {
        let mut loss = Loss::default();
        losses.iter_mut().for_each(|losses| losses.clear());
        self.add_up(params, lesson, |tape, params, part| {
            add(&mut loss, tape.gradient(params, part.images, part.target())?);
            if let Some(losses) = &mut losses {
                losses.extend(tape.losses()?);
            }
            Ok(())
        })?;
        Ok(loss)
    }

    /// As [`gradient`](Self::gradient) on a device, where the loss of each part, and with it those of images that are remembered, is put
    /// down as one of the ledger's last step.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there; when the ledger has no room.
    pub fn gradient_into(
        &mut self,
        params: &mut Params,
        lesson: Lesson<'_>,
        ledger: &mut Ledger,
    ) -> anyhow::Result<()> {
        self.add_up(params, lesson, |tape, params, part| {
            let Places { loss, losses } = ledger.loss(part.labels.len());
            tape.gradient_into(params, part.images, part.target(), loss, losses)
        })
    }

    /// The gradient over all images, from what `pass` makes of each part.
    fn add_up(
        &mut self,
        params: &mut Params,
        lesson: Lesson<'_>,
        mut pass: impl FnMut(&mut Executor, &mut Params, Lesson<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let all = lesson.labels.len();
        if all <= self.part {
            self.tape.set_noise(lesson.noise);
            pass(&mut self.tape, params, lesson)?;
            return if self.loss_scale == 1.0 { Ok(()) } else { scale(params, 1.0 / self.loss_scale) };
        }
        for (k, part) in lesson.parts(self.part).enumerate() {
            self.tape.set_noise(part.noise);
            pass(&mut self.tape, params, part)?;
            let share = part.labels.len() as f32 / all as f32 / self.loss_scale;
            self.sum.add(params, share, k == 0)?;
        }
        self.sum.give(params)
    }
}

/// A gradient that adds up over parts, where the parts' gradients are.
#[derive(Default)]
struct Sum {
    host: Vec<f32>,
    device: Option<Buffer>,
}

impl Sum {
    /// `sum ← sum + share·gradient`, from zero where this is the first part.
    fn add(&mut self, params: &mut Params, share: f32, first: bool) -> anyhow::Result<()> {
        if let Some(mirror) = params.grads_away() {
            let (device, grads) = (mirror.device(), mirror.grads());
            let sum = match &mut self.device {
                Some(sum) => sum,
                none => none.insert(device.allocate(DType::F32, grads.len())?),
            };
            if first {
                device.zero(sum.view())?;
            }
            return Ok(ops::add::forward(device, ops::Act::None, sum.view(), Some((grads, share)), sum.view())?);
        }
        if first {
            self.host.clear();
            self.host.resize(params.grads().len(), 0.0);
        }
        self.host.par_chunks_mut(CHUNK).zip(params.grads().par_chunks(CHUNK)).for_each(|(sum, grads)| {
            sum.iter_mut().zip(grads).for_each(|(sum, grad)| *sum += share * grad);
        });
        Ok(())
    }

    /// Makes the sum the gradient.
    fn give(&self, params: &mut Params) -> anyhow::Result<()> {
        match (params.grads_away(), &self.device) {
            (Some(mirror), Some(sum)) => mirror.device().copy(sum.view(), mirror.grads())?,
            _ => params.grads_mut().copy_from_slice(&self.host),
        }
        Ok(())
    }
}

/// `gradient ← by·gradient`, where it is.
fn scale(params: &mut Params, by: f32) -> anyhow::Result<()> {
    match params.grads_away() {
        Some(mirror) => gradient::scale_by(mirror.device(), mirror.grads(), by)?,
        None => {
            params.grads_mut().par_chunks_mut(CHUNK).for_each(|grads| grads.iter_mut().for_each(|grad| *grad *= by))
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::loss::Rule;
    use crate::kernels::{DType, Isa};
    use crate::nn::layers::{Conv, Dropout, Linear, Pool};
    use crate::nn::{Builder, Graph, Shape, TapeOptions};

    /// Without batch norm but with dropout, on images of 108 numbers.
    fn net() -> Graph {
        let mut b = Builder::new(Shape::new(6, 6, 3));
        let x = b.input();
        let x = b.add("conv", Conv::new(16, 3).bias(true), &[x]).unwrap();
        let x = b.add("pool", Pool::global_max(), &[x]).unwrap();
        let x = b.add("dropout", Dropout::new(0.3), &[x]).unwrap();
        let x = b.add("fc", Linear::new(5), &[x]).unwrap();
        b.finish(x)
    }

    #[test]
    fn parts_add_up_to_one_pass() {
        let graph = net();
        let isa = Isa::detect().unwrap();
        let whole = Params::new(graph.params(), graph.stats(), 4);
        let images: Vec<f32> = (0..10 * 108).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let [labels, second] = [1, 3].map(|s| (0..10).map(|k| k * s / 2 % 5).collect::<Vec<u32>>());
        let gradient_of = |rule: Rule, part: usize, loss_scale: f32| {
            let mut params = whole.clone();
            let options = TapeOptions { loss: rule, ..TapeOptions::train(part, DType::F32, isa) };
            let tape = Executor::new(&isa.into(), &graph, &params, options).unwrap();
            let mut passes = Passes::new(tape, part);
            passes.set_loss_scale(loss_scale);
            let noise = Noise { seed: 1, step: 5, first: 0 };
            let mixed = Some(Mixed { labels: &second, own: 0.7 });
            let lesson =
                Lesson { images: Images::Here(&images), labels: &labels, mixed, smoothing: 0.1, weights: None, noise };
            // Twice, as nothing of the step before may stay.
            let before = Lesson { images: Images::Here(&images[108..]), labels: &labels[1..], mixed: None, ..lesson };
            passes.gradient(&mut params, before).unwrap();
            let loss = passes.gradient(&mut params, lesson).unwrap();
            (loss, params.grads().to_vec())
        };
        // Of a mixed image's labels one comes above the threshold.
        for rule in [Rule::CrossEntropy, Rule::Binary { threshold: None }, Rule::Binary { threshold: Some(0.5) }] {
            let gradient = |part, loss_scale| gradient_of(rule, part, loss_scale);
            let (loss, grads) = gradient(10, 1.0);
            assert!(grads.iter().any(|grad| grad.abs() > 1e-3));
            assert!(gradient(10, 1024.0).1 == grads, "a power of two changes nothing in f32");
            // 10 = 5 + 5 = 4 + 4 + 2 = 3 + 3 + 3 + 1
            for part in [5, 4, 3, 1] {
                let (found, parts) = gradient(part, 3.0);
                assert_eq!((found.images, found.correct, found.correct_top5), (10, loss.correct, loss.correct_top5));
                assert!((found.sum - loss.sum).abs() < 1e-5 * loss.sum, "{part}: {} and {}", found.sum, loss.sum);
                let distance = grads.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(distance < 1e-6, "{part}: {distance}");
            }
        }
    }

    #[test]
    fn what_is_frozen_before_all_that_is_trained_has_no_backward_pass() {
        let isa = Isa::detect().unwrap();
        let start = Params::new(net().params(), net().stats(), 4);
        let images: Vec<f32> = (0..10 * 108).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let labels = [1; 10];
        let gradient = |frozen: &str| {
            let (graph, mut params) = (net().frozen(|name| name.starts_with(frozen)), start.clone());
            let tape = Executor::new(&isa.into(), &graph, &params, TapeOptions::train(10, DType::F32, isa)).unwrap();
            let bytes = tape.memory_bytes();
            let noise = Noise { seed: 1, step: 5, first: 0 };
            let lesson = Lesson {
                images: Images::Here(&images),
                labels: &labels,
                mixed: None,
                smoothing: 0.1,
                weights: None,
                noise,
            };
            let loss = Passes::new(tape, 10).gradient(&mut params, lesson).unwrap();
            let of = |name: &str| params.grads()[params.directory()[name].range.clone()].to_vec();
            (loss, bytes, ["conv.weight", "conv.bias", "fc.weight"].map(of))
        };
        let (loss, bytes, [weight, bias, fc]) = gradient("none");
        let (same_loss, fewer_bytes, [no_weight, no_bias, same_fc]) = gradient("conv");
        assert!(same_loss == loss && same_fc == fc && fewer_bytes < bytes);
        assert!([weight, bias].iter().flatten().any(|grad| *grad != 0.0));
        assert!([no_weight, no_bias].iter().flatten().all(|grad| *grad == 0.0));
        // Behind something that is trained it is written all the same.
        assert!(gradient("fc").2[2] == fc);
    }

    #[test]
    fn a_search_sees_one_draw_however_often_it_looks() {
        let graph = net();
        let isa = Isa::detect().unwrap();
        let mut params = Params::new(graph.params(), graph.stats(), 4);
        let images: Vec<f32> = (0..10 * 108).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let [labels, second] = [1, 3].map(|s| (0..10).map(|k| k * s / 2 % 5).collect::<Vec<u32>>());
        let tape = Executor::new(&isa.into(), &graph, &params, TapeOptions::train(10, DType::F32, isa)).unwrap();
        let mut passes = Passes::new(tape, 10);
        let mut gradient = |step: u64| {
            let noise = Noise { seed: 1, step, first: 0 };
            let mixed = Some(Mixed { labels: &second, own: 0.7 });
            let lesson =
                Lesson { images: Images::Here(&images), labels: &labels, mixed, smoothing: 0.1, weights: None, noise };
            let loss = passes.gradient(&mut params, lesson).unwrap();
            (loss.sum, params.grads().to_vec())
        };
        let first = gradient(5);
        assert!(gradient(5) == first && gradient(5) == first);
        assert!(gradient(6) != first, "dropout draws anew in each step");
    }
}
