//! The pictures that a run leaves: snapshots on the way, results, and the contact sheet.

use super::scene::shown;
use super::session::PaintSession;
use crate::paint::{Picture, fitted};
use crate::plan::StepPlan;
use crate::record::{Event, atomic};
use anyhow::Context as _;

const SNAPSHOTS: &str = "snapshots";
const CONTACT_SHEET: &str = "sheet.png";
/// The longer side of a picture on the contact sheet, the most that are shown, and how many a row.
const SHEET: (usize, usize, usize) = (192, 48, 6);

impl PaintSession {
    /// Writes the images after a step.
    pub(super) fn snapshot(&mut self, step: &StepPlan, loss: f64) -> anyhow::Result<()> {
        self.clock.lap(|spent| &mut spent.train);
        let extent = self.job.extent(step.phase);
        self.recorder.folder().check_in_place()?;
        let folder = self.recorder.folder().join(SNAPSHOTS);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
        let images = shown(&self.job, &self.state.params, extent);
        for (k, image) in images.iter().enumerate() {
            atomic::write(&folder.join(name_of(step.step + 1, k, images.len())), &image.png())?;
        }
        let first = format!("{SNAPSHOTS}/{}", name_of(step.step + 1, 0, images.len()));
        self.recorder.event(&Event::Snapshot { step: step.step, file: first, loss })?;
        self.clock.lap(|spent| &mut spent.eval);
        Ok(())
    }

    /// Writes the pictures of a painting that is over: its images, and the contact sheet.
    pub(super) fn results(&self) -> anyhow::Result<()> {
        let last = self.job.plan.phase_of(self.state.progress.step.saturating_sub(1));
        let extent = self.job.extent(last);
        let images = shown(&self.job, &self.state.params, extent);
        let folder = self.recorder.folder();
        for (k, image) in images.iter().enumerate() {
            atomic::write(&folder.join(&result_name(k, images.len())), &image.png())?;
        }
        Ok(atomic::write(&folder.join(CONTACT_SHEET), &self.sheet(&images[0])?.png())?)
    }

    /// The contact sheet: what was given, the first image's snapshots, the result.
    fn sheet(&self, result: &Picture) -> anyhow::Result<Picture> {
        let (side, most, columns) = SHEET;
        let to = fitted(result.extent, side.min(result.extent.width.max(result.extent.height)));
        let given = self.job.pictures.content.iter().chain(&self.job.pictures.style);
        let mut shown: Vec<Picture> = given.map(|picture| picture.fitted(to)).collect();
        let folder = self.recorder.folder().join(SNAPSHOTS);
        let images = self.job.painting.images();
        let mut names: Vec<String> = (1..=self.state.progress.step).map(|step| name_of(step, 0, images)).collect();
        names.retain(|name| folder.join(name).is_file());
        // Of many, some, spread evenly, the last among them.
        let every = names.len().div_ceil(most).max(1);
        for name in names.iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev() {
            shown.push(Picture::read(&folder.join(name))?.fitted(to));
        }
        Ok(Picture::sheet(&shown, columns))
    }
}

/// `000050.png`; of several images `000050-1.png`, …
fn name_of(step: u64, image: usize, of: usize) -> String {
    if of == 1 { format!("{step:06}.png") } else { format!("{step:06}-{}.png", image + 1) }
}

/// `result.png`; of several images `result-1.png`, …
fn result_name(image: usize, of: usize) -> String {
    if of == 1 { "result.png".to_owned() } else { format!("result-{}.png", image + 1) }
}

/// What a painting of so many images leaves in its run folder.
pub fn picture_files(images: usize) -> Vec<String> {
    let results = (0..images).map(|image| result_name(image, images));
    [SNAPSHOTS, CONTACT_SHEET].map(str::to_owned).into_iter().chain(results).collect()
}
