use super::{HeadEntry, LINEAR_PARAMS, PoolLinear};
use crate::nn::layers::Pool;
use crate::registry::Entry;

pub static ENTRY: HeadEntry = Entry {
    name: "max-pool",
    summary: "maximum over all pixels, then a linear layer",
    cite: "Page 2018, How to Train Your ResNet",
    params: LINEAR_PARAMS,
    shorthand: None,
    make: |settings, classes| Box::new(PoolLinear::new(Pool::global_max(), settings, classes)),
};
