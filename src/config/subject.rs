//! Which parameters a rule of `[[params]]` speaks of.

use super::spec::Subject;
use crate::model::Member;

impl Subject {
    /// Whether all that the rule says of its parameters is true of this one.
    pub fn matches(&self, member: &Member) -> bool {
        self.role.is_none_or(|role| member.role == role)
            && self.name.as_ref().is_none_or(|pattern| glob(pattern, &member.name))
            && self.group.is_none_or(|group| member.part == group)
    }

    /// What columns and tables call those parameters: `norm`, `head`, `layer1.*`; `head.linear` where two are given.
    pub fn label(&self) -> String {
        let words = [self.group.map(|group| group.word()), self.role.map(|role| role.word()), self.name.as_deref()];
        words.into_iter().flatten().collect::<Vec<_>>().join(".")
    }
}

/// Whether `name` matches a pattern in which `*` stands for any run of characters.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name
            .strip_prefix(head)
            .is_some_and(|tail| (0..=tail.len()).filter(|k| tail.is_char_boundary(*k)).any(|k| glob(rest, &tail[k..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PartKind;
    use crate::nn::Role;

    #[test]
    fn globs_match_whole_names() {
        assert!(glob("layer1.*", "layer1.0.conv.weight"));
        assert!(glob("*.norm.*", "layer1.0.norm.bias"));
        assert!(glob("*", "anything"));
        assert!(!glob("layer1.*", "layer10.conv"));
        assert!(!glob("layer1", "layer1.conv"));
    }

    #[test]
    fn all_that_is_given_must_hold() {
        let member =
            Member { name: "stem.norm.bias".to_owned(), role: Role::Norm, part: PartKind::Stem, shape: vec![8] };
        let stem = Subject { group: Some(PartKind::Stem), ..Subject::default() };
        assert!(stem.matches(&member) && stem.label() == "stem");
        let norms = Subject { role: Some(Role::Norm), ..stem.clone() };
        assert!(norms.matches(&member) && norms.label() == "stem.norm");
        assert!(!Subject { role: Some(Role::Conv), ..stem.clone() }.matches(&member));
        assert!(!Subject { name: Some("*.weight".to_owned()), ..norms }.matches(&member));
        assert!(!Subject { group: Some(PartKind::Head), ..Subject::default() }.matches(&member));
    }
}
