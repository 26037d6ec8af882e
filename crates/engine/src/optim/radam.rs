use super::OptimizerEntry;
use super::decay::{self, Decay};
use super::moments::{Adam, BETA2, EPS, Moments};
use crate::registry::Entry;

pub static ENTRY: OptimizerEntry = Entry {
    name: "radam",
    summary: "adam that warms up by itself: plain momentum at first, then steps as long as what is known of the mean square allows; \
              with lookahead this is Ranger",
    cite: "Liu et al. 2020 (arXiv:1908.03265); PyTorch's torch.optim.RAdam",
    params: &[BETA2, EPS, decay::PARAM],
    shorthand: None,
    make: |settings, len| Box::new(Adam::new(Moments::new(settings, len).rectified(), Decay::of(settings))),
};
