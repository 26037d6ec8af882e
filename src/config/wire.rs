//! The experiment as written: an untyped tree in which every value knows where it comes from.

use super::diagnostics::Diagnostic;
use super::source::Origin;
use super::syntax;
use crate::registry::{self, Choice};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Wire,
    pub origin: Origin,
}

impl Node {
    /// The table that it is, if it is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Wire::Table(table) => Some(table),
            _ => None,
        }
    }
}

/// What TOML can write.
#[derive(Clone, Debug, PartialEq)]
pub enum Wire {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A date or a time: no setting takes one.
    Datetime,
    Array(Vec<Node>),
    Table(Table),
    /// What has been reported already, and is passed over by later checks.
    Invalid,
}

impl Wire {
    /// Its type in words: "a string".
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "a string",
            Self::Datetime => "a date or time",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Invalid => "not a value",
        }
    }
}

impl Wire {
    /// Whether both mean the same, however they are written: `0.9` and `0.90`, `1` and `1.0`.
    pub fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Int(whole), Self::Float(x)) | (Self::Float(x), Self::Int(whole)) => *whole as f64 == *x,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.value.means(&b.value))
            }
            (Self::Table(a), Self::Table(b)) => {
                let is_in_other =
                    |field: &Field| b.get(&field.key).is_some_and(|b| field.node.value.means(&b.node.value));
                a.fields.len() == b.fields.len() && a.fields.iter().all(is_in_other)
            }
            _ => false,
        }
    }
}

/// Keys and values in the order written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub fields: Vec<Field>,
}

/// `key = value`
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub key: String,
    pub key_origin: Origin,
    pub node: Node,
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// The text at `key`, if that is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.node.value {
            Wire::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a field out.
    pub fn take(&mut self, key: &str) -> Option<Field> {
        let at = self.fields.iter().position(|field| field.key == key)?;
        Some(self.fields.remove(at))
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.key == key)
    }

    /// A table of one field, all of it from `origin`.
    pub fn single(key: &str, node: Node, origin: Origin) -> Self {
        Self { fields: vec![Field { key: key.to_owned(), key_origin: origin, node }] }
    }
}

/// Reads a file's text, which is number `text` of the source.
///
/// All syntax errors are reported together. Where they leave the shape of the file in doubt there is no table; keys given
/// twice do not, and the first stands. What lies too deep is an error, and is not followed.
pub fn parse(content: &str, text: usize, errors: &mut Vec<Diagnostic>) -> Option<Table> {
    let (table, syntax) = DeTable::parse_recoverable(content);
    let (found, whole) = syntax::errors(content, text, &syntax);
    errors.extend(found);
    whole.then(|| Converter { text, offset: 0, too_deep: None, errors }.whole(table.get_ref()))
}

/// Reads one TOML value out of text number `text`, where it starts at byte `offset`.
///
/// # Errors
/// The first syntax error.
pub fn parse_value(
    content: &str,
    text: usize,
    offset: usize,
    errors: &mut Vec<Diagnostic>,
) -> Result<Node, toml::de::Error> {
    let value = DeValue::parse(content)?;
    Ok(Converter { text, offset, too_deep: None, errors }.whole_value(&value))
}

/// A default as declared: TOML that was written nowhere.
///
/// # Panics
/// When the declaration is not TOML: a mistake in the program, which the test over all declarations finds.
pub fn parse_default(toml: &str) -> Node {
    let mut errors = Vec::new();
    let mut node = parse_value(toml, 0, 0, &mut errors)
        .unwrap_or_else(|error| panic!("the default `{toml}` is declared: {error}"));
    each_place(&mut node, &|place: &mut Origin| *place = Origin::Default);
    node
}

/// A choice as if it had been written, but nowhere: what a backbone names as its own stem and head.
pub fn from_choice(choice: &Choice) -> Node {
    let mut table = Table::single("kind", unwritten(Wire::Text(choice.kind.clone())), Origin::Default);
    table.fields.extend(fields(&choice.settings));
    unwritten(Wire::Table(table))
}

fn fields(settings: &registry::Settings) -> impl Iterator<Item = Field> {
    settings.0.iter().map(|(key, value)| Field {
        key: key.clone(),
        key_origin: Origin::Default,
        node: from_value(value),
    })
}

fn from_value(value: &registry::Value) -> Node {
    use registry::Value;
    unwritten(match value {
        Value::Bool(b) => Wire::Bool(*b),
        Value::Int(i) => Wire::Int(*i),
        Value::Float(x) => Wire::Float(*x),
        Value::Text(s) => Wire::Text(s.clone()),
        Value::Duration(d) => Wire::Text(d.to_string()),
        Value::Choice(choice) => return from_choice(choice),
        Value::List(list) => Wire::Array(list.iter().map(from_value).collect()),
        Value::Table(settings) => Wire::Table(Table { fields: fields(settings).collect() }),
        Value::Ramp(ramp) => {
            let mut table = Table::single("from", unwritten(Wire::Float(ramp.from)), Origin::Default);
            let mut push = |key: &str, node| {
                table.fields.push(Field { key: key.to_owned(), key_origin: Origin::Default, node });
            };
            if let Some(to) = ramp.to {
                push("to", unwritten(Wire::Float(to)));
            }
            push("curve", from_choice(&ramp.curve));
            Wire::Table(table)
        }
    })
}

fn unwritten(value: Wire) -> Node {
    Node { value, origin: Origin::Default }
}

