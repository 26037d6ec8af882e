//! `--set PATH=VALUE`: edits the tree before it is checked, so that an override passes the same gate as the file.

use super::diagnostics::Diagnostic;
use super::extends;
use super::forms::{field_kind, in_the_place_of, indices, item_kind, keys, long_form, naming_key};
use super::schema::EXPERIMENT;
use super::source::{Origin, Text};
use super::suggest::nearest;
use super::syntax;
use super::wire::{self, Field, Node, Table, Wire};
use crate::registry::Kind;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What diagnostics call the argument of an override by path.
pub const SET: &str = "--set";

/// What is said where a phase is asked for that the plan may have and the file has not.
const COUNTED: &str = "phases are counted as they stand in the file, where a recipe is one: `source` in the table of `runner plan`; \
                       `runner plan --expand` writes all of them out";

/// The most parts of a path: no setting lies half as deep.
const LONGEST: usize = 16;

/// A replacement of one setting by the command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Override {
    /// The argument of one `--set`.
    Set(String),
    /// A value of a sweep's axis, set at a path as by a `--set`.
    Axis { path: String, value: String, place: Place },
    /// A setting at the top of the file that has a flag of its own: `--seed 2`.
    Flag { flag: &'static str, key: &'static str, value: String },
}

/// Where the file of a sweep has a value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The file, without its folder: paths do not start from there, but as in every override from the current one.
    pub file: Arc<Text>,
    /// The setting that takes the value.
    pub path: Range<usize>,
    /// The value, or what it is drawn from.
    pub value: Range<usize>,
    /// Whether the value stands there as it is, to the byte.
    pub is_exact: bool,
}

impl Place {
    /// Gives what comes from the argument, which is text number `text` and whose value begins at byte `start`, its place in the file.
    fn put(&self, origin: &mut Origin, text: usize, start: usize) {
        let Origin::Text { text: own, span } = origin else { return };
        if *own != text {
            return;
        }
        let in_value = |at: usize| self.value.start + (at - start);
        *span = match () {
            () if span.start < start => self.path.clone(),
            () if self.is_exact => in_value(span.start)..in_value(span.end),
            () => self.value.clone(),
        };
    }
}

impl Override {
    /// What diagnostics show of it.
    pub fn text(&self) -> Text {
        let (name, content) = match self {
            Self::Set(argument) => (SET, argument),
            Self::Axis { place, .. } => return Text::clone(&place.file),
            Self::Flag { flag, value, .. } => (*flag, value),
        };
        Text { name: name.to_owned(), content: content.clone(), folder: PathBuf::new() }
    }

    /// Edits the tree; the override is text number `text` of the source.
    ///
    /// # Errors
    /// When it cannot be read, or its path leads nowhere. The tree is then as before.
    pub fn apply(&self, tree: &mut Table, text: usize) -> Result<(), Vec<Diagnostic>> {
        match self {
            Self::Set(argument) => apply(tree, argument, text),
            Self::Axis { path, value, place } => {
                let put = |origin: &mut Origin| place.put(origin, text, path.len() + 1);
                let mut done = apply(tree, &argument(path, value), text);
                wire::each_place_in(tree, &put);
                if let Err(problems) = &mut done {
                    problems.iter_mut().for_each(|problem| put(&mut problem.origin));
                }
                done
            }
            Self::Flag { key, value, .. } => {
                let key = Step { part: Part::Key((*key).to_owned()), span: 0..0 };
                edit(tree, Edit { argument: value, text, value: 0..value.len(), problems: Vec::new() }, &[key])
            }
        }
    }
}

/// The argument of a `--set`.
fn argument(path: &str, value: &str) -> String {
    format!("{path}={value}")
}

/// Whether what is set at the path `later` takes the place of all that was set at the path `earlier`: both are the same setting, or it
/// is one above, or the kind of what the earlier one is a setting of. Behind `[*]`, `[1]` leaves the other items.
pub fn undoes(later: &str, earlier: &str) -> bool {
    let (Some(later), Some(earlier)) = (parts(later), parts(earlier)) else { return false };
    let (later, earlier) = (in_one_unit(later), in_one_unit(earlier));
    let dropped = match later.split_last() {
        Some((Part::Key(key), above)) if key == "kind" => above,
        _ => &later[..],
    };
    later.len() <= earlier.len() && cover(dropped, &earlier)
}

