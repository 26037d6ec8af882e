//! The optimizers of a net: the phase's, and one for each rule of `[[params]]`.

use crate::config::groups::{Unit, Units};
use crate::config::spec::Spec;
use crate::gpu::ops::optim::gradient;
use crate::kernels::Isa;
use crate::model::Member;
use crate::nn::Params;
use crate::nn::device::Mirror;
use crate::optim::device::Tables;
use crate::optim::{self, Applied, Closure, DeviceFlat, Flat, Hypers, Optimizer, Segment, State, StateError, mix};
use crate::plan::Handover;
use crate::registry::Choice;
use anyhow::Context as _;
use std::collections::BTreeSet;

/// What an optimizer needs to know of the rules of `[[params]]` and the groups of phases: their units in the order of
/// [`Spec::units`], but for the first, which is all other parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules(pub Vec<Rule>);

/// One unit, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Names of the parameters that it takes.
    pub parameters: Vec<String>,
    /// `None`: the phase's.
    pub optimizer: Option<Choice>,
}

impl Rules {
    /// Those of an experiment over the parameters of its net.
    pub fn new(spec: &Spec, members: &[Member]) -> Self {
        let Units { all, of_each } = spec.units(members);
        let names = |place: usize| {
            let mine = members.iter().zip(&of_each).filter(|(_, unit)| **unit == place);
            mine.map(|(member, _)| member.name.clone()).collect()
        };
        let optimizer = |unit: &Unit| unit.rule.and_then(|rule| spec.params[rule].optimizer.clone());
        let units = all.iter().enumerate().skip(1);
        Self(units.map(|(k, unit)| Rule { parameters: names(k), optimizer: optimizer(unit) }).collect())
    }
}

/// For each parameter the rule that takes it.
pub fn rule_of_each(spec: &Spec, members: &[Member]) -> Vec<Option<usize>> {
    members.iter().map(|member| spec.rule_of(member)).collect()
}

/// Parameters that one optimizer steps with the same hyper-parameters.
struct Group {
    segments: Vec<Segment>,
    /// The optimizer that the rule gives, whatever the phase's is.
    own: Option<Choice>,
    choice: Choice,
    optimizer: Box<dyn Optimizer>,
    /// Its segments on a device, for gradients that are to be zero.
    tables: Tables,
}

impl Group {
    fn new(segments: Vec<Segment>, own: Option<Choice>, phase: &Choice) -> Self {
        let choice = own.as_ref().unwrap_or(phase).clone();
        Self { optimizer: make(&choice, &segments), segments, own, choice, tables: Tables::default() }
    }

    /// Its state lives on while the kind stays the same, of a mix that of both rules. Another kind starts afresh, but with
    /// [`Handover::Momentum`]: then the momentum lives on where both have one, and between a mix and one of its rules the whole
    /// state of that rule. With [`Handover::Nothing`] it starts afresh in any case, but what the rule gives, which is no matter of phases.
    /// Where a state that is dropped keeps the model as a mean of weights, the next one begins at that.
    fn switch(&mut self, params: &mut Params, phase: &Choice, handover: Handover) -> Result<(), StateError> {
        let choice = self.own.as_ref().unwrap_or(phase);
        let begins_anew = handover == Handover::Nothing && self.own.is_none();
        if *choice == self.choice && !begins_anew {
            return Ok(());
        }
        let mut next = make(choice, &self.segments);
        let kinds = |choice: &Choice| mix::rules(choice).into_iter().map(|(_, rule)| rule.kind).collect::<Vec<_>>();
        let is_same_kind = choice.kind == self.choice.kind && kinds(choice) == kinds(&self.choice);
        if is_same_kind && !begins_anew {
            next.load(self.optimizer.state())?;
        } else {
            self.optimizer.to_average(params.values_mut(), &self.segments);
            if handover == Handover::Momentum {
                if let Some(momentum) = self.optimizer.momentum() {
                    next.carry(momentum);
                }
                next.load(with_rules_of(next.state(), choice, &self.optimizer.state(), &self.choice))?;
            }
        }
        (self.optimizer, self.choice) = (next, choice.clone());
        Ok(())
    }
}

/// Parameters of one group on a device.
fn flat<'a>(there: &'a Mirror, segments: &'a [Segment]) -> DeviceFlat<'a> {
    DeviceFlat { device: there.device(), params: there.values(), grads: there.grads(), segments }
}

