//! `runner data info --verify`.

use crate::cli::Failure;
use crate::data::stored::{Hand, on_pool};
use crate::data::{DataError, Dataset};
use crate::record::console::Counter;
use crate::units::count;
use rayon::prelude::*;

/// Images between two looks at the counter.
const AT_ONCE: usize = 256;

/// Decodes all images on disk, and names the damaged ones on standard error. Of a set in memory all were decoded already.
///
/// # Errors
/// When there are damaged ones.
pub fn run(set: &Dataset) -> Result<(), Failure> {
    let all = set.train.labels.len() + set.val.labels.len();
    let counter = Counter::new("verifying", "images", all as u64);
    let (mut done, mut bad) = (0, Vec::new());
    for split in [&set.train, &set.val] {
        let Some(stored) = split.stored() else { continue };
        let indices: Vec<usize> = (0..split.labels.len()).collect();
        for part in indices.chunks(AT_ONCE) {
            let look = |hand: &mut Hand, index: &usize| stored.whole(*index, hand).err();
            let found: Vec<Option<DataError>> =
                on_pool(|| part.par_iter().map_init(|| Hand::new(split.channels), look).collect());
            bad.extend(found.into_iter().flatten());
            done += part.len();
            counter.at(done as u64);
        }
    }
    drop(counter);
    let Some(first) = bad.pop() else { return Ok(()) };
    bad.iter().for_each(|error| anstream::eprintln!("{error}"));
    anstream::eprintln!("{} of {} images are damaged", count(bad.len() as u64 + 1), count(all as u64));
    Err(first.into())
}
