//! Sweeps as a user runs them: the shipped ones are right, and a sweep that is killed comes to the same end.

#[path = "../common/mod.rs"]
mod common;

mod beginnings;
mod constraints;
mod dry_run;
mod killed;
mod outcome;
mod points;
mod refused;
mod resumed;
mod shared;
mod shipped;
mod workplace;
