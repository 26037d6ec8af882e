//! What is asked of a painting before anything is made: whether it fits, and how much memory it takes.

use super::frozen::looked_at;
use super::job::PaintJob;
use super::scene::mask;
use crate::data::resize::Extent;
use crate::nn::ValueId;
use crate::paint::{Needs, Objective};
use crate::plan::PlannedPhase;
use crate::train::net;
use std::collections::BTreeMap;

impl PaintJob {
    /// The first style image that is too small for its layers in a phase, and what is said of it.
    ///
    /// # Errors
    /// When the painting itself is.
    pub fn small_style(&self, phase: usize) -> anyhow::Result<Option<(usize, anyhow::Error)>> {
        let extent = self.extent(phase);
        let (graph, _) = net::some_of(&self.spec, &self.facts(), extent)?;
        let layers = Objective::style_layers(&self.painting, &graph)?;
        let small = |(k, to)| Some((k, style_bytes(self, &layers, to).err()?));
        Ok(self.style_extents(extent).into_iter().enumerate().find_map(small))
    }

    /// Whether there is a mask that lets nothing change in a phase.
    pub fn mask_is_black(&self, phase: usize) -> bool {
        mask(self, self.extent(phase)).is_some_and(|mask| mask.is_black())
    }

    /// What to say of a mask that bounds nothing, as that of a picture whose shape is in its transparency: it is painted all the same.
    pub(super) fn white_mask(&self) -> Option<String> {
        let words = "`task.mask` is white everywhere: all of the content may change, as without it; transparency is not looked at";
        self.pictures.mask_is_white().then(|| words.to_owned())
    }

    fn needs(&self) -> Needs {
        Needs {
            images: self.painting.images(),
            dtype: net::dtype(&self.spec),
            algorithm: net::algorithm(&self.spec),
            isa: self.machine.compute.isa,
        }
    }
}

/// Bytes that a phase takes at a size: of the net and its activations, and of what the optimizer remembers.
///
/// # Errors
/// When the net takes no images of that size.
pub fn memory_needed(job: &PaintJob, phase: &PlannedPhase, size: usize) -> anyhow::Result<usize> {
    let extent = job.pictures.extent(size);
    let (graph, _) = net::some_of(&job.spec, &job.facts(), extent)?;
    let looked = looked_at(&job.painting, &graph)?;
    let weights: usize = looked.params().iter().map(|param| param.shape.iter().product::<usize>()).sum();
    let pixels = job.painting.images() * extent.width * extent.height * 3;
    // Of each step that L-BFGS remembers two copies; of other rules a few. What points on a line hold comes on top.
    let history = phase.optimizer.settings.opt_int("history").unwrap_or(0) as usize;
    let copies = 2 * history + 12;
    // As kernels read them, weights of 3×3 take four times their room, in either direction.
    let floats = 9 * weights + copies * pixels;
    let layers = Objective::style_layers(&job.painting, &graph)?;
    let mut most = Objective::bytes(job.needs(), &job.painting, &graph)?;
    // The look at a style image is over before the first step; one that is larger than the painting may take more.
    for to in job.style_extents(extent) {
        most = most.max(style_bytes(job, &layers, to)?);
    }
    Ok(most + floats * size_of::<f32>())
}

/// Bytes that the look at a style image of an extent takes.
fn style_bytes(job: &PaintJob, layers: &BTreeMap<String, ValueId>, to: Extent) -> anyhow::Result<usize> {
    let (graph, _) = net::some_of(&job.spec, &job.facts(), to)?;
    Ok(Objective::style_bytes(job.needs(), layers, &graph, to)?)
}
