//! What can be chosen from a file, and how: settings, their declarations, and the entries that take them.
//!
//! A setting is declared once, as a [`Param`]; an optimizer, curve, stem… is an [`Entry`]: name, summary, source, its
//! params and a function that makes the thing. The checker, `runner list`, the error suggestions and the schema all read
//! these declarations, so nothing is described twice. Adding an entry is one file and one line in its folder's `mod.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a setting may hold.
#[derive(Clone, Copy)]
pub enum Kind {
    Bool,
    /// An integer in `min..=max`.
    Int {
        min: i64,
        max: i64,
    },
    /// A finite number in the interval.
    Float(Interval),
    /// A finite number in the interval, or an array of them.
    Numbers(Interval),
    /// Free text.
    Text,
    /// `[A-Za-z0-9._-]+`.
    Name,
    /// A file or folder, relative to the file that names it.
    Path,
    /// One word of a fixed few.
    Word(&'static [&'static str]),
    /// `"3ep"`, `"500step"`, `"20%"`, or a plain number in `unit` where one is given.
    Duration {
        unit: Option<DurationUnit>,
    },
    /// A number in the interval, or `"25%"` of what another setting gives; checked, a float or a duration.
    Share(Interval),
    /// `"90s"`, `"10min"`, `"1.5h"`; checked, a float of seconds.
    Time,
    /// A number, or `{ from, to, curve }`; the values lie in the interval.
    Ramp(Interval),
    /// An entry of a family: a name, a table with `kind` and its settings, or `{ name = value }` for an entry with a
    /// shorthand.
    Choice(&'static Family),
    /// An array of values of one kind.
    List(&'static Kind),
    /// A table with settings of its own.
    Table(&'static [Param]),
    /// An array of tables.
    Tables(&'static [Param]),
    /// A table of values of one kind, whose keys say what they are of: groups of parameters.
    Map(&'static Kind),
    /// The name of an entry whose settings stand beside it, in the same table.
    Beside(&'static Beside),
}

/// How a table can name an entry of a family and give its settings beside the name.
pub struct Beside {
    pub family: &'static Family,
    /// Settings that a table with such a name takes besides those of the entry and its own.
    pub adds: &'static [Param],
    /// The table's own settings that it then does not take, for the entry speaks of them in its own way.
    pub replaces: &'static [&'static str],
}

/// The unit of a plain number where a duration is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurationUnit {
    Epochs,
    Steps,
    Percent,
}

impl DurationUnit {
    /// As durations are written: `ep`, `step`, `%`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Epochs => "ep",
            Self::Steps => "step",
            Self::Percent => "%",
        }
    }
}

/// A range of finite numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub min: f64,
    pub max: f64,
    pub min_open: bool,
    pub max_open: bool,
}

impl Interval {
    /// All finite numbers.
    pub const fn unbounded() -> Self {
        Self { min: f64::NEG_INFINITY, max: f64::INFINITY, min_open: true, max_open: true }
    }
    /// `[min, max]`
    pub const fn closed(min: f64, max: f64) -> Self {
        Self { min, max, min_open: false, max_open: false }
    }
    /// `[min, max)`
    pub const fn half_open(min: f64, max: f64) -> Self {
        Self { min, max, min_open: false, max_open: true }
    }
    /// `(min, ∞)`
    pub const fn above(min: f64) -> Self {
        Self { min, max: f64::INFINITY, min_open: true, max_open: true }
    }
    /// `[min, ∞)`
    pub const fn at_least(min: f64) -> Self {
        Self { min, max: f64::INFINITY, min_open: false, max_open: true }
    }
    /// Whether `x` is finite and inside.
    pub fn contains(&self, x: f64) -> bool {
        x.is_finite()
            && (if self.min_open { x > self.min } else { x >= self.min })
            && (if self.max_open { x < self.max } else { x <= self.max })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let above = if self.min_open { "greater than" } else { "at least" };
        let below = if self.max_open { "less than" } else { "at most" };
        match (self.min.is_finite(), self.max.is_finite()) {
            (true, true) => write!(f, "{above} {} and {below} {}", self.min, self.max),
            (true, false) => write!(f, "{above} {}", self.min),
            (false, true) => write!(f, "{below} {}", self.max),
            (false, false) => write!(f, "a finite number"),
        }
    }
}

/// What holds when a setting is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// It must be given.
    Required,
    /// Nothing: the setting stays absent, and `doc` says what follows.
    Absent,
    /// This TOML value, checked as if it had been written.
    Toml(&'static str),
}

/// The declaration of one setting: its place for type, default, range and doc.
#[derive(Clone, Copy)]
pub struct Param {
    pub key: &'static str,
    pub kind: Kind,
    pub default: Default,
    pub doc: &'static str,
}

