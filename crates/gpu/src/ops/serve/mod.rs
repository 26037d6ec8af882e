//! Images of a set that lies on a device as bytes, as a pass sees them: brought to another size, changed, normalised, blended with
//! each other. The bytes are those of the host.

mod course;
#[cfg(test)]
mod tests;

use crate::device::{Args, Buffer, DType, Device, Error, Grid, View, kernel, typed_kernel};
use course::{Course, Stage};
use std::ops::Range;

kernel!(TAPS = picture_taps);
kernel!(ACROSS = picture_across);
kernel!(DOWN = picture_down);
kernel!(MOVED = picture_moved);
kernel!(TURNED = picture_turned);
kernel!(TONED = picture_toned);
typed_kernel!(SERVE = serve_f32, serve_bf16, serve_f16);

/// A set on a device.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a> {
    /// `u8`, `(n, size, size, channels)`.
    pub images: View<'a>,
    pub size: usize,
    /// 1 or 3.
    pub channels: usize,
    /// `f32`, [`COLUMNS`] for each channel.
    pub table: View<'a>,
    /// The mean colour, for as many channels as there are.
    pub mean: [u8; 3],
}

/// Columns of a set's table: what each byte becomes, and the set's mean colour.
pub const COLUMNS: usize = 257;

/// Images of a set, and what becomes of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pictures {
    pub numbers: Vec<u32>,
    /// The part of each that is brought to `size`; none where it is all of each.
    pub windows: Vec<Window>,
    /// Their side.
    pub size: usize,
    /// As many for each, to be made in order at that size; the k-th of all are of one kind.
    pub changes: Vec<Change>,
    pub mixture: Option<Mixture>,
}

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// What is done to an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Move(Move),
    Turn(Turn),
    /// One after another.
    Tones([Tone; 4]),
}

/// Pixels go elsewhere, or disappear.
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

/// The point `(x, y)`, whole numbers being the edges between pixels, shows what was at
/// `(x·cos − y·sin + left, x·sin + y·cos + top)`, interpolated between pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    pub sin: f64,
    pub cos: f64,
    pub left: f64,
    pub top: f64,
    pub beyond: Beyond,
}

/// A change of all pixels, by Pillow's formulas. Images of one channel have no saturation and no hue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tone {
    Stay,
    /// By a factor: black at 0.
    Brightness(f32),
    /// By a factor: the image's mean grey at 0.
    Contrast(f32),
    /// By a factor: grey at 0.
    Saturation(f32),
    /// By so many 255ths of the colour circle.
    Hue(u8),
}

/// How images are blended with each other, after they were normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    pub blend: Blend,
    /// The place of what each is blended with.
    pub others: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blend {
    /// `λ·own + (1 − λ)·other`, with this λ.
    Sum(f32),
    /// The other's pixels in this window, the own ones outside.
    Patch(Window),
}

/// Bytes of the widest room that making pictures takes: of more, some are made at a time.
const ROOM: usize = 64 << 20;

/// Room on a device for what making pictures takes. It grows with what is asked of it.
#[derive(Debug)]
pub struct Serving {
    words: Buffer,
    taps: Buffer,
    /// Pictures that have their width and not yet their height.
    narrow: Buffer,
    /// Pictures, which go from the one to the other as they change.
    pictures: [Buffer; 2],
    course: Course,
}

impl Serving {
    /// # Errors
    /// Those of the driver.
    pub fn new(device: &Device) -> Result<Self, Error> {
        let none = || device.allocate(DType::U8, 0);
        let course = Course::default();
        Ok(Self { words: none()?, taps: none()?, narrow: none()?, pictures: [none()?, none()?], course })
    }

    /// Puts some of the pictures, in activations, into `to: (n, size, size, channels)`. What says which and how is uploaded
    /// at once for as many as there is to be room for.
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When lengths or types do not fit, a number is beyond the set or a window beyond its images, or changes are not of the
    /// same kinds for all.
    pub fn serve(
        &mut self,
        device: &Device,
        set: Set<'_>,
        pictures: &Pictures,
        part: Range<usize>,
        to: View<'_>,
    ) -> Result<(), Error> {
        let twice = 1 + usize::from(pictures.mixture.is_some());
        let widest = set.size.max(pictures.size) * pictures.size * set.channels * twice;
        let (most, len) = ((ROOM / widest.max(1)).max(1), pictures.size * pictures.size * set.channels);
        for first in part.clone().step_by(most) {
            let some = first..(first + most).min(part.end);
            let there = (some.start - part.start) * len..(some.end - part.start) * len;
            self.serve_some(device, set, pictures, some, to.part(there))?;
        }
        Ok(())
    }

