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
use crate::picture::Decoder;
use crate::resize::{Extent, Region, Resizer, Window};
use std::collections::BTreeMap;
use std::path::PathBuf;
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
    /// An image that turns out to be damaged is replaced by the next one of its split; without this it is an error.
    pub skip_bad: bool,
    /// Whether validation images keep their shape: batches of alike ones, which see more of them than the middle square.
    pub rectangular: bool,
}

/// The images of a split.
pub struct Stored {
    source: Box<dyn Source>,
    manner: Manner,
    /// Damaged images met so far.
    replaced: Mutex<BTreeMap<usize, String>>,
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
        Self { source: Box::new(source), manner, replaced: Mutex::default() }
    }

    pub fn manner(&self) -> Manner {
        self.manner
    }

    pub fn extent(&self, index: usize) -> Extent {
        self.source.extent(index)
    }

    /// How many damaged images have been replaced so far.
    pub fn replaced(&self) -> usize {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Writes an image of the extent `to` into `target`, `(to.height, to.width, channels)`: the window that `crop` chooses in
    /// it, else the middle. Gives the index of the image that was served, which is another one where this is damaged and such
    /// ones are skipped: the next that is not, seen through `crop` anew.
    ///
    /// # Errors
    /// When an image cannot be read; when one is damaged and not skipped, or all are.
    pub fn serve(
        &self,
        index: usize,
        to: Extent,
        hand: &mut Hand,
        target: &mut [u8],
        mut crop: impl FnMut(Extent) -> Option<Window>,
    ) -> Result<usize, DataError> {
        let all = self.source.len();
        let mut last = None;
        for at in (0..all).map(|further| (index + further) % all) {
            match self.serve_this(at, to, hand, target, &mut crop) {
                Err(error @ DataError::Unusable { .. }) if self.manner.skip_bad => {
                    self.note(at, &error);
                    last = Some(error);
                }
                done => return done.map(|()| at),
            }
        }
        Err(last.unwrap_or_else(|| DataError::Unusable {
            path: PathBuf::new(),
            problem: "a split without images".to_owned(),
            remedy: "add some".to_owned(),
        }))
    }

    fn serve_this(
        &self,
        index: usize,
        to: Extent,
        Hand { decoder, resizer, bytes }: &mut Hand,
        target: &mut [u8],
        crop: &mut impl FnMut(Extent) -> Option<Window>,
    ) -> Result<(), DataError> {
        let of = self.source.extent(index);
        let region = crop(of).map_or_else(|| Region::middle(of, to, self.manner.margin), Region::from);
        match self.source.held(index, bytes)? {
            Held::Pixels(pixels) => resizer.resize_region(pixels, of, region, to, target),
            Held::File(file) => {
                let name = self.source.name(index);
                let decoded = decoder.part(&name, file, self.manner.channels, of, (region, to))?;
                decoded.resize(resizer, region, to, target);
            }
        }
        Ok(())
    }

    /// Decodes an image whole, as verifying and packing do.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn whole(&self, index: usize, hand: &mut Hand) -> Result<(), DataError> {
        if let Held::File(file) = self.source.held(index, &mut hand.bytes)? {
            hand.decoder.whole(&self.source.name(index), file, self.manner.channels)?;
        }
        Ok(())
    }

    fn note(&self, index: usize, error: &DataError) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.entry(index).or_insert_with(|| {
            let text = error.to_string();
            log::warn!("replaced by the next image: {}", text.lines().next().unwrap_or_default());
            text
        });
    }
}
