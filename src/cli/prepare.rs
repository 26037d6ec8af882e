//! From a checked experiment to a plan: what only shows when the parts are put together, reported at its place in the
//! file.

use super::{Failure, groups, rules};
use crate::config::spec::{SetSpec, Spec};
use crate::config::suggest::nearest;
use crate::config::{Diagnostic, Diagnostics, Loaded, Source};
use crate::data::resize::Extent;
use crate::data::{DataError, Facts, FactsSource};
use crate::model::{self, Member};
use crate::nn::{Params, Shape};
use crate::paint::{Misplaced, Objective};
use crate::plan::Plan;
use crate::record::WeightsFacts;
use crate::task::{self, Painting};
use crate::train::net::{self, parts};
use crate::train::{PaintJob, Pictures, Weights, WeightsError, memory_needed, painting_facts};

/// How large an image is looked at when a net's smallest size is sought.
const LARGEST_SMALLEST: usize = 512;
/// The size of pictures that are not there.
const ABSENT: usize = 256;

/// Makes the paths that an experiment names absolute: what is written down is read from anywhere.
///
/// # Errors
/// When the current folder cannot be told.
pub fn with_absolute_paths(spec: &mut Spec) -> anyhow::Result<()> {
    if let Some(path) = &mut spec.model.weights {
        *path = std::path::absolute(&*path)?;
    }
    if let Some(task) = &mut spec.task {
        let absolute = |path: &str| Ok::<_, std::io::Error>(std::path::absolute(path)?.to_string_lossy().into_owned());
        Painting::change_files(task, absolute)?;
    }
    spec.change_roots(|root| Ok(Some(std::path::absolute(root)?)))
}

/// The figures of each of the experiment's data sets, without network.
///
/// # Errors
/// When the files of one are there but not whole.
pub fn facts(spec: &Spec) -> Result<Vec<Facts>, DataError> {
    if let Some(painting) = task::painting(spec.task.as_ref()) {
        // Where phases give no size it is the pictures' own; while they are absent, any will do. Else no file is looked at.
        let own = || Pictures::read(&painting).map_or(ABSENT, |pictures| pictures.facts(&painting).size);
        return Ok(vec![painting_facts(&painting, spec.phases[0].size.unwrap_or_else(own))]);
    }
    spec.sets().iter().map(|set| crate::data::facts(&spec.request(set), &set.given())).collect()
}

/// Sees that an experiment trains a net on labelled images.
///
/// # Errors
/// A usage error where it paints.
pub fn trains(spec: &Spec) -> Result<(), Failure> {
    if spec.task.is_none() {
        return Ok(());
    }
    let help = "`runner train` paints, `runner plan` and `runner model` show what it will do";
    Err(Failure::Usage(format!("`{}` paints: it has no data set\nhelp: {help}", spec.name)))
}

/// Checks the experiment against what is known of its data sets without network. Where that is a stand-in's figures, the
/// set itself may still be reached: the experiment is refused only when it fits neither.
///
/// # Errors
/// All that does not fit; files of a set that are there but not whole.
pub fn check(loaded: &Loaded) -> Result<(), Failure> {
    let facts = facts(&loaded.spec)?;
    let result = plan(loaded, &facts);
    let stands_in = |facts: &Facts| facts.source == FactsSource::StandIn;
    let some_absent = facts.iter().any(stands_in);
    if result.is_ok() && !some_absent {
        weights(&loaded.spec.for_sets(&facts), &loaded.source, &facts[0])?;
    } else if let Some(path) = &loaded.spec.model.weights {
        // Whether they fit shows once it is clear which set is used.
        Weights::read(path).map_err(|error| misplaced(&loaded.source, &error))?;
    }
    if some_absent {
        let itself = |(set, facts): (&SetSpec, &Facts)| match stands_in(facts) {
            true => crate::data::sets::make(&set.dataset).official(),
            false => Some(facts.clone()),
        };
        let official: Option<Vec<Facts>> = loaded.spec.sets().iter().zip(&facts).map(itself).collect();
        let fits = official.is_some_and(|official| plan(loaded, &official).is_ok());
        return Ok(result.map(drop).or_else(|errors| if fits { Ok(()) } else { Err(errors) })?);
    }
    Ok(result.map(drop)?)
}

