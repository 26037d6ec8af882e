//! Points at which a constraint cannot be judged: what it says of them is not that it does not hold.

use super::left_out::Named;
use super::point::Maker;
use super::words::{axes_of, pairs};
use crate::cli::Failure;
use crate::config::Diagnostics;
use crate::config::sweep::{Method, Sweep};
use crate::record::text::plural;
use crate::sweep::propose::random;
use crate::sweep::values;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// So many points that a search may propose are looked at before it begins.
const LOOKED_AT: u64 = 200;

/// Those that were looked at, with what is wrong.
#[derive(Default)]
pub struct Unjudged(RefCell<Vec<(String, Diagnostics)>>);

impl Unjudged {
    /// Why a point is not tried, as [`Maker::refusal`] has it; nor is it where that cannot be told, which is remembered.
    pub fn refusal(&self, maker: &Maker<'_>, point: &[String]) -> Option<String> {
        maker.refusal(point).unwrap_or_else(|errors| {
            let why = errors.first_message().to_owned();
            self.add(maker.sweep, point, errors);
            Some(why)
        })
    }

    fn add(&self, sweep: &Sweep, point: &[String], errors: Diagnostics) {
        self.0.borrow_mut().push((format!("the point {}", pairs(&axes_of(sweep), point)), errors));
    }

    /// Sees that there were none in a sweep that begins, nor would be among points that a search has still to propose, as far as some
    /// random ones tell.
    ///
    /// # Errors
    /// Which constraints cannot be judged, and where.
    pub fn refuse(self, maker: &Maker<'_>) -> Result<(), Failure> {
        let sweep = maker.sweep;
        if let (Method::Tpe(search), false) = (sweep.method, sweep.constraints.is_empty()) {
            let axes = values(sweep);
            for number in search.startup..search.draws.points.min(search.startup.saturating_add(LOOKED_AT)) {
                let point = random(&axes, search.draws.seed, number);
                let judged = sweep.experiment(&point).map_or(Ok(()), |loaded| sweep.broken(&point, &loaded).map(drop));
                if let Err(errors) = judged {
                    self.add(sweep, &point, errors);
                }
            }
        }
        Diagnostics::of_several(&self.0.into_inner(), usize::MAX).map_or(Ok(()), |errors| Err(errors.into()))
    }

    /// Says which they were, in place of which others are drawn. Of a grid's that is said with all that is left out.
    pub fn say(&self, sweep: &Sweep) {
        if sweep.method == Method::Grid {
            return;
        }
        let mut named: BTreeMap<String, Named> = BTreeMap::new();
        for (point, errors) in self.0.borrow().iter() {
            named.entry(errors.first_message().to_owned()).or_default().add(|| point.clone());
        }
        for (why, points) in named {
            anstream::eprintln!("passed over, for {why}: {}: {points}", plural(points.all as u64, "point"));
        }
    }
}
