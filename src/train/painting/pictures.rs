//! The pictures of an experiment, and what is planned with them.

use crate::data::resize::Extent;
use crate::data::{DataError, Facts, hex};
use crate::paint::{Picture, fitted};
use crate::task::Painting;
use crate::task::starts::Start;
use sha2::{Digest, Sha256};

/// What such an experiment calls its images where others name a data set.
pub const PICTURES: &str = "pictures";
/// The net's classes where neither the experiment nor a data set says: those of ImageNet, which published weights have.
const CLASSES: usize = 1000;

/// The pictures of an experiment, as their files are.
pub struct Pictures {
    pub(super) content: Vec<Picture>,
    pub(super) style: Vec<Picture>,
    pub(super) init: Option<Picture>,
    pub(super) mask: Option<Picture>,
    /// `sha256:` over all files in order.
    digest: String,
}

impl Pictures {
    /// Reads all files.
    ///
    /// # Errors
    /// The first that cannot be read or decoded.
    pub fn read(painting: &Painting) -> Result<Self, DataError> {
        let all = |files: &[std::path::PathBuf]| files.iter().map(|file| Picture::read(file)).collect::<Result<_, _>>();
        let init = match &painting.init {
            Start::Image(file) => Some(Picture::read(file)?),
            Start::Content | Start::Noise { .. } => None,
        };
        let mut digest = Sha256::new();
        for (place, path) in painting.files() {
            let unreadable = |source| DataError::Io { path: path.clone(), action: "read", source };
            let bytes = std::fs::read(path).map_err(unreadable)?;
            digest.update(place.as_bytes());
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(&bytes);
        }
        Ok(Self {
            content: all(&painting.content)?,
            style: all(&painting.style)?,
            init,
            mask: painting.mask.as_deref().map(Picture::read).transpose()?,
            digest: format!("sha256:{}", hex(&digest.finalize())),
        })
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the painting has the shape of.
    fn shape(&self) -> Extent {
        let first = self.content.first().or(self.init.as_ref());
        first.map_or(Extent::square(1), |picture| picture.extent)
    }

    /// The painting's extent at a size.
    pub fn extent(&self, size: usize) -> Extent {
        fitted(self.shape(), size)
    }

    /// Whether there is a mask that bounds nothing.
    pub(super) fn mask_is_white(&self) -> bool {
        self.mask.as_ref().is_some_and(|mask| mask.pixels.iter().all(|value| *value == 1.0))
    }

    /// The mask's extent and the content's, where the one is not of the other's shape, which rounding to pixels allows for.
    pub fn misshapen_mask(&self) -> Option<(Extent, Extent)> {
        let (mask, content) = (self.mask.as_ref()?.extent, self.content.first()?.extent);
        let longer = |of: Extent| of.width.max(of.height);
        let size = longer(mask).min(longer(content));
        let (a, b) = (fitted(mask, size), fitted(content, size));
        let differ = a.width.abs_diff(b.width) > 1 || a.height.abs_diff(b.height) > 1;
        differ.then_some((mask, content))
    }

    /// What is planned with: an epoch is one step of all images.
    pub fn facts(&self, painting: &Painting) -> Facts {
        let shape = self.shape();
        facts(painting, shape.width.max(shape.height))
    }
}

/// The figures of the images that are painted, of a size where phases give none.
pub fn facts(painting: &Painting, size: usize) -> Facts {
    Facts {
        name: PICTURES.to_owned(),
        train_images: painting.images(),
        val_images: 0,
        classes: CLASSES,
        channels: 3,
        size,
        source: crate::data::FactsSource::File,
    }
}
