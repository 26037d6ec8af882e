//! From checked settings to settings without recipes: each phase that names one becomes the plain phases it stands for.
//!
//! From here on phases are numbered as they are planned, not as they stand in the file.

use super::check::join;
use super::diagnostics::Diagnostic;
use super::schema::{ACROSS, EACH, PHASE, PHASES, RAMP};
use super::source::Origin;
use crate::optim::mix;
use crate::registry::{Default, Kind, Param, RampValue, Settings, Value, find};
use crate::schedule::recipes::{self, Misuse, Part};
use crate::schedule::{Length, Ramp};
use crate::units::{brief, count};
use std::collections::BTreeMap;

/// The setting of rates by group.
const OWN_RATES: &str = "lr_values";

/// The experiment's settings in which every phase is a plain one.
pub struct Expanded {
    pub settings: Settings,
    /// Where each was written: what a recipe works out, where the recipe's setting of that key or its name is.
    pub origins: BTreeMap<String, Origin>,
    /// For each phase the number of the file's that it comes from, and the recipe that stands there.
    pub sources: Vec<(usize, Option<String>)>,
}

/// Replaces recipes by what they stand for; reports those whose settings do not go together, which leaves a phase without
/// settings and origin in their place, as the checker leaves one for what is no table.
pub fn expand(mut settings: Settings, origins: BTreeMap<String, Origin>, errors: &mut Vec<Diagnostic>) -> Expanded {
    let list = match settings.0.get_mut(PHASES) {
        Some(Value::List(list)) => std::mem::take(list),
        _ => return Expanded { settings, origins, sources: Vec::new() },
    };
    let (mut of_phases, others) = by_phase(origins, list.len());
    let mut expanded = Expanded { settings, origins: others, sources: Vec::new() };
    let mut phases = Vec::with_capacity(list.len());
    for (file_index, value) in list.into_iter().enumerate() {
        let origins = std::mem::take(&mut of_phases[file_index]);
        let whole = match value {
            Value::Table(settings) => Phase { settings, origins },
            other => unreachable!("the checker makes tables of phases, not {other:?}"),
        };
        let recipe = whole.settings.opt_text("recipe");
        for phase in whole.plain(file_index == 0, errors) {
            let index = phases.len();
            let path = |(rest, origin)| (format!("{PHASES}[{index}]{rest}"), origin);
            expanded.origins.extend(phase.origins.into_iter().map(path));
            expanded.sources.push((file_index, recipe.clone()));
            phases.push(Value::Table(phase.settings));
        }
    }
    expanded.settings.0.insert(PHASES.to_owned(), Value::List(phases));
    expanded
}

/// Splits origins into those of each phase, by what follows `phases[k]`, and the others.
fn by_phase(origins: BTreeMap<String, Origin>, count: usize) -> (Vec<Origins>, BTreeMap<String, Origin>) {
    let mut of_phases = vec![Origins::new(); count];
    let mut others = BTreeMap::new();
    for (path, origin) in origins {
        let place = path.strip_prefix(PHASES).and_then(|rest| rest.strip_prefix('[')).and_then(|rest| {
            let (index, rest) = rest.split_once(']')?;
            Some((index.parse::<usize>().ok().filter(|index| *index < count)?, rest.to_owned()))
        });
        match place {
            Some((index, rest)) => drop(of_phases[index].insert(rest, origin)),
            None => drop(others.insert(path, origin)),
        }
    }
    (of_phases, others)
}

/// What groups have in place of a recipe's rate.
#[derive(std::default::Default)]
struct OwnRates {
    /// The recipe's own.
    highest: f64,
    /// The highest rate of each.
    of_groups: Vec<(String, f64)>,
}

/// By what follows `phases[k]` in a path: nothing, or `.lr.from`.
type Origins = BTreeMap<String, Origin>;

/// A phase as checked.
#[derive(std::default::Default)]
struct Phase {
    settings: Settings,
    origins: Origins,
}

