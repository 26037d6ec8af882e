//! A part of a JPEG image, at eighths of its size, by libjpeg-turbo (in Mozilla's edition).
//!
//! Of a file that is coded in one piece all codes must be read down to the last row that is wanted, but only the blocks of
//! the part are transformed and coloured; a smaller inverse transform gives fewer pixels of each block. What comes is the
//! same, byte for byte, as that part of the whole image decoded at that scale; at 1/1, 1/2, 1/4 and 1/8 that is what
//! Pillow's `draft` gives of a file that is whole.
//!
//! The library's partial decoding has no safe binding: this crate is one, and no more than that.

use mozjpeg_sys as ffi;
use std::mem;
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Columns that are decoded beside the part, either way. The first may lack a neighbour of which its colours are interpolated;
/// two, for the library interpolates otherwise where a crop has less than two columns of colours.
const MARGIN: usize = 2;

/// Pixels of an image, from the left and from the top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// What a file turned out to be, and what was decoded of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The part that was wanted and some columns beside it: one channel of a grey image, else three.
    Pixels { part: Part, channels: usize },
    /// Nothing: its pixels are not as many as was said, but so many: width and height.
    OtherSize(usize, usize),
    /// Nothing: it has four channels, of which this makes no colours.
    FourChannels,
}

/// The width and height of an image at eighths of its size.
pub fn scaled((width, height): (usize, usize), eighths: usize) -> (usize, usize) {
    ((width * eighths).div_ceil(8), (height * eighths).div_ceil(8))
}

/// Decodes the part `wanted` of an image at `eighths / 8` of its size, see [`scaled`], into `pixels`, `(part.height,
/// part.width, channels)`: grey of a grey image, else red, green and blue. `size` is what the file's image is expected to
/// have: width and height.
///
/// Damage may be made up for in grey, as the library does: `bytes` should be a file whose end is known to be there.
///
/// # Errors
/// What the library says of the file; `pixels` is then anything.
///
/// # Panics
/// When `eighths` is not from 1 to 8, or the part is empty or goes beyond the image.
pub fn decode(
    bytes: &[u8],
    size: (usize, usize),
    eighths: usize,
    wanted: Part,
    pixels: &mut Vec<u8>,
) -> Result<Found, String> {
    assert!((1..=8).contains(&eighths), "{eighths} eighths");
    let all = scaled(size, eighths);
    let within = |start: usize, len: usize, all: usize| len > 0 && len <= all && start <= all - len;
    assert!(
        within(wanted.left, wanted.width, all.0) && within(wanted.top, wanted.height, all.1),
        "{wanted:?} of {all:?}"
    );
    caught(|| unwinding(bytes, size, eighths, wanted, pixels))
}

/// Whether the codes of all of an image are read without a sign that some are missing or wrong, for which [`decode`] makes up, and of which
/// it sees nothing below the part that is wanted. Takes about as long as reading the codes.
///
/// # Errors
/// What the library says of a file that it gives up.
pub fn is_sound(bytes: &[u8]) -> Result<bool, String> {
    caught(|| looking_through(bytes))
}

/// The library's errors are unwound.
fn caught<T>(unwinds: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(unwinds)).map_err(|panic| match panic.downcast::<Damage>() {
        Ok(damage) => damage.0,
        Err(other) => resume_unwind(other),
    })
}

/// What the library says of a file that it gives up.
struct Damage(String);

/// What the library keeps of a file. It is destroyed when dropped, by unwinding too.
///
/// Each file has one of its own: tables that a file lacks would be those of the file before.
struct State(*mut ffi::jpeg_decompress_struct);

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: It is what `unwinding` made, in whatever state: one that is zeroed has nothing to free.
        unsafe { ffi::jpeg_destroy_decompress(&mut *self.0) };
    }
}

/// What the library tells of damaged data.
type Warned = extern "C-unwind" fn(&mut ffi::jpeg_common_struct, c_int);

/// Begins with a file: its header is read. Unwinds with a [`Damage`] when the library gives up.
///
/// # Safety
/// What `kept` and `errors` point at is zeroed, neither is moved nor named otherwise while `kept` lives, and `bytes`, of which the
/// library reads no more than there are, live as long.
unsafe fn opened<'a>(
    kept: &'a mut State,
    errors: *mut ffi::jpeg_error_mgr,
    bytes: &[u8],
    warned: Warned,
) -> &'a mut ffi::jpeg_decompress_struct {
    // SAFETY: See above.
    unsafe {
        ffi::jpeg_std_error(&mut *errors);
        (*errors).error_exit = Some(give_up);
        (*errors).emit_message = Some(warned);
        (*kept.0).common.err = errors;
        ffi::jpeg_create_decompress(kept.0);
        let state = &mut *kept.0;
        ffi::jpeg_mem_src(state, bytes.as_ptr(), bytes.len() as _);
        ffi::jpeg_read_header(state, 1);
        state
    }
}

