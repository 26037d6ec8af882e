//! Pictures of schedules and of runs, as SVG text and as PNG.
//!
//! Everything drawn comes in as rows of the CSV files: from a plan that was just compiled, or read back from a run folder.
//! The same rows give the same bytes: no clock, coordinates rounded to a tenth of a pixel, and in PNGs no system font but for letters
//! that the embedded one lacks.

mod axis;
mod confusion;
mod curves;
mod fallback;
mod find_lr;
mod frame;
mod groups;
mod header;
mod panels;
mod places;
mod png;
mod schedule;
mod schedules;
mod sheet;
mod style;
mod svg;
mod text;
mod thin;
mod track;

#[cfg(test)]
mod tests;

/// Rows that a picture of a schedule is drawn from: more than it has columns of pixels.
pub const POINTS: usize = 2000;

pub use confusion::confusion;
pub use curves::{Across, RunRows, curves};
pub use find_lr::{RateCurve, RateMark, RateScale, find_lr};
pub use groups::{Evaluated, GroupRows, Metric, foremost, groups};
pub use png::{PictureError, png};
pub use schedule::{LrScale, ScheduleOptions, Scheduled, Shown, schedule};
pub use schedules::schedules;
pub use sheet::{Sheet, SheetRow};
pub use thin::thin_by;
