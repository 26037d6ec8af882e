//! Augmentation: what is done to a training image each time it is served.
//!
//! A list may begin with a crop, which chooses the part of the stored image that is served, at its own resolution. That
//! part, or the whole image, is resized to the phase's size, and changed then, as bytes, by the rest of the list: all
//! lengths are pixels of the phase's size, so `translate = 2` moves an image of 16 twice as far, in parts of it, as one of
//! 32. A phase may name its own list.
//!
//! What is drawn is a function of (seed, purpose, epoch, image number) and of the list's order, never of the batch, the
//! step or the thread.
//!
//! What most of the list do to an image is known before the image is there (a [`Change`]), so that whoever has the
//! images may do it; the others ([`Edit`]) look at pixels that are at hand.

mod border;
mod changes;
pub mod color_jitter;
pub mod cutout;
pub mod flip;
pub mod flip_alternating;
mod operation;
pub mod rand_augment;
pub mod random_erasing;
pub mod random_resized_crop;
pub mod rotate;
mod severity;
pub mod translate;
pub mod trivial_augment;
mod warp;

pub use border::Border;
pub use changes::{Change, Move};
pub use color_jitter::Tone;
pub use operation::Operation;
pub use rotate::Turn;
pub use warp::{Interpolation, Manner, Warp};

use super::resize::{Extent, Window};
use crate::kernels::{Isa, pixels};
use crate::registry::{Choice, Describe, Entry, Family, Settings};
use crate::units::{Purpose, number, rng};
use rand_chacha::ChaCha8Rng;

/// Changes one image.
pub trait Augment: Send + Sync {
    /// What it does to an image of that side, drawn from the stream. Of one entry it is always the same kind of [`Change`].
    fn draw(&self, size: usize, draw: &mut Draw) -> Change;

    /// Draws and does it.
    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        self.draw(image.size, draw).apply(image);
    }
}

/// Changes an image that is at hand, in ways that no [`Change`] says: the loader does it, on the host.
pub trait Edit: Send + Sync {
    /// Draws and does it.
    fn apply(&self, image: &mut Image, draw: &mut Draw);
}

/// Chooses the part of a stored image that is served.
pub trait Crop: Send + Sync {
    /// A window within an image of that extent.
    fn window(&self, stored: Extent, draw: &mut Draw) -> Window;
}

/// A member of a list.
pub enum Step {
    /// Belongs at the list's beginning: it looks at the image as it is stored.
    Crop(Box<dyn Crop>),
    Change(Box<dyn Augment>),
    Edit(Box<dyn Edit>),
}

/// A list of augmentations: at most one crop, then changes and edits in order.
#[derive(Default)]
pub struct Chain {
    crop: Option<Box<dyn Crop>>,
    rest: Vec<Member>,
}

/// What stands behind the crop.
enum Member {
    Change(Box<dyn Augment>),
    Edit(Box<dyn Edit>),
}

impl Chain {
    /// The part of a stored image that is to be resized to the phase's size: all of it without a crop.
    pub fn window(&self, stored: Extent, draw: &mut Draw) -> Window {
        self.crop(stored, draw).unwrap_or(Window::whole(stored))
    }

    /// The part that the list's crop chooses; `None` without one.
    pub fn crop(&self, stored: Extent, draw: &mut Draw) -> Option<Window> {
        self.crop.as_ref().map(|crop| crop.window(stored, draw))
    }

    /// Whether [`changes`](Self::changes) says all that is done, so that a device that has the images at hand can
    /// make them.
    pub fn is_told(&self) -> bool {
        self.rest.iter().all(|member| matches!(member, Member::Change(_)))
    }

    /// The changes to an image of the phase's size, in order, drawn behind what the crop draws.
    ///
    /// # Panics
    /// When they are [not all](Self::is_told) that is done.
    pub fn changes(&self, size: usize, draw: &mut Draw) -> impl Iterator<Item = Change> {
        self.rest.iter().map(move |member| match member {
            Member::Change(change) => change.draw(size, draw),
            Member::Edit(_) => panic!("changes of a list that edits images"),
        })
    }

