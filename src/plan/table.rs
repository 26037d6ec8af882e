//! The plan as a table for people.

use super::{Handover, Plan, PlannedPhase};
use crate::optim::{self, mix};
use crate::registry::{self, Choice, Value};
use crate::units::{count, number};
use anstyle::{Effects, Style};
use unicode_width::UnicodeWidthStr;

const HEADER: Style = Style::new().effects(Effects::BOLD);
const GAP: &str = "  ";

/// Which way a column's cells lean.
#[derive(Clone, Copy, PartialEq)]
enum Align {
    Left,
    Right,
}

struct Column {
    head: &'static str,
    align: Align,
    cells: Vec<String>,
}

impl Column {
    fn new(head: &'static str, align: Align, cells: impl IntoIterator<Item = String>) -> Self {
        Self { head, align, cells: cells.into_iter().collect() }
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).chain([self.head.width()]).max().unwrap_or(0)
    }

    fn fit(&self, text: &str) -> String {
        let padding = " ".repeat(self.width().saturating_sub(text.width()));
        match self.align {
            Align::Left => format!("{text}{padding}"),
            Align::Right => format!("{padding}{text}"),
        }
    }
}

impl Plan {
    /// The phases, their totals and their augmentations, at most `width` columns wide where that can be.
    ///
    /// In a wide terminal a phase is one line; in a narrow one its hyper-parameters stand on a line below. The header is
    /// in bold by an escape sequence: print it through `anstream`, which takes that out where it is not wanted.
    pub fn table(&self, width: usize) -> String {
        let mut columns = self.counts();
        let ramps = self.ramps();
        let wide = columns.iter().chain(&ramps).map(|c| c.width() + GAP.len()).sum::<usize>() - GAP.len();
        let details = if wide <= width {
            columns.extend(ramps);
            vec![Vec::new(); self.phases.len()]
        } else {
            let indent = columns[0].width() + GAP.len();
            self.phases.iter().map(|phase| wrap(&phase.details(), indent, width)).collect()
        };
        let mut lines = vec![header(&columns)];
        for (row, details) in details.into_iter().enumerate() {
            lines.push(line(&columns, |c| c.cells[row].clone()));
            lines.extend(details);
        }
        if self.phases.len() > 1 {
            let total = self.phases.len();
            lines.push(line(&columns, |c| c.cells.get(total).cloned().unwrap_or_default()));
        }
        let augmentation = self.by_phase("augmentation", |phase| &phase.augment, |list| list_in_words(list, ", "));
        lines.extend(wrap_sentences(&augmentation, width));
        if self.phases.iter().any(|phase| !phase.mix_images.is_empty()) {
            let mixes = self.by_phase("images mixed", |phase| &phase.mix_images, |list| list_in_words(list, " or "));
            lines.extend(wrap_sentences(&mixes, width));
        }
        if self.phases.iter().any(|phase| phase.prune_images.is_some()) {
            lines.extend(wrap_sentences(&self.pruning_in_words(), width));
        }
        if self.phases.iter().any(|phase| phase.label_smoothing > 0.0) {
            let in_words = |share: &f64| if *share > 0.0 { number(*share) } else { "none".to_owned() };
            let smoothing = self.by_phase("label smoothing", |phase| &phase.label_smoothing, in_words);
            lines.extend(wrap_sentences(&smoothing, width));
        }
        lines.extend(wrap_sentences(&Vec::from_iter(self.evaluated()), width));
        lines.extend(wrap_sentences(&self.accumulations(), width));
        lines.extend(wrap_sentences(&self.handed_over(), width));
        lines.extend(wrap_sentences(&self.groups_in_words(), width));
        lines.extend(wrap_sentences(&Vec::from_iter(self.lookahead.as_ref().map(ToString::to_string)), width));
        lines.extend(wrap_sentences(&Vec::from_iter(self.model_in_words()), width));
        lines.extend(wrap_sentences(&Vec::from_iter(self.average_in_words()), width));
        let stops = (!self.stop.is_none()).then(|| self.stop.to_string());
        lines.extend(wrap_sentences(&Vec::from_iter(stops), width));
        lines.join("\n") + "\n"
    }

