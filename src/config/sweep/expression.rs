//! Arithmetic between the settings of a point: `(phases[0].epochs + phases[1].epochs) * 0.5`.
//!
//! ```text
//! claim   = sum ("<" | "<=" | ">" | ">=" | "==") sum
//! sum     = product (("+" | "-") product)*
//! product = part (("*" | "/") part)*
//! part    = "-" part | "(" sum ")" | number unit? | name
//! unit    = "ep" | "step" | "%" | "s" | "min" | "h"
//! ```
//! A name is an axis or a setting's path. Of names that are known the longest is taken, so one may hold signs, as `peak-lr` or
//! `phases[*].momentum`; what is not known ends where a sign, a space or a bracket does.

use crate::config::suggest::nearest;
use crate::registry::{Duration, DurationUnit};
use crate::units::{read_seconds, rounded};
use std::cmp::Ordering;
use std::ops::Range;

/// Brackets and minus signs that may stand within each other.
const DEEPEST: usize = 32;
/// Signs that a claim may have.
const SIGNS: usize = 256;
/// Sums and products that differ by so much of their largest term are equal: what is left of decimal fractions.
const SLACK: f64 = 1e-12;

const UNITS: [&str; 6] = ["ep", "step", "%", "s", "min", "h"];
/// How constraints are written.
const FORM: &str =
    "`A < B` (or `<=`, `>`, `>=`, `==`), of axes, paths and numbers, with `+`, `-`, `*`, `/` and brackets";
const OPERAND: &str = "an axis, a setting's path, a number or `(`";
const RELATIONS: [(&str, Relation); 5] = [
    // Longer signs first: `<=` begins with `<`.
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("<", Relation::Below),
    (">", Relation::Above),
];

/// What a number counts. A share, `20%`, is a plain number: 0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Plain,
    Epochs,
    Steps,
    Seconds,
}

impl Unit {
    fn in_words(self) -> &'static str {
        match self {
            Self::Plain => "a plain number",
            Self::Epochs => "epochs",
            Self::Steps => "steps",
            Self::Seconds => "a time",
        }
    }
}

/// A number with its unit; times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity {
    pub value: f64,
    pub unit: Unit,
    /// The largest term that it was computed of; 0 where nothing was computed.
    terms: f64,
}

impl Quantity {
    pub fn new(value: f64, unit: Unit) -> Self {
        Self { value, unit, terms: 0.0 }
    }

    pub fn plain(value: f64) -> Self {
        Self::new(value, Unit::Plain)
    }

    /// A number, a duration or a time: `0.5`, `3ep`, `20%`, `10min`.
    pub fn read(text: &str) -> Option<Self> {
        if let Ok(value) = text.parse::<f64>() {
            return value.is_finite().then(|| Self::plain(value));
        }
        if let Some(seconds) = read_seconds(text) {
            return Some(Self::new(seconds, Unit::Seconds));
        }
        let Duration { amount, unit } = text.parse().ok()?;
        Some(match unit {
            DurationUnit::Epochs => Self::new(amount, Unit::Epochs),
            DurationUnit::Steps => Self::new(amount, Unit::Steps),
            DurationUnit::Percent => Self::plain(rounded(amount / 100.0)),
        })
    }

