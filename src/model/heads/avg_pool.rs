use super::{HeadEntry, LINEAR_PARAMS, PoolLinear};
use crate::nn::layers::Pool;
use crate::registry::Entry;

pub static ENTRY: HeadEntry = Entry {
    name: "avg-pool",
    summary: "average over all pixels, then a linear layer",
    cite: "Lin et al. 2013 (arXiv:1312.4400), section 3.2; He et al. 2015 (arXiv:1512.03385)",
    params: LINEAR_PARAMS,
    shorthand: None,
    make: |settings, classes| Box::new(PoolLinear::new(Pool::global_avg(), settings, classes)),
};
