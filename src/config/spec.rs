//! The experiment after checking: typed, defaults filled in, every choice known.

use crate::registry::{Choice, Duration, RampValue};
use std::path::PathBuf;

/// Gives an enum the words that files name its variants by.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// As files write it, in the order declared.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word of this one.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The one that `word` names.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

/// A whole experiment.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spec {
    pub name: String,
    pub seed: u64,
    pub data: DataSpec,
    pub model: ModelSpec,
    pub train: TrainSpec,
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
    pub label_smoothing: f64,
    /// How often a checkpoint is written.
    pub checkpoint_every: Duration,
    /// How often the validation set is evaluated (and a row of `metrics.csv` written); always at the end too.
    pub eval_every: Duration,
    /// Images a batch in evaluation.
    pub eval_batch: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
    Bf16,
}

words!(Precision { F32 = "f32", Bf16 = "bf16" });

/// Which parameters a rule of `[[params]]` speaks of.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum ParamMatch {
    /// By role.
    Role(Role),
    /// By a glob over names: `layer1.*`.
    Name(String),
}

pub use crate::nn::Role;

words!(Role { Conv = "conv", Linear = "linear", Norm = "norm", Bias = "bias" });

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ParamRule {
    pub matches: ParamMatch,
    /// Replaces the phase's weight decay.
    pub weight_decay: Option<f64>,
    /// Factor on the phase's lr.
    pub lr: Option<f64>,
}

/// A phase of training, whole: what the file left out is filled in from the phase before or the defaults.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PhaseSpec {
    pub length: Length,
    /// Side of the square images; the set's native size when absent.
    pub size: Option<usize>,
    pub batch: usize,
    /// Family `augmentation`.
    pub augment: Vec<Choice>,
    /// Family `optimizer`.
    pub optimizer: Choice,
    pub carry: bool,
    /// In each ramp `to` is absent of the curve `constant` and of no other.
    pub lr: RampValue,
    pub momentum: RampValue,
    pub weight_decay: RampValue,
    /// Adam's β2, RMSProp's α; `None` leaves the optimizer's own.
    pub beta: Option<RampValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    Epochs(f64),
    Steps(u64),
}
