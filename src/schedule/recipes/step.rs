use super::places::{PLACE, Places, between, counted, end, in_unit, named};
use super::{EPOCHS, MOMENTUM, MOST_CYCLES, Misuse, Part, RATES, RecipeEntry, STEPS, fallen, length, momentum};
use crate::registry::{Default, Duration, Entry, Interval, Kind, Param, RampValue, Settings};
use crate::schedule::Length;
use crate::units::count;

/// Constant rates `lr·gamma^k`, the k-th from the k-th of `at` on: PyTorch's `MultiStepLR`, stepped each epoch. With
/// `every` in place of `at`, from k times that on: its `StepLR`.
pub static ENTRY: RecipeEntry = Entry {
    name: "step",
    summary: "a constant rate that falls by the same factor at given places: a phase for each",
    cite: "He et al. 2015 (arXiv:1512.03385); PyTorch's torch.optim.lr_scheduler.MultiStepLR and StepLR",
    params: &[
        EPOCHS,
        STEPS,
        Param { key: "lr", kind: Kind::Float(RATES), default: Default::Required, doc: "the learning rate at first" },
        Param {
            key: "at",
            kind: Kind::List(&PLACE),
            default: Default::Absent,
            doc: "the places, counted from the recipe's start, from which on the rate is lower: numbers of epochs, \
                  `\"500step\"`, or shares of the length, `[\"50%\", \"75%\"]`; either this or `every`",
        },
        Param {
            key: "every",
            kind: PLACE,
            default: Default::Absent,
            doc: "how far apart such places are, in place of `at`: a number of epochs, `\"500step\"`, or a share of the length",
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
    let (lr, gamma, whole) = (settings.float("lr"), settings.float("gamma"), length(settings)?);
    let falls = match (settings.0.contains_key("at"), settings.opt_duration("every")) {
        (true, None) => at(settings, whole)?,
        (false, Some(every)) => apart(every, whole)?,
        (true, Some(_)) => {
            let help = "give one of the two: the places of the falls, or how far apart they are";
            return Err(Misuse::new("every", "`every` beside `at`", help));
        }
        (false, None) => {
            let help = "give `at = [30, 60]`, or `every = 30`";
            return Err(Misuse::new("at", "the recipe does not say when the rate falls", help));
        }
    };
    let (unit, end) = in_unit(whole);
    let borders: Vec<f64> = [0.0].into_iter().chain(falls).chain([end]).collect();
    let part = |(k, border): (usize, &[f64])| Part {
        length: between(unit, border[0], border[1]),
        lr: RampValue::constant(fallen(lr, gamma, k)),
        momentum: momentum(settings),
    };
    Ok(borders.windows(2).enumerate().map(part).collect())
}

/// The places of the falls as they are given.
fn at(settings: &Settings, whole: Length) -> Result<Vec<f64>, Misuse> {
    let places = Places::new(settings, "at", Some(whole))?;
    places.ascend(false)?;
    if places.at.first() == Some(&0.0) {
        return Err(Misuse::new("at[0]", "a fall where the recipe begins", "give `lr` the rate that it begins with"));
    }
    if let Some(k) = places.at.iter().position(|at| *at >= in_unit(whole).1) {
        let message = format!("{} is not before the end, which is {}", places.named(k), end(whole));
        return Err(Misuse::new(format!("at[{k}]"), message, "leave it out, or make the recipe longer"));
    }
    Ok(places.at)
}

/// The places of falls that are so far apart.
fn apart(every: Duration, whole: Length) -> Result<Vec<f64>, Misuse> {
    let (unit, amount) = in_unit(whole);
    let span = counted("every", every, unit, Some(whole))?;
    // Less than that is what rounding leaves.
    let parts = (amount / span - 1e-9).ceil();
    if parts > MOST_CYCLES as f64 + 1.0 {
        let message = format!("{every} apart, there would be more than {} falls", count(MOST_CYCLES.unsigned_abs()));
        return Err(Misuse::new("every", message, "give a larger `every`"));
    }
    if parts < 2.0 {
        let message = format!("{} is not before the end, which is {}", named(every), end(whole));
        return Err(Misuse::new("every", message, "give a smaller `every`, or make the recipe longer"));
    }
    Ok((1..parts as usize).map(|k| k as f64 * span).collect())
}
