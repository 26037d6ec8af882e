//! The validation set through the net: during training, and afterwards.

use super::net;
use super::sets::DeviceSet;
use super::tta::{View, views};
use crate::config::spec::{Spec, Tta};
use crate::data::loader::validation_batches;
use crate::data::resize::Extent;
use crate::data::{Dataset, Facts, Loader};
use crate::gpu::ops::serve::Pictures;
use crate::kernels::{Isa, loss};
use crate::nn::device::Images;
use crate::nn::{Compute, Executor, Loss, Params, TapeOptions};
use std::sync::Arc;

/// Means over the validation images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// That which is trained, without smoothing.
    pub loss: f64,
    pub acc: f64,
    pub acc_top5: f64,
}

impl From<Loss> for Figures {
    fn from(sums: Loss) -> Self {
        let mean = |sum: f64| sum / sums.images as f64;
        Self { loss: mean(sums.sum), acc: mean(sums.correct as f64), acc_top5: mean(sums.correct_top5 as f64) }
    }
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Of the images as they are.
    pub plain: Figures,
    /// Of outputs averaged over views, where that was asked for.
    pub averaged: Option<Figures>,
    /// Damaged images that it went without, where such are skipped: all figures are of the others.
    pub left_out: usize,
}

/// Evaluates nets on sets' validation images.
pub struct Evaluator {
    compute: Compute,
    /// For the extent and the largest batch that were evaluated last.
    tape: Option<((Extent, usize), Executor)>,
    there: Option<There>,
}

/// What a device has of the set that was evaluated last.
struct There {
    set: Arc<Dataset>,
    /// `None` where its images come from the host.
    images: Option<Arc<DeviceSet>>,
}

/// Validation images, batch by batch.
enum Source {
    Here(Box<Loader<f32>>),
    There(Numbered),
}

/// Images of a set that lies on a device.
struct Numbered {
    set: Arc<Dataset>,
    there: Arc<DeviceSet>,
    batches: std::vec::IntoIter<(Vec<u32>, Extent)>,
    /// Of the last batch.
    numbers: Vec<u32>,
    labels: Vec<u32>,
}

/// A batch.
#[derive(Clone, Copy)]
struct Shown<'a> {
    extent: Extent,
    /// There may be none, where all images of a batch are left out.
    labels: &'a [u32],
    /// Which they are, in the split.
    numbers: &'a [u32],
    images: Origin<'a>,
    /// How many are, as they are damaged.
    left_out: usize,
}

#[derive(Clone, Copy)]
enum Origin<'a> {
    Here(&'a [f32]),
    There(&'a DeviceSet, &'a [u32]),
}

impl Source {
    fn next(&mut self) -> anyhow::Result<Option<Shown<'_>>> {
        Ok(match self {
            Self::Here(loader) => loader.next_batch()?.map(|(batch, _)| Shown {
                extent: batch.extent,
                labels: &batch.labels,
                numbers: &batch.shown,
                images: Origin::Here(&batch.images),
                left_out: batch.damaged.len(),
            }),
            Self::There(numbered) => numbered.next(),
        })
    }
}

impl Numbered {
    fn next(&mut self) -> Option<Shown<'_>> {
        let Self { set, there, batches, numbers, labels } = self;
        let extent;
        (*numbers, extent) = batches.next()?;
        labels.clear();
        labels.extend(numbers.iter().map(|number| set.val.labels[*number as usize]));
        let numbers: &[u32] = numbers;
        // In memory there are whole images alone.
        Some(Shown { extent, labels, numbers, images: Origin::There(there, numbers), left_out: 0 })
    }
}

/// The largest images, by their pixels, that evaluations of a set at that size look at, so many at a time.
pub fn largest_extent(set: &Dataset, size: usize, images: usize) -> Extent {
    let extents = validation_batches(&set.val, size, images).into_iter().map(|(_, extent)| extent);
    extents.max_by_key(|extent| extent.width * extent.height).unwrap_or(Extent::square(size))
}

/// An evaluation after one of its batches.
pub struct Seen<'a> {
    /// Images through, this batch's included, of all; those that were left out so far are none.
    pub images: usize,
    pub of: usize,
    /// Of this batch.
    pub labels: &'a [u32],
    /// Which images are in it, by their numbers in the split: those that were left out are not.
    pub numbers: &'a [u32],
    /// Of the net, averaged over views where that was asked for.
    outputs: &'a [f32],
}