impl Phase {
    /// Itself, or what the recipe that it names stands for.
    fn plain(self, is_first: bool, errors: &mut Vec<Diagnostic>) -> Vec<Self> {
        let Some(name) = self.settings.opt_text("recipe") else { return vec![self] };
        let entry = find(recipes::ENTRIES, &name).expect("a checked recipe is known");
        if self.is_wrong(entry.params) {
            return vec![Self::default()];
        }
        let parts = recipes::expand(entry, &self.settings).and_then(|parts| {
            within(&name, &parts)?;
            self.counted(&name, &parts)?;
            self.runs_over_all(&name)?;
            self.moves_within(&name, &parts)?;
            Ok((self.own_rates(&parts)?, parts))
        });
        match parts {
            Ok((own, parts)) => {
                let keys: Vec<&str> = entry.params.iter().map(|param| param.key).collect();
                (0..).zip(parts).map(|(k, part)| self.part(k, part, &own, &keys, is_first)).collect()
            }
            Err(Misuse { key, message, help }) => {
                errors.push(Diagnostic::new(self.origin(&format!(".{key}")), message).help(help));
                vec![Self::default()]
            }
        }
    }

    /// Whether something that is given or must be is not among the settings: it was wrong, and has been reported.
    fn is_wrong(&self, params: &[Param]) -> bool {
        let is_missing = |param: &Param| param.default == Default::Required && !self.settings.0.contains_key(param.key);
        // An item that was wrong is missing in its list, and not in the origins.
        let lacks_item = |key: &str| match self.settings.0.get(key) {
            Some(Value::List(list)) => self.origins.contains_key(&format!(".{key}[{}]", list.len())),
            _ => false,
        };
        params.iter().any(is_missing)
            || params.iter().any(|param| lacks_item(param.key))
            || EACH.iter().any(|(plural, _)| lacks_item(plural))
            || self.origins.keys().any(|rest| {
                let key = rest.strip_prefix('.').map(|rest| rest.split(['.', '[']).next().unwrap_or_default());
                key.is_some_and(|key| !self.settings.0.contains_key(key))
            })
    }

    /// That what is said of each part in turn is of as many.
    fn counted(&self, name: &str, parts: &[Part]) -> Result<(), Misuse> {
        for (plural, key) in EACH {
            let Some(list) = self.settings.opt_list(plural) else { continue };
            if self.settings.0.contains_key(key) {
                let help = "give one for all of the recipe's phases, or one for each";
                return Err(Misuse {
                    key: plural.to_owned(),
                    message: format!("`{plural}` beside `{key}`"),
                    help: help.to_owned(),
                });
            }
            if list.len() != parts.len() {
                let (given, needed) = (count(list.len() as u64), count(parts.len() as u64));
                let message = format!("`{plural}` has {given} items, and this `{name}` stands for {needed} phases");
                let help = format!("give one for each, or `{key}` for all; `runner plan --expand` shows the phases");
                return Err(Misuse { key: plural.to_owned(), message, help });
            }
        }
        Ok(())
    }

    /// That what moves beside the recipe runs over all that it stands for, and on: else over which of its phases would it?
    fn runs_over_all(&self, name: &str) -> Result<(), Misuse> {
        for (key, value) in &self.settings.0 {
            let of_groups = |groups: &Settings| {
                let one = |(group, value): (&String, &Value)| Some((join(key, group), ramp(value)?.clone()));
                groups.0.iter().filter_map(one).collect::<Vec<_>>()
            };
            let curves = match value {
                Value::Table(groups) => of_groups(groups),
                value => ramp(value).map(|ramp| (key.clone(), ramp.clone())).into_iter().collect(),
            };
            if let Some((key, _)) = curves.into_iter().find(|(_, ramp)| moves(ramp) && ramp.across.is_no()) {
                return Err(Misuse {
                    message: format!("`{key}` moves over a phase, and this `{name}` stands for phases of its own"),
                    help: format!("let it run over all of them and on, with `{ACROSS} = true`, or give one number"),
                    key,
                });
            }
        }
        Ok(())
    }

