//! The pages that list every setting, in Markdown, made of the declarations that check them.

use super::beside;
use super::check::expected;
use super::schema::{EQUAL, EXPERIMENT, FAMILIES, PHASE, PHASES, PRUNE, RAMP, SWEEP};
use super::sweep;
use crate::registry::{Default, Describe, DurationUnit, Family, Kind, Param};
use std::fmt::Write as _;

/// How values that are more than a number or a word are written.
const FORMS: &str = "\
| how it is called below | how it is written |
|---|---|
| a duration | `\"3ep\"`: epochs, `\"500step\"`: optimizer steps, `\"20%\"`: a share of the phase or recipe, outside phases of training |
| a span of time | `\"90s\"`, `\"10min\"`, `\"1.5h\"` |
| a curve | a number that stays, or `{ from = 0.1, to = 0.4, curve = \"cosine\" }` over the phase |
| an entry of a family | its name, `\"sgd\"`; with settings `{ kind = \"sgd\", nesterov = true }`; or short, `{ poly = 0.9 }`, where one setting matters |
";

/// The page of experiment files.
pub fn experiment() -> String {
    let mut page = String::from(
        "# The experiment file\n\nEvery setting, as `runner schema --markdown` prints this page. `runner plan FILE --origins` lists those of a file with \
         their values and where each comes from. A `-` is nothing: the setting stays absent.\n\n",
    );
    page += FORMS;
    page += "\nWhat varies over its phase:\n\n";
    page += &settings(RAMP);
    page += "\n## At the top\n\n";
    page += &settings(EXPERIMENT);
    for param in EXPERIMENT {
        page += &section(param, "");
    }
    page += "\n# What can be chosen\n";
    for family in FAMILIES {
        page += &self::family(family);
    }
    page
}

/// The page of sweep files.
pub fn sweep() -> String {
    let mut page = String::from(
        "# The sweep file\n\nEvery setting, as `runner schema sweep --markdown` prints this page: one base experiment, and what is tried on it.\n\n",
    );
    page += &settings(SWEEP);
    for (name, params) in [("prune", PRUNE), ("equal", EQUAL)] {
        let _ = write!(page, "\n## `[{name}]`\n\n{}", settings(params));
    }
    let _ = write!(
        page,
        "\n## `[{}]`\n\nA key is the path of a setting, or a name; its value an array of values, or a table:\n\n| key | takes | meaning |\n|---|---|---|\n",
        sweep::AXES
    );
    for (key, takes, doc) in sweep::FORMS {
        let _ = writeln!(page, "| `{key}` | {} | {} |", cell(takes), cell(doc));
    }
    page += "\n```toml\n[axes]\n\
        \"phases[1].lr.curve\" = [\"linear\", \"cosine\"]                                       # a setting and its values\n\
        \"phases[*].momentum\" = { uniform = [0.8, 0.95] }                                 # of all phases, drawn\n\
        peak = { paths = [\"phases[0].lr.to\", \"phases[1].lr.from\"], values = [0.1, 0.2] }  # several settings as one\n\
        rise = { paths = [\"phases[0].epochs\", \"phases[1].epochs\"], rows = [[0.2, 1.8], [0.5, 1.5]] }\n\
        shape = { alternatives = [\"triangle.toml\", { name = \"flat\", phases = [{ epochs = 2, lr = 0.1 }] }] }\n```\n";
    page
}

/// A table of the experiment, and those within it.
fn section(param: &Param, within: &str) -> String {
    let (params, brackets) = match param.kind {
        Kind::Table(params) => (params, ["[", "]"]),
        Kind::Tables(params) => (params, ["[[", "]]"]),
        _ => return String::new(),
    };
    let path = format!("{within}{}", param.key);
    let header = match within {
        "" => format!("`{}{path}{}`", brackets[0], brackets[1]),
        _ => format!("`{path}`"),
    };
    let mut text = format!("\n## {header}\n\n{}.\n\n{}", capital(param.doc), settings(params));
    if let Some((key, naming)) = beside::naming(params) {
        let link = anchor(naming.family.name);
        let without = naming.replaces.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let _ = write!(
            text,
            "\nBeside a `{key}` stand the settings of [that {key}](#{link}) in place of {without}, curves that run on in place of curves of one phase, and:\n\n{}",
            settings(naming.adds)
        );
    }
    text + &params.iter().map(|param| section(param, &format!("{path}."))).collect::<String>()
}

fn family(family: &Family) -> String {
    let mut text = format!("\n## {}\n\n{}.\n", capital(family.name), capital(family.doc));
    for entry in (family.entries)() {
        text += &self::entry(family, entry);
    }
    text
}

fn entry(family: &Family, entry: &dyn Describe) -> String {
    let short = entry.shorthand().map(|key| format!(" `{{ {} = … }}` sets `{key}`.", entry.name())).unwrap_or_default();
    let beside = beside::naming_family(PHASE, family);
    let place = beside.map(|key| format!(" In `[[{PHASES}]]`: `{key} = \"{}\"`.", entry.name())).unwrap_or_default();
    let mut text =
        format!("\n### `{}`\n\n{}.{short}{place} *{}*\n", entry.name(), capital(entry.summary()), entry.cite());
    if !entry.params().is_empty() {
        text += "\n";
        text += &settings(entry.params());
    }
    text
}

/// A row for each setting.
fn settings(params: &[Param]) -> String {
    let mut text = String::from("| setting | takes | default | meaning |\n|---|---|---|---|\n");
    for param in params {
        let default = match param.default {
            Default::Required => "must be given".to_owned(),
            Default::Absent => "-".to_owned(),
            Default::Toml(toml) => format!("`{}`", toml.replace('\'', "\"")),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            param.key,
            cell(&takes(&param.kind)),
            cell(&default),
            cell(param.doc)
        );
    }
    text
}

/// What a setting takes; families are linked, as their entries have sections of their own.
fn takes(kind: &Kind) -> String {
    let link = |family: &Family| format!("[{}](#{})", family.name, anchor(family.name));
    match kind {
        Kind::Choice(family) => link(family),
        Kind::Beside(beside) => format!("the name of a {}", link(beside.family)),
        Kind::List(of) => format!("an array, each item: {}", takes(of)),
        Kind::Map(of) => format!("a table, each value: {}", takes(of)),
        Kind::Duration { unit: None } => "a duration".to_owned(),
        Kind::Duration { unit: Some(DurationUnit::Epochs) } => "a number of epochs, or a duration".to_owned(),
        Kind::Share(interval) => format!("{}, or a share (`\"25%\"`)", expected(&Kind::Float(*interval))),
        Kind::Time => "a span of time".to_owned(),
        Kind::Ramp(interval) => format!("{}, or a curve", expected(&Kind::Float(*interval))),
        Kind::Table(_) => "a table, see below".to_owned(),
        Kind::Tables(_) => "tables, see below".to_owned(),
        other => expected(other),
    }
}

/// As a web page of the text names the heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