    /// The columns of counts and names; those that add up have the total as one cell more.
    fn counts(&self) -> Vec<Column> {
        use Align::{Left, Right};
        let phases = &self.phases;
        let total = |text: String| (phases.len() > 1).then_some(text);
        let epochs = phases.iter().map(|p| p.epochs).sum::<f64>();
        let mut columns = vec![
            Column::new("phase", Right, (0..phases.len()).map(|i| i.to_string()).chain(total("total".into()))),
            Column::new("epochs", Right, phases.iter().map(|p| short(p.epochs)).chain(total(short(epochs)))),
            Column::new("steps", Right, phases.iter().map(|p| count(p.steps)).chain(total(count(self.total_steps)))),
            Column::new("images", Right, phases.iter().map(|p| count(p.images)).chain(total(count(self.total_images)))),
            Column::new("size", Right, phases.iter().map(|p| p.size.to_string())),
            Column::new("batch", Right, phases.iter().map(|p| p.batch.to_string())),
            Column::new("optimizer", Left, phases.iter().map(|p| optimizer_in_words(&p.optimizer))),
        ];
        if self.sets.len() > 1 {
            columns.insert(4, Column::new("data", Left, phases.iter().map(|p| self.sets[p.set].clone())));
        }
        if phases.iter().enumerate().any(|(k, p)| p.source != k) {
            // Recipes stand for several: what `--set` counts is the file's.
            columns.insert(1, Column::new("source", Right, phases.iter().map(|p| p.source.to_string())));
        }
        columns
    }

    fn ramps(&self) -> Vec<Column> {
        let ramp =
            |head, text: fn(&PlannedPhase) -> String| Column::new(head, Align::Left, self.phases.iter().map(text));
        let mut columns = vec![ramp("lr", |p| p.lr.to_string()), ramp("momentum", |p| p.momentum.to_string())];
        if self.phases.iter().any(PlannedPhase::decays) {
            columns.push(ramp("weight decay", |p| p.weight_decay.to_string()));
        }
        if self.phases.iter().any(|p| p.beta.is_some()) {
            columns.push(ramp("beta", |p| match &p.beta {
                Some(beta) => beta.to_string(),
                None if optim::takes_beta(&p.optimizer) => "own".to_owned(),
                None => "–".to_owned(),
            }));
        }
        if self.phases.iter().any(|p| p.mix.is_some()) {
            columns.push(ramp("mix", |p| p.mix.as_ref().map_or("–".into(), ToString::to_string)));
        }
        if self.clips() {
            columns.push(ramp("clip", |p| {
                let bounds = p.bounds();
                if bounds.is_empty() { "–".to_owned() } else { bounds.join(", ") }
            }));
        }
        columns
    }

    /// One line for each run of phases that have the same of something: `what`, and that in words.
    fn by_phase<T: PartialEq>(
        &self,
        what: &str,
        of: impl Fn(&PlannedPhase) -> &T,
        in_words: impl Fn(&T) -> String,
    ) -> Vec<String> {
        let of: Vec<&T> = self.phases.iter().map(of).collect();
        self.runs(what, &of, |of| in_words(of))
    }

    /// A sentence for each run of equal ones of what the phases have.
    fn runs<T: PartialEq>(&self, what: &str, of: &[T], in_words: impl Fn(&T) -> String) -> Vec<String> {
        let mut lines = Vec::new();
        let mut first = 0;
        for run in of.chunk_by(|a, b| a == b) {
            let last = first + run.len() - 1;
            let words = in_words(&run[0]);
            lines.push(match (run.len() == self.phases.len(), first == last) {
                (true, _) => format!("{what}: {words}"),
                (false, true) => format!("{what} in phase {first}: {words}"),
                (false, false) => format!("{what} in phases {first} to {last}: {words}"),
            });
            first = last + 1;
        }
        lines
    }
}

