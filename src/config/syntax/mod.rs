//! What the TOML parser says, in words that help.

mod given;
mod open;
mod value;

use super::diagnostics::Diagnostic;
use super::lines::{Lines, rest_of_line};
use super::source::Origin;
use given::FirstGiven;
use open::{begins_a_setting, is_closed_later};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, Error};
use value::{COMMENTS, follows, not_a_value, word_at};

/// The syntax errors of text number `text`, and whether the tree is whole in spite of them: keys given twice leave it so.
///
/// The parser goes on after an error and finds many that are only its consequences: of those on one line one is kept, and
/// nothing is kept after an array or inline table that is not closed. From a line on that is no setting it reads no values:
/// such lines are taken out and the rest is read again, so that the values after them are reported too.
pub fn errors(content: &str, text: usize, found: &[Error]) -> (Vec<Diagnostic>, bool) {
    if found.is_empty() {
        return (Vec::new(), true);
    }
    if let Some(other) = other_format(content, text) {
        return (vec![other], false);
    }
    let mut reader = Reader {
        content,
        text,
        lines: Lines::new(content),
        first_given: OnceCell::new(),
        broken: BTreeSet::new(),
        blank: BTreeSet::new(),
        has_colon: false,
        kept: Vec::new(),
    };
    if reader.read(found) && !reader.blank.is_empty() {
        let mut rest = content.as_bytes().to_vec();
        for start in &reader.blank {
            let length = rest_of_line(content, *start).len();
            rest[*start..start + length].fill(b' ');
        }
        // Whole lines are taken out, so what is left is text.
        let rest = String::from_utf8_lossy(&rest);
        let (_, again) = DeTable::parse_recoverable(&rest);
        // Without a header, its keys seem to be those of the section before.
        let again: Vec<Error> = again.into_iter().filter(|error| !is_about_keys(error)).collect();
        reader.read(&again);
    }
    let Reader { broken, mut kept, .. } = reader;
    kept.sort_by_key(|error| match &error.origin {
        Origin::Text { span, .. } => span.start,
        Origin::Default => 0,
    });
    (kept, broken.is_empty())
}

/// Errors of one text that are worded: far more than are shown.
const MANY: usize = 1000;

/// What is found out about a text, one reading after the other.
struct Reader<'a> {
    content: &'a str,
    text: usize,
    lines: Lines,
    /// The line on which a key or header was given first.
    first_given: OnceCell<FirstGiven<'a>>,
    /// Lines with errors that leave the shape of the file in doubt.
    broken: BTreeSet<usize>,
    /// Where lines begin that keep the parser from reading values.
    blank: BTreeSet<usize>,
    /// Whether [`COLON`] is among those kept.
    has_colon: bool,
    kept: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Keeps what is worth telling. Whether there is sense in reading on: not where something is not closed.
    fn read(&mut self, found: &[Error]) -> bool {
        let content: &'a str = self.content;
        let mut found: Vec<(usize, bool, Range<usize>, &Error)> = found
            .iter()
            .map(|error| {
                let span = error.span().unwrap_or(0..0);
                (self.lines.number(span.start), !is_about_structure(error), span, error)
            })
            .collect();
        // Of one line, what is wrong with its structure explains what is wrong with its values.
        found.sort_by_key(|(line, of_value, span, _)| (*line, *of_value, span.start));
        let before = self.kept.len();
        for (line, _, span, error) in found {
            // So far down the list that none but their number is ever shown.
            if self.kept.len() - before >= MANY {
                if is_about_keys(error) || self.broken.insert(line) {
                    self.kept.push(Diagnostic::new(Origin::Text { text: self.text, span }, String::new()));
                }
                continue;
            }
            if is_about_keys(error) {
                self.kept.push(match error.message() {
                    "duplicate key" => {
                        let first =
                            self.first_given.get_or_init(|| FirstGiven::new(content)).of(&self.lines, content, &span);
                        given_twice(content, self.text, &span, first)
                    }
                    _ => self::error(content, self.text, 0, error),
                });
                continue;
            }
            let start = self.lines.start(span.start);
            if stops_values(error) {
                self.blank.insert(start);
            }
            if !self.broken.insert(line) {
                continue;
            }
            if is_about_items(error) && begins_a_setting(content, start, &span) {
                let origin = Origin::Text { text: self.text, span: span.clone() };
                if is_closed_later(&content[span.start..]) {
                    let message = "a comma is missing at the end of the line above";
                    self.kept.push(Diagnostic::new(origin, message));
                    continue;
                }
                let message = "an array or table is not closed before this line";
                self.kept.push(Diagnostic::new(origin, message).expected("`]` or `}` above"));
                return false;
            }
            let error = self::error(content, self.text, 0, error);
            // Whoever writes `:` does so throughout: once is enough.
            if error.message != COLON || !std::mem::replace(&mut self.has_colon, true) {
                self.kept.push(error);
            }
        }
        true
    }
}

