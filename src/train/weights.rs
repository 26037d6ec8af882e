//! Weights from a file: what `[model] weights` starts from, and what `runner eval` reads back.
//!
//! Any file of safetensors or of `torch.save` will do whose tensors are named and shaped as the net's, whoever wrote it.
//! Parameters and running statistics are matched by name; PyTorch's `num_batches_tracked` is passed over, as its running
//! averages do not use it. `f16`, `bf16` and `f64` become `f32`, each number rounded once.

use super::pickle;
use super::stored::{self, Stored, Unusable};
use crate::config::suggest::nearest;
use crate::data::hex;
use crate::nn::Params;
use crate::nn::params::Slot;
use crate::record::folder::file::MODEL;
use crate::record::{WeightsFacts, reader};
use crate::units::count;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Tensors under this name may be of another shape: a new head for other classes.
const HEAD: &str = "head.";
/// PyTorch's count of a norm's updates: no number that the net uses.
const PASSED_OVER: &str = "num_batches_tracked";
/// Problems of one sort that are named; the others are counted.
const NAMED: usize = 4;

/// A file that a net cannot start from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}\nhelp: {help}", path.display())]
pub struct WeightsError {
    pub path: PathBuf,
    /// What is wrong, the tensors and shapes included.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

/// A file of weights in memory, known to be one.
pub struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
    sha256: String,
    form: Form,
}

/// Who writes such files.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Safetensors,
    Torch,
}

/// What a net took from a file, and what it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Tensors taken, running statistics included.
    pub tensors: usize,
    /// Numbers of parameters taken, and those of the whole net.
    pub parameters: usize,
    pub of_parameters: usize,
    /// Tensors of the head that start afresh, each with the reason.
    pub fresh: Vec<String>,
    /// Tensors of the file's head that this net has no place for.
    pub unused: Vec<String>,
}

