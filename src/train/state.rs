//! Everything that later rows of a run depend on. A checkpoint is this and nothing else.

use super::average::Average;
use super::lookahead::Lookahead;
use super::optimizers::{Optimizers, Rules};
use super::pruning::Remembered;
use super::watch::Watch;
use crate::loss_scale::Scale;
use crate::nn::{Loss, Params};
use crate::plan::Handover;
use crate::registry::Choice;
use crate::units::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The state between two steps.
pub struct State {
    pub params: Params,
    pub optimizers: Optimizers,
    /// Once it has begun.
    pub lookahead: Option<Lookahead>,
    /// Once it has taken weights in.
    pub average: Option<Average>,
    /// Of sets that are pruned by losses, then or later.
    pub losses: Remembered,
    pub progress: Progress,
}

/// The part of the state that is not tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps taken: the next one's number.
    pub step: u64,
    /// Of the phase whose state this is.
    pub optimizer: Choice,
    /// Images trained on.
    pub images: u64,
    pub window: Window,
    pub seconds: Spent,
    #[serde(default)]
    pub watch: Watch,
    /// Of the loss, once a step was taken with one.
    #[serde(default)]
    pub scale: Option<Scale>,
    /// Why training is over before its plan is, once a stop rule has said so.
    #[serde(default)]
    pub ended: Option<String>,
    /// By the place of the set among the plan's, where there is any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub damaged: BTreeMap<usize, Damaged>,
}

/// Images of a set that turned out to be damaged as they were served, where such are skipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Damaged {
    /// The training images that others have stood in for, by number.
    pub train: BTreeSet<u32>,
    /// How many validation images the last evaluation went without.
    pub val: usize,
}

impl Damaged {
    /// How many training images were replaced, and how many validation images left out.
    pub fn counts(&self) -> (u64, u64) {
        (self.train.len() as u64, self.val as u64)
    }
}

impl Progress {
    /// Notes training images of a set that a step met.
    pub fn note_damaged(&mut self, set: usize, images: &[u32]) {
        if !images.is_empty() {
            self.damaged.entry(set).or_default().train.extend(images);
        }
    }

    /// Notes how many validation images of a set an evaluation went without.
    pub fn note_left_out(&mut self, set: usize, images: usize) {
        if images > 0 || self.damaged.contains_key(&set) {
            self.damaged.entry(set).or_default().val = images;
        }
    }
}

/// Sums over the steps since the last evaluation: what `train_loss` and `train_acc` are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub loss: f64,
    pub correct: u64,
    pub images: u64,
}

impl Window {
    pub fn add(&mut self, loss: &Loss) {
        self.loss += loss.sum;
        self.correct += loss.correct as u64;
        self.images += loss.images as u64;
    }
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.images as f64
    }
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

/// Seconds by kind, interruptions left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    pub train: Seconds,
    pub eval: Seconds,
    pub data_wait: Seconds,
    pub checkpoint: Seconds,
    pub wall: Seconds,
}

impl State {
    /// Before step 0, of a phase with that optimizer.
    pub fn new(params: Params, rules: &Rules, optimizer: &Choice) -> Self {
        let progress = Progress {
            step: 0,
            optimizer: optimizer.clone(),
            images: 0,
            window: Window::default(),
            seconds: Spent::default(),
            watch: Watch::default(),
            scale: None,
            ended: None,
            damaged: BTreeMap::new(),
        };
        Self {
            optimizers: Optimizers::new(&params, rules, optimizer),
            params,
            lookahead: None,
            average: None,
            losses: Remembered::new(),
            progress,
        }
    }

    /// Brings back what is newer on a device: to be called before anything but another step is done with it.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> anyhow::Result<()> {
        self.params.home()?;
        if let Some(lookahead) = &mut self.lookahead {
            lookahead.home()?;
        }
        if let Some(average) = &mut self.average {
            average.home()?;
        }
        self.optimizers.home()
    }

    /// The mean of the weights that optimizers keep, as it is now; of weights that none keeps one of, these themselves.
    ///
    /// # Errors
    /// Those of the device.
    pub fn mean_of_optimizers(&mut self) -> anyhow::Result<Average> {
        self.home()?;
        Ok(Average::of_others(&self.params, |weights| self.optimizers.to_average(weights)))
    }

    /// Goes over to a phase's optimizer: see [`Optimizers::switch`].
    ///
    /// # Errors
    /// Those of it, and of a device.
    pub fn switch_optimizer(&mut self, choice: &Choice, handover: Handover) -> anyhow::Result<()> {
        self.params.home()?;
        self.optimizers.home()?;
        self.optimizers.switch(&mut self.params, choice, handover)?;
        self.progress.optimizer = choice.clone();
        Ok(())
    }
}
