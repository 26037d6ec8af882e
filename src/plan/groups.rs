//! Groups of parameters by phase: their rates, and whether they are trained.

use super::compile::PlanError;
use super::rules::{PlannedRule, RuleRate};
use super::{Plan, PlannedPhase, StepPlan};
use crate::config::groups::Unit;
use crate::config::spec::{PhaseSpec, Spec};
use crate::data::Facts;
use crate::optim::{Applied, Hypers};
use crate::registry::RampValue;
use crate::schedule::Ramp;
use crate::units::number;
use std::collections::{BTreeMap, BTreeSet};

/// The groups that phases speak of, and the units that rules and groups divide the net's parameters into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// In order.
    pub names: Vec<String>,
    /// See [`Spec::units`]; what stands beside the parameters that no rule takes and that are in no group.
    pub units: Vec<Unit>,
    /// Those that have parameters, by their places.
    inhabited: BTreeSet<usize>,
    rates: Columns,
    /// Of groups whose decay moves.
    decays: Columns,
    /// Of rules with a decay of their own, which does not move.
    own_decays: Columns,
    /// Of rules with a momentum of their own.
    momenta: Columns,
}

/// Columns of `trace.csv`: names, and for each the place of a unit that uses the value.
#[derive(Clone, Debug, Default, PartialEq)]
struct Columns(Vec<(String, usize)>);

impl Columns {
    /// Adds one, unless there is one of that name.
    fn add(&mut self, name: String, unit: usize) {
        if self.names().all(|other| other != name) {
            self.0.push((name, unit));
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    fn values_of(&self, of_unit: impl Fn(usize) -> f64) -> impl Iterator<Item = f64> {
        self.0.iter().map(move |(_, unit)| of_unit(*unit))
    }
}

/// What a phase says of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupInPhase {
    pub rate: RuleRate,
    /// `None`: that of the phase.
    pub weight_decay: Option<Ramp>,
    pub frozen: bool,
}

impl Groups {
    /// The net is looked at where phases speak of groups, and then alone.
    pub(super) fn new(spec: &Spec, facts: &Facts) -> Self {
        let names: Vec<String> = spec.groups().into_iter().map(str::to_owned).collect();
        // A net that cannot be built is reported where the parts are checked.
        let members = if names.is_empty() { Vec::new() } else { spec.members(facts).unwrap_or_default() };
        let units = spec.units(&members);
        let inhabited =
            if names.is_empty() { (0..units.all.len()).collect() } else { units.of_each.into_iter().collect() };
        Self { names, units: units.all, inhabited, ..Self::default() }
    }

    /// What a phase says of each.
    pub(super) fn in_phase(&self, index: usize, phase: &PhaseSpec) -> Result<Vec<GroupInPhase>, PlanError> {
        let group = |name: &String| {
            let ramp = |key: &str, of: &BTreeMap<String, RampValue>| {
                let ramp = of.get(name).map(Ramp::new).transpose();
                ramp.map_err(|e| PlanError::new(format!("phases[{index}].{key}.{name}.{}", e.key), e.message, e.help))
            };
            let rate = match (ramp("lr_values", &phase.lr_values)?, phase.lr_groups.get(name)) {
                (Some(own), _) => RuleRate::Own(own),
                (None, Some(factor)) => RuleRate::Factor(*factor),
                (None, None) => RuleRate::OfPhase,
            };
            let weight_decay = ramp("weight_decay_groups", &phase.weight_decay_groups)?;
            Ok(GroupInPhase { rate, weight_decay, frozen: phase.freeze.contains(name) })
        };
        self.names.iter().map(group).collect()
    }
}

/// What units use, of what they are given.
fn applied(units: Vec<Option<Hypers>>) -> Vec<Option<Applied>> {
    units.iter().map(|hypers| hypers.as_ref().map(Applied::of)).collect()
}

/// What each unit uses: 0 of what is frozen.
fn of_units(units: &[Option<Applied>], value: fn(Applied) -> f64) -> impl Fn(usize) -> f64 {
    move |unit| units[unit].map_or(0.0, value)
}

impl Plan {
    /// What each unit uses in a step, in the order of [`Spec::units`]; `None` where it is frozen. The first is what the phase
    /// says.
    pub fn unit_hypers(&self, step: &StepPlan) -> Vec<Option<Hypers>> {
        self.groups.units.iter().map(|unit| self.hypers_of(unit, step, PlannedRule::hypers)).collect()
    }

    /// Where each unit's curves have come to at the `end` of a phase, behind its last step; `None` where it is frozen in that.
    pub(super) fn units_at(&self, end: &StepPlan) -> Vec<Option<Applied>> {
        applied(self.groups.units.iter().map(|unit| self.hypers_of(unit, end, PlannedRule::hypers_at)).collect())
    }

