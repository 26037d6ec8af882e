//! What is said of a value that is none.

use super::super::diagnostics::Diagnostic;
use super::super::lines::rest_of_line;
use super::super::source::Origin;
use std::ops::Range;

pub const COMMENTS: &str = "a comment begins with `#`";

/// What to say of that which follows a value, at byte `at`.
pub fn follows(content: &str, at: usize) -> Option<String> {
    let rest = rest_of_line(content, at).trim();
    if rest == "," {
        return Some("each setting has its own line, without a comma after it".to_owned());
    }
    let rest = rest.split('#').next().unwrap_or("").trim_end();
    let before = &content[content[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
    let value = before.split_once('=').map_or(before, |(_, value)| value).trim();
    let list = format!("{value}{rest}");
    let items: Vec<&str> = list.split(',').map(str::trim).collect();
    if rest.starts_with("//") || rest.starts_with(';') {
        return Some(COMMENTS.to_owned());
    }
    if items.len() < 2 || items.iter().any(|item| item.parse::<f64>().is_err()) {
        return None;
    }
    let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let is_count =
        is_digits(items[0]) && items[0].len() <= 3 && items[1..].iter().all(|item| is_digits(item) && item.len() == 3);
    Some(match is_count {
        true => format!("the thousands of a number are set apart by `_` alone: `{}`", items.join("_")),
        false => format!("several values are written in brackets: `[{}]`", items.join(", ")),
    })
}

/// The word around byte `at`: what stands between spaces, commas and brackets.
pub fn word_at(content: &str, at: usize) -> Range<usize> {
    let ends = |c: char| c.is_whitespace() || "=,[]{}#\"'".contains(c);
    let start =
        content[..at].rfind(ends).map_or(0, |end| end + content[end..].chars().next().map_or(1, char::len_utf8));
    let end = content[at..].find(ends).map_or(content.len(), |end| at + end);
    start..end
}

/// A value that is none, and what was probably meant.
pub fn not_a_value(origin: Origin, written: &str) -> Diagnostic {
    let any = "a number, a \"text\", `true`, `false`, `[ … ]` or `{ … }`";
    if written.is_empty() {
        return Diagnostic::new(origin, "the value is missing").expected(any);
    }
    let error = Diagnostic::new(origin, format!("`{written}` is not a value"));
    // The parser takes all up to the end of the line for one value.
    if written.contains(';') || written.contains(" //") {
        return error.help(COMMENTS);
    }
    let plain = written.trim_matches(['“', '”', '„', '‘', '’', '«', '»']);
    match written.to_lowercase().as_str() {
        lower @ ("true" | "false") => error.did_you_mean(Some(lower)),
        "yes" | "on" => error.did_you_mean(Some("true")),
        "no" | "off" => error.did_you_mean(Some("false")),
        "none" | "null" | "nil" => error.help("leave the key out to have its default"),
        _ if plain.len() < written.len() => error.help(format!("text is written in straight quotes: \"{plain}\"")),
        _ if written.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => match number(written) {
            None if written.contains(['*', '/']) || written.contains(" + ") || written.contains(" - ") => {
                error.help("nothing is calculated here: write the result")
            }
            Some(number) => error.help(format!("write the number as `{number}`")),
            None => {
                error.help(format!("a number stands alone, as in `0.1` or `1e-3`; text is in quotes: \"{written}\""))
            }
        },
        _ if written.contains(['(', '*', '$']) => error.expected(any),
        _ => error.help(format!("text is written in quotes: \"{written}\"")),
    }
}

/// The number that `.5`, `5.`, `007` or `0.1f` is meant for, as TOML writes it.
fn number(written: &str) -> Option<String> {
    let digits = written.trim_end_matches(['f', 'F', 'L']);
    let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(if digits.contains(['.', 'e', 'E']) { format!("{number:?}") } else { format!("{number}") })
}
