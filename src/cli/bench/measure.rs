//! Running the steps and looking at the clock.

use super::data::{self, Pipeline};
use crate::data::Batch;
use crate::train::Rehearsal;
use std::time::Instant;

/// Steps before the timed ones, where images are there: the first touches all memory.
const WARM_UP: usize = 3;

/// Steps between two looks at the clock where a device takes them one after another from images that lie there.
const BLOCK: usize = 20;

/// Images a second of the timed steps.
pub struct Rates {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Of the timed steps together.
    pub seconds: f64,
    /// The part of them in which images were waited for.
    pub waited: f64,
    pub steps: usize,
}

/// Warms up, then times steps, waiting for their images included; `watch` hears the rate of each.
///
/// # Errors
/// Those of a step, of its images and of `watch`; a loss that is not finite, as what is fast and wrong is no measurement.
pub fn rates(
    rehearsal: &mut Rehearsal,
    images: &mut Images,
    steps: usize,
    by_layer: bool,
    mut watch: impl FnMut(usize, f64) -> anyhow::Result<()>,
) -> anyhow::Result<Rates> {
    // Where layers are timed, each is waited for.
    let in_a_row = rehearsal.is_on_device() && images.is_noise() && !by_layer;
    let block = if in_a_row { BLOCK } else { 1 };
    for _ in 0..images.warm_up() {
        let batch = images.next()?;
        if in_a_row {
            rehearsal.steps(batch, 1)?
        } else {
            rehearsal.step(batch)?
        };
    }
    if by_layer {
        rehearsal.time_layers();
    }
    let (mut rates, mut seconds, waited) = (Vec::new(), 0.0, images.waited());
    for step in 0..steps {
        let begun = Instant::now();
        let batch = images.next()?;
        let loss = if in_a_row { rehearsal.steps(batch, block)? } else { rehearsal.step(batch)? };
        let spent = begun.elapsed().as_secs_f64() / block as f64;
        anyhow::ensure!(
            loss.sum.is_finite(),
            "the loss is not finite at step {step}: what was measured is worth nothing"
        );
        seconds += spent;
        rates.push(loss.images as f64 / spent);
        watch(step, loss.images as f64 / spent)?;
    }
    Ok(Rates { waited: images.waited() - waited, ..Rates::of(rates, seconds) })
}

/// Where the images of the steps are from.
pub enum Images {
    /// One batch, again and again.
    Noise(Box<Batch>),
    Pipeline(Box<Pipeline>),
}

impl Images {
    fn is_noise(&self) -> bool {
        matches!(self, Self::Noise(_))
    }

    /// Steps before the timed ones.
    fn warm_up(&self) -> usize {
        match self {
            Self::Noise(_) => WARM_UP,
            Self::Pipeline(_) => data::WARM_UP,
        }
    }

    /// Seconds that they were waited for so far.
    fn waited(&self) -> f64 {
        match self {
            Self::Noise(_) => 0.0,
            Self::Pipeline(pipeline) => pipeline.waited,
        }
    }

    fn next(&mut self) -> anyhow::Result<&Batch> {
        match self {
            Self::Noise(batch) => Ok(batch),
            Self::Pipeline(pipeline) => pipeline.next(),
        }
    }
}

impl Rates {
    /// Of all steps together, each of so many images: where they are made meanwhile, single ones wait for each other.
    pub fn all(&self, batch: usize) -> f64 {
        (self.steps * batch) as f64 / self.seconds
    }

    /// Of single steps, and the seconds of all.
    pub fn of(mut rates: Vec<f64>, seconds: f64) -> Self {
        rates.sort_by(f64::total_cmp);
        let steps = rates.len();
        let median = (rates[(steps - 1) / 2] + rates[steps / 2]) / 2.0;
        Self { median, min: rates[0], max: rates[steps - 1], seconds, waited: 0.0, steps }
    }
}

/// The most memory that this process has held so far, as the system counts it; `None` where it does not say (only Linux
/// does).
pub fn peak_memory_mib() -> Option<f64> {
    of_status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn of_status(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_pythons_statistics() {
        let median = |rates: &[f64]| Rates::of(rates.to_vec(), 1.0).median;
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0]), median(&[7.0])), (2.0, 2.5, 7.0));
    }

    #[test]
    fn memory_is_read_where_there_is_a_figure() {
        assert_eq!(of_status("Name:\trunner\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2.0));
        assert_eq!(of_status("Name:\trunner\n"), None);
    }
}
