//! What the TOML parser says, in words that help.

use super::diagnostics::Diagnostic;
use super::source::Origin;
use std::ops::Range;
use toml::de::Error;

/// The syntax errors of text number `text`, and whether the tree is whole in spite of them: keys given twice leave it so.
///
/// The parser goes on after an error and finds many that are only its consequences: of those on one line the first is
/// kept, and nothing is kept after an array or inline table that is not closed.
pub fn errors(content: &str, text: usize, found: &[Error]) -> (Vec<Diagnostic>, bool) {
    let mut found: Vec<&Error> = found.iter().collect();
    found.sort_by_key(|error| error.span().unwrap_or(0..0).start);
    let mut kept = Vec::new();
    let mut whole = true;
    let mut last_line = None;
    for error in found {
        if is_about_keys(error) {
            kept.push(self::error(content, text, 0, error));
            continue;
        }
        whole = false;
        let span = error.span().unwrap_or(0..0);
        let line = content[..span.start].matches('\n').count();
        if last_line.replace(line) == Some(line) {
            continue;
        }
        if is_about_items(error) && begins_a_setting(content, &span) {
            let message = "an array or table is not closed before this line";
            kept.push(Diagnostic::new(Origin::Text { text, span }, message).expected("`]` or `}` above"));
            break;
        }
        kept.push(self::error(content, text, 0, error));
    }
    (kept, whole)
}

/// One error of the parser, in a text that starts at byte `offset` of text number `text`.
pub fn error(content: &str, text: usize, offset: usize, error: &Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let origin = Origin::Text { text, span: span.start + offset..span.end + offset };
    let written = content.get(span.clone()).unwrap_or_default();
    let (message, expected) = match error.message().split_once(", expected ") {
        Some((message, expected)) => (message, Some(expected)),
        None => (error.message(), None),
    };
    match message {
        "duplicate key" => {
            let help = match first_given(content, &span) {
                Some(line) => format!("it is given on line {line} already: keep one of the two"),
                None => "keep one of the two".to_owned(),
            };
            Diagnostic::new(origin, format!("`{written}` is given twice")).help(help)
        }
        "invalid basic string" | "invalid literal string"
            if expected.is_some_and(|quote| written.is_empty() && quote.len() == 3) =>
        {
            Diagnostic::new(origin, "the string is not closed").expected(expected.unwrap_or_default())
        }
        "unexpected key or value" => {
            Diagnostic::new(origin, "something follows the value on its line").expected("a new line")
        }
        "string values must be quoted" | "invalid boolean" => not_a_value(origin, written),
        _ => {
            let mut diagnostic = Diagnostic::new(origin, format!("not TOML: {message}"));
            diagnostic.expected = expected.map(str::to_owned);
            diagnostic
        }
    }
}

fn not_a_value(origin: Origin, written: &str) -> Diagnostic {
    if written.is_empty() {
        return Diagnostic::new(origin, "the value is missing")
            .expected("a number, a \"text\", `true`, `false`, `[ … ]` or `{ … }`");
    }
    let error = Diagnostic::new(origin, format!("`{written}` is not a value"));
    match written.to_lowercase().as_str() {
        lower @ ("true" | "false") => error.did_you_mean(Some(lower)),
        _ => error.help(format!("text is written in quotes: \"{written}\"")),
    }
}

/// Errors that concern one key and leave the rest of the tree as it was written.
fn is_about_keys(error: &Error) -> bool {
    error.message() == "duplicate key" || error.message().starts_with("cannot extend")
}

/// Errors between the items of an array or inline table.
fn is_about_items(error: &Error) -> bool {
    ["array", "quoted", "key-value pairs"].iter().any(|word| error.message().contains(word))
}

/// Whether the place starts its line and looks like a setting or a header, which no array or inline table of several
/// lines would hold there without a comma before.
fn begins_a_setting(content: &str, span: &Range<usize>) -> bool {
    let line_start = content[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = content[line_start..].lines().next().unwrap_or("");
    let starts_line = content[line_start..span.start].trim_matches(['[', ' ', '\t']).is_empty();
    let word = line.trim_start_matches(['[', ' ', '\t']);
    let after = word.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-.".contains(c));
    starts_line && after.len() < word.len() && after.trim_start().starts_with(['=', ']'])
}

/// The line on which the key or header at `again` was given first. Only a key that starts its line has an answer.
fn first_given(content: &str, again: &Range<usize>) -> Option<usize> {
    let line_start = content[..again.start].rfind('\n').map_or(0, |newline| newline + 1);
    let head = content[line_start..again.end].trim_start();
    let is_header = head.starts_with('[');
    let earlier: Vec<&str> = content[..line_start].lines().collect();
    let own_table = earlier.iter().rposition(|line| line.trim_start().starts_with('[')).map_or(0, |header| header + 1);
    let first = if is_header { 0 } else { own_table };
    let same = |line: &&str| {
        let rest = line.trim_start().strip_prefix(head);
        rest.is_some_and(|rest| rest.trim_start().starts_with(if is_header { ']' } else { '=' }))
    };
    earlier[first..].iter().position(same).map(|line| first + line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content: &str) -> Vec<Diagnostic> {
        let (_, syntax) = toml::de::DeTable::parse_recoverable(content);
        errors(content, 0, &syntax).0
    }

    #[test]
    fn a_key_given_twice_names_the_first_line() {
        let help = |content| found(content).into_iter().map(|d| d.help.concat()).collect::<Vec<_>>();
        let on = |line: usize| vec![format!("it is given on line {line} already: keep one of the two")];
        assert_eq!(help("lr = 1\n[p]\nb = 2\nlr=2\nlr = 3\n"), on(4));
        assert_eq!(help("[data]\na = 1\n[model]\n[data]\nb = 2\n"), on(1));
        assert_eq!(help("a = { b = 1, b = 2 }\n"), ["keep one of the two"]);
    }

    #[test]
    fn errors_of_several_lines_are_reported_together() {
        let messages: Vec<_> = found("a = sgd\nb = \nc = True").into_iter().map(|d| d.message).collect();
        assert_eq!(messages, ["`sgd` is not a value", "the value is missing", "`True` is not a value"]);
    }

    #[test]
    fn what_is_not_closed_is_one_error() {
        for open in ["a = [\"flip\",\nb = 1\nc = 2\n", "a = [1\n[[b]]\nc = 2\n", "a = { b = 1\nc = 2\n[d]\n"] {
            let messages: Vec<_> = found(open).into_iter().map(|d| d.message).collect();
            assert_eq!(messages, ["an array or table is not closed before this line"], "{open}");
        }
        assert_eq!(found("a = [\n1\n2,\n]\n")[0].message, "not TOML: missing comma between array elements");
    }
}
