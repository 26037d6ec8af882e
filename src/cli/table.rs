//! Columns of text for a terminal.

use anstyle::{Effects, Style};
use unicode_width::UnicodeWidthStr;

pub const BOLD: Style = Style::new().effects(Effects::BOLD);
pub const DIM: Style = Style::new().effects(Effects::DIMMED);

const GAP: &str = "  ";

/// Which way a column's cells lean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Align {
    Left,
    Right,
}

/// Rows under titles, each column as wide as its widest cell.
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<(Style, Vec<String>)>,
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.styled(Style::new(), cells);
    }

    /// A row that stands out, or back. Cells at its end may be left out.
    pub fn styled(&mut self, style: Style, cells: impl IntoIterator<Item = String>) {
        self.rows.push((style, cells.into_iter().collect()));
    }

    /// The lines, titles in bold: print them through `anstream`, which takes styles out where they are not wanted.
    pub fn render(&self) -> String {
        let titles = (BOLD, self.columns.iter().map(|(title, _)| (*title).to_owned()).collect());
        let rows: Vec<&(Style, Vec<String>)> = std::iter::once(&titles).chain(&self.rows).collect();
        let mut widths = vec![0; self.columns.len()];
        for (_, cells) in &rows {
            widths.iter_mut().zip(cells).for_each(|(width, cell)| *width = cell.width().max(*width));
        }
        let line = |(style, cells): &(Style, Vec<String>)| {
            let fit = |((cell, (_, align)), width): ((&String, &(&str, Align)), &usize)| {
                let padding = " ".repeat(width - cell.width());
                if *align == Align::Left { format!("{cell}{padding}") } else { format!("{padding}{cell}") }
            };
            let cells: Vec<String> = cells.iter().zip(&self.columns).zip(&widths).map(fit).collect();
            format!("{style}{}{style:#}\n", cells.join(GAP).trim_end())
        };
        rows.into_iter().map(line).collect()
    }
}

/// Breaks a text between words into lines of at most `width` columns, where words allow it.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right)]);
        table.row(["é".to_owned(), "1,000".to_owned()]);
        table.styled(DIM, ["longer".to_owned()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(plain, "name        n\né       1,000\nlonger\n");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("a bc  def g", 4), ["a bc", "def", "g"]);
        assert_eq!(wrap("overlong a", 4), ["overlong", "a"]);
        assert!(wrap("", 4).is_empty());
    }
}