    fn size(&self) -> f64 {
        self.value.abs().max(self.terms)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

impl Relation {
    /// Numbers that were computed are equal where they are so but for rounding; others where they are.
    fn holds(self, a: &Quantity, b: &Quantity) -> bool {
        let slack = if a.terms.max(b.terms) > 0.0 { SLACK * a.size().max(b.size()) } else { 0.0 };
        let order = if (a.value - b.value).abs() <= slack { Ordering::Equal } else { a.value.total_cmp(&b.value) };
        match self {
            Self::Below => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Above => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Equal => order.is_eq(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Sign {
    /// The unit of what it makes; `None` where the two do not go together.
    fn unit(self, a: Unit, b: Unit) -> Option<Unit> {
        match (self, a, b) {
            (Self::Add | Self::Subtract, ..) => (a == b).then_some(a),
            (Self::Multiply, Unit::Plain, other)
            | (Self::Multiply, other, Unit::Plain)
            | (Self::Divide, other, Unit::Plain) => Some(other),
            (Self::Divide, ..) => (a == b).then_some(Unit::Plain),
            (Self::Multiply, ..) => None,
        }
    }

    /// What it makes of the two, at its place.
    fn of(self, a: Quantity, b: Quantity, place: &Range<usize>) -> Result<Quantity, Wrong> {
        let unit = self.unit(a.unit, b.unit).ok_or_else(|| unlike(a.unit, b.unit, place.clone()))?;
        let (value, terms) = match self {
            Self::Add => (a.value + b.value, a.size().max(b.size())),
            Self::Subtract => (a.value - b.value, a.size().max(b.size())),
            Self::Multiply => (a.value * b.value, a.size() * b.size()),
            Self::Divide => (a.value / b.value, a.size() / b.value.abs()),
        };
        match value.is_finite() {
            true => Ok(Quantity { value, unit, terms }),
            false if matches!(self, Self::Divide) && b.value == 0.0 => {
                Err(Wrong::new(place.clone(), "a division by 0"))
            }
            false => Err(Wrong::new(place.clone(), "a number that is too large")),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    Number(Quantity),
    Name(String, Range<usize>),
    Negative(Box<Term>),
    /// With the place of the sign.
    Pair(Box<Term>, Sign, Box<Term>, Range<usize>),
}

impl Term {
    /// Its number, with those of the names; why there is none otherwise.
    fn value(&self, of: &impl Fn(&str) -> Result<Quantity, NoNumber>) -> Result<Quantity, Wrong> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Name(name, place) => of(name).map_err(|NoNumber { message, help }| Wrong {
                place: place.clone(),
                message,
                expected: None,
                help: Some(help),
            }),
            Self::Negative(term) => term.value(of).map(|of| Quantity { value: -of.value, ..of }),
            Self::Pair(a, sign, b, place) => sign.of(a.value(of)?, b.value(of)?, place),
        }
    }

    /// Its unit, with those of the names that are known.
    fn unit(&self, of: &impl Fn(&str) -> Option<Unit>) -> Result<Option<Unit>, Wrong> {
        Ok(match self {
            Self::Number(number) => Some(number.unit),
            Self::Name(name, _) => of(name),
            Self::Negative(term) => term.unit(of)?,
            Self::Pair(a, sign, b, place) => match (a.unit(of)?, b.unit(of)?) {
                (Some(a), Some(b)) => Some(sign.unit(a, b).ok_or_else(|| unlike(a, b, place.clone()))?),
                _ => None,
            },
        })
    }

    fn names<'a>(&'a self, into: &mut Vec<(&'a str, &'a Range<usize>)>) {
        match self {
            Self::Number(_) => {}
            Self::Name(name, place) => into.push((name, place)),
            Self::Negative(term) => term.names(into),
            Self::Pair(a, _, b, _) => {
                a.names(into);
                b.names(into);
            }
        }
    }
}

/// Why a name has no number, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NoNumber {
    pub message: String,
    pub help: String,
}

/// What is wrong with a text, and the bytes of it that are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wrong {
    pub place: Range<usize>,
    pub message: String,
    pub expected: Option<&'static str>,
    pub help: Option<String>,
}

impl Wrong {
    fn new(place: Range<usize>, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), expected: None, help: None }
    }

    fn expected(self, expected: &'static str) -> Self {
        Self { expected: Some(expected), ..self }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

fn unlike(a: Unit, b: Unit, place: Range<usize>) -> Wrong {
    let wrong = Wrong::new(place, format!("{} and {} do not go together", a.in_words(), b.in_words()));
    wrong.help(
        "numbers have units as settings do: `5ep`, `300step`, `20%`, `10min`; `* 1ep` makes epochs of a phase's length",
    )
}

/// Two sums, and how one is to lie to the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    left: Term,
    relation: Relation,
    right: Term,
    /// The place of the relation's sign.
    place: Range<usize>,
}

impl Claim {
    /// Reads a claim in which these names are known.
    pub fn read(text: &str, known: &[&str]) -> Result<Self, Wrong> {
        let mut reader = Reader { text, at: 0, known, depth: 0, signs: 0 };
        let left = reader.sum()?;
        let Some((place, relation)) = reader.relation() else { return Err(reader.no_relation()) };
        let right = reader.sum()?;
        if let Some((place, _)) = reader.relation() {
            return Err(Wrong::new(place, "a second comparison").help("give each a constraint of its own"));
        }
        match reader.rest().is_empty() {
            true => Ok(Self { left, relation, right, place }),
            false => Err(reader.unexpected("one of `+`, `-`, `*`, `/`, or the end")),
        }
    }

    /// Whether it holds, with the numbers of its names.
    ///
    /// # Errors
    /// Why that cannot be told: one of the names has no number, units do not go together, or there is no such number.
    pub fn holds(&self, of: impl Fn(&str) -> Result<Quantity, NoNumber>) -> Result<bool, Wrong> {
        let (a, b) = (self.left.value(&of)?, self.right.value(&of)?);
        match a.unit == b.unit {
            true => Ok(self.relation.holds(&a, &b)),
            false => Err(unlike(a.unit, b.unit, self.place.clone())),
        }
    }

    /// Whether its units go together, as far as those of names are known.
    pub fn units(&self, of: impl Fn(&str) -> Option<Unit>) -> Result<(), Wrong> {
        match (self.left.unit(&of)?, self.right.unit(&of)?) {
            (Some(a), Some(b)) if a != b => Err(unlike(a, b, self.place.clone())),
            _ => Ok(()),
        }
    }

    /// The names in it, with their places.
    pub fn names(&self) -> Vec<(&str, &Range<usize>)> {
        let mut names = Vec::new();
        self.left.names(&mut names);
        self.right.names(&mut names);
        names
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    known: &'a [&'a str],
    depth: usize,
    signs: usize,
}

impl<'a> Reader<'a> {
    /// What is left behind spaces.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn take(&mut self, bytes: usize) -> Range<usize> {
        self.at += bytes;
        self.at - bytes..self.at
    }

    fn relation(&mut self) -> Option<(Range<usize>, Relation)> {
        let rest = self.rest();
        let (sign, relation) = RELATIONS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        Some((self.take(sign.len()), *relation))
    }

    fn no_relation(&mut self) -> Wrong {
        if self.rest().is_empty() {
            return Wrong::new(0..self.text.len(), format!("`{}` is no constraint", self.text)).expected(FORM);
        }
        if self.rest().starts_with('=') {
            return Wrong::new(self.take(1), "`=` is no comparison").help("did you mean `==`?");
        }
        self.unexpected("one of `+`, `-`, `*`, `/`, `<`, `<=`, `>`, `>=`, `==`")
    }

    /// What stands here, where something else should.
    fn unexpected(&mut self, expected: &'static str) -> Wrong {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        let word = if end > 0 { end } else { rest.chars().next().map_or(0, char::len_utf8) };
        let message = match word {
            0 => "something is missing at the end".to_owned(),
            _ => format!("`{}` is not expected here", &rest[..word]),
        };
        Wrong::new(self.at..self.at + word, message).expected(expected)
    }

    /// The sign here, if it is one of these.
    fn sign(&mut self, of: [(char, Sign); 2]) -> Result<Option<(Sign, Range<usize>)>, Wrong> {
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let Some((_, sign)) = of.into_iter().find(|(char, _)| *char == first) else { return Ok(None) };
        let place = self.take(1);
        self.signs += 1;
        if self.signs > SIGNS {
            return Err(Wrong::new(place, format!("a constraint has {SIGNS} signs at most")));
        }
        Ok(Some((sign, place)))
    }

    fn sum(&mut self) -> Result<Term, Wrong> {
        let mut term = self.product()?;
        while let Some((sign, place)) = self.sign([('+', Sign::Add), ('-', Sign::Subtract)])? {
            term = Term::Pair(Box::new(term), sign, Box::new(self.product()?), place);
        }
        Ok(term)
    }

    fn product(&mut self) -> Result<Term, Wrong> {
        let mut term = self.part()?;
        while let Some((sign, place)) = self.sign([('*', Sign::Multiply), ('/', Sign::Divide)])? {
            term = Term::Pair(Box::new(term), sign, Box::new(self.part()?), place);
        }
        Ok(term)
    }

    fn part(&mut self) -> Result<Term, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Wrong::new(self.at..self.at, format!("nested deeper than {DEEPEST} levels")));
        }
        let term = self.whole_part();
        self.depth -= 1;
        term
    }

    fn whole_part(&mut self) -> Result<Term, Wrong> {
        if let Some(length) = self.known_name() {
            return Ok(self.name(length));
        }
        let rest = self.rest();
        match rest.chars().next() {
            Some('-') => {
                self.take(1);
                Ok(Term::Negative(Box::new(self.part()?)))
            }
            Some('(') => {
                let open = self.take(1);
                let term = self.sum()?;
                match self.rest().chars().next() {
                    Some(')') => {
                        self.take(1);
                        Ok(term)
                    }
                    None => Err(Wrong::new(open, "a bracket that is not closed").expected("`)` at the end")),
                    Some(_) => Err(self.unexpected("one of `+`, `-`, `*`, `/`, `)`")),
                }
            }
            Some(first) if first.is_ascii_digit() || first == '.' => self.number(),
            Some(first) if first.is_alphabetic() || first == '_' => {
                let length = length_of_name(rest);
                Ok(self.name(length))
            }
            _ => Err(self.unexpected(OPERAND)),
        }
    }

    fn name(&mut self, length: usize) -> Term {
        let place = self.take(length);
        Term::Name(self.text[place.clone()].to_owned(), place)
    }

    /// The length of the longest known name that stands here as a whole.
    fn known_name(&mut self) -> Option<usize> {
        let known = self.known;
        let rest = self.rest();
        let is_whole = |name: &&&str| {
            let goes_on = |c: char| is_of_name(c) || c == '[';
            !name.is_empty() && rest.strip_prefix(**name).is_some_and(|behind| !behind.starts_with(goes_on))
        };
        known.iter().filter(is_whole).map(|name| name.len()).max()
    }

    fn number(&mut self) -> Result<Term, Wrong> {
        let rest = self.rest();
        let digits = |from: usize| from + rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut end = digits(0);
        if rest[end..].starts_with('.') {
            end = digits(end + 1);
        }
        if rest[end..].starts_with(['e', 'E']) {
            let signed = end + 1 + usize::from(rest[end + 1..].starts_with(['+', '-']));
            // `3ep` has no exponent.
            end = if digits(signed) > signed { digits(signed) } else { end };
        }
        let unit = &rest[end..];
        let unit = match unit.starts_with('%') {
            true => "%",
            false => &unit[..unit.find(|c: char| !is_of_name(c)).unwrap_or(unit.len())],
        };
        let (amount, unit, at) = (rest[..end].to_owned(), unit.to_owned(), self.at);
        let Some(value) = amount.parse::<f64>().ok().filter(|value| value.is_finite()) else {
            return Err(self.unexpected(OPERAND));
        };
        let number = match unit.as_str() {
            "" => Quantity::plain(value),
            "ep" => Quantity::new(value, Unit::Epochs),
            "step" => Quantity::new(value, Unit::Steps),
            "%" => Quantity::plain(rounded(value / 100.0)),
            "s" => Quantity::new(value, Unit::Seconds),
            "min" => Quantity::new(value * 60.0, Unit::Seconds),
            "h" => Quantity::new(value * 3600.0, Unit::Seconds),
            _ => {
                let place = at + end..at + end + unit.len();
                let wrong = Wrong::new(place, format!("unknown unit `{unit}`"));
                let wrong = wrong.expected("one of `ep`, `step`, `%`, `s`, `min`, `h`, or none");
                return Err(match nearest(&unit, UNITS) {
                    Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
                    None => wrong,
                });
            }
        };
        self.take(end + unit.len());
        Ok(Term::Number(number))
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// The length of a path that begins a text: what stands in square brackets belongs to it, whatever it is.
fn length_of_name(text: &str) -> usize {
    let mut end = 0;
    while let Some(next) = text[end..].chars().next() {
        end += match next {
            '[' => match text[end..].find(']') {
                Some(closing) => closing + 1,
                None => break,
            },
            next if is_of_name(next) => next.len_utf8(),
            _ => break,
        };
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str) -> Option<Quantity> {
        match name {
            "a" => Some(Quantity::plain(2.0)),
            "a-b" => Some(Quantity::plain(7.0)),
            "b" => Some(Quantity::plain(0.5)),
            "phases[*].c" => Some(Quantity::plain(3.0)),
            "phases[0].epochs" => Some(Quantity::plain(6.0)),
            "start" => Quantity::read("3ep"),
            "share" => Quantity::read("33.3%"),
            "limit" => Quantity::read("90s"),
            _ => None,
        }
    }

    fn judged(text: &str) -> Result<bool, Wrong> {
        let none = |name: &str| NoNumber { message: format!("no `{name}`"), help: "take another".to_owned() };
        Claim::read(text, &["a", "b", "a-b", "phases[*].c"])
            .unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
            .holds(|name| number(name).ok_or_else(|| none(name)))
    }

    fn holds(text: &str) -> bool {
        judged(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
    }

    #[test]
    fn arithmetic_goes_by_its_usual_rules() {
        for text in [
            "a + 3 * 2 == 8",
            "(a+3)*2==10",
            "10 - 3 - 2 == 5",
            "16 / a / 2 == 4",
            "a - -3 == 5",
            "-a + 3 == 1",
            "-(a + 1) < -2.5",
            "-a * b == -1",
            "a -b == 1.5",
            "a-b == 7",
            "a - b == 1.5",
            "(a)-b == 1.5",
            "phases[*].c*2 == 6",
            "2*phases[*].c == 6",
            "phases[0].epochs / 2 <= 3e0",
            "1e1 >= .5e+1",
            // Of decimal fractions, which have none of these sums to the bit.
            "0.1 + 0.2 == 0.3",
            "0.3 - 0.1 - 0.2 == 0",
            "0.1 + 0.2 <= 0.3",
            "0.1 * 3 >= 0.3",
            "start + 2ep == 5ep",
            "start * 2 > 5.5ep",
            "phases[0].epochs * 1ep >= 2 * start",
            "start / 2ep == 1.5",
            "share == 0.333",
            "share < 50%",
            "10% * phases[0].epochs == 0.6",
            "limit == 1.5min",
            "limit + 30s <= 2min",
            "limit < 1h",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["0.1 + 0.2 > 0.3", "0.1 + 0.2 < 0.3", "a + 1e-9 == 2"] {
            assert!(!holds(text), "{text}");
        }
        // Nothing is computed, so nothing is rounded.
        assert!(!holds("0.30000000000000004 == 0.3") && holds("0.3 < 0.30000000000000004"));
    }

    #[test]
    fn what_cannot_be_judged_is_neither_true_nor_false() {
        for (text, place, words) in [
            ("1 < a / 0", 6..7, "a division by 0"),
            ("a / (b - 0.5) > 1", 2..3, "a division by 0"),
            ("1e300 * 1e300 > a", 6..7, "a number that is too large"),
            ("1 - absent > 0", 4..10, "no `absent`"),
            ("start < 5", 6..7, "epochs and a plain number do not go together"),
            ("start * start > 0ep", 6..7, "epochs and epochs do not go together"),
            ("start + limit > 0ep", 6..7, "epochs and a time do not go together"),
        ] {
            let wrong = judged(text).unwrap_err();
            assert_eq!((wrong.place, wrong.message.as_str()), (place, words), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let of = |text: &str| Claim::read(text, &["a"]).unwrap_err();
        for (text, place, words) in [
            ("", 0..0, "is missing"),
            ("a", 0..1, "`a` is no constraint"),
            ("a = b", 2..3, "`=` is no comparison"),
            ("a < b < c", 6..7, "a second comparison"),
            (" < 2", 1..2, "`<` is not expected here"),
            ("a + < 2", 4..5, "`<` is not expected here"),
            ("a < 2 +", 7..7, "is missing at the end"),
            ("a < 2 b", 6..7, "`b` is not expected here"),
            ("a ! 2", 2..3, "`!` is not expected here"),
            ("a < (2 + 3", 4..5, "a bracket that is not closed"),
            ("(a < 2)", 3..4, "`<` is not expected here"),
            ("a) < 2", 1..2, "`)` is not expected here"),
            ("a < 2epo", 5..8, "unknown unit `epo`"),
            ("a < 2..5", 6..8, "unknown unit `.5`"),
            ("a < .", 4..5, "`.` is not expected here"),
            ("a < 1e999", 4..9, "`1e999` is not expected here"),
            ("ä + # < 2", 5..6, "`#` is not expected here"),
        ] {
            let wrong = of(text);
            assert_eq!(wrong.place, place, "{text}: {wrong:?}");
            assert!(wrong.message.contains(words), "{text}: {wrong:?}");
        }
        assert_eq!(of("a < 2epo").help.as_deref(), Some("did you mean `ep`?"));
        let deep = format!("{}a{} < 1", "(".repeat(100_000), ")".repeat(100_000));
        assert!(of(&deep).message.contains("deeper than 32"));
        assert!(of(&format!("{}a < 1", "-".repeat(100_000))).message.contains("deeper than 32"));
        assert!(of(&format!("a{} < 1", " + a".repeat(100_000))).message.contains("256 signs"));
        assert!(Claim::read(&format!("a{} < 1", " + a".repeat(200)), &["a"]).is_ok());
    }

    #[test]
    fn units_are_checked_where_they_are_known() {
        let units = |text: &str| {
            let of = |name: &str| number(name).map(|number| number.unit);
            Claim::read(text, &[]).unwrap().units(of).map_err(|wrong| (wrong.place, wrong.message))
        };
        let unlike = |place, words: &str| Err((place, format!("{words} do not go together")));
        assert_eq!(units("start < 5"), unlike(6..7, "epochs and a plain number"));
        assert_eq!(units("start * start < 5ep"), unlike(6..7, "epochs and epochs"));
        assert_eq!(units("1 + limit < 5s"), unlike(2..3, "a plain number and a time"));
        assert_eq!(units("2 / start < 5"), unlike(2..3, "a plain number and epochs"));
        assert_eq!(units("limit < 300step"), unlike(6..7, "a time and steps"));
        assert_eq!(units("start + unknown < 5 * unknown"), Ok(()));
    }
}