/// Changes where a value comes from, and all that is in it.
fn each_place(node: &mut Node, change: &dyn Fn(&mut Origin)) {
    change(&mut node.origin);
    match &mut node.value {
        Wire::Array(items) => items.iter_mut().for_each(|item| each_place(item, change)),
        Wire::Table(table) => each_place_in(table, change),
        _ => {}
    }
}

/// The same of all that is in a table.
pub fn each_place_in(table: &mut Table, change: &dyn Fn(&mut Origin)) {
    for field in &mut table.fields {
        change(&mut field.key_origin);
        each_place(&mut field.node, change);
    }
}

/// Values within values that a file may have: no setting lies half as deep, and what walks the tree calls itself.
const DEEPEST: usize = 32;

/// From what the parser gives to the tree.
struct Converter<'a> {
    text: usize,
    /// The byte at which the parsed part of the text begins.
    offset: usize,
    /// The first place beyond [`DEEPEST`].
    too_deep: Option<Origin>,
    errors: &'a mut Vec<Diagnostic>,
}

impl Converter<'_> {
    fn whole(mut self, table: &DeTable<'_>) -> Table {
        let table = self.table(table, 0);
        self.finish();
        table
    }

    fn whole_value(mut self, value: &toml::Spanned<DeValue<'_>>) -> Node {
        let node = self.node(value, 0);
        self.finish();
        node
    }

    /// However often it is so, it is one error.
    fn finish(self) {
        if let Some(origin) = self.too_deep {
            let message = format!("more than {DEEPEST} tables and arrays within each other");
            self.errors.push(Diagnostic::new(origin, message));
        }
    }

    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Table {
        let mut fields = Vec::with_capacity(table.len());
        for (key, value) in table {
            let key_origin = self.place(key.span());
            fields.push(Field { key: key.get_ref().to_string(), key_origin, node: self.node(value, depth) });
        }
        Table { fields }
    }

    fn node(&mut self, value: &toml::Spanned<DeValue<'_>>, depth: usize) -> Node {
        let origin = self.place(value.span());
        if depth > DEEPEST {
            self.too_deep.get_or_insert_with(|| origin.clone());
            return Node { value: Wire::Invalid, origin };
        }
        let value = match value.get_ref() {
            DeValue::Boolean(b) => Wire::Bool(*b),
            DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
                Ok(int) => Wire::Int(int),
                Err(_) => {
                    let message = format!("the integer {int} is too large");
                    self.errors.push(Diagnostic::new(origin.clone(), message).expected("at most 9223372036854775807"));
                    Wire::Invalid
                }
            },
            // What overflows becomes infinite, which no setting accepts.
            DeValue::Float(float) => Wire::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::String(s) => Wire::Text(s.to_string()),
            DeValue::Datetime(_) => Wire::Datetime,
            DeValue::Array(items) => Wire::Array(items.iter().map(|item| self.node(item, depth + 1)).collect()),
            DeValue::Table(table) => Wire::Table(self.table(table, depth + 1)),
        };
        Node { value, origin }
    }

    fn place(&self, span: Range<usize>) -> Origin {
        Origin::Text { text: self.text, span: span.start + self.offset..span.end + self.offset }
    }
}

/// Keys and values without places: enough to compare two ways of writing the same.
#[cfg(test)]
pub fn bare(table: &Table) -> String {
    fn value(wire: &Wire) -> String {
        match wire {
            Wire::Table(table) => format!("{{ {}}}", bare(table)),
            Wire::Array(items) => format!("{:?}", items.iter().map(|node| value(&node.value)).collect::<Vec<_>>()),
            plain => format!("{plain:?}"),
        }
    }
    table.fields.iter().map(|field| format!("{} = {}; ", field.key, value(&field.node.value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(content: &str) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        parse(content, 0, &mut errors);
        errors
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "a = 0x10\n[b]\nc = { d = 'x' }\n";
        let table = parse(text, 0, &mut Vec::new()).unwrap();
        let shown = |origin: &Origin| match origin {
            Origin::Text { span, .. } => text[span.clone()].to_owned(),
            Origin::Default => panic!("written"),
        };
        let a = table.get("a").unwrap();
        assert_eq!((shown(&a.key_origin), shown(&a.node.origin)), ("a".into(), "0x10".into()));
        assert_eq!(a.node.value, Wire::Int(16));
        let b = table.get("b").unwrap();
        assert_eq!(shown(&b.node.origin), "[b]");
        let Wire::Table(b) = &b.node.value else { panic!("a table") };
        assert_eq!(shown(&b.get("c").unwrap().node.origin), "{ d = 'x' }");
    }

    #[test]
    fn no_depth_is_followed_to_the_end() {
        let dotted = vec!["a"; 70].join(".");
        let deep = format!(
            "{dotted} = {}1{}\nb = {}1{}",
            format!("{{ {dotted} = ").repeat(60),
            "}".repeat(60),
            "[".repeat(70),
            "]".repeat(70)
        );
        let found = errors(&deep);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message, "more than 32 tables and arrays within each other");
        assert_eq!(errors(&format!("a = {}1{}", "[".repeat(32), "]".repeat(32))), []);
    }

    #[test]
    fn integers_beyond_64_bits_are_errors() {
        let found = errors("a = 99999999999999999999\n");
        assert_eq!(found[0].message, "the integer 99999999999999999999 is too large");
    }
}
