//! What `runner eval` found, as text and as JSON.

use crate::config::printable;
use crate::config::spec::Tta;
use crate::data::{Chosen, Dataset};
use crate::nn::Compute;
use crate::record::confusion::{ClassRow, Confusion};
use crate::record::run_json::RunInfo;
use crate::record::text::plural;
use crate::train::Figures;
use crate::units::count;
use anstyle::Style;
use serde_json::{Value, json};
use std::path::Path;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GAP: &str = "  ";
/// Sets of more classes are shown by their ends: so many of the lowest accuracy, so many of the highest.
const ALL: usize = 24;
const LOWEST: usize = 15;
const HIGHEST: usize = 5;
/// The widest that a class's name gets, and the narrowest.
const NAME: usize = 28;
const SHORTEST_NAME: usize = 8;

/// All that was found.
pub struct Report<'a> {
    pub folder: &'a Path,
    pub info: &'a RunInfo,
    pub dataset: &'a Dataset,
    /// Whether it is as it was when the run was trained.
    pub same_data: bool,
    /// What `--data` names.
    pub data: Option<&'a Path>,
    /// Which of the images there, where they are others than the run's own.
    pub chosen: Option<Chosen>,
    pub figures: Figures,
    /// Of the images that were evaluated.
    pub confusion: Confusion,
    /// Damaged images that were left out, besides the files that are no part of the set.
    pub left_out: usize,
    pub size: usize,
    /// The kind of averaged weights, if it is these.
    pub average: Option<&'a str>,
    /// The file that was named, if one was.
    pub weights: Option<&'a Path>,
    pub tta: Tta,
    /// Steps after which the weights are.
    pub step: u64,
    pub compute: &'a Compute,
    pub threads: usize,
}

impl Report<'_> {
    /// Of the picture.
    pub fn title(&self) -> String {
        format!("{}: accuracy {}", self.info.name, percent(self.figures.acc))
    }

    /// Of the picture.
    pub fn subtitle(&self) -> String {
        format!("{}, after {} steps", self.images(), count(self.step))
    }

    /// `1,000 validation images of shapes (stand-in for cifar10), 32 px`; `190 validation images of folder (without 10
    /// damaged files)…`; of other images where they are from.
    fn images(&self) -> String {
        let set = match (&self.dataset.stands_in_for, self.data) {
            (_, Some(from)) => from.display().to_string(),
            (Some(absent), None) => format!("{} (stand-in for {absent})", self.dataset.facts.name),
            (None, None) => self.dataset.facts.name.clone(),
        };
        let images = self.confusion.images();
        let of_set = match self.chosen {
            None | Some(Chosen::Validation) => format!("{} of {set}", plural(images, "validation image")),
            Some(Chosen::All) => format!("{}, all of {set}", plural(images, "image")),
            Some(Chosen::Listed) => format!("{} listed in {set}", plural(images, "image")),
        };
        let views = match self.tta {
            Tta::None => String::new(),
            level => format!(", outputs averaged over views: {}", level.word()),
        };
        let without = match self.left_out {
            0 => String::new(),
            files => format!(" (without {})", plural(files as u64, "damaged file")),
        };
        format!("{of_set}{without}, {} px{views}", self.size)
    }

    /// The figures as tables, within `width` columns.
    pub fn text(&self, width: usize) -> String {
        let Figures { loss, acc, acc_top5 } = self.figures;
        let mut out = format!("{BOLD}{}{BOLD:#}\n", self.info.name);
        let mut line = |label: &str, value: String| out += &format!("  {DIM}{label:<8}{DIM:#} {value}\n");
        line(
            "run",
            format!("{}, after {} of {} steps", self.info.status.name(), count(self.step), count(self.info.steps)),
        );
        line("net", format!("{}, {} parameters", self.info.model, count(self.info.parameters)));
        if let Some(average) = self.average {
            line("weights", format!("averaged: {average}"));
        }
        if let Some(weights) = self.weights {
            line("weights", weights.display().to_string());
        }
        line("data", self.images());
        line("device", self.compute.label());
        // Five of so few outputs are all of them.
        let top5 = match self.confusion.names().len() {
            0..=5 => String::new(),
            _ => format!(", top-5 {}", percent(acc_top5)),
        };
        line("accuracy", format!("{BOLD}{}{BOLD:#}{top5}, loss {loss:.4}", percent(acc)));
        let mut rows = self.confusion.by_class();
        // NaN, of classes without images, comes last.
        rows.sort_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
        out + "\n" + &table(&rows, width)
    }

    /// The figures as one JSON object, numbers that are not finite as null.
    pub fn json(&self) -> anyhow::Result<String> {
        let Figures { loss, acc, acc_top5 } = self.figures;
        let facts = &self.dataset.facts;
        let classes: Vec<Value> =
            self.confusion.by_class().iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        let matrix: Vec<&[u64]> = (0..self.confusion.classes()).map(|label| self.confusion.row(label)).collect();
        let object = json!({
            "run": self.folder.display().to_string(),
            "name": self.info.name,
            "status": self.info.status,
            "step": self.step,
            "dataset": facts.name,
            "stands_in_for": self.dataset.stands_in_for,
            "digest": self.dataset.digest,
            "same_data": self.same_data,
            "data": self.data.map(|from| from.display().to_string()),
            "chosen": self.chosen.unwrap_or(Chosen::Validation).word(),
            "size": self.size,
            "average": self.average,
            "weights": self.weights.map(|file| file.display().to_string()),
            "tta": self.tta.word(),
            "device": self.compute.name(),
            "instruction_set": self.compute.isa.name(),
            "threads": self.threads,
            "images": self.confusion.images(),
            "left_out": self.left_out,
            "skipped": self.dataset.skipped.len(),
            "val_loss": loss,
            "val_acc": acc,
            "val_acc_top5": acc_top5,
            "classes": classes,
            "outputs": self.confusion.names(),
            "confusion": matrix,
        });
        Ok(serde_json::to_string(&object)? + "\n")
    }
}

fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.1} %", 100.0 * fraction) } else { "n/a".to_owned() }
}

/// The classes, lowest accuracy first; of many, those at both ends.
fn table(rows: &[ClassRow], width: usize) -> String {
    let (low, high) = if rows.len() > ALL { (LOWEST, HIGHEST) } else { (rows.len(), 0) };
    let shown: Vec<&ClassRow> = rows[..low].iter().chain(&rows[rows.len() - high..]).collect();
    let widest = |name: fn(&ClassRow) -> &str| shown.iter().map(|row| printable(name(row)).width()).max().unwrap_or(0);
    // What the other columns take, and the count behind the last one.
    let fixed = 4 * GAP.len() + 6 + 8 + 9 + " 1,000 (100.0 %)".len();
    let left = width.saturating_sub(fixed) / 2;
    let name_width = |wanted: usize, title: &str| wanted.min(NAME).min(left.max(SHORTEST_NAME)).max(title.len());
    let (own, other) = (name_width(widest(|row| &row.name), "class"), widest(|row| &row.confused_with));
    let other = other.min(NAME).min(left.max(SHORTEST_NAME));
    let mut out = format!(
        "{DIM}{:<own$}{GAP}{:>6}{GAP}{:>8}{GAP}{:>9}{GAP}most confused with{DIM:#}\n",
        "class", "images", "accuracy", "precision"
    );
    for (k, row) in shown.iter().enumerate() {
        if k == low {
            let between = rows.len() - low - high;
            out += &format!("{DIM}… {between} classes between (all of them with --csv or --json){DIM:#}\n");
        }
        let confused = match row.confused {
            0 => "-".to_owned(),
            n => {
                let share = percent(n as f64 / row.images as f64);
                format!("{} {} ({share})", pad(&row.confused_with, other), count(n))
            }
        };
        out += &format!(
            "{}{GAP}{:>6}{GAP}{:>8}{GAP}{:>9}{GAP}{confused}\n",
            pad(&row.name, own),
            count(row.images),
            percent(row.accuracy),
            percent(row.precision)
        );
    }
    out
}

/// A text at exactly that many columns, cut where it is longer, without what a terminal would act on.
fn pad(text: &str, columns: usize) -> String {
    let text = &*printable(text);
    let mut kept = text.to_owned();
    if text.width() > columns {
        let mut room = columns.saturating_sub(1);
        kept = text
            .chars()
            .take_while(|c| {
                let wide = c.width().unwrap_or(0);
                let fits = wide <= room;
                room = room.saturating_sub(wide);
                fits
            })
            .collect::<String>()
            + "…";
    }
    let missing = columns.saturating_sub(kept.width());
    kept + &" ".repeat(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(classes: usize, name: &str) -> Vec<ClassRow> {
        let names: Vec<String> = (0..classes).map(|k| format!("{name}{k}")).collect();
        let mut matrix = Confusion::new(&names, classes);
        for label in 0..classes {
            (0..=label).for_each(|_| matrix.add(label, Some(label)));
            matrix.add(label, Some((label + 1) % classes));
        }
        matrix.by_class()
    }

    #[test]
    fn tables_fit_and_many_classes_are_cut() {
        for (classes, name) in [(2, "a"), (10, "automobile"), (100, "an_unusually_long_name_of_a_class_")] {
            for width in [80, 100, 140] {
                let text = anstream::adapter::strip_str(&table(&rows(classes, name), width)).to_string();
                assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
                let lines = if classes > ALL { 1 + LOWEST + 1 + HIGHEST } else { 1 + classes };
                assert_eq!(text.lines().count(), lines, "{text}");
            }
        }
        assert!(table(&rows(100, "c"), 80).contains("80 classes between"));
        let text = anstream::adapter::strip_str(&table(&rows(3, "a\nb\t"), 80)).to_string();
        assert!(text.lines().count() == 4 && !text.contains('\t') && text.contains("\na\\nb\\t0 "), "{text}");
    }

    #[test]
    fn long_names_are_cut_to_the_column() {
        assert_eq!(pad("abc", 5), "abc  ");
        assert_eq!(pad("abcdef", 5), "abcd…");
        assert_eq!(pad("日本語", 4), "日… ");
        assert_eq!(pad("a\tb\n\u{1b}[1m", 20), "a\\tb\\n\\u{1b}[1m     ");
    }
}
