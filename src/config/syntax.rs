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
    if let (Some(other), false) = (other_format(content, text), found.is_empty()) {
        return (vec![other], false);
    }
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
    // Whoever writes `:` does so throughout: once is enough.
    let first = kept.iter().position(|error| error.message == COLON);
    let mut index = 0;
    kept.retain(|error| {
        index += 1;
        error.message != COLON || first == Some(index - 1)
    });
    (kept, whole)
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
            let error = Diagnostic::new(origin, "something follows the value on its line").expected("a new line");
            match follows(&content[span.start..]) {
                Some(help) => error.help(help),
                None => error,
            }
        }
        "string values must be quoted" | "invalid boolean" => not_a_value(origin, written),
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

/// What the parser says, as it says it.
fn other(origin: Origin, message: &str, expected: Option<&str>) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(origin, format!("not TOML: {message}"));
    diagnostic.expected = expected.filter(|expected| *expected != "nothing").map(str::to_owned);
    diagnostic
}

/// What is wrong with a line that begins like no setting.
fn bad_key(content: &str, origin: Origin, span: &Range<usize>, message: &str, expected: Option<&str>) -> Diagnostic {
    let line_start = content[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = content[line_start..].lines().next().unwrap_or("").trim();
    if line.starts_with("//") || line.starts_with(';') {
        return Diagnostic::new(origin, "this is no setting").help(COMMENTS);
    }
    let key = line.trim_start_matches("- ").split([':', '=', ' ']).next().unwrap_or("");
    match line.find([':', '=']).map(|at| &line[at..=at]) {
        Some(":") => Diagnostic::new(origin, COLON).expected(format!("`{key} = …`")),
        None if line == key => Diagnostic::new(origin, format!("`{key}` has no value"))
            .expected(format!("`{key} = …`, or `[{key}]` for a section")),
        None => Diagnostic::new(origin, "`=` is missing between a key and its value").expected(format!("`{key} = …`")),
        _ => other(origin, message, expected),
    }
}

const COMMENTS: &str = "a comment begins with `#`";

/// What to say of that which follows a value.
fn follows(rest: &str) -> Option<&'static str> {
    let rest = rest.lines().next().unwrap_or("").trim();
    let digits = rest.strip_prefix(',').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
    if digits {
        Some("the thousands of a number are set apart by `_` alone: `50_000`")
    } else if rest.starts_with("//") || rest.starts_with(';') {
        Some(COMMENTS)
    } else if rest == "," {
        Some("each setting has its own line, without a comma after it")
    } else {
        None
    }
}

fn is_about_numbers(message: &str) -> bool {
    let parts = ["float", "mantissa", "fraction", "exponent", "leading zero", "integer", "digit"];
    parts.iter().any(|part| message.contains(part))
}

/// The word around byte `at`: what stands between spaces, commas and brackets.
fn word_at(content: &str, at: usize) -> Range<usize> {
    let ends = |c: char| c.is_whitespace() || "=,[]{}#\"'".contains(c);
    let start =
        content[..at].rfind(ends).map_or(0, |end| end + content[end..].chars().next().map_or(1, char::len_utf8));
    let end = content[at..].find(ends).map_or(content.len(), |end| at + end);
    start..end
}

fn not_a_value(origin: Origin, written: &str) -> Diagnostic {
    let any = "a number, a \"text\", `true`, `false`, `[ … ]` or `{ … }`";
    if written.is_empty() {
        return Diagnostic::new(origin, "the value is missing").expected(any);
    }
    let error = Diagnostic::new(origin, format!("`{written}` is not a value"));
    let plain = written.trim_matches(['“', '”', '„', '‘', '’', '«', '»']);
    match written.to_lowercase().as_str() {
        lower @ ("true" | "false") => error.did_you_mean(Some(lower)),
        "none" | "null" | "nil" => error.help("leave the key out to have its default"),
        _ if plain.len() < written.len() => error.help(format!("text is written in straight quotes: \"{plain}\"")),
        _ if written.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => match number(written) {
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
}