/// One choice of a family.
pub struct Entry<M: 'static> {
    pub name: &'static str,
    /// One line: what it is.
    pub summary: &'static str,
    /// Where it comes from: paper, program.
    pub cite: &'static str,
    pub params: &'static [Param],
    /// The key that `{ name = value }` sets, for entries with one setting that matters.
    pub shorthand: Option<&'static str>,
    pub make: M,
}

/// An entry without its `make`: what checking, listing and suggesting need.
pub trait Describe: Sync {
    fn name(&self) -> &'static str;
    fn summary(&self) -> &'static str;
    fn cite(&self) -> &'static str;
    fn params(&self) -> &'static [Param];
    fn shorthand(&self) -> Option<&'static str>;
}

impl<M: Sync> Describe for Entry<M> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn cite(&self) -> &'static str {
        self.cite
    }
    fn params(&self) -> &'static [Param] {
        self.params
    }
    fn shorthand(&self) -> Option<&'static str> {
        self.shorthand
    }
}

/// A set of entries of one sort: curves, optimizers, stems…
pub struct Family {
    /// As `runner list NAME` takes it: `"optimizer"`.
    pub name: &'static str,
    pub doc: &'static str,
    pub entries: fn() -> Vec<&'static dyn Describe>,
}

impl Family {
    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&'static dyn Describe> {
        (self.entries)().into_iter().find(|e| e.name() == name)
    }
}

/// The entry of that name in a folder's table. Callers hold a checked [`Choice`], so the name is known.
pub fn find<M>(entries: &[&'static Entry<M>], name: &str) -> Option<&'static Entry<M>> {
    entries.iter().copied().find(|e| e.name == name)
}

/// A checked value, defaults filled in.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Duration(Duration),
    Ramp(RampValue),
    Choice(Choice),
    List(Vec<Value>),
    Table(Settings),
}

/// `"3ep"`, `"500step"`, `"20%"` (of the phase or, outside phases, of training).
///
/// The amount is written in plain digits, with a point for epochs and shares: `0.5ep`; no sign, no exponent, no leading
/// zeros, at most 15 digits before the point.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Duration {
    pub amount: f64,
    pub unit: DurationUnit,
}

impl Duration {
    /// Whether the amount is one: finite, not negative, whole for steps, at most 100 for a percentage.
    pub fn is_sound(&self) -> bool {
        self.amount.is_finite()
            && self.amount >= 0.0
            && match self.unit {
                DurationUnit::Epochs => true,
                DurationUnit::Steps => self.amount.fract() == 0.0,
                DurationUnit::Percent => self.amount <= 100.0,
            }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.unit.suffix())
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let units = [DurationUnit::Epochs, DurationUnit::Steps, DurationUnit::Percent];
        let read = |unit: DurationUnit| {
            let written = text.strip_suffix(unit.suffix())?;
            let (whole, fraction) = written.split_once('.').unwrap_or((written, "0"));
            let fits = match unit {
                DurationUnit::Epochs => true,
                DurationUnit::Steps => !written.contains('.'),
                // What is beyond 100 by less than an `f64` can tell is beyond it all the same.
                DurationUnit::Percent => whole != "100" || fraction.bytes().all(|digit| digit == b'0'),
            };
            let is_plain = is_whole(whole) && is_digits(fraction);
            let amount = written.parse().ok().filter(|_| fits && is_plain)?;
            Some(Self { amount, unit }).filter(Self::is_sound)
        };
        units.into_iter().find_map(read).ok_or(DurationError)
    }
}

/// A whole number without leading zeros, of no more digits than an `f64` holds.
fn is_whole(text: &str) -> bool {
    is_digits(text) && text.len() <= 15 && (text == "0" || !text.starts_with('0'))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("not a duration: expected \"3ep\", \"500step\" or \"20%\"")]
pub struct DurationError;

/// A hyper-parameter over a phase as the file gives it. `to` is `None` where the file leaves it out (see `schedule`).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RampValue {
    pub from: f64,
    pub to: Option<f64>,
    /// An entry of the family `curve`; `constant` for a plain number.
    pub curve: Choice,
    #[serde(default, skip_serializing_if = "Across::is_no")]
    pub across: Across,
}

/// Whether a curve runs on beyond its phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Across {
    /// It is over where its phase is.
    #[default]
    No,
    /// It begins here and runs over the phases that follow as well, up to one that gives its own.
    Begins,
    /// It began in a phase before.
    Continues,
}

impl Across {
    pub fn is_no(&self) -> bool {
        *self == Self::No
    }
}

