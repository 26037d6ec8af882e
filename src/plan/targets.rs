//! What training takes for right, and the threshold that it may be held against.

use super::Plan;
use super::compile::PlanError;
use crate::config::spec::Spec;
use crate::criterion::Rule;
use crate::units::number;

impl Plan {
    /// A threshold on targets that the one label of an image does not come above, or all other classes do. `classes`: outputs of the
    /// net.
    pub(super) fn check_targets(&self, spec: &Spec, classes: usize) -> Option<PlanError> {
        let rule = spec.train.criterion();
        let Rule::Binary { threshold: Some(_) } = rule else { return None };
        let threshold = spec.train.loss.as_ref()?.settings.opt_float("threshold")?;
        self.phases.iter().enumerate().find_map(|(k, phase)| {
            let smoothing = phase.label_smoothing;
            let target = |share: f32| rule.target(share, smoothing as f32, classes);
            let others = smoothing / classes as f64;
            let (what, is, help) = match (target(1.0), target(0.0)) {
                (0.0, _) => ("of no class", 1.0 - smoothing + others, "give a lower one, or less `label_smoothing`"),
                (_, 1.0) if classes > 1 => ("of every class", others, "give a higher one, or less `label_smoothing`"),
                _ => return None,
            };
            let whose = if what == "of no class" { "an image's label" } else { "the other classes" };
            let message = format!(
                "targets above {} are {what} in phase {k}, where smoothing makes {} of that of {whose}",
                number(threshold),
                number((is * 1e4).round() / 1e4)
            );
            Some(PlanError::new("train.loss.threshold", message, help))
        })
    }
}
