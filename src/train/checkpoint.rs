//! Writing down a [`State`] and taking it up again.
//!
//! One safetensors file, replaced atomically: `params.*` and `stats.*` by name, for each group of parameters `optimizer.GROUP.*`
//! with lookahead or an average `lookahead.*` and `average.*` flat, where a phase prunes by losses `images.SET.*`, and in the metadata, under one key as JSON, the [`Progress`], the optimizers' counters and the positions in the CSV
//! files; of a run on a device also the algorithms that were chosen for convolutions.

use super::average::Average;
use super::device::Algorithm;
use super::lookahead::Lookahead;
use super::optimizers::{Optimizers, Rules};
use super::pruning::{ImageLosses, Remembered};
use super::state::{Progress, State};
use super::tensors;
use crate::nn::Params;
use crate::optim;
use crate::plan::Plan;
use crate::record::folder::file;
use crate::record::{Positions, reader};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Changes when the file's meaning does.
const FORMAT: u32 = 2;
/// The one metadata key: with several, their order in the file would be a hash map's.
const HEADER_KEY: &str = "runner_checkpoint";

/// The flat copies that lookahead keeps, once it has begun.
const SLOW_PARAMS: &str = "lookahead.params";
const SLOW_STATS: &str = "lookahead.stats";

/// The mean of the weights, once it has taken some in.
const MEAN_PARAMS: &str = "average.params";
const MEAN_STATS: &str = "average.stats";

/// The last losses of a set's images, and those of where the last pruned epoch began.
const LOSSES_NOW: &str = "losses";
const LOSSES_THEN: &str = "losses_before_epoch";

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{path} is not a readable checkpoint: {problem}")]
    Corrupt { path: String, problem: String },
}

/// What a checkpoint file holds besides tensors.
#[derive(serde::Serialize, serde::Deserialize)]
struct Header {
    format: u32,
    progress: Progress,
    /// Of each group's optimizer.
    counters: Vec<BTreeMap<String, u64>>,
    /// How often the mean of the weights has taken some in.
    #[serde(default)]
    averaged: u64,
    positions: Positions,
    /// Those of the device's libraries; none on the CPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    algorithms: Vec<Algorithm>,
    /// Of all tensors: see [`checksum`]. Older files have none.
    #[serde(default)]
    crc32c: Option<u32>,
}

/// Read before the rest, which another format may write otherwise.
#[derive(serde::Deserialize)]
struct Version {
    format: u32,
}

impl Header {
    /// From the texts of a file.
    fn read(texts: &HashMap<String, String>) -> Result<Self, String> {
        let header = texts.get(HEADER_KEY).ok_or("it is not one of runner's")?;
        let of_header = |e: serde_json::Error| format!("its header: {e}");
        let Version { format } = serde_json::from_str(header).map_err(of_header)?;
        if format != FORMAT {
            return Err(format!("its format is {format}, this program reads {FORMAT}"));
        }
        serde_json::from_str(header).map_err(of_header)
    }

    /// Whether it can be of a training by that plan: what is not would be found too late, or by a panic.
    fn check(&self, plan: &Plan) -> Result<(), String> {
        let Progress { step, optimizer, .. } = &self.progress;
        if *step > plan.total_steps {
            return Err(format!("it is of step {step}, and the plan has {}", plan.total_steps));
        }
        if !plan.phases.iter().any(|phase| phase.optimizer == *optimizer) {
            return Err(format!("its optimizer, `{}`, is none of the plan's as it is set there", optimizer.kind));
        }
        match self.positions.0.get(file::TRACE) {
            Some(at) if at.rows == *step => Ok(()),
            Some(at) => Err(format!("it is of step {step}, with {} rows in {}", at.rows, file::TRACE)),
            None => Err(format!("it does not say where {} stood", file::TRACE)),
        }
    }
}

