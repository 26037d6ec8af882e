//! Steps of optimizers, on flat buffers.
//!
//! Parameters and gradients are `f32` buffers of one length, in which the [`Segment`]s of an optimizer ascend; what
//! lies between them is left alone. The optimizer's own buffers hold its segments' values alone, one segment after the
//! other. A [`Table`] of the segments lies on the device, so that a rule is one launch for all parameters, or three
//! where it needs their norms.
//!
//! A rule is a function of its factors, which the caller computes from rates, momenta and shares, in `f64`. Values are
//! computed in the order that the documented formulas have, products rounded before they are added: steps are the same
//! to the last bit wherever a device and a CPU have the same factors. Norms are sums in another order, and alike to
//! about 1e-7 of themselves.

pub mod average;
pub mod gradient;
pub mod lamb;
pub mod lars;
pub mod lion;
pub mod mix;
pub mod moments;
pub mod muon;
pub mod rmsprop;
pub mod schedule_free;
pub mod sgd;
#[cfg(test)]
mod testing;

use crate::DType;
use crate::device::{Buffer, Device, Error, Grid, View};
use bytemuck::NoUninit;
use std::ops::Range;

/// Elements that a block takes: `OPTIM_CHUNK` of optim.h.
const CHUNK: usize = 4096;

/// Where one parameter lies in the flat buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub range: Range<usize>,
    /// Whether rules whose rates follow the norms of tensors, LARS and LAMB, scale this one's.
    pub adapted: bool,
}

/// A part of one segment: `OptimChunk` of optim.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Where it begins in the parameters.
    first: u64,
    /// Where it begins in a buffer that holds other things.
    state: u64,
    len: u32,
    segment: u32,
}
// SAFETY: plain numbers, and no gaps: 8 + 8 + 4 + 4 bytes, aligned to 8.
unsafe impl NoUninit for Chunk {}

impl Chunk {
    /// The chunks of a segment whose values begin at `state` in the other buffer.
    fn of(range: &Range<usize>, state: usize, segment: usize) -> impl Iterator<Item = Chunk> {
        let (start, end) = (range.start, range.end);
        range.clone().step_by(CHUNK).map(move |first| Chunk {
            first: first as u64,
            state: (state + first - start) as u64,
            len: CHUNK.min(end - first) as u32,
            segment: segment as u32,
        })
    }
}

/// `OptimSegment` of optim.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Entry {
    first_chunk: u32,
    chunks: u32,
    adapted: u32,
    /// Output channels, where it is a matrix; else 0.
    rows: u32,
}
// SAFETY: plain numbers of one size.
unsafe impl NoUninit for Entry {}

/// The segments of an optimizer, on a device.
#[derive(Debug)]
pub struct Table {
    /// Of [`Chunk`], as bytes.
    chunks: Buffer,
    chunk_count: usize,
    /// Of [`Entry`], as bytes.
    segments: Buffer,
    segment_count: usize,
    /// Of the last segment.
    end: usize,
    values: usize,
}

impl Table {
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When the segments do not ascend, or overlap.
    pub fn new(device: &Device, segments: &[Segment]) -> Result<Self, Error> {
        Self::with_rows(device, segments, |_| 0)
    }

    /// The same, of matrices with so many rows.
    fn with_rows(device: &Device, segments: &[Segment], rows: impl Fn(usize) -> usize) -> Result<Self, Error> {
        let (mut chunks, mut entries) = (Vec::new(), Vec::with_capacity(segments.len()));
        let (mut end, mut values) = (0, 0);
        for (index, Segment { range, adapted }) in segments.iter().enumerate() {
            assert!(end <= range.start && range.start <= range.end, "{range:?} after {end}: segments ascend");
            let first_chunk = chunks.len();
            chunks.extend(Chunk::of(range, values, index));
            entries.push(Entry {
                first_chunk: first_chunk as u32,
                chunks: (chunks.len() - first_chunk) as u32,
                adapted: (*adapted).into(),
                rows: rows(index) as u32,
            });
            (end, values) = (range.end, values + range.len());
        }
        assert!(chunks.len() < 1 << 31, "{} chunks", chunks.len());
        Ok(Self {
            chunks: upload(device, &chunks)?,
            chunk_count: chunks.len(),
            segments: upload(device, &entries)?,
            segment_count: entries.len(),
            end,
            values,
        })
    }

