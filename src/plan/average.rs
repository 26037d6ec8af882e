//! When the mean of the weights takes new ones in.

use super::compile::PlanError;
use super::{Cadence, Mix, Plan, StepPlan};
use crate::average::ema::{DECAY_WARMUP, WARMUP_GAMMA, WARMUP_POWER};
use crate::average::{ENTRIES, EvaluatedAt, Statistics};
use crate::config::spec::{LookaheadSpec, TrainSpec};
use crate::registry::{Choice, Duration, DurationUnit, find};
use crate::schedule::Ramp;
use crate::units::{count, number};
use std::sync::Arc;

/// `[train] average`, laid out over training.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAverage {
    choice: Choice,
    /// `None`: whenever lookahead has mixed the slow weights.
    times: Option<Times>,
    pub statistics: Statistics,
    evaluated: EvaluatedAt,
    /// Of means that have one.
    decay: Option<Ramp>,
    /// The steps after which weights are taken in, where that makes a difference to what the mean keeps and the trace tells of it.
    taken_in: Arc<[u64]>,
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
        self.average.as_ref().filter(|average| self.is_taken_in_after(step, average.times.as_ref()))
    }

    /// What the mean keeps of itself after a step; `None` where it takes nothing in, and of the first weights, which are all of it.
    pub(super) fn kept_after(&self, step: u64) -> Option<f64> {
        let average = self.average.as_ref()?;
        let k = average.taken_in.binary_search(&step).ok().filter(|k| *k > 0)?;
        Some(1.0 - self.share_of(average, k as u64, step))
    }

    /// The same, taken in or not, where it moves and there is a mean already.
    pub(super) fn moving_kept_after(&self, step: u64) -> Option<f64> {
        let average = self.average.as_ref()?;
        let k = average.taken_in.partition_point(|taken| *taken < step) as u64;
        (k > 0).then(|| 1.0 - self.share_of(average, k, step))
    }

    /// The share of the newest weights in the mean's update `k`, from 0, after a step.
    pub fn share_of(&self, average: &PlannedAverage, k: u64, step: u64) -> f64 {
        let entry = find(ENTRIES, &average.choice.kind).expect("a checked average is known");
        let decay = average.decay.as_ref().map_or(f64::NAN, |decay| decay.at(step + 1, self.total_steps));
        (entry.make)(&average.choice.settings).share(k, decay)
    }

    fn is_taken_in_after(&self, step: &StepPlan, times: Option<&Times>) -> bool {
        match times {
            Some(Times { first, often }) => {
                *first <= step.step + 1
                    && match often {
                        Often::Every(_, cadence) => cadence.is_due(step, self.epoch_images(step)),
                        Often::Phases => step.ends_phase,
                    }
            }
            None => matches!(self.mix_after(step), Some(Mix::Blend { .. })),
        }
    }

    /// The step after which weights are first taken in; the last where there are none.
    pub fn first_averaged(&self) -> u64 {
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
        let power = settings.opt_float(WARMUP_POWER);
        if power.is_some() && settings.opt_bool(DECAY_WARMUP) == Some(true) {
            let message = format!("`{WARMUP_POWER}` beside `{DECAY_WARMUP}`: a mean is warmed up in one way");
            return Err(PlanError::new(format!("train.average.{WARMUP_POWER}"), message, "leave one of the two out"));
        }
        if power.is_none() && settings.opt_float(WARMUP_GAMMA).is_some() {
            let message = format!("`{WARMUP_GAMMA}` means nothing without `{WARMUP_POWER}`");
            let help = format!("give `{WARMUP_POWER} = 0.75`, or leave it out");
            return Err(PlanError::new(format!("train.average.{WARMUP_GAMMA}"), message, help));
        }
        let error =
            |e: crate::schedule::RampError| PlanError::new(format!("train.average.decay.{}", e.key), e.message, e.help);
        let decay = settings.opt_ramp("decay").map(|decay| Ramp::new(&decay)).transpose().map_err(error)?;
        let moves = power.is_some() || decay.as_ref().is_some_and(|decay| !decay.is_constant());
        let taken_in = match moves {
            true => {
                self.steps().filter(|step| self.is_taken_in_after(step, times.as_ref())).map(|step| step.step).collect()
            }
            false => Arc::default(),
        };
        let word = |key| settings.text(key);
        Ok(Some(PlannedAverage {
            decay,
            taken_in,
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

    /// Whether what it keeps of itself moves, and so is told for each step. Of a decay that does not, warmed up by `decay_warmup` alone, it
    /// is not: tables were written before there were others.
    pub(super) fn decay_moves(&self) -> bool {
        !self.taken_in.is_empty()
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
        let decay = self.decay.as_ref().map(|decay| match decay.is_constant() {
            true => format!(" of decay {}", number(decay.from())),
            false => format!(" of decay {decay}"),
        });
        let warmup = match settings.opt_float(WARMUP_POWER) {
            Some(power) => {
                let gamma = settings.opt_float(WARMUP_GAMMA).map(|gamma| format!(" and gamma {}", number(gamma)));
                format!(" that is warmed up by power {}{}", number(power), gamma.unwrap_or_default())
            }
            None if settings.opt_bool(DECAY_WARMUP) == Some(true) => " that is warmed up".to_owned(),
            None => String::new(),
        };
        decay.unwrap_or_default() + &warmup
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
