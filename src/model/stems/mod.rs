//! Stems: from the image to the first activations.

pub mod conv3x3;
pub mod conv7x7;
pub mod deep;
pub mod factored;
pub mod inception;
pub mod none;
pub mod patchify;
mod shrink;
pub mod whiten;
pub mod whiten_conv;

use super::Part;
use crate::registry::{Describe, Entry, Family, Settings};

/// An entry of the family `stem`.
pub type StemEntry = Entry<fn(&Settings) -> Box<dyn Part>>;

pub static ENTRIES: &[&StemEntry] = &[
    &conv3x3::ENTRY,
    &conv7x7::ENTRY,
    &factored::ENTRY,
    &deep::ENTRY,
    &inception::V3,
    &inception::V4,
    &patchify::ENTRY,
    &whiten::ENTRY,
    &whiten_conv::ENTRY,
    &none::ENTRY,
];

pub static FAMILY: Family = Family {
    name: "stem",
    doc: "The first layers, from the image to the backbone",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};