/// The key that the short form of the setting at `earlier` gives, where `later` is the path of that: `from` of a curve, `kind` of an
/// entry.
pub fn short_form(later: &str, earlier: &str) -> Option<&'static str> {
    let (later, earlier) = (parts(later)?, parts(earlier)?);
    let (Part::Key(last), above) = later.split_last()? else { return None };
    let key = ["from", "kind"].into_iter().find(|key| key == last)?;
    (above.len() == earlier.len() && cover(above, &earlier)).then_some(key)
}

/// Whether each part is the same as, or all of, the other's, as far as both go.
fn cover(later: &[Part], earlier: &[Part]) -> bool {
    later.iter().zip(earlier).all(|(later, earlier)| later.covers(earlier))
}

/// Whether a path is that of this setting at the top of the file.
pub fn is_top(path: &str, key: &str) -> bool {
    parts(path).is_some_and(|parts| parts == [Part::Key(key.to_owned())])
}

/// What a path is made of; `None` where it is none.
fn parts(path: &str) -> Option<Vec<Part>> {
    let (steps, _) = split(&argument(path, "0"), 0).ok()?;
    Some(steps.into_iter().map(|step| step.part).collect())
}

/// One length of a phase takes the place of the other: both are one setting.
fn in_one_unit(mut parts: Vec<Part>) -> Vec<Part> {
    if let Some(Part::Key(last)) = parts.last_mut()
        && last.as_str() == "steps"
    {
        *last = "epochs".to_owned();
    }
    parts
}

/// Applies one `--set`, whose argument is text number `text` of the source.
///
/// The path is keys, plain or quoted, and indices: `phases[1].lr.to`; `phases[*].momentum` is that of all. The value is TOML, or a string without quotes when
/// it is not. Where a setting is written short, a path below it spells it out first: a number becomes `{ from = … }`, an
/// entry's name `{ kind = … }`. Another `kind` drops the settings of the one before.
///
/// # Errors
/// When the argument cannot be read, or its path leads nowhere: an index beyond the end, a key of a number. The tree is
/// then as before.
fn apply(tree: &mut Table, argument: &str, text: usize) -> Result<(), Vec<Diagnostic>> {
    let (steps, value) = split(argument, text).map_err(|error| vec![error])?;
    if let [Step { part: Part::Key(key), span }, ..] = &steps[..]
        && key == extends::KEY
    {
        let message = format!("`{key}` cannot be overridden");
        let error = Diagnostic::new(Origin::Text { text, span: span.clone() }, message);
        return Err(vec![error.help("files are put together before overrides are applied: change the file")]);
    }
    edit(tree, Edit { argument, text, value, problems: Vec::new() }, &steps)
}

fn edit(tree: &mut Table, mut edit: Edit<'_>, steps: &[Step]) -> Result<(), Vec<Diagnostic>> {
    let mut root = Node { value: Wire::Table(tree.clone()), origin: edit.origin(0..0) };
    let done = edit.set(&mut root, Some(Kind::Table(EXPERIMENT)), steps);
    edit.problems.extend(done.err());
    match root.value {
        Wire::Table(edited) if edit.problems.is_empty() => *tree = edited,
        _ => return Err(edit.problems),
    }
    Ok(())
}

/// One part of a path, and where in the argument it stands.
struct Step {
    part: Part,
    span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Key(String),
    Index(usize),
    /// `[*]`: every item.
    All,
}

impl Part {
    /// Whether it is the same item or key, or all items.
    fn covers(&self, other: &Self) -> bool {
        matches!((self, other), (Self::All, Self::Index(_))) || self == other
    }
}

