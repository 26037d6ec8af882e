//! What a net is trained on: the loss of an image's outputs and its label.

pub mod bce;
pub mod cross_entropy;

pub use crate::kernels::loss::Rule;
use crate::registry::{Choice, Describe, Entry, Family, Settings, find};

/// An entry of the family `training loss`.
pub type CriterionEntry = Entry<fn(&Settings) -> Rule>;

/// The first is the default.
pub static ENTRIES: &[&CriterionEntry] = &[&cross_entropy::ENTRY, &bce::ENTRY];

pub static FAMILY: Family = Family {
    name: "training loss",
    doc: "What a net is trained on, and what `train_loss` and `val_loss` are",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The rule that a checked choice stands for.
///
/// # Panics
/// When there is no such entry.
pub fn make(choice: &Choice) -> Rule {
    let entry = find(ENTRIES, &choice.kind).expect("a checked loss is known");
    (entry.make)(&choice.settings)
}

/// Whether a choice is what holds where there is none.
pub fn is_default(choice: &Choice) -> bool {
    choice.kind == ENTRIES[0].name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Value;

    #[test]
    fn choices_stand_for_rules() {
        assert_eq!(make(&Choice::plain("cross-entropy")), Rule::default());
        assert!(is_default(&Choice::plain("cross-entropy")) && !is_default(&Choice::plain("bce")));
        assert_eq!(make(&Choice::plain("bce")), Rule::Binary { threshold: None });
        let above = Choice::with("bce", [("threshold", Value::Float(0.2))]);
        assert_eq!(make(&above), Rule::Binary { threshold: Some(0.2) });
    }
}