/// A fresh optimizer for these parameters.
fn make(choice: &Choice, segments: &[Segment]) -> Box<dyn Optimizer> {
    optim::make(choice, segments.iter().map(|segment| segment.range.len()).sum())
}

/// A state of an optimizer, with the whole states of those of its rules that another one has too. Each is given once: two
/// rules of a kind would both step by it.
fn with_rules_of(mut state: State, choice: &Choice, other: &State, other_choice: &Choice) -> State {
    let of_other = |(place, rule): (Option<&'static str>, Choice)| {
        let mine = place.map_or_else(|| other.clone(), |place| other.clone().take(place));
        (rule.kind, mine)
    };
    let mut given: Vec<(String, State)> = mix::rules(other_choice).into_iter().map(of_other).collect();
    for (place, rule) in mix::rules(choice) {
        // Of two the later one, which a transition leads to.
        let Some(found) = given.iter().rposition(|(kind, _)| *kind == rule.kind) else { continue };
        let (_, found) = given.remove(found);
        match place {
            Some(place) => {
                state.take(place);
                state.put(place, found);
            }
            None => state = found,
        }
    }
    state
}

/// All optimizers of a net. Each parameter that is trained belongs to one; the groups are those of the rules and, before them, the
/// parameters that no rule takes.
pub struct Optimizers(Vec<Group>);

impl Optimizers {
    /// Before the first step of a phase with that optimizer.
    pub fn new(params: &Params, rules: &Rules, phase: &Choice) -> Self {
        let mut segments = vec![Vec::new(); 1 + rules.0.len()];
        for (name, slot) in params.directory().iter().filter(|(_, slot)| !slot.frozen) {
            let rule = rules.0.iter().position(|rule| rule.parameters.contains(name));
            let segment = Segment { name: name.clone(), range: slot.range.clone(), shape: slot.shape.clone() };
            segments[rule.map_or(0, |rule| 1 + rule)].push(segment);
        }
        let own = std::iter::once(None).chain(rules.0.iter().map(|rule| rule.optimizer.clone()));
        Self(segments.into_iter().zip(own).map(|(segments, own)| Group::new(segments, own, phase)).collect())
    }

    /// Goes over to a phase's optimizer; rules that give their own keep it. States and parameters are on the host.
    ///
    /// # Errors
    /// When an old state does not fit its new instance: a mistake of the optimizer's `state` and `load`.
    pub fn switch(&mut self, params: &mut Params, phase: &Choice, handover: Handover) -> Result<(), StateError> {
        self.0.iter_mut().try_for_each(|group| group.switch(params, phase, handover))
    }

    /// The parameters of groups that are frozen: `frozen` says which.
    pub fn frozen(&self, frozen: &[bool]) -> BTreeSet<&str> {
        let groups = self.0.iter().zip(frozen).filter(|(_, frozen)| **frozen);
        groups.flat_map(|(group, _)| group.segments.iter().map(|segment| segment.name.as_str())).collect()
    }

    /// Zeroes the gradients of groups that are frozen, which have `None`, where the gradients are.
    ///
    /// # Errors
    /// Those of a device.
    pub fn silence(&mut self, params: &mut Params, hypers: &[Option<Hypers>]) -> anyhow::Result<()> {
        for (group, _) in self.0.iter_mut().zip(hypers).filter(|(_, hypers)| hypers.is_none()) {
            if let Some(mirror) = params.grads_away() {
                let (table, _) = group.tables.of(&flat(mirror, &group.segments), |_| false)?;
                gradient::zero(mirror.device(), table, mirror.grads())?;
            } else {
                let grads = params.grads_mut();
                group.segments.iter().for_each(|segment| grads[segment.range.clone()].fill(0.0));
            }
        }
        Ok(())
    }

