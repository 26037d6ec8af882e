use super::OptimizerEntry;
use super::decay::Decay;
use super::moments::{self, Adam, Moments};
use crate::registry::Entry;

pub static ENTRY: OptimizerEntry = Entry {
    name: "adam",
    summary: "steps along the mean gradient over its root mean square; weight decay is part of the gradient",
    cite: "Kingma and Ba 2015 (arXiv:1412.6980); PyTorch's torch.optim.Adam",
    params: moments::PARAMS,
    shorthand: None,
    make: |settings, len| Box::new(Adam::new(Moments::new(settings, len), Decay::Coupled)),
};
