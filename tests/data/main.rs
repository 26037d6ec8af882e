//! Data sets from outside: fetched from a server on this machine, listed, shown, refused.

#[path = "../common/mod.rs"]
mod common;

mod command;
mod fetch;
mod killed;
mod photos;
mod server;
