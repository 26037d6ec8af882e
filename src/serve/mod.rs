//! The comparison's page over a folder of runs while they train, for browsers: read-only, by default on this machine alone.
//!
//! ```text
//! socket ──connections──▶ request ──guard──▶ allowed ──site──▶ page, data, news, files
//!          limits, time-outs        host, token, paths            compare::report::Live, looked at when asked for
//! ```
//! Nothing is done between requests: a server that nobody looks at costs the trainings beside it nothing.

mod connections;
mod content;
mod guard;
mod site;
mod token;

#[cfg(test)]
mod tests;

pub use connections::serve;
pub use site::Site;
pub use token::{Token, TokenError};