/// The checkpoint's bytes. `algorithms`: those that the device has chosen so far.
pub fn encode(state: &State, positions: &Positions, algorithms: &[Algorithm]) -> Vec<u8> {
    let optimizers = state.optimizers.states();
    let mut header = Header {
        format: FORMAT,
        progress: state.progress.clone(),
        counters: optimizers.iter().map(|optimizer| optimizer.counters.clone()).collect(),
        averaged: state.average.as_ref().map_or(0, |average| average.updates),
        positions: positions.clone(),
        algorithms: algorithms.to_vec(),
        crc32c: None,
    };
    let mut tensors = model_tensors(&state.params, "params.", "stats.");
    if let Some(Lookahead { params, stats }) = &state.lookahead {
        let (params, stats) = (params.host(), stats.host());
        tensors.push((SLOW_PARAMS.to_owned(), view(&[params.len()], params)));
        tensors.push((SLOW_STATS.to_owned(), view(&[stats.len()], stats)));
    }
    if let Some(Average { params, stats, .. }) = &state.average {
        let (params, stats) = (params.host(), stats.host());
        tensors.push((MEAN_PARAMS.to_owned(), view(&[params.len()], params)));
        tensors.push((MEAN_STATS.to_owned(), view(&[stats.len()], stats)));
    }
    for (group, optimizer) in optimizers.iter().enumerate() {
        for (name, buffer) in &optimizer.buffers {
            tensors.push((format!("optimizer.{group}.{name}"), view(&[buffer.len()], buffer)));
        }
    }
    for (set, losses) in &state.losses {
        for (name, losses) in [(LOSSES_NOW, &losses.now), (LOSSES_THEN, &losses.then)] {
            tensors.push((format!("images.{set}.{name}"), view(&[losses.len()], losses)));
        }
    }
    header.crc32c = Some(checksum(tensors.iter().map(|(name, view)| (name.as_str(), view.data()))));
    let header = serde_json::to_string(&header).expect("the header is plain data");
    serialize(tensors, HashMap::from([(HEADER_KEY.to_owned(), header)]))
}

/// CRC-32C over the bytes of all tensors, in the order of their names: what a disk or a copy has changed is not taken for what the
/// training did.
fn checksum<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> u32 {
    let mut tensors: Vec<(&str, &[u8])> = tensors.collect();
    tensors.sort_unstable_by_key(|(name, _)| *name);
    tensors.into_iter().fold(0, |crc, (_, bytes)| crc32c::crc32c_append(crc, bytes))
}

/// The weights and running statistics alone, by name: `model.safetensors`.
pub fn encode_model(params: &Params) -> Vec<u8> {
    serialize(model_tensors(params, "", ""), HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

/// As [`encode_model`], of weights after the step of that number, which [`step_of_model`] tells.
///
/// # Panics
/// Never: what `safetensors` writes has a header of JSON with metadata.
pub fn encode_model_of(step: u64, params: &Params) -> Vec<u8> {
    let bytes = encode_model(params);
    let (length, rest) = bytes.split_first_chunk().expect("the header's length");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).expect("a header of JSON");
    // By hand: of several, `safetensors` writes metadata in any order, and a run's files are the same each time.
    header["__metadata__"][STEP] = step.to_string().into();
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes()[..], &header, data].concat()
}

/// The step after which the weights in a file were kept, where that is told.
pub fn step_of_model(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).ok()?;
    metadata.metadata().as_ref()?.get(STEP)?.parse().ok()
}

/// In the metadata of weights that were kept on the way.
const STEP: &str = "step";

fn serialize(mut tensors: Vec<(String, TensorView<'_>)>, metadata: HashMap<String, String>) -> Vec<u8> {
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    safetensors::serialize(tensors, Some(metadata)).expect("views are as long as their shapes say")
}

fn model_tensors<'a>(params: &'a Params, param_prefix: &str, stat_prefix: &str) -> Vec<(String, TensorView<'a>)> {
    let values = params.directory().iter().map(|(name, slot)| (param_prefix, name, slot, params.values()));
    let stats = params.stat_directory().iter().map(|(name, slot)| (stat_prefix, name, slot, params.stats()));
    values
        .chain(stats)
        .map(|(prefix, name, slot, flat)| (format!("{prefix}{name}"), view(&slot.shape, &flat[slot.range.clone()])))
        .collect()
}

fn view<'a>(shape: &[usize], data: &'a [f32]) -> TensorView<'a> {
    TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(data)).expect("the shape is the slice's")
}

/// The step that a checkpoint was written before.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn step(path: &Path) -> Result<u64, CheckpointError> {
    Ok(header(path)?.progress.step)
}

/// The algorithms that the device had chosen when a checkpoint was written; none where that was the CPU.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn algorithms(path: &Path) -> Result<Vec<Algorithm>, CheckpointError> {
    Ok(header(path)?.algorithms)
}

fn header(path: &Path) -> Result<Header, CheckpointError> {
    let corrupt = |problem: String| CheckpointError::Corrupt { path: path.display().to_string(), problem };
    let bytes =
        reader::read_file(path).map_err(|source| CheckpointError::Io { path: path.display().to_string(), source })?;
    let (_, texts) = tensors::open(&bytes).map_err(corrupt)?;
    Header::read(&texts).map_err(corrupt)
}

