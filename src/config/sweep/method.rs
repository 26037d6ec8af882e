//! How a sweep chooses its points.

use super::{Axis, Values};
use crate::config::diagnostics::Diagnostic;
use crate::config::source::Origin;
use crate::config::wire::Table;
use crate::registry::Settings;

/// How points are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// All combinations.
    Grid,
    /// Independent draws.
    Random(Draws),
    /// A scrambled Sobol sequence, which covers the axes more evenly than independent draws.
    Sobol(Draws),
    /// Tree of Parzen estimators: what is tried follows from what came of the points before.
    Tpe(Search),
}

/// So many points, from a stream of this seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    pub points: u64,
    pub seed: u64,
}

/// A search that learns from results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    pub draws: Draws,
    /// So many points are drawn at random first.
    pub startup: u64,
    /// Points that may be under way together: point k follows from the results of points 0 to k − parallel, no more and
    /// no fewer, whenever trials really end.
    pub parallel: u64,
}

/// The longest Sobol sequence and the most axes: those of the table of direction numbers.
const SOBOL_POINTS: u64 = 1 << 16;
const SOBOL_AXES: usize = 256;

/// Reads the method, and reports settings that do not go with it.
pub(super) fn read(tree: &Table, settings: &Settings, axes: &[Axis], errors: &mut Vec<Diagnostic>) -> Option<Method> {
    let at = |key: &str| tree.get(key).map_or(Origin::Text { text: 0, span: 0..0 }, |field| field.node.origin.clone());
    let whole = |key: &str| settings.opt_int(key).map(i64::unsigned_abs);
    let name = settings.opt_text("method")?;
    if name != "tpe" {
        // Pruning, too, keeps to an order of its own.
        let prunes = tree.get("prune").is_some();
        let strays = ["startup", "parallel"].into_iter().filter(|key| !(prunes && *key == "parallel"));
        for key in strays.filter(|key| tree.get(key).is_some()) {
            let error = Diagnostic::new(at(key), format!("`{key}` means nothing to method `{name}`"));
            errors.push(error.help("leave it out, or search with `method = \"tpe\"`"));
        }
    }
    if name == "grid" {
        grid(tree, axes, errors, &at);
        return Some(Method::Grid);
    }
    if tree.get("points").is_none() {
        let error = Diagnostic::new(at("method"), format!("a sweep by `{name}` does not say how many points it tries"));
        errors.push(error.expected("`points = …`"));
    }
    let draws = Draws { points: whole("points")?, seed: whole("seed")? };
    match name.as_str() {
        "random" => Some(Method::Random(draws)),
        "sobol" => {
            if draws.points > SOBOL_POINTS || axes.len() > SOBOL_AXES {
                let key = if draws.points > SOBOL_POINTS { "points" } else { "method" };
                let message = format!("a Sobol sequence has {SOBOL_POINTS} points of {SOBOL_AXES} axes at most");
                errors.push(Diagnostic::new(at(key), message).help("draw more with `method = \"random\"`"));
            }
            Some(Method::Sobol(draws))
        }
        _ => Some(Method::Tpe(Search { draws, startup: whole("startup")?, parallel: whole("parallel")? })),
    }
}

fn grid(tree: &Table, axes: &[Axis], errors: &mut Vec<Diagnostic>, at: &dyn Fn(&str) -> Origin) {
    if tree.get("points").is_some() {
        let error = Diagnostic::new(at("points"), "a grid has as many points as its axes have combinations");
        errors.push(error.help("leave `points` out, or draw them with `method = \"random\"`"));
    }
    for axis in axes.iter().filter(|axis| !matches!(axis.values, Values::Choice(_))) {
        let message = format!("`{}` is drawn from a range, which a grid cannot go through", axis.name);
        let error = Diagnostic::new(axis.origin.clone(), message);
        errors.push(error.help("list its values, or draw points with `method = \"random\"` and `points = …`"));
    }
}
