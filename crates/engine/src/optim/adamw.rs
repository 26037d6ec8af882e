use super::OptimizerEntry;
use super::decay::Decay;
use super::moments::{self, Adam, Moments};
use crate::registry::Entry;

pub static ENTRY: OptimizerEntry = Entry {
    name: "adamw",
    summary: "adam whose weight decay acts on the weights, beside the step: each step takes lr·wd of them away",
    cite: "Loshchilov and Hutter 2019 (arXiv:1711.05101); PyTorch's torch.optim.AdamW",
    params: moments::PARAMS,
    shorthand: None,
    make: |settings, len| Box::new(Adam::new(Moments::new(settings, len), Decay::Decoupled)),
};
