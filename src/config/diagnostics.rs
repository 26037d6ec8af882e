//! Errors in an experiment: where, what, what was expected, what may have been meant.

use super::excerpt::Excerpt;
use super::lines::{Lines, floor_char, rest_of_line};
use super::printable::printable;
use super::source::{Origin, Text};
use crate::units::count;
use anstyle::{AnsiColor, Style};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// Columns of a line that is shown where no terminal says how many there are; a longer one is cut.
const LINE: usize = 100;

/// Errors that are shown; of more only the number is told.
const SHOWN: usize = 100;

/// One error at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub origin: Origin,
    pub message: String,
    /// What would have been right, to be read after "expected".
    pub expected: Option<String>,
    pub help: Vec<String>,
}

impl Diagnostic {
    pub fn new(origin: Origin, message: impl Into<String>) -> Self {
        Self { origin, message: message.into(), expected: None, help: Vec::new() }
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds ``did you mean `x`?`` where there is an `x`.
    pub fn did_you_mean(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// All that is wrong with an experiment, sorted by position.
///
/// Its `Display` is plain text: for each error `FILE:LINE:COL: error: message` (columns count characters from 1), the line
/// with carets under the place, what was expected and help; at the end the number of errors. Of very many the first hundred
/// are shown. Control characters are escaped, wherever they come from.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    texts: Arc<[Text]>,
    list: Vec<Diagnostic>,
    note: Option<&'static str>,
}

impl Diagnostics {
    /// Sorts by text (the file, what it extends, then overrides as given) and position; what is said twice of one place is kept once.
    pub fn new(texts: Arc<[Text]>, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| {
            let (text, span) = place(&diagnostic.origin);
            (text, span.start)
        });
        list.dedup();
        Self { texts, list, note: None }
    }

    /// The errors of several experiments that come from the same texts, each with what it is called, as one: every error is there
    /// once, and says of which it is where it is not of all `of_all`. Messages of one place that differ in numbers alone, as those of
    /// drawn values do, are one error. `None` where there are none.
    pub fn of_several(found: &[(String, Self)], of_all: usize) -> Option<Self> {
        let mut list: Vec<(Diagnostic, BTreeSet<usize>)> = Vec::new();
        let mut known = BTreeMap::new();
        for (number, (_, errors)) in found.iter().enumerate() {
            for error in &errors.list {
                let (text, span) = place(&error.origin);
                let kind = (text, span.start, span.end, without_numbers(&error.message));
                let at = *known.entry(kind).or_insert(list.len());
                if at == list.len() {
                    list.push((error.clone(), BTreeSet::new()));
                }
                list[at].1.insert(number);
            }
        }
        let named = |(error, numbers): (Diagnostic, BTreeSet<usize>)| {
            let first = numbers.first().map_or("", |number| &found[*number].0);
            match numbers.len() {
                all if all == of_all => error,
                1 => error.help(format!("that is at {first}")),
                all => error.help(format!("that is at {first} and {} more", all - 1)),
            }
        };
        // Some may have been found before there were further texts.
        let texts = found.iter().map(|(_, errors)| &errors.texts).max_by_key(|texts| texts.len())?;
        Some(Self::new(texts.clone(), list.into_iter().map(named).collect()))
    }

    /// What is wrong at first, without its place.
    pub fn first_message(&self) -> &str {
        self.list.first().map_or("", |error| &error.message)
    }

    /// Adds to the line at the end.
    pub fn note(mut self, note: Option<&'static str>) -> Self {
        self.note = note;
        self
    }

    /// Prints to standard error, in colour where it is a terminal that has colours and `NO_COLOR` is not set, and as wide as
    /// the terminal.
    pub fn eprint(&self) {
        let width = terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0));
        anstream::eprint!("{}", self.render(&Styles::coloured(), width));
    }

    /// Lines are broken for a terminal of `width` columns; without one the reader does that, or a program reads them.
    fn render(&self, styles: &Styles, width: Option<usize>) -> String {
        let (mut out, mut lines) = (String::new(), BTreeMap::new());
        for diagnostic in self.list.iter().take(SHOWN) {
            self.render_one(diagnostic, styles, width, &mut lines, &mut out);
            out.push('\n');
        }
        if self.list.len() > SHOWN {
            out += &format!("and {} more\n\n", count((self.list.len() - SHOWN) as u64));
        }
        let errors =
            if self.list.len() == 1 { "1 error" } else { &format!("{} errors", count(self.list.len() as u64)) };
        let note = self.note.map(|note| format!("; {note}")).unwrap_or_default();
        out += &format!("{errors} in {}{note}\n", self.places());
        out
    }

    /// The names of the texts with errors: "a.toml, b.toml and --set".
    fn places(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for diagnostic in &self.list {
            let (text, _) = place(&diagnostic.origin);
            let name = self.texts.get(text).map_or("", |text| text.name.as_str());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names: Vec<_> = names.into_iter().map(printable).collect();
        match names.split_last() {
            Some((last, [])) => last.to_string(),
            Some((last, before)) => format!("{} and {last}", before.join(", ")),
            None => String::new(),
        }
    }

    /// `lines` are those of the texts that have come up so far.
    fn render_one(
        &self,
        diagnostic: &Diagnostic,
        styles: &Styles,
        width: Option<usize>,
        lines: &mut BTreeMap<usize, Lines>,
        out: &mut String,
    ) {
        let Styles { place: bold, error, caret, note } = styles;
        let Place { file, line, column, excerpt } = self.place(&diagnostic.origin, width, lines);
        let (file, message) = (printable(file), printable(&diagnostic.message));
        *out += &format!("{bold}{file}:{line}:{column}:{bold:#} {error}error:{error:#} {bold}{message}{bold:#}\n");
        if let Some(Excerpt { line: shown, before, under }) = excerpt {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            *out += &format!(" {note}{number} |{note:#} {shown}\n");
            *out += &format!(" {note}{gutter} |{note:#} {}{caret}{}{caret:#}\n", " ".repeat(before), "^".repeat(under));
        }
        if let Some(expected) = &diagnostic.expected {
            *out += &format!("   {note}expected{note:#} {}\n", fill(&printable(expected), "   expected ".len(), width));
        }
        for help in &diagnostic.help {
            *out += &format!("   {note}help:{note:#} {}\n", fill(&printable(help), "   help: ".len(), width));
        }
    }

    fn place(&self, origin: &Origin, width: Option<usize>, lines: &mut BTreeMap<usize, Lines>) -> Place<'_> {
        let (text, span) = place(origin);
        let Some(Text { name, content, .. }) = self.texts.get(text) else {
            return Place { file: "", line: 1, column: 1, excerpt: None };
        };
        let (start, end) = (floor_char(content, span.start), floor_char(content, span.end));
        let lines = lines.entry(text).or_insert_with(|| Lines::new(content));
        let (first, number) = (lines.start(start), lines.number(start) + 1);
        let line = rest_of_line(content, first);
        // A place over several lines is marked to the end of its first, the end of the file by one caret after it.
        let in_line = |at: usize| (at.max(start) - first).min(line.len());
        let columns = width.unwrap_or(LINE + 4).saturating_sub(number.to_string().len() + " 1 | ".len() - 1);
        // An error of the file as a whole has no line to show.
        let shown = (text > 0 || end > 0) && !content.is_empty();
        Place {
            file: name,
            line: number,
            column: content[first..start].chars().count() + 1,
            excerpt: shown.then(|| Excerpt::new(line, in_line(start)..in_line(end), columns)),
        }
    }
}

