//! From a checked experiment to a plan: what only shows when the parts are put together, reported at its place in the
//! file.

use super::plan::data_line;
use super::{Failure, groups, rules};
use crate::config::spec::{SetSpec, Spec};
use crate::config::suggest::{nearest, quoted};
use crate::config::{Diagnostic, Diagnostics, Loaded, Source};
use crate::data::resize::Extent;
use crate::data::{DataError, Dataset, Facts, FactsSource};
use crate::model::{self, Member};
use crate::nn::{Params, Shape};
use crate::paint::{Misplaced, Objective};
use crate::plan::{Plan, PlannedPhase};
use crate::record::WeightsFacts;
use crate::record::folder::file;
use crate::record::text::plural;
use crate::task::{self, Painting};
use crate::train::net::{self, parts};
use crate::train::{Needs, PaintJob, Pictures, Tape, Weights, WeightsError, memory_needed, needs, painting_facts};
use crate::units::{self, count};
use std::collections::BTreeSet;
use std::sync::Arc;

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

/// Whether the figures are those of a set that stands in for another.
pub fn is_stand_in(facts: &Facts) -> bool {
    facts.source == FactsSource::StandIn
}

/// The figures with the official ones of the sets themselves in the place of a stand-in's. `None` where nothing stands in, or
/// for a set that has none.
pub fn official(spec: &Spec, facts: &[Facts]) -> Option<Vec<Facts>> {
    let itself = |(set, facts): (&SetSpec, &Facts)| match is_stand_in(facts) {
        true => crate::data::sets::make(&set.dataset).official(),
        false => Some(facts.clone()),
    };
    facts.iter().any(is_stand_in).then(|| spec.sets().iter().zip(facts).map(itself).collect())?
}

/// Whether official figures took the place of a stand-in's: with a stand-in, a set that is absent has none otherwise.
pub fn is_beyond_stand_in(spec: &Spec, facts: &[Facts]) -> bool {
    spec.data.stand_in.is_some() && facts.iter().any(|facts| facts.source == FactsSource::Official)
}

/// What to say besides a plan: of the figures that it was made with, as [`of_figures`] has it, and of weights that are missing.
pub fn notices(spec: &Spec, facts: &[Facts], are_shown: bool) -> impl Iterator<Item = String> {
    [of_figures(spec, facts, are_shown), missing_weights(spec)].into_iter().flatten()
}