/// Unwinds with a [`Damage`] when the library gives up.
fn unwinding(bytes: &[u8], size: (usize, usize), eighths: usize, wanted: Part, pixels: &mut Vec<u8>) -> Found {
    // SAFETY: Both are plain data, which the library expects zeroed and fills. Neither is moved, nor named again but by these pointers,
    // while `kept` lives, which is dropped before them.
    let (mut errors, mut state): (ffi::jpeg_error_mgr, ffi::jpeg_decompress_struct) = unsafe { mem::zeroed() };
    let errors = &raw mut errors;
    let mut kept = State(&raw mut state);
    // SAFETY: See above.
    let state = unsafe { opened(&mut kept, errors, bytes, say_nothing) };
    let found = (state.image_width as usize, state.image_height as usize);
    if found != size {
        return Found::OtherSize(found.0, found.1);
    }
    let (colours, channels) = match state.jpeg_color_space {
        ffi::J_COLOR_SPACE::JCS_CMYK | ffi::J_COLOR_SPACE::JCS_YCCK => return Found::FourChannels,
        ffi::J_COLOR_SPACE::JCS_GRAYSCALE => (ffi::J_COLOR_SPACE::JCS_GRAYSCALE, 1),
        _ => (ffi::J_COLOR_SPACE::JCS_RGB, 3),
    };
    state.out_color_space = colours;
    (state.scale_num, state.scale_denom) = (eighths as u32, 8);
    // It guesses what a progressive file does not tell, and guesses otherwise at a part's border.
    state.do_block_smoothing = 0;
    // SAFETY: A header was read.
    unsafe { ffi::jpeg_start_decompress(state) };
    let left = wanted.left.saturating_sub(MARGIN);
    let right = (wanted.left + wanted.width + MARGIN).min(state.output_width as usize);
    let (mut offset, mut width) = (left as u32, (right - left) as u32);
    // SAFETY: Decoding is started and no row is read. It moves the left border to that of a block. The rows that are skipped are
    // fewer than there are.
    unsafe {
        ffi::jpeg_crop_scanline(state, &mut offset, &mut width);
        ffi::jpeg_skip_scanlines(state, wanted.top as u32);
    }
    let part = Part { left: offset as usize, width: width as usize, ..wanted };
    let row = part.width * channels;
    assert_eq!(state.output_width as usize * state.output_components as usize, row, "rows of another length");
    pixels.resize(row * part.height, 0);
    for row in pixels.chunks_exact_mut(row) {
        let mut row = row.as_mut_ptr();
        // SAFETY: One row is asked for, and there is room for the `output_width` pixels of one.
        let rows = unsafe { ffi::jpeg_read_scanlines(state, &raw mut row, 1) };
        assert_eq!(rows, 1, "a source in memory never waits");
    }
    Found::Pixels { part, channels }
}

/// Unwinds with a [`Damage`] when the library gives up.
fn looking_through(bytes: &[u8]) -> bool {
    // SAFETY: As in `unwinding`.
    let (mut errors, mut state): (ffi::jpeg_error_mgr, ffi::jpeg_decompress_struct) = unsafe { mem::zeroed() };
    let errors = &raw mut errors;
    let mut kept = State(&raw mut state);
    // SAFETY: As in `unwinding`.
    let state = unsafe { opened(&mut kept, errors, bytes, count_damage) };
    // As little as can be besides the codes: a pixel a block, in the colours of the file.
    state.out_color_space = state.jpeg_color_space;
    (state.scale_num, state.scale_denom) = (1, 8);
    state.do_block_smoothing = 0;
    state.do_fancy_upsampling = 0;
    // SAFETY: A header was read.
    unsafe { ffi::jpeg_start_decompress(state) };
    let mut room = vec![0; state.output_width as usize * state.output_components as usize];
    while state.output_scanline < state.output_height {
        let mut row = room.as_mut_ptr();
        // SAFETY: One row is asked for, and there is room for the pixels of one.
        unsafe { ffi::jpeg_read_scanlines(state, &raw mut row, 1) };
    }
    // SAFETY: `errors` outlives `kept`, and nothing else refers to it now.
    unsafe { (*errors).num_warnings == 0 }
}

/// Called by the library, which does not expect it to come back. Its C code is compiled to be unwound through.
#[cold]
extern "C-unwind" fn give_up(state: &mut ffi::jpeg_common_struct) {
    /// The library's `JMSG_LENGTH_MAX`; the binding's type says `&[u8; 80]` where the library's says `char *`.
    type Text = [u8; 200];
    type Format = unsafe extern "C-unwind" fn(&mut ffi::jpeg_common_struct, *mut Text);
    let mut text: Text = [0; 200];
    // SAFETY: `err` is the manager that `unwinding` made, of `jpeg_std_error`, whose `format_message` writes no more than
    // `JMSG_LENGTH_MAX` bytes.
    unsafe {
        if let Some(format) = (*state.err).format_message {
            let format: Format = mem::transmute(format);
            format(state, &raw mut text);
        }
    }
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    // Without the panic hook: nothing is printed.
    resume_unwind(Box::new(Damage(String::from_utf8_lossy(text).into_owned())));
}

