//! One parallel pass over the flat buffers.

use super::Flat;
use rayon::prelude::*;

/// Elements a task; fixed, so that nothing depends on the number of threads.
pub const CHUNK: usize = 1 << 14;

/// The part of one segment that lies in one task.
pub struct Part<'a, const B: usize> {
    /// Its segment's index.
    pub segment: usize,
    pub params: &'a mut [f32],
    pub grads: &'a mut [f32],
    /// The optimizer's buffers, in the order they were given.
    pub buffers: [&'a mut [f32]; B],
}

/// Runs `update` over all parameters of the segments, with `B` state buffers that hold those parameters alone, one segment
/// after the other. `flat.segments` ascend and do not overlap; what lies between them is left alone.
///
/// # Panics
/// When a buffer is of another length than the segments together.
pub fn run<const B: usize>(flat: Flat<'_>, mut buffers: [&mut [f32]; B], update: impl Fn(Part<'_, B>) + Sync + Send) {
    let Flat { mut params, mut grads, segments, .. } = flat;
    let (len, tasks) =
        segments.iter().map(|s| s.range.len()).fold((0, 0), |(all, n), l| (all + l, n + l.div_ceil(CHUNK)));
    for buffer in &buffers {
        assert_eq!(buffer.len(), len, "the optimizer was made for another number of parameters");
    }
    let mut parts = Vec::with_capacity(tasks);
    let mut at = 0;
    for (index, segment) in segments.iter().enumerate() {
        let gap = segment.range.start - at;
        take(&mut params, gap);
        take(&mut grads, gap);
        for start in segment.range.clone().step_by(CHUNK) {
            let n = CHUNK.min(segment.range.end - start);
            let buffers = buffers.each_mut().map(|buffer| take(buffer, n));
            let (params, grads) = (take(&mut params, n), take(&mut grads, n));
            parts.push(Part { segment: index, params, grads, buffers });
        }
        at = segment.range.end;
    }
    parts.into_par_iter().for_each(update);
}

/// Cuts the first `n` elements off.
fn take<'a>(rest: &mut &'a mut [f32], n: usize) -> &'a mut [f32] {
    let (first, others) = std::mem::take(rest).split_at_mut(n);
    *rest = others;
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::optim::Segment;

    #[test]
    fn every_segment_is_visited_once_and_gaps_never() {
        let len = 3 * CHUNK + 5;
        let ranges = [0..3, 3..CHUNK, CHUNK + 1..2 * CHUNK + 7, 2 * CHUNK + 9..len];
        let segments: Vec<Segment> =
            ranges.into_iter().map(|range| Segment { name: String::new(), shape: vec![range.len()], range }).collect();
        let len_of_all = segments.iter().map(|s| s.range.len()).sum();
        let (mut params, mut grads, mut buffer) = (vec![0.0; len], vec![0.0; len], vec![0.0; len_of_all]);
        let flat = Flat { params: &mut params, grads: &mut grads, loss: 0.0, segments: &segments, isa: Isa::Portable };
        run(flat, [&mut buffer], |part| {
            let range = &segments[part.segment].range;
            assert!(part.params.len() <= range.len());
            part.params.iter_mut().for_each(|p| *p += 1.0);
            part.buffers[0].iter_mut().for_each(|b| *b += 1.0);
        });
        for (i, param) in params.iter().enumerate() {
            let inside = segments.iter().any(|s| s.range.contains(&i));
            assert_eq!(*param, f32::from(u8::from(inside)), "{i}");
        }
        assert!(buffer.iter().all(|b| *b == 1.0));
    }
}
