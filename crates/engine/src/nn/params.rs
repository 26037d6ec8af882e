//! Parameters, their gradients and the running statistics: flat buffers with a directory.

use super::device::{Ahead, Mirror};
use super::init::Init;
use runner_gpu::Device;
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
    /// It keeps what it has: no rule updates it, no weight decay pulls at it, and nobody reads its gradient, if there is one.
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
///
/// A net that runs on a device has them there too. What a step changes there stays there until [`home`](Self::home) is called; looking at it
/// before that is a mistake, and panics.
#[derive(Debug)]
pub struct Params {
    directory: BTreeMap<String, Slot>,
    stat_directory: BTreeMap<String, Slot>,
    /// Zero between the slots.
    values: Vec<f32>,
    /// As `values`; zero where a parameter is frozen.
    grads: Vec<f32>,
    stats: Vec<f32>,
    version: u64,
    /// Of the statistics.
    stats_version: u64,
    mirror: Option<Mirror>,
}

/// Those of the host; the copy has none on a device.
impl Clone for Params {
    fn clone(&self) -> Self {
        Self {
            directory: self.directory.clone(),
            stat_directory: self.stat_directory.clone(),
            values: self.values().to_vec(),
            grads: self.grads.clone(),
            stats: self.stats().to_vec(),
            version: self.version,
            stats_version: self.stats_version,
            mirror: None,
        }
    }
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
        // Grown as it goes, it would have room for up to twice as many.
        let all = by_name.iter().map(|decl| decl.len().next_multiple_of(ALIGN)).sum();
        let mut values = Vec::with_capacity(all);
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
        let [version, stats_version] = [next_version(), next_version()];
        Self { directory, stat_directory, values, grads, stats: stat_values, version, stats_version, mirror: None }
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

    /// How many values there are, and how many running statistics, wherever they are.
    pub fn sizes(&self) -> [usize; 2] {
        [self.values.len(), self.stats.len()]
    }

    /// All values, zero between the slots.
    ///
    /// # Panics
    /// When they have changed on a device and are not home.
    pub fn values(&self) -> &[f32] {
        self.expect_home(|ahead| ahead.values);
        &self.values
    }

    /// To be changed.
    ///
    /// # Panics
    /// As [`values`](Self::values).
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.expect_home(|ahead| ahead.values);
        self.touch();
        &mut self.values
    }

    /// The gradients of all values, zero where a parameter is frozen.
    ///
    /// # Panics
    /// When they were computed on a device and are not home.
    pub fn grads(&self) -> &[f32] {
        self.expect_home(|ahead| ahead.grads);
        &self.grads
    }

    /// To be changed.
    ///
    /// # Panics
    /// As [`grads`](Self::grads).
    pub fn grads_mut(&mut self) -> &mut [f32] {
        self.expect_home(|ahead| ahead.grads);
        &mut self.grads
    }

    /// All running statistics.
    ///
    /// # Panics
    /// When they have moved on a device and are not home.
    pub fn stats(&self) -> &[f32] {
        self.expect_home(|ahead| ahead.stats);
        &self.stats
    }

    /// To be changed.
    ///
    /// # Panics
    /// As [`stats`](Self::stats).
    pub fn stats_mut(&mut self) -> &mut [f32] {
        self.expect_home(|ahead| ahead.stats);
        self.stats_version = next_version();
        &mut self.stats
    }

    /// Values, both to be changed, and their gradients.
    ///
    /// # Panics
    /// When one of them is not home.
    pub fn update(&mut self) -> (&mut [f32], &mut [f32]) {
        self.expect_home(|ahead| ahead.values || ahead.grads);
        self.touch();
        (&mut self.values, &mut self.grads)
    }

    /// What a pass on the host looks at, and what it writes: values, gradients, statistics.
    ///
    /// # Panics
    /// When values or statistics are not home.
    pub(super) fn pass(&mut self) -> (&[f32], &mut [f32], &mut [f32]) {
        self.expect_home(|ahead| ahead.values || ahead.stats);
        self.stats_version = next_version();
        if let Some(mirror) = &mut self.mirror {
            mirror.supersede_grads();
        }
        (&self.values, &mut self.grads, &mut self.stats)
    }

    /// Brings home what is newer on a device; to be called before values, gradients or statistics are looked at here.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> Result<(), runner_gpu::Error> {
        let Some(mirror) = &mut self.mirror else { return Ok(()) };
        mirror.download([&mut self.values, &mut self.grads, &mut self.stats])
    }

    /// Those on a device: as here, or newer.
    ///
    /// # Errors
    /// When its memory is too small.
    pub fn on_device(&mut self, device: &Device) -> Result<&mut Mirror, runner_gpu::Error> {
        if self.mirror.as_ref().is_some_and(|mirror| !mirror.is_on(device)) {
            self.home()?;
            self.mirror = None;
        }
        let Self { values, grads, stats, version, stats_version, mirror, .. } = self;
        let mirror = match mirror {
            Some(mirror) => mirror,
            None => mirror.insert(Mirror::new(device, [values.len(), grads.len(), stats.len()])?),
        };
        mirror.upload((values, *version), (stats, *stats_version))?;
        Ok(mirror)
    }

    /// The device that values and running statistics are on, if one of them is newer there: a step that is left out moves the
    /// statistics alone.
    pub fn away(&self) -> Option<Device> {
        let is_newer = |mirror: &&Mirror| mirror.ahead().values || mirror.ahead().stats;
        self.mirror.as_ref().filter(is_newer).map(|mirror| mirror.device().clone())
    }

    /// Those on a device, where their gradients are too; `None` where these are on the host.
    pub fn grads_away(&mut self) -> Option<&mut Mirror> {
        self.mirror.as_mut().filter(|mirror| mirror.ahead().grads)
    }

    /// Says that values and running statistics were changed on the device.
    ///
    /// # Panics
    /// When they were never there.
    pub fn drawn_on_device(&mut self) {
        self.updated_on_device();
        self.mirror.as_mut().expect("what was changed on a device is there").stats_moved();
    }

    /// Says that values were changed on the device, by a step that used up the gradients there.
    ///
    /// # Panics
    /// When they were never there.
    pub fn updated_on_device(&mut self) {
        self.touch();
        self.mirror.as_mut().expect("what was changed on a device is there").values_moved(self.version);
    }

    fn expect_home(&self, is_ahead: impl Fn(Ahead) -> bool) {
        let away = self.mirror.as_ref().is_some_and(|mirror| is_ahead(mirror.ahead()));
        assert!(!away, "parameters were changed on a device: `home` brings them back");
    }

    /// # Panics
    /// As [`values`](Self::values).
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.directory.get(name).map(|slot| &self.values()[slot.range.clone()])
    }

    /// # Panics
    /// As [`grads`](Self::grads).
    pub fn grad(&self, name: &str) -> Option<&[f32]> {
        self.directory.get(name).map(|slot| &self.grads()[slot.range.clone()])
    }

    /// # Panics
    /// As [`stats`](Self::stats).
    pub fn stat(&self, name: &str) -> Option<&[f32]> {
        self.stat_directory.get(name).map(|slot| &self.stats()[slot.range.clone()])
    }

    /// Says that values changed: kernels repack their weights before the next forward.
    fn touch(&mut self) {
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