    /// Makes them, and the edits among them.
    pub fn apply(&self, image: &mut Image, draw: &mut Draw) {
        self.rest.iter().for_each(|member| match member {
            Member::Change(change) => change.apply(image, draw),
            Member::Edit(edit) => edit.apply(image, draw),
        });
    }
}

/// What one serving of one image may draw from.
pub struct Draw {
    pub seed: u64,
    pub epoch: u64,
    /// The image's number in the set.
    pub index: u64,
    /// The stream of this serving, shared by the list's members in turn.
    pub rng: ChaCha8Rng,
}

impl Draw {
    pub fn new(seed: u64, epoch: u64, index: u64) -> Self {
        Self { seed, epoch, index, rng: rng(seed, Purpose::Augment, epoch, index) }
    }
}

/// An image while it is changed; made once and used for one image after another.
pub struct Image {
    /// `(size, size, channels)`, with one channel or three.
    pub pixels: Vec<u8>,
    pub size: usize,
    pub channels: usize,
    /// The set's mean colour, which becomes 0 when images are normalised.
    pub mean: Vec<u8>,
    /// The set's standard deviation, in steps of a byte.
    deviation: Vec<f32>,
    /// A second image's worth of bytes, for changes that cannot be made in place.
    scratch: Vec<u8>,
    /// The bytes are the same with any.
    isa: Isa,
}

impl Image {
    /// Room for images of any size; `mean` and `deviation`, both in bytes, have a number for each channel.
    ///
    /// # Panics
    /// When they are of other channels.
    pub fn new(mean: Vec<u8>, deviation: Vec<f32>) -> Self {
        assert_eq!(mean.len(), deviation.len(), "a mean and a deviation for each channel");
        let isa = Isa::detect().unwrap_or(Isa::Portable);
        Self { pixels: Vec::new(), size: 0, channels: mean.len(), mean, deviation, scratch: Vec::new(), isa }
    }

    /// Sets the side; the pixels are then unspecified.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
        self.pixels.resize(size * size * self.channels, 0);
        self.scratch.resize(self.pixels.len(), 0);
    }

    /// Mirrors left and right.
    pub fn mirror(&mut self) {
        for row in self.pixels.chunks_exact_mut(self.size * self.channels) {
            match self.channels {
                3 => pixels::mirror(self.isa, row.as_chunks_mut().0),
                channels => {
                    row.reverse();
                    // Now the pixels stand in the right order and the channels of each in the wrong one.
                    row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
                }
            }
        }
    }

    /// Makes the image anew, row by row, from the old one: `write(old, y, row)`.
    fn rewrite(&mut self, write: impl Fn(&Old<'_>, usize, &mut [u8])) {
        let Self { pixels, size, channels, mean, scratch, .. } = self;
        let old = Old { pixels, size: *size, channels: *channels, mean };
        for (y, row) in scratch.chunks_exact_mut(*size * *channels).enumerate() {
            write(&old, y, row);
        }
        std::mem::swap(pixels, scratch);
    }
}

/// An [`Image`] that is being made anew.
struct Old<'a> {
    pixels: &'a [u8],
    size: usize,
    channels: usize,
    mean: &'a [u8],
}

/// An entry of the family `augmentation`.
pub type AugmentEntry = Entry<fn(&Settings) -> Result<Step, Misuse>>;

pub static ENTRIES: &[&AugmentEntry] = &[
    &flip::ENTRY,
    &flip_alternating::ENTRY,
    &translate::ENTRY,
    &cutout::ENTRY,
    &color_jitter::ENTRY,
    &rotate::ENTRY,
    &random_resized_crop::ENTRY,
    &rand_augment::ENTRY,
    &trivial_augment::ENTRY,
    &random_erasing::ENTRY,
];

