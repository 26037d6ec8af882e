//! The growing table of evaluations: as many columns as the terminal has room for.

use super::report::{BOLD, DIM, GOOD};
use crate::record::event::RunFacts;
use crate::record::rows::MetricsRow;
use crate::record::text;
use crate::units::count;

/// One column; `from`: the width of terminal from which on it is shown.
struct Column {
    title: &'static str,
    width: usize,
    from: usize,
    cell: fn(&RunFacts, &MetricsRow) -> String,
}

const GAP: &str = "  ";

/// The column that stands out.
const WATCHED: &str = "val acc";
/// The column that says nothing of a net of few outputs.
const TOP5: &str = "top-5";

static COLUMNS: &[Column] = &[
    Column { title: "epoch", width: 7, from: 0, cell: |facts, row| format!("{}/{}", row.epoch + 1, facts.epochs) },
    Column { title: "step", width: 9, from: 89, cell: |_, row| count(row.step + 1) },
    Column { title: "phase", width: 5, from: 72, cell: |facts, row| format!("{}/{}", row.phase + 1, facts.phases) },
    Column { title: "size", width: 4, from: 78, cell: |_, row| row.size.to_string() },
    Column { title: "batch", width: 5, from: 126, cell: |_, row| row.batch.to_string() },
    Column { title: "optimizer", width: 9, from: 119, cell: |_, row| row.optimizer.clone() },
    Column { title: "lr", width: 8, from: 108, cell: |_, row| text::short(row.lr) },
    Column { title: "train loss", width: 10, from: 0, cell: |_, row| text::fixed(row.train_loss) },
    Column { title: "train acc", width: 9, from: 51, cell: |_, row| text::percent(row.train_acc) },
    Column { title: "val loss", width: 8, from: 0, cell: |_, row| text::fixed(row.val_loss) },
    Column { title: WATCHED, width: 7, from: 0, cell: |_, row| text::percent(row.val_acc) },
    Column { title: TOP5, width: 7, from: 98, cell: |_, row| text::percent(row.val_acc_top5) },
    Column { title: "train time", width: 12, from: 65, cell: |_, row| text::span(row.train_seconds) },
];

fn shown(facts: &RunFacts, width: usize) -> impl Iterator<Item = &'static Column> {
    let has_top5 = facts.has_top5();
    COLUMNS.iter().filter(move |column| width >= column.from && (has_top5 || column.title != TOP5))
}

/// The line of titles.
pub fn header(facts: &RunFacts, width: usize) -> String {
    let titles: Vec<_> = shown(facts, width).map(|c| format!("{:>1$}", c.title, c.width)).collect();
    format!("{DIM}{}{DIM:#}\n", titles.join(GAP))
}

/// The line of an evaluation; the best so far is marked.
pub fn line(facts: &RunFacts, row: &MetricsRow, best: bool, width: usize) -> String {
    let style = if best { GOOD } else { BOLD };
    let cells: Vec<_> = shown(facts, width)
        .map(|column| {
            let cell = format!("{:>1$}", (column.cell)(facts, row), column.width);
            if column.title == WATCHED { format!("{style}{cell}{style:#}") } else { cell }
        })
        .collect();
    format!("{}{}\n", cells.join(GAP), if best { " *" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::event::tests::facts;
    use crate::record::rows::tests::metrics;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_width_is_used_and_none_is_overrun() {
        for width in [40, 50, 51, 64, 65, 72, 78, 80, 88, 89, 97, 98, 108, 119, 126, 200] {
            for outputs in [5, 10] {
                let facts = RunFacts { outputs, ..facts() };
                let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
                let titles = plain(&header(&facts, width));
                let line = plain(&line(&facts, &metrics(811, 0.75), true, width));
                assert_eq!(titles.trim_end().width() + " *".len(), line.trim_end().width());
                assert!(line.trim_end().width() <= width, "{width}: {}", line.trim_end().width());
                assert_eq!(titles.contains(TOP5), outputs > 5 && width >= 98, "{titles}");
            }
        }
    }
}
