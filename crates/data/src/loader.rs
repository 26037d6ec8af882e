//! Batches, prepared ahead of the step that uses them.

use super::augment::{Chain, Change, Draw, Image};
use super::mix::{Mixed, Mixer, Mixture};
use super::normalise::Normalise;
use super::order::permutation;
use super::prefetch::{Prefetch, PrefetchError};
use super::prune::Selection;
use super::resize::{Extent, Resizer, Window};
use super::sample::spread;
use super::stored::{self, Hand};
use super::{DataError, Dataset, Images, Split};
use crate::kernels::Element;
use crate::units::Seconds;
use rayon::ThreadPool;
use rayon::prelude::*;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Batches that go round between the loader and its user: one in use, the others being made or ready.
const BATCHES: usize = 4;

/// A batch, ready for the net.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch<E = f32> {
    /// `(n, extent.height, extent.width, channels)`, normalised.
    pub images: Vec<E>,
    pub labels: Vec<u32>,
    /// Where images are blended with each other.
    pub mixed: Option<Mixed>,
    /// How much each counts; none: all count once.
    pub weights: Option<Vec<f32>>,
    /// In place of `images`, which are then none: which they are, where the net has them at hand.
    pub numbers: Option<Numbers>,
    /// What was asked for: the side, or the shorter one of images that keep their shape.
    pub size: usize,
    pub extent: Extent,
    /// The step it is for; in validation the batch's number.
    pub step: u64,
    /// The images that it was to hold and that are damaged, by their numbers in the split, in the order of the batch: to train on,
    /// others stand in their places; else they are left out, and it may hold none.
    pub damaged: Vec<u32>,
    /// The images that it holds, likewise; to train on, those that it was to hold.
    pub shown: Vec<u32>,
}

impl<E: Element> Batch<E> {
    /// Makes it a batch by number of a step: of the images of these numbers, changed by that chain, and mixed. Of the cut it takes
    /// the epoch, the set and the size.
    ///
    /// # Panics
    /// When the chain cannot be [told](Chain::is_told).
    pub fn fill_by_number(
        &mut self,
        train: &Split,
        chain: &Chain,
        (seed, step): (u64, u64),
        cut: &BatchPlan,
        indices: &[u32],
        mixture: Option<Mixture>,
    ) {
        begin(self, step, Extent::square(cut.size), 0, train.channels);
        self.labels.extend(indices.iter().map(|index| train.labels[*index as usize]));
        self.shown.extend_from_slice(indices);
        self.mixed = mixture.as_ref().map(|mixture| mixture.mixed(cut.size, &self.labels));
        let numbers = self.numbers.get_or_insert_default();
        (numbers.set, numbers.mixture) = (cut.set, mixture);
        numbers.images.clear();
        numbers.images.extend_from_slice(indices);
        numbers.windows.clear();
        numbers.changes.clear();
        for index in indices {
            let mut draw = Draw::new(seed, cut.epoch, u64::from(*index));
            numbers.windows.extend(chain.crop(Extent::square(train.size), &mut draw));
            numbers.changes.extend(chain.changes(cut.size, &mut draw));
        }
    }

    /// Has its images count so much.
    fn weigh(&mut self, weights: Option<&[f32]>) {
        self.weights = weights.map(<[f32]>::to_vec);
    }

    /// Notes which of the images of these numbers are damaged: those in these places, which are in order.
    fn note_damaged(&mut self, indices: &[u32], places: &[usize]) {
        self.damaged.extend(places.iter().map(|place| indices[*place]));
    }

    /// Takes out what is in these places, which are in order.
    fn leave_out(&mut self, places: &[usize]) {
        if places.is_empty() {
            return;
        }
        let (len, mut kept) = (self.images.len() / self.labels.len(), 0);
        for place in (0..self.labels.len()).filter(|place| places.binary_search(place).is_err()) {
            (self.labels[kept], self.shown[kept]) = (self.labels[place], self.shown[place]);
            self.images.copy_within(place * len..(place + 1) * len, kept * len);
            kept += 1;
        }
        self.labels.truncate(kept);
        self.shown.truncate(kept);
        self.images.truncate(kept * len);
    }
}

/// Training images by their numbers in a set, and what is done to each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    pub set: usize,
    pub images: Vec<u32>,
    /// The part of each that is brought to the batch's size; none where it is all of each.
    pub windows: Vec<Window>,
    /// As many for each image, to be made in order at the batch's size.
    pub changes: Vec<Change>,
    /// How they are blended with each other then.
    pub mixture: Option<Mixture>,
}

/// Which images a step takes, and how: the loader's part of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    pub epoch: u64,
    /// Images `first..first + images` of the epoch's permutation.
    pub first: usize,
    pub images: usize,
    pub size: usize,
    /// Which list of augmentations and which of mixing, from 0.
    pub phase: usize,
    /// Which data set, from 0. It changes between epochs alone.
    pub set: usize,
    /// Whether the epoch leaves images out: its order is then that of the [selection](Loader::select) for it.
    pub pruned: bool,
}

