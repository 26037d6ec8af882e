//! Arrays and inline tables over several lines that do not go on as they should.

use super::super::lines::{floor_char, rest_of_line};
use std::ops::Range;

/// Whether the place starts its line and looks like a setting or a header, which no array or inline table of several
/// lines would hold there without a comma before.
pub fn begins_a_setting(content: &str, line_start: usize, span: &Range<usize>) -> bool {
    let starts_line = content[line_start..span.start].trim_matches(['[', ' ', '\t']).is_empty();
    starts_line && is_setting(rest_of_line(content, line_start))
}

/// Whether a line looks like a setting or a header.
fn is_setting(line: &str) -> bool {
    let word = line.trim_start_matches(['[', ' ', '\t']);
    let after = word.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-.".contains(c));
    after.len() < word.len() && after.trim_start().starts_with(['=', ']'])
}

/// How far is looked for the end of an inline table, in bytes.
const FAR: usize = 1000;

/// Whether a text out of the middle of an inline table comes to its end, before any header.
pub fn is_closed_later(rest: &str) -> bool {
    let rest = &rest[..floor_char(rest, FAR)];
    let mut depth = 0_usize;
    for line in rest.lines() {
        let begins = line.trim_start();
        if begins.starts_with('[') && is_setting(line) && !begins.contains(['=', ',']) {
            return false;
        }
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), _) => quote = Some(open).filter(|open| *open != c),
                (None, '"' | '\'') => quote = Some(c),
                (None, '#') => break,
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => return c == '}',
                },
                (None, _) => {}
            }
        }
    }
    false
}
