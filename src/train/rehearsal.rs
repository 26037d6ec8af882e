//! Training steps whose weights nobody wants: to measure how fast they are.

use super::device;
use super::net;
use super::optimizers::Optimizers;
use crate::config::spec::Spec;
use crate::data::mix::Mixed;
use crate::data::{Batch, Facts};
use crate::gpu::ops::loss::{self, Score, TOTAL};
use crate::gpu::{Buffer, DType};
use crate::nn::device::Images;
use crate::nn::{Compute, Executor, Graph, Loss, Params, Target};
use crate::optim::Hypers;
use crate::units::Seconds;
use std::time::Instant;

/// What every step uses: small enough that noise can be trained on for a while.
const HYPERS: Hypers = Hypers { lr: 1e-3, momentum: 0.9, weight_decay: 5e-4, beta: None, share: 1.0 };

/// The net, the precision and the first optimizer of an experiment.
pub struct Rehearsal {
    pub graph: Graph,
    pub tape: Executor,
    /// Spent in the optimizer since the beginning, or since [`Rehearsal::time_layers`].
    pub update: Seconds,
    params: Params,
    optimizers: Optimizers,
    hypers: Vec<Option<Hypers>>,
    compute: Compute,
    /// Images that lie on a device, and room for losses there.
    ready: Option<[Buffer; 2]>,
}

/// A batch of noise, which tells a net as little as its labels do.
pub fn noise(spec: &Spec, facts: &Facts, size: usize, images: usize) -> Batch {
    let (pixels, classes) = (images * size * size * facts.channels, spec.model.classes.unwrap_or(facts.classes));
    Batch {
        images: (0..pixels).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect(),
        labels: (0..images).map(|k| (k % classes) as u32).collect(),
        size,
        ..Batch::default()
    }
}

/// What an optimizer that searches along a line is answered.
fn no_search(_: &[f32], _: &mut [f32]) -> anyhow::Result<f64> {
    anyhow::bail!("an optimizer that evaluates a batch again takes no fixed time a step")
}

impl Rehearsal {
    /// Makes the net, for batches of so many images.
    ///
    /// # Errors
    /// When the net takes no images of that size.
    pub fn new(spec: &Spec, facts: &Facts, size: usize, batch: usize, compute: &Compute) -> anyhow::Result<Self> {
        device::set_up(compute, spec);
        let graph = net::graph(spec, facts, size)?;
        let params = Params::new(graph.params(), graph.stats(), spec.seed);
        let rules = net::rules(spec, facts, size)?;
        Ok(Self {
            tape: Executor::new(compute, &graph, &params, net::train_options(spec, batch, compute.isa))?,
            optimizers: Optimizers::new(&params, &rules, &spec.phases[0].optimizer),
            hypers: vec![Some(HYPERS); 1 + rules.0.len()],
            compute: compute.clone(),
            update: 0.0,
            ready: None,
            graph,
            params,
        })
    }

    /// Whether all steps take as long: not those of an optimizer that searches along a line, and so cannot be rehearsed.
    pub fn is_regular(&self) -> bool {
        !self.optimizers.reevaluates()
    }

    pub fn is_on_device(&self) -> bool {
        self.compute.device.is_some()
    }

    /// Forward, loss, backward, update.
    ///
    /// # Errors
    /// Those of a candle bridge; an optimizer that searches along a line.
    pub fn step(&mut self, batch: &Batch) -> anyhow::Result<Loss> {
        let Self { tape, params, .. } = self;
        let mixed = batch.mixed.as_ref().map(Mixed::targets);
        let loss = tape.gradient(
            params,
            Images::Here(&batch.images),
            Target { labels: &batch.labels, mixed, smoothing: 0.0, weights: None },
        )?;
        let begun = Instant::now();
        self.optimizers.step(params, self.compute.isa, loss.mean(), &self.hypers, &mut no_search)?;
        if let Some(device) = self.compute.device.as_ref().filter(|_| self.tape.timings().is_some()) {
            // Where layers are timed, so is this: what was asked for has to be done.
            device.synchronize()?;
        }
        self.update += begun.elapsed().as_secs_f64();
        Ok(loss)
    }

    /// So many steps on one batch, the same each time it is called. On a device the images lie there, the steps are launched
    /// one after another, and what is waited for is the end of the last one; the loss is that step's.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    ///
    /// # Panics
    /// When there are no steps.
    pub fn steps(&mut self, batch: &Batch, steps: usize) -> anyhow::Result<Loss> {
        let Some(device) = self.compute.device.clone() else {
            let mut losses = (0..steps).map(|_| self.step(batch));
            let first = losses.next().expect("some steps");
            return losses.fold(first, |before, loss| before.and(loss));
        };
        if self.ready.is_none() {
            self.ready = Some([device.upload(&batch.images)?, device.allocate(DType::U32, TOTAL)?]);
        }
        let Self { tape, params, ready, optimizers, hypers, compute, .. } = self;
        let [images, total] = ready.as_ref().expect("made above");
        let (images, mixed) = (Images::Ready(images.view()), batch.mixed.as_ref().map(Mixed::targets));
        for _ in 0..steps {
            tape.gradient_into(
                params,
                images,
                Target { labels: &batch.labels, mixed, smoothing: 0.0, weights: None },
                total.view(),
                None,
            )?;
            optimizers.step(params, compute.isa, f64::NAN, hypers, &mut no_search)?;
        }
        // Which waits for the last step's update, too.
        let Score { loss, correct, correct_top5 } = loss::read(&device, total.view())?;
        let [correct, correct_top5] = [correct, correct_top5].map(|count| count as usize);
        Ok(Loss { sum: loss, images: batch.labels.len(), correct, correct_top5 })
    }

    /// Begins to add up where the time goes: [`Executor::timings`], and `update`.
    pub fn time_layers(&mut self) {
        self.tape.time_layers();
        self.update = 0.0;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{self, Text};
    use crate::data::FactsSource;
    use crate::gpu::Device;
    use crate::gpu::device::Order;
    use crate::kernels::Isa;

    /// Of a few small images.
    pub fn facts() -> Facts {
        Facts {
            name: "shapes".to_owned(),
            train_images: 10,
            val_images: 1,
            classes: 4,
            channels: 3,
            size: 8,
            source: FactsSource::Data,
        }
    }

    #[test]
    fn steps_in_a_row_are_those_that_are_waited_for() {
        let content = "name = 'rehearsed'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = { resnet9 = 2 }\n[train]\nprecision = 'bf16'\n\
                       [[phases]]\nsteps = 1\nbatch = 3\noptimizer = 'sgd'\nlr = 0.1\n";
        let text = Text { name: "rehearsed.toml".into(), content: content.to_owned(), folder: "".into() };
        let spec = config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec;
        let facts = facts();
        let batch = noise(&spec, &facts, 8, 3);
        for device in [None, Some(Device::emulated(Order::Ascending))] {
            let compute = Compute { isa: Isa::detect().unwrap(), device };
            let new = || Rehearsal::new(&spec, &facts, 8, 3, &compute).unwrap();
            let (mut one_by_one, mut in_a_row) = (new(), new());
            for steps in [4, 1, 3] {
                let each: Vec<Loss> = (0..steps).map(|_| one_by_one.step(&batch).unwrap()).collect();
                assert_eq!(in_a_row.steps(&batch, steps).unwrap(), each[steps - 1], "{}", compute.name());
                assert!(steps == 1 || each[0] != each[1], "the weights move");
            }
        }
    }
}