/// What the training loader draws from and does.
pub struct Training {
    /// Of equally many channels.
    pub datasets: Vec<Arc<Dataset>>,
    pub seed: u64,
    /// A list for each phase.
    pub augment: Vec<Chain>,
    /// Likewise.
    pub mix: Vec<Mixer>,
    /// The sets of which the net has the training images at hand, which are in memory: they are served by number, where the phase's list
    /// of augmentations [is told](Chain::is_told) in numbers.
    pub at_hand: Vec<usize>,
}

/// A set, and the number of an epoch.
type Epoch = (usize, u64);

/// What an epoch serves, in order, and how much each counts.
#[derive(Default)]
struct Order {
    of: Option<Epoch>,
    images: Vec<u32>,
    weights: Option<Vec<f32>>,
}

/// Prepares batches on another thread while the last one is used.
///
/// A batch is a function of the data, the seed and its step's plan; the loader holds no state that a resumed run would
/// miss. Images in memory are resized on the way, each time: at 24×24 that takes some 6 µs an image, far less than a step on a
/// CPU, and spares both a resized copy of the set and the pause to make it where a phase begins; a device that has them at hand
/// does it itself. Images on disk are decoded by several threads, which also make those of a set in memory that a phase edits.
pub struct Loader<E = f32> {
    /// Before the batches: it goes first, so that nobody waits for a selection that will not come.
    selections: Option<Sender<(Epoch, Arc<Selection>)>>,
    batches: Prefetch<Batch<E>>,
}

impl<E: Element> Loader<E> {
    /// The training batches of steps `from`, `from + 1`… until `plan` says `None`.
    ///
    /// `plan` is called on the loader's thread, once a step, in order. A plan that goes beyond the set or its phases is
    /// a mistake of the caller's and comes back as an error of [`next_batch`](Self::next_batch).
    pub fn training(training: Training, from: u64, plan: impl Fn(u64) -> Option<BatchPlan> + Send + 'static) -> Self {
        let edits = training.augment.iter().any(|chain| !chain.is_told());
        let makers: Vec<Makers<E>> = training.datasets.iter().map(|set| Makers::new(set, &set.train, edits)).collect();
        let (mut order, mut before) = (Order::default(), Vec::new());
        let mut step = from;
        let (selections, selected) = channel::<(Epoch, Arc<Selection>)>();
        let loader = Self::start(move |batch| {
            let Some(cut) = plan(step) else { return Ok(false) };
            let Training { datasets, seed, augment, mix, at_hand } = &training;
            let (dataset, makers) = (&datasets[cut.set], &makers[cut.set]);
            let epoch = (cut.set, cut.epoch);
            if order.of != Some(epoch) && cut.pruned {
                let Ok((of, selection)) = selected.recv() else { return Ok(false) };
                assert_eq!(of, epoch, "a selection for another epoch");
                order = Order { of: Some(of), images: selection.images.clone(), weights: selection.weights.clone() };
            } else if order.of != Some(epoch) {
                permutation(*seed, cut.epoch, dataset.train.labels.len(), &mut order.images);
                (order.of, order.weights) = (Some(epoch), None);
            }
            let places = cut.first..cut.first + cut.images;
            let indices = &order.images[places.clone()];
            let weights = order.weights.as_ref().map(|weights| &weights[places]);
            let (train, chain) = (&dataset.train, &augment[cut.phase]);
            let mixture = mix[cut.phase].draw([*seed, cut.epoch, step], cut.size, cut.images);
            if at_hand.contains(&cut.set) && chain.is_told() {
                batch.fill_by_number(train, chain, (*seed, step), &cut, indices, mixture);
                batch.weigh(weights);
                step += 1;
                return Ok(true);
            }
            batch.numbers = None;
            begin(batch, step, Extent::square(cut.size), indices.len(), dataset.train.channels);
            batch.weigh(weights);
            batch.shown.extend_from_slice(indices);
            let damaged = makers.fill(batch, indices, |maker, index, target| {
                let draw = Draw::new(*seed, cut.epoch, u64::from(index));
                let made = maker.augmented(&dataset.train, index as usize, cut.size, &augment[cut.phase], draw)?;
                maker.put(target);
                Ok(made)
            })?;
            batch.note_damaged(indices, &damaged);
            mixture.iter().for_each(|mixture| mixture.apply(cut.size, &mut batch.images, &mut before));
            batch.mixed = mixture.map(|mixture| mixture.mixed(cut.size, &batch.labels));
            step += 1;
            Ok(true)
        });
        Self { selections: Some(selections), ..loader }
    }

    /// Says what an epoch of a set serves that leaves images out. Its first batch is waited for until then, so this comes before that is
    /// asked for: once for each such epoch, in their order, of a loader that begins within one for that first.
    pub fn select(&self, set: usize, epoch: u64, selection: Arc<Selection>) {
        if let Some(selections) = &self.selections {
            // A loader that has ended needs none.
            let _ = selections.send(((set, epoch), selection));
        }
    }

