//! The contact sheet of a set: which images, and how they are served.

use crate::cli::Failure;
use crate::cli::output::{self, PictureFormat};
use crate::config::spec::Spec;
use crate::data::augment::chain;
use crate::data::mix::Mixer;
use crate::data::resize::{Extent, Resizer, Window};
use crate::data::stored::Hand;
use crate::data::{BatchPlan, Dataset, Loader, Statistics, Training};
use crate::plot::{Sheet, SheetRow};
use crate::units::{classes, count};
use anyhow::Context as _;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Images a class: in few classes, in many.
const MANY: usize = 12;
const FEW: usize = 5;
/// Classes that are few, and the most that are drawn.
const CLASSES: [usize; 2] = [25, 200];
/// Images larger than this are drawn smaller.
const LARGEST: usize = 128;
/// Images a batch while some of each class are looked for, and the most bytes of memory that they may take; a batch of one
/// may take more.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 64 << 20;

/// How images are drawn.
#[derive(Clone, Copy)]
pub enum Served<'a> {
    /// As the files hold them, the first of each class.
    AsStored,
    /// As the first phase of an experiment takes them in its first epoch: in its order, resized and augmented.
    FirstPhase(&'a Spec),
}

/// Chooses the images and arranges them by class.
pub fn make(set: Dataset, served: Served<'_>) -> Result<Sheet, Failure> {
    let (facts, names) = (set.facts.clone(), set.class_names.clone());
    let shown = facts.classes.min(CLASSES[1]);
    let each = if facts.classes <= CLASSES[0] { MANY } else { FEW };
    let (size, how) = match served {
        Served::AsStored => (facts.size, "the first training images of each class".to_owned()),
        Served::FirstPhase(spec) => (
            spec.phases[0].size.unwrap_or(facts.size),
            format!("training images of each class as the first phase of `{}` serves them", spec.name),
        ),
    };
    let side = size.min(LARGEST);
    let mut rows = Rows::new(shown, each, size, side, facts.channels);
    match served {
        Served::AsStored => rows.stored(&set)?,
        Served::FirstPhase(spec) => rows.first_phase(set, spec)?,
    }
    let more = facts.classes - shown;
    let more = match more {
        0 => String::new(),
        1 => "; 1 more class is not shown".to_owned(),
        more => format!("; {} more classes are not shown", count(more as u64)),
    };
    Ok(Sheet {
        title: format!(
            "{} · {} training images, {}",
            facts.name,
            count(facts.train_images as u64),
            classes(facts.classes)
        ),
        note: format!("{how}, {size}×{size} pixels{more}"),
        side,
        channels: facts.channels,
        rows: names.into_iter().zip(rows.images).map(|(label, images)| SheetRow { label, images }).collect(),
    })
}

/// Writes the sheet.
pub fn write(sheet: &Sheet, to: &Path, format: PictureFormat) -> Result<(), Failure> {
    let bytes = match format {
        PictureFormat::Svg => sheet.svg().map(String::into_bytes),
        PictureFormat::Png => sheet.png(),
    };
    let bytes = bytes.context("cannot draw the sheet")?;
    Ok(output::write_bytes(to, &bytes)?)
}

/// The images found so far, by class, as large as they are drawn.
struct Rows {
    images: Vec<Vec<Vec<u8>>>,
    /// So many of each class are enough.
    each: usize,
    /// As the images come, and as they are drawn.
    size: usize,
    side: usize,
    channels: usize,
    resizer: Resizer,
}

impl Rows {
    fn new(classes: usize, each: usize, size: usize, side: usize, channels: usize) -> Self {
        Self { images: vec![Vec::new(); classes], each, size, side, channels, resizer: Resizer::new(channels) }
    }

    /// Takes an image where its class still lacks some.
    fn offer<'i>(&mut self, label: u32, image: impl FnOnce() -> Cow<'i, [u8]>) {
        if let Some(row) = self.images.get_mut(label as usize).filter(|row| row.len() < self.each) {
            let (from, to) = (Extent::square(self.size), Extent::square(self.side));
            let mut drawn = vec![0; to.width * to.height * self.channels];
            self.resizer.resize(&image(), from, Window::whole(from), to, &mut drawn);
            row.push(drawn);
        }
    }

    fn full(&self) -> bool {
        self.images.iter().all(|row| row.len() == self.each)
    }

    fn stored(&mut self, set: &Dataset) -> Result<(), Failure> {
        let (size, mut hand) = (self.size, Hand::new(self.channels));
        for (index, label) in set.train.labels.iter().enumerate() {
            let Some(stored) = set.train.stored() else {
                self.offer(*label, || set.train.image(index).into());
                continue;
            };
            if self.wants(*label) {
                let mut image = vec![0; size * size * self.channels];
                if stored.serve_or_leave_out(index, Extent::square(size), &mut hand, &mut image)? {
                    self.offer(*label, || image.into());
                }
            }
        }
        Ok(())
    }

    /// Whether images of a class are still lacking.
    fn wants(&self, label: u32) -> bool {
        self.images.get(label as usize).is_some_and(|row| row.len() < self.each)
    }

    /// Looks through batches of the first epoch until there are enough of each class.
    fn first_phase(&mut self, set: Dataset, spec: &Spec) -> Result<(), Failure> {
        let size = self.size;
        let fits = |given: &&Statistics| [given.mean.len(), given.deviation.len()] == [set.facts.channels; 2];
        let set = match spec.data.statistics.as_ref().filter(fits) {
            // Borders may be filled with the mean.
            Some(given) => set.normalised_by(given),
            None => set,
        };
        let (images, mean, std) = (set.train.labels.len(), set.mean.clone(), set.std.clone());
        let augment = vec![chain(&spec.phases[0].augment)];
        let training = Training {
            datasets: vec![Arc::new(set)],
            seed: spec.seed,
            augment,
            mix: vec![Mixer::default()],
            at_hand: Vec::new(),
        };
        let batch = batch(size, mean.len());
        let plan = move |step: u64| {
            let first = step as usize * batch;
            let images = batch.min(images.saturating_sub(first));
            (images > 0).then_some(BatchPlan { epoch: 0, first, images, size, phase: 0, set: 0, pruned: false })
        };
        let mut loader = Loader::<f32>::training(training, 0, plan);
        while !self.full() {
            let batch = loader.next_batch().context("cannot prepare the images")?;
            let Some((batch, _)) = batch else { break };
            let len = size * size * mean.len();
            for (label, image) in batch.labels.iter().zip(batch.images.chunks_exact(len)) {
                // Back from what the net takes in to bytes.
                let channels = mean.iter().zip(&std).cycle();
                let byte = |(value, (mean, std)): (&f32, (&f32, &f32))| ((value * std + mean) * 255.0).round() as u8;
                self.offer(*label, || image.iter().zip(channels).map(byte).collect::<Vec<u8>>().into());
            }
        }
        Ok(())
    }
}

/// How many images a batch holds.
fn batch(size: usize, channels: usize) -> usize {
    (BATCH_BYTES / (size * size * channels * size_of::<f32>())).clamp(1, BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_large_images_are_small() {
        for (size, images) in [(1, 256), (32, 256), (224, 111), (1024, 5), (8192, 1)] {
            assert_eq!(batch(size, 3), images, "{size}");
        }
    }
}
