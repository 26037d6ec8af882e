//! The settings of an experiment and where they come from, as a table.

use crate::config::{Loaded, Provenance, Setting, printable, settings};
use anstyle::{Effects, Style};
use unicode_width::UnicodeWidthStr;

const HEADER: Style = Style::new().effects(Effects::BOLD);
/// What nobody wrote at that place.
const UNWRITTEN: Style = Style::new().effects(Effects::DIMMED);

/// One line a setting, with a blank one between sections. Where the value leaves no room in `width` columns for where it
/// comes from, that stands on the next line.
///
/// Styles are escape sequences: print it through `anstream`, which takes them out where they are not wanted.
pub fn table(loaded: &Loaded, width: usize) -> String {
    let rows: Vec<Row> = settings(loaded).into_iter().map(Row::new).collect();
    let widest = |text: fn(&Row) -> &str, head: &str| {
        rows.iter().map(|row| text(row).width()).chain([head.width()]).max().unwrap_or(0)
    };
    let path = widest(|row| &row.path, "setting");
    let from = widest(|row| &row.from, "from");
    let value = widest(|row| &row.value, "value").min(width.saturating_sub(path + from + 4)).max("value".len());
    let mut out = format!("{HEADER}{}  {}  from{HEADER:#}\n", pad("setting", path), pad("value", value));
    let mut section = "";
    for row in &rows {
        if std::mem::replace(&mut section, section_of(&row.path)) != section_of(&row.path) {
            out.push('\n');
        }
        let style = if row.is_written { Style::new() } else { UNWRITTEN };
        let value = match row.value.width() <= value {
            true => pad(&row.value, value),
            false => format!("{}\n{}", row.value, " ".repeat(path + 2 + value)),
        };
        out += &format!("{style}{}  {value}  {}{style:#}\n", pad(&row.path, path), row.from);
    }
    out
}

struct Row {
    path: String,
    value: String,
    from: String,
    is_written: bool,
}

impl Row {
    fn new(setting: Setting) -> Self {
        let Setting { path, value, provenance } = setting;
        let (from, is_written) = match provenance {
            Provenance::File { name, line } => (format!("{}:{line}", printable(&name)), true),
            Provenance::Flag(flag) => (flag, true),
            Provenance::Default => ("default".to_owned(), false),
            // `phases[0]`, `data`: which setting it is there, the path says.
            Provenance::TakenOver(from) => (format!("as {}", section_of(&from)), false),
        };
        Self { path, value, from, is_written }
    }
}

/// `phases[1]` of `phases[1].lr.to`; nothing of a setting at the top of the file.
fn section_of(path: &str) -> &str {
    path.split_once('.').map_or("", |(section, _)| section)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}