    /// Takes a step: for each group its hyper-parameters, or `None` where it is frozen. `loss` is that of the gradients, which
    /// are used up.
    ///
    /// # Errors
    /// Those of the closure.
    ///
    /// # Panics
    /// When there are not as many hyper-parameters as groups.
    pub fn step(
        &mut self,
        params: &mut Params,
        isa: Isa,
        loss: f64,
        hypers: &[Option<Hypers>],
        closure: &mut Closure<'_>,
    ) -> anyhow::Result<()> {
        assert_eq!(hypers.len(), self.0.len(), "hyper-parameters for each group");
        if params.grads_away().is_some() {
            if self.0.iter().zip(hypers).all(|(group, hypers)| hypers.is_none() || group.optimizer.has_kernels()) {
                return self.step_on_device(params, hypers);
            }
            params.home()?;
        }
        self.home()?;
        // A search starts where loss and gradients are of: before the others move.
        let (searching, others): (Vec<_>, Vec<_>) =
            self.0.iter_mut().zip(hypers).partition(|(group, _)| group.optimizer.reevaluates());
        // It leaves the gradients of its last look, and the others step by those of the first.
        let first = if searching.is_empty() { Vec::new() } else { params.grads().to_vec() };
        for (group, hypers) in searching {
            let Some(hypers) = hypers else { continue };
            let (values, grads) = params.update();
            let flat = Flat { params: values, grads, loss, segments: &group.segments, isa };
            group.optimizer.step(flat, hypers, closure)?;
            grads.copy_from_slice(&first);
        }
        for (group, hypers) in others {
            let Some(hypers) = hypers else { continue };
            let (values, grads) = params.update();
            let flat = Flat { params: values, grads, loss, segments: &group.segments, isa };
            group.optimizer.step(flat, hypers, closure)?;
        }
        Ok(())
    }

    /// The step where gradients and parameters are on a device.
    fn step_on_device(&mut self, params: &mut Params, hypers: &[Option<Hypers>]) -> anyhow::Result<()> {
        let there = params.grads_away().context("the gradients are on a device")?;
        for (group, hypers) in self.0.iter_mut().zip(hypers) {
            let Some(hypers) = hypers else { continue };
            group.optimizer.step_on_device(flat(there, &group.segments), hypers)?;
        }
        params.updated_on_device();
        Ok(())
    }