const COLON: &str = "a setting is written with `=`, not with `:`";

/// A file that is something else altogether: one error says more than all that follow from it.
fn other_format(content: &str, text: usize) -> Option<Diagnostic> {
    let at = |start: usize, length: usize| Origin::Text { text, span: start..start + length };
    let begins = content.len() - content.trim_start().len();
    if content[begins..].starts_with('{') {
        let error = Diagnostic::new(at(begins, 1), "this is JSON, and an experiment is written in TOML");
        return Some(error.help(
            "`name = \"mine\"` in place of `\"name\": \"mine\"`, and a line `[data]` in place of `\"data\": {`",
        ));
    }
    let marker = if content.starts_with("<<<<<<<") { 0 } else { content.find("\n<<<<<<<")? + 1 };
    let error = Diagnostic::new(at(marker, 7), "a merge conflict was left in the file");
    Some(error.help("keep one of the two versions and take the lines `<<<<<<<`, `=======` and `>>>>>>>` out"))
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
        "duplicate key" => given_twice(content, text, &span, None),
        "invalid basic string" | "invalid literal string"
            if expected.is_some_and(|quote| written.is_empty() && quote.len() == 3) =>
        {
            Diagnostic::new(origin, "the string is not closed").expected(expected.unwrap_or_default())
        }
        "unexpected key or value" => {
            let error = Diagnostic::new(origin, "something follows the value on its line").expected("a new line");
            match follows(content, span.start) {
                Some(help) => error.help(help),
                None => error,
            }
        }
        "string values must be quoted" | "invalid boolean" => not_a_value(origin, written),
        "missing comma between key-value pairs" | "extra assignment between key-value pairs" => {
            Diagnostic::new(origin, "a comma is missing between two settings").expected("`,` before the second")
        }
        "unclosed table" | "unclosed array table" => {
            Diagnostic::new(origin, "the header is not closed").expected(expected.unwrap_or_default())
        }
        "key with no value" | "invalid unquoted key" => bad_key(content, origin, &span, message, expected),
        _ if is_about_numbers(message) => {
            let word = word_at(content, span.start);
            let origin = Origin::Text { text, span: word.start + offset..word.end + offset };
            not_a_value(origin, &content[word])
        }
        _ => other(origin, message, expected),
    }
}

/// A key or header that stands there already: on line `first`, where that is known.
fn given_twice(content: &str, text: usize, span: &Range<usize>, first: Option<usize>) -> Diagnostic {
    let help = match first {
        Some(line) => format!("it is given on line {line} already: keep one of the two"),
        None => "keep one of the two".to_owned(),
    };
    let written = content.get(span.clone()).unwrap_or_default();
    Diagnostic::new(Origin::Text { text, span: span.clone() }, format!("`{written}` is given twice")).help(help)
}

/// What the parser says, as it says it.
fn other(origin: Origin, message: &str, expected: Option<&str>) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(origin, format!("not TOML: {message}"));
    diagnostic.expected = expected.filter(|expected| *expected != "nothing").map(str::to_owned);
    diagnostic
}

