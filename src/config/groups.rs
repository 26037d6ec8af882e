//! Groups of parameters that phases speak of: which there are, and who belongs to which.

use super::spec::{PartKind, PhaseSpec, Spec};
use super::subject::glob;
use crate::data::Facts;
use crate::model::{self, Member, PairingError, Parts};
use crate::nn::Shape;
use std::collections::BTreeSet;

/// Parameters that use the same hyper-parameters in every step: those of one rule of `[[params]]`, or of none, that are in
/// the same groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    pub rule: Option<usize>,
    /// Numbers in [`Spec::groups`], the most specific first: a named one before a part of the net.
    pub groups: Vec<usize>,
}

/// The units of a net.
#[derive(Clone, Debug, PartialEq)]
pub struct Units {
    /// First the parameters that no rule takes, then those of each rule, in no group, be there any or not; then others that
    /// have parameters.
    pub all: Vec<Unit>,
    /// For each parameter its unit.
    pub of_each: Vec<usize>,
}

/// Whether a parameter belongs to the group of that name: a part of the net (`stem`, `backbone`, `head`), a pattern of names
/// with `*`, or whatever lies below a name, such as a stage: `layer1`.
pub fn is_in(group: &str, member: &Member) -> bool {
    match PartKind::from_word(group) {
        Some(part) => member.part == part,
        None if group.contains('*') => glob(group, &member.name),
        None => member.name.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
    }
}

impl PhaseSpec {
    /// The names of the groups that the phase speaks of.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let numbers = self.lr_groups.keys().chain(self.lr_values.keys()).chain(self.weight_decay_groups.keys());
        numbers.chain(&self.freeze).map(String::as_str)
    }
}

impl Spec {
    /// The parts that the net is made of, for a data set of so many classes.
    pub fn parts(&self, classes: usize) -> Parts<'_> {
        let model = &self.model;
        let classes = model.classes.unwrap_or(classes);
        Parts { stem: &model.stem, backbone: &model.backbone, head: &model.head, classes }
    }

    /// The parameters of the net.
    ///
    /// # Errors
    /// When its parts do not fit at the first phase's size.
    pub fn members(&self, facts: &Facts) -> Result<Vec<Member>, Box<PairingError>> {
        let size = self.phases.first().and_then(|phase| phase.size).unwrap_or(facts.size);
        model::members(&self.parts(facts.classes), Shape::new(size, size, facts.channels))
    }

    /// The rule of `[[params]]` that takes a parameter: the first that matches.
    pub fn rule_of(&self, member: &Member) -> Option<usize> {
        self.params.iter().position(|rule| rule.subject.matches(member))
    }

    /// The names of the groups that any phase speaks of, in order.
    pub fn groups(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.phases.iter().flat_map(PhaseSpec::groups).collect();
        names.into_iter().collect()
    }

    /// Divides the parameters into units.
    pub fn units(&self, members: &[Member]) -> Units {
        let names = self.groups();
        let rank = |group: &usize| PartKind::from_word(names[*group]).is_some();
        let unit = |member: &Member| {
            let mut groups: Vec<usize> = (0..names.len()).filter(|group| is_in(names[*group], member)).collect();
            groups.sort_by_key(rank);
            Unit { rule: self.rule_of(member), groups }
        };
        let units: Vec<Unit> = members.iter().map(unit).collect();
        let in_groups: BTreeSet<&Unit> = units.iter().filter(|unit| !unit.groups.is_empty()).collect();
        let rules = (0..self.params.len()).map(Some);
        let base = std::iter::once(None).chain(rules).map(|rule| Unit { rule, groups: Vec::new() });
        let all: Vec<Unit> = base.chain(in_groups.into_iter().cloned()).collect();
        let place = |unit: &Unit| all.iter().position(|other| other == unit).expect("every unit is among all");
        Units { of_each: units.iter().map(place).collect(), all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Role;

    #[test]
    fn groups_are_parts_names_or_patterns() {
        let member = |name: &str, part| Member { name: name.to_owned(), role: Role::Conv, part, shape: vec![1] };
        let stage = member("layer1.0.conv.weight", PartKind::Backbone);
        for group in ["backbone", "layer1", "layer1.0", "layer1.*", "*.conv.*", "layer1.0.conv.weight"] {
            assert!(is_in(group, &stage), "{group}");
        }
        for group in ["stem", "layer", "layer1.", "layer10", "conv", "layer2.*"] {
            assert!(!is_in(group, &stage), "{group}");
        }
        assert!(is_in("head", &member("head.fc.weight", PartKind::Head)));
    }
}