/// The text and the bytes that an origin speaks of; what was written nowhere is the main file's.
fn place(origin: &Origin) -> (usize, Range<usize>) {
    match origin {
        Origin::Text { text, span } => (*text, span.clone()),
        Origin::Default => (0, 0..0),
    }
}

fn without_numbers(message: &str) -> String {
    let is_number = |word: &str| word.trim_matches([',', ':', '`']).parse::<f64>().is_ok();
    message.split(' ').filter(|word| !is_number(word)).collect::<Vec<_>>().join(" ")
}

/// Breaks a text that starts at column `start` into lines of at most `width` columns.
fn fill(text: &str, start: usize, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let (mut out, mut column) = (String::new(), start);
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && column + 1 + word.width() > width {
            out += CONTINUED;
            column = CONTINUED.len() - 1;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out += word;
        column += word.width();
    }
    out
}

/// How a line goes on.
const CONTINUED: &str = "\n      ";

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Styles::default(), None))
    }
}

impl std::error::Error for Diagnostics {}

/// A position as people count, and the line there.
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    excerpt: Option<Excerpt>,
}

/// How the parts of a diagnostic look; the default is plain.
#[derive(Default)]
struct Styles {
    place: Style,
    error: Style,
    caret: Style,
    note: Style,
}

impl Styles {
    fn coloured() -> Self {
        Self {
            place: Style::new().bold(),
            error: AnsiColor::Red.on_default().bold(),
            caret: AnsiColor::Red.on_default().bold(),
            note: AnsiColor::Cyan.on_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &str, span: std::ops::Range<usize>) -> String {
        let text = Text { name: "a.toml".into(), content: content.into(), folder: "".into() };
        let origin = Origin::Text { text: 0, span };
        Diagnostics::new(Arc::from([text]), vec![Diagnostic::new(origin, "wrong")]).to_string()
    }

    #[test]
    fn carets_stand_under_tabs_and_wide_characters() {
        let text = "a = 1\n\tname = \"训练\" # x\n";
        let at = text.find("\"训").unwrap();
        let expected =
            "a.toml:2:9: error: wrong\n 2 |     name = \"训练\" # x\n   |            ^^^^^^\n\n1 error in a.toml\n";
        assert_eq!(shown(text, at..at + "\"训练\"".len()), expected);
        let hash = text.find('#').unwrap();
        assert!(shown(text, hash..hash + 1).contains(&format!("   | {}^\n", " ".repeat(18))));
    }

    #[test]
    fn places_at_the_end_and_over_lines_are_marked() {
        assert_eq!(shown("a = ", 4..4), "a.toml:1:5: error: wrong\n 1 | a = \n   |     ^\n\n1 error in a.toml\n");
        assert!(shown("a = [\n  1,\n]\n", 4..12).contains("\n   |     ^\n"));
        assert!(shown("a = 1\n", 6..6).starts_with("a.toml:2:1: error"));
        assert_eq!(shown("# comment", 0..0), "a.toml:1:1: error: wrong\n\n1 error in a.toml\n");
        assert!(shown("a = 1\r\n", 0..1).contains(" 1 | a = 1\n   | ^\n"));
    }

    #[test]
    fn of_very_many_errors_the_first_are_shown_and_all_are_counted() {
        let text = Text { name: "a.toml".into(), content: "a = 1\n".repeat(2000), folder: "".into() };
        let error = |line: usize| Diagnostic::new(Origin::Text { text: 0, span: line * 6..line * 6 + 1 }, "wrong");
        let shown = Diagnostics::new(Arc::from([text]), (0..2000).map(error).collect()).to_string();
        assert_eq!(shown.matches("error: wrong").count(), 100);
        assert!(shown.contains("a.toml:100:1: error: wrong\n"), "{shown}");
        assert!(shown.ends_with("\n\nand 1,900 more\n\n2,000 errors in a.toml\n"), "{shown}");
    }

    #[test]
    fn errors_of_several_that_differ_in_numbers_alone_are_one() {
        let text = Text { name: "a.toml".into(), content: "a = 1".into(), folder: "".into() };
        let texts: Arc<[Text]> = Arc::from([text]);
        let of = |messages: &[String]| {
            let error = |message: &String| Diagnostic::new(Origin::Text { text: 0, span: 4..5 }, message.as_str());
            Diagnostics::new(texts.clone(), messages.iter().map(error).collect())
        };
        let point = |number: usize| {
            let mut messages = vec![format!("`a` is out of range: -{number}.5")];
            messages.extend(number.is_multiple_of(2).then(|| "`a` is odd".to_owned()));
            (format!("the point {number}"), of(&messages))
        };
        let found: Vec<(String, Diagnostics)> = (0..500).map(point).collect();
        let shown = Diagnostics::of_several(&found, 500).unwrap().to_string();
        assert!(shown.contains("error: `a` is out of range: -0.5\n") && !shown.contains("-1.5"), "{shown}");
        assert!(shown.contains("help: that is at the point 0 and 249 more\n"), "{shown}");
        assert!(shown.matches("help: ").count() == 1 && shown.ends_with("\n2 errors in a.toml\n"), "{shown}");
        let shown = Diagnostics::of_several(&found[1..2], 500).unwrap().to_string();
        assert!(shown.contains("help: that is at the point 1\n"), "{shown}");
        assert!(Diagnostics::of_several(&[], 0).is_none());
    }

    #[test]
    fn no_control_character_is_printed() {
        let text = Text { name: "a\u{1b}.toml".into(), content: "a\u{7} = 1".into(), folder: "".into() };
        let error = Diagnostic::new(Origin::Text { text: 0, span: 0..1 }, "unknown `\u{1b}[2J`");
        let error = error.expected("\u{202e}").help("\r");
        let shown = Diagnostics::new(Arc::from([text]), vec![error]).to_string();
        assert!(shown.starts_with("a\\u{1b}.toml:1:1: error: unknown `\\u{1b}[2J`\n"), "{shown}");
        assert!(!shown.contains(|c: char| c != '\n' && crate::config::printable::is_hidden(c)), "{shown}");
    }

    #[test]
    fn a_terminal_breaks_lines_between_words() {
        let text = Text { name: "a.toml".into(), content: "a = 1".into(), folder: "".into() };
        let one = Diagnostic::new(Origin::Text { text: 0, span: 0..1 }, "wrong").expected("one of `aa`, `bb`, `cc`");
        let all = Diagnostics::new(Arc::from([text]), vec![one.help("short")]);
        let shown = all.render(&Styles::default(), Some(26));
        assert!(shown.contains("\n   expected one of `aa`,\n      `bb`, `cc`\n   help: short\n"), "{shown}");
        assert_eq!(shown.replace("\n      ", " "), all.to_string());
    }

    #[test]
    fn the_end_names_every_text_with_errors() {
        let text = |name: &str| Text { name: name.into(), content: "a = 1".into(), folder: "".into() };
        let texts: Arc<[Text]> = ["a.toml", "b.toml", "--set", "--set"].map(text).into();
        let end = |numbers: &[usize]| {
            let error = |n: &usize| Diagnostic::new(Origin::Text { text: *n, span: 0..1 }, "wrong");
            let all = Diagnostics::new(texts.clone(), numbers.iter().map(error).collect()).to_string();
            all.lines().last().unwrap().to_owned()
        };
        assert_eq!(end(&[1]), "1 error in b.toml");
        assert_eq!(end(&[3, 2, 0, 1]), "4 errors in a.toml, b.toml and --set");
    }

    #[test]
    fn colour_changes_no_word() {
        let text = Text { name: "a.toml".into(), content: "a = 1".into(), folder: "".into() };
        let one = Diagnostic::new(Origin::Text { text: 0, span: 0..1 }, "wrong").expected("b").did_you_mean(Some("b"));
        let all = Diagnostics::new(Arc::from([text]), vec![one]);
        let coloured = all.render(&Styles::coloured(), None);
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), all.to_string());
    }
}
