//! Taps: looking at a layer's output by name, and adding a gradient there.

use super::shape::Shape;

/// An observer of one value of the graph.
pub trait Tap: Send {
    /// The value, `(n, h, w, c)`, right after it was computed.
    fn observe(&mut self, n: usize, shape: Shape, value: &[f32]);

    /// Adds to the gradient of the value, right before the layer that made it runs backward: for a loss on activations. The value
    /// is as it was observed.
    fn add_gradient(&mut self, _n: usize, _shape: Shape, _value: &[f32], _gradient: &mut [f32]) {}
}
