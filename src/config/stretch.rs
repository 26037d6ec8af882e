//! The same schedule, shorter or longer.

use super::spec::{Length, Spec};
use crate::registry::{Duration, DurationUnit, Value};
use crate::units::rounded;

/// Has all phases last so many times as long, and what happens at a place of training happen at that place. What happens again
/// and again (evaluations, checkpoints) is left as it is.
///
/// Borders of phases that are given in steps come to the nearest step, so those of a recipe add up to what the recipe would; a phase
/// has one step at least, and a rule too.
pub fn stretch(spec: &mut Spec, times: f64) {
    if times == 1.0 {
        return;
    }
    let (mut before, mut after) = (0, 0);
    for phase in &mut spec.phases {
        match &mut phase.length {
            Length::Epochs(epochs) => *epochs = rounded(*epochs * times),
            Length::Steps(steps) => {
                before += *steps;
                *steps = whole(before as f64 * times).saturating_sub(after).max(1);
                after += *steps;
            }
        }
    }
    for until in spec.params.iter_mut().filter_map(|rule| rule.until.as_mut()) {
        *until = stretched(*until, times);
        if until.unit == DurationUnit::Steps {
            // A rule that is for no step at all is none.
            until.amount = until.amount.max(1.0);
        }
    }
    let lookahead = spec.train.lookahead.as_mut().map(|lookahead| &mut lookahead.start);
    let average = spec.train.average.as_mut().and_then(|average| match average.settings.0.get_mut("start") {
        Some(Value::Duration(start)) => Some(start),
        _ => None,
    });
    for place in lookahead.into_iter().chain(average) {
        *place = stretched(*place, times);
    }
}

fn stretched(place: Duration, times: f64) -> Duration {
    let amount = match place.unit {
        DurationUnit::Epochs => rounded(place.amount * times),
        DurationUnit::Steps => (place.amount * times).round(),
        DurationUnit::Percent => place.amount,
    };
    Duration { amount, ..place }
}

fn whole(steps: f64) -> u64 {
    steps.round() as u64
}

#[cfg(test)]
mod tests {
    use super::super::{Text, read, write};
    use super::*;

    #[test]
    fn borders_and_places_move_and_cadences_stay() {
        let content = "name = 's'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                       [train]\neval_every = '7step'\naverage = { kind = 'swa', start = '30step', every = '2step' }\n\
                       lookahead = { start = '50%' }\n[[params]]\nrole = 'norm'\nuntil = '3ep'\n\
                       [[phases]]\nrecipe = 'one-cycle'\nsteps = 13\nbatch = 50\noptimizer = 'sgd'\nlr = 0.1\n\
                       [[phases]]\nepochs = 3\nlr = 0.1\n";
        let spec = |times: &str| {
            let content = content.replace("[train]\n", &format!("[train]\nstretch = {times}\n"));
            let text = Text { name: "s.toml".into(), content, folder: "".into() };
            read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec
        };
        let steps = |spec: &Spec| -> Vec<u64> {
            let steps = spec.phases.iter().filter_map(|phase| match phase.length {
                Length::Steps(steps) => Some(steps),
                Length::Epochs(_) => None,
            });
            steps.collect()
        };
        let (plain, half, tiny) = (spec("1.0"), spec("0.5"), spec("0.001"));
        let in_steps = |times: &str| {
            let mut spec = spec("1.0");
            spec.params[0].until = Some("3step".parse().unwrap());
            stretch(&mut spec, times.parse().unwrap());
            let text = Text { name: "w.toml".into(), content: write(&spec), folder: "".into() };
            read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec.params[0].until.unwrap().to_string()
        };
        assert_eq!(["0.001", "0.5", "2"].map(in_steps), ["1step", "2step", "6step"], "what is written reads back");
        assert_eq!(steps(&plain).iter().sum::<u64>(), 13);
        assert_eq!(steps(&half).iter().sum::<u64>(), 7, "6.5, to the next whole one: {:?}", steps(&half));
        assert!(steps(&tiny).iter().all(|steps| *steps == 1));
        assert_eq!(half.phases.last().unwrap().length, Length::Epochs(1.5));
        assert_eq!(half.params[0].until.unwrap().to_string(), "1.5ep");
        // As a person would write it, where the product is 0.8999999999999999.
        assert_eq!(spec("0.3").params[0].until.unwrap().to_string(), "0.9ep");
        assert_eq!(half.train.lookahead.as_ref().unwrap().start.to_string(), "50%");
        let average = &half.train.average.as_ref().unwrap().settings;
        assert_eq!(["start", "every"].map(|key| average.duration(key).to_string()), ["15step", "2step"]);
        assert_eq!(half.train.eval_every.to_string(), "7step");
    }
}
