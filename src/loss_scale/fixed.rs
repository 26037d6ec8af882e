use super::{LossScale, LossScaleEntry, Scale};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: LossScaleEntry = Entry {
    name: "static",
    summary: "the same factor from the first step to the last; a step whose gradient is not finite is left out",
    cite: "Micikevicius et al. 2018, arXiv:1710.03740, section 3.2",
    params: &[Param {
        key: "scale",
        kind: Kind::Float(Interval::closed(1.0, 16_777_216.0)),
        default: Default::Required,
        doc: "the factor; a power of two rounds nothing; training ends at the hundredth such step in a row",
    }],
    shorthand: Some("scale"),
    make: |settings| Box::new(Fixed { scale: settings.float("scale") }),
};

/// The step that would be the last of so many left out in a row ends training: nothing else would change.
const MOST_LEFT_OUT: u64 = 100;

struct Fixed {
    scale: f64,
}

impl LossScale for Fixed {
    fn initial(&self) -> f64 {
        self.scale
    }

    fn after(&self, scale: Scale, finite: bool) -> Option<Scale> {
        let Scale { value, streak, skipped } = scale;
        match finite {
            true => Some(Scale { streak: 0, ..scale }),
            false => (streak + 1 < MOST_LEFT_OUT).then_some(Scale { value, streak: streak + 1, skipped: skipped + 1 }),
        }
    }
}