impl Plan {
    /// What leaves images out, and how many an epoch serves.
    fn pruning_in_words(&self) -> Vec<String> {
        let pruned = |phase: &PlannedPhase| phase.prune_images.clone().map(|choice| (choice, phase.batches.images()));
        let of: Vec<Option<(Choice, u64)>> = self.phases.iter().map(pruned).collect();
        let in_words = |pruned: &Option<(Choice, u64)>| match pruned {
            Some((choice, images)) => format!("{}, {} an epoch", in_words(choice), count(*images)),
            None => "none".to_owned(),
        };
        self.runs("images pruned", &of, in_words)
    }

    /// The size of the images that are evaluated, where it is not that of each phase.
    fn evaluated(&self) -> Option<String> {
        let size = self.phases[0].eval_size;
        let others = self.phases.iter().any(|phase| phase.size != size);
        (others && self.phases.iter().all(|phase| phase.eval_size == size)).then(|| format!("evaluated at {size} px"))
    }

    /// One line for each phase whose steps pass in parts.
    fn accumulations(&self) -> Vec<String> {
        let phases = self.phases.iter().enumerate().filter(|(_, phase)| phase.accumulate > 1);
        let line = |(k, phase): (usize, &PlannedPhase)| {
            let (batch, part, parts) = (phase.batch, phase.part(), phase.batch.div_ceil(phase.part()));
            let most = if batch.is_multiple_of(part) { "" } else { "up to " };
            format!("phase {k}: the {batch} images of a step pass in {parts} parts of {most}{part}")
        };
        phases.map(line).collect()
    }

    /// The phases that the momentum of another optimizer lives on in, and those whose optimizers begin anew.
    fn handed_over(&self) -> Vec<String> {
        let told = |of: Handover, words: &str| {
            let phases = self.phases.iter().enumerate().filter(|(_, phase)| phase.handover == of);
            let named: Vec<String> = phases.map(|(k, _)| format!("phase {k}")).collect();
            (!named.is_empty()).then(|| format!("{words} {}", named.join(", ")))
        };
        let carried = told(Handover::Momentum, "momentum is carried over into");
        carried.into_iter().chain(told(Handover::Nothing, "the optimizer begins anew in")).collect()
    }
}

impl PlannedPhase {
    fn decays(&self) -> bool {
        self.weight_decay.from() != 0.0 || self.weight_decay.to() != 0.0
    }

    /// The hyper-parameters in words, for the line below the counts.
    fn details(&self) -> Vec<String> {
        let mut details = vec![format!("lr {}", self.lr), format!("momentum {}", self.momentum)];
        if self.decays() {
            details.push(format!("weight decay {}", self.weight_decay));
        }
        details.extend(self.beta.iter().map(|beta| format!("beta {beta}")));
        details.extend(self.mix.iter().map(|mix| format!("mix {mix}")));
        details.extend(self.bounds().into_iter().map(|bound| format!("clip {bound}")));
        details
    }

    /// The bounds on the gradient in words: `norm 1`.
    fn bounds(&self) -> Vec<String> {
        let bounds = [("value", &self.clip_value), ("norm", &self.clip_norm)];
        bounds.into_iter().filter_map(|(of, ramp)| Some(format!("{of} {}", ramp.as_ref()?))).collect()
    }
}