impl RampValue {
    /// The curve that stays where it is: alone of all it has no `to`.
    pub const CONSTANT: &'static str = "constant";

    /// One value throughout.
    pub fn constant(value: f64) -> Self {
        Self::new(value, None, Choice::plain(Self::CONSTANT))
    }

    /// One of a phase alone.
    pub fn new(from: f64, to: Option<f64>, curve: Choice) -> Self {
        Self { from, to, curve, across: Across::No }
    }

    /// What it is in the next phase, where that gives none of its own: what it has come to, or where it runs on, itself.
    pub fn in_next(&self) -> Self {
        match self.across {
            Across::No => Self::constant(self.to.unwrap_or(self.from)),
            Across::Begins | Across::Continues => Self { across: Across::Continues, ..self.clone() },
        }
    }

    /// Itself in the next phase, where it runs on.
    pub fn running_on(&self) -> Option<Self> {
        (!self.across.is_no()).then(|| self.in_next())
    }
}

/// An entry of a family with its settings.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    pub kind: String,
    pub settings: Settings,
}

impl Choice {
    /// An entry that needs no settings.
    pub fn plain(kind: &str) -> Self {
        Self { kind: kind.to_owned(), settings: Settings::default() }
    }

    /// An entry with some of its settings.
    pub fn with<const N: usize>(kind: &str, settings: [(&str, Value); N]) -> Self {
        let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { kind: kind.to_owned(), settings: Settings(settings) }
    }
}

/// Gives an enum the words that files name its variants by.
#[macro_export]
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// As files write it, in the order declared.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word of this one.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The one that `word` names.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

/// Checked settings by key.
///
/// The getters panic on a key that was not declared or is of another kind: that is a mistake in the declaration beside
/// the call, not in a user's file, and the contract test that makes every entry with its defaults finds it.
#[derive(Clone, Debug, std::default::Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, Value>);

macro_rules! getter {
    ($name:ident, $opt:ident, $variant:ident, $ty:ty, $conv:expr) => {
        pub fn $name(&self, key: &str) -> $ty {
            self.$opt(key).unwrap_or_else(|| panic!("setting `{key}` is not declared or has no default"))
        }
        pub fn $opt(&self, key: &str) -> Option<$ty> {
            match self.0.get(key) {
                None => None,
                Some(Value::$variant(v)) => Some($conv(v)),
                Some(other) => panic!("setting `{key}` holds {other:?}"),
            }
        }
    };
}

impl Settings {
    getter!(bool, opt_bool, Bool, bool, |v: &bool| *v);
    getter!(int, opt_int, Int, i64, |v: &i64| *v);
    getter!(text, opt_text, Text, String, |v: &String| v.clone());
    getter!(float, opt_float, Float, f64, |v: &f64| *v);
    getter!(duration, opt_duration, Duration, Duration, |v: &Duration| *v);
    getter!(choice, opt_choice, Choice, Choice, |v: &Choice| v.clone());
    getter!(list, opt_list, List, Vec<Value>, |v: &Vec<Value>| v.clone());
    getter!(table, opt_table, Table, Settings, |v: &Settings| v.clone());

    /// A curve; a number is one that stays where it is.
    pub fn ramp(&self, key: &str) -> RampValue {
        self.opt_ramp(key).unwrap_or_else(|| panic!("setting `{key}` is not declared or has no default"))
    }
    pub fn opt_ramp(&self, key: &str) -> Option<RampValue> {
        match self.0.get(key) {
            None => None,
            Some(Value::Ramp(ramp)) => Some(ramp.clone()),
            Some(Value::Float(number)) => Some(RampValue::constant(*number)),
            Some(other) => panic!("setting `{key}` holds {other:?}"),
        }
    }

    /// A non-negative integer setting.
    pub fn usize(&self, key: &str) -> usize {
        usize::try_from(self.int(key)).unwrap_or_else(|_| panic!("setting `{key}` is negative"))
    }
    pub fn opt_usize(&self, key: &str) -> Option<usize> {
        self.opt_int(key).map(|v| usize::try_from(v).unwrap_or_else(|_| panic!("setting `{key}` is negative")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back() {
        for text in ["3ep", "0.5ep", "500step", "20%"] {
            assert_eq!(text.parse::<Duration>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        let of_other_units = ["", "3", "ep", "3 ep", "3epochs", "nanep", "infep"];
        let of_other_amounts =
            ["-1ep", "0.5step", "120%", "1e1%", "1.5e1step", ".0step", ".5ep", "3.ep", "+3ep", "07ep"];
        for text in of_other_units.into_iter().chain(of_other_amounts) {
            assert_eq!(text.parse::<Duration>(), Err(DurationError), "{text}");
        }
    }
}