impl Weights {
    /// Reads a file and sees that it is whole.
    ///
    /// # Errors
    /// When it cannot be read, or is no whole file of safetensors or of `torch.save`.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let error =
            |problem: String, help: &str| WeightsError { path: path.to_owned(), problem, help: help.to_owned() };
        let bytes = reader::read_file(path).map_err(|e| {
            let help = match path.join(MODEL).is_file() {
                true => format!("name the file in that folder: {}", path.join(MODEL).display()),
                false => "check the path, which starts from the file that names it".to_owned(),
            };
            error(format!("cannot be read: {e}"), &help)
        })?;
        let form = if pickle::is_torch(&bytes) { Form::Torch } else { Form::Safetensors };
        let weights = Self { path: path.to_owned(), sha256: hex(&Sha256::digest(&bytes)), bytes, form };
        weights.tensors()?;
        Ok(weights)
    }

    /// All tensors of the file by name.
    fn tensors(&self) -> Result<BTreeMap<String, Stored<'_>>, WeightsError> {
        match self.form {
            Form::Torch => pickle::open(&self.bytes).map_err(|refusal| self.error(refusal.problem, refusal.help)),
            Form::Safetensors => stored::of_safetensors(&self.bytes).map_err(|e| {
                let help = "copy or write the file again; this one is damaged or of another format";
                self.error(format!("is not a whole safetensors file: {e}"), help)
            }),
        }
    }

    /// For the records.
    pub fn facts(&self) -> WeightsFacts {
        WeightsFacts { path: self.path.display().to_string(), sha256: self.sha256.clone() }
    }

    /// Puts the file's weights into a net that is to be trained on. Layers of the head that have another shape there, or are not in the
    /// file, stay as they are: a fresh start. Names may be the net's or those of published weights.
    ///
    /// # Errors
    /// When the file has a part of a layer of the head alone; when any other tensor is missing, too many or of another shape, or
    /// holds what is no finite number. `params` are then half filled.
    pub fn start(&self, params: &mut Params, published: Published<'_>) -> Result<Taken, WeightsError> {
        self.fill(params, Wanted::AnyHead, published)
    }

    /// As [`Weights::start`], into the first layers of a net: what the file has for others is passed over.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, or holds what is no finite number.
    pub fn start_part(&self, params: &mut Params, published: Published<'_>) -> Result<Taken, WeightsError> {
        self.fill(params, Wanted::Part, published)
    }

    /// Puts the file's weights into the net that they are of.
    ///
    /// # Errors
    /// As [`Weights::start`]; for tensors of the head too.
    pub fn restore(&self, params: &mut Params) -> Result<Taken, WeightsError> {
        self.fill(params, Wanted::Whole, &[])
    }

    fn fill(&self, params: &mut Params, wanted: Wanted, published: Published<'_>) -> Result<Taken, WeightsError> {
        let tensors = self.tensors()?;
        let places: BTreeMap<String, Slot> =
            params.directory().iter().chain(params.stat_directory()).map(|(n, s)| (n.clone(), s.clone())).collect();
        let names = tensors.iter().map(|(name, tensor)| (our_name(name, &places, published), tensor));
        let mut file: BTreeMap<Cow<'_, str>, &Stored<'_>> = names.collect();
        file.retain(|name, _| name.rsplit('.').next() != Some(PASSED_OVER));
        let mut found = Found::default();
        // Layers of the head that have something of another shape there: what fits of them was trained with that.
        let of_another_head = |(name, slot): (&String, &Slot)| {
            let differs = file.get(name.as_str()).is_some_and(|tensor| !is_shaped(&tensor.shape, &slot.shape));
            (differs && name.starts_with(HEAD)).then(|| layer(name).to_owned())
        };
        let afresh: BTreeSet<String> = places.iter().filter_map(of_another_head).collect();
        let mut taken = Taken { of_parameters: params.count(), ..Taken::default() };
        for (name, slot) in &places {
            let new_head = wanted != Wanted::Whole && name.starts_with(HEAD);
            let starts_afresh = new_head && afresh.contains(layer(name));
            match file.get(name.as_str()) {
                Some(tensor) if is_shaped(&tensor.shape, &slot.shape) && starts_afresh => {
                    taken.fresh.push(format!("`{name}` (of a layer of another shape there)"));
                }
                Some(tensor) if is_shaped(&tensor.shape, &slot.shape) => {
                    let is_param = slot.role.is_some();
                    let flat = if is_param { params.values_mut() } else { params.stats_mut() };
                    if let Err(problem) = tensor.convert(&mut flat[slot.range.clone()]) {
                        found.is_of_other_type |= matches!(problem, Unusable::Type(_));
                        found.bad.push(format!("`{name}` {problem}"));
                    }
                    taken.tensors += 1;
                    taken.parameters += if is_param { slot.range.len() } else { 0 };
                }
                Some(tensor) => {
                    let shapes = format!("`{name}` is {} there and {} here", shape(&tensor.shape), shape(&slot.shape));
                    if new_head { &mut taken.fresh } else { &mut found.reshaped }.push(shapes);
                }
                None if new_head => {
                    let has_part =
                        |(other, _): (&String, &Slot)| layer(other) == layer(name) && file.contains_key(other.as_str());
                    match places.iter().find(|place| has_part(*place)) {
                        Some((other, _)) if !starts_afresh => {
                            found.half.push(format!("`{name}` is missing, and `{other}` is there"));
                        }
                        _ => taken.fresh.push(format!("`{name}` ({}) is not there", shape(&slot.shape))),
                    }
                }
                None => found.missing.push(name),
            }
        }
        for name in file.keys().filter(|name| !places.contains_key(&***name)) {
            match wanted != Wanted::Whole && name.starts_with(HEAD) {
                true => taken.unused.push(format!("`{name}`")),
                false => found.foreign.push(name),
            }
        }
        if wanted == Wanted::Part && found.missing.is_empty() {
            found.foreign.clear();
            taken.unused.clear();
        }
        match found.problem(&places, published, self.form) {
            None => Ok(taken),
            Some((problem, help)) => Err(self.error(problem, &help)),
        }
    }

    fn error(&self, problem: String, help: &str) -> WeightsError {
        WeightsError { path: self.path.clone(), problem, help: help.to_owned() }
    }
}

