//! What a setting takes, in words.

use super::super::suggest::{one_of, quoted, with_article};
use super::super::wire::Wire;
use super::last_key;
use crate::registry::{Default, DurationUnit, Family, Interval, Kind, Param};

/// What is expected: "an integer, at least 1".
pub fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Int { min, max: i64::MAX } => format!("an integer, at least {min}"),
        Kind::Int { min, max } => format!("an integer from {min} to {max}"),
        Kind::Float(interval) => number(interval),
        Kind::Text => "a string".to_owned(),
        Kind::Name => "a name of letters, digits, `.`, `_` and `-`".to_owned(),
        Kind::Path => "the path of a file or folder, as a string".to_owned(),
        Kind::Word(words) => {
            format!("one of {}", words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", "))
        }
        Kind::Duration { unit } => {
            let plain = match unit {
                None => String::new(),
                Some(DurationUnit::Epochs) => ", or a number of epochs".to_owned(),
                Some(DurationUnit::Steps) => ", or a number of steps".to_owned(),
                Some(DurationUnit::Percent) => ", or a percentage as a number".to_owned(),
            };
            format!("a duration: \"3ep\" for epochs, \"500step\" for whole steps, \"20%\" for a share up to 100{plain}")
        }
        Kind::Ramp(interval) => format!("{}, or `{{ from = …, to = …, curve = … }}`", number(interval)),
        Kind::Choice(family) => entries(family),
        Kind::List(of) => format!("an array, of which each item is {}", expected(of)),
        Kind::Table(params) => table(params),
        Kind::Tables(_) => "an array of tables".to_owned(),
    }
}

/// ``an optimizer: one of `sgd`, `rmsprop` ``
pub fn entries(family: &Family) -> String {
    format!("{}: {}", with_article(family.name), one_of((family.entries)().iter().map(|entry| entry.name())))
}

/// How to turn what was written into what was meant, where that is plain to see.
pub fn remedy(kind: &Kind, value: &Wire, path: &str) -> Option<String> {
    let key = last_key(path);
    match (kind, value) {
        (Kind::Int { .. } | Kind::Float(_) | Kind::Ramp(_), Wire::Text(text)) => {
            let number: f64 = text.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
            Some(format!("write the number without quotes, with a digit before any point: `{key} = {number}`"))
        }
        (Kind::Int { .. }, Wire::Float(number)) if number.fract() == 0.0 => {
            Some(format!("write it without a fraction: `{key} = {number}`"))
        }
        (Kind::Bool, Wire::Text(text)) if text == "true" || text == "false" => {
            Some(format!("write it without quotes: `{key} = {text}`"))
        }
        (Kind::Text | Kind::Name | Kind::Path, Wire::Int(int)) => {
            Some(format!("put it in quotes: `{key} = \"{int}\"`"))
        }
        (Kind::Duration { .. }, Wire::Int(int)) => Some(format!("say of what: `{key} = \"{int}ep\"`")),
        (Kind::List(_), Wire::Text(text)) => Some(format!("put it in brackets: `{key} = [{text:?}]`")),
        (Kind::List(_), Wire::Table(_)) => Some(format!("put it in brackets: `{key} = [{{ … }}]`")),
        (Kind::Table(_), Wire::Array(_)) => Some(format!("write its header with single brackets: `[{key}]`")),
        (Kind::Tables(_), Wire::Table(_)) => Some(format!("write its header with double brackets: `[[{key}]]`")),
        _ => None,
    }
}

fn number(interval: &Interval) -> String {
    if *interval == Interval::unbounded() { "a finite number".to_owned() } else { format!("a number, {interval}") }
}

fn table(params: &[Param]) -> String {
    let required: Vec<&str> =
        params.iter().filter(|param| param.default == Default::Required).map(|param| param.key).collect();
    match required[..] {
        [] => "a table".to_owned(),
        _ => format!("a table with at least {}", quoted(required)),
    }
}