    /// Which of them are frozen in a step.
    pub fn frozen_units(&self, step: &StepPlan) -> Vec<bool> {
        self.unit_hypers(step).iter().map(Option::is_none).collect()
    }

    /// The steps in which none of these units, by their places, is trained: runs of them, each from its first to the one behind its
    /// last.
    pub fn idle(&self, units: &BTreeSet<usize>) -> Vec<(u64, u64)> {
        let begun = self.phases.iter().map(|phase| phase.first_step);
        let over = self.rules.iter().map(|rule| rule.steps);
        let borders: BTreeSet<u64> = begun.chain(over).filter(|step| *step < self.total_steps).collect();
        let ends = borders.iter().copied().skip(1).chain([self.total_steps]);
        let mut idle: Vec<(u64, u64)> = Vec::new();
        for (from, to) in borders.iter().copied().zip(ends) {
            let frozen = self.frozen_units(&self.at(from));
            match idle.last_mut() {
                _ if units.iter().any(|unit| !frozen[*unit]) => {}
                Some((_, end)) if *end == from => *end = to,
                _ => idle.push((from, to)),
            }
        }
        idle
    }

    fn hypers_of(
        &self,
        unit: &Unit,
        step: &StepPlan,
        of_rule: fn(&PlannedRule, &StepPlan) -> Option<Hypers>,
    ) -> Option<Hypers> {
        let phase = &self.phases[step.phase];
        let groups = || unit.groups.iter().map(|group| &phase.groups[*group]);
        if groups().any(|group| group.frozen) {
            return None;
        }
        let i = step.step - phase.first_step;
        let lr = groups().find_map(|group| match &group.rate {
            RuleRate::OfPhase => None,
            RuleRate::Factor(factor) => Some(factor * step.hypers.lr),
            RuleRate::Own(ramp) => Some(phase.value(ramp, i)),
        });
        let weight_decay = groups().find_map(|group| Some(phase.value(group.weight_decay.as_ref()?, i)));
        let weight_decay = weight_decay.unwrap_or(step.hypers.weight_decay);
        let hypers = Hypers { lr: lr.unwrap_or(step.hypers.lr), weight_decay, ..step.hypers };
        match unit.rule {
            None => Some(hypers),
            Some(rule) => of_rule(&self.rules[rule], &StepPlan { hypers, ..step.clone() }),
        }
    }

    /// Finds the columns of rates, of decays that move, and of decays and momenta of rules, once the rules are planned.
    ///
    /// Rules with a rate have one, `lr.norm`; groups too, `lr.stem`, for what no such rule takes; and what of such a rule
    /// lies in a group, `lr.stem.norm`. Momentum and decay of a rule are the same in all groups, but in those that are frozen.
    pub(super) fn name_columns(&mut self) {
        let has_rate = |group: &&usize| {
            let of_phases = self.phases.iter().map(|phase| &phase.groups[**group]);
            of_phases.into_iter().any(|group| group.frozen || group.rate != RuleRate::OfPhase)
        };
        let moves = |group: &&usize| {
            let ends = |phase: &PlannedPhase| {
                phase.groups[**group].weight_decay.as_ref().map(|decay| (decay.from(), decay.to()))
            };
            let first = ends(&self.phases[0]);
            self.phases.iter().map(ends).any(|ends| ends != first || ends.is_some_and(|(from, to)| from != to))
        };
        // A rule and a group may be called alike.
        let named = |columns: &[&Columns], place: usize, words: &[&str]| {
            let rule = self.groups.units[place].rule;
            let name = words.join(".");
            let is_others = |(other, at): &(String, usize)| *other == name && self.groups.units[*at].rule != rule;
            match rule {
                Some(rule) if columns.iter().flat_map(|columns| &columns.0).any(is_others) => {
                    format!("{}.params[{rule}]", words[0])
                }
                _ => name,
            }
        };
        let freezes = |group: &&usize| self.phases.iter().any(|phase| phase.groups[**group].frozen);
        let (mut rates, mut decays) = (Columns::default(), Columns::default());
        let (mut own_decays, mut momenta) = (Columns::default(), Columns::default());
        for place in self.groups.inhabited.iter().copied() {
            let Unit { rule, groups } = &self.groups.units[place];
            let group = groups.iter().find(has_rate).map(|group| self.groups.names[*group].as_str());
            let rule = rule.map(|rule| &self.rules[rule]);
            let label = rule.filter(|rule| rule.has_own_lr()).map(|rule| rule.label.as_str());
            let words: Vec<&str> = ["lr"].into_iter().chain(group).chain(label).collect();
            if words.len() > 1 {
                rates.add(named(&[&rates], place, &words), place);
            }
            let follows = rule.is_none_or(|rule| rule.weight_decay.is_none());
            if let (true, Some(group)) = (follows, groups.iter().find(moves)) {
                decays.add(format!("weight_decay.{}", self.groups.names[*group]), place);
            }
        }
        for place in self.groups.inhabited.iter().copied() {
            let Unit { rule: Some(rule), groups } = &self.groups.units[place] else { continue };
            let rule = &self.rules[*rule];
            let group = groups.iter().find(freezes).map(|group| self.groups.names[*group].as_str());
            let words = |of| [of].into_iter().chain(group).chain([rule.label.as_str()]).collect::<Vec<_>>();
            if rule.weight_decay.is_some() {
                own_decays.add(named(&[&decays, &own_decays], place, &words("weight_decay")), place);
            }
            if rule.momentum.is_some() {
                momenta.add(named(&[&momenta], place, &words("momentum")), place);
            }
        }
        (self.groups.rates, self.groups.decays) = (rates, decays);
        (self.groups.own_decays, self.groups.momenta) = (own_decays, momenta);
    }

