use super::{LossScale, LossScaleEntry, Scale};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: LossScaleEntry = Entry {
    name: "static",
    summary: "the same factor from the first step to the last; a gradient that is not finite ends training",
    cite: "Micikevicius et al. 2018, arXiv:1710.03740, section 3.2",
    params: &[Param {
        key: "scale",
        kind: Kind::Float(Interval::closed(1.0, 16_777_216.0)),
        default: Default::Required,
        doc: "the factor; a power of two rounds nothing",
    }],
    shorthand: Some("scale"),
    make: |settings| Box::new(Fixed { scale: settings.float("scale") }),
};

struct Fixed {
    scale: f64,
}

impl LossScale for Fixed {
    fn initial(&self) -> f64 {
        self.scale
    }

    fn after(&self, scale: Scale, finite: bool) -> Option<Scale> {
        finite.then_some(scale)
    }
}
