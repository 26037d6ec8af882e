//! What a painting is made of.

use super::pictures::{PICTURES, Pictures};
use crate::config::UsedSet;
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::data::resize::Extent;
use crate::paint::{Colours, fitted};
use crate::plan::Plan;
use crate::record::WeightsFacts;
use crate::task::Painting;
use crate::train::session::Machine;

/// What a painting is made of: everything checked, nothing begun.
pub struct PaintJob {
    pub spec: Spec,
    pub plan: Plan,
    pub painting: Painting,
    pub pictures: Pictures,
    pub machine: Machine,
    pub argv: Vec<String>,
    pub weights: Option<WeightsFacts>,
    pub notices: Vec<String>,
}

impl PaintJob {
    /// By which runs are grouped.
    pub fn spec_hash(&self) -> String {
        let set = UsedSet { name: PICTURES, digest: self.pictures.digest() };
        self.spec.hash(&[set], self.weights.as_ref().map(|weights| weights.sha256.as_str()))
    }

    /// Of the images in a phase.
    pub fn extent(&self, phase: usize) -> Extent {
        self.pictures.extent(self.plan.phases[phase].size)
    }

    /// Of the style images where the painting has this one.
    pub(super) fn style_extents(&self, painting: Extent) -> Vec<Extent> {
        let size = (painting.width.max(painting.height) as f64 * self.painting.style_scale).round().max(1.0) as usize;
        self.pictures.style.iter().map(|picture| fitted(picture.extent, size)).collect()
    }

    pub(super) fn facts(&self) -> Facts {
        self.pictures.facts(&self.painting)
    }

    pub(super) fn colours(&self) -> Colours<'_> {
        Colours { mean: &self.painting.mean, std: &self.painting.std }
    }
}
