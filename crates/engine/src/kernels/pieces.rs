//! Cutting work into tasks by its shape alone.

use std::ops::Range;

/// `0..len` in equal pieces, the last one shorter.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    len: usize,
    piece: usize,
}

impl Pieces {
    /// Pieces of `piece` units, at least one.
    pub fn of(len: usize, piece: usize) -> Self {
        Self { len, piece: piece.max(1) }
    }

    /// Pieces of units that cost `cost` elements each, so large that a task is worth its start (some 10 µs).
    pub fn worth_a_task(len: usize, cost: usize) -> Self {
        Self::of(len, (1 << 14) / cost.max(1))
    }

    pub fn count(&self) -> usize {
        self.len.div_ceil(self.piece)
    }

    pub fn get(&self, index: usize) -> Range<usize> {
        let start = index * self.piece;
        start..(start + self.piece).min(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::Pieces;

    #[test]
    fn pieces_cover_once_and_in_order() {
        for (len, piece) in [(0, 4), (1, 4), (4, 4), (9, 4), (5, 0)] {
            let pieces = Pieces::of(len, piece);
            let all: Vec<usize> = (0..pieces.count()).flat_map(|i| pieces.get(i)).collect();
            assert_eq!(all, (0..len).collect::<Vec<_>>(), "{len} by {piece}");
        }
    }
}
