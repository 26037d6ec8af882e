//! How fast training goes, and how long it will still take.

use crate::plan::Plan;
use crate::record::rows::TraceRow;
use crate::units::Seconds;
use std::collections::VecDeque;

/// Steps that the rate is taken over.
const WINDOW: usize = 30;

/// Keeps the last steps' images, pixels and seconds.
pub struct Meter {
    recent: VecDeque<(f64, f64, Seconds)>,
    /// Image pixels still to be trained on.
    pixels_left: f64,
}

impl Meter {
    /// Before step `step`.
    pub fn new(plan: &Plan, step: u64) -> Self {
        let pixels = |size: usize, images: u64| (size * size) as f64 * images as f64;
        let pixels_left = plan
            .phases
            .iter()
            .map(|phase| {
                let end = phase.images_before + phase.images;
                let done = plan.images_before(step).clamp(phase.images_before, end);
                pixels(phase.size, end - done)
            })
            .sum();
        Self { recent: VecDeque::with_capacity(WINDOW), pixels_left }
    }

    pub fn add(&mut self, row: &TraceRow) {
        let pixels = (row.batch * row.size * row.size) as f64;
        self.pixels_left -= pixels;
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back((row.batch as f64, pixels, row.seconds));
    }

    /// Over the last steps.
    pub fn images_per_second(&self) -> f64 {
        self.total(|step| step.0) / self.total(|step| step.2)
    }

    /// For the training that is left, at the recent rate: the time of a step goes with its pixels. `None` before the
    /// first step.
    pub fn seconds_left(&self) -> Option<Seconds> {
        let (pixels, seconds) = (self.total(|step| step.1), self.total(|step| step.2));
        (pixels > 0.0).then(|| self.pixels_left.max(0.0) * seconds / pixels)
    }

    fn total(&self, part: impl Fn(&(f64, f64, Seconds)) -> f64) -> f64 {
        self.recent.iter().map(part).sum()
    }
}