/// Reads a checkpoint of a training by `plan` of the net that `params` describes, whose parameters `rules` divide.
///
/// # Errors
/// When the file cannot be read, is damaged, or is of another net or plan.
pub fn load(
    path: &Path,
    mut params: Params,
    rules: &Rules,
    plan: &Plan,
) -> Result<(State, Positions), CheckpointError> {
    let corrupt = |problem: String| CheckpointError::Corrupt { path: path.display().to_string(), problem };
    let bytes =
        reader::read_file(path).map_err(|source| CheckpointError::Io { path: path.display().to_string(), source })?;
    let (tensors, texts) = tensors::open(&bytes).map_err(corrupt)?;
    let header = Header::read(&texts).map_err(corrupt)?;
    header.check(plan).map_err(corrupt)?;
    let found = header.crc32c.map(|_| checksum(tensors.iter().map(|(name, tensor)| (name, tensor.data()))));
    if found != header.crc32c {
        return Err(corrupt("its bytes are not those that were written (another checksum)".to_owned()));
    }

    let (directory, stat_directory) = (params.directory().clone(), params.stat_directory().clone());
    let named = directory.iter().map(|(name, slot)| (format!("params.{name}"), slot, true));
    let named_stats = stat_directory.iter().map(|(name, slot)| (format!("stats.{name}"), slot, false));
    let mut known = 0;
    for (name, slot, is_param) in named.chain(named_stats) {
        let flat = if is_param { params.values_mut() } else { params.stats_mut() };
        let data = floats(&tensors, &name, slot.range.len()).map_err(corrupt)?;
        flat[slot.range.clone()].copy_from_slice(&data);
        known += 1;
    }

    let of_counters = |counters| optim::State { counters, ..Default::default() };
    let mut states: Vec<optim::State> = header.counters.into_iter().map(of_counters).collect();
    for name in tensors.names() {
        let place = name.strip_prefix("optimizer.").and_then(|rest| rest.split_once('.'));
        let Some((group, buffer)) = place else { continue };
        let state = group.parse().ok().and_then(|group: usize| states.get_mut(group));
        let state = state.ok_or_else(|| corrupt(format!("`{name}` is of no group")))?;
        let len = tensors.tensor(name).map_or(0, |tensor| tensor.data().len() / 4);
        state.buffers.insert(buffer.to_owned(), floats(&tensors, name, len).map_err(corrupt)?);
        known += 1;
    }
    let lookahead = if plan.lookahead.as_ref().is_some_and(|it| it.first_step < header.progress.step) {
        known += 2;
        Some(Lookahead {
            params: floats(&tensors, SLOW_PARAMS, params.values().len()).map_err(corrupt)?.into(),
            stats: floats(&tensors, SLOW_STATS, params.stats().len()).map_err(corrupt)?.into(),
        })
    } else {
        None
    };
    let average = if plan.average.is_some() && header.averaged > 0 {
        known += 2;
        Some(Average {
            params: floats(&tensors, MEAN_PARAMS, params.values().len()).map_err(corrupt)?.into(),
            stats: floats(&tensors, MEAN_STATS, params.stats().len()).map_err(corrupt)?.into(),
            updates: header.averaged,
        })
    } else {
        None
    };
    let mut losses = Remembered::new();
    for set in plan.sets_of_known_losses(header.progress.step) {
        let of_set = |name: &str| {
            let name = format!("images.{set}.{name}");
            let len = tensors.tensor(&name).map_or(0, |tensor| tensor.data().len() / 4);
            floats(&tensors, &name, len).map_err(corrupt)
        };
        known += 2;
        losses.insert(set, ImageLosses { now: of_set(LOSSES_NOW)?, then: of_set(LOSSES_THEN)? });
    }
    if known != tensors.len() {
        return Err(corrupt(format!("it holds {} tensors, {known} of them known to this net", tensors.len())));
    }
    let mut optimizers = Optimizers::new(&params, rules, &header.progress.optimizer);
    optimizers.load(states).map_err(|e| corrupt(e.to_string()))?;
    Ok((State { params, optimizers, lookahead, average, losses, progress: header.progress }, header.positions))
}

