//! The experiment after checking: typed, defaults filled in, every choice known.

use crate::criterion::{self, Rule};
use crate::data::Statistics;
use crate::registry::{Choice, Duration, RampValue};
use crate::words;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A whole experiment.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spec {
    pub name: String,
    pub seed: u64,
    /// Family `task`; training a net where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Choice>,
    /// Of a task that names images itself a place holder that nothing reads.
    pub data: DataSpec,
    pub model: ModelSpec,
    pub train: TrainSpec,
    #[serde(default)]
    pub record: RecordSpec,
    /// Ordered rules over parameters; the first match wins.
    pub params: Vec<ParamRule>,
    /// What carries over from phase to phase is filled in: every phase here is whole.
    pub phases: Vec<PhaseSpec>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DataSpec {
    /// Family `data set`.
    pub dataset: Choice,
    pub root: Option<PathBuf>,
    /// Family `data set`, generated ones alone.
    pub stand_in: Option<Choice>,
    /// Family `augmentation`, for phases that name none.
    pub augment: Vec<Choice>,
    pub last_batch: LastBatch,
    pub train_images: Option<usize>,
    pub val_images: Option<usize>,
    pub classes: Option<usize>,
    /// What images are normalised with; by what the training images of each set tell when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
}

/// A data set that a phase goes over to.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SetSpec {
    /// Family `data set`.
    pub dataset: Choice,
    /// That of `[data]` when absent.
    pub root: Option<PathBuf>,
    pub train_images: Option<usize>,
    pub val_images: Option<usize>,
    pub classes: Option<usize>,
    /// Those of `[data]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
}

/// What becomes of an epoch's last, short batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastBatch {
    Serve,
    Drop,
}

words!(LastBatch { Serve = "serve", Drop = "drop" });

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ModelSpec {
    /// Families `stem`, `backbone`, `head`; a stem or head the file leaves out is the backbone's own.
    pub stem: Choice,
    pub backbone: Choice,
    pub head: Choice,
    /// Outputs of the head; the data set's classes when absent.
    pub classes: Option<usize>,
    /// Safetensors to start from, absolute; fresh weights when absent.
    pub weights: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TrainSpec {
    pub precision: Precision,
    /// Family `training loss`; cross-entropy where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Choice>,
    /// Of phases that have none of their own.
    pub label_smoothing: f64,
    /// How often a checkpoint is written.
    pub checkpoint_every: Duration,
    /// How often the validation set is evaluated (and a row of `metrics.csv` written); always at the end too.
    pub eval_every: Duration,
    /// Whether it is at the end of each phase too.
    #[serde(default, skip_serializing_if = "is_no")]
    pub eval_phases: bool,
    /// Images a batch in evaluation.
    pub eval_batch: usize,
    /// Side of the images that are evaluated; that of the phase when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_size: Option<usize>,
    // Left out of the hash where there is none, so that the hash is that of before there was this setting.
    #[serde(default, skip_serializing_if = "Tta::is_none")]
    pub tta: Tta,
    #[serde(default, skip_serializing_if = "TtaAt::is_every")]
    pub tta_at: TtaAt,
    /// Whether convolutions may go through Winograd's algorithm.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub winograd: bool,
    /// Whether a GPU's libraries are to use only algorithms that give the same bytes each time, as the CPU always does.
    #[serde(default, skip_serializing_if = "is_no")]
    pub deterministic: bool,
    /// Whether activations that backward reads are computed a second time instead of kept. What comes out is the same.
    #[serde(default, skip_serializing_if = "is_no")]
    pub recompute: bool,
    /// Images that share a norm's statistics in training; the whole batch when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ghost_batch: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookahead: Option<LookaheadSpec>,
    /// Family `loss-scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<Choice>,
    /// Family `average`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Choice>,
    #[serde(default, skip_serializing_if = "StopSpec::is_none")]
    pub stop: StopSpec,
}

impl TrainSpec {
    /// What the loss of an image is.
    pub fn criterion(&self) -> Rule {
        self.loss.as_ref().map(criterion::make).unwrap_or_default()
    }

    /// What it is called.
    pub fn loss_name(&self) -> &str {
        self.loss.as_ref().map_or(criterion::ENTRIES[0].name, |loss| &loss.kind)
    }
}

/// What is written about a run besides: no part of what the experiment is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecordSpec {
    /// Event files for TensorBoard.
    pub tensorboard: bool,
    /// The weights of the best evaluation.
    #[serde(default)]
    pub best: bool,
    /// Those at the end of each phase.
    #[serde(default)]
    pub phases: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(it: &bool) -> bool {
    *it
}

fn is_no(it: &bool) -> bool {
    !*it
}

pub use super::stops::{Metric, Patience, StopSpec};

/// Slow weights that the trained ones are drawn to.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LookaheadSpec {
    /// Steps.
    pub every: u64,
    /// From the start of training to its end, whenever the slow weights begin.
    pub decay: RampValue,
    pub start: Duration,
    pub at_epoch_end: bool,
}

