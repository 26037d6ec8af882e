//! When the mean of the weights takes new ones in.

use super::compile::PlanError;
use super::{Cadence, Mix, Plan, StepPlan};
use crate::average::{ENTRIES, EvaluatedAt, Statistics};
use crate::config::spec::{LookaheadSpec, TrainSpec};
use crate::registry::{Choice, Duration, DurationUnit, find};
use crate::units::{count, number};

/// `[train] average`, laid out over training.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAverage {
    choice: Choice,
    /// `None`: whenever lookahead has mixed the slow weights.
    times: Option<Times>,
    pub statistics: Statistics,
    evaluated: EvaluatedAt,
}

/// When weights are taken in.
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
    /// far enough, or with lookahead.
    pub fn averages_after(&self, step: &StepPlan) -> Option<&PlannedAverage> {
        let average = self.average.as_ref()?;
        let due = match &average.times {
            Some(Times { first, often }) => {
                *first <= step.step + 1
                    && match often {
                        Often::Every(_, cadence) => cadence.is_due(step, self.epoch_images(step)),
                        Often::Phases => step.ends_phase,
                    }
            }
            None => matches!(self.mix_after(step), Some(Mix::Blend { .. })),
        };
        due.then_some(average)
    }

    /// The step after which weights are first taken in; the last where there are none.
    pub(super) fn first_averaged(&self) -> u64 {
        let last = self.total_steps - 1;
        let start = match self.average.as_ref().map(|average| &average.times) {
            None => last,
            Some(Some(times)) => times.first.max(1) - 1,
            Some(None) => self.lookahead.as_ref().map_or(last, |lookahead| lookahead.first_step),
        };
        (start..last).find(|step| self.averages_after(&self.at(*step)).is_some()).unwrap_or(last)
    }

    pub(super) fn plan_average(&self, train: &TrainSpec) -> Result<Option<PlannedAverage>, PlanError> {
        let Some(choice) = &train.average else { return Ok(None) };
        let settings = &choice.settings;
        let times = match settings.opt_duration("every") {
            Some(every) => {
                let by_phase = settings.opt_bool("phases") == Some(true);
                Some(self.times(settings.duration("start"), (!by_phase).then_some(every))?)
            }
            None => self.follows(&choice.kind, train.lookahead.as_ref()).map(|()| None)?,
        };
        let word = |key| settings.text(key);
        Ok(Some(PlannedAverage {
            choice: choice.clone(),
            times,
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

impl Plan {
    /// `the model is the mean of weights that optimizers keep, its statistics measured for each evaluation`, where it is that in
    /// some phase.
    pub(super) fn model_in_words(&self) -> Option<String> {
        let of: Vec<usize> = (0..self.phases.len()).filter(|k| self.phases[*k].model_is_mean).collect();
        let (first, last) = (of.first()?, of.last()?);
        let when = match of.len() {
            all if all == self.phases.len() => String::new(),
            1 => format!(" in phase {first}"),
            _ => format!(" in phases {first} to {last}"),
        };
        Some(format!(
            "the model{when} is the mean of weights that optimizers keep, statistics measured for each evaluation"
        ))
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
        let mut words = match &average.times {
            None => format!("{kind}'s slow weights as a model of their own"),
            Some(Times { first, often }) => {
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
