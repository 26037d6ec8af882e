//! Writing down a [`State`] and taking it up again.
//!
//! One safetensors file, replaced atomically: `params.*` and `stats.*` by name, `optimizer.*` flat, and in the metadata,
//! under one key as JSON, the [`Progress`], the optimizer's counters and the positions in the CSV files.

use super::state::{Progress, State, make_optimizer};
use crate::nn::Params;
use crate::optim;
use crate::record::Positions;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Changes when the file's meaning does.
const FORMAT: u32 = 1;
/// The one metadata key: with several, their order in the file would be a hash map's.
const HEADER_KEY: &str = "runner_checkpoint";

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
    counters: BTreeMap<String, u64>,
    positions: Positions,
}

/// The checkpoint's bytes.
pub fn encode(state: &State, positions: &Positions) -> Vec<u8> {
    let optimizer = state.optimizer.state();
    let header = Header {
        format: FORMAT,
        progress: state.progress.clone(),
        counters: optimizer.counters.clone(),
        positions: positions.clone(),
    };
    let mut tensors = model_tensors(&state.params, "params.", "stats.");
    for (name, buffer) in &optimizer.buffers {
        tensors.push((format!("optimizer.{name}"), view(&[buffer.len()], buffer)));
    }
    let header = serde_json::to_string(&header).expect("the header is plain data");
    serialize(tensors, HashMap::from([(HEADER_KEY.to_owned(), header)]))
}

/// The weights and running statistics alone, by name: `model.safetensors`.
pub fn encode_model(params: &Params) -> Vec<u8> {
    serialize(model_tensors(params, "", ""), HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

fn serialize(mut tensors: Vec<(String, TensorView<'_>)>, metadata: HashMap<String, String>) -> Vec<u8> {
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    safetensors::serialize(tensors, Some(metadata)).expect("views are as long as their shapes say")
}

fn model_tensors<'a>(params: &'a Params, param_prefix: &str, stat_prefix: &str) -> Vec<(String, TensorView<'a>)> {
    let values = params.directory().iter().map(|(name, slot)| (param_prefix, name, slot, &params.values));
    let stats = params.stat_directory().iter().map(|(name, slot)| (stat_prefix, name, slot, &params.stats));
    values
        .chain(stats)
        .map(|(prefix, name, slot, flat)| (format!("{prefix}{name}"), view(&slot.shape, &flat[slot.range.clone()])))
        .collect()
}

fn view<'a>(shape: &[usize], data: &'a [f32]) -> TensorView<'a> {
    TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(data)).expect("the shape is the slice's")
}

/// Reads a checkpoint for the net that `params` describes.
///
/// # Errors
/// When the file cannot be read, is damaged, or is of another net.
pub fn load(path: &Path, mut params: Params) -> Result<(State, Positions), CheckpointError> {
    let corrupt = |problem: String| CheckpointError::Corrupt { path: path.display().to_string(), problem };
    let bytes =
        std::fs::read(path).map_err(|source| CheckpointError::Io { path: path.display().to_string(), source })?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| corrupt(e.to_string()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| corrupt(e.to_string()))?;
    let metadata = metadata.metadata().as_ref().ok_or_else(|| corrupt("it has no metadata".into()))?;
    let header = metadata.get(HEADER_KEY).ok_or_else(|| corrupt("it is not one of runner's".into()))?;
    let header: Header = serde_json::from_str(header).map_err(|e| corrupt(format!("its header: {e}")))?;
    if header.format != FORMAT {
        return Err(corrupt(format!("its format is {}, this program reads {FORMAT}", header.format)));
    }

    let (directory, stat_directory) = (params.directory().clone(), params.stat_directory().clone());
    let named = directory.iter().map(|(name, slot)| (format!("params.{name}"), slot, true));
    let named_stats = stat_directory.iter().map(|(name, slot)| (format!("stats.{name}"), slot, false));
    let mut known = 0;
    for (name, slot, is_param) in named.chain(named_stats) {
        let flat = if is_param { &mut params.values } else { &mut params.stats };
        let data = floats(&tensors, &name, slot.range.len()).map_err(corrupt)?;
        flat[slot.range.clone()].copy_from_slice(&data);
        known += 1;
    }
    params.touch();

    let mut optimizer_state = optim::State { counters: header.counters, ..Default::default() };
    for name in tensors.names() {
        if let Some(buffer) = name.strip_prefix("optimizer.") {
            let data = floats(&tensors, name, params.values.len()).map_err(corrupt)?;
            optimizer_state.buffers.insert(buffer.to_owned(), data);
            known += 1;
        }
    }
    if known != tensors.len() {
        return Err(corrupt(format!("it holds {} tensors, {known} of them known to this net", tensors.len())));
    }
    let mut optimizer = make_optimizer(&header.progress.optimizer, &params);
    optimizer.load(optimizer_state).map_err(|e| corrupt(e.to_string()))?;
    Ok((State { params, optimizer, progress: header.progress }, header.positions))
}

fn floats(tensors: &SafeTensors<'_>, name: &str, len: usize) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|_| format!("`{name}` is missing"))?;
    if tensor.dtype() != Dtype::F32 || tensor.data().len() != len * 4 {
        return Err(format!("`{name}` is {:?} of {} bytes, not {len} floats", tensor.dtype(), tensor.data().len()));
    }
    Ok(bytemuck::pod_collect_to_vec(tensor.data()))
}