/// The path and the bytes of the value.
fn split(argument: &str, text: usize) -> Result<(Vec<Step>, Range<usize>), Diagnostic> {
    let error = |span, message: &str| {
        Diagnostic::new(Origin::Text { text, span }, message)
            .expected("`PATH=VALUE`, such as `train.label_smoothing=0.1` or `phases[0].lr.to=0.4`")
    };
    let mut steps = Vec::new();
    let mut at = 0;
    loop {
        if steps.len() == LONGEST {
            return Err(error(at..argument.len(), "the path is longer than that of any setting"));
        }
        let rest = &argument[at..];
        let end = match rest.chars().next() {
            Some('[') if !steps.is_empty() => {
                let close = rest.find(']').ok_or_else(|| error(at..argument.len(), "`[` without `]`"))?;
                let part = match &rest[1..close] {
                    "*" => Part::All,
                    index => Part::Index(index.parse().map_err(|_| {
                        error(
                            at..at + close + 1,
                            "the index is neither a whole number from 0 nor `*`, which is all items",
                        )
                    })?),
                };
                steps.push(Step { part, span: at..at + close + 1 });
                at + close + 1
            }
            Some(quote @ ('"' | '\'')) => {
                let close =
                    rest[1..].find(quote).ok_or_else(|| error(at..argument.len(), "the quote is not closed"))?;
                let key = rest[1..=close].to_owned();
                steps.push(Step { part: Part::Key(key), span: at..at + close + 2 });
                at + close + 2
            }
            _ => {
                let length = rest.find(['.', '[', '=']).unwrap_or(rest.len());
                let key = rest[..length].trim();
                if key.is_empty() {
                    return Err(error(at..at + length, "a key is missing in the path"));
                }
                steps.push(Step { part: Part::Key(key.to_owned()), span: at..at + length });
                at + length
            }
        };
        match argument[end..].trim_start().chars().next() {
            Some('.') => at = end + argument[end..].find('.').map_or(0, |dot| dot + 1),
            Some('[') => at = end + argument[end..].find('[').unwrap_or(0),
            Some('=') => {
                let start = end + argument[end..].find('=').map_or(0, |equals| equals + 1);
                let value = argument[start..].trim();
                if value.is_empty() {
                    return Err(error(start..argument.len(), "there is no value after `=`"));
                }
                let start = start + argument[start..].find(value).unwrap_or(0);
                return Ok((steps, start..start + value.len()));
            }
            Some(_) => return Err(error(end..argument.len(), "the path goes on without `.`, `[` or `=`")),
            None => return Err(error(end..end, "there is no `=`")),
        }
    }
}

struct Edit<'a> {
    argument: &'a str,
    text: usize,
    value: Range<usize>,
    /// What is wrong with the value.
    problems: Vec<Diagnostic>,
}

