//! The comparison as one page for a browser: no network, no framework, the numbers of the other reports.
//!
//! The page is this folder's HTML, CSS and JavaScript put together, with the comparison as JSON inside. Names of runs are
//! strangers' input: in the JSON every `<` is escaped, the script makes text nodes of them, and the page's own policy lets
//! no other script run.

mod data;

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

/// Writes the comparison as a page: curves over time and images, schedules, the tables, what was varied against what came of
/// it, and each run's settings. Curves are thinned to what a screen can show; numbers are not.
///
/// # Errors
/// When the trace of a run cannot be read.
pub fn html(comparison: &Comparison, verdicts: &[Verdict]) -> Result<String, RecordError> {
    let data = data::data(comparison, verdicts)?;
    let script = SCRIPT.concat();
    let title = super::picture::title(comparison);
    Ok(filled(&[
        ("title", &escaped(&title)),
        ("style", STYLE),
        ("style-hash", &hash(STYLE)),
        ("script", &script),
        ("script-hash", &hash(&script)),
        // JSON has `<` in texts alone, where this is the same character.
        ("data", &data.to_string().replace('<', "\\u003c")),
    ]))
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
