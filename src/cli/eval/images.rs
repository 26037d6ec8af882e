//! The images that a run's weights are evaluated on: its own, or others.

use crate::cli::Failure;
use crate::cli::recorded::Recorded;
use crate::cli::train::{left_out, open_dataset};
use crate::data::sets::{self, Origin};
use crate::data::{Chosen, Dataset, Others, TrainedOn, open_others};
use crate::record::DatasetFacts;
use crate::record::console::Display;
use std::path::Path;

/// What is evaluated.
pub struct Evaluated {
    pub dataset: Dataset,
    /// Whether it is as it was when the run was trained.
    pub same_data: bool,
    /// Which they are of those that `--data` names, unless they are the run's own.
    pub others: Option<Chosen>,
}

/// The run's own set, as it is in the place that `--data` names, be it another one than when the run was trained. `None` of other
/// images; and of runs with several sets, of which one would not do.
pub fn own_at(recorded: &Recorded, from: &Path, notices: &mut Vec<String>) -> Option<Dataset> {
    let (spec, before) = (&recorded.loaded.spec, &recorded.info.dataset);
    let set = sets::make(&spec.data.dataset);
    if spec.sets().len() > 1 || set.origin() == Origin::Generated {
        return None;
    }
    let folder = set.locate(from)?;
    // What is wrong there is said where it is read as others.
    let found = set.count(&folder).ok()?;
    let as_many = (found.train_images as u64, found.val_images as u64) == (before.images, before.val_images);
    // Damaged files may be counted before they are read.
    if !as_many && before.skipped == 0 {
        return None;
    }
    let dataset = set.read(&folder).ok().filter(|dataset| dataset.digest == before.digest)?;
    notices.extend(left_out(&dataset));
    // As it was normalised in training.
    Some(match &spec.data.statistics {
        Some(given) => dataset.normalised_by(given),
        None => dataset,
    })
}

/// The validation images of one of the run's sets; where they are not what the run was trained with, that is said.
pub fn own(recorded: &Recorded, set: usize, display: Display, notices: &mut Vec<String>) -> Result<Evaluated, Failure> {
    let (spec, before) = (&recorded.loaded.spec, facts_of(recorded, set));
    let dataset = open_dataset(&spec.request(&spec.sets()[set]), display, before.stands_in_for.clone(), notices)?;
    let same_data = dataset.digest == before.digest;
    if !same_data {
        notices.push(format!(
            "OTHER IMAGES than the run was trained with: `{}` had digest {}, and `{}` has {} now",
            before.name, before.digest, dataset.facts.name, dataset.digest
        ));
    }
    Ok(Evaluated { dataset, same_data, others: None })
}

/// The images that `--data` names, taken as those of one of the run's sets are, which tells their classes and what they are
/// normalised with.
pub fn others(
    recorded: &Recorded,
    set: usize,
    from: &Path,
    display: Display,
    notices: &mut Vec<String>,
) -> Result<Evaluated, Failure> {
    let Dataset { facts, class_names, mean, std, .. } = own(recorded, set, display, notices)?.dataset;
    let classes = super::class_names(facts.classes, &class_names);
    let trained_on = TrainedOn { facts, classes, mean, std };
    let set = recorded.loaded.spec.sets().swap_remove(set);
    let (dataset, chosen) = open_others(&set.dataset, Others { from, trained_on: &trained_on })?;
    notices.extend(left_out(&dataset));
    // Of a set that is not divided into folders, all of its own folder are mostly those.
    let trained_on = |root: &Path| {
        let train = root.join("train");
        is_in(from, if train.is_dir() { &train } else { root })
    };
    if chosen == Chosen::All && set.root.as_deref().is_some_and(trained_on) {
        notices.push(format!(
            "THE RUN WAS TRAINED ON THESE IMAGES: training images are among those of {}",
            from.display()
        ));
    }
    Ok(Evaluated { dataset, same_data: false, others: Some(chosen) })
}

/// What the run's records say of one of its sets.
fn facts_of(recorded: &Recorded, set: usize) -> &DatasetFacts {
    recorded.info.datasets().nth(set).unwrap_or(&recorded.info.dataset)
}

/// Whether a folder is another one or lies in it.
fn is_in(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}