/// An optimizer, the switches that are on and what else is not as by default: `sgd nesterov`, `rmsprop alpha 0.95`; of a mix both
/// rules: `rmsprop → sgd nesterov`.
pub fn optimizer_in_words(optimizer: &Choice) -> String {
    if let [(_, from), (_, to)] = &mix::rules(optimizer)[..] {
        return format!("{} → {}", optimizer_in_words(from), optimizer_in_words(to));
    }
    let settings = optimizer.settings.0.iter().filter_map(|(key, value)| match value {
        Value::Bool(true) => Some(key.clone()),
        Value::Int(_) | Value::Float(_) | Value::Text(_) if is_default(&optimizer.kind, key, value) => None,
        Value::Int(n) => Some(format!("{key} {n}")),
        Value::Float(x) => Some(format!("{key} {}", number(*x))),
        Value::Text(text) => Some(format!("{key} {text}")),
        _ => None,
    });
    std::iter::once(optimizer.kind.clone()).chain(settings).collect::<Vec<_>>().join(" ")
}

/// Whether an optimizer's setting is as it is where nobody gives it.
fn is_default(optimizer: &str, key: &str, value: &Value) -> bool {
    let params = registry::find(optim::ENTRIES, optimizer).map_or(&[][..], |entry| entry.params);
    let default = params.iter().find(|param| param.key == key).map(|param| param.default);
    match (default, value) {
        (Some(registry::Default::Toml(toml)), Value::Int(n)) => toml.parse::<i64>() == Ok(*n),
        (Some(registry::Default::Toml(toml)), Value::Float(x)) => toml.parse::<f64>() == Ok(*x),
        (Some(registry::Default::Toml(toml)), Value::Text(text)) => toml.trim_matches(['"', '\'']) == text,
        _ => false,
    }
}

/// Augmentations, or other choices, joined by `and`.
fn list_in_words(list: &[Choice], and: &str) -> String {
    if list.is_empty() { "none".to_owned() } else { list.iter().map(in_words).collect::<Vec<_>>().join(and) }
}

/// An augmentation with its settings: `cutout 8`. A number says what it is where there are several.
fn in_words(choice: &Choice) -> String {
    let settings = &choice.settings.0;
    let numbers = settings.values().filter(|v| matches!(v, Value::Int(_) | Value::Float(_))).count();
    let named = |key: &str, value: String| if numbers > 1 { format!("{key} {value}") } else { value };
    let words = settings.iter().filter_map(|(key, value)| match value {
        Value::Bool(true) => Some(key.clone()),
        Value::Text(text) => Some(text.clone()),
        Value::Int(n) => Some(named(key, n.to_string())),
        Value::Float(x) => Some(named(key, number(*x))),
        _ => None,
    });
    std::iter::once(choice.kind.clone()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Epochs to four decimals, without their zeros.
fn short(epochs: f64) -> String {
    number((epochs * 1e4).round() / 1e4)
}

fn header(columns: &[Column]) -> String {
    format!("{HEADER}{}{HEADER:#}", line(columns, |c| c.head.to_owned()))
}

fn line(columns: &[Column], cell: impl Fn(&Column) -> String) -> String {
    let cells: Vec<_> = columns.iter().map(|c| c.fit(&cell(c))).collect();
    cells.join(GAP).trim_end().to_owned()
}

/// Joins `parts` by commas into lines of at most `width`, indented; a part is not broken.
fn wrap(parts: &[String], indent: usize, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.width() + 2 + part.width() <= width => {
                line.push_str(", ");
                line.push_str(part);
            }
            _ => lines.push(format!("{:indent$}{part}", "")),
        }
    }
    lines
}

/// Breaks long lines at commas; what follows is indented.
fn wrap_sentences(sentences: &[String], width: usize) -> Vec<String> {
    let break_up = |sentence: &String| {
        let parts: Vec<_> = sentence.split(", ").map(str::to_owned).collect();
        let mut lines = wrap(&parts[..1], 0, width);
        for part in &parts[1..] {
            match lines.last_mut() {
                Some(line) if line.width() + 3 + part.width() <= width => *line += &format!(", {part}"),
                _ => lines.push(format!("    {part}")),
            }
        }
        lines
    };
    sentences.iter().flat_map(break_up).collect()
}