    /// That no share of a mix moves over one of several parts.
    fn moves_within(&self, name: &str, parts: &[Part]) -> Result<(), Misuse> {
        let weight = self.settings.opt_choice("optimizer").and_then(|choice| mix::weight(&choice));
        if parts.len() < 2 || weight.is_none_or(|weight| !moves(&weight) || !weight.across.is_no()) {
            return Ok(());
        }
        let phases = count(parts.len() as u64);
        Err(Misuse {
            key: format!("optimizer.{}", mix::WEIGHT),
            message: format!("a share that moves, in a mix for the {phases} phases that this `{name}` stands for"),
            help: format!(
                "let it run over all of them and on, with `{ACROSS} = true`, give the mix one number, or the recipe `optimizers`, one \
                 for each of its phases"
            ),
        })
    }

    /// The rates of groups that have their own.
    fn own_rates(&self, parts: &[Part]) -> Result<OwnRates, Misuse> {
        let Some(own) = self.settings.opt_table(OWN_RATES) else { return Ok(OwnRates::default()) };
        let highest = parts.iter().map(|part| part.lr.from.max(part.lr.to.unwrap_or(0.0))).fold(0.0, f64::max);
        if highest == 0.0 {
            return Err(Misuse {
                key: OWN_RATES.to_owned(),
                message: format!("`{OWN_RATES}` follow the shape of the recipe's rate, which is 0 throughout"),
                help: "give the recipe a rate".to_owned(),
            });
        }
        let rate = |(name, value)| if let Value::Float(rate) = value { Some((name, rate)) } else { None };
        Ok(OwnRates { highest, of_groups: own.0.into_iter().filter_map(rate).collect() })
    }

    /// Phase `k` of those that this one stands for. What is said of all stands in the first, and is taken over.
    fn part(&self, k: usize, part: Part, own: &OwnRates, of_recipe: &[&str], is_first: bool) -> Self {
        let mut phase = Self::default();
        phase.origins.extend(self.origins.get("").map(|origin| (String::new(), origin.clone())));
        let Part { length, lr, momentum } = part;
        match length {
            Length::Epochs(epochs) => phase.put("epochs", Value::Float(epochs), self.origin(".epochs")),
            Length::Steps(steps) => phase.put("steps", Value::Int(steps.cast_signed()), self.origin(".steps")),
        }
        if !own.of_groups.is_empty() {
            self.put_own_rates(own, &lr, &mut phase);
        }
        phase.put("lr", Value::Ramp(lr), self.origin(".lr"));
        if let Some(momentum) = momentum {
            phase.put("momentum", Value::Ramp(momentum), self.origin(".momentum"));
        }
        let plurals = EACH.map(|(plural, _)| plural);
        let of_all =
            self.settings.0.iter().filter(|(key, _)| {
                !of_recipe.contains(&key.as_str()) && !["recipe", OWN_RATES].contains(&key.as_str())
            });
        for (key, value) in of_all.filter(|(key, _)| !plurals.contains(&key.as_str())) {
            let again = key == "carry" && self.settings.0.contains_key("optimizers") && !(is_first && k == 0);
            match value {
                _ if k == 0 || again => self.hand_on(key, value.clone(), &mut phase),
                Value::Bool(_) => phase.put(key, Value::Bool(false), Origin::Default),
                _ => {}
            }
        }
        for (plural, key) in EACH {
            if let Some(value) = self.settings.opt_list(plural).and_then(|list| list.get(k).cloned()) {
                phase.settings.0.insert(key.to_owned(), value);
                let from = format!(".{plural}[{k}]");
                let below = self.origins.iter().filter_map(|(rest, origin)| Some((rest.strip_prefix(&from)?, origin)));
                phase.origins.extend(below.map(|(rest, origin)| (format!(".{key}{rest}"), origin.clone())));
            }
        }
        phase
    }

