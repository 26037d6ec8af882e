use super::device::Tables;
use super::{
    Applied, Closure, DeviceFlat, Flat, Holds, Hypers, Optimizer, OptimizerEntry, State, StateError, make, pass,
};
use crate::registry::{Choice, Default, Entry, Interval, Kind, Param, RampValue, Settings, Value};
use runner_gpu::ops::optim as gpu;
use runner_gpu::{Buffer, DType};

/// The keys of the two rules, which are the prefixes of their states too.
pub const RULES: [&str; 2] = ["from", "to"];
/// The key of the curve of their shares.
pub const WEIGHT: &str = "weight";
const SHARE_BITS: &str = "share_bits";

pub static ENTRY: OptimizerEntry = Entry {
    name: "mix",
    summary: "two rules at once, whose shares in the step are a curve: a smooth transition from one to the other",
    cite: "Akiba, Suzuki and Fukuda 2017 (arXiv:1711.04325), for RMSProp and SGD",
    params: &[
        Param {
            key: RULES[0],
            kind: Kind::Choice(&super::FAMILY),
            default: Default::Required,
            doc: "the rule that has the whole step where the weight is 0",
        },
        Param {
            key: RULES[1],
            kind: Kind::Choice(&super::FAMILY),
            default: Default::Required,
            doc: "the rule that has the whole step where the weight is 1",
        },
        Param {
            key: WEIGHT,
            kind: Kind::Ramp(Interval::closed(0.0, 1.0)),
            default: Default::Toml("{ from = 0.0, to = 1.0 }"),
            doc: "share of the second rule in the step; the first has the rest; a curve runs as that of `lr` beside it",
        },
        Param {
            key: "from_rate",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("1.0"),
            doc: "factor on the learning rate for the first rule: rmsprop takes a far smaller one than sgd",
        },
        Param {
            key: "to_rate",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("1.0"),
            doc: "factor on the learning rate for the second rule",
        },
    ],
    shorthand: None,
    make: |settings, len| Box::new(Mix::new(settings, len)),
};

/// An optimizer as it lives on in a phase that names none: the share of a mix stays where its curve ends, or runs on; any other
/// optimizer is as it was.
pub fn in_next(choice: Choice) -> Choice {
    let Some(ramp) = weight(&choice) else { return choice };
    let mut settings = choice.settings;
    settings.0.insert(WEIGHT.to_owned(), Value::Ramp(ramp.in_next()));
    Choice { kind: choice.kind, settings }
}

/// Two rules over the same gradients and the same weights, each with its state, momentum, weight decay and β of the step:
///
/// ```text
/// p ← p + Δ_from(share 1 − w, rate from_rate·lr) + Δ_to(share w, rate to_rate·lr)
/// ```
///
/// Rules that keep a decaying sum of gradients, `b ← m·b + g`, weigh what enters it ([`Hypers::share`]); the others weigh
/// their step. With `from` RMSProp and `to` SGD this is the rule of Akiba et al., whose one buffer is the sum of the two:
///
/// ```text
/// v ← μ₂·v + (1 − μ₂)·g²
/// Δ ← μ₁·Δ − (α_SGD + α_RMSprop/(√v + ε))·g,      p ← p + η·Δ
/// α_SGD = w·to_rate,  α_RMSprop = (1 − w)·from_rate
/// ```
///
/// where the paper has `from_rate = η_RMSprop/η_SGD` and `to_rate` 1.
///
/// A rule goes on with its state whatever its share is, so that it is ready when its time comes.
struct Mix {
    from: Rule,
    to: Rule,
    /// Of `to` in the last step.
    share: f64,
    used: Option<Applied>,
    /// The gradients, which a rule may use up, and the weights before the step, then what the first rule moved them by.
    grads: Vec<f32>,
    before: Vec<f32>,
    /// The same two on a device, made at the first step there.
    there: Option<[Buffer; 2]>,
    tables: Tables,
}

struct Rule {
    optimizer: Box<dyn Optimizer>,
    rate: f64,
}

impl Rule {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, share: f64, closure: &mut Closure<'_>) -> anyhow::Result<()> {
        self.optimizer.step(flat, &self.hypers(hypers, share), closure)
    }

    /// Those of the rule with that share, in a step of the whole mix.
    fn hypers(&self, hypers: &Hypers, share: f64) -> Hypers {
        Hypers { lr: self.rate * hypers.lr, share, ..*hypers }
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers, share: f64) -> Result<(), runner_gpu::Error> {
        let hypers = self.hypers(hypers, share);
        self.optimizer.step_on_device(flat, &hypers)
    }
}

