use super::{CriterionEntry, Rule};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: CriterionEntry = Entry {
    name: "bce",
    summary: "binary cross-entropy of each of k classes by itself, `−(1/k)·Σⱼ (qⱼ·log σ(zⱼ) + (1 − qⱼ)·log(1 − σ(zⱼ)))`: the mean \
              over classes, so that a rate of plain SGD means less by the number of classes; q is 1 − ε + ε/k for an image's label and \
              ε/k for others, ε being `label_smoothing`; of mixed images both have their shares",
    cite: "Wightman, Touvron and Jégou 2021, arXiv:2110.00476; timm's BinaryCrossEntropy, PyTorch's BCEWithLogitsLoss",
    params: &[Param {
        key: "threshold",
        kind: Kind::Float(Interval::half_open(0.0, 1.0)),
        default: Default::Absent,
        doc: "targets above it become 1 and all others 0, as timm's `target_threshold`: both labels of a mixed image may count \
              whole; left out: targets are what smoothing and mixing make of them",
    }],
    shorthand: Some("threshold"),
    make: |settings| Rule::Binary { threshold: settings.opt_float("threshold").map(|threshold| threshold as f32) },
};