impl Form {
    /// Writing such a file in Python, reading it, and where both are from.
    fn in_python(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Safetensors => ("save_file", "load_file(FILE)", ", both of safetensors.torch"),
            Self::Torch => ("torch.save", "torch.load(FILE, weights_only=True)", ""),
        }
    }

    /// How to take what all names begin with off them.
    fn without_prefix(self, prefix: &str) -> String {
        let (save, load, of) = self.in_python();
        format!(
            "take it off in Python: {save}({{k.removeprefix(\"{prefix}\"): v for k, v in {load}.items()}}, NEW_FILE){of}"
        )
    }

    /// What to do about numbers that are none of weights.
    fn with_real_numbers(self) -> String {
        let (save, load, of) = self.in_python();
        format!(
            "weights are real numbers: where these are quantised, take the file from before that; where they are whole numbers by \
             mistake, write them in Python as real ones: {save}({{k: v.float() for k, v in {load}.items()}}, NEW_FILE){of}"
        )
    }
}

/// What of the file has to fit.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// All of it.
    Whole,
    /// All but the head.
    AnyHead,
    /// What there is a place for.
    Part,
}

/// How published weights name what this net calls otherwise, see [`Backbone::published`](crate::model::backbones::Backbone).
pub type Published<'a> = &'a [(&'a str, &'a str)];

/// The net's name of a tensor: its own where the net has it, else what published weights call so.
fn our_name<'a>(name: &'a str, places: &BTreeMap<String, Slot>, published: Published<'_>) -> Cow<'a, str> {
    if places.contains_key(name) {
        return name.into();
    }
    let renamed = |(theirs, ours): &(&str, &str)| name.strip_prefix(theirs).map(|rest| format!("{ours}{rest}"));
    let ours = published.iter().find_map(renamed);
    let ours = ours.map_or(Cow::Borrowed(name), Cow::Owned);
    if places.contains_key(&*ours) {
        return ours;
    }
    let newer = |(old, new): &(&str, &str)| Some(ours.replacen(old, new, 1)).filter(|name| places.contains_key(name));
    match OLDER.iter().find_map(newer) {
        Some(newer) => newer.into(),
        None => ours,
    }
}

/// Names in torchvision's files of DenseNet, which are older than its own: it renames them on loading.
const OLDER: [(&str, &str); 4] =
    [(".norm.1.", ".norm1."), (".norm.2.", ".norm2."), (".conv.1.", ".conv1."), (".conv.2.", ".conv2.")];

/// The layer that a tensor is of: `head.fc` for `head.fc.bias`.
fn layer(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

/// Whether a tensor has a parameter's shape. A convolution over all pixels that there are is a linear layer, and may be
/// written as one: the numbers lie in the same order.
fn is_shaped(tensor: &[usize], ours: &[usize]) -> bool {
    match (tensor, ours) {
        ([outputs, inputs], [o, i, h, w]) => outputs == o && *inputs == i * h * w,
        _ => tensor == ours,
    }
}

/// All that does not fit.
#[derive(Default)]
struct Found<'a> {
    missing: Vec<&'a str>,
    foreign: Vec<&'a str>,
    reshaped: Vec<String>,
    /// Tensors of the head that are missing from layers of which there are others.
    half: Vec<String>,
    bad: Vec<String>,
    /// Whether some of these are of a type that holds no real numbers.
    is_of_other_type: bool,
}

