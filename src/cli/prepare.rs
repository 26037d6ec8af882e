//! From a checked experiment to a plan: what only shows when the parts are put together, reported at its place in the
//! file.

use super::{Failure, groups, rules};
use crate::config::spec::Spec;
use crate::config::{Diagnostic, Diagnostics, Loaded, Source};
use crate::data::{DataError, Facts, FactsSource, Given, Request};
use crate::model::{self, Member};
use crate::nn::Shape;
use crate::plan::Plan;
use crate::record::WeightsFacts;
use crate::train::net::{self, parts};
use crate::train::{Weights, WeightsError};

/// How large an image is looked at when a net's smallest size is sought.
const LARGEST_SMALLEST: usize = 512;

/// What the experiment asks for of the data side.
pub fn request(spec: &Spec) -> Request<'_> {
    Request { dataset: &spec.data.dataset, root: spec.data.root.as_deref(), stand_in: spec.data.stand_in.as_ref() }
}

/// Makes the paths that an experiment names absolute: what is written down is read from anywhere.
///
/// # Errors
/// When the current folder cannot be told.
pub fn with_absolute_paths(spec: &mut Spec) -> anyhow::Result<()> {
    for path in [&mut spec.data.root, &mut spec.model.weights].into_iter().flatten() {
        *path = std::path::absolute(&*path)?;
    }
    Ok(())
}

/// The figures of the data set, without network.
///
/// # Errors
/// When its files are there but not whole.
pub fn facts(spec: &Spec) -> Result<Facts, DataError> {
    let data = &spec.data;
    let given = Given { train_images: data.train_images, val_images: data.val_images, classes: data.classes };
    crate::data::facts(&request(spec), &given)
}

/// Checks the experiment against what is known of its data set without network. Where that is a stand-in's figures, the
/// set itself may still be reached: the experiment is refused only when it fits neither.
///
/// # Errors
/// All that does not fit; files of the set that are there but not whole.
pub fn check(loaded: &Loaded) -> Result<(), Failure> {
    let facts = facts(&loaded.spec)?;
    let result = plan(loaded, &facts);
    if result.is_ok() && facts.source != FactsSource::StandIn {
        weights(loaded, &facts)?;
    } else if let Some(path) = &loaded.spec.model.weights {
        // Whether they fit shows once it is clear which set is used.
        Weights::read(path).map_err(|error| misplaced(&loaded.source, &error))?;
    }
    if facts.source == FactsSource::StandIn {
        let official = crate::data::sets::make(&loaded.spec.data.dataset).official();
        let fits = official.is_some_and(|official| plan(loaded, &official).is_ok());
        return Ok(result.map(drop).or_else(|errors| if fits { Ok(()) } else { Err(errors) })?);
    }
    Ok(result.map(drop)?)
}

/// Compiles the plan and builds the net at every size it uses.
///
/// # Errors
/// All that does not fit.
pub fn plan(loaded: &Loaded, facts: &Facts) -> Result<Plan, Diagnostics> {
    let Loaded { spec, source } = loaded;
    let mut errors = Vec::new();
    if let Some(classes) = spec.model.classes.filter(|classes| *classes < facts.classes) {
        let message = format!("a head of {classes} outputs for `{}`, which has {} classes", facts.name, facts.classes);
        errors.push(source.diagnostic("model.classes", message).help("leave `classes` out to have as many as the set"));
    }
    let mut members = None;
    for (k, phase) in spec.phases.iter().enumerate() {
        let size = phase.size.unwrap_or(facts.size);
        match model::members(&parts(spec, facts.classes), Shape::new(size, size, facts.channels)) {
            Ok(found) => members = members.or(Some(found)),
            Err(error) => errors.push(misfit(source, spec, facts, k, size, &error)),
        }
    }
    if let Some(members) = &members {
        errors.extend(rules::check(source, spec, members));
        errors.extend(groups::check(source, spec, members));
    }
    match Plan::compile(spec, facts) {
        Ok(plan) if errors.is_empty() => return Ok(plan),
        Ok(_) => {}
        Err(problems) => {
            errors.extend(problems.into_iter().map(|p| source.diagnostic(&p.path, p.message).help(p.help)));
        }
    }
    Err(source.diagnostics(errors))
}

/// The parameters of the net of an experiment that can be planned.
///
/// # Errors
/// When the net cannot be built, which planning would have found.
pub fn members(spec: &Spec, facts: &Facts) -> anyhow::Result<Vec<Member>> {
    Ok(spec.members(facts)?)
}

/// Sees that the net takes images of the size that `--size` gives.
///
/// # Errors
/// A usage error that names the smallest size.
pub fn check_size(spec: &Spec, facts: &Facts, size: usize) -> Result<(), Failure> {
    let Err(error) = net::graph(spec, facts, size) else { return Ok(()) };
    let help = match model::smallest_size(&parts(spec, facts.classes), facts.channels, LARGEST_SMALLEST) {
        Some(smallest) => format!("\nhelp: the smallest size that this net takes is {smallest}"),
        None => String::new(),
    };
    Err(Failure::Usage(format!("--size {size}: {error}{help}")))
}

/// Sees that the net can start from the file of `model.weights`, and gives its path and digest for the records.
///
/// # Errors
/// When it cannot: at the setting's place in the experiment.
pub fn weights(loaded: &Loaded, facts: &Facts) -> Result<Option<WeightsFacts>, Failure> {
    let Loaded { spec, source } = loaded;
    let Some(path) = &spec.model.weights else { return Ok(None) };
    let size = spec.phases.first().and_then(|phase| phase.size).unwrap_or(facts.size);
    let mut params = net::fresh_params(spec, facts, size).map_err(|e| Failure::Other(anyhow::Error::new(e)))?;
    let weights = Weights::read(path).map_err(|error| misplaced(source, &error))?;
    weights.start(&mut params).map_err(|error| misplaced(source, &error))?;
    Ok(Some(weights.facts()))
}

/// Weights that the net cannot start from.
fn misplaced(source: &Source, error: &WeightsError) -> Diagnostics {
    let message = format!("cannot start from {}: it {}", error.path.display(), error.problem);
    source.diagnostics(vec![source.diagnostic("model.weights", message).help(&error.help)])
}

/// A net that cannot be built at a phase's size: the size's fault where a larger one would do, else the pairing's.
fn misfit(
    source: &Source,
    spec: &Spec,
    facts: &Facts,
    phase: usize,
    size: usize,
    error: &model::PairingError,
) -> Diagnostic {
    let smallest = model::smallest_size(&parts(spec, facts.classes), facts.channels, LARGEST_SMALLEST);
    match smallest {
        Some(smallest) if size < smallest => source
            .diagnostic(&format!("phases[{phase}].size"), format!("images of {size}×{size} are too small: {error}"))
            .help(format!("the smallest size that this net takes is {smallest}")),
        _ => source.diagnostic(error.path, error.to_string()).help(format!("choose another {}", error.path)),
    }
}
