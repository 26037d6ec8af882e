//! When the mean of the weights takes new ones in.

use super::compile::PlanError;
use super::{Cadence, Mix, Plan, StepPlan};
use crate::average::{ENTRIES, EvaluatedAt, Statistics, schedule_free};
use crate::config::spec::{LookaheadSpec, Spec};
use crate::optim;
use crate::registry::{Choice, Duration, DurationUnit, find};
use crate::units::{count, number};

/// `[train] average`, laid out over training.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAverage {
    choice: Choice,
    taken: TakenIn,
    pub statistics: Statistics,
    evaluated: EvaluatedAt,
}

/// When weights are taken in.
#[derive(Clone, Debug, PartialEq)]
enum TakenIn {
    At(Times),
    /// Whenever lookahead has mixed the slow weights.
    WithLookahead,
    /// Never: they follow from what optimizers keep, from this step on.
    OfOptimizers(u64),
}

/// By a cadence, once training is far enough.
#[derive(Clone, Debug, PartialEq)]
struct Times {
    /// Steps taken when the first can be.
    first: u64,
    often: Often,
}

#[derive(Clone, Debug, PartialEq)]
enum Often {
    Every(Duration, Cadence),
    /// At the end of each phase.
    Phases,
}

impl Plan {
    /// The mean, where it takes in the weights as they are after a step: after every so many steps or epochs, once training is
    /// far enough, or with lookahead. Never where optimizers keep it.
    pub fn averages_after(&self, step: &StepPlan) -> Option<&PlannedAverage> {
        let average = self.average.as_ref()?;
        let due = match &average.taken {
            TakenIn::At(Times { first, often }) => {
                *first <= step.step + 1
                    && match often {
                        Often::Every(_, cadence) => cadence.is_due(step, self.epoch_images(step)),
                        Often::Phases => step.ends_phase,
                    }
            }
            TakenIn::WithLookahead => matches!(self.mix_after(step), Some(Mix::Blend { .. })),
            TakenIn::OfOptimizers(_) => false,
        };
        due.then_some(average)
    }

    /// Whether there is a mean after a step that optimizers keep, and nobody else.
    pub fn optimizers_average_after(&self, step: &StepPlan) -> bool {
        let taken = self.average.as_ref().map(|average| &average.taken);
        matches!(taken, Some(TakenIn::OfOptimizers(first)) if *first <= step.step)
    }

    /// The step after which there is first a mean; the last where there is none.
    pub(super) fn first_averaged(&self) -> u64 {
        let last = self.total_steps - 1;
        let start = match self.average.as_ref().map(|average| &average.taken) {
            None => last,
            Some(TakenIn::At(times)) => times.first.max(1) - 1,
            Some(TakenIn::WithLookahead) => self.lookahead.as_ref().map_or(last, |lookahead| lookahead.first_step),
            Some(TakenIn::OfOptimizers(first)) => return *first,
        };
        (start..last).find(|step| self.averages_after(&self.at(*step)).is_some()).unwrap_or(last)
    }

    pub(super) fn plan_average(&self, spec: &Spec) -> Result<Option<PlannedAverage>, PlanError> {
        let Some(choice) = &spec.train.average else { return Ok(None) };
        let settings = &choice.settings;
        let taken = match settings.opt_duration("every") {
            Some(every) => {
                let by_phase = settings.opt_bool("phases") == Some(true);
                TakenIn::At(self.times(settings.duration("start"), (!by_phase).then_some(every))?)
            }
            None if choice.kind == schedule_free::ENTRY.name => TakenIn::OfOptimizers(self.first_to_average(spec)?),
            None => {
                self.follows(&choice.kind, spec.train.lookahead.as_ref())?;
                TakenIn::WithLookahead
            }
        };
        let word = |key| settings.text(key);
        Ok(Some(PlannedAverage {
            choice: choice.clone(),
            taken,
            statistics: Statistics::from_word(&word("statistics")).expect("a checked word is known"),
            evaluated: EvaluatedAt::from_word(&word("evaluate")).expect("a checked word is known"),
        }))
    }

    /// `every` is absent of what is taken in at the ends of phases.
    fn times(&self, start: Duration, every: Option<Duration>) -> Result<Times, PlanError> {
        let often = match every {
            None => Often::Phases,
            Some(every) => Often::Every(
                every,
                Cadence::new(every, self.total_steps).ok_or_else(|| {
                    let help = "give a duration above zero, like \"1ep\"";
                    PlanError::new("train.average.every", "`every` is no interval", help)
                })?,
            ),
        };
        let first = self.steps_until(start);
        let is_ever_due = match &often {
            Often::Every(_, cadence) => self.is_ever_due(cadence, first.max(1) - 1),
            Often::Phases => true,
        };
        if self.is_beyond(start) || !is_ever_due {
            let steps = count(self.total_steps);
            let (often, or) = match every {
                Some(every) => (format!(", every {every} from {start} on"), ", or `every` shorter"),
                None => (format!(" from {start} on"), ""),
            };
            let message = format!("no weights are ever taken in{often}: training is of {steps} steps");
            return Err(PlanError::new("train.average", message, format!("let `start` be earlier{or}")));
        }
        Ok(Times { first, often })
    }

