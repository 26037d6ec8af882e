//! What a setting takes, in words.

use super::super::schema::{COUNT, PHASES};
use super::super::suggest::{one_of, quoted, with_article};
use super::super::wire::{Node, Wire};
use super::last_key;
use crate::registry::{Default, Duration, DurationUnit, Family, Interval, Kind, Param};
use crate::units::read_seconds;

/// What is expected: "an integer, at least 1".
pub fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Int { min, max } if *max >= COUNT => format!("an integer, at least {min}"),
        Kind::Int { min, max } => format!("an integer from {min} to {max}"),
        Kind::Float(interval) => number(interval),
        Kind::Numbers(interval) => format!("{}, or an array of such numbers", number(interval)),
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
        Kind::Share(interval) => format!("{}, or \"25%\" for a share of all", number(interval)),
        Kind::Time => "a span of time: \"90s\", \"10min\" or \"1.5h\"".to_owned(),
        Kind::Ramp(interval) => format!("{}, or `{{ from = …, to = …, curve = … }}`", number(interval)),
        Kind::Choice(family) => entries(family),
        Kind::Beside(beside) => entries(beside.family),
        Kind::Map(of) => format!("a table, of which each value is {}", expected(of)),
        Kind::List(of) => format!("an array, of which each item is {}", expected(of)),
        Kind::Table(params) => table(params),
        Kind::Tables(_) => "an array of tables".to_owned(),
    }
}

