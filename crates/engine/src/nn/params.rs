//! Parameters, their gradients and the running statistics: flat buffers with a directory.

use super::init::Init;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a parameter is for; rules of `[[params]]` choose by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Filters of a convolution.
    Conv,
    /// The matrix of a linear layer.
    Linear,
    /// Scale and shift of a normalisation.
    Norm,
    /// Bias of a convolution or a linear layer.
    Bias,
}

crate::words!(Role { Conv = "conv", Linear = "linear", Norm = "norm", Bias = "bias" });

/// A parameter that a layer asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// Within its layer: `weight`, `bias`; in [`Params`] with the layer's path in front.
    pub name: String,
    pub role: Role,
    /// As torchvision shapes it: `OIHW`, `OI`, or one axis.
    pub shape: Vec<usize>,
    pub init: Init,
    /// It keeps its start: no gradient is computed, no rule updates it, no weight decay pulls at it.
    pub frozen: bool,
}

impl ParamDecl {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A statistic that a layer keeps without training it: a batch norm's running mean and variance.
#[derive(Clone, Debug, PartialEq)]
pub struct StatDecl {
    pub name: String,
    pub len: usize,
    pub start: f32,
}

/// A named part of a flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub range: Range<usize>,
    pub shape: Vec<usize>,
    pub role: Option<Role>,
    /// As its declaration says.
    pub frozen: bool,
}

/// All parameters of a net in one flat buffer, in name order, each aligned to 64 bytes; their gradients beside them; the
/// running statistics in another.
#[derive(Clone, Debug)]
pub struct Params {
    directory: BTreeMap<String, Slot>,
    stat_directory: BTreeMap<String, Slot>,
    /// Zero between the slots.
    pub values: Vec<f32>,
    /// As `values`; zero where a parameter is frozen.
    pub grads: Vec<f32>,
    pub stats: Vec<f32>,
    version: u64,
}

/// The next version to give out: no two states of any parameters share one, so that a kernel's packed weights are never
/// taken for those of other parameters.
static NEXT_VERSION: AtomicU64 = AtomicU64::new(0);

fn next_version() -> u64 {
    NEXT_VERSION.fetch_add(1, Ordering::Relaxed)
}

/// Floats of one 64-byte line: slots start at multiples of it.
const ALIGN: usize = 16;

impl Params {
    /// Lays out and initialises. A parameter's start is a function of (seed, its name) alone: another head or stem leaves
    /// the backbone's start as it is.
    pub fn new(params: &[ParamDecl], stats: &[StatDecl], seed: u64) -> Self {
        let mut by_name: Vec<&ParamDecl> = params.iter().collect();
        by_name.sort_by(|a, b| a.name.cmp(&b.name));
        let mut directory = BTreeMap::new();
        let mut values = Vec::new();
        for decl in by_name {
            let start = values.len();
            values.extend(decl.init.values(decl, seed));
            let (shape, role) = (decl.shape.clone(), Some(decl.role));
            let slot = Slot { range: start..values.len(), shape, role, frozen: decl.frozen };
            directory.insert(decl.name.clone(), slot);
            values.resize(values.len().next_multiple_of(ALIGN), 0.0);
        }
        let mut stat_directory = BTreeMap::new();
        let mut stat_values = Vec::new();
        for decl in stats {
            let start = stat_values.len();
            stat_values.resize(start + decl.len, decl.start);
            let slot = Slot { range: start..start + decl.len, shape: vec![decl.len], role: None, frozen: false };
            stat_directory.insert(decl.name.clone(), slot);
        }
        let grads = vec![0.0; values.len()];
        Self { directory, stat_directory, values, grads, stats: stat_values, version: next_version() }
    }

    /// The same without room for gradients: of a net that stays as it is.
    pub fn without_gradients(self) -> Self {
        Self { grads: Vec::new(), ..self }
    }

    /// Name → place, in name order.
    pub fn directory(&self) -> &BTreeMap<String, Slot> {
        &self.directory
    }

    pub fn stat_directory(&self) -> &BTreeMap<String, Slot> {
        &self.stat_directory
    }

    /// Number of values, frozen ones included, without the gaps between slots.
    pub fn count(&self) -> usize {
        self.directory.values().map(|slot| slot.range.len()).sum()
    }

    /// Number of values that are trained.
    pub fn trained(&self) -> usize {
        self.directory.values().filter(|slot| !slot.frozen).map(|slot| slot.range.len()).sum()
    }

    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.directory.get(name).map(|slot| &self.values[slot.range.clone()])
    }

    pub fn grad(&self, name: &str) -> Option<&[f32]> {
        self.directory.get(name).map(|slot| &self.grads[slot.range.clone()])
    }

    pub fn stat(&self, name: &str) -> Option<&[f32]> {
        self.stat_directory.get(name).map(|slot| &self.stats[slot.range.clone()])
    }

    /// Says that `values` changed: kernels repack their weights before the next forward.
    pub fn touch(&mut self) {
        self.version = next_version();
    }

    pub fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decl(name: &str, len: usize) -> ParamDecl {
        let init = Init::Uniform { bound: 0.5 };
        ParamDecl { name: name.into(), role: Role::Conv, shape: vec![len], init, frozen: false }
    }

    #[test]
    fn a_start_depends_on_seed_and_name_alone() {
        let alone = Params::new(&[decl("b", 20)], &[], 1);
        let among = Params::new(&[decl("c", 5), decl("b", 20), decl("a", 3)], &[], 1);
        assert_eq!(alone.get("b"), among.get("b"));
        assert_ne!(alone.get("b"), Params::new(&[decl("b", 20)], &[], 2).get("b"));
        assert_eq!(among.count(), 28);
        assert!(among.get("b").expect("declared").iter().all(|x| x.abs() <= 0.5));
    }

    #[test]
    fn slots_are_aligned_and_gaps_zero() {
        let p = Params::new(&[decl("a", 3), decl("b", 17)], &[], 1);
        assert_eq!(p.directory()["b"].range, 16..33);
        assert!(p.values[3..16].iter().all(|x| *x == 0.0));
        assert_eq!(p.values.len() % ALIGN, 0);
    }
}
