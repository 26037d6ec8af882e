use super::{MOMENTUM, Misuse, Part, RATES, RecipeEntry, ascending, momentum, numbers};
use crate::registry::{Default, Entry, Interval, Kind, Param, RampValue, Settings};
use crate::schedule::Length;

/// Constant rates `lr·gamma^k`, the k-th from the k-th of `at` on: PyTorch's `MultiStepLR`, stepped each epoch.
pub static ENTRY: RecipeEntry = Entry {
    name: "step",
    summary: "a constant rate that falls by the same factor at given epochs: a phase for each",
    cite: "He et al. 2015 (arXiv:1512.03385); PyTorch's torch.optim.lr_scheduler.MultiStepLR",
    params: &[
        Param {
            key: "epochs",
            kind: Kind::Float(Interval { min: 0.0, max: 1e6, min_open: true, max_open: false }),
            default: Default::Required,
            doc: "length of the whole, in passes over the training set",
        },
        Param { key: "lr", kind: Kind::Float(RATES), default: Default::Required, doc: "the learning rate at first" },
        Param {
            key: "at",
            kind: Kind::List(&Kind::Float(Interval::above(0.0))),
            default: Default::Required,
            doc: "the epochs, counted from the recipe's start, from which on the rate is lower",
        },
        Param {
            key: "gamma",
            kind: Kind::Float(Interval { min: 0.0, max: 1e6, min_open: true, max_open: false }),
            default: Default::Toml("0.1"),
            doc: "what the rate is multiplied by each time",
        },
        MOMENTUM,
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (lr, epochs, at) = (settings.float("lr"), settings.float("epochs"), numbers(settings, "at"));
    ascending("at", &at)?;
    if let Some(k) = at.iter().position(|at| *at >= epochs) {
        let message = format!("epoch {} is not before the end, which is epoch {epochs}", at[k]);
        return Err(Misuse::new(format!("at[{k}]"), message, "give a larger `epochs`, or leave it out"));
    }
    let borders: Vec<f64> = [0.0].into_iter().chain(at).chain([epochs]).collect();
    let part = |(k, border): (usize, &[f64])| Part {
        length: Length::Epochs(border[1] - border[0]),
        // Divided, for 1/0.1 is exactly 10: multiplied, 0.5·0.1² would be 0.005000000000000001.
        lr: RampValue::constant(lr / (1.0 / settings.float("gamma")).powi(k as i32)),
        momentum: momentum(settings),
    };
    Ok(borders.windows(2).enumerate().map(part).collect())
}
