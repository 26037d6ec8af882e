//! What PyTorch computes, from `tests/fixtures/torch` (made by `scripts/make_fixtures.py` and others beside it), against what we compute.
//!
//! Everything is `f32` on both sides, so the sums differ by their order alone; each comparison names its tolerance.

mod averages;
mod clip;
#[path = "../common/mod.rs"]
mod common;
mod conv;
mod fixture;
mod kernels;
mod lbfgs;
mod muon;
mod net;
mod nets;
mod optimizers;
mod papers;
mod schedule_free;
mod schedules;
mod style;
mod views;
mod vision;
