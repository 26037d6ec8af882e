//! Which source pixels an output pixel reads: taps along each axis, and how pictures are cut into chunks of rows.
//!
//! Forward and data gradient are the same operation, a correlation: each output pixel sums, over a set of taps, products
//! of one source pixel with one weight matrix. They differ in taps, step, and where the outputs lie ([`Axis`]).

use std::ops::Range;

/// One tap along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    /// Source position minus `step ·` output position; negative where it reaches into the padding.
    pub offset: isize,
    /// Its index in the kernel.
    pub kernel: usize,
}

/// One axis of a correlation: output `i` reads source positions `(i · step) · pick + tap.offset` and lies at `first + i · every`
/// of the destination.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Length of the source.
    pub source: usize,
    pub outputs: usize,
    /// Positions of the band from one output to the next.
    pub step: usize,
    /// Source positions from one of the band to the next: with a single tap those in between are never read.
    pub pick: usize,
    /// By ascending offset.
    pub taps: Vec<Tap>,
    pub first: usize,
    pub every: usize,
}

impl Axis {
    /// The forward pass: every output reads the whole kernel.
    pub fn forward(
        source: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        dilation: usize,
    ) -> Self {
        let tap = |k: usize| Tap { offset: (k * dilation) as isize - padding as isize, kernel: k };
        let [step, pick] = if kernel == 1 { [1, stride] } else { [stride, 1] };
        Self { source, outputs, step, pick, taps: (0..kernel).map(tap).collect(), first: 0, every: 1 }
    }

    /// Those outputs of the data gradient whose position is `phase` modulo the stride.
    ///
    /// Input `i` was read through tap `k` by output `(i + padding − k · dilation) / stride` where that is whole; in one
    /// phase this picks the same taps for all `i`, so nothing is multiplied with zeros put in between.
    pub fn backward(forward: &Axis, dilation: usize, padding: usize, phase: usize) -> Self {
        let every = forward.step * forward.pick;
        let stride = every as isize;
        let tap = |t: &Tap| {
            let reach = (phase + padding) as isize - (t.kernel * dilation) as isize;
            (reach.rem_euclid(stride) == 0).then_some(Tap { offset: reach / stride, kernel: t.kernel })
        };
        let taps = forward.taps.iter().rev().filter_map(tap).collect();
        let outputs = forward.source.saturating_sub(phase).div_ceil(every);
        Self { source: forward.outputs, outputs, step: 1, pick: 1, taps, first: phase, every }
    }

    /// What several phases read together: as many outputs as the longest has, and every offset of any.
    pub fn union(phases: &[&Axis]) -> Self {
        let mut taps: Vec<Tap> = phases.iter().flat_map(|axis| axis.taps.iter().copied()).collect();
        taps.sort_by_key(|tap| tap.offset);
        taps.dedup_by_key(|tap| tap.offset);
        let outputs = phases.iter().map(|axis| axis.outputs).max().unwrap_or(0);
        Self { taps, outputs, ..phases[0].clone() }
    }

    /// The smallest offset.
    pub fn low(&self) -> isize {
        self.taps.first().map_or(0, |t| t.offset)
    }

    /// Positions of the band from the first that `outputs` neighbouring outputs read to the last; none without taps.
    pub fn span(&self, outputs: usize) -> usize {
        let (Some(first), Some(last)) = (self.taps.first(), self.taps.last()) else { return 0 };
        outputs.saturating_sub(1) * self.step + (last.offset - first.offset) as usize + 1
    }
}

/// Both axes, and the chunks that outputs are worked on in: some rows of one picture, or some whole pictures.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub rows: Axis,
    pub cols: Axis,
    /// Pictures of a chunk.
    chunk_images: usize,
    /// Output rows of a chunk; all of them when a chunk has several pictures.
    chunk_rows: usize,
}

/// One chunk of the outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub images: Range<usize>,
    pub rows: Range<usize>,
}

impl Grid {
    /// Chunks of about `pixels` outputs whose source, padded, has at most `band` pixels (but at least one row).
    pub fn new(rows: Axis, cols: Axis, pixels: usize, band: usize) -> Self {
        let width = cols.span(cols.outputs);
        let fits = |r: usize| r * cols.outputs <= pixels && rows.span(r) * width <= band;
        let most = (1..=rows.outputs).rev().find(|&r| fits(r)).unwrap_or(1);
        if most < rows.outputs {
            // Equal parts: no chunk is left with a single row.
            let chunk_rows = rows.outputs.div_ceil(rows.outputs.div_ceil(most));
            return Self { rows, cols, chunk_images: 1, chunk_rows };
        }
        let by_pixels = pixels / (rows.outputs * cols.outputs).max(1);
        let by_band = band / (rows.span(rows.outputs) * width).max(1);
        let chunk_images = by_pixels.min(by_band).max(1);
        Self { chunk_rows: rows.outputs, rows, cols, chunk_images }
    }

    fn chunks_per_image(&self) -> usize {
        self.rows.outputs.div_ceil(self.chunk_rows.max(1))
    }

    /// Number of chunks that `n` pictures make.
    pub fn chunks(&self, n: usize) -> usize {
        if self.chunk_images > 1 { n.div_ceil(self.chunk_images) } else { n * self.chunks_per_image() }
    }

