//! Errors in an experiment: where, what, what was expected, what may have been meant.

use super::source::{Origin, Text};
use anstyle::{AnsiColor, Style};
use std::fmt;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// Columns to the next tab stop when a line is shown.
const TAB: usize = 4;

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
/// with carets under the place, what was expected and help; at the end the number of errors.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    texts: Arc<[Text]>,
    list: Vec<Diagnostic>,
    note: Option<&'static str>,
}

impl Diagnostics {
    /// Sorts by text (the file, then overrides as given) and position; what is said twice of one place is kept once.
    pub fn new(texts: Arc<[Text]>, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|d| match &d.origin {
            Origin::Text { text, span } => (*text, span.start),
            Origin::Default => (0, 0),
        });
        list.dedup();
        Self { texts, list, note: None }
    }

    /// Adds to the line at the end.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Prints to standard error, in colour where it is a terminal that has colours and `NO_COLOR` is not set.
    pub fn eprint(&self) {
        anstream::eprint!("{}", self.render(&Styles::coloured()));
    }

    fn render(&self, styles: &Styles) -> String {
        let mut out = String::new();
        for diagnostic in &self.list {
            self.render_one(diagnostic, styles, &mut out);
            out.push('\n');
        }
        let errors = if self.list.len() == 1 { "1 error" } else { &format!("{} errors", self.list.len()) };
        let file = self.texts.first().map_or("", |text| &text.name);
        let note = self.note.map(|note| format!("; {note}")).unwrap_or_default();
        out += &format!("{errors} in {file}{note}\n");
        out
    }

    fn render_one(&self, diagnostic: &Diagnostic, styles: &Styles, out: &mut String) {
        let Styles { place: bold, error, caret, note } = styles;
        let place = self.place(&diagnostic.origin);
        let Place { file, line, column, .. } = place;
        let message = &diagnostic.message;
        *out += &format!("{bold}{file}:{line}:{column}:{bold:#} {error}error:{error:#} {bold}{message}{bold:#}\n");
        if let Some((shown, before, under)) = place.excerpt {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            *out += &format!(" {note}{number} |{note:#} {shown}\n");
            *out += &format!(" {note}{gutter} |{note:#} {}{caret}{}{caret:#}\n", " ".repeat(before), "^".repeat(under));
        }
        if let Some(expected) = &diagnostic.expected {
            *out += &format!("   {note}expected{note:#} {expected}\n");
        }
        for help in &diagnostic.help {
            *out += &format!("   {note}help:{note:#} {help}\n");
        }
    }

    fn place(&self, origin: &Origin) -> Place<'_> {
        let (text, span) = match origin {
            Origin::Text { text, span } => (*text, span.clone()),
            Origin::Default => (0, 0..0),
        };
        let Some(Text { name, content, .. }) = self.texts.get(text) else {
            return Place { file: "", line: 1, column: 1, excerpt: None };
        };
        let (start, end) = (floor_char(content, span.start), floor_char(content, span.end));
        let first = content[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = content[first..].lines().next().unwrap_or("");
        let before = &content[first..start];
        let under = &content[start..end.max(start)];
        // A place over several lines is marked to the end of its first, the end of the file by one caret after it.
        let under = under.lines().next().unwrap_or("");
        let width = expand(&[before, under].concat()).width() - expand(before).width();
        // An error of the file as a whole has no line to show.
        let excerpt = (text > 0 || end > 0).then(|| (expand(line), expand(before).width(), width.max(1)));
        Place {
            file: name,
            line: content[..start].matches('\n').count() + 1,
            column: before.chars().count() + 1,
            excerpt,
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Styles::default()))
    }
}

impl std::error::Error for Diagnostics {}

/// A position as people count, and the line there: its text, and the columns before and under the carets.
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    excerpt: Option<(String, usize, usize)>,
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

/// The line as shown: tabs as spaces to the next stop, so that the carets stand right under any terminal's tabs.
fn expand(line: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for piece in line.split_inclusive('\t') {
        let plain = piece.strip_suffix('\t').unwrap_or(piece);
        out += plain;
        column += plain.width();
        if plain.len() < piece.len() {
            let spaces = TAB - column % TAB;
            out += &" ".repeat(spaces);
            column += spaces;
        }
    }
    out
}

/// The nearest start of a character at or before `index`.
fn floor_char(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
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
    fn colour_changes_no_word() {
        let text = Text { name: "a.toml".into(), content: "a = 1".into(), folder: "".into() };
        let one = Diagnostic::new(Origin::Text { text: 0, span: 0..1 }, "wrong").expected("b").did_you_mean(Some("b"));
        let all = Diagnostics::new(Arc::from([text]), vec![one]);
        let coloured = all.render(&Styles::coloured());
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), all.to_string());
    }
}
