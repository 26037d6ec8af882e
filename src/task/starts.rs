//! What an image is before the first step.

use crate::registry::{Choice, Default, Describe, Entry, Family, Interval, Kind, Param, Settings, find};
use std::path::PathBuf;

/// A start.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// Uniform noise, drawn from the seed.
    Noise {
        /// Side of the window of the median filter; 0 or 1: none.
        median: usize,
        /// How far from the mean colour, of what there is room for.
        contrast: f64,
    },
    /// The content image.
    Content,
    /// Another one.
    Image(PathBuf),
}

/// An entry of the family `start`.
pub type StartEntry = Entry<fn(&Settings) -> Start>;

static NOISE: StartEntry = Entry {
    name: "noise",
    summary: "uniform noise, by a median filter in blotches where one is asked for",
    cite: "fast.ai, Deep Learning part 2, 2018, lesson 13: uniform(0, 1), median_filter(noise, [8, 8, 1]), half of it",
    params: &[
        Param {
            key: "median",
            kind: Kind::Int { min: 0, max: 64 },
            default: Default::Toml("8"),
            doc: "side of the square whose median each value becomes, in pixels; 0: none",
        },
        Param {
            key: "contrast",
            kind: Kind::Float(Interval::closed(0.0, 1.0)),
            default: Default::Toml("0.5"),
            doc: "factor on the distance from the mean colour",
        },
    ],
    shorthand: Some("median"),
    make: |settings| Start::Noise { median: settings.usize("median"), contrast: settings.float("contrast") },
};

static CONTENT: StartEntry = Entry {
    name: "content",
    summary: "the content image",
    cite: "Gatys, Ecker and Bethge 2016 (CVPR), section 4.3",
    params: &[],
    shorthand: None,
    make: |_| Start::Content,
};

static IMAGE: StartEntry = Entry {
    name: "image",
    summary: "an image file, such as the result of another run",
    cite: "Gatys, Ecker and Bethge 2016 (CVPR), section 4.3",
    params: &[Param {
        key: "file",
        kind: Kind::Path,
        default: Default::Required,
        doc: "a JPEG or PNG file; it is cut to the shape of the painting and resized",
    }],
    shorthand: Some("file"),
    make: |settings| Start::Image(settings.text("file").into()),
};

pub static ENTRIES: &[&StartEntry] = &[&NOISE, &CONTENT, &IMAGE];

pub static FAMILY: Family = Family {
    name: "start",
    doc: "What a painted image is before the first step",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The start that a checked choice names.
pub fn make(choice: &Choice) -> Start {
    (find(ENTRIES, &choice.kind).expect("a checked start is known").make)(&choice.settings)
}
