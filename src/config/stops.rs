//! The rules by which a training ends before its plan does, and what of them does not go together.

use super::build::Builder;
use super::spec::{TrainSpec, Tta, TtaAt};
use crate::average::EvaluatedAt;
use crate::registry::Settings;
use crate::units::{Seconds, number};
use crate::words;
use std::collections::BTreeMap;
use std::fmt;

/// `stop_div`, `stop_at`, `stop_after` and `patience` of `[train]`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StopSpec {
    /// Whether a smoothed loss far above its best ends the training as diverged.
    pub diverged: bool,
    /// An evaluation that reaches all of these ends it.
    pub at: BTreeMap<Metric, f64>,
    /// So much training time ends it.
    pub after: Option<Seconds>,
    pub patience: Option<Patience>,
}

/// So many evaluations in a row without improvement end the training.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Patience {
    pub evaluations: u64,
    pub metric: Metric,
    /// What is better by no more than this is no improvement.
    pub min_change: f64,
}

/// A column of `metrics.csv` that a stop rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    ValAcc,
    #[serde(rename = "val_acc_top5")]
    ValAccTop5,
    ValAccTta,
    ValAccAvg,
    ValLoss,
    ValLossAvg,
    TrainAcc,
    TrainLoss,
}

words!(Metric {
    ValAcc = "val_acc",
    ValAccTop5 = "val_acc_top5",
    ValAccTta = "val_acc_tta",
    ValAccAvg = "val_acc_avg",
    ValLoss = "val_loss",
    ValLossAvg = "val_loss_avg",
    TrainAcc = "train_acc",
    TrainLoss = "train_loss",
});

impl Metric {
    /// Whether less of it is better.
    pub fn falls(self) -> bool {
        matches!(self, Self::ValLoss | Self::ValLossAvg | Self::TrainLoss)
    }

    /// Whether `value` is at the target or beyond; NaN is not.
    pub fn reaches(self, value: f64, target: f64) -> bool {
        if self.falls() { value <= target } else { value >= target }
    }
}

impl Patience {
    /// By how much something is to be better, in words; nothing where any better is enough.
    pub fn least(self) -> String {
        if self.min_change == 0.0 { String::new() } else { format!(" by more than {}", number(self.min_change)) }
    }
}