    /// The validation images, unchanged but for their size, in batches of `images`; the last may be shorter, and so may those
    /// be of which damaged ones are left out. They come in order, unless they keep their shape: then the widest come last.
    ///
    /// # Panics
    /// When `images` is 0.
    pub fn validation(dataset: Arc<Dataset>, size: usize, images: usize) -> Self {
        assert!(images > 0, "batches of no images");
        let batches = validation_batches(&dataset.val, size, images);
        Self::unchanged(dataset, |dataset| &dataset.val, size, batches)
    }

    /// `count` training images spread evenly over the set, or all of a smaller one, unchanged but for their size, in batches
    /// of `images`: what is computed from the data before the first step looks at these.
    ///
    /// # Panics
    /// When `images` is 0.
    pub fn sample(dataset: Arc<Dataset>, count: usize, size: usize, images: usize) -> Self {
        assert!(images > 0, "batches of no images");
        let indices: Vec<u32> = spread(count, dataset.train.labels.len()).map(|k| k as u32).collect();
        let batches = indices.chunks(images).map(|part| (part.to_vec(), Extent::square(size))).collect();
        Self::unchanged(dataset, |dataset| &dataset.train, size, batches)
    }

    /// Images of a split, not augmented, in batches of one extent each. Which these are does not depend on what is damaged, so the
    /// others are served as they would be without.
    fn unchanged(
        dataset: Arc<Dataset>,
        split: fn(&Dataset) -> &Split,
        size: usize,
        batches: Vec<(Vec<u32>, Extent)>,
    ) -> Self {
        let makers = Makers::new(&dataset, split(&dataset), false);
        let (mut step, mut served) = (0, 0);
        Self::start(move |batch| {
            let split = split(&dataset);
            let Some((indices, extent)) = batches.get(step as usize) else {
                // Of all that are damaged there is no mean.
                let stored = split.stored().filter(|_| served == 0);
                return stored.map_or(Ok(false), |stored| Err(stored.none_of(split.labels.len())));
            };
            begin(batch, step, *extent, indices.len(), split.channels);
            batch.size = size;
            let damaged = makers.fill(batch, indices, |maker, index, target| {
                let made = maker.plain(split, index as usize, *extent)?;
                maker.put(target);
                Ok(made)
            })?;
            batch.note_damaged(indices, &damaged);
            batch.shown.extend_from_slice(indices);
            batch.leave_out(&damaged);
            served += batch.labels.len();
            step += 1;
            Ok(true)
        })
    }

    fn start(fill: impl FnMut(&mut Batch<E>) -> Result<bool, DataError> + Send + 'static) -> Self {
        let empty = || Batch {
            images: Vec::new(),
            labels: Vec::new(),
            mixed: None,
            weights: None,
            numbers: None,
            size: 0,
            extent: Extent::default(),
            step: 0,
            damaged: Vec::new(),
            shown: Vec::new(),
        };
        Self { selections: None, batches: Prefetch::new((0..BATCHES).map(|_| empty()).collect(), fill) }
    }

    /// Waits until the next batch is ready, so that making the first one is not taken for training.
    pub fn wait_for_next(&mut self) {
        self.batches.wait_for_next();
    }

    /// The next batch, lent until the one after it is asked for, and the seconds it was waited for; `None` at the end.
    ///
    /// # Errors
    /// When an image on disk cannot be served, or preparing the batch panicked.
    pub fn next_batch(&mut self) -> Result<Option<(&Batch<E>, Seconds)>, PrefetchError> {
        self.batches.next_item()
    }
}

/// Makes room in a batch of images of one extent.
fn begin<E: Element>(batch: &mut Batch<E>, step: u64, extent: Extent, images: usize, channels: usize) {
    batch.images.resize(images * extent.width * extent.height * channels, E::from_f32(0.0));
    batch.labels.resize(images, 0);
    batch.damaged.clear();
    batch.shown.clear();
    (batch.size, batch.extent, batch.step) = (extent.height, extent, step);
}