impl Edit<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        Origin::Text { text: self.text, span }
    }

    /// Sets what `steps` lead to from `node`; `kind` is what is declared there, if anything is.
    fn set(&mut self, node: &mut Node, kind: Option<Kind>, steps: &[Step]) -> Result<(), Diagnostic> {
        let Some((step, further)) = steps.split_first() else {
            *node = self.read_value(kind)?;
            return Ok(());
        };
        let so_far = self.argument[..step.span.start].trim_end_matches(['.', ' ']);
        match &step.part {
            Part::Index(index) => match &mut node.value {
                Wire::Array(items) => {
                    let count = items.len();
                    let has_recipes = items.iter().any(names_recipe);
                    let Some(item) = items.get_mut(*index) else {
                        let message = format!("there is no `{so_far}[{index}]`");
                        let error = Diagnostic::new(self.origin(step.span.clone()), message).expected(indices(count));
                        return Err(if has_recipes { error.help(COUNTED) } else { error });
                    };
                    self.set(item, kind.and_then(item_kind), further)
                }
                other => {
                    let message = format!("`{so_far}` is {}, it has no items", other.type_name());
                    Err(Diagnostic::new(self.origin(step.span.clone()), message))
                }
            },
            Part::All => match &mut node.value {
                Wire::Array(items) if !items.is_empty() => {
                    items.iter_mut().try_for_each(|item| self.set(item, kind.and_then(item_kind), further))
                }
                _ => {
                    let message = format!("`{so_far}` has no items");
                    Err(Diagnostic::new(self.origin(step.span.clone()), message))
                }
            },
            Part::Key(key) => {
                spell_out(node, kind, key);
                match &mut node.value {
                    Wire::Table(table) => self.set_field(table, kind, key, step, further),
                    Wire::Array(items) => {
                        let message = format!("`{so_far}` is an array: say which item");
                        let example = format!("`{so_far}[0].{}`", &self.argument[step.span.clone()]);
                        Err(Diagnostic::new(self.origin(step.span.clone()), message)
                            .expected(format!("{}, as in {example}", indices(items.len()))))
                    }
                    other => {
                        let message = format!("`{so_far}` is {}, it has no `{key}`", other.type_name());
                        Err(Diagnostic::new(self.origin(step.span.clone()), message))
                    }
                }
            }
        }
    }

    fn set_field(
        &mut self,
        table: &mut Table,
        kind: Option<Kind>,
        key: &str,
        step: &Step,
        further: &[Step],
    ) -> Result<(), Diagnostic> {
        let inner = kind.and_then(|kind| field_kind(kind, table.text(naming_key(kind)), key));
        if table.get(key).is_none() {
            if let Some(Step { part: Part::Index(_) | Part::All, span }) = further.first() {
                let message = format!("there is no `{}`, so it has no items", &self.argument[..step.span.end]);
                let error = Diagnostic::new(self.origin(span.clone()), message);
                return Err(match inner {
                    Some(_) => error,
                    None => error.did_you_mean(nearest(key, kind.into_iter().flat_map(keys))),
                });
            }
            let origin = self.origin(step.span.clone());
            let node = Node { value: Wire::Table(Table::default()), origin: origin.clone() };
            table.fields.push(Field { key: key.to_owned(), key_origin: origin, node });
        }
        // A kind where there was none leaves what is set so far: it may belong to it.
        let before = table.text("kind").map(str::to_owned);
        let Some(field) = table.get_mut(key) else { return Ok(()) };
        self.set(&mut field.node, inner, further)?;
        // A phase is so long or so long: what is set takes the place of what the file says in other words.
        if let (Some(other), Some(kind)) = (in_the_place_of(key).filter(|_| further.is_empty()), kind) {
            let named = table.text(naming_key(kind));
            if [key, other].iter().all(|name| field_kind(kind, named, name).is_some()) {
                table.fields.retain(|field| field.key != other);
            }
        }
        let other_kind = before.is_some() && table.text("kind") != before.as_deref();
        if other_kind && matches!(kind, Some(Kind::Choice(_))) {
            table.fields.retain(|field| field.key == "kind");
        }
        Ok(())
    }

    /// The value as TOML, or as a bare string.
    fn read_value(&mut self, kind: Option<Kind>) -> Result<Node, Diagnostic> {
        let value = &self.argument[self.value.clone()];
        let bare = Node { value: Wire::Text(value.to_owned()), origin: self.origin(self.value.clone()) };
        let quoted = value.starts_with(['"', '\'']);
        // A name or path may look like a number or a date.
        if matches!(kind, Some(Kind::Text | Kind::Name | Kind::Path)) && !quoted {
            return Ok(bare);
        }
        match wire::parse_value(value, self.text, self.value.start, &mut self.problems) {
            Ok(node) => Ok(node),
            Err(error) if quoted || value.starts_with(['[', '{']) => {
                Err(syntax::error(value, self.text, self.value.start, &error))
            }
            Err(_) => Ok(bare),
        }
    }
}

/// Whether it is a phase with a recipe.
fn names_recipe(item: &Node) -> bool {
    item.table().is_some_and(|table| table.get("recipe").is_some())
}

