use super::{CriterionEntry, Rule};
use crate::registry::Entry;

pub static ENTRY: CriterionEntry = Entry {
    name: "cross-entropy",
    summary: "that of a softmax over the classes, `−Σⱼ qⱼ·log softmax(z)ⱼ`, of outputs z and targets q",
    cite: "PyTorch's cross_entropy; Szegedy et al. 2016, arXiv:1512.00567, section 7, for `label_smoothing`",
    params: &[],
    shorthand: None,
    make: |_| Rule::CrossEntropy,
};
