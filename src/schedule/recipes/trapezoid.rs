use super::{EPOCHS, MOMENTUM, Misuse, Part, RATES, RecipeEntry, STEPS, curve_param, length, momentum, ordered, ramp};
use crate::registry::{Choice, Default, Entry, Interval, Kind, Param, RampValue, Settings};
use crate::units::number;

/// Rises in a straight line, stays, and falls in the end:
///
/// ```text
/// rise      from → lr, linear
/// the rest  lr
/// fall      lr → to, by the curve
/// ```
///
/// Without `rise` it begins at its height; that, with the curve `cosine`, is fast.ai's `fit_flat_cos`, whose `pct_start` is
/// `1 − fall` here and whose `div_final` is `lr/to`. With a rise it is what is also called warm-up, stable, decay. A length is
/// cheap to change afterwards: runs of any length have the same beginning, up to the fall.
pub static ENTRY: RecipeEntry = Entry {
    name: "trapezoid",
    summary: "the rate rises where it is asked to, stays, and falls in the last part: up to three phases",
    cite: "fast.ai 2019, fit_flat_cos; Zhai et al. 2022 (arXiv:2106.04560), section 3.4; Hägele et al. 2024 (arXiv:2405.18392)",
    params: &[
        EPOCHS,
        STEPS,
        Param {
            key: "lr",
            kind: Kind::Float(RATES),
            default: Default::Required,
            doc: "the learning rate where it stays",
        },
        Param {
            key: "rise",
            kind: SHARE,
            default: Default::Absent,
            doc: "share of the length in which the rate rises to that; left out: it begins there",
        },
        Param {
            key: "fall",
            kind: SHARE,
            default: Default::Toml("0.25"),
            doc: "share of the length, the last, in which it falls",
        },
        Param {
            key: "from",
            kind: Kind::Float(RATES),
            default: Default::Toml("0.0"),
            doc: "the learning rate that a rise begins with",
        },
        Param {
            key: "to",
            kind: Kind::Float(RATES),
            default: Default::Toml("0.0"),
            doc: "the learning rate that the fall ends with",
        },
        MOMENTUM,
        Param { doc: "how the rate falls; it rises in a straight line", ..curve_param("'cosine'") },
    ],
    shorthand: None,
    make: expand,
};

/// Not nothing: a part of no length is no part.
const SHARE: Kind = Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false });

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    ordered(&ENTRY, settings, ["to", "lr"], "the rate falls from `lr` to `to`: give `lr` the larger one")?;
    let (top, momentum) = (settings.float("lr"), momentum(settings));
    let (rise, fall) = (settings.opt_float("rise"), settings.float("fall"));
    if rise.is_some() {
        ordered(&ENTRY, settings, ["from", "lr"], "the rate rises from `from` to `lr`: give `lr` the larger one")?;
    } else if settings.float("from") > 0.0 {
        let help = "give `rise`, the share of the length in which it rises, or take `from` out";
        return Err(Misuse::new("from", "`from` without `rise`: the rate begins at `lr`", help));
    }
    let stays = 1.0 - rise.unwrap_or(0.0) - fall;
    // Less than that is what rounding leaves.
    if stays < -1e-9 {
        let message = format!(
            "a rise over {} of the length leaves no {} for the fall",
            number(rise.unwrap_or(0.0)),
            number(fall)
        );
        return Err(Misuse::new("rise", message, "give a smaller `rise` or `fall`: together they are at most 1"));
    }
    let legs = [
        rise.map(|share| (share, ramp(settings.float("from"), top, &Choice::plain("linear")))),
        (stays > 1e-9).then(|| (stays, RampValue::constant(top))),
        Some((fall, ramp(top, settings.float("to"), &settings.choice("curve")))),
    ];
    let (shares, rates): (Vec<f64>, Vec<RampValue>) = legs.into_iter().flatten().unzip();
    let lengths = length(settings)?.parts(&shares);
    Ok(lengths.into_iter().zip(rates).map(|(length, lr)| Part { length, lr, momentum: momentum.clone() }).collect())
}