pub static FAMILY: Family = Family {
    name: "augmentation",
    doc: "What is done to a training image each time it is served",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// Settings that make no sense together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Misuse {
    /// The setting to point at.
    pub key: &'static str,
    pub message: String,
    pub help: String,
}

impl Misuse {
    /// A smallest value above the largest.
    fn crossed([min_key, max_key]: [&'static str; 2], [min, max]: [f64; 2]) -> Self {
        let message = format!("`{min_key}` is {}, above `{max_key}`, which is {}", number(min), number(max));
        Self { key: min_key, message, help: "exchange the two, or leave one out".to_owned() }
    }
}

/// What a checked choice makes.
///
/// # Errors
/// When its settings make no sense together.
///
/// # Panics
/// When it names no augmentation: checking finds that.
pub fn make(choice: &Choice) -> Result<Step, Misuse> {
    let entry = crate::registry::find(ENTRIES, &choice.kind)
        .unwrap_or_else(|| panic!("`{}` is not an augmentation", choice.kind));
    (entry.make)(&choice.settings)
}

/// What an entry without a crop gives.
fn change(change: impl Augment + 'static) -> Result<Step, Misuse> {
    Ok(Step::Change(Box::new(change)))
}

/// The augmentations of a checked list.
///
/// # Panics
/// When one cannot be made, or a crop is not the first: checking finds that.
pub fn chain(choices: &[Choice]) -> Chain {
    let mut chain = Chain::default();
    for (index, choice) in choices.iter().enumerate() {
        match make(choice).unwrap_or_else(|error| panic!("`{}`: {error}", choice.kind)) {
            Step::Crop(crop) => {
                assert_eq!(index, 0, "`{}` is not the first of its list", choice.kind);
                chain.crop = Some(crop);
            }
            Step::Change(change) => chain.rest.push(Member::Change(change)),
            Step::Edit(edit) => chain.rest.push(Member::Edit(edit)),
        }
    }
    chain
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pillow::Picture;

    /// An image of one channel.
    pub fn gray(size: usize, pixels: &[u8]) -> Image {
        let mut image = Image::new(vec![200], vec![50.0]);
        image.resize(size);
        image.pixels.copy_from_slice(pixels);
        image
    }

    /// An image of Pillow's, with a mean colour.
    pub fn of_pillow(picture: &Picture, mean: &[u8]) -> Image {
        let mut image = Image::new(mean.to_vec(), vec![50.0; mean.len()]);
        assert_eq!((picture.height, picture.channels), (picture.width, mean.len()), "a square image");
        image.resize(picture.width);
        image.pixels.copy_from_slice(&picture.pixels);
        image
    }

    #[test]
    fn a_list_is_a_crop_and_the_changes_behind_it() {
        let float = |key, value| (key, crate::registry::Value::Float(value));
        let numbers = [float("min_scale", 0.2), float("max_scale", 0.5), float("ratio", 1.0)];
        let crop = Choice::with("random-resized-crop", numbers);
        let list = chain(&[crop.clone(), Choice::plain("flip")]);
        let window = list.window(Extent::square(64), &mut Draw::new(1, 0, 0));
        assert!(window.width < 64 && list.rest.len() == 1, "{window:?}");
        let whole = chain(&[Choice::plain("flip")]).window(Extent::square(64), &mut Draw::new(1, 0, 0));
        assert_eq!(whole, Window::whole(Extent::square(64)));

        let crossed = Choice::with(
            "random-resized-crop",
            [float("min_scale", 0.5), float("max_scale", 0.2), float("ratio", 1.0)],
        );
        let misuse = make(&crossed).err().unwrap();
        assert_eq!(
            (misuse.key, misuse.to_string().as_str()),
            ("min_scale", "`min_scale` is 0.5, above `max_scale`, which is 0.2")
        );
    }

    #[test]
    fn mirroring_keeps_channels_in_order() {
        let mut image = Image::new(vec![0; 3], vec![50.0; 3]);
        image.resize(2);
        image.pixels.copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        image.mirror();
        assert_eq!(image.pixels, [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
    }
}
