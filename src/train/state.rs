//! Everything that later rows of a run depend on. A checkpoint is this and nothing else.

use crate::nn::{Loss, Params};
use crate::optim::{self, Optimizer, Segment};
use crate::registry::{Choice, find};
use crate::units::Seconds;
use serde::{Deserialize, Serialize};

/// The state between two steps.
pub struct State {
    pub params: Params,
    pub optimizer: Box<dyn Optimizer>,
    pub progress: Progress,
}

/// The part of the state that is not tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps taken: the next one's number.
    pub step: u64,
    /// Of the optimizer whose state this is.
    pub optimizer: Choice,
    /// Images trained on.
    pub images: u64,
    pub window: Window,
    pub seconds: Spent,
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

/// A fresh optimizer of that kind.
pub fn make_optimizer(choice: &Choice, params: &Params) -> Box<dyn Optimizer> {
    let entry = find(optim::ENTRIES, &choice.kind).expect("a checked optimizer is known");
    (entry.make)(&choice.settings, params.count())
}

impl State {
    /// Before step 0.
    pub fn new(params: Params, optimizer: &Choice) -> Self {
        let progress = Progress {
            step: 0,
            optimizer: optimizer.clone(),
            images: 0,
            window: Window::default(),
            seconds: Spent::default(),
        };
        Self { optimizer: make_optimizer(optimizer, &params), params, progress }
    }

    /// Goes over to a phase's optimizer: its state lives on while the kind stays the same; another kind starts afresh, but
    /// for the momentum when `carry` is set and both have one.
    ///
    /// # Errors
    /// When the old state does not fit the new instance: a mistake of the optimizer's `state` and `load`.
    pub fn switch_optimizer(&mut self, choice: &Choice, carry: bool) -> Result<(), optim::StateError> {
        if *choice == self.progress.optimizer {
            return Ok(());
        }
        let mut next = make_optimizer(choice, &self.params);
        if choice.kind == self.progress.optimizer.kind {
            next.load(self.optimizer.state())?;
        } else if carry && let Some(momentum) = self.optimizer.momentum() {
            next.carry(momentum);
        }
        self.optimizer = next;
        self.progress.optimizer = choice.clone();
        Ok(())
    }
}

/// The parameters as the optimizer sees them, with the rules of `[[params]]` applied; frozen ones it does not see.
pub fn segments(params: &Params, rules: &[crate::config::spec::ParamRule]) -> Vec<Segment> {
    use crate::config::spec::ParamMatch;
    params
        .directory()
        .iter()
        .filter(|(_, slot)| !slot.frozen)
        .map(|(name, slot)| {
            let rule = rules.iter().find(|rule| match &rule.matches {
                ParamMatch::Role(role) => slot.role == Some(*role),
                ParamMatch::Name(pattern) => glob(pattern, name),
            });
            Segment {
                name: name.clone(),
                range: slot.range.clone(),
                shape: slot.shape.clone(),
                lr_scale: rule.and_then(|rule| rule.lr).unwrap_or(1.0),
                weight_decay: rule.and_then(|rule| rule.weight_decay),
            }
        })
        .collect()
}

/// Whether `name` matches a pattern in which `*` stands for any run of characters.
pub fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name
            .strip_prefix(head)
            .is_some_and(|tail| (0..=tail.len()).filter(|k| tail.is_char_boundary(*k)).any(|k| glob(rest, &tail[k..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Init, ParamDecl, Role};
    use crate::registry::Value;

    fn state() -> State {
        let (name, init) = ("w".to_owned(), Init::Constant(1.0));
        let decl = ParamDecl { name, role: Role::Conv, shape: vec![3], init, frozen: false };
        State::new(Params::new(&[decl], &[], 1), &sgd(false))
    }

    fn sgd(nesterov: bool) -> Choice {
        let decay = Value::Text("coupled".to_owned());
        Choice::with("sgd", [("nesterov", Value::Bool(nesterov)), ("decay", decay)])
    }

    fn adam(eps: f64) -> Choice {
        Choice::with("adam", [("beta2", Value::Float(0.999)), ("eps", Value::Float(eps))])
    }

    fn step(state: &mut State) {
        let segments = segments(&state.params, &[]);
        let Params { values, grads, .. } = &mut state.params;
        grads.fill(0.5);
        let hypers = optim::Hypers { lr: 0.01, momentum: 0.9, weight_decay: 0.0, beta: None };
        let flat = optim::Flat { params: values, grads, segments: &segments, isa: crate::kernels::Isa::Portable };
        state.optimizer.step(flat, &hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
    }

    #[test]
    fn an_optimizers_state_outlives_new_settings_and_its_momentum_on_request_another_kind() {
        let mut state = state();
        step(&mut state);
        let sum = state.optimizer.momentum();
        let before = state.optimizer.state();
        state.switch_optimizer(&sgd(true), false).unwrap();
        assert_eq!(state.optimizer.state(), before, "other settings of one kind");

        state.switch_optimizer(&adam(1e-8), true).unwrap();
        assert_eq!(state.optimizer.momentum(), sum, "carried");
        step(&mut state);
        step(&mut state);
        let before = state.optimizer.state();
        assert_eq!(before.counters["steps"], 2);
        state.switch_optimizer(&adam(1e-6), false).unwrap();
        assert_eq!(state.optimizer.state(), before, "adam counts on");

        let sum = state.optimizer.momentum();
        state.switch_optimizer(&sgd(false), true).unwrap();
        assert_eq!(state.optimizer.momentum(), sum, "carried back");
        state.switch_optimizer(&adam(1e-8), false).unwrap();
        assert_eq!(state.optimizer.momentum().unwrap(), [0.0; 3], "dropped");
        assert_eq!(state.optimizer.state().counters["steps"], 0);
    }

    #[test]
    fn globs_match_whole_names() {
        assert!(glob("layer1.*", "layer1.0.conv.weight"));
        assert!(glob("*.norm.*", "layer1.0.norm.bias"));
        assert!(glob("*", "anything"));
        assert!(!glob("layer1.*", "layer10.conv"));
        assert!(!glob("layer1", "layer1.conv"));
    }
}