/// Warnings of damaged data, which other decoders do not give either.
#[cold]
extern "C-unwind" fn say_nothing(_: &mut ffi::jpeg_common_struct, _: c_int) {}

/// Counts those that tell of codes that are missing or wrong. Others are of headers, or of bytes too many.
#[cold]
extern "C-unwind" fn count_damage(state: &mut ffi::jpeg_common_struct, level: c_int) {
    use ffi::{JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC};
    const WARNING: c_int = -1;
    const DAMAGE: [c_int; 4] = [JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC];
    // SAFETY: `err` is the manager that `looking_through` made.
    let errors = unsafe { &mut *state.err };
    if level == WARNING && DAMAGE.contains(&errors.msg_code) {
        errors.num_warnings += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 83 × 61 pixels in colour.
    const COLOUR: &[u8] = include_bytes!("../../../tests/fixtures/photos/colour.jpg");
    const GREY: &[u8] = include_bytes!("../../../tests/fixtures/photos/grey.jpg");
    const CMYK: &[u8] = include_bytes!("../../../tests/fixtures/photos/cmyk.jpg");
    const SIZE: (usize, usize) = (83, 61);
    const WANTED: Part = Part { left: 20, top: 11, width: 9, height: 13 };

    fn decoded(bytes: &[u8]) -> Result<(Found, Vec<u8>), String> {
        let mut pixels = Vec::new();
        decode(bytes, SIZE, 5, WANTED, &mut pixels).map(|found| (found, pixels))
    }

    /// A file whose first segment of a kind is something else.
    fn without(marker: u8) -> Vec<u8> {
        let mut bytes = COLOUR.to_vec();
        let at = bytes.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
        bytes[at + 1] = 0xfe;
        bytes
    }

    #[test]
    fn what_the_library_gives_up_is_an_error_and_concerns_no_other_file() {
        let expected = decoded(COLOUR).unwrap();
        let mut damaged = COLOUR.to_vec();
        let codes = damaged.windows(2).position(|pair| pair == [0xff, 0xc4]).unwrap();
        // A table of Huffman codes says that it has more of them than there are.
        damaged[codes + 5..codes + 21].fill(0xff);
        for (bytes, words) in
            [(&b"no photograph"[..], "Not a JPEG file"), (&damaged, "Huffman"), (&without(0xdb), "Quantization table")]
        {
            let said = decoded(bytes).unwrap_err();
            assert!(said.contains(words), "{said}");
            assert!(decoded(COLOUR).unwrap() == expected);
        }
    }

    #[test]
    fn a_file_is_known_for_what_it_is() {
        let mut pixels = vec![7];
        let mut found = |bytes, size| decode(bytes, size, 8, WANTED, &mut pixels).unwrap();
        assert_eq!(found(COLOUR, (83, 60)), Found::OtherSize(83, 61));
        assert_eq!(found(CMYK, SIZE), Found::FourChannels);
        assert!(matches!(found(COLOUR, SIZE), Found::Pixels { channels: 3, .. }));
        let Found::Pixels { part, channels: 1 } = found(GREY, SIZE) else { panic!() };
        assert!(part.left <= 20 && part.left + part.width >= 29 && pixels.len() == part.width * part.height);
    }

    #[test]
    fn only_parts_of_the_image_can_be_asked_for() {
        let far = Part { left: usize::MAX, width: 2, ..WANTED };
        for wanted in [Part { width: 64, ..WANTED }, Part { top: 49, ..WANTED }, Part { width: 0, ..WANTED }, far] {
            assert!(catch_unwind(|| decode(COLOUR, SIZE, 8, wanted, &mut Vec::new())).is_err(), "{wanted:?}");
        }
    }

    #[test]
    fn codes_that_end_early_or_are_wrong_are_seen_wherever_they_are() {
        let start = |bytes: &[u8]| bytes.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap() + 14;
        for bytes in [COLOUR, GREY, CMYK] {
            assert_eq!(is_sound(bytes), Ok(true));
            // Bytes behind the image are no part of it.
            assert_eq!(is_sound(&[bytes, b"tail"].concat()), Ok(true));
            let (start, end) = (start(bytes), bytes.len() - 2);
            for kept in [0.0, 0.3, 0.9] {
                let at = start + ((end - start) as f64 * kept) as usize;
                let mut cut = bytes[..at].to_vec();
                while cut.last() == Some(&0xff) {
                    cut.pop();
                }
                cut.extend([0xff, 0xd9]);
                assert_eq!(is_sound(&cut), Ok(false), "{kept}");
            }
        }
        assert!(is_sound(b"no photograph").is_err());
    }
}
