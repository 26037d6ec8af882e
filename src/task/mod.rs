//! What an experiment is about: a net that is trained on labelled images or, where `[task]` says so, images that are painted
//! through a net which stays as it is.

pub mod losses;
pub mod starts;
mod style_transfer;

pub use style_transfer::{Painting, SettingsError};

use crate::registry::{Choice, Describe, Entry, Family, Settings, find};

/// What `[task]` says.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// A net is trained to tell classes apart: what is done where nothing is said.
    Classification,
    /// The parameters are the pixels of images.
    StyleTransfer(Box<Painting>),
}

/// An entry of the family `task`.
pub type TaskEntry = Entry<fn(&Settings) -> Task>;

static CLASSIFICATION: TaskEntry = Entry {
    name: "classification",
    summary: "a net is trained to tell the classes of a data set apart: what is done without `[task]`",
    cite: "the usual one",
    params: &[],
    shorthand: None,
    make: |_| Task::Classification,
};

pub static ENTRIES: &[&TaskEntry] = &[&CLASSIFICATION, &style_transfer::ENTRY];

pub static FAMILY: Family = Family {
    name: "task",
    doc: "What is trained: a net, or pixels",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The task that a checked choice names.
pub fn make(choice: &Choice) -> Task {
    (find(ENTRIES, &choice.kind).expect("a checked task is known").make)(&choice.settings)
}

/// What painting experiments say, where the choice is one.
pub fn painting(choice: Option<&Choice>) -> Option<Box<Painting>> {
    match make(choice?) {
        Task::Classification => None,
        Task::StyleTransfer(painting) => Some(painting),
    }
}

/// The numbers of a list of them.
fn floats(settings: &Settings, key: &str) -> Option<Vec<f64>> {
    use crate::registry::Value;
    let number = |value: &Value| match value {
        Value::Float(number) => *number,
        other => panic!("`{key}` holds {other:?}"),
    };
    settings.opt_list(key).map(|list| list.iter().map(number).collect())
}

/// The texts of a list of them.
fn texts(settings: &Settings, key: &str) -> Vec<String> {
    use crate::registry::Value;
    let text = |value: Value| match value {
        Value::Text(text) => text,
        other => panic!("`{key}` holds {other:?}"),
    };
    settings.opt_list(key).unwrap_or_default().into_iter().map(text).collect()
}
