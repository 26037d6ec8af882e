//! What a learning-rate range test says: curves of loss over rate, whether they can be used, and which rates they suggest.
//!
//! The test (Smith 2017, arXiv:1506.01186, section 3.3): train for some hundred steps while the rate grows from far too
//! small to far too large, and look where the loss falls. Everything here is a function of numbers; the steps are taken by
//! `train::find_lr`.

mod curve;
mod spread;
mod suggest;
mod usable;

pub use curve::{Curve, End, Point, Sweep};
pub use spread::Spread;
pub use suggest::Method;
pub use usable::{Unusable, judge};
