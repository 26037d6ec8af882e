//! Class folders, a pack or a list of images that a net was not trained on.

use super::layout::{self, File, Layout, Listed, unusable};
use super::{Folder, USUAL, disk, list};
use crate::stored::pack::is_pack;
use crate::stored::{Manner, Skipped};
use crate::{Chosen, DataError, Dataset, Facts, FactsSource, Images, Others, Split, TrainedOn, summary};
use std::path::{Path, PathBuf};

/// Files of images, before one is read.
struct Found {
    chosen: Chosen,
    /// What the digest's paths are relative to.
    folder: PathBuf,
    /// With places among the net's classes.
    files: Vec<File>,
    skipped: Vec<Skipped>,
}

impl Folder {
    /// For images in the place of those of a set without class folders: in memory, brought to its size.
    pub fn like(facts: &Facts) -> Self {
        let manner =
            Manner { channels: facts.channels, margin: 1.0, skip_bad: false, rectangular: false, turns: false };
        Self { name: super::ENTRY.name, size: Some(facts.size), val: 0.5, val_list: None, on_disk: false, manner }
    }

    /// Opens them as it does its own; in memory, at the size of those.
    pub fn read_others(&self, others: Others<'_>) -> Result<(Dataset, Chosen), DataError> {
        let Others { from, trained_on } = others;
        let in_memory = self.size.unwrap_or(trained_on.facts.size);
        let like = Self { size: if self.on_disk { self.size } else { Some(in_memory) }, ..self.clone() };
        if is_pack(from) {
            // It has its own images for validation, by whatever list.
            let mut set = Self { val_list: None, ..like }.open_pack(from)?;
            let places = trained_on.places(from, &set.class_names)?;
            set.val.labels.iter_mut().for_each(|label| *label = places[*label as usize]);
            return Ok((as_trained_on(set, trained_on), Chosen::Validation));
        }
        let found = like.found(from, trained_on)?;
        let chosen = found.chosen;
        let size = if self.on_disk { self.size.unwrap_or(USUAL) } else { in_memory };
        let facts = like.facts(0, found.files.len(), trained_on.classes.len(), size, FactsSource::Data);
        let set =
            if self.on_disk { like.others_on_disk(found, facts)? } else { like.others_in_memory(from, found, facts)? };
        if set.val.labels.is_empty() {
            let remedy = "see without skip_bad what is wrong with them";
            return unusable(from, "none of the images can be decoded", remedy);
        }
        Ok((as_trained_on(set, trained_on), chosen))
    }

    fn found(&self, from: &Path, trained_on: &TrainedOn) -> Result<Found, DataError> {
        if from.is_file() {
            let folder = from.parent().unwrap_or(Path::new("")).to_owned();
            let files = list::named(&folder, from, &trained_on.classes)?;
            return Ok(Found { chosen: Chosen::Listed, folder, files, skipped: Vec::new() });
        }
        // That of the set may not be here.
        let list = self.val_list.as_deref().filter(|list| from.join(list).is_file());
        let (chosen, classes, mut files, skipped) = match (list, Layout::of(from)) {
            (None, Some(Layout::Classes)) => {
                let layout::Found { classes, files, skipped } = layout::all(from, self.manner.skip_bad)?;
                (Chosen::All, classes, files, skipped)
            }
            (None, None) => {
                let problem =
                    if from.exists() { "there are no class folders of images" } else { "there is no such folder" };
                let remedy =
                    "name a folder of class folders, one that holds train/ and val/, a pack, or a list of files";
                return unusable(from, problem, remedy);
            }
            _ => {
                let Listed { classes, val, skipped, .. } = Listed::new(from, self.val, list, self.manner.skip_bad)?;
                (Chosen::Validation, classes, val, skipped)
            }
        };
        let places = trained_on.places(from, &classes)?;
        files.iter_mut().for_each(|file| file.class = places[file.class as usize]);
        Ok(Found { chosen, folder: from.to_owned(), files, skipped })
    }

    fn others_in_memory(&self, from: &Path, found: Found, mut facts: Facts) -> Result<Dataset, DataError> {
        self.check_memory(from, &facts)?;
        let Found { files, mut skipped, .. } = found;
        let mut errors = Vec::new();
        let (val, kept) = self.decoded(&files, &files[0].path, facts.size, &mut skipped, &mut errors)?;
        if let Some(error) = DataError::together(errors) {
            return Err(error);
        }
        facts.val_images = kept.len();
        let digest = summary::digest(&none(&facts), &val);
        let val_files = kept.into_iter().map(|k| files[k].path.clone()).collect();
        Ok(Dataset { digest, skipped, val_files, ..validation(facts, val) })
    }

    fn others_on_disk(&self, found: Found, mut facts: Facts) -> Result<Dataset, DataError> {
        let Found { folder, files, mut skipped, .. } = found;
        let mut damaged = Vec::new();
        let files = self.whole(files, &mut damaged)?;
        self.skip(damaged, &mut skipped)?;
        facts.val_images = files.len();
        let digest = disk::digest(&folder, self.manner.channels, [&[], &files])?;
        let val = self.stored(files, &facts);
        Ok(Dataset { digest, skipped, ..validation(facts, val) })
    }
}

/// Images for validation alone, of classes and statistics that are not known yet.
fn validation(facts: Facts, val: Split) -> Dataset {
    let train = none(&facts);
    Dataset {
        facts,
        class_names: Vec::new(),
        train,
        val,
        mean: Vec::new(),
        std: Vec::new(),
        digest: String::new(),
        stands_in_for: None,
        skipped: Vec::new(),
        val_files: Vec::new(),
    }
}

/// A split of no images.
fn none(facts: &Facts) -> Split {
    let &Facts { size, channels, .. } = facts;
    Split { images: Images::Memory(Vec::new()), labels: Vec::new(), size, channels }
}

/// A set as the net takes its validation images: with the classes and the statistics that it was trained with.
fn as_trained_on(set: Dataset, trained_on: &TrainedOn) -> Dataset {
    let TrainedOn { classes, mean, std, .. } = trained_on.clone();
    let facts = Facts { train_images: 0, classes: classes.len(), ..set.facts.clone() };
    let train = none(&facts);
    Dataset { facts, class_names: classes, train, mean, std, ..set }
}
