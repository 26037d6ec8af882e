//! Some images of a split on disk, brought into memory.

use super::stored::{Hand, Skipped, on_pool};
use super::{DataError, Images, Split};
use crate::resize::Extent;
use rayon::prelude::*;

/// How many images the statistics of a set on disk are computed from. Of ImageNet they tell the mean to some 0.005.
pub const IMAGES: usize = 512;

/// `count` images spread evenly over the split, or all of a smaller one, as squares of its size; without the damaged ones, where such
/// are skipped, which come beside.
///
/// # Errors
/// When one cannot be served, or all of them are damaged.
pub fn middle(split: &Split, count: usize) -> Result<(Split, Vec<Skipped>), DataError> {
    let (size, channels, all) = (split.size, split.channels, split.labels.len());
    let indices: Vec<usize> = spread(count, all).collect();
    let len = size * size * channels;
    let mut images = vec![0; indices.len() * len];
    let Some(stored) = split.stored() else {
        indices.iter().zip(images.chunks_exact_mut(len)).for_each(|(k, to)| to.copy_from_slice(split.image(*k)));
        let labels = indices.iter().map(|k| split.labels[*k]).collect();
        return Ok((Split { images: Images::Memory(images), labels, size, channels }, Vec::new()));
    };
    let served = on_pool(|| {
        let places = indices.par_iter().zip(images.par_chunks_exact_mut(len));
        places
            .map_init(
                || Hand::new(channels),
                |hand, (k, to)| stored.serve(*k, Extent::square(size), hand, to, |_| None),
            )
            .collect::<Vec<_>>()
    });
    let (mut labels, mut errors) = (Vec::new(), Vec::new());
    for ((place, index), served) in indices.iter().enumerate().zip(served) {
        match served {
            Ok(()) => {
                images.copy_within(place * len..(place + 1) * len, labels.len() * len);
                labels.push(split.labels[*index]);
            }
            Err(error) => errors.push(error),
        }
    }
    images.truncate(labels.len() * len);
    let skipped = match stored.manner().skip_bad {
        true => errors.into_iter().map(Skipped::of).collect::<Result<Vec<_>, _>>()?,
        false => DataError::together(errors).map_or(Ok(Vec::new()), Err)?,
    };
    if labels.is_empty() {
        return Err(stored.none_of(indices.len()));
    }
    Ok((Split { images: Images::Memory(images), labels, size, channels }, skipped))
}

/// `count` numbers below `all`, or all of fewer, evenly.
pub fn spread(count: usize, all: usize) -> impl Iterator<Item = usize> {
    let count = count.min(all);
    (0..count).map(move |k| (k as u64 * all as u64 / count as u64) as usize)
}
