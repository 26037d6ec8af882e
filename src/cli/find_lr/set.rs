//! The `--set` that gives a phase the rate that was found for it.

use super::FindLrArgs;
use crate::cli::paths;
use crate::cli::recorded::Recorded;
use crate::config::spec::{PhaseSpec, Spec};
use crate::config::{Override, write_ramp};
use crate::registry::{Across, Kind, RampValue, find};
use crate::schedule::recipes;
use crate::units::{number, rounded};

/// Relative slack in comparing rates: products of decimal fractions are no more exact.
const SLACK: f64 = 1e-9;

/// What gives a phase a rate.
pub struct Setting {
    /// To paste: `phases[1].lr.to=0.4`.
    pub set: String,
    /// Whether it moves both ends of a ramp, as the one that is not the highest would lie above the other.
    pub both_ends: bool,
}

/// The setting with which phase `phase` has that rate; of a phase that a recipe has made, with which that is the highest of the
/// recipe: its other phases, such as one that leads in or runs out, are slow on purpose. Tried, as `train.lr_batch` makes other rates
/// of what is written.
///
/// # Errors
/// Why not, where no single setting does it.
pub fn for_rate(args: &FindLrArgs, spec: &Spec, phase: usize, rate: &str) -> Result<Setting, String> {
    let target: f64 = rate.parse().unwrap_or(f64::NAN);
    let of = &spec.phases[phase];
    if of.lr.across == Across::Continues {
        let began = (0..phase).rev().find(|k| spec.phases[*k].lr.across != Across::Continues).unwrap_or(0);
        let began = spec.phases[began].source;
        return Err(format!(
            "No single setting gives phase {phase} that rate: it lies below a curve that began before, phases[{began}].lr."
        ));
    }
    let Some(setting) = setting(of) else {
        let recipe = of.recipe.as_deref().unwrap_or_default();
        return Err(format!(
            "No single setting gives phase {phase} that rate: the rates of the recipe `{recipe}` are given one by one. Change \
             those of phases[{}].",
            of.source
        ));
    };
    let one = tried(args, phase, target, |rate| Some(format!("{setting}={}", number(rate))));
    let both = || match of.recipe {
        Some(_) => None,
        None => tried(args, phase, target, |rate| whole(of, rate)),
    };
    let found = one.map(|set| Setting { set, both_ends: false });
    found.or_else(|| both().map(|set| Setting { set, both_ends: true })).ok_or_else(|| {
        format!("No single setting was found that gives phase {phase} that rate: its rate follows from others. Try {setting}.")
    })
}

/// What is written of a rate, where the phase then has the rate `target`: as it is or, as rates are in proportion to what is written,
/// as much more or less as came out otherwise.
fn tried(args: &FindLrArgs, phase: usize, target: f64, written: impl Fn(f64) -> Option<String>) -> Option<String> {
    let plain = written(target)?;
    let first = rate_with(args, phase, &plain)?;
    if is_close(first, target) {
        return Some(plain);
    }
    let set = written(rounded(target * (target / first)))?;
    is_close(rate_with(args, phase, &set)?, target).then_some(set)
}

/// A phase's ramp as one setting whose higher end is `rate`: the other end in proportion, along the same curve.
fn whole(phase: &PhaseSpec, rate: f64) -> Option<String> {
    let PhaseSpec { source, lr, .. } = phase;
    let to = lr.to?;
    let part = rate / to.max(lr.from);
    let ramp = RampValue { from: rounded(lr.from * part), to: Some(rounded(to * part)), ..lr.clone() };
    Some(format!("phases[{source}].lr={}", write_ramp(&ramp)))
}

/// The setting that a rate belongs in: the phase's rate or, of one that moves, its higher end; that of a recipe, which stands
/// for the phase, where it has one.
fn setting(phase: &PhaseSpec) -> Option<String> {
    let PhaseSpec { source, recipe, lr, .. } = phase;
    if let Some(recipe) = recipe {
        let entry = find(recipes::ENTRIES, recipe).expect("a checked recipe is known");
        let has_one = entry.params.iter().any(|param| param.key == "lr" && matches!(param.kind, Kind::Float(_)));
        return has_one.then(|| format!("phases[{source}].lr"));
    }
    let end = match lr.to {
        None => "",
        Some(to) if to > lr.from => ".to",
        Some(_) => ".from",
    };
    Some(format!("phases[{source}].lr{end}"))
}

/// The highest rate of a phase, or of the recipe that has made it, with such a setting besides those of the command line.
fn rate_with(args: &FindLrArgs, phase: usize, set: &str) -> Option<f64> {
    let overrides = [args.overrides.list(), vec![Override::Set(set.to_owned())]].concat();
    let loaded = match (&args.from, &args.config) {
        (Some(run), _) => Recorded::read_with(paths::run(run).ok()?, &overrides).ok()?.loaded,
        (None, config) => paths::load(config.as_ref()?, &overrides).ok()?,
    };
    let phases = &loaded.spec.phases;
    let PhaseSpec { source, recipe, .. } = phases.get(phase)?;
    let is_meant = |of: &PhaseSpec| of.source == *source && recipe.is_some();
    let highest = |of: &PhaseSpec| of.lr.to.map_or(of.lr.from, |to: f64| to.max(of.lr.from));
    let of_recipe = phases.iter().filter(|of| is_meant(of)).map(highest).reduce(f64::max);
    Some(of_recipe.unwrap_or_else(|| highest(&phases[phase])))
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= SLACK * b
}