/// What is wrong with a line that begins like no setting.
fn bad_key(content: &str, origin: Origin, span: &Range<usize>, message: &str, expected: Option<&str>) -> Diagnostic {
    let line_start = content[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = rest_of_line(content, line_start).trim();
    if line.starts_with("//") || line.starts_with(';') {
        return Diagnostic::new(origin, "this is no setting").help(COMMENTS);
    }
    let line = line.trim_start_matches("- ").trim_start().split('#').next().unwrap_or("").trim_end();
    let key = line.split([':', '=']).next().unwrap_or("").split_whitespace().next().unwrap_or("");
    let rest = line[key.len()..].trim_start();
    match rest.chars().next() {
        _ if key.is_empty() => other(origin, message, expected),
        None => Diagnostic::new(origin, format!("`{key}` has no value"))
            .expected(format!("`{key} = …`, or `[{key}]` for a section")),
        Some(':') => Diagnostic::new(origin, COLON).expected(format!("`{key} = …`")),
        Some('=') => other(origin, message, expected),
        Some(_) => match line.split_once('=') {
            Some((words, _)) if words.split_whitespace().all(is_word) => {
                let one = words.split_whitespace().collect::<Vec<_>>().join("_");
                Diagnostic::new(origin, "a key is one word").expected(format!("`{one} = …`"))
            }
            Some(_) => other(origin, message, expected),
            None => {
                Diagnostic::new(origin, "`=` is missing between a key and its value").expected(format!("`{key} = …`"))
            }
        },
    }
}

/// Whether this can be a key without quotes.
fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

fn is_about_numbers(message: &str) -> bool {
    let parts = ["float", "mantissa", "fraction", "exponent", "leading zero", "integer", "digit"];
    parts.iter().any(|part| message.contains(part))
}

/// Errors that concern one key and leave the rest of the tree as it was written.
fn is_about_keys(error: &Error) -> bool {
    error.message() == "duplicate key" || error.message().starts_with("cannot extend")
}

/// Errors about how the parts of a line are put together.
fn is_about_structure(error: &Error) -> bool {
    ["unexpected key or value", "missing comma between key-value", "extra assignment"]
        .iter()
        .any(|message| error.message().starts_with(message))
}

/// Errors after which the parser reads no values: for good, or up to the next header.
fn stops_values(error: &Error) -> bool {
    ["key with no value", "invalid unquoted key", "unclosed table", "unclosed array table"]
        .iter()
        .any(|message| error.message().starts_with(message))
}

/// Errors between the items of an array or inline table.
fn is_about_items(error: &Error) -> bool {
    ["array", "quoted", "key-value pairs"].iter().any(|word| error.message().contains(word))
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
    fn numbers_of_other_languages_are_told_as_toml_writes_them() {
        let help = |value: &str| found(&format!("a = {value}\n")).remove(0).help.concat();
        for (value, number) in [(".5", "0.5"), ("5.", "5.0"), ("007", "7"), ("0.1f", "0.1"), ("-.25", "-0.25")] {
            assert_eq!(help(value), format!("write the number as `{number}`"), "{value}");
        }
        assert!(help("50%").contains("\"50%\""));
        assert_eq!(help("None"), "leave the key out to have its default");
        assert_eq!(help("naïve"), "text is written in quotes: \"naïve\"");
    }

    #[test]
    fn what_is_not_closed_is_one_error() {
        for open in ["a = [\"flip\",\nb = 1\nc = 2\n", "a = [1\n[[b]]\nc = 2\n", "a = { b = 1\nc = 2\n[d]\n"] {
            let messages: Vec<_> = found(open).into_iter().map(|d| d.message).collect();
            assert_eq!(messages, ["an array or table is not closed before this line"], "{open}");
        }
        assert_eq!(found("a = [\n1\n2,\n]\n")[0].message, "not TOML: missing comma between array elements");
    }

    #[test]
    fn a_comma_that_is_missing_in_a_table_over_lines_is_told_from_a_table_that_is_not_closed() {
        let messages: Vec<_> = found("a = {\n b = 1\n c = [2]\n d = 3 }\n").into_iter().map(|d| d.message).collect();
        assert_eq!(messages, ["a comma is missing at the end of the line above"; 2]);
    }

    #[test]
    fn values_after_a_line_that_is_no_setting_are_reported_too() {
        let found = |content: &str| found(content).into_iter().map(|d| d.message).collect::<Vec<_>>();
        assert_eq!(
            found("a = sgd\nepochs 1\nb = True\n[c\nd = .5\n"),
            [
                "`sgd` is not a value",
                "`=` is missing between a key and its value",
                "`True` is not a value",
                "the header is not closed",
                "`.5` is not a value",
            ]
        );
        // Of one line one error, in whichever reading it is found.
        assert_eq!(found("a b\nc = 1 d = 2\n")[1..], ["something follows the value on its line"]);
        assert_eq!(found("a = { b = 1 c = 2 }\n"), ["a comma is missing between two settings"]);
        assert_eq!(found("weight decay = 1\nb = True"), ["a key is one word", "`True` is not a value"]);
    }

    #[test]
    fn a_colon_in_a_comment_is_not_taken_for_yaml() {
        assert_eq!(found("epochs 1  # note: short")[0].message, "`=` is missing between a key and its value");
        assert_eq!(found("- epochs: 1")[0].message, COLON);
    }

    #[test]
    fn the_remedy_fits_what_was_written() {
        let help = |line: &str| found(line).remove(0).help.concat();
        assert!(help("a = 1,000,000").ends_with("`1_000_000`"));
        for list in ["a = 0.1,0.01", "a = 0.1, 0.01  # two", "a = 1000,100", "a = 1,00"] {
            assert!(help(list).starts_with("several values are written in brackets: `["), "{list}");
        }
        for sum in ["a = 1e-3 * 4", "a = 1e-3*4", "a = 1/3", "a = 2 + 3"] {
            assert_eq!(help(sum), "nothing is calculated here: write the result", "{sum}");
        }
        assert_eq!(help("carry = yes"), "did you mean `true`?");
        assert_eq!(help("carry = Off"), "did you mean `false`?");
        for comment in ["seed = 1 ; lucky", "seed = 1; lucky", "seed = 1 // lucky", "name = 'a' // x", "; x"] {
            assert_eq!(help(comment), COMMENTS, "{comment}");
        }
    }
}