    fn serve_some(
        &mut self,
        device: &Device,
        set: Set<'_>,
        pictures: &Pictures,
        part: Range<usize>,
        to: View<'_>,
    ) -> Result<(), Error> {
        self.course.set(&set, pictures, part);
        let said = self.course.words.len();
        grow(device, &mut self.words, said * DType::U32.size())?;
        device.write(self.words.first(DType::U32, said), &self.course.words)?;
        let (count, size, channels) = (self.course.count, self.course.size, set.channels);
        let mut now = Source {
            bytes: set.images.expect(DType::U8, set.images.len()),
            indices: self.there(&self.course.numbers),
            size: set.size as u32,
            channels: channels as u32,
        };
        // In which of the two rooms they are, if in one.
        let mut room = None;
        if let Some(windows) = self.course.windows.clone() {
            (now, room) = (self.resize(device, now, &windows)?, Some(0));
        }
        let mut last = (0, 0);
        let stages = std::mem::take(&mut self.course.stages);
        for (k, stage) in stages.iter().enumerate() {
            match stage {
                Stage::Moves { each, words } if k + 1 == stages.len() => last = (*each as u32, self.there(words)),
                stage => {
                    // Tones alone change pictures where they are, if that is not the set.
                    let stays = matches!((stage, room), (Stage::Tones(_), Some(_)));
                    let next = if stays { room.unwrap_or(0) } else { usize::from(room == Some(0)) };
                    (now, room) = (self.change(device, now, stage, next, (stays, set.mean))?, Some(next));
                }
            }
        }
        self.course.stages = stages;
        let (blend, own, window) = match pictures.mixture.as_ref().map(|mixture| mixture.blend) {
            None => (0, 0.0, [0; 4]),
            Some(Blend::Sum(own)) => (1, own, [0; 4]),
            Some(Blend::Patch(window)) => (2, 0.0, course::words_of(window)),
        };
        let (each, moves) = last;
        let table = set.table.expect(DType::F32, channels * COLUMNS);
        let to_there = to.expect(to.dtype(), count * size * size * channels);
        let (others, count_there) = (self.there(&self.course.others), count as u64);
        let args =
            ServeArgs { from: now, moves, table, others, to: to_there, count: count_there, each, blend, own, window };
        // SAFETY: numbers lie within the set, moves lead to pixels of a picture, and others, where pictures are blended, to
        // pictures that were made.
        unsafe { device.launch(SERVE.of(to.dtype()), Grid::over(count * size * size), &args) }
    }

    /// Where words lie on the device.
    fn there(&self, words: &Range<usize>) -> u64 {
        let all = self.words.first(DType::U32, self.course.words.len());
        all.part(words.clone()).expect(DType::U32, words.len())
    }

    /// Brings pictures, or windows of them, to their size, in the first room.
    fn resize(&mut self, device: &Device, from: Source, windows: &Range<usize>) -> Result<Source, Error> {
        let windows_there = self.there(windows);
        let Self { taps, narrow, pictures: [room, _], course: Course { all, size, most, .. }, .. } = self;
        let (all, size, most, of, channels) = (*all, *size, *most, from.size as usize, from.channels as usize);
        let tables = windows.len() / course::WINDOW;
        let (entries, wide, pixels) = (tables * 2 * size * (2 + most), all * of * size, all * size * size);
        grow(device, taps, entries * DType::U32.size())?;
        grow(device, narrow, wide * channels)?;
        grow(device, room, pixels * channels)?;
        let taps = taps.first(DType::U32, entries).expect(DType::U32, entries);
        let narrow = narrow.first(DType::U8, wide * channels).expect(DType::U8, wide * channels);
        let made = room.first(DType::U8, pixels * channels).expect(DType::U8, pixels * channels);
        let (to, most, shared) = (size as u32, most as u32, u32::from(tables == 1));
        let args = TapsArgs { windows: windows_there, taps, count: tables as u32, of: from.size, to, most };
        // SAFETY: so many windows within the set's images; `most` weights suffice for each.
        unsafe { device.launch(&TAPS, Grid::each(tables * 2 * size), &args)? };
        let args = AcrossArgs { from, taps, narrow, pixels: wide as u64, to, most, shared };
        // SAFETY: numbers lie within the set, and taps within its images; a table for each picture or for all.
        unsafe { device.launch(&ACROSS, Grid::each(wide), &args)? };
        let Source { size: of, channels, .. } = from;
        let args = DownArgs { narrow, taps, made, pixels: pixels as u64, of, to, channels, most, shared };
        // SAFETY: likewise; the rows that taps name were written above.
        unsafe { device.launch(&DOWN, Grid::each(pixels), &args)? };
        Ok(Source { bytes: made, indices: 0, size: to, channels })
    }

