//! The `--set` that gives a phase the rate that was found for it.

use super::FindLrArgs;
use crate::cli::paths;
use crate::cli::recorded::Recorded;
use crate::config::Override;
use crate::config::spec::{PhaseSpec, Spec};
use crate::registry::{Kind, find};
use crate::schedule::recipes;
use crate::units::{number, rounded};

/// Relative slack in comparing rates: products of decimal fractions are no more exact.
const SLACK: f64 = 1e-9;

/// The setting and its value, `phases[1].lr.to=0.4`, with which phase `phase` has that rate; of a phase that a recipe has made, with
/// which that is the highest of the recipe: its other phases, such as one that leads in or runs out, are slow on purpose. Tried, as
/// `train.lr_batch` makes other rates of what is written. `None` where no single setting does it.
pub fn for_rate(args: &FindLrArgs, spec: &Spec, phase: usize, rate: &str) -> Option<String> {
    let target: f64 = rate.parse().ok()?;
    let setting = setting(&spec.phases[phase])?;
    // A phase's rates are in proportion to the setting, unless it is one end of a ramp whose other end is higher.
    let first = rate_with(args, phase, &format!("{setting}={rate}"))?;
    if is_close(first, target) {
        return Some(format!("{setting}={rate}"));
    }
    let set = format!("{setting}={}", number(rounded(target * (target / first))));
    is_close(rate_with(args, phase, &set)?, target).then_some(set)
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
