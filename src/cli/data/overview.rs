//! What a set holds, for people and as JSON.

use super::wrap;
use crate::config::printable;
use crate::record::text::plural;
use crate::units::{self, count};
use anstyle::{Effects, Style};
use std::path::PathBuf;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);
const BAR: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Cyan)));

/// Classes that are all listed; of more, some.
const LISTED: usize = 24;
/// How many of the largest and of the smallest classes stand for the others.
const ENDS: usize = 8;
/// Columns of the labels.
const LABEL: usize = 12;
/// The widest name and the longest bar.
const NAME: usize = 28;
const LONGEST: usize = 24;

/// All that `runner data info` tells.
pub struct Overview {
    pub name: String,
    pub summary: &'static str,
    /// `None` of a set drawn in memory.
    pub folder: Option<PathBuf>,
    pub size: usize,
    pub channels: usize,
    pub class_names: Vec<String>,
    pub training: Counts,
    pub validation: Counts,
    pub mean: Vec<f32>,
    pub deviation: Vec<f32>,
    pub digest: String,
    /// Damaged files that are left out.
    pub skipped: usize,
    /// Whether images are decoded when they are served.
    pub on_disk: bool,
}

/// Images of each class.
pub struct Counts(Vec<u64>);

impl Counts {
    pub fn of(labels: &[u32], classes: usize) -> Self {
        let mut counts = vec![0; classes];
        for label in labels {
            counts[*label as usize] += 1;
        }
        Self(counts)
    }

    fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// `5,000 each`, `480 to 520 each`
    fn range(&self) -> String {
        let (min, max) = (self.0.iter().min().copied().unwrap_or(0), self.0.iter().max().copied().unwrap_or(0));
        if min == max { format!("{} each", count(min)) } else { format!("{} to {} each", count(min), count(max)) }
    }
}

impl Overview {
    /// Everything, as one object.
    pub fn json(&self) -> anyhow::Result<String> {
        let classes: Vec<_> = (self.class_names.iter())
            .zip(self.training.0.iter().zip(&self.validation.0))
            .map(|(name, (training, validation))| {
                serde_json::json!({ "name": name, "training": training, "validation": validation })
            })
            .collect();
        Ok(serde_json::to_string_pretty(&serde_json::json!({
            "name": self.name,
            "present": true,
            "folder": self.folder,
            "training": { "images": self.training.total() },
            "validation": { "images": self.validation.total() },
            "size": self.size,
            "channels": self.channels,
            "classes": classes,
            "mean": self.mean,
            "deviation": self.deviation,
            "digest": self.digest,
            "skipped": self.skipped,
            "on_disk": self.on_disk,
        }))?)
    }

    /// As lines of at most `width` columns where names and paths allow; with escape sequences for colour.
    pub fn text(&self, width: usize) -> String {
        let numbers = |values: &[f32]| values.iter().map(|v| format!("{v:.4}")).collect::<Vec<_>>().join("  ");
        let folder = self.folder.as_ref().map_or("none: drawn in memory".to_owned(), |path| path.display().to_string());
        let sort = if self.channels == 1 { "grey".to_owned() } else { format!("{} channels", self.channels) };
        let square = format!("{0}×{0}, {sort}", self.size);
        let own = format!("their own, on disk; served as {square} where a phase names no size");
        let facts = [
            ("folder", folder),
            ("training", format!("{} images", count(self.training.total()))),
            ("validation", format!("{} images", count(self.validation.total()))),
            ("size", if self.on_disk { own } else { square }),
            ("mean", numbers(&self.mean)),
            ("deviation", numbers(&self.deviation)),
        ];
        let mut text = format!("{BOLD}{}{BOLD:#}\n", self.name);
        text.extend(wrap(self.summary, width).iter().map(|line| line.to_owned() + "\n"));
        for (label, value) in facts {
            text += &format!("{DIM}{label:<LABEL$}{DIM:#}{value}\n");
        }
        if self.skipped > 0 {
            text += &format!("{DIM}{:<LABEL$}{DIM:#}{}\n", "left out", plural(self.skipped as u64, "file"));
        }
        for (k, part) in self.digest_lines(width).into_iter().enumerate() {
            let label = if k == 0 { "digest" } else { "" };
            text += &format!("{DIM}{label:<LABEL$}{DIM:#}{part}\n");
        }
        text + "\n" + &self.classes(width)
    }

    /// The digest, in two halves below each other where it is wider than the terminal.
    fn digest_lines(&self, width: usize) -> Vec<String> {
        match self.digest.split_once(':') {
            Some((of, sum)) if LABEL + self.digest.len() > width => {
                let (head, tail) = sum.split_at(sum.len() / 2);
                vec![format!("{of}:{head}"), " ".repeat(of.len() + 1) + tail]
            }
            _ => vec![self.digest.clone()],
        }
    }

