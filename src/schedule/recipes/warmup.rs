use super::{EPOCHS, MOMENTUM, Misuse, Part, RATES, RecipeEntry, STEPS, curve_param, length, momentum, ordered, ramp};
use crate::registry::{Default, Entry, Kind, Param, Settings};

/// One phase from `from` to `lr`; with `from` a share of it, PyTorch's `LinearLR` stepped each batch.
pub static ENTRY: RecipeEntry = Entry {
    name: "warmup",
    summary: "the rate rises from zero, or from a small value, to that of the phases to come: one phase",
    cite: "Goyal et al. 2017 (arXiv:1706.02677)",
    params: &[
        EPOCHS,
        STEPS,
        Param {
            key: "lr",
            kind: Kind::Float(RATES),
            default: Default::Required,
            doc: "the learning rate that it rises to, which the next phase begins with",
        },
        Param {
            key: "from",
            kind: Kind::Float(RATES),
            default: Default::Toml("0.0"),
            doc: "the learning rate that it begins with",
        },
        MOMENTUM,
        curve_param("'linear'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    ordered(&ENTRY, settings, ["from", "lr"], "the rate rises from `from` to `lr`: give `lr` the larger one")?;
    let lr = ramp(settings.float("from"), settings.float("lr"), &settings.choice("curve"));
    Ok(vec![Part { length: length(settings)?, lr, momentum: momentum(settings) }])
}
