//! Images of a set that lies on a device as bytes, as a training step sees them: moved, partly covered, normalised.

use crate::device::{Args, DType, Device, Error, Grid, View, typed_kernel};

typed_kernel!(SERVE = serve_f32, serve_bf16, serve_f16);

#[repr(C)]
#[derive(Clone, Copy)]
struct ServeArgs {
    pixels: u64,
    set: u64,
    indices: u64,
    moves: u64,
    table: u64,
    to: u64,
    size: u32,
    channels: u32,
    moves_each: u32,
}
// SAFETY: as `Serve` of serve.cu.
unsafe impl Args for ServeArgs {}

/// What is done to an image, whose side is the set's: a square of pixels goes elsewhere, or disappears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Stay,
    /// Left and right change places.
    Mirror,
    /// The pixel at `(y, x)` is the one that was at `(y + dy, x + dx)`.
    Shift { dy: i32, dx: i32, beyond: Beyond },
    /// A square becomes the set's mean colour.
    Cover { top: i32, left: i32, side: i32 },
}

/// What comes in where there was no pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The image mirrored at its outermost pixels, which are not repeated.
    Reflect,
    Black,
    /// The set's mean colour.
    Mean,
}

/// Words that a [`Move`] takes.
pub const MOVE: usize = 4;

/// Columns of the table of [`serve`]: what each byte becomes, and the set's mean colour.
pub const COLUMNS: usize = 257;

impl Move {
    /// As the kernel reads it.
    pub fn words(self) -> [i32; MOVE] {
        match self {
            Self::Stay => [0; MOVE],
            Self::Mirror => [1, 0, 0, 0],
            Self::Shift { dy, dx, beyond } => {
                let kind = match beyond {
                    Beyond::Reflect => 2,
                    Beyond::Black => 3,
                    Beyond::Mean => 4,
                };
                [kind, dy, dx, 0]
            }
            Self::Cover { top, left, side } => [5, top, left, side],
        }
    }
}

/// A set on a device.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// `u8`, `(n, size, size, channels)`.
    pub images: View<'a>,
    pub size: usize,
    pub channels: usize,
    /// `f32`, [`COLUMNS`] for each channel.
    pub table: View<'a>,
}