/// Which validation images are in which batch, and their extent there.
///
/// In batches that keep their shape images stand in the order of width by height, and each batch has the shape of its images
/// in the mean: the short side as asked for, the long one as many times that as the mean ratio says, to the next 32 pixels. As
/// in fast.ai's ImageNet recipe (Howard, Shaw and Bulatov 2018), which rounds to 8.
pub fn validation_batches(split: &Split, size: usize, images: usize) -> Vec<(Vec<u32>, Extent)> {
    /// What the usual nets divide both sides by.
    const STEP: f64 = 32.0;
    let mut order: Vec<u32> = (0..split.labels.len() as u32).collect();
    let Some(stored) = split.stored().filter(|stored| stored.manner().rectangular) else {
        return order.chunks(images).map(|part| (part.to_vec(), Extent::square(size))).collect();
    };
    let ratio = |index: &u32| {
        let Extent { width, height } = stored.extent(*index as usize);
        width as f64 / height as f64
    };
    order.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let long = |ratio: f64| ((size as f64 * ratio / STEP).round() * STEP).max(size as f64) as usize;
    let shaped = |part: &[u32]| {
        let mean = part.iter().map(ratio).sum::<f64>() / part.len() as f64;
        let extent = match mean < 1.0 {
            true => Extent { width: size, height: long(1.0 / mean) },
            false => Extent { width: long(mean), height: size },
        };
        (part.to_vec(), extent)
    };
    order.chunks(images).map(shaped).collect()
}

/// Makes batches of the images of a split: one after another of those in memory, on several threads of those on disk and where images
/// are edited, which takes as long as decoding.
struct Makers<E> {
    /// One for each thread.
    makers: Vec<Mutex<Maker<E>>>,
    pool: Option<&'static ThreadPool>,
}

impl<E: Element> Makers<E> {
    fn new(dataset: &Dataset, split: &Split, edits: bool) -> Self {
        let pool = (split.stored().is_some() || edits).then(stored::pool).flatten();
        let threads = pool.map_or(1, ThreadPool::current_num_threads);
        Self { makers: (0..threads).map(|_| Mutex::new(Maker::new(dataset))).collect(), pool }
    }

    /// Makes all images of a batch: `make` puts one into its place. Gives the places of those that are damaged, in order.
    ///
    /// # Errors
    /// The first, in the batch's order, of those of `make`.
    fn fill(
        &self,
        batch: &mut Batch<E>,
        indices: &[u32],
        make: impl Fn(&mut Maker<E>, u32, &mut [E]) -> Result<Made, DataError> + Sync,
    ) -> Result<Vec<usize>, DataError> {
        let len = batch.images.len() / indices.len();
        // Of which there are hardly any: nobody waits for it.
        let damaged = Mutex::new(Vec::new());
        let one = |(place, ((index, label), target)): (usize, ((&u32, &mut u32), &mut [E]))| -> Result<(), DataError> {
            // A thread's own: nobody waits.
            let own = &self.makers[self.pool.and_then(ThreadPool::current_thread_index).unwrap_or(0)];
            let mut maker = own.lock().unwrap_or_else(PoisonError::into_inner);
            let made = make(&mut maker, *index, target)?;
            if !matches!(made, Made::Itself(_)) {
                damaged.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            }
            if let Made::Itself(of) | Made::Another(of) = made {
                *label = of;
            }
            Ok(())
        };
        let Batch { labels, images, .. } = batch;
        match self.pool {
            None => indices.iter().zip(labels).zip(images.chunks_exact_mut(len)).enumerate().try_for_each(one)?,
            Some(pool) => {
                let places = || indices.par_iter().zip(labels).zip(images.par_chunks_exact_mut(len)).enumerate();
                let error = pool.install(|| places().map(|place| one(place).err()).find_map_first(|error| error));
                error.map_or(Ok(()), Err)?;
            }
        }
        let mut damaged = damaged.into_inner().unwrap_or_else(PoisonError::into_inner);
        damaged.sort_unstable();
        Ok(damaged)
    }
}

/// What became of an image, and the label of what is in its place.
enum Made {
    Itself(u32),
    /// It is damaged, and another one stands in.
    Another(u32),
    /// It is damaged, and nothing is.
    Nothing,
}

/// Makes one image at a time: resize, augment, normalise.
struct Maker<E> {
    image: Image,
    resizer: Resizer,
    normalise: Normalise<E>,
    /// For images on disk.
    hand: Hand,
}

impl<E: Element> Maker<E> {
    fn new(dataset: &Dataset) -> Self {
        let channels = dataset.train.channels;
        Self {
            image: Image::new(dataset.mean_color(), dataset.byte_deviation()),
            resizer: Resizer::new(channels),
            normalise: Normalise::new(&dataset.mean, &dataset.std),
            hand: Hand::new(channels),
        }
    }

    /// Takes up an image as a training step sees it.
    fn augmented(
        &mut self,
        split: &Split,
        index: usize,
        size: usize,
        chain: &Chain,
        mut draw: Draw,
    ) -> Result<Made, DataError> {
        self.image.resize(size);
        let to = Extent::square(size);
        let made = match &split.images {
            Images::Memory(_) => {
                let from = Extent::square(split.size);
                let window = chain.window(from, &mut draw);
                self.resizer.resize(split.image(index), from, window, to, &mut self.image.pixels);
                Made::Itself(split.labels[index])
            }
            Images::Stored(stored) => {
                let Draw { seed, epoch, index: number, .. } = draw;
                let crop = |of: Extent| {
                    draw = Draw::new(seed, epoch, number);
                    chain.crop(of, &mut draw)
                };
                let (hand, pixels) = (&mut self.hand, &mut self.image.pixels);
                let served = stored.serve_or_another(index, &split.labels, to, hand, pixels, crop)?;
                let label = split.labels[served];
                if served == index { Made::Itself(label) } else { Made::Another(label) }
            }
        };
        chain.apply(&mut self.image, &mut draw);
        Ok(made)
    }

