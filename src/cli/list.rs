//! `runner list`.

use super::table::{BOLD, DIM, wrap};
use super::{Exit, Failure, output};
use crate::config::schema::{FAMILIES, PHASE, PHASES};
use crate::config::suggest::{nearest, one_of};
use crate::config::{beside, expected};
use crate::registry::{Default, Describe, Family, Param};
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use serde_json::{Value, json};
use std::sync::LazyLock;
use unicode_width::UnicodeWidthStr;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  runner list                          everything that an experiment can name
  runner list optimizer --verbose      optimizers with their settings
  runner list augmentations
  runner list --json | jq '.[].family'")]
pub struct ListArgs {
    /// What to list: one of the families, in the plural if you like
    #[arg(value_parser = FamilyParser, hide_possible_values = false)]
    family: Option<Listed>,
    /// Show the settings too, with types, defaults and meaning
    #[arg(long, short)]
    verbose: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Lists families and their entries.
pub fn run(args: &ListArgs) -> Result<Exit, Failure> {
    let families: Vec<&Family> = args.family.as_ref().map_or(FAMILIES.to_vec(), |listed| vec![listed.0]);
    let text = if args.json {
        let families: Vec<Value> = families.into_iter().map(family_as_json).collect();
        format!("{:#}\n", Value::Array(families))
    } else {
        let names = families.iter().flat_map(|family| (family.entries)()).map(|entry| entry.name().width());
        let page = Page { width: output::width(), names: names.max().unwrap_or(0), verbose: args.verbose };
        let mut text: Vec<String> = families.into_iter().map(|family| page.family(family)).collect();
        if args.family.is_none() && !args.verbose {
            text.push("Settings: runner list FAMILY --verbose\n".to_owned());
        }
        text.join("\n")
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

/// How wide all is, and how much of it is shown.
struct Page {
    width: usize,
    /// Of the longest name.
    names: usize,
    verbose: bool,
}

const INDENT: usize = 2;
/// From this width on the source stands beside the summary, and not below it.
const WIDE: usize = 120;

impl Page {
    fn family(&self, family: &Family) -> String {
        let head = format!("{BOLD}{}{BOLD:#}  ", family.name);
        let mut text = hang(&head, wrap(family.doc, self.width.saturating_sub(family.name.width() + 2)));
        for (k, entry) in (family.entries)().into_iter().enumerate() {
            if self.verbose && k > 0 {
                text.push('\n');
            }
            text += &self.entry(entry);
            if self.verbose {
                text += &self.settings(family, entry);
            }
        }
        text
    }

    /// The name, and beside it summary and source.
    fn entry(&self, entry: &dyn Describe) -> String {
        let start = INDENT + self.names + 2;
        let room = self.width.saturating_sub(start).max(20);
        let name = format!("{:INDENT$}{:<width$}  ", "", entry.name(), width = self.names);
        if self.width < WIDE {
            let lines = wrap(entry.summary(), room).into_iter();
            let sources = wrap(entry.cite(), room).into_iter().map(|line| format!("{DIM}{line}{DIM:#}"));
            return hang(&name, lines.chain(sources));
        }
        let summary_room = room * 3 / 5;
        let (summary, source) = (wrap(entry.summary(), summary_room), wrap(entry.cite(), room - summary_room - 2));
        let line = |k: usize| {
            let left = summary.get(k).map_or("", String::as_str);
            let padding = " ".repeat(summary_room.saturating_sub(left.width()) + 2);
            match source.get(k) {
                Some(right) => format!("{left}{padding}{DIM}{right}{DIM:#}"),
                None => left.to_owned(),
            }
        };
        hang(&name, (0..summary.len().max(source.len())).map(line))
    }

    /// The settings, each with what it takes and what it means.
    fn settings(&self, family: &Family, entry: &dyn Describe) -> String {
        let keys = entry.params().iter().map(|param| param.key.width()).max().unwrap_or(0);
        let indent = 3 * INDENT;
        let room = self.width.saturating_sub(indent + keys + 2).max(20);
        let mut text = hang(&" ".repeat(indent), written(family, entry));
        for param in entry.params() {
            let head = format!("{:indent$}{BOLD}{:<keys$}{BOLD:#}  ", "", param.key);
            let takes = wrap(&format!("{}; {}", expected(&param.kind), default(param)), room).into_iter();
            let meaning = wrap(param.doc, room).into_iter().map(|line| format!("{DIM}{line}{DIM:#}"));
            text += &hang(&head, takes.chain(meaning));
        }
        text
    }
}

/// Lines that hang behind a head as wide as they are indented.
fn hang(head: &str, lines: impl IntoIterator<Item = String>) -> String {
    let blank = " ".repeat(anstream::adapter::strip_str(head).to_string().width());
    let heads = std::iter::once(head).chain(std::iter::repeat(blank.as_str()));
    heads.zip(lines).map(|(head, line)| format!("{head}{line}\n")).collect()
}

fn default(param: &Param) -> String {
    match param.default {
        Default::Required => "must be given".to_owned(),
        Default::Absent => "may be left out".to_owned(),
        Default::Toml(value) => format!("default {}", value.replace('\'', "\"")),
    }
}

/// The ways in which a file chooses the entry.
fn written(family: &Family, entry: &dyn Describe) -> Vec<String> {
    let name = entry.name();
    let required: String = (entry.params().iter().filter(|param| param.default == Default::Required))
        .map(|param| format!(", {} = …", param.key))
        .collect();
    if let Some(key) = beside::naming_family(PHASE, family) {
        return vec![format!("in [[{PHASES}]], as {key} = \"{name}\"{required}, …")];
    }
    let more = if entry.params().iter().all(|param| param.default == Default::Required) { "" } else { ", …" };
    let plain = required.is_empty().then(|| format!("\"{name}\""));
    let short = entry.shorthand().map(|key| format!("{{ {name} = … }}, which sets `{key}`"));
    let table = (!entry.params().is_empty()).then(|| format!("{{ kind = \"{name}\"{required}{more} }}"));
    let forms = [plain, short, table].into_iter().flatten();
    forms.enumerate().map(|(k, form)| format!("{} {form}", if k == 0 { "as" } else { "or" })).collect()
}

fn family_as_json(family: &Family) -> Value {
    let entries: Vec<Value> = (family.entries)().into_iter().map(entry_as_json).collect();
    json!({ "family": family.name, "doc": family.doc, "entries": entries })
}

fn entry_as_json(entry: &dyn Describe) -> Value {
    let setting = |param: &Param| {
        let default = match param.default {
            Default::Toml(value) => Value::from(value),
            Default::Required | Default::Absent => Value::Null,
        };
        let required = param.default == Default::Required;
        json!({ "key": param.key, "takes": expected(&param.kind), "required": required, "default": default, "doc": param.doc })
    };
    let settings: Vec<Value> = entry.params().iter().map(setting).collect();
    let (name, summary, source) = (entry.name(), entry.summary(), entry.cite());
    json!({ "name": name, "summary": summary, "source": source, "short_form_of": entry.shorthand(), "settings": settings })
}

/// A family chosen by name.
#[derive(Clone)]
struct Listed(&'static Family);

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

/// Reads a family's name, and tells completions which there are.
#[derive(Clone)]
struct FamilyParser;

impl TypedValueParser for FamilyParser {
    type Value = Listed;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Listed, clap::Error> {
        let word = value.to_string_lossy();
        find(&word)
            .map(Listed)
            .ok_or_else(|| clap::Error::raw(ErrorKind::InvalidValue, format!("{}\n", unknown(&word))).with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |(name, family): (&'static String, &&Family)| PossibleValue::new(name.as_str()).help(family.doc);
        Some(Box::new(NAMES.iter().zip(FAMILIES).map(value)))
    }
}

/// The families' names as they are typed without quotes, `data-set`, in the order of [`FAMILIES`].
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| FAMILIES.iter().map(|family| family.name.replace(' ', "-")).collect());

/// The family that a word means: its name, in the plural too, with any or no sign between its words, or its beginning.
fn find(word: &str) -> Option<&'static Family> {
    let fold = |word: &str| word.to_lowercase().replace([' ', '-', '_'], "");
    let word = fold(word);
    let singular = word.strip_suffix('s').unwrap_or(&word);
    let named = |family: &&&Family| [word.as_str(), singular].contains(&fold(family.name).as_str());
    let begun = |family: &&&Family| singular.len() >= 4 && fold(family.name).starts_with(singular);
    FAMILIES.iter().find(named).or_else(|| FAMILIES.iter().find(begun)).copied()
}

/// What is wrong with a word that names no family, and what may have been meant.
fn unknown(word: &str) -> String {
    let names = || NAMES.iter().map(String::as_str);
    let entry_of = names().zip(FAMILIES).find(|(_, family)| family.get(word).is_some());
    let help = match (entry_of, nearest(word, names())) {
        (Some((family, _)), _) => format!("\n  help: `{word}` is one of a family: runner list {family}"),
        (None, Some(near)) => format!("\n  help: did you mean `{near}`?"),
        (None, None) => String::new(),
    };
    format!("there is no family `{word}`\n  expected {}{help}", one_of(names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_by_any_form_of_their_name() {
        for (word, name) in [
            ("optimizer", "optimizer"),
            ("Optimizers", "optimizer"),
            ("data-set", "data set"),
            ("data set", "data set"),
            ("datasets", "data set"),
            ("data_sets", "data set"),
            ("data", "data set"),
            ("augment", "augmentation"),
            ("augmentations", "augmentation"),
            ("curves", "curve"),
        ] {
            assert_eq!(find(word).map(|family| family.name), Some(name), "{word}");
        }
        for word in ["", "s", "x", "sgd", "optimiser", "optimizerss"] {
            assert!(find(word).is_none(), "{word}");
        }
    }

    #[test]
    fn an_unknown_family_is_answered_with_what_may_have_been_meant() {
        assert!(unknown("optimiser").contains("did you mean `optimizer`?"));
        assert!(unknown("adam").contains("`adam` is one of a family: runner list optimizer"));
        assert!(!unknown("colour").contains("help"));
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        for (width, verbose) in [(80, false), (80, true), (100, true), (120, false), (140, true)] {
            for family in FAMILIES {
                let text = anstream::adapter::strip_str(&Page { width, names: 19, verbose }.family(family)).to_string();
                for line in text.lines() {
                    assert!(line.width() <= width && line.trim_end() == line, "{width}: {line:?}");
                }
                for entry in (family.entries)() {
                    assert!(text.contains(entry.name()), "{}", entry.name());
                    let settings = verbose && entry.params().iter().all(|param| text.contains(param.key));
                    assert!(settings || !verbose, "{}", entry.name());
                }
            }
        }
    }
}