impl Seen<'_> {
    /// What the net takes each image of this batch for: its largest output, the first of equals, which is what the loss
    /// counts as right. `None` where an output is NaN.
    pub fn predictions(&self) -> Vec<Option<usize>> {
        self.outputs().map(largest).collect()
    }

    /// Those of the net for each image of this batch.
    pub fn outputs(&self) -> impl Iterator<Item = &[f32]> {
        self.outputs.chunks_exact(self.outputs.len() / self.labels.len())
    }
}

fn largest(outputs: &[f32]) -> Option<usize> {
    let mut best = 0;
    for (at, value) in outputs.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if *value > outputs[best] {
            best = at;
        }
    }
    Some(best)
}

impl Evaluator {
    pub fn new(compute: Compute) -> Self {
        Self { compute, tape: None, there: None }
    }

    /// Gives back the net's memory, which the next evaluation would use again. Whether there was any.
    pub fn forget(&mut self) -> bool {
        self.tape.take().is_some()
    }

    /// Gives up the memory of images on a device, and takes them there no more. Whether there were any.
    pub fn give_up_images(&mut self) -> bool {
        self.there.as_mut().is_some_and(|there| there.images.take().is_some())
    }

    /// Evaluates at an image size, with running statistics, in the loader's order; where `tta` asks for it, also with outputs
    /// averaged over views, in `f32`. `watch` is called after each batch.
    ///
    /// On a device, images of a set in memory are taken there once, as bytes, and served there: the same numbers.
    ///
    /// # Errors
    /// Those of the tape, of the loader (where all images are damaged, too) and of `watch`.
    pub fn evaluate(
        &mut self,
        spec: &Spec,
        dataset: &Arc<Dataset>,
        params: &mut Params,
        size: usize,
        tta: Tta,
        mut watch: impl FnMut(Seen<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Evaluation> {
        let all = dataset.val.labels.len();
        if self.compute.device.is_some() && dataset.val.stored().is_none() {
            // The net's memory comes before that of images, which can do without.
            self.there = self.there.take().filter(|there| Arc::ptr_eq(&there.set, dataset));
            let extent = Extent::square(size);
            self.tape(spec, &dataset.facts, params, extent)?;
        }
        let mut source = self.source(dataset, size, spec.train.eval_batch)?;
        let (isa, channels) = (self.compute.isa, dataset.facts.channels);
        let (mut plain, mut averaged, mut left_out) = (Loss::default(), Loss::default(), 0);
        let mut views = Views::new(tta, channels);
        while let Some(batch) = source.next()? {
            left_out += batch.left_out;
            if batch.labels.is_empty() {
                continue;
            }
            let tape = self.tape(spec, &dataset.facts, params, batch.extent)?;
            tape.forward(params, views.show(0, batch))?;
            add(&mut plain, tape.loss(batch.labels, 0.0)?);
            let mut outputs = tape.output()?;
            if views.are_several() {
                views.average(tape, params, batch, &mut outputs)?;
                add(&mut averaged, score(isa, spec.train.criterion(), batch.labels, &outputs));
            }
            let Shown { labels, numbers, .. } = batch;
            watch(Seen { images: plain.images, of: all - left_out, labels, numbers, outputs: &outputs })?;
        }
        let averaged = views.are_several().then(|| averaged.into());
        Ok(Evaluation { plain: plain.into(), averaged, left_out })
    }

    /// The validation images of a set, in batches of so many.
    fn source(&mut self, set: &Arc<Dataset>, size: usize, images: usize) -> anyhow::Result<Source> {
        if let Some(device) = &self.compute.device
            && !self.there.as_ref().is_some_and(|there| Arc::ptr_eq(&there.set, set))
        {
            // The memory of those before goes first.
            self.there = None;
            let images = DeviceSet::to_validate(device, set)?.map(Arc::new);
            self.there = Some(There { set: Arc::clone(set), images });
        }
        Ok(match self.there.as_ref().and_then(|there| there.images.clone()) {
            None => Source::Here(Box::new(Loader::validation(Arc::clone(set), size, images))),
            Some(there) => Source::There(Numbered {
                batches: validation_batches(&set.val, size, images).into_iter(),
                set: Arc::clone(set),
                there,
                numbers: Vec::new(),
                labels: Vec::new(),
            }),
        })
    }

    /// The tape for an extent and the batches of a set, kept until another one is asked for. It has room for no more images
    /// than the set has.
    fn tape(&mut self, spec: &Spec, facts: &Facts, params: &Params, extent: Extent) -> anyhow::Result<&mut Executor> {
        let wanted = (extent, spec.train.eval_batch.min(facts.val_images));
        if self.tape.as_ref().is_none_or(|(of, _)| *of != wanted) {
            // The old tape's memory goes before the new one's comes.
            self.tape = None;
            let graph = net::graph_of(spec, facts, extent)?;
            let options = TapeOptions { max_batch: wanted.1, ..net::evaluate_options(spec, self.compute.isa) };
            self.tape = Some((wanted, Executor::new(&self.compute, &graph, params, options)?));
        }
        Ok(&mut self.tape.as_mut().expect("made above").1)
    }
}

/// Adds a batch's sums to those before.
pub(super) fn add(total: &mut Loss, batch: Loss) {
    total.sum += batch.sum;
    total.images += batch.images;
    total.correct += batch.correct;
    total.correct_top5 += batch.correct_top5;
}

/// What the loss layer says of these outputs.
fn score(isa: Isa, rule: loss::Rule, labels: &[u32], outputs: &[f32]) -> Loss {
    let target = loss::Target::plain(rule, labels, outputs.len() / labels.len());
    let loss::Score { loss, correct, correct_top5 } = loss::score(isa, target, outputs);
    Loss { sum: loss, images: labels.len(), correct, correct_top5 }
}

/// The views of a level, and room for a batch's images in one of them, or for what makes them of the images.
struct Views {
    views: Vec<View>,
    channels: usize,
    images: Vec<f32>,
    pictures: Pictures,
}

impl Views {
    fn new(tta: Tta, channels: usize) -> Self {
        Self { views: views(tta), channels, images: Vec::new(), pictures: Pictures::default() }
    }

    fn are_several(&self) -> bool {
        self.views.len() > 1
    }

    /// The `k`-th view of a batch; the first is the images as they are.
    fn show<'a>(&'a mut self, k: usize, batch: Shown<'a>) -> Images<'a> {
        let Self { views, channels, images, pictures } = self;
        let view = &views[k];
        match batch.images {
            Origin::Here(plain) if view.is_plain() => Images::Here(plain),
            Origin::Here(plain) => {
                images.resize(plain.len(), 0.0);
                view.of(plain, batch.extent, *channels, images);
                Images::Here(images)
            }
            Origin::There(set, numbers) => {
                pictures.numbers.clear();
                pictures.numbers.extend_from_slice(numbers);
                (pictures.size, pictures.changes) = (batch.extent.height, view.changes().repeat(numbers.len()));
                set.images(pictures)
            }
        }
    }

    /// Turns the outputs for a batch as it is into the mean over its views.
    fn average(
        &mut self,
        tape: &mut Executor,
        params: &mut Params,
        batch: Shown<'_>,
        outputs: &mut [f32],
    ) -> anyhow::Result<()> {
        outputs.iter_mut().for_each(|sum| *sum *= self.views[0].weight);
        for k in 1..self.views.len() {
            tape.forward(params, self.show(k, batch))?;
            let weight = self.views[k].weight;
            outputs.iter_mut().zip(tape.output()?).for_each(|(sum, output)| *sum += weight * output);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sets::tests::{dataset, made};
    use super::*;
    use crate::gpu::Device;
    use crate::gpu::device::Order;

    #[test]
    fn a_device_shows_what_the_host_shows() {
        for (channels, size) in [1, 3].into_iter().flat_map(|channels| [9, 6].map(|size| (channels, size))) {
            let set = Arc::new(dataset(channels));
            let device = Device::emulated(Order::Ascending);
            let on = |device: Option<Device>| Evaluator::new(Compute { device, ..Isa::Portable.into() });
            let mut here = on(None).source(&set, size, 2).unwrap();
            let mut there = on(Some(device.clone())).source(&set, size, 2).unwrap();
            assert!(matches!((&here, &there), (Source::Here(_), Source::There(_))));
            let mut seen = 0;
            while let Some(batch) = here.next().unwrap() {
                let numbered = there.next().unwrap().unwrap();
                let told = |batch: Shown<'_>| (batch.extent, batch.labels.to_vec(), batch.numbers.to_vec());
                assert_eq!(told(numbered), told(batch));
                let [mut of_host, mut of_device] = [(); 2].map(|()| Views::new(Tta::MirrorTranslate, channels));
                for k in 0..of_host.views.len() {
                    let got = made(&device, of_device.show(k, numbered));
                    assert_eq!(got, of_host.show(k, batch).here(), "view {k} at {size}");
                }
                seen += batch.labels.len();
            }
            assert_eq!(seen, set.val.labels.len());
            assert!(there.next().unwrap().is_none());
        }
    }

    #[test]
    fn the_first_of_the_largest_is_the_answer() {
        assert_eq!(largest(&[0.0, 3.0, 3.0, -1.0]), Some(1));
        assert_eq!(largest(&[f32::NEG_INFINITY; 3]), Some(0));
        assert_eq!(largest(&[1.0, f32::NAN]), None);
    }
}