/// Compiles the plan and builds the net at every size it uses. `facts`: of each of the spec's sets.
///
/// # Errors
/// All that does not fit.
pub fn plan(loaded: &Loaded, facts: &[Facts]) -> Result<Plan, Diagnostics> {
    let (spec, source) = (&loaded.spec.for_sets(facts), &loaded.source);
    let mut errors = Vec::new();
    for of in facts {
        if let Some(classes) = spec.model.classes.filter(|classes| *classes < of.classes) {
            let message = format!("a head of {classes} outputs for `{}`, which has {} classes", of.name, of.classes);
            let error = source.diagnostic("model.classes", message);
            errors.push(error.help("leave `classes` out to have as many as the set"));
        }
    }
    let mut members = None;
    for (k, (phase, set)) in spec.phases.iter().zip(spec.sets_by_phase().1).enumerate() {
        let size = phase.size.unwrap_or(facts[set].size);
        match model::members(&parts(spec, facts[0].classes), Shape::new(size, size, facts[0].channels)) {
            Ok(found) => members = members.or(Some(found)),
            // It may take no more of the net than there is room for.
            Err(_) if spec.task.is_some() => {}
            Err(error) => errors.push(misfit(source, spec, &facts[0], k, size, &error)),
        }
    }
    if let Some(members) = &members {
        errors.extend(rules::check(source, spec, members));
        errors.extend(groups::check(source, spec, members));
    }
    if let Some(painting) = task::painting(spec.task.as_ref()) {
        let sizes = spec.phases.iter().map(|phase| phase.size.unwrap_or(facts[0].size));
        let misplaced = |(k, size)| misplaced_layers((source, spec), &facts[0], &painting, k, Extent::square(size));
        errors.extend(sizes.enumerate().find_map(misplaced));
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

/// A term of a painting's loss at a layer that the net does not have, or not for images as small as those of a phase.
fn misplaced_layers(
    (source, spec): (&Source, &Spec),
    facts: &Facts,
    painting: &Painting,
    phase: usize,
    extent: Extent,
) -> Option<Diagnostic> {
    let (graph, end) = match net::some_of(spec, facts, extent) {
        Ok((graph, end)) => (graph, end),
        Err(error) => return Some(source.diagnostic(error.path, error.to_string())),
    };
    let Misplaced { path, looked } = Objective::names(painting, &graph).err()?;
    if let Some(end) = end {
        let message = format!("images of {extent} are too small: {}, for {end}", looked.message);
        let place = format!("phases[{phase}].size");
        return Some(source.diagnostic(&place, message).help("give a larger size, or layers that come earlier"));
    }
    let error = source.diagnostic(&format!("task.{path}"), &looked.message);
    if looked.names.is_empty() {
        return Some(error.help("give one for each layer, in the order of `layers`, or leave `weights` out"));
    }
    let rules = match looked.pools {
        0 => String::new(),
        pools => format!("; `before-pools`, or `before-pool-1` to `before-pool-{pools}`"),
    };
    let (first, last) = (&looked.names[0], &looked.names[looked.names.len() - 1]);
    let asked = looked.message.split('`').nth(1).unwrap_or_default();
    let near = nearest(asked, looked.names.iter().map(String::as_str));
    let error = error.expected(format!("the name of a layer as `runner model` shows it, `{first}` to `{last}`{rules}"));
    Some(error.did_you_mean(near))
}

/// Sees that a painting fits, in every phase: layers into its images, and all into memory.
///
/// # Errors
/// When it does not: at the phase's size, with one that would fit.
pub fn painting(job: &PaintJob, source: &Source, free: Option<usize>) -> Result<(), Failure> {
    let facts = job.pictures.facts(&job.painting);
    for (k, phase) in job.plan.phases.iter().enumerate() {
        if let Some(error) = misplaced_layers((source, &job.spec), &facts, &job.painting, k, job.extent(k)) {
            return Err(source.diagnostics(vec![error]).into());
        }
        let needed = memory_needed(job, phase, phase.size)?;
        let Some(free) = free.filter(|free| needed > *free) else { continue };
        let (mut fits, mut over) = (0, phase.size);
        while over - fits > 1 {
            let middle = fits.midpoint(over);
            match memory_needed(job, phase, middle) {
                Ok(needed) if needed > free => over = middle,
                _ => fits = middle,
            }
        }
        let gib = |bytes: usize| format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30));
        let message = format!("images of {} take {}, and {} are free", job.extent(k), gib(needed), gib(free));
        let error = source.diagnostic(&format!("phases[{k}].size"), message).help(format!("size {fits} would fit"));
        return Err(source.diagnostics(vec![error]).into());
    }
    Ok(())
}

/// The parameters of the net of an experiment that can be planned.
///
/// # Errors
/// When the net cannot be built, which planning would have found.
pub fn members(spec: &Spec, facts: &Facts) -> anyhow::Result<Vec<Member>> {
    // Of a net that is frozen no rule speaks.
    if spec.task.is_some() { Ok(Vec::new()) } else { Ok(spec.members(facts)?) }
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
pub fn weights(spec: &Spec, source: &Source, facts: &Facts) -> Result<Option<WeightsFacts>, Failure> {
    let Some(path) = &spec.model.weights else { return Ok(None) };
    let size = spec.phases.first().and_then(|phase| phase.size).unwrap_or(facts.size);
    let weights = Weights::read(path).map_err(|error| misplaced(source, &error))?;
    let published = model::backbones::published(&spec.model.backbone);
    if let Some(painting) = task::painting(spec.task.as_ref()) {
        let (graph, _) = net::some_of(spec, facts, Extent::square(size)).map_err(anyhow::Error::new)?;
        let looked = graph.until(&Objective::values(&painting, &graph).map_err(anyhow::Error::new)?);
        let mut params = Params::new(looked.params(), looked.stats(), spec.seed);
        weights.start_part(&mut params, published).map_err(|error| misplaced(source, &error))?;
        return Ok(Some(weights.facts()));
    }
    let mut params = net::fresh_params(spec, facts, size).map_err(|e| Failure::Other(anyhow::Error::new(e)))?;
    weights.start(&mut params, published).map_err(|error| misplaced(source, &error))?;
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
