//! How one phase's batches lie over the epochs, in closed form.

use crate::config::spec::LastBatch;

/// Within a millionth of an image, two distances are a tie: sums of decimal fractions of an epoch are no more exact.
const TIE: f64 = 1e-6;

/// A place in the stream of images: `offset` images into epoch `epoch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub epoch: u64,
    pub offset: u64,
}

/// The batches of one phase, numbered from 0 and without an end: where each begins, how many images it has.
///
/// An epoch is one permutation of `images` of the set, cut consecutively by `batch`. The phase may begin in mid-epoch; so
/// its batches are: those left of its first epoch, then whole epochs of equally many. The last, short batch of an epoch
/// is served, or with [`LastBatch::Drop`] left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Batches {
    images: u64,
    batch: u64,
    last: LastBatch,
    start: Position,
}

impl Batches {
    /// The batches of `batch ≤ images` from `start` on; from the next epoch on where nothing of this one can be served.
    pub fn new(images: u64, batch: u64, last: LastBatch, start: Position) -> Self {
        debug_assert!(0 < batch && batch <= images && start.offset <= images);
        let mut batches = Self { images, batch, last, start };
        if batches.count_from(start.offset) == 0 {
            batches.start = Position { epoch: start.epoch + 1, offset: 0 };
        }
        batches
    }

    /// The same from the beginning of an epoch 0 on.
    pub fn from_the_beginning(&self) -> Self {
        Self { start: Position::default(), ..self.clone() }
    }

    pub fn start(&self) -> Position {
        self.start
    }

    /// The images of an epoch, whether batches serve all of them or not.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Where batch `i` begins.
    pub fn position(&self, i: u64) -> Position {
        let first = self.count_from(self.start.offset);
        if i < first {
            return Position { epoch: self.start.epoch, offset: self.start.offset + i * self.batch };
        }
        let (epochs, left) = ((i - first) / self.per_epoch(), (i - first) % self.per_epoch());
        Position { epoch: self.start.epoch + 1 + epochs, offset: left * self.batch }
    }

    /// Images of the batch that begins at `offset`.
    pub fn images_at(&self, offset: u64) -> u64 {
        self.batch.min(self.images - offset)
    }

    /// Images of the first `i` batches.
    pub fn served(&self, i: u64) -> u64 {
        let Position { epoch, offset } = self.position(i);
        if epoch == self.start.epoch {
            offset - self.start.offset
        } else {
            self.served_from(self.start.offset) + (epoch - self.start.epoch - 1) * self.epoch_images() + offset
        }
    }

    /// Images of an epoch that has this batch size throughout: the N of `epochs`.
    pub fn epoch_images(&self) -> u64 {
        self.served_from(0)
    }

    /// Epochs since the start of training at the border before batch `i`.
    pub fn epochs(&self, i: u64) -> f64 {
        let Position { epoch, offset } = self.position(i);
        epoch as f64 + offset as f64 / self.length_of(epoch) as f64
    }

    /// The number of batches after which training stands nearest to `epochs` epochs since its start. Halfway between two
    /// borders: the later one.
    pub fn until(&self, epochs: f64) -> u64 {
        let target = self.images_until(epochs);
        let before = self.whole_batches(target);
        let missed = target - self.served(before) as f64;
        let excess = self.served(before + 1) as f64 - target;
        // Before its own start a phase has no border to end at.
        if target + TIE >= 0.0 && excess <= missed + TIE { before + 1 } else { before }
    }

    /// Images from the start to `epochs` epochs since training's: negative when that lies behind.
    fn images_until(&self, epochs: f64) -> f64 {
        let (whole, fraction) = (epochs.floor(), epochs.fract());
        let skipped = whole - self.start.epoch as f64;
        if skipped < 0.0 {
            return -1.0;
        }
        let within = fraction * self.length_of(whole as u64) as f64;
        if skipped == 0.0 {
            within - self.start.offset as f64
        } else {
            self.served_from(self.start.offset) as f64 + (skipped - 1.0) * self.epoch_images() as f64 + within
        }
    }

    /// The last border at or before `target` images.
    fn whole_batches(&self, target: f64) -> u64 {
        let target = target.max(0.0) as u64;
        let left = self.served_from(self.start.offset);
        if target < left {
            return target / self.batch;
        }
        let (epochs, rest) = ((target - left) / self.epoch_images(), (target - left) % self.epoch_images());
        self.count_from(self.start.offset) + epochs * self.per_epoch() + rest / self.batch
    }

    /// Batches of a whole epoch.
    pub fn per_epoch(&self) -> u64 {
        self.count_from(0)
    }

    /// Images that `epoch` serves: the phase's first may have begun under another batch size.
    pub fn length_of(&self, epoch: u64) -> u64 {
        let offset = if epoch == self.start.epoch { self.start.offset } else { 0 };
        offset + self.served_from(offset)
    }

    /// Batches in an epoch from `offset` to its end.
    fn count_from(&self, offset: u64) -> u64 {
        let left = self.images - offset;
        match self.last {
            LastBatch::Serve => left.div_ceil(self.batch),
            LastBatch::Drop => left / self.batch,
        }
    }

    /// Images in them.
    fn served_from(&self, offset: u64) -> u64 {
        let left = self.images - offset;
        match self.last {
            LastBatch::Serve => left,
            LastBatch::Drop => left - left % self.batch,
        }
    }
}