/// Over which views of the validation images outputs are averaged, for `val_acc_tta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tta {
    #[default]
    None,
    Mirror,
    MirrorTranslate,
}

words!(Tta { None = "none", Mirror = "mirror", MirrorTranslate = "mirror-translate" });

impl Tta {
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// The evaluations that test-time augmentation is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TtaAt {
    #[default]
    Every,
    Last,
}

words!(TtaAt { Every = "every", Last = "last" });

impl TtaAt {
    pub fn is_every(&self) -> bool {
        *self == Self::Every
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    F32,
    /// On a GPU without TF32; on the CPU as `F32`.
    F32Strict,
    Bf16,
    F16,
}

words!(Precision { F32 = "f32", F32Strict = "f32-strict", Bf16 = "bf16", F16 = "f16" });

/// Which parameters a rule of `[[params]]` speaks of: those of which all that is given is true. Something is given.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Subject {
    pub role: Option<Role>,
    /// A glob over names: `layer1.*`.
    pub name: Option<String>,
    pub group: Option<PartKind>,
}

pub use crate::model::PartKind;
pub use crate::nn::Role;
pub use crate::schedule::Length;

words!(PartKind { Stem = "stem", Backbone = "backbone", Head = "head" });

/// What some of the parameters use in place of what the phase says; `None`: what it says.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ParamRule {
    pub subject: Subject,
    /// Family `optimizer`, for all phases.
    pub optimizer: Option<Choice>,
    pub lr: Option<RuleLr>,
    /// From the start of training to `until`.
    pub momentum: Option<RampValue>,
    pub weight_decay: Option<f64>,
    /// After so much of training the parameters are frozen.
    pub until: Option<Duration>,
}

/// The learning rate of a rule.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleLr {
    /// On the phase's.
    Factor(f64),
    /// From the start of training to `until`.
    Own(RampValue),
}

/// A phase of training, whole: what the file left out is filled in from the phase before or the defaults.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PhaseSpec {
    pub length: Length,
    /// The set of `[data]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<SetSpec>,
    /// Side of the square images; the set's native size when absent.
    pub size: Option<usize>,
    pub batch: usize,
    /// Parts that a step's images pass in.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Family `augmentation`.
    pub augment: Vec<Choice>,
    /// Family `image mix`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mix_images: Vec<Choice>,
    /// Family `image pruning`; `None`: an epoch serves all images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune_images: Option<Choice>,
    /// That of `[train]` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Family `optimizer`.
    pub optimizer: Choice,
    pub carry: bool,
    /// Whether the optimizer begins without what it remembers of the phases before.
    #[serde(default, skip_serializing_if = "is_no")]
    pub fresh: bool,
    /// In each ramp `to` is absent of the curve `constant` and of no other.
    pub lr: RampValue,
    pub momentum: RampValue,
    pub weight_decay: RampValue,
    /// Adam's β2, RMSProp's α; `None` leaves the optimizer's own.
    pub beta: Option<RampValue>,
    /// Bounds on the gradient; 0, as a constant, where an earlier phase's is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<RampValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<RampValue>,
    /// Factors on the rate, by group of parameters: see [`super::groups`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lr_groups: BTreeMap<String, f64>,
    /// Rates in place of the phase's, by group, before any factor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lr_values: BTreeMap<String, RampValue>,
    /// Weight decay in place of the phase's, by group. One that does not move is a number, so that the hash is that of before
    /// there were others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "numbers_or_ramps")]
    pub weight_decay_groups: BTreeMap<String, RampValue>,
    /// Groups that are not trained.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub freeze: BTreeSet<String>,
    /// The number of the file's phase that it comes from, from 0: no part of what the experiment is.
    #[serde(skip)]
    pub source: usize,
    /// The recipe that stands there in the file.
    #[serde(skip)]
    pub recipe: Option<String>,
}

fn one() -> usize {
    1
}

fn is_one(number: &usize) -> bool {
    *number == 1
}

/// Curves of groups as they are hashed: one that does not move is a number.
mod numbers_or_ramps {
    use super::RampValue;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Ramp(RampValue),
    }

    pub fn serialize<S: Serializer>(ramps: &BTreeMap<String, RampValue>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(ramps.iter().map(|(name, ramp)| match (ramp.to, ramp.across.is_no()) {
            (None, true) => (name, Written::Number(ramp.from)),
            _ => (name, Written::Ramp(ramp.clone())),
        }))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, RampValue>, D::Error> {
        let written = BTreeMap::<String, Written>::deserialize(from)?;
        let ramp = |written| match written {
            Written::Number(from) => RampValue::constant(from),
            Written::Ramp(ramp) => ramp,
        };
        Ok(written.into_iter().map(|(name, written)| (name, ramp(written))).collect())
    }
}