/// Puts images of a set, moved, into `to: (n, size, size, channels)`: `indices`, `u32`, says which, and `moves` is as many
/// [`Move`]s for each, in `u32` words, which are made one after another. Indices lie within the set.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit.
pub fn serve(device: &Device, set: Set<'_>, indices: View<'_>, moves: View<'_>, to: View<'_>) -> Result<(), Error> {
    let Set { images, size, channels, table } = set;
    let (count, each) = (indices.len(), moves.len() / MOVE / indices.len().max(1));
    assert!(size > 0 && size < 1 << 15 && images.len().is_multiple_of(size * size * channels), "a set of no images");
    let args = ServeArgs {
        pixels: (count * size * size) as u64,
        set: images.expect(DType::U8, images.len()),
        indices: indices.expect(DType::U32, count),
        moves: moves.expect(DType::U32, count * each * MOVE),
        table: table.expect(DType::F32, channels * COLUMNS),
        to: to.expect(to.dtype(), count * size * size * channels),
        size: size as u32,
        channels: channels as u32,
        moves_each: each as u32,
    };
    // SAFETY: the operands have the lengths of so many images, and the caller's indices lie within the set.
    unsafe { device.launch(SERVE.of(to.dtype()), Grid::over(count * size * size), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{devices, rounded};

    /// One move, pixel by pixel: the column of the table for each, or the place where its bytes are.
    fn moved(image: &[Result<usize, usize>], size: i32, step: Move) -> Vec<Result<usize, usize>> {
        let at = |y: i32, x: i32| image[(y * size + x) as usize];
        let places = (0..size).flat_map(|y| (0..size).map(move |x| (y, x)));
        let inside = |y: i32, x: i32| (0..size).contains(&y) && (0..size).contains(&x);
        let fold = |k: i32| {
            // Step by step towards the image, turning round at its borders.
            let (mut at, mut by) = (0, 1);
            for _ in 0..k.abs() {
                if size == 1 {
                    break;
                }
                by = if at == size - 1 {
                    -1
                } else if at == 0 {
                    1
                } else {
                    by
                };
                at += by;
            }
            at
        };
        let one =
            |(y, x): (i32, i32)| match step {
                Move::Stay => at(y, x),
                Move::Mirror => at(y, size - 1 - x),
                Move::Shift { dy, dx, beyond: Beyond::Reflect } => at(fold(y + dy), fold(x + dx)),
                Move::Shift { dy, dx, .. } if inside(y + dy, x + dx) => at(y + dy, x + dx),
                Move::Shift { beyond: Beyond::Mean, .. } => Err(256),
                Move::Shift { .. } => Err(0),
                Move::Cover { top, left, side } => {
                    if (top..top + side).contains(&y) && (left..left + side).contains(&x) { Err(256) } else { at(y, x) }
                }
            };
        places.map(one).collect()
    }

    #[test]
    fn images_come_moved_and_normalised() {
        const IMAGES: usize = 5;
        let shift = |dy, dx, beyond| Move::Shift { dy, dx, beyond };
        let lists = [
            vec![[Move::Stay; 3], [Move::Mirror, Move::Stay, Move::Mirror]],
            vec![
                [shift(-2, 1, Beyond::Reflect), Move::Mirror, Move::Cover { top: 1, left: 0, side: 2 }],
                [Move::Mirror, shift(7, -9, Beyond::Reflect), shift(1, 1, Beyond::Black)],
                [Move::Cover { top: 0, left: 2, side: 1 }, shift(0, 2, Beyond::Mean), Move::Mirror],
                [shift(-1, 0, Beyond::Black), shift(0, -1, Beyond::Mean), shift(1, 1, Beyond::Reflect)],
            ],
        ];
        for (device, dtype) in devices() {
            for (size, channels) in [(1, 3), (4, 3), (5, 1)] {
                let bytes: Vec<u8> = (0..IMAGES * size * size * channels).map(|k| (k * 37 % 251) as u8).collect();
                let table: Vec<f32> = (0..channels * COLUMNS).map(|k| k as f32 / 100.0 - 1.0).collect();
                let images = device.allocate(DType::U8, bytes.len()).unwrap();
                device.write(images.view(), &bytes).unwrap();
                let table_there = device.upload(&table).unwrap();
                let set = Set { images: images.view(), size, channels, table: table_there.view() };
                for list in &lists {
                    let indices: Vec<u32> = (0..list.len() as u32).map(|k| (k * 3 + 1) % IMAGES as u32).collect();
                    let words: Vec<i32> = list.iter().flatten().flat_map(|step| step.words()).collect();
                    let there = |len: usize| device.allocate(DType::U32, len).unwrap();
                    let (indices_there, moves_there) = (there(indices.len()), there(words.len()));
                    device.write(indices_there.view(), &indices).unwrap();
                    device.write(moves_there.view(), &words).unwrap();
                    let to = device.allocate(dtype, indices.len() * size * size * channels).unwrap();
                    serve(&device, set, indices_there.view(), moves_there.view(), to.view()).unwrap();

                    let mut want = Vec::new();
                    for (index, moves) in indices.iter().zip(list) {
                        let first = *index as usize * size * size;
                        let whole = (first..first + size * size).map(Ok).collect::<Vec<_>>();
                        let image = moves.iter().fold(whole, |image, step| moved(&image, size as i32, *step));
                        for (pixel, c) in image.iter().flat_map(|pixel| (0..channels).map(move |c| (pixel, c))) {
                            let column = match pixel {
                                Ok(place) => usize::from(bytes[place * channels + c]),
                                Err(column) => *column,
                            };
                            want.push(table[c * COLUMNS + column]);
                        }
                    }
                    assert_eq!(device.read_f32(to.view()).unwrap(), rounded(dtype, &want), "{dtype:?}, {size}");
                }
            }
        }
    }
}
