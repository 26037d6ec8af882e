//! What the rules of `[[params]]` mean.

use super::build::Builder;
use super::schema::RULE_SUBJECT;
use super::spec::{ParamRule, PartKind, Role, RuleLr, Subject};
use crate::registry::Settings;

/// The rules, in order.
pub fn build(builder: &mut Builder<'_>, list: &[Settings]) -> Option<Vec<ParamRule>> {
    let rules: Vec<_> =
        list.iter().enumerate().map(|(index, settings)| Rule { builder, settings, index }.build()).collect();
    rules.into_iter().collect()
}

impl ParamRule {
    /// Whether it changes anything of what the phases say. One that does not keeps its parameters from later rules.
    pub fn has_effect(&self) -> bool {
        let Self { subject: _, optimizer, lr, momentum, weight_decay, until } = self;
        optimizer.is_some() || lr.is_some() || momentum.is_some() || weight_decay.is_some() || until.is_some()
    }
}

struct Rule<'a, 'b> {
    builder: &'a mut Builder<'b>,
    settings: &'a Settings,
    index: usize,
}

impl Rule<'_, '_> {
    fn at(&self, key: &str) -> String {
        format!("params[{}].{key}", self.index)
    }

    fn gives(&self, key: &str) -> bool {
        self.builder.source.is_given(&self.at(key))
    }

    /// Reports an error at one of the rule's keys, or at its header where that is not given.
    fn error(&mut self, key: &str, message: &str, expected: impl Into<String>) {
        let error = self.builder.source.diagnostic(&self.at(key), message);
        self.builder.error(error.expected(expected));
    }

    fn build(mut self) -> Option<ParamRule> {
        // What is no table has been reported, and nothing more is asked of it.
        if !self.builder.source.is_given(&format!("params[{}]", self.index)) {
            return None;
        }
        if !RULE_SUBJECT.iter().any(|key| self.gives(key)) {
            let expected = "`role = …`, `match = …` or `group = …`";
            self.error("role", "the rule does not say which parameters it is for", expected);
        }
        if self.gives("lr") && self.gives("lr_factor") {
            let expected = "one of the two: a rate of its own, or a share of the phase's";
            self.error("lr_factor", "`lr_factor` beside `lr`", expected);
        }
        let settings = self.settings;
        let until = settings.opt_duration("until");
        if until.is_some_and(|until| until.amount == 0.0) {
            let error = self.builder.source.diagnostic(&self.at("until"), "`until` is out of range");
            let help = "for parameters that are not trained at all, write `lr = 0` and `weight_decay = 0`";
            self.builder.error(error.expected("a duration longer than none").help(help));
        }
        let subject = Subject {
            role: settings.opt_text("role").and_then(|word| Role::from_word(&word)),
            name: settings.opt_text("match"),
            group: settings.opt_text("group").and_then(|word| PartKind::from_word(&word)),
        };
        Some(ParamRule {
            subject,
            optimizer: settings.opt_choice("optimizer"),
            lr: settings.opt_ramp("lr").map(RuleLr::Own).or(settings.opt_float("lr_factor").map(RuleLr::Factor)),
            momentum: settings.opt_ramp("momentum"),
            weight_decay: settings.opt_float("weight_decay"),
            until,
        })
    }
}