    /// Values that all segments hold: the length of an optimizer's own buffers.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Floats that [`lars::step`] and [`lamb::step`] need for sums and rates.
    pub fn scratch_len(&self) -> usize {
        2 * self.chunk_count + self.segment_count
    }

    /// A block a chunk.
    fn each_chunk(&self) -> Grid {
        Grid::blocks(self.chunk_count, 1)
    }

    /// A block a segment.
    fn each_segment(&self) -> Grid {
        Grid::blocks(self.segment_count, 1)
    }

    /// The addresses of parameters and gradients that the segments lie in.
    #[track_caller]
    fn flat(&self, params: View<'_>, grads: View<'_>) -> (u64, u64) {
        assert!(self.end <= params.len(), "segments up to {} in {} parameters", self.end, params.len());
        (params.expect(DType::F32, params.len()), grads.expect(DType::F32, params.len()))
    }

    /// The address of a buffer of the optimizer's own.
    #[track_caller]
    fn own(&self, buffer: View<'_>) -> u64 {
        buffer.expect(DType::F32, self.values)
    }

    /// The addresses of the two parts of scratch: two sums for each chunk, and a number for each segment.
    #[track_caller]
    fn scratch(&self, scratch: View<'_>) -> (u64, u64) {
        scratch.expect(DType::F32, self.scratch_len());
        (scratch.address(), scratch.part(2 * self.chunk_count..scratch.len()).address())
    }
}

/// Memory with these structs.
fn upload<N: NoUninit>(device: &Device, items: &[N]) -> Result<Buffer, Error> {
    let buffer = device.allocate(DType::U8, size_of_val(items))?;
    if !items.is_empty() {
        device.write(buffer.view(), items)?;
    }
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::testing::{devices, segments};
    use super::*;

    #[test]
    fn a_table_without_segments_is_stepped_by_nobody() {
        for device in devices() {
            let table = Table::new(&device, &[]).unwrap();
            assert_eq!((table.values(), table.scratch_len()), (0, 0));
            let (params, own) = (device.upload(&[1.0, 2.0]).unwrap(), device.upload(&[]).unwrap());
            gradient::zero(&device, &table, params.view()).unwrap();
            let factors = sgd::Factors { lr: 1.0, ..sgd::Factors::default() };
            sgd::step(&device, &table, &factors, params.view(), params.view(), own.view()).unwrap();
            assert_eq!(device.read_f32(params.view()).unwrap(), [1.0, 2.0]);
        }
    }

    #[test]
    fn chunks_cover_each_segment_once() {
        for device in devices() {
            let table = Table::new(&device, &segments()).unwrap();
            let mut bytes = vec![0u8; table.chunks.bytes()];
            device.read(table.chunks.view(), &mut bytes).unwrap();
            let (mut place, mut count) = (0, 0);
            for (index, segment) in segments().iter().enumerate() {
                for chunk in Chunk::of(&segment.range, place, index) {
                    let at = count * size_of::<Chunk>();
                    assert_eq!(bytemuck::bytes_of(&chunk), &bytes[at..at + size_of::<Chunk>()]);
                    assert_eq!(chunk.first - chunk.state, (segment.range.start - place) as u64);
                    count += 1;
                }
                place += segment.range.len();
            }
            assert_eq!((count, place), (table.chunk_count, table.values()));
        }
    }

    #[test]
    #[should_panic(expected = "segments ascend")]
    fn segments_that_overlap_are_refused() {
        let segment = |range| Segment { range, adapted: true };
        let _ = Table::new(&devices()[0], &[segment(0..3), segment(2..5)]);
    }
}