/// What to say of the figures of sets for which another stands in; nothing where a table shows them, unless they are not the
/// stand-in's.
fn of_figures(spec: &Spec, facts: &[Facts], are_shown: bool) -> Option<String> {
    let stand_in = &spec.data.stand_in.as_ref()?.kind;
    let sets = spec.sets();
    let of = |source: FactsSource| {
        let sets = sets.iter().zip(facts).filter(|(_, facts)| facts.source == source);
        quoted(sets.map(|(set, _)| set.dataset.kind.as_str()))
    };
    let said = if is_beyond_stand_in(spec, facts) {
        let sets = of(FactsSource::Official);
        format!("planned with the official figures of {sets}: what is asked for does not fit the stand-in `{stand_in}`")
    } else if facts.iter().any(is_stand_in) && !are_shown {
        format!("planned with the figures of `{stand_in}`, which stands in for {}", of(FactsSource::StandIn))
    } else {
        return None;
    };
    let lines = facts.iter().filter(|_| !are_shown).map(data_line);
    Some([said].into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
}

/// That the weights which training begins with are not there, where they are not: a plan does without.
pub fn missing_weights(spec: &Spec) -> Option<String> {
    let path = spec.model.weights.as_ref().filter(|path| !path.is_file())?;
    let shown = path.display();
    Some(match path.join(file::MODEL).is_file() {
        true => format!("`model.weights` names a folder: training will not begin without {shown}/{}", file::MODEL),
        false => format!("`model.weights`: there is no file {shown}, and training will not begin without it"),
    })
}

/// What to say of a plan that may not be what was meant: patience that outlasts it, steps that train nothing.
pub fn remarks(spec: &Spec, plan: &Plan, facts: &Facts) -> impl Iterator<Item = String> {
    let units: BTreeSet<usize> = match members(spec, facts) {
        Ok(members) if !members.is_empty() => spec.units(&members).of_each.into_iter().collect(),
        // Pixels are trained throughout.
        _ => BTreeSet::new(),
    };
    let idle = if units.is_empty() { Vec::new() } else { plan.idle(&units) };
    let idle = idle.into_iter().map(|(from, to)| {
        let (from, last) = (count(from), count(to - 1));
        format!(
            "nothing is trained in steps {from} to {last}: all parameters are frozen, or their rule is over (`until`)"
        )
    });
    plan.lasting_patience().into_iter().chain(idle)
}

/// What to say of sets of files of which some phase enlarges all images, as nobody asks for who knows it. `datasets`: those of the spec.
pub fn enlarged(spec: &Spec, plan: &Plan, datasets: &[Arc<Dataset>]) -> Vec<String> {
    let sets = spec.sets();
    let said = |(k, set): (usize, &Arc<Dataset>)| {
        // How large others are is known of them.
        sets[k].dataset.settings.opt_text("keep")?;
        let side = set.train.longest_short_side();
        let of_set = plan.phases.iter().filter(|phase| phase.set == k);
        let size = of_set.map(|phase| phase.size.max(phase.eval_size)).max()?;
        let name = &set.facts.name;
        let why = match set.train.stored() {
            None => format!(
                "in memory they have {side}; a larger `size` of the set, or keep = \"disk\", has what their files hold"
            ),
            Some(_) => format!(
                "none has a shorter side of more than {side}; where a pack was made so, make it anew with a larger --short-side"
            ),
        };
        (size > side).then(|| format!("all images of `{name}` are enlarged to {size} pixels: {why}"))
    };
    datasets.iter().enumerate().filter_map(said).collect()
}

/// A plan, and the figures of the data sets that it was made with.
pub struct Planned {
    pub plan: Plan,
    /// Of each of the spec's sets.
    pub facts: Vec<Facts>,
}

/// Plans with what is known of the data sets without network.
///
/// # Errors
/// As [`check`], the weights aside.
pub fn planned(loaded: &Loaded) -> Result<Planned, Failure> {
    Ok(fitting(loaded, facts(&loaded.spec)?)?)
}

/// Plans with these figures. A stand-in's give way to the official ones where the experiment fits these alone: the set itself
/// may still be reached.
fn fitting(loaded: &Loaded, facts: Vec<Facts>) -> Result<Planned, Diagnostics> {
    let errors = match plan(loaded, &facts) {
        Ok(plan) => return Ok(Planned { plan, facts }),
        Err(errors) => errors,
    };
    let facts = official(&loaded.spec, &facts);
    let planned = facts.and_then(|facts| Some(Planned { plan: plan(loaded, &facts).ok()?, facts }));
    planned.ok_or(errors)
}

/// Checks the experiment against what is known of its data sets without network. Where that is a stand-in's figures, the
/// set itself may still be reached: the experiment is refused only when it fits neither.
///
/// # Errors
/// All that does not fit; files of a set that are there but not whole.
pub fn check(loaded: &Loaded) -> Result<(), Failure> {
    let facts = facts(&loaded.spec)?;
    let some_absent = facts.iter().any(is_stand_in);
    let planned = fitting(loaded, facts);
    let known = planned.as_ref().ok().map(|planned| &planned.facts[..]).filter(|_| !some_absent);
    fitting_weights(loaded, known)?;
    Ok(planned.map(drop)?)
}

/// Sees that training can start from the weights that an experiment names, where they are there: that they are not is one of the
/// [`notices`], as a plan does without.
///
/// # Errors
/// As [`weights`].
pub fn weights_there(loaded: &Loaded, facts: &[Facts]) -> Result<(), Failure> {
    if missing_weights(&loaded.spec).is_some() {
        return Ok(());
    }
    let absent = facts.iter().any(is_stand_in) || is_beyond_stand_in(&loaded.spec, facts);
    fitting_weights(loaded, (!absent).then_some(facts))
}

/// Sees that the weights to start from are whole; and that they fit the net, where the `facts` of its sets are known: else it shows once
/// it is clear which set is used.
fn fitting_weights(loaded: &Loaded, facts: Option<&[Facts]>) -> Result<(), Failure> {
    match (facts, &loaded.spec.model.weights) {
        (Some(facts), Some(_)) => {
            weights(&loaded.spec.for_sets(facts), &loaded.source, &facts[0])?;
        }
        (None, Some(path)) => {
            Weights::read(path).map_err(|error| misplaced(&loaded.source, &error))?;
        }
        (_, None) => {}
    }
    Ok(())
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
            let (outputs, has) = (plural(classes as u64, "output"), units::classes(of.classes));
            let message = format!("a head of {outputs} for `{}`, which has {has}", of.name);
            let error = source.diagnostic("model.classes", message);
            errors.push(error.help("leave `classes` out to have as many as the set"));
        }
    }
    let mut members = None;
    let of_phases = spec.phases.iter().zip(spec.sets_by_phase().1).enumerate();
    let sizes = of_phases.map(|(k, (phase, set))| (format!("phases[{k}].size"), phase.size.unwrap_or(facts[set].size)));
    for (place, size) in sizes.chain(spec.train.eval_size.map(|size| ("train.eval_size".to_owned(), size))) {
        match model::members(&parts(spec, facts[0].classes), Shape::new(size, size, facts[0].channels)) {
            Ok(found) => members = members.or(Some(found)),
            // It may take no more of the net than there is room for.
            Err(_) if spec.task.is_some() => {}
            Err(error) => errors.push(misfit(source, spec, &facts[0], (&place, size), &error)),
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

/// Reads the pictures of a painting.
///
/// # Errors
/// The first that cannot be read or decoded: where the experiment names it.
pub fn pictures(painting: &Painting, source: &Source) -> Result<Pictures, Failure> {
    Pictures::read(painting).map_err(|error| {
        let (path, message, help) = match &error {
            DataError::Io { path, .. } => {
                (path, error.to_string(), "check the path, which starts from the file that names it")
            }
            DataError::Unusable { path, problem, remedy } => {
                (path, format!("{}: {problem}", path.display()), remedy.as_str())
            }
            _ => return error.into(),
        };
        let Some((place, _)) = painting.files().into_iter().find(|(_, file)| *file == path) else {
            return error.into();
        };
        let error = source.diagnostic(&format!("task.{place}"), message).help(help);
        Failure::Files(source.diagnostics(vec![error]))
    })
}

/// Sees that a painting fits, in every phase: its mask onto the content, layers into its images and those of its style, and all into
/// memory.
///
/// # Errors
/// When it does not: at the phase's size, with one that would fit, or at the image.
pub fn painting(job: &PaintJob, source: &Source, free: Option<usize>) -> Result<(), Failure> {
    let refused = |error: Diagnostic| Failure::from(source.diagnostics(vec![error]));
    if let Some((mask, content)) = job.pictures.misshapen_mask() {
        let error = source.diagnostic("task.mask", format!("it is {mask}, and the content {content}"));
        return Err(refused(error.help("give a mask of the content's shape")));
    }
    let facts = job.pictures.facts(&job.painting);
    let terms: Vec<Option<usize>> = (0..job.plan.phases.len()).map(|k| terms(job, &facts, k)).collect();
    for k in 0..job.plan.phases.len() {
        let misplaced = misplaced_layers((source, &job.spec), &facts, &job.painting, k, job.extent(k));
        if let Some(error) = misplaced.or_else(|| fewer_layers(job, source, &terms, k)) {
            return Err(refused(error));
        }
        if let Some(error) = small_style(job, source, k)? {
            return Err(refused(error));
        }
        if let Some(error) = free.map(|free| beyond_memory(job, source, k, free)).transpose()?.flatten() {
            return Err(refused(error));
        }
        // Last, as the mask takes memory itself.
        if job.mask_is_black(k) {
            let error = source.diagnostic("task.mask", "it is black everywhere: nothing may change");
            return Err(refused(error.help("white is where the content may change; transparency is not looked at")));
        }
    }
    Ok(())
}

/// Images so small that a rule like `before-pools` comes to fewer layers than in another phase: the terms would not be the same.
fn fewer_layers(job: &PaintJob, source: &Source, terms: &[Option<usize>], phase: usize) -> Option<Diagnostic> {
    let (found, most) = (terms[phase]?, terms.iter().flatten().copied().max()?);
    let extent = job.extent(phase);
    let message = format!("images of {extent} are too small: {found} terms are left of the {most} of another phase");
    let error = source.diagnostic(&format!("phases[{phase}].size"), message);
    (found < most).then(|| error.help("give a larger size, or layers that come earlier"))
}

/// How many terms the loss has in a phase; `None` where a layer is not there.
fn terms(job: &PaintJob, facts: &Facts, phase: usize) -> Option<usize> {
    let (graph, _) = net::some_of(&job.spec, facts, job.extent(phase)).ok()?;
    Some(Objective::names(&job.painting, &graph).ok()?.len())
}

/// A style image that is too small for a layer when it has its size of a phase.
fn small_style(job: &PaintJob, source: &Source, phase: usize) -> Result<Option<Diagnostic>, Failure> {
    let found = job.small_style(phase)?;
    Ok(found.map(|(k, error)| {
        let error = source.diagnostic(&format!("task.style[{k}]"), error.to_string());
        error.help("give a larger size or `style_scale`, or layers that come earlier")
    }))
}

/// Sees that a training's activations and gradients, and beside them those of its evaluations, have room in memory. `extent`: of the
/// largest images that a phase's evaluations look at.
///
/// # Errors
/// When they have not: at the batch of the first phase whose have not, with one that would do.
pub fn training_fits(
    (spec, source): (&Spec, &Source),
    facts: &[Facts],
    plan: &Plan,
    extent: impl Fn(&PlannedPhase) -> Extent,
    free: Option<usize>,
) -> Result<(), Failure> {
    let Some(all) = free else { return Ok(()) };
    let refused = |path: &str, message: String, help: String| -> Failure {
        source.diagnostics(vec![source.diagnostic(path, message).help(help)]).into()
    };
    for (k, phase) in plan.phases.iter().enumerate() {
        let (extent, batch_at) = (extent(phase), format!("phases[{k}].batch"));
        let needs = needs(spec, facts, phase, extent).map_err(anyhow::Error::new)?;
        let Needs { parameters, training, evaluation, measuring } = needs;
        // What does not depend on the batch goes first.
        let free = all.saturating_sub(parameters);
        if training.bytes() > free {
            let (PlannedPhase { size, batch, .. }, Tape { images, image_bytes }) = (phase, training);
            let message = format!(
                "a step takes {} for {} of {size}×{size} at a time, and beside the parameters {} are free",
                memory(training.bytes()),
                plural(images as u64, "image"),
                memory(free)
            );
            let again = if spec.train.recompute { "" } else { ", or `train.recompute = true`" };
            let help = match free / image_bytes {
                0 => format!("not even one image has room: give a smaller size{again}"),
                fits => format!(
                    "`batch = {fits}` has room, or `accumulate = {}`, which passes a step's images in as many parts{again}",
                    batch.div_ceil(fits)
                ),
            };
            return Err(refused(&batch_at, message, help));
        }
        let left = free - training.bytes();
        if evaluation.bytes() > left {
            let Tape { images, image_bytes } = evaluation;
            let message = format!(
                "an evaluation takes {} for {} of {extent} at a time, and beside a step of phase {k} {} are free",
                memory(evaluation.bytes()),
                plural(images as u64, "image"),
                memory(left)
            );
            let help = match left / image_bytes {
                0 => "not even one image has room: give smaller images, or smaller batches to train on".to_owned(),
                fits => format!("`eval_batch = {fits}` has room"),
            };
            return Err(refused("train.eval_batch", message, help));
        }
        let left = left - evaluation.bytes();
        if let Some(measuring) = measuring.filter(|measuring| measuring.bytes() > left) {
            let message = format!(
                "the statistics of averaged weights take {} to measure, and beside a step of phase {k} and an evaluation {} are free",
                memory(measuring.bytes()),
                memory(left)
            );
            // Those of a mean that optimizers keep are measured in any case.
            return Err(match phase.model_is_mean {
                true => refused(&batch_at, message, "smaller batches take less".to_owned()),
                false => {
                    let help = "with `statistics = \"average\"` they are averaged as the weights are; smaller batches take less, too";
                    refused("train.average.statistics", message, help.to_owned())
                }
            });
        }
    }
    Ok(())
}

/// Bytes for people.
pub fn memory(bytes: usize) -> String {
    let mib = bytes as f64 / f64::from(1u32 << 20);
    if mib < 1024.0 { format!("{mib:.1} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

/// A phase that takes more than so many bytes.
fn beyond_memory(job: &PaintJob, source: &Source, phase: usize, free: usize) -> Result<Option<Diagnostic>, Failure> {
    let planned = &job.plan.phases[phase];
    let needed = memory_needed(job, planned, planned.size)?;
    if needed <= free {
        return Ok(None);
    }
    let message = format!("images of {} take {}, and {} are free", job.extent(phase), memory(needed), memory(free));
    let help = match largest_that_fits(job, planned, free) {
        Some(size) => format!("size {size} would fit"),
        None => "not even the smallest size that the layers allow fits: look at earlier layers, paint fewer images, or free \
                 memory"
            .to_owned(),
    };
    Ok(Some(source.diagnostic(&format!("phases[{phase}].size"), message).help(help)))
}

/// The largest size below a phase's, which takes too much, that does not; `None`: layers allow none so small.
fn largest_that_fits(job: &PaintJob, phase: &PlannedPhase, free: usize) -> Option<usize> {
    let (mut fits, mut over) = (0, phase.size);
    while over - fits > 1 {
        let middle = fits.midpoint(over);
        match memory_needed(job, phase, middle) {
            Ok(needed) if needed > free => over = middle,
            // Where it is too small for a layer, a larger one may do.
            _ => fits = middle,
        }
    }
    (fits > 0 && memory_needed(job, phase, fits).is_ok()).then_some(fits)
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

/// The SHA-256 of a file of weights that an experiment names.
///
/// # Errors
/// When it cannot be read: at the setting's place in the experiment.
pub fn weights_digest(path: &std::path::Path, source: &Source) -> Result<String, Diagnostics> {
    let weights = Weights::read(path).map_err(|error| misplaced(source, &error))?;
    Ok(weights.facts().sha256)
}

/// Weights that the net cannot start from.
fn misplaced(source: &Source, error: &WeightsError) -> Diagnostics {
    let message = format!("cannot start from {}: it {}", error.path.display(), error.problem);
    source.diagnostics(vec![source.diagnostic("model.weights", message).help(&error.help)])
}

/// A net that cannot be built at the size that stands at a place: the size's fault where a larger one would do, else the pairing's.
fn misfit(
    source: &Source,
    spec: &Spec,
    facts: &Facts,
    (place, size): (&str, usize),
    error: &model::PairingError,
) -> Diagnostic {
    let smallest = model::smallest_size(&parts(spec, facts.classes), facts.channels, LARGEST_SMALLEST);
    match smallest {
        Some(smallest) if size < smallest => source
            .diagnostic(place, format!("images of {size}×{size} are too small: {error}"))
            .help(format!("the smallest size that this net takes is {smallest}")),
        _ => source.diagnostic(error.path, error.to_string()).help(format!("choose another {}", error.path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Text};
    use crate::kernels::Isa;
    use crate::paint::Picture;
    use crate::train::Machine;
    use std::path::Path;

    const PHASE: &str = "[[phases]]\nsteps = 2\noptimizer = \"lbfgs\"\nlr = 1.0\n";

    /// What a mask may be: its extent, and how light it is.
    type Of = (usize, usize, f32);

    /// A painting of 60×45 pixels with a mask, and settings of `[task]` and the sizes of its phases.
    fn job(dir: &Path, (width, height, light): Of, settings: &str, net: &str, sizes: &[usize]) -> (PaintJob, Source) {
        let picture = |name: &str, width: usize, height: usize, light: f32| {
            let picture = Picture { extent: Extent { width, height }, pixels: vec![light; width * height * 3] };
            std::fs::write(dir.join(name), picture.png()).unwrap();
            dir.join(name).display().to_string()
        };
        let (content, style) = (picture("content.png", 60, 45, 0.5), picture("style.png", 40, 52, 0.7));
        let mask = picture("mask.png", width, height, light);
        let phases: String = sizes.iter().map(|size| format!("{PHASE}size = {size}\n")).collect();
        let content = format!(
            "name = \"a\"\n[task]\nkind = \"style-transfer\"\ncontent = [\"{content}\"]\nstyle = [\"{style}\"]\nmask = \"{mask}\"\n\
             {settings}\n[model]\nbackbone = {net}\n{phases}"
        );
        let text = Text { name: "a.toml".into(), content: content.clone(), folder: Default::default() };
        let loaded = config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}\n{content}"));
        let painting = *task::painting(loaded.spec.task.as_ref()).unwrap();
        let pictures = Pictures::read(&painting).unwrap();
        let plan = plan(&loaded, &[pictures.facts(&painting)]).unwrap();
        let machine = Machine { compute: Isa::Portable.into(), threads: 1 };
        let Loaded { spec, source } = loaded;
        (PaintJob { spec, plan, painting, pictures, machine, argv: vec![], weights: None, notices: vec![] }, source)
    }

    const WHITE: Of = (60, 45, 1.0);
    const NARROW: &str = "{ kind = \"vgg11\", width = 4 }";

    /// A loss that looks at a layer before a pool.
    fn losses(layers: &str) -> String {
        format!(
            "losses = [{{ kind = \"content\", layers = [\"{layers}\"] }}, {{ kind = \"style\", layers = [\"{layers}\"] }}]\n"
        )
    }

    /// What is said of a job; nothing where it is right.
    fn said((job, source): &(PaintJob, Source), free: Option<usize>) -> String {
        match painting(job, source, free) {
            Ok(()) => String::new(),
            Err(Failure::Config(errors)) => errors.to_string(),
            Err(_) => panic!("another failure than one of the file"),
        }
    }

    #[test]
    fn what_takes_too_much_memory_is_refused_with_the_largest_size_that_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let wide = "{ kind = \"vgg11\", width = 64 }";
        let whole = job(dir.path(), WHITE, &losses("before-pool-2"), wide, &[4096]);
        let (free, phase) = (1 << 28, &whole.0.plan.phases[0]);
        let text = said(&whole, Some(free));
        assert!(
            text.contains("error: images of 4096×3072 take ") && text.contains(" and 256.0 MiB are free"),
            "{text}"
        );
        let size = text.split("help: size ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let size: usize = size.unwrap_or_else(|| panic!("{text}"));
        assert!(memory_needed(&whole.0, phase, size).unwrap() <= free && size > 60, "{size}");
        assert!(memory_needed(&whole.0, phase, size + 1).unwrap() > free, "{size}");
        let text = said(&whole, Some(1));
        assert!(text.contains("not even the smallest size that the layers allow fits"), "{text}");
        let small = job(dir.path(), WHITE, &losses("before-pool-2"), wide, &[60]);
        assert_eq!([said(&small, Some(1 << 28)), said(&small, None)], [String::new(), String::new()]);
    }

    #[test]
    fn a_training_that_takes_too_much_memory_is_refused_with_the_largest_batches_that_do_not() {
        let read = |settings: &str| {
            let content = format!(
                "name = 'a'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'resnet9'\n[train]\n{settings}\n\
                 [[phases]]\nsteps = 2\nbatch = 64\nsize = 16\noptimizer = 'sgd'\nlr = 0.1\n\
                 [[phases]]\nsteps = 2\nsize = 32\nlr = 0.1\n"
            );
            let text = Text { name: "a.toml".into(), content, folder: Default::default() };
            config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}"))
        };
        let facts = facts(&read("").spec).unwrap();
        let said = |settings: &str, free: usize| {
            let loaded = read(settings);
            let plan = plan(&loaded, &facts).unwrap();
            let extent = |phase: &PlannedPhase| Extent { width: 2 * phase.eval_size, height: phase.eval_size };
            let needs = needs(&loaded.spec, &facts, &plan.phases[1], extent(&plan.phases[1])).unwrap();
            let said = match training_fits((&loaded.spec, &loaded.source), &facts, &plan, extent, Some(free)) {
                Ok(()) => String::new(),
                Err(Failure::Config(errors)) => errors.to_string(),
                Err(_) => panic!("another failure than one of the file"),
            };
            (said, needs)
        };
        let (fits, Needs { parameters: fixed, training, evaluation, measuring }) = said("eval_batch = 3", usize::MAX);
        assert_eq!((fits.as_str(), training.images, evaluation.images, measuring), ("", 64, 3, None));
        assert!(fixed > 1 << 20, "{fixed}");
        let all = fixed + training.bytes() + evaluation.bytes();
        assert_eq!(said("eval_batch = 3", all).0, "");
        let (text, _) = said("eval_batch = 3", all - 1);
        assert!(text.contains("for 3 images of 64×32 at a time, and beside a step of phase 1"), "{text}");
        assert!(text.contains("eval_batch = 3\n") && text.contains("help: `eval_batch = 2` has room"), "{text}");
        let (text, _) = said("eval_batch = 3", fixed + 20 * training.image_bytes);
        assert!(text.contains(" for 64 images of 32×32 at a time") && text.contains("batch = 64\n"), "{text}");
        assert!(text.contains("`batch = 20` has room, or `accumulate = 4`") && text.contains("recompute"), "{text}");
        let (text, Needs { training: again, .. }) = said("recompute = true", 1000);
        assert!(text.contains("not even one image has room: give a smaller size\n"), "{text}");
        assert!(again.image_bytes < training.image_bytes);
        let measured = "eval_batch = 3\naverage = { kind = 'swa', statistics = 'measure' }";
        let (_, Needs { parameters, training, evaluation, measuring }) = said(measured, usize::MAX);
        let third = measuring.unwrap();
        assert!(parameters > fixed && third.images == 64 && third.image_bytes < training.image_bytes);
        let all = parameters + training.bytes() + evaluation.bytes() + third.bytes();
        assert_eq!(said(measured, all).0, "");
        let (text, _) = said(measured, all - 1);
        assert!(
            text.contains("error: the statistics of averaged weights take ") && text.contains("'measure'"),
            "{text}"
        );
        // There is no other way to those of a mean that optimizers keep.
        let kept = "eval_batch = 3\n[[params]]\nrole = 'norm'\noptimizer = 'schedule-free-sgd'\nlr = 0.1";
        let (_, Needs { parameters, training, evaluation, measuring }) = said(kept, usize::MAX);
        let all = parameters + training.bytes() + evaluation.bytes() + measuring.unwrap().bytes();
        assert_eq!(said(kept, all).0, "");
        let (text, _) = said(kept, all - 1);
        assert!(
            text.contains("of averaged weights take ") && text.contains("help: smaller batches take less\n"),
            "{text}"
        );
    }

    #[test]
    fn large_styles_and_masks_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let needed = |settings: &str, change: fn(&mut PaintJob)| {
            let settings = settings.to_owned() + &losses("before-pool-2");
            let (mut job, _) = job(dir.path(), WHITE, &settings, NARROW, &[64]);
            change(&mut job);
            memory_needed(&job, &job.plan.phases[0], 64).unwrap()
        };
        let plain = needed("", |_| {});
        assert_eq!(needed("style_scale = 0.5\n", |_| {}), plain, "the painting takes more");
        // Four channels of 394×512 pixels, in the place of at most as much of 64×48.
        assert!(needed("style_scale = 8.0\n", |_| {}) - plain > 394 * 512 * 4 * 4);
        // Eight channels at a quarter of 64×48 pixels.
        assert_eq!(plain - needed("", |job| job.painting.mask = None), 32 * 24 * 8 * 4);
    }

    #[test]
    fn images_that_do_not_fit_their_layers_are_refused_where_they_stand() {
        let dir = tempfile::tempdir().unwrap();
        let small = job(dir.path(), WHITE, &format!("style_scale = 0.1\n{}", losses("before-pool-3")), NARROW, &[32]);
        let text = said(&small, None);
        assert!(text.contains("error: an image of 2×3 is too small for layer `features.9`"), "{text}");
        assert!(text.contains("a.toml:5:") && text.contains("`style_scale`"), "{text}");
        let fewer = job(dir.path(), WHITE, &losses("before-pools"), NARROW, &[48, 16]);
        let text = said(&fewer, None);
        assert!(text.contains("images of 16×12 are too small: 6 terms are left of the 10 of another phase"), "{text}");
        assert!(text.contains("size = 16"), "{text}");
    }

    #[test]
    fn masks_of_nothing_and_of_another_shape_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let cases = [
            ((60, 45, 0.0), "error: it is black everywhere: nothing may change"),
            ((45, 60, 1.0), "error: it is 45×60, and the content 60×45"),
            ((120, 100, 1.0), "error: it is 120×100, and the content 60×45"),
            // Rounded to pixels it has the shape.
            ((121, 90, 0.2), ""),
        ];
        for (mask, want) in cases {
            let text = said(&job(dir.path(), mask, &losses("before-pool-1"), NARROW, &[32]), None);
            assert!(text.contains(want) && text.is_empty() == want.is_empty(), "{mask:?}: {text}");
            assert!(want.is_empty() || text.contains("mask = "), "{text}");
        }
    }
}
