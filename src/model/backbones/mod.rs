//! Backbones: the body of the net. Each names the stem and head of its paper as defaults.

pub mod airbench;
pub mod preact;
pub mod resnet;
pub mod resnet9;
pub mod shallow;
pub mod wrn22;

use super::Part;
use crate::registry::{Choice, Describe, Entry, Family, Settings, Value};

/// How a backbone is made, and what belongs around it.
pub struct Backbone {
    pub part: fn(&Settings) -> Box<dyn Part>,
    /// The stem and head that belong to it, for its settings: those of their own settings that differ from the defaults.
    pub stem: fn(&Settings) -> Choice,
    pub head: fn(&Settings) -> Choice,
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

/// The setting `widths`: channels of one stage after another.
fn widths(settings: &Settings) -> Vec<usize> {
    let width = |value: &Value| match value {
        Value::Int(width) => *width as usize,
        other => panic!("a width holds {other:?}"),
    };
    settings.list("widths").iter().map(width).collect()
}
