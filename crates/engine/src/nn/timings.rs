//! Where the seconds of a step go, layer by layer.

use crate::units::Seconds;
use std::time::Instant;

/// Seconds added up over steps, for each layer of the graph in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Timings {
    pub forward: Vec<Seconds>,
    /// Zero where a layer has no backward pass.
    pub backward: Vec<Seconds>,
    /// Of layers' second runs, where values are not kept: all together.
    pub again: Seconds,
    pub loss: Seconds,
}

impl Timings {
    /// Zero, for that many layers.
    pub fn of(layers: usize) -> Self {
        Self { forward: vec![0.0; layers], backward: vec![0.0; layers], again: 0.0, loss: 0.0 }
    }

    /// Where the seconds of a layer's forward pass go, its first run or another.
    pub(super) fn of_forward(&mut self, layer: usize, again: bool) -> &mut Seconds {
        if again { &mut self.again } else { &mut self.forward[layer] }
    }
}

/// The time where times are kept; else the clock is not looked at.
pub(super) fn begin(timings: &Option<Timings>) -> Option<Instant> {
    timings.as_ref().map(|_| Instant::now())
}

/// Adds the seconds since `begun` to one of the times, where they are kept.
pub(super) fn end(
    timings: &mut Option<Timings>,
    begun: Option<Instant>,
    of: impl FnOnce(&mut Timings) -> &mut Seconds,
) {
    if let (Some(timings), Some(begun)) = (timings, begun) {
        *of(timings) += begun.elapsed().as_secs_f64();
    }
}
