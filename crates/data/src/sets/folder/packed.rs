//! Class folders packed into one file.

use super::{Folder, USUAL, resize_remedy};
use crate::sample;
use crate::stored::Stored;
use crate::stored::pack::{Listing, Pack};
use crate::{DataError, Dataset, Facts, FactsSource, Images, Split};
use std::path::{Path, PathBuf};

impl Folder {
    /// What the index says.
    pub(super) fn pack_facts(&self, path: &Path) -> Result<Facts, DataError> {
        self.facts_of(path, &Pack::open(path)?)
    }

    fn facts_of(&self, path: &Path, pack: &Pack) -> Result<Facts, DataError> {
        let wrong = |problem: String, remedy: String| DataError::Unusable { path: path.to_owned(), problem, remedy };
        let (held, wanted) = (pack.head.channels, self.manner.channels);
        if held != 0 && held != wanted {
            return Err(wrong(
                format!("a pack of pixels of {held} channels, where {wanted} are wanted"),
                "change `colour`, or pack the images anew with it".to_owned(),
            ));
        }
        if let Some(list) = &self.val_list
            && pack.head.val_list.as_ref() != Some(list)
        {
            return Err(wrong(
                format!("a pack whose images were not put aside for validation by `val_list = \"{list}\"`"),
                format!(
                    "leave `val_list` out, or pack the images anew with `--set 'data.dataset.val_list=\"{list}\"'`"
                ),
            ));
        }
        if pack.head.turned != self.manner.turns {
            const SET: &str = "`--set data.dataset.exif_orientation=true`";
            let (problem, remedy) = match pack.head.turned {
                true => (
                    "a pack whose images were turned as their EXIF orientations say",
                    format!("give {SET}, or pack the images anew without it"),
                ),
                false => (
                    "a pack that was made without `exif_orientation`: what its images were turned by may be lost",
                    format!("leave `exif_orientation` out, or pack the images anew with {SET}"),
                ),
            };
            return Err(wrong(problem.to_owned(), remedy));
        }
        let Some(size) = self.size.or(self.on_disk.then_some(USUAL)).or_else(|| pack.side()) else {
            return Err(wrong("the images are of their own sizes".to_owned(), resize_remedy()));
        };
        let [train, val] = pack.labels().map(|labels| labels.len());
        Ok(self.facts(train, val, pack.head.classes.len(), size, FactsSource::Data))
    }

    /// Opens a pack; for memory, all its images are decoded.
    pub(super) fn open_pack(&self, path: &Path) -> Result<Dataset, DataError> {
        let pack = Pack::open(path)?;
        let mut facts = self.facts_of(path, &pack)?;
        if !self.on_disk {
            self.check_memory(path, &facts)?;
        }
        let (classes, digest, labels) = (pack.head.classes.clone(), pack.digest.clone(), pack.labels());
        // In memory there is the whole middle square, as of files.
        let manner = if self.on_disk { self.manner } else { crate::stored::Manner { margin: 1.0, ..self.manner } };
        let stored = |part| if self.on_disk { Stored::new(part, manner) } else { Stored::new(part, manner).checked() };
        let mut splits = pack.parts().into_iter().zip(labels).map(|(part, labels)| Split {
            images: Images::Stored(stored(part)),
            labels,
            size: facts.size,
            channels: facts.channels,
        });
        let (Some(train), Some(val)) = (splits.next(), splits.next()) else { unreachable!("a pack has two parts") };
        if self.on_disk {
            return Dataset::on_disk(facts, classes, train, val, digest, Vec::new());
        }
        let names: Vec<PathBuf> =
            val.stored().map(|stored| (0..facts.val_images).map(|k| stored.name(k)).collect()).unwrap_or_default();
        let (train, bad_train) = sample::middle(&train, facts.train_images)?;
        let (val, bad_val) = sample::middle(&val, facts.val_images)?;
        (facts.train_images, facts.val_images) = (train.labels.len(), val.labels.len());
        let mut set = Dataset::new(facts, classes, train, val);
        set.val_files = names.into_iter().filter(|name| bad_val.iter().all(|bad| bad.path != *name)).collect();
        set.skipped = [bad_train, bad_val].concat();
        Ok(set)
    }

    /// The files of class folders, to be packed.
    pub(super) fn to_pack(&self, folder: &Path) -> Result<Listing, DataError> {
        let listed = self.listed(folder)?;
        let train = listed.train.len();
        let files = listed.train.into_iter().chain(listed.val).map(|file| (file.path, file.class)).collect();
        Ok(Listing {
            classes: listed.classes,
            files,
            train,
            root: folder.to_owned(),
            channels: self.manner.channels,
            val_list: self.val_list.clone(),
            turns: self.manner.turns,
            skipped: listed.skipped,
        })
    }
}
