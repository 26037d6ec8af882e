//! Backbones: the body of the net. Each names the stem and head of its paper as defaults.

pub mod airbench;
pub mod blocks;
pub mod darknet;
pub mod densenet;
pub mod inception_resnet;
pub mod preact;
pub mod resnet;
pub mod resnet9;
pub mod shallow;
pub mod vgg;
pub mod wrn22;

use super::Part;
use crate::registry::{Choice, Describe, Entry, Family, Settings};

/// How a backbone is made, and what belongs around it.
pub struct Backbone {
    pub part: fn(&Settings) -> Box<dyn Part>,
    /// The stem and head that belong to it, for its settings: those of their own settings that differ from the defaults.
    pub stem: fn(&Settings) -> Choice,
    pub head: fn(&Settings) -> Choice,
    /// What begins the names of parameters in published weights, and what it is called in this net with its own stem and
    /// head: the first that fits counts.
    pub published: &'static [(&'static str, &'static str)],
}

/// An entry of the family `backbone`.
pub type BackboneEntry = Entry<Backbone>;

pub static ENTRIES: &[&BackboneEntry] = &[
    &resnet9::ENTRY,
    &resnet::RESNET18,
    &resnet::RESNET34,
    &resnet::RESNET50,
    &resnet::RESNET101,
    &resnet::RESNET152,
    &preact::RESNET18,
    &wrn22::ENTRY,
    &densenet::DENSENET121,
    &densenet::DENSENET161,
    &densenet::DENSENET169,
    &densenet::DENSENET201,
    &inception_resnet::V2,
    &darknet::DARKNET53,
    &darknet::DARKNET,
    &vgg::VGG11,
    &vgg::VGG11_BN,
    &vgg::VGG13,
    &vgg::VGG13_BN,
    &vgg::VGG16,
    &vgg::VGG16_BN,
    &vgg::VGG19,
    &vgg::VGG19_BN,
    &airbench::AIRBENCH94,
    &airbench::AIRBENCH96,
    &shallow::ENTRY,
];

pub static FAMILY: Family = Family {
    name: "backbone",
    doc: "The body of the net",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The stem and head that belong to a backbone; `None` for one that there is not.
pub fn own_parts(backbone: &Choice) -> Option<(Choice, Choice)> {
    let entry = crate::registry::find(ENTRIES, &backbone.kind)?;
    Some(((entry.make.stem)(&backbone.settings), (entry.make.head)(&backbone.settings)))
}

/// How a file of published weights may name the parameters of a backbone, see [`Backbone::published`].
pub fn published(backbone: &Choice) -> &'static [(&'static str, &'static str)] {
    crate::registry::find(ENTRIES, &backbone.kind).map_or(&[], |entry| entry.make.published)
}