/// What to know of a number out of range, where [`expected`] does not tell.
pub fn bound(kind: &Kind, value: &Wire) -> Option<String> {
    match (kind, value) {
        // A bound that is there to keep arithmetic safe, far above any use.
        (Kind::Int { max, .. }, Wire::Int(int)) if *max >= COUNT && int > max => Some(format!("the most is {max}")),
        (
            Kind::Float(interval) | Kind::Share(interval) | Kind::Numbers(interval) | Kind::Ramp(interval),
            Wire::Int(_) | Wire::Float(_),
        ) => {
            let percent = match value {
                Wire::Int(int) => *int as f64,
                Wire::Float(number) => *number,
                _ => return None,
            };
            let share = percent / 100.0;
            // A percentage is whole, and nothing is as often meant by 1.
            let is_percent = percent >= 2.0 && percent.fract() == 0.0;
            let is_share = interval.min == 0.0 && interval.max == 1.0 && is_percent;
            (is_share && interval.contains(share)).then(|| format!("{percent} % is written {share}"))
        }
        _ => None,
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
        (Kind::Share(_), Wire::Text(text)) if text.trim_end().ends_with(|c: char| !c.is_ascii_digit()) => {
            length_meant(key, text)
        }
        (Kind::Int { .. } | Kind::Float(_) | Kind::Share(_) | Kind::Numbers(_) | Kind::Ramp(_), Wire::Text(text)) => {
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
        (Kind::Duration { .. }, Wire::Int(int)) => Some(unit_missing(key, &int.to_string())),
        (Kind::Duration { .. }, Wire::Float(number)) if number.is_finite() => {
            Some(unit_missing(key, &number.to_string()))
        }
        (Kind::Duration { .. }, Wire::Text(text)) => duration_meant(key, text),
        (Kind::Time, Wire::Int(_) | Wire::Float(_)) => {
            let amount = match value {
                Wire::Int(int) => int.to_string(),
                Wire::Float(number) => number.to_string(),
                _ => return None,
            };
            Some(format!("say of what: `{key} = \"{amount}min\"` for minutes, `{key} = \"{amount}s\"` for seconds"))
        }
        (Kind::Time, Wire::Text(text)) => time_meant(key, text),
        (Kind::Ramp(_), Wire::Array(items)) => match &items[..] {
            [first, .., last] => {
                let number = |node: &Node| match node.value {
                    Wire::Int(int) => Some(int.to_string()),
                    Wire::Float(number) => Some(format!("{number:?}")),
                    _ => None,
                };
                let (from, to) = (number(first)?, number(last)?);
                Some(format!("what changes over the phase is written `{key} = {{ from = {from}, to = {to} }}`"))
            }
            _ => None,
        },
        // Of phases, a recipe alone has numbers there.
        (Kind::Float(_), Wire::Table(_)) if matches!(key, "lr" | "momentum") && path.starts_with(PHASES) => {
            let why = "the recipe has curves of its own there";
            Some(format!("{why}; `runner plan --expand` writes it as plain phases, which take any curve"))
        }
        (Kind::Beside(_), Wire::Table(_)) => {
            Some(format!("write its name alone, and its settings beside it: `{key} = \"…\"`"))
        }
        (Kind::List(_), Wire::Text(text)) => Some(format!("put it in brackets: `{key} = [{text:?}]`")),
        (Kind::List(_), Wire::Table(_)) => Some(format!("put it in brackets: `{key} = [{{ … }}]`")),
        (Kind::Table(_), _) if key.ends_with(']') => {
            let name = key.split('[').next().unwrap_or(key);
            Some(format!("each is a table: a line `[[{name}]]`, and its settings below it"))
        }
        (Kind::Table(_), Wire::Array(_)) => Some(format!("write its header with single brackets: `[{key}]`")),
        // A table of which one setting must be given: that one was meant.
        (Kind::Table(params), Wire::Int(int)) => {
            let mut required = params.iter().filter(|param| param.default == Default::Required);
            let (Some(Param { key: only, kind: Kind::Int { .. }, .. }), None) = (required.next(), required.next())
            else {
                return None;
            };
            Some(format!("did you mean `{key} = {{ {only} = {int} }}`?"))
        }
        (Kind::Tables(_), Wire::Table(_)) => Some(format!("write its header with double brackets: `[[{key}]]`")),
        _ => None,
    }
}

fn unit_missing(key: &str, amount: &str) -> String {
    format!("say of what: `{key} = \"{amount}ep\"` for epochs, `{key} = \"{amount}step\"` for steps")
}

/// What `"3 epochs"`, `"3epo"`, `"500 iterations"` or `"3"` is likely meant for.
fn duration_meant(key: &str, text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    let number: f64 = amount.parse().ok()?;
    let unit = match unit.trim().to_lowercase() {
        // A single letter may stand for anything, `s` for seconds too.
        unit if unit != "%" && unit.chars().count() < 2 => return Some(unit_missing(key, &number.to_string())),
        unit if "epochs".starts_with(&unit) => DurationUnit::Epochs,
        unit if ["steps", "iterations", "batches", "updates"].iter().any(|word| word.starts_with(&unit)) => {
            DurationUnit::Steps
        }
        unit if ["%", "percent"].contains(&unit.as_str()) => DurationUnit::Percent,
        _ => return None,
    };
    let meant = Duration { amount: number, unit };
    if meant.is_sound() {
        return Some(format!("did you mean `{key} = \"{meant}\"`?"));
    }
    Some(match unit {
        DurationUnit::Steps => "steps are whole".to_owned(),
        _ => "a share is at most \"100%\"".to_owned(),
    })
}

/// What `"3ep"`, `"500step"` or `"25 percent"` is likely meant for, where a number has a unit already.
fn length_meant(key: &str, text: &str) -> Option<String> {
    let text = text.trim();
    let (amount, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let number: f64 = amount.parse().ok()?;
    match unit.trim().to_lowercase().as_str() {
        unit if unit.len() > 1 && "epochs".starts_with(unit) => {
            Some(format!("write the number alone: `{key} = {number}`"))
        }
        unit if unit.len() > 1 && "steps".starts_with(unit) => {
            Some(format!("steps have a key of their own: `steps = {number}`"))
        }
        "%" | "percent" if number > 0.0 && number <= 100.0 => Some(format!("did you mean `{key} = \"{number}%\"`?")),
        _ => None,
    }
}

/// What `"10 minutes"`, `"90 sec"` or `"2ep"` is likely meant for.
fn time_meant(key: &str, text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    let unit = match unit.trim().to_lowercase() {
        unit if unit.is_empty() || ["ep", "step", "%"].contains(&unit.as_str()) => return None,
        unit if "seconds".starts_with(&unit) || unit == "secs" => "s",
        unit if "minutes".starts_with(&unit) || unit == "mins" => "min",
        unit if "hours".starts_with(&unit) || unit == "hrs" => "h",
        _ => return None,
    };
    let meant = format!("{amount}{unit}");
    read_seconds(&meant).map(|_| format!("did you mean `{key} = \"{meant}\"`?"))
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