    /// Takes up an image as it is.
    fn plain(&mut self, split: &Split, index: usize, to: Extent) -> Result<Made, DataError> {
        let pixels = &mut self.image.pixels;
        pixels.resize(to.width * to.height * split.channels, 0);
        let is_there = match &split.images {
            Images::Memory(_) => {
                let from = Extent::square(split.size);
                self.resizer.resize(split.image(index), from, Window::whole(from), to, pixels);
                true
            }
            Images::Stored(stored) => stored.serve_or_leave_out(index, to, &mut self.hand, pixels)?,
        };
        Ok(if is_there { Made::Itself(split.labels[index]) } else { Made::Nothing })
    }

    /// Puts the image at hand into its place.
    fn put(&self, target: &mut [E]) {
        self.normalise.apply(&self.image.pixels, target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::chain;
    use crate::mix::mixer;
    use crate::registry::{Choice, Settings, Value};
    use crate::{Facts, FactsSource};

    const TRAIN: usize = 25;

    /// Image `i` has label `i`; training images are of 8×8 and vary from pixel to pixel.
    fn dataset() -> Arc<Dataset> {
        of_images(TRAIN, 251)
    }

    /// Of so many images, whose values lie below `modulus`.
    fn of_images(train: usize, modulus: usize) -> Arc<Dataset> {
        let split = |count: usize| Split {
            images: Images::Memory((0..count * 64 * 3).map(|i| (i * 31 % modulus) as u8).collect()),
            labels: (0..count as u32).collect(),
            size: 8,
            channels: 3,
        };
        let facts = Facts {
            name: "test".to_owned(),
            train_images: train,
            val_images: 7,
            classes: train,
            channels: 3,
            size: 8,
            source: FactsSource::Data,
        };
        Arc::new(Dataset::new(facts, Vec::new(), split(train), split(7)))
    }

    /// Batches of 10, 10 and 5 an epoch; from step 4 on at another size and unaugmented.
    fn plan(step: u64) -> Option<BatchPlan> {
        let first = step as usize % 3 * 10;
        let (size, phase) = if step < 4 { (8, 0) } else { (6, 1) };
        (step < 7).then_some(BatchPlan {
            epoch: step / 3,
            first,
            images: 10.min(TRAIN - first),
            size,
            phase,
            set: 0,
            pruned: false,
        })
    }

    fn training(seed: u64, from: u64) -> Vec<Batch> {
        let translate = Settings(
            [("pixels", Value::Int(2)), ("padding", Value::Text("reflect".to_owned()))]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
        );
        let first = [Choice::plain("flip-alternating"), Choice { kind: "translate".to_owned(), settings: translate }];
        let augment = vec![chain(&first), Chain::default()];
        let mix = vec![Mixer::default(), Mixer::default()];
        collect(Loader::training(
            Training { datasets: vec![dataset()], seed, augment, mix, at_hand: Vec::new() },
            from,
            plan,
        ))
    }

    fn collect(mut loader: Loader) -> Vec<Batch> {
        let mut batches = Vec::new();
        while let Some((batch, wait)) = loader.next_batch().unwrap() {
            assert!(wait >= 0.0);
            batches.push(batch.clone());
        }
        batches
    }

    #[test]
    fn an_epoch_serves_every_image_once() {
        let batches = training(1, 0);
        assert_eq!(batches.iter().map(|b| b.labels.len()).collect::<Vec<_>>(), [10, 10, 5, 10, 10, 5, 10]);
        for epoch in [&batches[..3], &batches[3..6]] {
            let mut labels: Vec<u32> = epoch.iter().flat_map(|b| b.labels.clone()).collect();
            labels.sort_unstable();
            assert!(labels.into_iter().eq(0..TRAIN as u32));
        }
        assert_eq!(batches.iter().map(|b| b.step).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
        assert!(batches.iter().all(|b| b.images.len() == b.labels.len() * b.size * b.size * 3));
        assert_eq!(batches[4].size, 6);
    }

    #[test]
    fn beginning_later_gives_the_same_batches() {
        let whole = training(1, 0);
        for from in 0..=7 {
            assert_eq!(training(1, from), whole[from as usize..], "from step {from}");
        }
        assert_ne!(training(2, 0)[0], whole[0]);
    }

    /// Three epochs, of which the second is of another set: its images, its order, its mean and deviation.
    #[test]
    fn another_set_is_served_from_an_epoch_on() {
        let sets = [dataset(), of_images(12, 101)];
        let cut = |step: u64| {
            let (epoch, first, set) = [(0, 0, 0), (0, 20, 0), (1, 0, 1), (1, 8, 1), (2, 0, 0)][step as usize];
            let images = if set == 0 { 20.min(TRAIN - first) } else { 8.min(12 - first) };
            BatchPlan { epoch, first, images, size: 8, phase: 0, set, pruned: false }
        };
        let served = |from: u64| {
            let (augment, mix) = (vec![Chain::default()], vec![Mixer::default()]);
            let training = Training { datasets: sets.to_vec(), seed: 1, augment, mix, at_hand: Vec::new() };
            collect(Loader::training(training, from, move |step| (step < 5).then(|| cut(step))))
        };
        let whole = served(0);
        for from in 0..=5 {
            assert_eq!(served(from), whole[from as usize..], "from step {from}");
        }
        for (step, batch) in whole.iter().enumerate() {
            let set = &sets[cut(step as u64).set];
            let mut values = vec![0.0; 64 * 3];
            for (label, image) in batch.labels.iter().zip(batch.images.chunks_exact(64 * 3)) {
                Normalise::new(&set.mean, &set.std).apply(set.train.image(*label as usize), &mut values);
                assert_eq!(image, values, "step {step}, image {label}");
            }
        }
        let mut labels = [&whole[2].labels[..], &whole[3].labels].concat();
        labels.sort_unstable();
        assert!(labels.into_iter().eq(0..12));
    }

    #[test]
    fn unaugmented_batches_at_native_size_are_the_normalised_set() {
        let set = dataset();
        let batches = collect(Loader::validation(Arc::clone(&set), 8, 3));
        assert_eq!(
            batches.iter().map(|b| b.labels.clone()).collect::<Vec<_>>(),
            [vec![0, 1, 2], vec![3, 4, 5], vec![6]]
        );
        let values = batches.iter().flat_map(|b| &b.images);
        for (i, (value, byte)) in values.zip(set.val.bytes()).enumerate() {
            let expected = (f32::from(*byte) / 255.0 - set.mean[i % 3]) / set.std[i % 3];
            assert!((value - expected).abs() < 1e-5, "{i}: {value} {expected}");
        }
    }

    #[test]
    fn a_crop_is_taken_from_the_stored_image() {
        let (set, seed) = (dataset(), 1);
        let numbers = [("min_scale", 0.2), ("max_scale", 0.5), ("ratio", 2.0)];
        let crop = [Choice::with("random-resized-crop", numbers.map(|(key, number)| (key, Value::Float(number))))];
        let augment = || vec![chain(&crop), chain(&crop)];
        let training = Training {
            datasets: vec![Arc::clone(&set)],
            seed,
            augment: augment(),
            mix: vec![Mixer::default(), Mixer::default()],
            at_hand: Vec::new(),
        };
        let mut windows = std::collections::BTreeSet::new();
        for batch in collect(Loader::training(training, 0, plan)) {
            let len = batch.size * batch.size * 3;
            let (from, to) = (Extent::square(8), Extent::square(batch.size));
            for (label, image) in batch.labels.iter().zip(batch.images.chunks_exact(len)) {
                let draw = &mut Draw::new(seed, batch.step / 3, u64::from(*label));
                let window = augment()[0].window(from, draw);
                let (mut bytes, mut values) = (vec![0; len], vec![0.0; len]);
                Resizer::new(3).resize(set.train.image(*label as usize), from, window, to, &mut bytes);
                Normalise::new(&set.mean, &set.std).apply(&bytes, &mut values);
                assert_eq!(image, values, "step {}, image {label}", batch.step);
                windows.insert((window.left, window.top, window.width, window.height));
            }
        }
        assert!(windows.len() > 20, "{windows:?}");
    }

    /// The second phase is mixed, in the order and with the images of the unmixed one.
    #[test]
    fn a_phase_may_mix_its_batches() {
        let mixing = Choice::with("mixup", [("alpha", Value::Float(1.0)), ("probability", Value::Float(1.0))]);
        let batches = |from: u64, list: &[Choice]| {
            let augment = vec![Chain::default(), Chain::default()];
            let mix = vec![Mixer::default(), mixer(list)];
            collect(Loader::training(
                Training { datasets: vec![dataset()], seed: 1, augment, mix, at_hand: Vec::new() },
                from,
                plan,
            ))
        };
        let (mixed, plain) = (batches(0, std::slice::from_ref(&mixing)), batches(0, &[]));
        assert_eq!(mixed[..4], plain[..4]);
        for (mixed, plain) in mixed[4..].iter().zip(&plain[4..]) {
            assert_eq!(mixed.labels, plain.labels);
            let others = mixed.mixed.as_ref().unwrap();
            let len = plain.images.len() / plain.labels.len();
            let place = |label: &u32| plain.labels.iter().position(|other| other == label).unwrap();
            for (k, other) in others.labels.iter().map(place).enumerate() {
                let of = |place: usize| &plain.images[place * len..][..len];
                for ((own, other), blend) in of(k).iter().zip(of(other)).zip(&mixed.images[k * len..]) {
                    assert!((others.own * own + (1.0 - others.own) * other - blend).abs() < 1e-6);
                }
            }
        }
        assert_eq!(batches(5, std::slice::from_ref(&mixing))[..], mixed[5..], "beginning later");
    }

    /// Epochs 0 and 2 leave images out, epoch 1 does not.
    #[test]
    fn an_epoch_serves_what_was_selected_for_it() {
        let selection = |images: &[u32], weights: Option<&[f32]>| {
            Arc::new(Selection { images: images.to_vec(), weights: weights.map(<[f32]>::to_vec) })
        };
        let loader = |from: u64, at_hand: Vec<usize>| {
            let (augment, mix) = (vec![Chain::default()], vec![Mixer::default()]);
            let training = Training { datasets: vec![dataset()], seed: 1, augment, mix, at_hand };
            let cut = |step: u64| {
                let (epoch, first, images) = [(0, 0, 2), (0, 2, 1), (1, 0, TRAIN), (2, 0, 2)][step as usize];
                BatchPlan { epoch, first, images, size: 8, phase: 0, set: 0, pruned: epoch != 1 }
            };
            Loader::<f32>::training(training, from, move |step| (step < 4).then(|| cut(step)))
        };
        for at_hand in [Vec::new(), vec![0]] {
            let mut batches = loader(0, at_hand.clone());
            let mut next = |select: Option<(u64, Arc<Selection>)>| {
                select.into_iter().for_each(|(epoch, of)| batches.select(0, epoch, of));
                let (batch, _) = batches.next_batch().unwrap().unwrap();
                assert_eq!((&batch.labels, batch.numbers.is_some()), (&batch.shown, !at_hand.is_empty()));
                (batch.labels.clone(), batch.weights.clone())
            };
            let first = selection(&[7, 3, 11], Some(&[1.0, 2.0, 0.5]));
            assert_eq!(next(Some((0, first.clone()))), (vec![7, 3], Some(vec![1.0, 2.0])));
            assert_eq!(next(None), (vec![11], Some(vec![0.5])));
            let (mut all, none) = next(None);
            all.sort_unstable();
            assert!(all.into_iter().eq(0..TRAIN as u32) && none.is_none());
            assert_eq!(next(Some((2, selection(&[4, 9], None)))), (vec![4, 9], None));
            // From within an epoch on.
            let mut batches = loader(1, at_hand);
            batches.select(0, 0, first);
            let (batch, _) = batches.next_batch().unwrap().unwrap();
            assert_eq!((&batch.labels, &batch.weights), (&vec![11], &Some(vec![0.5])));
        }
        // Nobody is waited for that is gone.
        drop(loader(0, Vec::new()));
    }

    #[test]
    fn a_plan_beyond_the_set_is_an_error() {
        let training = Training {
            datasets: vec![dataset()],
            seed: 1,
            augment: vec![Chain::default()],
            mix: vec![Mixer::default()],
            at_hand: Vec::new(),
        };
        let beyond = |_| Some(BatchPlan { epoch: 0, first: 20, images: 10, size: 8, phase: 0, set: 0, pruned: false });
        let message = Loader::<f32>::training(training, 0, beyond).next_batch().unwrap_err().to_string();
        assert!(message.contains("out of range"), "{message}");
    }

    /// Also where the net has them at hand, and on several threads: each image as its list makes it alone.
    #[test]
    fn images_that_are_edited_are_served_as_images() {
        let float = |key, value| (key, Value::Float(value));
        let text = |key, value: &str| (key, Value::Text(value.to_owned()));
        let rand = [
            float("magnitude", 6.0),
            float("deviation", 0.5),
            float("probability", 0.5),
            ("operations", Value::Int(3)),
            text("set", "timm-increasing"),
        ];
        let erasing = [
            float("probability", 0.5),
            float("min_scale", 0.1),
            float("max_scale", 0.5),
            float("ratio", 2.0),
            text("value", "noise"),
        ];
        let crop = [float("min_scale", 0.2), float("max_scale", 0.9), float("ratio", 1.5)];
        let list = [
            Choice::with("random-resized-crop", crop),
            Choice::plain("flip"),
            Choice::with("rand-augment", rand),
            Choice::with("trivial-augment", [text("interpolation", "bilinear"), text("padding", "mean")]),
            Choice::with("random-erasing", erasing),
            Choice::with("cutout", [("size", Value::Int(2))]),
        ];
        assert!(!chain(&list).is_told() && chain(&list[..2]).is_told());
        // The second phase is told.
        let from = |from: u64, at_hand: Vec<usize>| {
            let augment = vec![chain(&list), chain(&list[..2])];
            let mix = vec![Mixer::default(), Mixer::default()];
            collect(Loader::training(
                Training { datasets: vec![dataset()], seed: 3, augment, mix, at_hand },
                from,
                plan,
            ))
        };
        let (batches, set, mut resizer) = (from(0, vec![]), dataset(), Resizer::new(3));
        assert_eq!(from(2, vec![]), batches[2..], "beginning later");
        for (batch, at_hand) in batches.iter().zip(from(0, vec![0])) {
            let is_edited = batch.step < 4;
            assert_eq!(at_hand.numbers.is_none(), is_edited);
            assert!(!is_edited || at_hand == *batch);
            let len = batch.size * batch.size * 3;
            for (label, values) in batch.labels.iter().zip(batch.images.chunks_exact(len)).filter(|_| is_edited) {
                let mut draw = Draw::new(3, batch.step / 3, u64::from(*label));
                let mut image = Image::new(set.mean_color(), set.byte_deviation());
                image.resize(batch.size);
                let (chain, stored, mut want) = (chain(&list), Extent::square(8), vec![0.0f32; len]);
                let window = chain.window(stored, &mut draw);
                resizer.resize(set.train.image(*label as usize), stored, window, batch.extent, &mut image.pixels);
                chain.apply(&mut image, &mut draw);
                Normalise::new(&set.mean, &set.std).apply(&image.pixels, &mut want);
                assert_eq!(values, want, "step {}, image {label}", batch.step);
            }
        }
    }

    /// What a batch by number says makes the batch of images.
    #[test]
    fn images_at_hand_are_served_by_number() {
        let float = |key, value| (key, Value::Float(value));
        let with_border =
            |kind: &str, setting, word: &str| Choice::with(kind, [setting, ("padding", Value::Text(word.to_owned()))]);
        let translate = |word: &str| with_border("translate", ("pixels", Value::Int(3)), word);
        let rotate = with_border("rotate", float("degrees", 20.0), "mean");
        let cutout = Choice::with("cutout", [("size", Value::Int(4))]);
        let jitter = Choice::with("color-jitter", [float("strength", 0.4), float("hue", 0.1)]);
        let crop = Choice::with(
            "random-resized-crop",
            [float("min_scale", 0.2), float("max_scale", 0.9), float("ratio", 1.5)],
        );
        let flips = [Choice::plain("flip"), Choice::plain("flip-alternating")];
        let mix = |kind: &str| Choice::with(kind, [float("alpha", 1.0), float("probability", 0.7)]);
        for list in [
            vec![],
            vec![translate("reflect"), flips[0].clone(), cutout.clone()],
            vec![crop, flips[1].clone(), rotate.clone(), jitter.clone(), translate("zero")],
            vec![cutout, jitter, flips[0].clone(), rotate],
        ] {
            // The second phase, of another size, mixes.
            let from = |from: u64, at_hand: Vec<usize>| {
                let augment = vec![chain(&list), chain(&list)];
                let mix = vec![Mixer::default(), mixer(&[mix("mixup"), mix("cutmix")])];
                collect(Loader::training(
                    Training { datasets: vec![dataset()], seed: 3, augment, mix, at_hand },
                    from,
                    plan,
                ))
            };
            let (images, numbers, set) = (from(0, vec![]), from(0, vec![0]), dataset());
            assert_eq!((images.len(), numbers.len()), (7, 7));
            assert_eq!(from(2, vec![0]), numbers[2..], "beginning later");
            let mut resizer = Resizer::new(3);
            for (want, got) in images.iter().zip(&numbers) {
                let of = |batch: &Batch| (batch.labels.clone(), batch.mixed.clone(), batch.size, batch.step);
                assert_eq!(of(want), of(got));
                assert!(want.numbers.is_none() && got.images.is_empty());
                let Numbers { set: 0, images, windows, changes, mixture } = got.numbers.as_ref().unwrap() else {
                    panic!("another set")
                };
                let each = changes.len() / images.len();
                assert_eq!((each + usize::from(!windows.is_empty())) * images.len(), list.len() * images.len());
                let (mut image, mut values) =
                    (Image::new(set.mean_color(), set.byte_deviation()), vec![0.0f32; want.images.len()]);
                let (stored, len) = (Extent::square(8), want.images.len() / images.len());
                for (k, number) in images.iter().enumerate() {
                    image.resize(got.size);
                    let window = windows.get(k).copied().unwrap_or(Window::whole(stored));
                    let bytes = set.train.image(*number as usize);
                    resizer.resize(bytes, stored, window, got.extent, &mut image.pixels);
                    changes[k * each..][..each].iter().for_each(|change| change.apply(&mut image));
                    Normalise::new(&set.mean, &set.std).apply(&image.pixels, &mut values[k * len..][..len]);
                }
                mixture.iter().for_each(|mixture| mixture.apply(got.size, &mut values, &mut Vec::new()));
                assert_eq!(values, want.images, "step {}", got.step);
            }
            assert!(list.is_empty() || numbers.iter().any(|batch| batch.mixed.is_some()));
        }
    }
}