    /// A line for each class, or for the largest and the smallest of many.
    fn classes(&self, width: usize) -> String {
        let all = self.class_names.len();
        let mut order: Vec<usize> = (0..all).collect();
        if all > LISTED {
            // Stable: of equally large classes, those that come first.
            order.sort_by_key(|class| std::cmp::Reverse(self.training.0[*class]));
        }
        let cut = all > LISTED;
        let (head, tail) = if cut { (&order[..ENDS], &order[all - ENDS..]) } else { (&order[..], &[][..]) };
        let shown = || head.iter().chain(tail).copied();
        let name_width =
            shown().map(|class| fit(&self.class_names[class]).width()).chain(["class".len()]).max().unwrap_or(0);
        let (train, val) = (
            Column::new("training", &self.training, width, name_width),
            Column::new("validation", &self.validation, width, name_width),
        );
        let mut text = format!("{DIM}{:<name_width$}  {}  {}{DIM:#}\n", "class", train.title(), val.title);
        let line = |class: usize| {
            let name = fit(&self.class_names[class]);
            let padding = " ".repeat(name_width - name.width());
            format!("{name}{padding}  {}  {}", train.cell(class), val.cell(class)).trim_end().to_owned() + "\n"
        };
        text.extend(head.iter().map(|class| line(*class)));
        if cut {
            let more = format!("… {} more classes; all with --json", all - shown().count());
            text += &format!("{DIM}{more}{DIM:#}\n");
            text.extend(tail.iter().map(|class| line(*class)));
        }
        text + &format!(
            "{DIM}{}: training {}, validation {}{DIM:#}\n",
            units::classes(all),
            self.training.range(),
            self.validation.range()
        )
    }
}

/// A count with its bar, for each class.
struct Column<'a> {
    title: &'static str,
    counts: &'a Counts,
    digits: usize,
    bar: usize,
}

impl<'a> Column<'a> {
    fn new(title: &'static str, counts: &'a Counts, width: usize, name_width: usize) -> Self {
        let digits = counts.0.iter().map(|n| count(*n).len()).max().unwrap_or(0).max(3);
        // Two columns share what names, counts and gaps leave.
        let room = width.saturating_sub(name_width + 4) / 2;
        Self { title, counts, digits, bar: room.saturating_sub(digits + 1).clamp(4, LONGEST) }
    }

    fn title(&self) -> String {
        let whole = self.digits + 1 + self.bar;
        format!("{:<whole$}", self.title)
    }

    fn cell(&self, class: usize) -> String {
        let (n, most) = (self.counts.0[class], self.counts.0.iter().max().copied().unwrap_or(0).max(1));
        let eighths = (n as f64 / most as f64 * (8 * self.bar) as f64).round() as usize;
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        let bar = "█".repeat(eighths / 8) + partial;
        let padding = " ".repeat(self.bar - bar.width());
        format!("{:>1$} {BAR}{bar}{BAR:#}{padding}", count(n), self.digits)
    }
}

/// A name of at most [`NAME`] columns, without what a terminal would act on.
fn fit(name: &str) -> String {
    let name = &*printable(name);
    if name.width() <= NAME {
        return name.to_owned();
    }
    let mut fitted = String::new();
    for c in name.chars() {
        if fitted.width() + c.width().unwrap_or(0) + 1 > NAME {
            break;
        }
        fitted.push(c);
    }
    fitted + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(classes: usize) -> Overview {
        let labels: Vec<u32> = (0..classes as u32).flat_map(|class| vec![class; 10 + class as usize % 7]).collect();
        Overview {
            name: "test".to_owned(),
            summary: "a set made for this test, of which there is so much to be said that it does not fit in one line of 80",
            folder: None,
            size: 8,
            channels: 1,
            class_names: (0..classes).map(|class| format!("class {class}")).collect(),
            training: Counts::of(&labels, classes),
            validation: Counts::of(&labels, classes),
            mean: vec![0.5],
            deviation: vec![0.25],
            digest: format!("sha256:{}", "0".repeat(64)),
            skipped: 0,
            on_disk: false,
        }
    }

    #[test]
    fn lines_fit_the_terminal() {
        for classes in [2, 10, 24, 25, 100, 1000] {
            for width in [80, 100, 140] {
                let text = anstream::adapter::strip_str(&overview(classes).text(width)).to_string();
                for line in text.lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn many_classes_are_told_by_the_largest_and_the_smallest() {
        let text = anstream::adapter::strip_str(&overview(100).text(80)).to_string();
        assert!(text.contains("… 84 more classes") && text.contains("training 10 to 16 each"), "{text}");
        assert!(text.contains("class 6 ") && text.contains("class 98"), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&overview(100).json().unwrap()).unwrap()["classes"]
                .as_array()
                .unwrap()
                .len(),
            100
        );
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(fit(&"x".repeat(28)), "x".repeat(28));
        assert_eq!(fit(&"x".repeat(29)), "x".repeat(27) + "…");
    }

    #[test]
    fn names_keep_to_their_lines() {
        let mut overview = overview(2);
        overview.class_names = vec!["a\nb\tc".to_owned(), "\u{1b}[2Jd".to_owned()];
        let text = overview.text(80);
        assert!(text.contains("\na\\nb\\tc      ") && text.contains("\n\\u{1b}[2Jd  "), "{text}");
        assert!(overview.json().unwrap().contains(r#""a\nb\tc""#));
    }
}