    /// That there are slow weights, which begin at some time. What else is wrong with them is said of lookahead.
    fn follows(&self, kind: &str, lookahead: Option<&LookaheadSpec>) -> Result<(), PlanError> {
        let Some(slow) = lookahead else {
            let help = "it is lookahead's slow weights: add `lookahead = { every = 5, decay = 0.5 }`, or take \"ema\" or \"swa\"";
            return Err(PlanError::new("train.average", format!("average `{kind}` without `lookahead`"), help));
        };
        if self.steps_until(slow.start) >= self.total_steps {
            let message = format!("average `{kind}` of slow weights that never begin");
            return Err(PlanError::new("train.lookahead.start", message, "let `start` be earlier"));
        }
        Ok(())
    }

    /// The first step that an optimizer takes which averages weights itself.
    fn first_to_average(&self, spec: &Spec) -> Result<u64, PlanError> {
        let of_rules = spec.params.iter().filter_map(|rule| rule.optimizer.as_ref());
        let of_rule = of_rules.map(|choice| (0, choice));
        let of_phases = self.phases.iter().map(|phase| (phase.first_step, &phase.optimizer));
        of_rule.chain(of_phases).find(|(_, choice)| optim::averages(choice)).map(|(first, _)| first).ok_or_else(|| {
            let message = format!("average `{}` of optimizers that keep none", schedule_free::ENTRY.name);
            let help = "it is what `schedule-free-sgd` and `schedule-free-adamw` keep: take one of them, or \"ema\" or \"swa\"";
            PlanError::new("train.average", message, help)
        })
    }

    /// What to say where an optimizer averages weights itself, and nobody looks at that average.
    pub fn mean_that_is_not_evaluated(spec: &Spec) -> Option<String> {
        let asked = schedule_free::ENTRY.name;
        if spec.train.average.as_ref().is_some_and(|average| average.kind == asked) {
            return None;
        }
        let of_rules = spec.params.iter().filter_map(|rule| rule.optimizer.as_ref());
        let mut all = spec.phases.iter().map(|phase| &phase.optimizer).chain(of_rules);
        let kind = &all.find(|choice| optim::averages(choice))?.kind;
        Some(format!(
            "the mean of weights that `{kind}` keeps, which is what its paper evaluates, is not looked at: `val_acc` and the model \
             are of the weights that gradients are taken at. `average = \"{asked}\"` below `[train]` evaluates it, for a column \
             `val_acc_avg`, and keeps it as a model of its own"
        ))
    }

    /// Whether training ends before it is that long.
    fn is_beyond(&self, duration: Duration) -> bool {
        match duration.unit {
            DurationUnit::Steps => duration.amount > self.total_steps as f64,
            DurationUnit::Epochs => duration.amount > self.total_epochs() as f64,
            DurationUnit::Percent => false,
        }
    }

    /// Whether something is due at any step from that one on.
    fn is_ever_due(&self, cadence: &Cadence, from: u64) -> bool {
        if from >= self.total_steps {
            return false;
        }
        let multiples = |step: u64| {
            let step = self.at(step);
            cadence.multiples(&step, self.epoch_images(&step))
        };
        multiples(self.total_steps - 1)[1] > multiples(from)[0]
    }
}

impl PlannedAverage {
    /// The mean's name: `swa`.
    pub fn kind(&self) -> &str {
        &self.choice.kind
    }

    /// The share of the newest weights in update `k`, from 0.
    pub fn share(&self, k: u64) -> f64 {
        let entry = find(ENTRIES, &self.choice.kind).expect("a checked average is known");
        (entry.make)(&self.choice.settings).share(k)
    }

    /// Whether it is part of an evaluation, the last one or another.
    pub fn is_evaluated(&self, is_last: bool) -> bool {
        is_last || self.evaluated == EvaluatedAt::Every
    }
}

impl PlannedAverage {
    /// What its rule is given: ` of decay 0.9 that is warmed up`.
    fn settings(&self) -> String {
        let settings = &self.choice.settings;
        let decay = settings.opt_float("decay").map(|decay| format!(" of decay {}", number(decay)));
        let warmup = (settings.opt_bool("decay_warmup") == Some(true)).then_some(" that is warmed up");
        decay.unwrap_or_default() + warmup.unwrap_or_default()
    }
}

impl Plan {
    /// `ema of decay 0.9 of the weights every 1ep, first after step 75`, `swa of the weights at the end of each phase, first after
    /// step 9`, `lookahead's slow weights as a model of their own`
    pub(super) fn average_in_words(&self) -> Option<String> {
        let average = self.average.as_ref()?;
        let kind = &average.choice.kind;
        let mut words = match &average.taken {
            TakenIn::WithLookahead => format!("{kind}'s slow weights as a model of their own"),
            TakenIn::OfOptimizers(first) => {
                let first = if *first > 0 { format!(", from step {first} on") } else { String::new() };
                format!("the mean that {kind} optimizers keep as a model of its own{first}")
            }
            TakenIn::At(Times { first, often }) => {
                let often = match often {
                    Often::Every(every, _) => format!("every {every}"),
                    Often::Phases => "at the end of each phase".to_owned(),
                };
                let first =
                    if *first > 1 { format!(", first after step {}", self.first_averaged()) } else { String::new() };
                format!("{kind}{} of the weights {often}{first}", average.settings())
            }
        };
        if average.statistics == Statistics::Measure {
            words += ", statistics measured for each evaluation";
        }
        Some(words)
    }
}