impl StopSpec {
    /// Whether nothing but a loss that is not finite ends the training early.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for StopSpec {
    /// `stops when val_acc ≥ 0.94, after 600 s of training`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = |(metric, value): (&Metric, &f64)| {
            format!("{} {} {}", metric.word(), if metric.falls() { "≤" } else { "≥" }, number(*value))
        };
        let targets: Vec<String> = self.at.iter().map(target).collect();
        let parts = [
            self.diverged.then(|| "when the smoothed loss is over four times its best".to_owned()),
            (!targets.is_empty()).then(|| format!("when {}", targets.join(" and "))),
            self.after.map(|seconds| format!("after {} s of training", number(seconds))),
            self.patience.map(|patience| {
                let Patience { evaluations, metric, .. } = patience;
                let (word, least) = (metric.word(), patience.least());
                match least.is_empty() {
                    true => format!("after {evaluations} evaluations without a better {word}"),
                    false => format!("after {evaluations} evaluations without a {word} better{least}"),
                }
            }),
        ];
        write!(f, "stops {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// The stop rules of `[train]`. `None` when something was wrong with them, which has then been reported.
pub fn build(builder: &mut Builder<'_>, train: &Settings) -> Option<StopSpec> {
    let at = train.opt_table("stop_at");
    let patience = train.opt_table("patience");
    let after = train.opt_float("stop_after");
    if after == Some(0.0) {
        let error = builder.source.diagnostic("train.stop_after", "`stop_after` is out of range");
        builder.error(error.expected("a span of time longer than none"));
    }
    let gives = |metric: &&str| builder.source.is_given(&format!("train.stop_at.{metric}"));
    if at.as_ref().is_some_and(|at| at.0.is_empty()) && !Metric::WORDS.iter().any(gives) {
        let error = builder.source.diagnostic("train.stop_at", "`stop_at` names no target");
        builder.error(error.expected("what to reach: `stop_at = { val_acc = 0.94 }`"));
    }
    let metrics = || Metric::WORDS.iter().filter_map(|word| Metric::from_word(word));
    let target = |metric: Metric| Some((metric, at.as_ref()?.opt_float(metric.word())?));
    let stop = StopSpec {
        diverged: train.opt_bool("stop_div")?,
        at: metrics().filter_map(target).collect(),
        after,
        patience: match patience {
            None => None,
            Some(patience) => Some(Patience {
                evaluations: u64::try_from(patience.opt_int("evaluations")?).ok()?,
                metric: Metric::from_word(&patience.opt_text("metric")?)?,
                min_change: patience.opt_float("min_change")?,
            }),
        },
    };
    contradictions(builder, &stop);
    unmeasured(builder, train, &stop);
    Some(stop)
}

/// Rules of which one keeps the other from ever mattering.
fn contradictions(builder: &mut Builder<'_>, stop: &StopSpec) {
    if let (Some(acc), Some(top5)) = (stop.at.get(&Metric::ValAcc), stop.at.get(&Metric::ValAccTop5))
        && top5 <= acc
    {
        let message = "`val_acc_top5` says nothing beside a `val_acc` that is not below it";
        let error = builder.source.diagnostic("train.stop_at.val_acc_top5", message);
        builder.error(error.help(format!(
            "a label that is the highest output is among the five highest: {} is reached whenever `val_acc` is {}; leave it \
             out, or give a higher one",
            number(*top5),
            number(*acc)
        )));
    }
    let Some(patience) = stop.patience else { return };
    if let Some(target) = stop.at.get(&patience.metric).filter(|_| !patience.metric.falls())
        && patience.min_change >= *target
    {
        let word = patience.metric.word();
        let message = format!("`patience` contradicts `stop_at`: no `{word}` up to the target is an improvement to it");
        let error = builder.source.diagnostic("train.patience.min_change", message);
        builder.error(error.help(format!("give a `min_change` far below {}, the target of `{word}`", number(*target))));
    }
}

/// Rules that look at what no evaluation, or the last alone, measures.
fn unmeasured(builder: &mut Builder<'_>, train: &Settings, stop: &StopSpec) {
    let targets = stop.at.keys().map(|metric| (format!("train.stop_at.{}", metric.word()), "stop_at", *metric));
    let patience = stop.patience.map(|patience| ("train.patience.metric".to_owned(), "patience", patience.metric));
    for (path, rule, metric) in targets.chain(patience).collect::<Vec<_>>() {
        let (measured, ask, always) = match metric {
            Metric::ValAccTta => (views_at(train), ASK_VIEWS, "tta_at = \"every\""),
            Metric::ValAccAvg | Metric::ValLossAvg => (average_at(train), ASK_AVERAGE, "evaluate = \"every\""),
            _ => continue,
        };
        let word = metric.word();
        let (message, help) = match measured {
            Measured::Always => continue,
            Measured::Never => {
                (format!("`{rule}` looks at `{word}`, which is not measured"), format!("ask for it: `{ask}`"))
            }
            Measured::AtTheEnd => (
                format!("`{rule}` looks at `{word}`, which the last evaluation alone measures"),
                format!("measure it at every one: `{always}`"),
            ),
        };
        let error = builder.source.diagnostic(&path, message);
        builder.error(error.help(help));
    }
}

/// Settings of `[train]` that have views and averaged weights measured.
const ASK_VIEWS: &str = "tta = \"mirror\"";
const ASK_AVERAGE: &str = "average = \"swa\"";

impl TrainSpec {
    /// What would have to be asked for below `[train]` for runs to have this column of `metrics.csv`: nothing where they have it.
    pub fn lacks_for(&self, column: &str) -> Vec<&'static str> {
        let needs = [
            (column.ends_with("_tta") && self.tta.is_none(), ASK_VIEWS),
            (column.contains("_avg") && self.average.is_none(), ASK_AVERAGE),
        ];
        needs.into_iter().filter(|(lacks, _)| *lacks).map(|(_, setting)| setting).collect()
    }
}

/// The evaluations that something is part of.
enum Measured {
    Never,
    AtTheEnd,
    Always,
}

fn views_at(train: &Settings) -> Measured {
    let word = |key: &str| train.opt_text(key).unwrap_or_default();
    match (Tta::from_word(&word("tta")), TtaAt::from_word(&word("tta_at"))) {
        (None | Some(Tta::None), _) => Measured::Never,
        (_, Some(TtaAt::Last)) => Measured::AtTheEnd,
        _ => Measured::Always,
    }
}

fn average_at(train: &Settings) -> Measured {
    match train.opt_choice("average").map(|average| average.settings.opt_text("evaluate")) {
        None => Measured::Never,
        Some(Some(at)) if EvaluatedAt::from_word(&at) == Some(EvaluatedAt::Last) => Measured::AtTheEnd,
        Some(_) => Measured::Always,
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::STOP_AT;
    use super::*;

    #[test]
    fn every_metric_is_a_target() {
        let mut keys: Vec<&str> = STOP_AT.iter().map(|param| param.key).collect();
        let mut words = Metric::WORDS.to_vec();
        keys.sort_unstable();
        words.sort_unstable();
        assert_eq!(keys, words);
        for metric in Metric::WORDS.iter().filter_map(|word| Metric::from_word(word)) {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.word());
            assert_eq!(metric.falls(), metric.word().contains("loss"));
            assert!(!metric.reaches(f64::NAN, 0.5) && metric.reaches(0.5, 0.5));
            assert_eq!(metric.reaches(0.4, 0.5), metric.falls());
        }
    }
}
