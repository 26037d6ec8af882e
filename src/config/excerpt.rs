//! A line of a file as a terminal shows it, with carets under what is meant.

use super::lines::floor_char;
use super::printable::is_hidden;
use std::ops::Range;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns to the next tab stop.
const TAB: usize = 4;

/// Bytes to either side of the place that are looked at: of a longer line no more could be shown.
const NEAR: usize = 4096;

/// A line, and the columns before and under the carets.
#[derive(Debug, PartialEq)]
pub struct Excerpt {
    pub line: String,
    pub before: usize,
    pub under: usize,
}

impl Excerpt {
    /// The bytes `span` of `line`, in at most `width` columns: of a longer line, the part around the start of `span`.
    pub fn new(line: &str, span: Range<usize>, width: usize) -> Self {
        let near = floor_char(line, span.start.saturating_sub(NEAR));
        let far = floor_char(line, span.start + NEAR);
        let (is_cut_left, is_cut_right) = (near > 0, far < line.len());
        let (line, span) = (&line[near..far], span.start - near..span.end.min(far) - near);
        let start = expand(&line[..span.start]).len();
        let end = expand(&line[..span.end]).len();
        let shown = expand(line);
        let fits = !is_cut_left && !is_cut_right && shown.width() <= width;
        let part = if fits { 0..shown.len() } else { window(&shown, start, width) };
        let mark = |cut: bool| if cut { "…" } else { "" };
        let (from_left, to_right) = (mark(is_cut_left || part.start > 0), mark(is_cut_right || part.end < shown.len()));
        let before = from_left.width() + shown[part.start..start].width();
        // Carets for what follows the line's end, or its cut, stand after it.
        let end = end.clamp(start, part.end.max(start));
        let under = shown[start..end].width().max(1);
        Self { line: format!("{from_left}{}{to_right}", &shown[part]), before, under }
    }
}

/// The bytes to show of a long line: two columns fewer than `width`, which the marks of the cuts take.
fn window(line: &str, start: usize, width: usize) -> Range<usize> {
    let width = width.saturating_sub(2).max(1);
    let caret = line[..start].chars().map(columns).sum::<usize>();
    let total = line.chars().map(columns).sum::<usize>();
    // A third before the carets; more where little follows, and from the start of the line where they stand near it.
    let left = if caret < width * 2 / 3 { 0 } else { (caret - width / 3).min((total + 1).saturating_sub(width)) };
    let mut part = start..start;
    let mut column = 0;
    for (at, c) in line.char_indices() {
        // What has no width belongs to the character before it.
        if columns(c) > 0 && column >= left && at < part.start {
            part.start = at;
        }
        column += columns(c);
        if column <= left + width && at >= start {
            part.end = at + c.len_utf8();
        }
    }
    part
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Tabs as spaces to the next stop, so that the carets stand right under any terminal's tabs; and other hidden characters,
/// which could move the cursor, as `�`.
fn expand(line: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for piece in line.split_inclusive('\t') {
        let plain = piece.strip_suffix('\t').unwrap_or(piece);
        let plain: String = plain.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect();
        column += plain.width();
        out += &plain;
        if piece.ends_with('\t') {
            let spaces = TAB - column % TAB;
            out += &" ".repeat(spaces);
            column += spaces;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The excerpt of `line` at its part `marked`, as two lines.
    fn shown(line: &str, marked: &str, width: usize) -> [String; 2] {
        let start = line.find(marked).unwrap();
        let Excerpt { line, before, under } = Excerpt::new(line, start..start + marked.len(), width);
        [line, format!("{}{}", " ".repeat(before), "^".repeat(under))]
    }

    #[test]
    fn carets_stand_under_tabs_wide_and_combining_characters() {
        assert_eq!(shown("\ta = 1", "a", 80), ["    a = 1", "    ^"]);
        assert_eq!(shown("a\tb", "b", 80), ["a   b", "    ^"]);
        assert_eq!(shown("\"训练\" = x", "x", 80), ["\"训练\" = x", "         ^"]);
        assert_eq!(shown("e\u{301}te\u{301} = x", "x", 80), ["e\u{301}te\u{301} = x", "      ^"]);
        assert_eq!(shown("a\u{1b}[2J = x", "x", 80), ["a\u{fffd}[2J = x", "        ^"]);
    }

    #[test]
    fn a_long_line_is_cut_around_the_carets() {
        let line = format!("{}, wrong, {}", "a".repeat(50), "b".repeat(50));
        assert_eq!(shown(&line, "wrong", 20), ["…aaaa, wrong, bbbbb…".to_owned(), format!("{}^^^^^", " ".repeat(7))]);
        assert_eq!(shown("start and a very long rest of it", "start", 12), ["start and …", "^^^^^"]);
        assert_eq!(shown("a very long line and the end", "end", 12), ["…d the end", "       ^^^"]);
        // What is marked may itself be cut.
        let [line, carets] = shown(&"x".repeat(90), &"x".repeat(90), 20);
        assert_eq!((line.width(), carets.len()), (19, 18));
        // The place after the end of the line.
        let end = "a".repeat(40);
        assert_eq!(
            Excerpt::new(&end, 40..40, 20),
            Excerpt { line: format!("…{}", "a".repeat(17)), before: 18, under: 1 }
        );
    }

    #[test]
    fn of_a_very_long_line_only_the_part_near_the_place_is_looked_at() {
        let line = format!("{}wrong{}", "é".repeat(100_000), "b".repeat(100_000));
        let [shown, carets] = shown(&line, "wrong", 20);
        assert_eq!((shown.as_str(), carets.as_str()), ("…ééééééwrongbbbbbbb…", "       ^^^^^"));
    }

    #[test]
    fn no_cut_is_within_a_character() {
        let line = "训练e\u{301}\u{1f469}\u{200d}\u{1f680}x".repeat(30);
        for (at, _) in line.char_indices() {
            for width in [4, 11, 40] {
                let excerpt = Excerpt::new(&line, at..line.len(), width);
                assert!(excerpt.line.chars().map(columns).sum::<usize>() <= width.max(5), "{excerpt:?}");
            }
        }
    }
}
