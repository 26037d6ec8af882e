//! Values side by side: their channels one after another, at every pixel. No arithmetic, but for gradients that are added.

use super::parallel::{self, Shared};
use super::pieces::Pieces;
use super::{Element, Grad, Write};

#[cfg(test)]
mod tests;

/// `y[row] = [part₀[row], part₁[row], …]`; a part is `(rows, channels)` of its own number of channels, given beside it.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward<E: Element>(parts: &[(&[E], usize)], y: &mut [E]) {
    let c: usize = parts.iter().map(|(_, channels)| channels).sum();
    assert!(c > 0 && y.len().is_multiple_of(c), "concat: not whole rows");
    let rows = y.len() / c;
    assert!(parts.iter().all(|(part, channels)| part.len() == rows * channels), "concat: lengths differ");
    let pieces = Pieces::worth_a_task(rows, c);
    let y = Shared::new(y);
    parallel::for_each(pieces.count(), |task| {
        let piece = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let y = unsafe { y.part(piece.start * c, piece.len() * c) };
        for (row, y) in piece.zip(y.chunks_exact_mut(c)) {
            let mut at = 0;
            for (part, channels) in parts {
                y[at..at + channels].copy_from_slice(&part[row * channels..][..*channels]);
                at += channels;
            }
        }
    });
}

/// The gradient of the part whose channels begin at `first` of the `c` of the whole.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward<E: Element>(dy: &[E], c: usize, first: usize, channels: usize, dx: Grad<'_, E>) {
    assert!(c > 0 && dy.len().is_multiple_of(c) && first + channels <= c, "concat: not whole rows");
    let rows = dy.len() / c;
    assert_eq!(dx.to.len(), rows * channels, "concat: lengths differ");
    let pieces = Pieces::worth_a_task(rows, channels);
    let (to, write) = (Shared::new(dx.to), dx.write);
    parallel::for_each(pieces.count(), |task| {
        let piece = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let to = unsafe { to.part(piece.start * channels, piece.len() * channels) };
        for (row, to) in piece.zip(to.chunks_exact_mut(channels)) {
            let dy = &dy[row * c + first..][..channels];
            match write {
                Write::Overwrite => to.copy_from_slice(dy),
                Write::Add => to.iter_mut().zip(dy).for_each(|(to, dy)| *to = E::from_f32(to.to_f32() + dy.to_f32())),
            }
        }
    });
}
