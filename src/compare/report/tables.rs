//! Tables for people.

use super::sheets::{self, Names, Sheet};
use crate::compare::name::PLANNED;
use crate::compare::{Comparison, Verdict};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::fmt::Write;

/// One line under the titles, and no others.
const PLAIN: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Gives a table for a terminal its look, in at most `width` columns: long cells are wrapped.
pub fn plain(table: &mut Table, width: usize) {
    let width = u16::try_from(width).unwrap_or(u16::MAX);
    table.load_style(PLAIN).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
}

/// Names that are wider than this stand in a table of their own: beside the figures they would be wrapped to shreds.
const WIDE_NAME: usize = 32;

/// The comparison in at most `width` columns: long names are wrapped.
pub fn terminal(comparison: &Comparison, verdicts: &[Verdict], width: usize) -> String {
    let wide = comparison.groups.iter().any(|group| group.name.chars().count() > WIDE_NAME);
    render(comparison, verdicts, if wide { Names::Apart } else { Names::Beside }, |mut table| {
        plain(&mut table, width);
        table.trim_fmt()
    })
}

/// The same for a README or an issue.
pub fn markdown(comparison: &Comparison, verdicts: &[Verdict]) -> String {
    render(comparison, verdicts, Names::Beside, |mut table| {
        table.load_style(ASCII_MARKDOWN);
        table.to_string()
    })
}

fn render(comparison: &Comparison, verdicts: &[Verdict], names: Names, show: impl Fn(Table) -> String) -> String {
    let show = |sheet: Sheet| show(table(sheet));
    let mut out = format!("{}\n", show(sheets::results(comparison, names)));
    if names == Names::Apart {
        write!(out, "\n{}\n", show(sheets::names(comparison))).unwrap_or_default();
    }
    if let Some(differences) = sheets::differences(comparison) {
        write!(out, "\nwhat differs\n\n{}\n", show(differences)).unwrap_or_default();
    }
    if !comparison.contrasts.is_empty() {
        let title = sheets::contrasts_title(comparison);
        write!(out, "\n{title}\n\n{}\n", show(sheets::contrasts(comparison))).unwrap_or_default();
    }
    if let Some((title, effects)) = sheets::effects(comparison) {
        write!(out, "\n{title}\n\n{}\n", show(effects)).unwrap_or_default();
    }
    for verdict in verdicts {
        writeln!(out, "\n{}", sheets::claim(comparison, verdict)).unwrap_or_default();
    }
    // Of more groups than two the settings are shown in names alone, and not in those of a sweep's axes.
    let shown = comparison.groups.len() == 2 || comparison.groups.iter().any(|group| group.name.contains(PLANNED));
    let planned = sheets::planned(comparison).filter(|_| shown);
    let notes: Vec<&str> = comparison.notes.iter().map(String::as_str).chain(planned).collect();
    if !notes.is_empty() {
        out.push('\n');
    }
    for note in notes {
        writeln!(out, "note: {note}").unwrap_or_default();
    }
    out
}

/// Numbers to the right; names and verdicts to the left.
fn table(sheet: Sheet) -> Table {
    let mut table = Table::new();
    table.set_header(sheet.heads);
    table.add_rows(sheet.rows);
    for (k, column) in table.column_iter_mut().enumerate() {
        if sheet.numbers.contains(&k) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
