use super::places::{PLACE, Places, between, end, in_unit};
use super::{EPOCHS, MOMENTA, MOMENTUM, Misuse, Part, RATES, RecipeEntry, STEPS, curve_param, numbers, ramp, whole};
use crate::registry::{Default, Entry, Kind, Param, Settings, Value};

/// From knot to knot: at the place `at[k]` the rate is `lr[k]`, between two knots it follows the curve. Two knots at one
/// place are a jump: the rate is that of the second from there on.
pub static ENTRY: RecipeEntry = Entry {
    name: "piecewise",
    summary: "the rate goes in straight lines, or along a curve, from one given value at a given place to the next",
    cite: "Page 2018, How to Train Your ResNet (PiecewiseLinear); numpy.interp",
    params: &[
        Param { doc: "length of the whole, in passes over the training set; left out: up to the last knot", ..EPOCHS },
        Param { doc: "length of the whole, in optimizer steps, in place of `epochs`", ..STEPS },
        Param {
            key: "at",
            kind: Kind::List(&PLACE),
            default: Default::Required,
            doc: "the places of the knots, counted from the recipe's start: numbers of epochs, `\"500step\"`, or shares of a \
                  given length, `[\"0%\", \"23%\", \"100%\"]`; the first is 0, the last the end; the same twice is a jump",
        },
        Param {
            key: "lr",
            kind: Kind::List(&Kind::Float(RATES)),
            default: Default::Required,
            doc: "the learning rate at each knot",
        },
        Param {
            kind: Kind::Numbers(MOMENTA),
            doc: "momentum throughout, or at each knot, beta 1 of Adam-like optimizers; left out: 0.9, for rmsprop 0",
            ..MOMENTUM
        },
        curve_param("'linear'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (lr, curve, whole) = (numbers(settings, "lr"), settings.choice("curve"), whole(settings)?);
    let knots = settings.list("at").len();
    if knots != lr.len() {
        let message = format!("{knots} places in `at` and {} rates in `lr`", lr.len());
        return Err(Misuse::new("lr", message, "each knot has one of both: `at = [0, 5, 24]`, `lr = [0.0, 0.4, 0.0]`"));
    }
    if knots < 2 {
        return Err(Misuse::new("at", "fewer than two knots", "give the start, the end, and what lies between"));
    }
    let places = Places::new(settings, "at", whole)?;
    let (at, last) = (&places.at, knots - 1);
    if at[0] != 0.0 {
        let message = format!("the first knot is at {}, not at 0", places.named(0));
        return Err(Misuse::new("at[0]", message, "places are counted from the recipe's own start"));
    }
    places.ascend(true)?;
    if let Some(k) = (1..knots).find(|k| at[*k] == at[k - 1] && (*k == 1 || *k == last || at[*k] == at[k - 2])) {
        let [message, help] = match k {
            1 => ["a jump at the start: no step would use the rate before it", "leave the first knot out"],
            k if k == last => ["a jump at the end: no step would use the rate behind it", "leave the last knot out"],
            _ => ["a third knot at one place", "two are a jump, from the rate of the first to that of the second"],
        };
        return Err(Misuse::new(format!("at[{k}]"), message, help));
    }
    if let Some(whole) = whole
        && (at[last] - in_unit(whole).1).abs() > 1e-9 * at[last]
    {
        let message = format!("the last knot is at {}, and the end at {}", places.named(last), end(whole));
        let help = "give it the place `\"100%\"`; without `epochs` and `steps` the last knot is the end";
        return Err(Misuse::new(format!("at[{last}]"), message, help));
    }
    let momenta = momenta(settings, knots)?;
    let part = |k: usize| Part {
        length: between(places.unit, at[k], at[k + 1]),
        lr: ramp(lr[k], lr[k + 1], &curve),
        momentum: momenta.as_ref().map(|momenta| ramp(momenta[k], momenta[k + 1], &curve)),
    };
    Ok((0..last).filter(|k| at[*k] < at[k + 1]).map(part).collect())
}

/// The momentum at each knot.
fn momenta(settings: &Settings, knots: usize) -> Result<Option<Vec<f64>>, Misuse> {
    let momenta = match settings.0.get("momentum") {
        None => return Ok(None),
        Some(Value::Float(momentum)) => vec![*momentum; knots],
        Some(_) => numbers(settings, "momentum"),
    };
    if momenta.len() != knots {
        let message = format!("{} items in `momentum` and {knots} places in `at`", momenta.len());
        return Err(Misuse::new("momentum", message, "give one for each knot, or one number for all"));
    }
    Ok(Some(momenta))
}