impl Found<'_> {
    /// What is wrong, and what to do about it.
    fn problem(
        &self,
        places: &BTreeMap<String, Slot>,
        published: Published<'_>,
        form: Form,
    ) -> Option<(String, String)> {
        if let Some(prefix) = self.prefix(places, published) {
            return Some((
                format!("names its tensors `{prefix}…`, which this net's names do not begin with"),
                form.without_prefix(&prefix),
            ));
        }
        if self.foreign.iter().any(|name| name.starts_with("optimizer.")) {
            return Some((
                "is a checkpoint of a run, not its weights".to_owned(),
                "name the model.safetensors of a run that is done".to_owned(),
            ));
        }
        let quote = |name: &&str| format!("`{name}`");
        let missing: Vec<String> = self.missing.iter().map(quote).collect();
        let foreign: Vec<String> = self.foreign.iter().map(quote).collect();
        let parts = [
            list("missing: ", &missing),
            list("not of this net: ", &foreign),
            list("of another shape: ", &self.reshaped),
            list("half a layer: ", &self.half),
            list("", &self.bad),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| (format!("does not fit the net; {}", parts.join("; ")), self.help(places, form)))
    }

    fn help(&self, places: &BTreeMap<String, Slot>, form: Form) -> String {
        let meant = |foreign: &&&str| {
            let near = nearest(foreign, self.missing.iter().copied().chain(places.keys().map(String::as_str)))?;
            Some(format!("is `{foreign}` what is called `{near}` here? "))
        };
        let meant = self.foreign.iter().find_map(|foreign| meant(&foreign)).unwrap_or_default();
        if self.missing.is_empty() && self.reshaped.is_empty() && self.foreign.is_empty() {
            if self.is_of_other_type {
                return form.with_real_numbers();
            }
            if !self.bad.is_empty() {
                return "take weights of a training that did not diverge".to_owned();
            }
            if !self.half.is_empty() {
                return "a layer of the head is taken whole or starts afresh: put into the file what is missing, or take out \
                        what is there of that layer"
                    .to_owned();
            }
        }
        format!(
            "{meant}tensors are matched by name: choose the parts that the file was written with, or rename in the file"
        )
    }

    /// What all foreign names begin with beyond the names of the net, such as `module.` of `DataParallel`.
    fn prefix(&self, places: &BTreeMap<String, Slot>, published: Published<'_>) -> Option<String> {
        let first = self.foreign.first()?;
        let ends: BTreeSet<usize> = first.match_indices('.').map(|(at, _)| at + 1).collect();
        ends.into_iter().map(|end| &first[..end]).find_map(|prefix| {
            let known = |name: &&&str| {
                let bare = |rest| our_name(rest, places, published);
                name.strip_prefix(prefix).is_some_and(|rest| places.contains_key(&*bare(rest)))
            };
            let fitting = self.foreign.iter().filter(known).count();
            // A head may be named otherwise besides.
            (2 * fitting > self.foreign.len() && 2 * fitting > self.missing.len()).then(|| prefix.to_owned())
        })
    }
}

impl Taken {
    /// In words, to be said loudly when a run begins.
    pub fn in_words(&self, file: &str) -> String {
        let (tensors, parameters, of) = (count(self.tensors as u64), self.parameters, self.of_parameters);
        let numbers = match parameters == of {
            true => format!("all {} parameters", count(of as u64)),
            false => format!("{} of {} parameters", count(parameters as u64), count(of as u64)),
        };
        let mut text = format!("starting from {file}: {tensors} tensors, {numbers}");
        if !self.fresh.is_empty() {
            text += &format!("\nA NEW HEAD starts afresh: {}", short(&self.fresh, ", "));
        }
        if !self.unused.is_empty() {
            text += &format!("\nnot used from the file's head: {}", short(&self.unused, ", "));
        }
        text
    }
}

/// Some problems of one sort, if there are any.
fn list(title: &str, problems: &[String]) -> Option<String> {
    (!problems.is_empty()).then(|| format!("{title}{}", short(problems, ", ")))
}

/// The first few, and how many more.
fn short(items: &[String], gap: &str) -> String {
    let mut text = items[..items.len().min(NAMED)].join(gap);
    if items.len() > NAMED {
        text += &format!(" and {} more", items.len() - NAMED);
    }
    text
}

/// `64×3×3×3`; `a number` for no axes.
fn shape(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "a single number".to_owned();
    }
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}