    pub fn chunk(&self, index: usize, n: usize) -> Chunk {
        if self.chunk_images > 1 {
            let start = index * self.chunk_images;
            return Chunk { images: start..n.min(start + self.chunk_images), rows: 0..self.rows.outputs };
        }
        let (image, part) = (index / self.chunks_per_image(), index % self.chunks_per_image());
        let row = part * self.chunk_rows;
        Chunk { images: image..image + 1, rows: row..self.rows.outputs.min(row + self.chunk_rows) }
    }

    /// Output pixels of the largest chunk.
    pub fn chunk_pixels(&self) -> usize {
        self.chunk_images * self.chunk_rows * self.cols.outputs
    }

    /// Output pixels of this chunk.
    pub fn pixels(&self, chunk: &Chunk) -> usize {
        self.pixels_of([self.rows.outputs, self.cols.outputs], chunk)
    }

    /// Output pixels of this chunk in a phase that has so many rows and columns of outputs.
    pub fn pixels_of(&self, [rows, cols]: [usize; 2], chunk: &Chunk) -> usize {
        chunk.images.len() * chunk.rows.end.min(rows).saturating_sub(chunk.rows.start) * cols
    }

    /// Columns of a band: the padded width of the source.
    pub fn band_cols(&self) -> usize {
        self.cols.span(self.cols.outputs)
    }

    /// Rows of a picture in the largest chunk's band.
    pub fn band_rows(&self) -> usize {
        self.rows.span(self.chunk_rows)
    }

    /// Pixels of the largest chunk's band.
    pub fn band_pixels(&self) -> usize {
        self.chunk_images * self.band_rows() * self.band_cols()
    }

    /// For each output of the largest chunk, in order, the band pixel that an output with tap offset `low` would read.
    /// A smaller chunk uses the beginning: pictures are outermost, then rows.
    pub fn band_offsets(&self, pixel: usize) -> Vec<u32> {
        self.band_offsets_of([self.rows.outputs, self.cols.outputs], pixel)
    }

    /// The same of a phase that has so many rows and columns of outputs.
    pub fn band_offsets_of(&self, outputs: [usize; 2], pixel: usize) -> Vec<u32> {
        let (line, picture) = (self.band_cols(), self.band_rows() * self.band_cols());
        self.each_output(outputs, |i, r, c| (i * picture + r * self.rows.step * line + c * self.cols.step) * pixel)
    }

    /// For each output of the largest chunk that a phase has, its pixel in a destination `width` wide and `height` high, from
    /// that of picture and row (0, 0) of the chunk in the first phase.
    pub fn destination_offsets(&self, [rows, cols]: [&Axis; 2], height: usize, width: usize) -> Vec<u32> {
        let row = |r: usize| rows.first + r * rows.every;
        let col = |c: usize| cols.first + c * cols.every;
        self.each_output([rows.outputs, cols.outputs], |i, r, c| (i * height + row(r)) * width + col(c))
    }

    fn each_output(&self, [rows, cols]: [usize; 2], f: impl Fn(usize, usize, usize) -> usize) -> Vec<u32> {
        let mut out = Vec::with_capacity(self.chunk_pixels());
        for i in 0..self.chunk_images {
            for r in 0..self.chunk_rows.min(rows) {
                for c in 0..cols {
                    out.push(u32::try_from(f(i, r, c)).expect("a chunk has fewer than 2^32 elements"));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_output_once() {
        for (outputs, kernel, pixels, band) in [(1, 1, 8, 8), (7, 3, 20, 1000), (16, 3, 64, 40), (4, 5, 100, 1000)] {
            let axis = Axis::forward(outputs + kernel - 1, outputs, kernel, 1, 0, 1);
            let grid = Grid::new(axis.clone(), axis, pixels, band);
            for n in [1, 2, 5] {
                let mut seen = vec![0; n * outputs];
                for chunk in (0..grid.chunks(n)).map(|i| grid.chunk(i, n)) {
                    assert!(grid.pixels(&chunk) <= grid.chunk_pixels());
                    chunk.images.for_each(|i| chunk.rows.clone().for_each(|r| seen[i * outputs + r] += 1));
                }
                assert!(seen.iter().all(|&s| s == 1), "{outputs} {kernel} {n}: {seen:?}");
            }
        }
    }

    #[test]
    fn phases_of_the_gradient_reach_each_pair_of_input_and_output_once() {
        for (source, kernel, stride, padding, dilation) in
            [(7, 3, 2, 1, 1), (9, 2, 3, 0, 1), (8, 3, 2, 2, 2), (5, 1, 2, 0, 1), (6, 7, 4, 3, 1)]
        {
            let outputs = (source + 2 * padding - (kernel - 1) * dilation - 1) / stride + 1;
            let forward = Axis::forward(source, outputs, kernel, stride, padding, dilation);
            let mut expected = Vec::new();
            for o in 0..outputs {
                for t in &forward.taps {
                    let i = (o * stride) as isize + t.offset;
                    if (0..source as isize).contains(&i) {
                        expected.push((i as usize, o, t.kernel));
                    }
                }
            }
            let mut seen = Vec::new();
            for phase in 0..stride {
                let axis = Axis::backward(&forward, dilation, padding, phase);
                for j in 0..axis.outputs {
                    for t in &axis.taps {
                        let o = j as isize + t.offset;
                        if (0..outputs as isize).contains(&o) {
                            seen.push((axis.first + j * axis.every, o as usize, t.kernel));
                        }
                    }
                }
            }
            expected.sort_unstable();
            seen.sort_unstable();
            assert_eq!(seen, expected);
        }
    }
}