    /// Gives a part the rates of groups, which go as its own does.
    fn put_own_rates(&self, own: &OwnRates, lr: &RampValue, to: &mut Self) {
        let mut rates = Settings::default();
        for (name, highest) in &own.of_groups {
            let scaled = |rate: f64| highest * (rate / own.highest);
            // Nothing at both ends is no curve.
            let lr = match scaled(lr.from) {
                from if *highest == 0.0 => RampValue::constant(from),
                from => RampValue { from, to: lr.to.map(scaled), ..lr.clone() },
            };
            rates.0.insert(name.clone(), Value::Ramp(lr));
            let path = format!(".{}", join(OWN_RATES, name));
            let below = RAMP.iter().map(|param| format!("{path}.{}", param.key));
            to.origins.extend(below.chain([path.clone()]).map(|rest| (rest, self.origin(&path))));
        }
        to.put(OWN_RATES, Value::Table(rates), self.origin(&format!(".{OWN_RATES}")));
    }

    fn put(&mut self, key: &str, value: Value, origin: Origin) {
        if let Value::Ramp(_) = value {
            let of_ramp = RAMP.iter().map(|param| format!(".{key}.{}", param.key));
            self.origins.extend(of_ramp.map(|rest| (rest, origin.clone())));
        }
        self.settings.0.insert(key.to_owned(), value);
        self.origins.insert(format!(".{key}"), origin);
    }

    /// Gives a setting on as it is, with all that is known of its parts.
    fn hand_on(&self, key: &str, value: Value, to: &mut Self) {
        to.settings.0.insert(key.to_owned(), value);
        let whole = format!(".{key}");
        let is_of =
            |rest: &str| rest.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let known = self.origins.iter().filter(|(rest, _)| is_of(rest));
        to.origins.extend(known.map(|(rest, origin)| (rest.clone(), origin.clone())));
    }

    /// Where a setting was written; for one that was not, the nearest above it, at last the recipe's name.
    fn origin(&self, rest: &str) -> Origin {
        let written = |rest: &str| self.origins.get(rest).filter(|origin| **origin != Origin::Default);
        let up = std::iter::successors(Some(rest), |rest| rest.rfind(['.', '[']).map(|cut| &rest[..cut]));
        let found = up.take_while(|rest| !rest.is_empty()).find_map(written).or_else(|| written(".recipe"));
        found.or_else(|| self.origins.get("")).cloned().unwrap_or(Origin::Default)
    }
}

/// That no curve of a recipe's phases leaves what a phase may have, as a shape of one's own may.
fn within(name: &str, parts: &[Part]) -> Result<(), Misuse> {
    for (k, part) in parts.iter().enumerate() {
        for (key, value) in [("lr", Some(&part.lr)), ("momentum", part.momentum.as_ref())] {
            let Some(Kind::Ramp(interval)) = PHASE.iter().find(|param| param.key == key).map(|param| param.kind) else {
                continue;
            };
            let beyond = value.and_then(|value| Ramp::new(value).ok()?.beyond(&interval));
            if let Some([low, high]) = beyond.map(|range| range.map(brief)) {
                return Err(Misuse {
                    key: "curve".to_owned(),
                    message: format!(
                        "in phase {k} of this `{name}`, {key} goes out of range: its values are {low} to {high}"
                    ),
                    help: format!("{key} is {interval}: take points between 0 and 1, or another curve"),
                });
            }
        }
    }
    Ok(())
}

/// The curve that a setting is, if it is one.
fn ramp(value: &Value) -> Option<&RampValue> {
    if let Value::Ramp(ramp) = value { Some(ramp) } else { None }
}

fn moves(ramp: &RampValue) -> bool {
    ramp.to.is_some_and(|to| to != ramp.from)
}
