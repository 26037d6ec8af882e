//! One parallel pass over the flat buffers.

use super::{Flat, Segment};
use rayon::prelude::*;
use std::ops::Range;

/// Elements a task; fixed, so that nothing depends on the number of threads.
const CHUNK: usize = 1 << 14;

/// The part of one segment that lies in one task.
pub struct Part<'a, const B: usize> {
    pub segment: &'a Segment,
    pub params: &'a mut [f32],
    pub grads: &'a [f32],
    /// The optimizer's buffers, in the order they were given.
    pub buffers: [&'a mut [f32]; B],
}

/// Runs `update` over all parameters with `B` state buffers as long as they are. `flat.segments` ascend and do not
/// overlap; what lies between them is left alone.
///
/// # Panics
/// When a buffer is of another length than the parameters.
pub fn run<const B: usize>(flat: Flat<'_>, buffers: [&mut [f32]; B], update: impl Fn(Part<'_, B>) + Sync + Send) {
    let Flat { params, grads, segments } = flat;
    for len in buffers.iter().map(|b| b.len()).chain([grads.len()]) {
        assert_eq!(len, params.len(), "the optimizer was made for another number of parameters");
    }
    let tasks = params.len().div_ceil(CHUNK);
    let mut parts: Vec<[&mut [f32]; B]> = split(buffers, tasks);
    params.par_chunks_mut(CHUNK).zip(grads.par_chunks(CHUNK)).zip(parts.par_iter_mut()).enumerate().for_each(
        |(task, ((params, grads), buffers))| {
            let chunk = task * CHUNK..task * CHUNK + params.len();
            let first = segments.partition_point(|s| s.range.end <= chunk.start);
            for segment in segments[first..].iter().take_while(|s| s.range.start < chunk.end) {
                let here = within(&segment.range, &chunk);
                update(Part {
                    segment,
                    params: &mut params[here.clone()],
                    grads: &grads[here.clone()],
                    buffers: buffers.each_mut().map(|b| &mut b[here.clone()]),
                });
            }
        },
    );
}

/// The buffers of each task.
fn split<const B: usize>(buffers: [&mut [f32]; B], tasks: usize) -> Vec<[&mut [f32]; B]> {
    let mut chunks = buffers.map(|b| b.chunks_mut(CHUNK));
    (0..tasks).map(|_| chunks.each_mut().map(|c| c.next().unwrap_or_default())).collect()
}

/// `range ∩ chunk`, counted from the chunk's start.
fn within(range: &Range<usize>, chunk: &Range<usize>) -> Range<usize> {
    range.start.max(chunk.start) - chunk.start..range.end.min(chunk.end) - chunk.start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_visited_once_and_gaps_never() {
        let len = 3 * CHUNK + 5;
        let ranges = [0..3, 3..CHUNK, CHUNK + 1..2 * CHUNK + 7, 2 * CHUNK + 9..len];
        let segments: Vec<Segment> = ranges
            .into_iter()
            .map(|range| Segment {
                name: String::new(),
                shape: vec![range.len()],
                range,
                lr_scale: 1.0,
                weight_decay: None,
            })
            .collect();
        let (mut params, mut grads, mut buffer) = (vec![0.0; len], vec![0.0; len], vec![0.0; len]);
        let flat = Flat { params: &mut params, grads: &mut grads, segments: &segments };
        run(flat, [&mut buffer], |part| {
            part.params.iter_mut().for_each(|p| *p += 1.0);
            part.buffers[0].iter_mut().for_each(|b| *b += 1.0);
        });
        let visits = |i: usize| f32::from(u8::from(segments.iter().any(|s| s.range.contains(&i))));
        for i in 0..len {
            assert_eq!((params[i], buffer[i]), (visits(i), visits(i)), "{i}");
        }
    }
}
