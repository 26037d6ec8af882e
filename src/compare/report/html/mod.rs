//! The comparison as one page for a browser: no network, no framework, the numbers of the other reports.
//!
//! The page is this folder's HTML, CSS and JavaScript put together, with the comparison as JSON inside. Names of runs are
//! strangers' input: in the JSON every `<` is escaped, the script makes text nodes of them, and the page's own policy lets
//! no other script run.

mod data;
mod live;

pub use live::{Live, Shown, live_policy};

use crate::compare::axes::axes;
use crate::compare::{Comparison, Verdict};
use crate::record::RecordError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &[&str] = &[
    include_str!("base.js"),
    include_str!("scales.js"),
    include_str!("hover.js"),
    include_str!("curves.js"),
    include_str!("axes.js"),
    include_str!("page.js"),
];
/// What a page does whose runs are as they are.
const STILL: &str = include_str!("start.js");
/// What a page does besides whose runs are still written.
const LIVE: &str = include_str!("live.js");

/// Writes the comparison as a page: curves over time and images, schedules, the tables, what was varied against what came of
/// it, and each run's settings. Curves are thinned to what a screen can show; numbers are not.
///
/// # Errors
/// When the trace of a run cannot be read.
pub fn html(comparison: &Comparison, verdicts: &[Verdict]) -> Result<String, RecordError> {
    let schedules = data::Schedules::default().of(comparison).into_iter().collect::<Result<_, _>>()?;
    let data = data::data(comparison, verdicts, schedules, axes(&comparison.groups));
    let script = SCRIPT.concat() + STILL;
    Ok(page(&super::picture::title(comparison), &data.to_string(), &script, &policy(&script, "")))
}

/// The page of a title, its data as JSON, its script, and its policy.
fn page(title: &str, data: &str, script: &str, policy: &str) -> String {
    filled(&[
        ("title", &escaped(title)),
        ("policy", policy),
        ("style", STYLE),
        ("script", script),
        // JSON has `<` in texts alone, where this is the same character.
        ("data", &data.replace('<', "\\u003c")),
    ])
}

/// A content security policy that lets this script and the page's style in, and nothing else but `more`.
fn policy(script: &str, more: &str) -> String {
    let (style, script) = (hash(STYLE), hash(script));
    format!("default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'{more}")
}

/// The page with its `{{names}}` replaced, each once and none inside of what was put in.
fn filled(parts: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for piece in PAGE.split("{{") {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        out += parts.iter().find(|(key, _)| *key == name).map_or("", |(_, text)| text);
        out += rest;
    }
    out
}

/// How a content security policy names a script or a style.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