    /// Brings the states back from a device: to be called before anything but further steps.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> anyhow::Result<()> {
        Ok(self.0.iter_mut().try_for_each(|group| group.optimizer.home())?)
    }

    /// Whether a step calls its closure.
    pub fn reevaluates(&self) -> bool {
        self.0.iter().any(|group| group.optimizer.reevaluates())
    }

    /// Turns the weights, as the last step left them, into the model where a group's optimizer keeps that as a mean of weights;
    /// the states are on the host.
    pub fn to_average(&self, params: &mut [f32]) {
        self.0.iter().for_each(|group| group.optimizer.to_average(params, &group.segments));
    }

    /// What the last step of each group used, from its optimizer's own fields.
    pub fn applied(&self) -> Vec<Option<Applied>> {
        self.0.iter().map(|group| group.optimizer.applied()).collect()
    }

    /// The state of each group.
    pub fn states(&self) -> Vec<State> {
        self.0.iter().map(|group| group.optimizer.state()).collect()
    }

    /// Takes over states that [`states`](Self::states) gave, into fresh instances.
    ///
    /// # Errors
    /// When there are not as many as groups, or one does not fit.
    pub fn load(&mut self, states: Vec<State>) -> Result<(), StateError> {
        if states.len() != self.0.len() {
            return Err(StateError(format!("it is of {} groups, not {}", states.len(), self.0.len())));
        }
        self.0.iter_mut().zip(states).try_for_each(|(group, state)| group.optimizer.load(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Init, ParamDecl, Role};
    use crate::registry::{RampValue, Value};

    fn params() -> Params {
        let decl = |name: &str, role, shape: &[usize]| ParamDecl {
            name: name.to_owned(),
            role,
            shape: shape.to_vec(),
            init: Init::Constant(1.0),
            frozen: false,
        };
        Params::new(&[decl("a.weight", Role::Conv, &[2, 3]), decl("b.bias", Role::Bias, &[3])], &[], 1)
    }

    fn sgd(nesterov: bool) -> Choice {
        let decay = Value::Text("coupled".to_owned());
        Choice::with("sgd", [("nesterov", Value::Bool(nesterov)), ("decay", decay)])
    }

    fn adam(eps: f64) -> Choice {
        Choice::with("adam", [("beta2", Value::Float(0.999)), ("eps", Value::Float(eps))])
    }

    fn hypers(lr: f64) -> Option<Hypers> {
        Some(Hypers { lr, momentum: 0.9, weight_decay: 0.0, beta: None, share: 1.0 })
    }

    fn step(optimizers: &mut Optimizers, params: &mut Params, hypers: &[Option<Hypers>]) {
        params.grads_mut().fill(0.5);
        optimizers.step(params, Isa::Portable, 0.0, hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
    }

    #[test]
    fn an_optimizers_state_outlives_new_settings_and_its_momentum_on_request_another_kind() {
        let mut params = params();
        let mut all = Optimizers::new(&params, &Rules::default(), &sgd(false));
        let rate = [hypers(0.01)];
        let momentum = |all: &Optimizers| all.0[0].optimizer.momentum().unwrap();
        step(&mut all, &mut params, &rate);
        let (sum, before) = (momentum(&all), all.states());
        all.switch(&mut params, &sgd(true), Handover::OfSameKind).unwrap();
        assert_eq!(all.states(), before, "other settings of one kind");

        all.switch(&mut params, &adam(1e-8), Handover::Momentum).unwrap();
        assert_eq!(momentum(&all), sum, "carried");
        step(&mut all, &mut params, &rate);
        step(&mut all, &mut params, &rate);
        let before = all.states();
        assert_eq!(before[0].counters["steps"], 2);
        all.switch(&mut params, &adam(1e-6), Handover::OfSameKind).unwrap();
        assert_eq!(all.states(), before, "adam counts on");

        let sum = momentum(&all);
        all.switch(&mut params, &sgd(false), Handover::Momentum).unwrap();
        assert_eq!(momentum(&all), sum, "carried back");
        all.switch(&mut params, &adam(1e-8), Handover::OfSameKind).unwrap();
        assert_eq!(momentum(&all), [0.0; 9], "dropped");
        assert_eq!(all.states()[0].counters["steps"], 0);
    }

    fn rmsprop() -> Choice {
        let settings = [("alpha", Value::Float(0.9)), ("eps", Value::Float(1e-8))];
        let mut choice = Choice::with("rmsprop", settings);
        choice.settings.0.insert("decay".to_owned(), Value::Text("coupled".to_owned()));
        choice
    }

    fn mix(from: Choice, to: Choice) -> Choice {
        let weight = RampValue::new(0.0, Some(1.0), Choice::plain("linear"));
        let rates = [("from_rate", Value::Float(1.0)), ("to_rate", Value::Float(1.0))];
        let mut choice = Choice::with("mix", rates);
        let rules = [("from", Value::Choice(from)), ("to", Value::Choice(to)), ("weight", Value::Ramp(weight))];
        choice.settings.0.extend(rules.map(|(key, value)| (key.to_owned(), value)));
        choice
    }

    /// From RMSProp over a mix to SGD: each rule goes on from where it was.
    #[test]
    fn a_mix_takes_over_the_whole_state_of_its_rules_and_gives_it_back() {
        let mut params = params();
        let mut all = Optimizers::new(&params, &Rules::default(), &rmsprop());
        let state = |all: &Optimizers, place: &str| all.states()[0].clone().take(place);
        (0..3).for_each(|_| step(&mut all, &mut params, &[hypers(0.01)]));
        let before = all.states()[0].clone();
        all.switch(&mut params, &mix(rmsprop(), sgd(false)), Handover::Momentum).unwrap();
        assert_eq!(state(&all, "from"), before);
        let mean = &state(&all, "to").buffers["momentum"];
        // About: the mean square that it was divided by has grown since.
        assert!(
            mean.iter().all(|mean| (mean - 0.5).abs() < 0.2),
            "the other rule gets the mean of gradients: {mean:?}"
        );

        let half = Some(Hypers { share: 0.5, ..hypers(0.01).unwrap() });
        (0..3).for_each(|_| step(&mut all, &mut params, &[half]));
        let before = all.states();
        all.switch(&mut params, &mix(rmsprop(), sgd(true)), Handover::OfSameKind).unwrap();
        assert_eq!(all.states(), before, "other settings of the same two kinds");
        let of_sgd = state(&all, "to");
        all.switch(&mut params, &sgd(true), Handover::Momentum).unwrap();
        assert_eq!(all.states()[0], of_sgd);
        all.switch(&mut params, &mix(sgd(true), sgd(false)), Handover::Momentum).unwrap();
        assert_eq!(state(&all, "from"), of_sgd, "once, though both are of its kind");
        assert_ne!(state(&all, "to"), of_sgd);
        all.switch(&mut params, &mix(adam(1e-8), sgd(true)), Handover::OfSameKind).unwrap();
        assert_eq!(state(&all, "to").buffers["momentum"], [0.0; 9], "not asked to carry");
    }

    fn schedule_free(r: f64) -> Choice {
        Choice::with("schedule-free-sgd", [("r", Value::Float(r)), ("weight_lr_power", Value::Float(2.0))])
    }

    /// What a schedule-free rule keeps lives on under other settings and is dropped for another kind; the model is its mean, and
    /// where another rule steps, the weights themselves.
    #[test]
    fn a_mean_of_weights_is_that_of_the_parameters_whose_optimizer_keeps_one() {
        let mut params = params();
        let rules = Rules(vec![Rule { parameters: vec!["a.weight".to_owned()], optimizer: Some(sgd(false)) }]);
        let mut all = Optimizers::new(&params, &rules, &schedule_free(0.0));
        let both = [hypers(0.5), hypers(0.5)];
        let mean = |all: &Optimizers, params: &Params| {
            let mut values = params.values().to_vec();
            all.to_average(&mut values);
            let of = |name: &str| values[params.directory()[name].range.clone()].to_vec();
            (of("a.weight"), of("b.bias"))
        };
        (0..2).for_each(|_| step(&mut all, &mut params, &both));
        // z went from 1 by 1/4 and 1/4, and x is the mean of the two.
        let (others, own) = mean(&all, &params);
        assert_eq!(others, params.get("a.weight").unwrap());
        assert!(own.iter().all(|x| (x - 0.625).abs() < 1e-6), "{own:?}");
        assert!(params.get("b.bias").unwrap().iter().all(|y| (y - (0.1 * 0.5 + 0.9 * 0.625)).abs() < 1e-6));

        let before = all.states();
        all.switch(&mut params, &schedule_free(1.0), Handover::OfSameKind).unwrap();
        assert_eq!(all.states(), before, "other settings of one kind");
        assert_ne!(own, params.get("b.bias").unwrap(), "weights of training stay those at which gradients are taken");

        all.switch(&mut params, &adam(1e-8), Handover::OfSameKind).unwrap();
        let now = |params: &Params| ["a.weight", "b.bias"].map(|name| params.get(name).unwrap().to_vec());
        assert_eq!(
            now(&params),
            [others.clone(), own.clone()],
            "another kind goes on from the mean, which was the model"
        );
        assert_eq!(mean(&all, &params).1, own, "nothing is averaged any more");
        all.switch(&mut params, &schedule_free(0.0), Handover::OfSameKind).unwrap();
        assert_eq!((all.states()[0].counters["steps"], mean(&all, &params).1), (0, own));

        (0..2).for_each(|_| step(&mut all, &mut params, &both));
        let (others, own) = mean(&all, &params);
        assert_ne!(own, params.get("b.bias").unwrap());
        all.switch(&mut params, &schedule_free(0.0), Handover::Nothing).unwrap();
        assert_eq!(
            (now(&params), all.states()[0].counters["steps"]),
            ([others, own], 0),
            "and so does what begins anew"
        );
    }

    /// The search goes first, from where the loss is of; the others step by the gradients that were given.
    #[test]
    fn a_search_sees_the_weights_that_the_loss_is_of() {
        let mut params = params();
        let lbfgs = [
            ("history", Value::Int(3)),
            ("iterations", Value::Int(4)),
            ("search", Value::Text("strong-wolfe".to_owned())),
            ("tolerance_grad", Value::Float(1e-7)),
            ("tolerance_change", Value::Float(1e-9)),
        ];
        let mut choice = Choice::plain("lbfgs");
        choice.settings.0.extend(lbfgs.map(|(key, value)| (key.to_owned(), value)));
        let rules = Rules(vec![Rule { parameters: vec!["b.bias".to_owned()], optimizer: Some(choice) }]);
        let mut all = Optimizers::new(&params, &rules, &sgd(false));
        assert!(all.reevaluates());
        // (p − 3)²/2 of each weight.
        let eval = |values: &[f32], grads: &mut [f32]| {
            values
                .iter()
                .zip(grads)
                .map(|(p, g)| {
                    *g = p - 3.0;
                    0.5 * f64::from(*g).powi(2)
                })
                .sum::<f64>()
        };
        let mut grads = vec![0.0; params.grads().len()];
        let loss = eval(params.values(), &mut grads);
        params.grads_mut().copy_from_slice(&grads);
        let others = params.get("a.weight").unwrap().to_vec();
        let mut again = |values: &[f32], grads: &mut [f32]| {
            assert_eq!(&values[..others.len()], &others[..], "the other group has not moved");
            Ok(eval(values, grads))
        };
        all.step(&mut params, Isa::Portable, loss, &[hypers(0.25), hypers(1.0)], &mut again).unwrap();
        assert!(params.get("b.bias").unwrap().iter().all(|p| (p - 3.0).abs() < 1e-4), "{:?}", params.values());
        assert!(params.get("a.weight").unwrap().iter().all(|p| (p - 1.5).abs() < 1e-6), "{:?}", params.values());
    }

    #[test]
    fn each_group_has_its_optimizer_its_rate_and_its_end() {
        let mut params = params();
        let rules = Rules(vec![Rule { parameters: vec!["b.bias".to_owned()], optimizer: Some(sgd(false)) }]);
        let mut all = Optimizers::new(&params, &rules, &adam(1e-8));
        step(&mut all, &mut params, &[hypers(0.25), hypers(0.5)]);
        let near = |params: &Params, a: f32, b: f32| {
            assert!(params.get("a.weight").unwrap().iter().all(|p| (p - a).abs() < 1e-6), "{:?}", params.values());
            assert!(params.get("b.bias").unwrap().iter().all(|p| (p - b).abs() < 1e-6), "{:?}", params.values());
        };
        // Adam's first step is as long as its rate, that of SGD as long as rate times gradient.
        near(&params, 0.75, 0.75);
        assert_eq!(all.applied().iter().flatten().map(|used| used.lr).collect::<Vec<_>>(), [0.25, 0.5]);

        // The phase goes over to another optimizer; the rule's stays, and so does its momentum.
        let of_rule = all.states()[1].clone();
        all.switch(&mut params, &sgd(true), Handover::OfSameKind).unwrap();
        assert_eq!(all.states()[1], of_rule);
        assert_eq!(all.states()[0].buffers["momentum"], [0.0; 6]);

        // It begins anew, though nothing else changes; the rule's does not.
        step(&mut all, &mut params, &[hypers(0.0), hypers(0.0)]);
        let of_rule = all.states()[1].clone();
        assert_ne!(all.states()[0].buffers["momentum"], [0.0; 6]);
        all.switch(&mut params, &sgd(true), Handover::OfSameKind).unwrap();
        assert_ne!(all.states()[0].buffers["momentum"], [0.0; 6]);
        all.switch(&mut params, &sgd(true), Handover::Nothing).unwrap();
        assert_eq!(all.states()[0], Optimizers::new(&params, &rules, &sgd(true)).states()[0]);
        assert_eq!(all.states()[1], of_rule);

        // Frozen: its gradient is none, its values and its momentum stay.
        let frozen = [hypers(0.0), None];
        params.grads_mut().fill(1.0);
        all.silence(&mut params, &frozen).unwrap();
        assert_eq!((params.grad("a.weight").unwrap(), params.grad("b.bias").unwrap()), (&[1.0; 6][..], &[0.0; 3][..]));
        step(&mut all, &mut params, &frozen);
        near(&params, 0.75, 0.75);
        assert_eq!(all.states()[1], of_rule);
    }

    #[test]
    fn states_go_to_fresh_instances_of_the_same_groups_alone() {
        let mut params = params();
        let rules = Rules(vec![Rule { parameters: vec!["b.bias".to_owned()], optimizer: None }]);
        let mut all = Optimizers::new(&params, &rules, &adam(1e-8));
        step(&mut all, &mut params, &[hypers(0.25), hypers(0.5)]);
        let mut fresh = Optimizers::new(&params, &rules, &adam(1e-8));
        fresh.load(all.states()).unwrap();
        assert_eq!(fresh.states(), all.states());
        let error = Optimizers::new(&params, &Rules::default(), &adam(1e-8)).load(all.states()).unwrap_err();
        assert!(error.to_string().contains("2 groups, not 1"), "{error}");
    }
}
