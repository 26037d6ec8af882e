//! What a card's backend decides without the card: which algorithm of a library, which arguments, which part of a
//! buffer. None of it knows the driver's types, so that it is compiled and tested everywhere.

// Only cards use most of it.
#![cfg_attr(not(feature = "cuda"), allow(dead_code))]

pub mod convolution;
pub mod lifetimes;
pub mod product;
pub mod staging;
pub mod versions;