fn floats(tensors: &SafeTensors<'_>, name: &str, len: usize) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|_| format!("`{name}` is missing"))?;
    if tensor.dtype() != Dtype::F32 || tensor.data().len() != len * 4 {
        return Err(format!("`{name}` is {:?} of {} bytes, not {len} floats", tensor.dtype(), tensor.data().len()));
    }
    Ok(bytemuck::pod_collect_to_vec(tensor.data()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Text};
    use crate::data::{Facts, FactsSource};
    use crate::kernels::Isa;
    use crate::train::{device, net};

    /// A net and a plan of two steps, and a whole checkpoint before the first.
    fn parts() -> (Params, Plan, Vec<u8>) {
        let (params, plan) = net_and_plan("\"sgd\"");
        let state = State::new(params.clone(), &Rules::default(), &plan.phases[0].optimizer);
        (params, plan, encode(&state, &positions(), &[]))
    }

    /// Where the tables stand before the first step.
    fn positions() -> Positions {
        let position = crate::record::csv_file::Position { bytes: 10, rows: 0 };
        Positions([(file::TRACE.to_owned(), position)].into())
    }

    fn net_and_plan(optimizer: &str) -> (Params, Plan) {
        let content = "name = \"a\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = { kind = \"resnet9\", width = 1 }\n\
                       [[phases]]\nsteps = 2\nbatch = 4\nsize = 8\noptimizer = \"sgd\"\nlr = 0.1\n";
        let content = content.replace("\"sgd\"", optimizer);
        let text = Text { name: "a.toml".into(), content, folder: Default::default() };
        let spec = config::read(text, &[]).unwrap().spec;
        let facts = Facts {
            name: "shapes".into(),
            train_images: 8,
            val_images: 2,
            classes: 2,
            channels: 3,
            size: 8,
            source: FactsSource::Data,
        };
        let plan = Plan::compile(&spec, std::slice::from_ref(&facts)).unwrap();
        (net::fresh_params(&spec, &facts, 8).unwrap(), plan)
    }

    #[test]
    fn weights_tell_the_step_that_they_are_of() {
        let (params, ..) = parts();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let (plain, of_step) = (encode_model(&params), encode_model_of(850, &params));
        let tensors = |bytes: &[u8]| -> BTreeMap<String, Vec<u8>> {
            let file = SafeTensors::deserialize(bytes).unwrap();
            file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
        };
        assert!(tensors(&of_step) == tensors(&plain));
        assert!((0..8).all(|_| encode_model_of(850, &params) == of_step), "the same bytes each time");
        for (bytes, step) in [(plain, None), (of_step, Some(850)), (b"no weights".to_vec(), None)] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(step_of_model(&path), step);
        }
        let (_, metadata) = SafeTensors::read_metadata(&encode_model_of(1, &params)).unwrap();
        assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
    }

    fn load_bytes(bytes: &[u8], params: &Params, plan: &Plan) -> Result<(State, Positions), CheckpointError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.safetensors");
        std::fs::write(&path, bytes).unwrap();
        load(&path, params.clone(), &Rules::default(), plan)
    }

    /// The file with another header in its metadata, of the same length or not.
    fn edited(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
        assert!(header.contains(from), "{header}");
        let header = header.replacen(from, to, 1).trim_end().to_owned();
        let padded = header.clone() + &" ".repeat(header.len().next_multiple_of(8) - header.len());
        [&(padded.len() as u64).to_le_bytes(), padded.as_bytes(), &bytes[8 + length..]].concat()
    }

    #[test]
    fn an_optimizer_goes_on() {
        let mix = "{ kind = \"mix\", from = \"rmsprop\", to = \"sgd\" }";
        ["\"adam\"", "\"lars\"", "\"lbfgs\"", mix].into_iter().for_each(goes_on);
    }

    fn goes_on(optimizer: &str) {
        let (params, plan) = net_and_plan(optimizer);
        let mut state = State::new(params.clone(), &Rules::default(), &plan.phases[0].optimizer);
        let step = |state: &mut State| {
            let hypers = optim::Hypers { lr: 0.01, momentum: 0.9, weight_decay: 0.0, beta: None, share: 0.5 };
            let State { params, optimizers, .. } = state;
            params.grads_mut().fill(0.5);
            // A bowl, for those that look again.
            let mut again = |params: &[f32], grads: &mut [f32]| {
                grads.copy_from_slice(params);
                Ok(params.iter().map(|p| 0.5 * f64::from(p * p)).sum())
            };
            optimizers.step(params, Isa::Portable, 0.0, &[Some(hypers)], &mut again).unwrap();
        };
        step(&mut state);
        let (mut resumed, _) = load_bytes(&encode(&state, &positions(), &[]), &params, &plan).unwrap();
        assert_eq!(resumed.optimizers.states(), state.optimizers.states());
        step(&mut state);
        step(&mut resumed);
        assert_eq!(resumed.params.values(), state.params.values());
        assert_eq!(resumed.optimizers.states(), state.optimizers.states());
    }

    #[test]
    fn the_algorithms_of_a_device_are_kept() {
        let (params, plan, on_cpu) = parts();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.safetensors");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(
                load(&path, params.clone(), &Rules::default(), &plan).unwrap().0.params.values(),
                params.values()
            );
            algorithms(&path).unwrap()
        };
        let state = State::new(params.clone(), &Rules::default(), &plan.phases[0].optimizer);
        let chosen = device::tests::algorithms();
        let on_device = encode(&state, &positions(), &chosen);
        assert_eq!(read(&on_device), chosen);
        // Without any the file is as those of before there were devices.
        assert!(read(&on_cpu).is_empty());
        assert!(!on_cpu.windows(10).any(|bytes| bytes == b"algorithms"));
        let strange = edited(&on_device, r#"\"direction\":\"forward\""#, r#"\"direction\":\"foreward\""#);
        let error = load_bytes(&strange, &params, &plan).err().unwrap().to_string();
        assert!(error.contains("its header") && error.contains("foreward"), "{error}");
    }

    #[test]
    fn a_whole_checkpoint_is_read_and_a_wrong_one_is_refused() {
        let (params, plan, bytes) = parts();
        assert_eq!(load_bytes(&bytes, &params, &plan).unwrap().0.params.values(), params.values());
        let cases = [
            (r#"\"kind\":\"sgd\""#, r#"\"kind\":\"sdg\""#, "its optimizer, `sdg`"),
            (r#"\"nesterov\":"#, r#"\"nestorov\":"#, "its optimizer"),
            (r#"\"step\":0"#, r#"\"step\":3"#, "of step 3, and the plan has 2"),
            (r#"\"step\":0"#, r#"\"step\":1"#, "of step 1, with 0 rows"),
            (r#"\"format\":2"#, r#"\"format\":9"#, "its format is 9"),
            ("trace.csv", "tracy.csv", "does not say where trace.csv stood"),
            ("params.head.fc.weight", "params.head.fc.weighs", "`params.head.fc.weight` is missing"),
            ("runner_checkpoint", "runner_chickpoint", "not one of runner's"),
        ];
        for (from, to, want) in cases {
            let error = load_bytes(&edited(&bytes, from, to), &params, &plan).err().unwrap().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn a_flipped_bit_of_a_tensor_is_not_trained_on() {
        let (params, plan, bytes) = parts();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in (8 + header..bytes.len()).step_by(13) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let error = load_bytes(&flipped, &params, &plan).err().unwrap().to_string();
            assert!(error.contains("another checksum"), "{error}");
        }
        // Files of before there were checksums are read as they are.
        let crc = Header::read(&tensors::open(&bytes).unwrap().1).unwrap().crc32c.unwrap();
        let older = edited(&bytes, &format!(r#"\"crc32c\":{crc}"#), r#"\"crc32c\":null"#);
        load_bytes(&older, &params, &plan).unwrap();
        assert!(load_bytes(&edited(&bytes, &crc.to_string(), "7"), &params, &plan).is_err());
    }

    #[test]
    fn another_format_is_named_whatever_its_header_holds() {
        let (params, plan, bytes) = parts();
        let other = edited(&bytes, r#"\"format\":2"#, r#"\"format\":9"#);
        let other = edited(&other, r#"\"progress\":"#, r#"\"regresso\":"#);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.safetensors");
        std::fs::write(&path, &other).unwrap();
        let errors = [step(&path).unwrap_err(), load_bytes(&other, &params, &plan).err().unwrap()];
        assert!(errors.iter().all(|error| error.to_string().contains("its format is 9")), "{errors:?}");
    }

    /// Nothing that a damaged file holds makes the program panic or ask for memory that the file does not back.
    #[test]
    fn damaged_bytes_are_errors() {
        let (params, plan, bytes) = parts();
        for cut in (0..bytes.len()).step_by(7) {
            assert!(load_bytes(&bytes[..cut], &params, &plan).is_err(), "cut at {cut}");
        }
        for length in [u64::MAX, 1 << 40, 100_000_000, bytes.len() as u64] {
            let long = [&length.to_le_bytes(), &bytes[8..]].concat();
            assert!(load_bytes(&long, &params, &plan).is_err(), "a header of {length}");
        }
        let deep = [&200_000u64.to_le_bytes()[..], &b"[".repeat(200_000)].concat();
        assert!(load_bytes(&deep, &params, &plan).is_err());
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in (0..8 + header).step_by(3) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x15;
            // An error or, in a name of no account, none.
            let _ = load_bytes(&flipped, &params, &plan);
        }
    }
}