    /// Names of the columns of `trace.csv` for decays of groups that move, decays and momenta of rules: `weight_decay.stem`,
    /// `weight_decay.norm`, `momentum.norm`.
    pub(super) fn unit_columns(&self) -> impl Iterator<Item = &str> {
        let Groups { decays, own_decays, momenta, .. } = &self.groups;
        decays.names().chain(own_decays.names()).chain(momenta.names())
    }

    /// The values of these columns, of what each unit uses: 0 of what is frozen.
    pub(super) fn unit_values(&self, units: &[Option<Applied>]) -> impl Iterator<Item = f64> {
        let Groups { decays, own_decays, momenta, .. } = &self.groups;
        let decay = || of_units(units, |used| used.weight_decay);
        let momentum = of_units(units, |used| used.momentum);
        decays.values_of(decay()).chain(own_decays.values_of(decay())).chain(momenta.values_of(momentum))
    }

    /// Names of the columns of what is drawn beside the phase's: rates, decays that move, momenta.
    pub(super) fn drawn_columns(&self) -> [Vec<&str>; 3] {
        let Groups { rates, decays, momenta, .. } = &self.groups;
        [rates, decays, momenta].map(|columns| columns.names().collect())
    }

    /// The values of these columns: 0 of what is frozen.
    pub(super) fn drawn_values(&self, units: &[Option<Applied>]) -> Vec<f64> {
        let Groups { rates, decays, momenta, .. } = &self.groups;
        let rates = rates.values_of(of_units(units, |used| used.lr));
        let decays = decays.values_of(of_units(units, |used| used.weight_decay));
        rates.chain(decays).chain(momenta.values_of(of_units(units, |used| used.momentum))).collect()
    }

    /// Names of the columns of `trace.csv` for the rates that differ from the phase's.
    pub fn lr_columns(&self) -> Vec<String> {
        self.groups.rates.names().map(str::to_owned).collect()
    }

    /// The values of these columns, of what each unit uses: 0 of what is frozen.
    pub fn own_lrs_of(&self, units: &[Option<Applied>]) -> Vec<f64> {
        self.groups.rates.values_of(of_units(units, |used| used.lr)).collect()
    }

    /// The values of these columns in a step.
    #[cfg(test)]
    pub(super) fn own_lrs(&self, step: &StepPlan) -> Vec<f64> {
        self.own_lrs_of(&self.applied(step))
    }

    /// What each unit is to use in a step.
    pub(super) fn applied(&self, step: &StepPlan) -> Vec<Option<Applied>> {
        applied(self.unit_hypers(step))
    }

    /// One line for each run of phases that say the same of the groups.
    pub(super) fn groups_in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut first = 0;
        for run in self.phases.chunk_by(|a, b| a.groups == b.groups) {
            let last = first + run.len() - 1;
            let said = self.said_of_groups(&run[0]);
            if !said.is_empty() {
                let place = if first == last { format!("phase {first}") } else { format!("phases {first} to {last}") };
                lines.push(format!("groups in {place}: {}", said.join(", ")));
            }
            first = last + 1;
        }
        lines
    }

    /// `stem 0.1 × lr`, `head lr 0.1 → 0 linear`, `stem weight decay 0`, `layer1 frozen`
    fn said_of_groups(&self, phase: &PlannedPhase) -> Vec<String> {
        let said = |(name, group): (&String, &GroupInPhase)| {
            if group.frozen {
                return vec![format!("{name} frozen")];
            }
            let rate = match &group.rate {
                RuleRate::OfPhase => None,
                RuleRate::Factor(factor) => Some(format!("{name} {} × lr", number(*factor))),
                RuleRate::Own(ramp) => Some(format!("{name} lr {ramp}")),
            };
            let decay = group.weight_decay.as_ref().map(|decay| format!("{name} weight decay {decay}"));
            rate.into_iter().chain(decay).collect()
        };
        self.groups.names.iter().zip(&phase.groups).flat_map(said).collect()
    }
}