    /// Takes pictures through a stage, into a room; `stays`: they lie there already.
    fn change(
        &mut self,
        device: &Device,
        from: Source,
        stage: &Stage,
        room: usize,
        (stays, [red, green, blue]): (bool, [u8; 3]),
    ) -> Result<Source, Error> {
        let (all, size, channels) = (self.course.all, from.size as usize, from.channels as usize);
        let (pixels, bytes) = (all * size * size, all * size * size * channels);
        grow(device, &mut self.pictures[room], bytes)?;
        let to = self.pictures[room].first(DType::U8, bytes).expect(DType::U8, bytes);
        let colour = Colour { mean: [red, green, blue, 0] };
        let moved = |moves: u64, each: usize| {
            let args = MovedArgs { from, moves, to, pixels: pixels as u64, each: each as u32, colour };
            // SAFETY: numbers lie within the set; moves lead to pixels of a picture; `from` is not the room.
            unsafe { device.launch(&MOVED, Grid::each(pixels), &args) }
        };
        match stage {
            Stage::Moves { each, words } => moved(self.there(words), *each)?,
            Stage::Turns(words) => {
                let args = TurnedArgs { from, turns: self.there(words), to, pixels: pixels as u64, colour };
                // SAFETY: likewise; places are brought into the picture.
                unsafe { device.launch(&TURNED, Grid::each(pixels), &args)? };
            }
            Stage::Tones(words) => {
                if !stays {
                    moved(0, 0)?;
                }
                let tones = self.there(words);
                let args = TonedArgs { made: to, tones, size: from.size, channels: from.channels };
                // SAFETY: a block for each picture, and four tones.
                unsafe { device.launch(&TONED, Grid::blocks(all, 1), &args)? };
            }
        }
        Ok(Source { bytes: to, indices: 0, ..from })
    }
}

/// Makes room for so many bytes.
fn grow(device: &Device, room: &mut Buffer, bytes: usize) -> Result<(), Error> {
    if room.bytes() < bytes {
        // The old room's memory goes before the new one's comes.
        *room = device.allocate(DType::U8, 0)?;
        *room = device.allocate(DType::U8, bytes)?;
    }
    Ok(())
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Source {
    bytes: u64,
    /// 0: all in order.
    indices: u64,
    size: u32,
    channels: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Colour {
    mean: [u8; 4],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct TapsArgs {
    windows: u64,
    taps: u64,
    count: u32,
    of: u32,
    to: u32,
    most: u32,
}
// SAFETY: as `PictureTaps` of picture.cu.
unsafe impl Args for TapsArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct AcrossArgs {
    from: Source,
    taps: u64,
    narrow: u64,
    pixels: u64,
    to: u32,
    most: u32,
    shared: u32,
}
// SAFETY: as `PictureAcross` of picture.cu.
unsafe impl Args for AcrossArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct DownArgs {
    narrow: u64,
    taps: u64,
    made: u64,
    pixels: u64,
    of: u32,
    to: u32,
    channels: u32,
    most: u32,
    shared: u32,
}
// SAFETY: as `PictureDown` of picture.cu.
unsafe impl Args for DownArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct MovedArgs {
    from: Source,
    moves: u64,
    to: u64,
    pixels: u64,
    each: u32,
    colour: Colour,
}
// SAFETY: as `PictureMoved` of picture.cu.
unsafe impl Args for MovedArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct TurnedArgs {
    from: Source,
    turns: u64,
    to: u64,
    pixels: u64,
    colour: Colour,
}
// SAFETY: as `PictureTurned` of picture.cu.
unsafe impl Args for TurnedArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct TonedArgs {
    made: u64,
    tones: u64,
    size: u32,
    channels: u32,
}
// SAFETY: as `PictureToned` of picture.cu.
unsafe impl Args for TonedArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ServeArgs {
    from: Source,
    moves: u64,
    table: u64,
    others: u64,
    to: u64,
    count: u64,
    each: u32,
    blend: u32,
    own: f32,
    window: [u32; 4],
}
// SAFETY: as `Serve` of serve.cu.
unsafe impl Args for ServeArgs {}