/// Turns a setting's short form into the table that it is short for, unless `key` is in the short form itself.
fn spell_out(node: &mut Node, kind: Option<Kind>, key: &str) {
    if node.table().is_some_and(|table| table.get(key).is_some()) {
        return;
    }
    if let Some(table) = long_form(node, kind) {
        node.value = Wire::Table(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(argument: &str) -> Option<(Vec<Part>, &str)> {
        let (steps, value) = split(argument, 0).ok()?;
        Some((steps.into_iter().map(|step| step.part).collect(), &argument[value]))
    }

    #[test]
    fn arguments_are_split() {
        let key = |key: &str| Part::Key(key.to_owned());
        assert_eq!(
            path("phases[1].lr.to=0.4"),
            Some((vec![key("phases"), Part::Index(1), key("lr"), key("to")], "0.4"))
        );
        assert_eq!(path("a.\"b.c=d\".'e' = x=y "), Some((vec![key("a"), key("b.c=d"), key("e")], "x=y")));
        for bad in ["", "name", "=1", "a.=1", "a..b=1", "a[=1", "a[-1]=1", "a[x]=1", "[0]=1", "a[0]b=1", "a=", "\"a=1"]
        {
            assert_eq!(path(bad), None, "{bad}");
        }
    }

    fn edited(content: &str, argument: &str) -> Result<Table, String> {
        let mut tree = wire::parse(content, 0, &mut Vec::new()).unwrap();
        apply(&mut tree, argument, 1).map_err(|errors| errors[0].message.clone())?;
        Ok(tree)
    }

    fn same(content: &str, argument: &str, expected: &str) {
        let expected = wire::parse(expected, 0, &mut Vec::new()).unwrap();
        assert_eq!(wire::bare(&edited(content, argument).unwrap()), wire::bare(&expected), "{argument}");
    }

    #[test]
    fn short_forms_are_spelt_out_where_a_path_goes_below_them() {
        same("[[phases]]\nlr = 0.1", "phases[0].lr.to=0.4", "[[phases]]\nlr = { from = 0.1, to = 0.4 }");
        same("[[phases]]\nlr = { from = 1.0 }", "phases[0].lr=2", "[[phases]]\nlr = 2");
        same(
            "[[phases]]\noptimizer = 'sgd'",
            "phases[0].optimizer.nesterov=true",
            "[[phases]]\noptimizer = { kind = 'sgd', nesterov = true }",
        );
        same(
            "[[phases]]\nlr = { from = 1, curve = { poly = 2 } }",
            "phases[0].lr.curve.power=3",
            "[[phases]]\nlr = { from = 1, curve = { kind = 'poly', power = 3 } }",
        );
    }

    #[test]
    fn another_kind_drops_the_settings_of_the_one_before() {
        let sgd = "[[phases]]\noptimizer = { kind = 'sgd', nesterov = true }";
        same(sgd, "phases[0].optimizer.kind=rmsprop", "[[phases]]\noptimizer = { kind = 'rmsprop' }");
        same(sgd, "phases[0].optimizer.kind=sgd", sgd);
        // Where no kind was named before, there is no other.
        same(
            "[[phases]]\noptimizer = { nesterov = true }",
            "phases[0].optimizer.kind=sgd",
            "[[phases]]\noptimizer = { nesterov = true, kind = 'sgd' }",
        );
    }

    #[test]
    fn a_length_takes_the_place_of_one_in_another_unit() {
        same("[[phases]]\nsteps = 5\nlr = 1", "phases[0].epochs=2", "[[phases]]\nlr = 1\nepochs = 2");
        same("[[phases]]\nepochs = 5", "phases[*].steps=9", "[[phases]]\nsteps = 9");
        let cycle = "[[phases]]\nrecipe = 'one-cycle'\nlr = 1\n";
        same(&format!("{cycle}epochs = 5"), "phases[0].steps=9", &format!("{cycle}steps = 9"));
        // This recipe has the length of its cycles alone: that is what is said.
        let restarts = "[[phases]]\nrecipe = 'sgdr'\nepochs = 2";
        same(restarts, "phases[0].steps=9", &format!("{restarts}\nsteps = 9"));
        same("epochs = 1", "steps=2", "epochs = 1\nsteps = 2");
    }

    #[test]
    fn values_are_toml_or_bare() {
        same("", "model.backbone=resnet9", "model = { backbone = 'resnet9' }");
        same("", "data.augment=['flip', { translate = 2 }]", "data = { augment = ['flip', { translate = 2 }] }");
        same("", "name=2026-01-01", "name = '2026-01-01'");
        same("", "name=\"quoted\"", "name = 'quoted'");
        same("seed = 1", "seed=2", "seed = 2");
        assert!(edited("", "data.augment=[flip").is_err());
        // Neither a path nor a value is followed to any depth.
        assert!(edited("", &format!("{}=1", vec!["a"; 100_000].join("."))).is_err());
        assert!(edited("", &format!("a={}", "[".repeat(100_000))).is_err());
        assert!(edited("", &format!("a={}1{}", "[".repeat(70), "]".repeat(70))).is_err());
    }

    #[test]
    fn what_is_set_at_one_path_may_undo_what_was_set_at_another() {
        let cases = [
            ("phases[0].lr.to", "phases[0].lr.to", true),
            ("phases[*].momentum", "phases[1].momentum", true),
            ("phases[1].momentum", "phases[*].momentum", false),
            ("phases[*].momentum", "phases[*].momentum", true),
            ("phases[*].lr", "phases[1].lr.to", true),
            ("phases[0].lr", "phases[0].lr.to", true),
            ("phases[0].lr.to", "phases[0].lr", false),
            ("phases[0].lr.from", "phases[0].lr", false),
            ("phases[0].lr.from", "phases[0].lr.to", false),
            ("phases[0].steps", "phases[0].epochs", true),
            ("phases[1].steps", "phases[0].epochs", false),
            ("phases[0].optimizer.kind", "phases[0].optimizer", false),
            ("phases[0].optimizer.kind", "phases[0].optimizer.kind", true),
            ("phases[0].optimizer.kind", "phases[0].optimizer.nesterov", true),
            ("phases[0].optimizer.nesterov", "phases[0].optimizer.kind", false),
            ("phases[0].optimizer.kind", "phases[0].lr.to", false),
            ("train.'tta'", "train.tta", true),
            ("a b", "a[b", false),
        ];
        for (later, earlier, is_undone) in cases {
            assert_eq!(undoes(later, earlier), is_undone, "{later} behind {earlier}");
        }
        assert_eq!(short_form("phases[0].lr.from", "phases[0].lr"), Some("from"));
        assert_eq!(short_form("phases[*].optimizer.kind", "phases[0].optimizer"), Some("kind"));
        for (later, earlier) in
            [("phases[0].lr.from", "phases[*].lr"), ("phases[0].lr.to", "phases[0].lr"), ("a.b.from", "a")]
        {
            assert_eq!(short_form(later, earlier), None, "{later} behind {earlier}");
        }
        assert!(is_top("seed", "seed") && !is_top("seed.x", "seed") && !is_top("a.seed", "seed"));
    }

    #[test]
    fn paths_that_lead_nowhere_are_errors() {
        let two = "seed = 1\n[[phases]]\nlr = 1\n[[phases]]\nlr = 2";
        assert_eq!(edited(two, "phases[2].lr=1").unwrap_err(), "there is no `phases[2]`");
        assert_eq!(edited(two, "phases.lr=1").unwrap_err(), "`phases` is an array: say which item");
        assert_eq!(edited(two, "seed.x=1").unwrap_err(), "`seed` is an integer, it has no `x`");
        assert_eq!(edited(two, "seed[0]=1").unwrap_err(), "`seed` is an integer, it has no items");
        assert_eq!(edited("", "phases[0].lr=1").unwrap_err(), "there is no `phases`, so it has no items");
        assert_eq!(edited("", "phases[*].lr=1").unwrap_err(), "there is no `phases`, so it has no items");
        let help = |content: &str, argument: &str| {
            let mut tree = wire::parse(content, 0, &mut Vec::new()).unwrap();
            apply(&mut tree, argument, 1).unwrap_err()[0].help.join("\n")
        };
        assert_eq!(help(two, "phase[0].lr=1"), "did you mean `phases`?");
        assert_eq!(help(two, "phases[0].augmant[0]=1"), "did you mean `augment`?");
        assert_eq!(help(two, "phases[2].lr=1"), "", "there are as many as in the file");
        let recipe = format!("{two}\n[[phases]]\nrecipe = 'one-cycle'");
        assert!(
            help(&recipe, "phases[3].lr=1").contains("where a recipe is one"),
            "{}",
            help(&recipe, "phases[3].lr=1")
        );
        assert_eq!(edited("seed = 1", "seed[*].x=1").unwrap_err(), "`seed` has no items");
    }

    #[test]
    fn a_star_is_every_item() {
        let two = "[[phases]]\nlr = 1\n[[phases]]\nlr = { from = 2, to = 3 }";
        same(two, "phases[*].lr.to=4", "[[phases]]\nlr = { from = 1, to = 4 }\n[[phases]]\nlr = { from = 2, to = 4 }");
        assert_eq!(edited("", "extends=a.toml").unwrap_err(), "`extends` cannot be overridden");
    }

    #[test]
    fn a_flag_of_its_own_takes_its_value_as_it_is() {
        let mut tree = Table::default();
        for (key, value) in [("seed", "7"), ("name", "2026-01-01")] {
            let flag = Override::Flag { flag: "--x", key, value: value.to_owned() };
            flag.apply(&mut tree, 1).unwrap();
        }
        let expected = wire::parse("seed = 7\nname = '2026-01-01'", 0, &mut Vec::new()).unwrap();
        assert_eq!(wire::bare(&tree), wire::bare(&expected));
    }
}
