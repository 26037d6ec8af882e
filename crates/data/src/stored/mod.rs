//! Images that stay on disk and are decoded each time they are served, at the size that is asked for.
//!
//! What is served is a function of the files, the draw and the size alone: never of the thread, nor of what was served before.

mod files;
pub mod pack;
mod threads;

#[cfg(test)]
mod tests;

pub use files::{Files, Skipped, check};
pub use threads::{on_pool, pool, set_threads};

use crate::DataError;
use crate::picture::{self, Decoder};
use crate::resize::{Extent, Region, Resizer, Window};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where the images of a split are.
pub trait Source: Send + Sync {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn extent(&self, index: usize) -> Extent;

    /// By what a person finds it.
    fn name(&self, index: usize) -> PathBuf;

    /// Its bytes; what has to be read goes into `room`.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    fn held<'a>(&'a self, index: usize, room: &'a mut Vec<u8>) -> Result<Held<'a>, DataError>;
}

/// An image as it is kept.
pub enum Held<'a> {
    /// A PNG or JPEG file.
    File(&'a [u8]),
    /// `(height, width, channels)`
    Pixels(&'a [u8]),
}

/// How images are served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    pub channels: usize,
    /// Without a crop the image is brought to the extent that just covers this many times the one that is asked for, of
    /// which the middle is served.
    pub margin: f64,
    /// Images that turn out to be damaged are left out or, where a batch must be whole, replaced; without this they are errors.
    pub skip_bad: bool,
    /// Whether validation images keep their shape: batches of alike ones, which see more of them than the middle square.
    pub rectangular: bool,
    /// Whether images are turned as the EXIF orientation of their files says; extents are then those of the turned ones.
    pub turns: bool,
}

/// The images of a split.
pub struct Stored {
    source: Box<dyn Source>,
    manner: Manner,
    /// Damaged images that were logged, each once.
    told: Mutex<BTreeSet<usize>>,
    /// Where damaged images are gone without, or all are looked at once: whose file was seen to be whole. A part of one that is not
    /// may well be decoded, and an image must not be in the set at one size and not at another.
    whole: Vec<AtomicBool>,
}

/// What one thread needs to serve images; kept from one to the next.
pub struct Hand {
    decoder: Decoder,
    resizer: Resizer,
    bytes: Vec<u8>,
}

impl Hand {
    pub fn new(channels: usize) -> Self {
        Self { decoder: Decoder::default(), resizer: Resizer::new(channels), bytes: Vec::new() }
    }
}

impl Stored {
    pub fn new(source: impl Source + 'static, manner: Manner) -> Self {
        let stored = Self { source: Box::new(source), manner, told: Mutex::default(), whole: Vec::new() };
        if manner.skip_bad { stored.checked() } else { stored }
    }

    /// With every file seen to be whole before a part of it is first served, which takes as long again as to decode it small.
    pub fn checked(self) -> Self {
        let whole = (0..self.source.len()).map(|_| AtomicBool::new(false)).collect();
        Self { whole, ..self }
    }

    pub fn manner(&self) -> Manner {
        self.manner
    }

    pub fn extent(&self, index: usize) -> Extent {
        self.source.extent(index)
    }

    /// By what a person finds an image.
    pub fn name(&self, index: usize) -> PathBuf {
        self.source.name(index)
    }

    /// Writes an image of the extent `to` into `target`, `(to.height, to.width, channels)`: the window that `crop` chooses in
    /// it, else the middle.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn serve(
        &self,
        index: usize,
        to: Extent,
        Hand { decoder, resizer, bytes }: &mut Hand,
        target: &mut [u8],
        crop: impl FnOnce(Extent) -> Option<Window>,
    ) -> Result<(), DataError> {
        let of = self.source.extent(index);
        let region = crop(of).map_or_else(|| Region::middle(of, to, self.manner.margin), Region::from);
        match self.source.held(index, bytes)? {
            Held::Pixels(pixels) => resizer.resize_region(pixels, of, region, to, target),
            Held::File(file) => {
                let name = self.source.name(index);
                if let Some(whole) = self.whole.get(index).filter(|whole| !whole.load(Ordering::Relaxed)) {
                    picture::check_whole(&name, file, self.manner.channels)?;
                    whole.store(true, Ordering::Relaxed);
                }
                let (turn, channels) = (picture::turn(file, self.manner.turns), self.manner.channels);
                let decoded = decoder.turned(turn, &name, file, channels, of, (region, to))?;
                decoded.resize(resizer, region, to, target);
            }
        }
        Ok(())
    }

    /// As [`serve`](Self::serve); where the image is damaged and such ones are skipped, the next of its class that is not, seen
    /// through `crop` anew, and where all of its class are damaged, of any. `labels`: the class of each image of the split. Gives
    /// the index of the image that was served, which depends on the files, the window and the size alone.
    ///
    /// # Errors
    /// When an image cannot be read; when one is damaged and not skipped, or all are.
    pub fn serve_or_another(
        &self,
        index: usize,
        labels: &[u32],
        to: Extent,
        hand: &mut Hand,
        target: &mut [u8],
        mut crop: impl FnMut(Extent) -> Option<Window>,
    ) -> Result<usize, DataError> {
        let (all, class) = (labels.len(), labels[index]);
        let others = || (1..all).map(move |further| (index + further) % all);
        let alike = others().filter(|at| labels[*at] == class);
        let unlike = others().filter(|at| labels[*at] != class);
        for at in std::iter::once(index).chain(alike).chain(unlike) {
            match self.serve(at, to, hand, target, &mut crop) {
                Err(error) if self.skips(&error) => self.tell(at, "another image stands in for it", &error),
                done => return done.map(|()| at),
            }
        }
        Err(self.none_of(all))
    }

    /// As [`serve`](Self::serve), the middle; `false` where the image is damaged and such ones are skipped: it is left out.
    ///
    /// # Errors
    /// When it cannot be read; when it is damaged and not skipped.
    pub fn serve_or_leave_out(
        &self,
        index: usize,
        to: Extent,
        hand: &mut Hand,
        target: &mut [u8],
    ) -> Result<bool, DataError> {
        match self.serve(index, to, hand, target, |_| None) {
            Err(error) if self.skips(&error) => {
                self.tell(index, "it is left out", &error);
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// What to say where so many images were looked at, and all are damaged.
    pub fn none_of(&self, images: usize) -> DataError {
        DataError::Unusable {
            path: self.source.name(0),
            problem: format!("cannot be decoded, and neither can the others: none of {images} images"),
            remedy: "see with `runner data info --verify` what is wrong with them".to_owned(),
        }
    }

    /// Whether an image is done without, for which that error was met. A disk that does not answer is no damaged file.
    fn skips(&self, error: &DataError) -> bool {
        self.manner.skip_bad && matches!(error, DataError::Unusable { .. })
    }

    /// Decodes an image whole, as verifying and packing do.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn whole(&self, index: usize, hand: &mut Hand) -> Result<(), DataError> {
        if let Held::File(file) = self.source.held(index, &mut hand.bytes)? {
            let (name, channels) = (self.source.name(index), self.manner.channels);
            picture::check_whole(&name, file, channels)?;
            hand.decoder.whole(&name, file, channels)?;
        }
        Ok(())
    }

    /// Logs once what becomes of a damaged image.
    fn tell(&self, index: usize, what: &str, error: &DataError) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(index) {
            log::warn!("{what}: {}", error.to_string().lines().next().unwrap_or_default());
        }
    }
}