impl Mix {
    fn new(settings: &Settings, len: usize) -> Self {
        let [from, to] = RULES.map(|key| {
            let rate = settings.float(&format!("{key}_rate"));
            Rule { optimizer: make(&settings.choice(key), len), rate }
        });
        let (grads, before) = (vec![0.0; len], vec![0.0; len]);
        Self { from, to, share: 0.0, used: None, grads, before, there: None, tables: Tables::default() }
    }
}

impl Optimizer for Mix {
    fn step(&mut self, mut flat: Flat<'_>, hypers: &Hypers, closure: &mut Closure<'_>) -> anyhow::Result<()> {
        self.share = self.used.insert(Applied::of(hypers)).share;
        pass::run(flat.again(), [&mut self.before, &mut self.grads], |part| {
            let [before, grads] = part.buffers;
            before.copy_from_slice(part.params);
            grads.copy_from_slice(part.grads);
        });
        self.from.step(flat.again(), hypers, 1.0 - self.share, closure)?;
        pass::run(flat.again(), [&mut self.before, &mut self.grads], |part| {
            let [before, grads] = part.buffers;
            for (p, before) in part.params.iter_mut().zip(before) {
                let moved = *p - *before;
                (*p, *before) = (*before, moved);
            }
            part.grads.copy_from_slice(grads);
        });
        self.to.step(flat.again(), hypers, self.share, closure)?;
        pass::run(flat, [&mut self.before], |part| {
            let [moved] = part.buffers;
            part.params.iter_mut().zip(moved).for_each(|(p, moved)| *p += *moved);
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        self.from.optimizer.has_kernels() && self.to.optimizer.has_kernels()
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        self.share = self.used.insert(Applied::of(hypers)).share;
        let DeviceFlat { device, params, grads, .. } = flat;
        let len = self.grads.len();
        let [kept, before] = match &mut self.there {
            Some(there) => there,
            none => none.insert([device.allocate(DType::F32, len)?, device.allocate(DType::F32, len)?]),
        };
        let mix = gpu::mix::Mix { params, grads, before: before.view(), kept: kept.view() };
        let (table, _) = self.tables.of(&flat, |_| false)?;
        mix.keep(device, table)?;
        self.from.step_on_device(flat, hypers, 1.0 - self.share)?;
        mix.turn(device, table)?;
        self.to.step_on_device(flat, hypers, self.share)?;
        mix.join(device, table)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.from.optimizer.home()?;
        self.to.optimizer.home()
    }

    fn takes(&self, shape: &[usize]) -> bool {
        self.from.optimizer.takes(shape) && self.to.optimizer.takes(shape)
    }

    fn reevaluates(&self) -> bool {
        self.from.optimizer.reevaluates() || self.to.optimizer.reevaluates()
    }

    fn holds(&self) -> Holds {
        let [from, to] = [&self.from, &self.to].map(|rule| rule.optimizer.holds());
        let own = self.grads.len() + self.before.len();
        // The two step one after the other.
        let in_step = from.in_step.max(to.in_step);
        Holds { kept: from.kept + to.kept, beside: from.beside + to.beside + own, in_step }
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        let mut state = State::default().with_counters([(SHARE_BITS, self.share.to_bits())]);
        state.put(RULES[0], self.from.optimizer.state());
        state.put(RULES[1], self.to.optimizer.state());
        state
    }

    fn load(&mut self, mut state: State) -> Result<(), StateError> {
        let [from, to] = RULES.map(|rule| state.take(rule));
        let before = self.from.optimizer.state();
        let [share] = state.into_parts([], [SHARE_BITS])?;
        self.from.optimizer.load(from)?;
        if let Err(error) = self.to.optimizer.load(to) {
            self.from.optimizer.load(before)?;
            return Err(error);
        }
        self.share = f64::from_bits(share);
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        match (self.from.optimizer.momentum(), self.to.optimizer.momentum()) {
            (Some(from), Some(to)) => {
                let share = self.share as f32;
                Some(from.iter().zip(to).map(|(from, to)| (1.0 - share) * from + share * to).collect())
            }
            (from, to) => from.or(to),
        }
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        self.from.optimizer.carry(momentum.clone());
        self.to.optimizer.carry(momentum);
    }
}

/// The curve of the second rule's share; `None` of what is no mix.
pub fn weight(choice: &Choice) -> Option<RampValue> {
    (choice.kind == ENTRY.name).then(|| choice.settings.ramp(WEIGHT))
}

/// The rules that a choice of optimizer is made of, with the prefixes of their states: those of a mix, else itself.
pub fn rules(choice: &Choice) -> Vec<(Option<&'static str>, Choice)> {
    if choice.kind == ENTRY.name {
        RULES.iter().map(|key| (Some(*key), choice.settings.choice(key))).collect()
    } else {
        vec![(None, choice.clone())]
    }
}
