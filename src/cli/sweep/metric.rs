//! Whether trials will have what they are judged by: without it all would be done, and none better than another. And whether those
//! that are done were judged by the same.

use super::words::figure;
use crate::compare::Options;
use crate::config::Diagnostics;
use crate::config::spec::Spec;
use crate::config::suggest::{nearest, one_of};
use crate::config::sweep::Sweep;
use crate::record::rows::{MetricsRow, Row as _};
use crate::sweep::ledger::Ledger;
use crate::sweep::run::judged_otherwise;
use std::path::Path;

/// The column of words.
const WORDS: &str = "optimizer";

/// Sees that some run could have the column.
///
/// # Errors
/// That none could, at the place in the sweep file.
pub fn exists(sweep: &Sweep) -> Result<(), Diagnostics> {
    let known = || {
        let all = MetricsRow::COLUMNS.iter().copied().chain(MetricsRow::further_columns(true, true));
        all.filter(|column| *column != WORDS)
    };
    let metric = sweep.metric.as_str();
    if known().any(|column| column == metric) {
        return Ok(());
    }
    let help = match nearest(metric, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it is {}", one_of(known())),
    };
    Err(sweep.metric_error(format!("metrics.csv has no column of numbers `{metric}`"), help))
}

/// Sees that trials that are done were judged by it: values of two columns are not to be held against each other, nor may a search go
/// on from those of another. `trials.csv` does not name the column, but each run has them all.
///
/// # Errors
/// That they were judged by another, likewise.
pub fn is_that_of_trials(sweep: &Sweep, folder: &Path, ledger: &Ledger) -> Result<(), Diagnostics> {
    let metric = sweep.metric.as_str();
    let Some((trial, recorded)) = judged_otherwise(ledger, folder, metric) else { return Ok(()) };
    let [had, has] = [trial.objective, recorded].map(|value| value.map_or("no value".to_owned(), figure));
    let message = format!(
        "`metric` has changed: trials that are done were judged by another column than `{metric}` \
         (trials.csv has {had} of {}, its metrics.csv {has})",
        trial.run
    );
    let help = format!(
        "put the old one back, or start a new sweep; `runner compare {} --metric {metric}` judges what is done by it",
        folder.display()
    );
    Err(sweep.metric_error(message, help))
}

/// Sees that the runs of a point will have it. Axes may bring what the base lacks, or take away what it has.
///
/// # Errors
/// That they will not, likewise.
pub fn is_measured(sweep: &Sweep, spec: &Spec) -> Result<(), Diagnostics> {
    let metric = sweep.metric.as_str();
    let lacking = spec.train.lacks_for(metric);
    // What paints has no evaluations at all.
    if lacking.is_empty() || spec.task.is_some() {
        return Ok(());
    }
    let lacking: Vec<String> = lacking.iter().map(|setting| format!("`{setting}`")).collect();
    let help = format!("ask for it below `[train]` of the experiment: {}", lacking.join(" and "));
    Err(sweep.metric_error(format!("`metric` looks at `{metric}`, which is not measured"), help))
}

/// Whether less of a metric is more.
pub fn lower_is_better(metric: &str) -> bool {
    Options { metric: metric.to_owned(), ..Options::default() }.lower_is_better()
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Text};
    use crate::record::rows::{MetricsRow, Row as _};

    #[test]
    fn what_an_experiment_lacks_for_a_column_is_why_its_runs_lack_it() {
        let of = |train: &str| {
            let content = format!(
                "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n[train]\n{train}\n\
                 [[phases]]\nepochs = 1\nbatch = 50\noptimizer = 'sgd'\nlr = 0.1\n"
            );
            let text = Text { name: "b.toml".into(), content, folder: "".into() };
            config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec.train
        };
        let all = || MetricsRow::COLUMNS.iter().copied().chain(MetricsRow::further_columns(true, true));
        for (tta, average) in [(false, false), (true, false), (false, true), (true, true)] {
            let lines = [(tta, "tta = \"mirror\"\n"), (average, "average = \"swa\"\n")];
            let train = of(&lines.iter().filter(|(is_set, _)| *is_set).map(|(_, line)| *line).collect::<String>());
            let has: Vec<&str> =
                MetricsRow::COLUMNS.iter().copied().chain(MetricsRow::further_columns(tta, average)).collect();
            for column in all() {
                let lacking = train.lacks_for(column);
                assert_eq!(lacking.is_empty(), has.contains(&column), "{column}");
                // What it names is enough.
                let further: String = lacking.iter().map(|setting| format!("{setting}\n")).collect();
                let given: String = lines.iter().filter(|(is_set, _)| *is_set).map(|(_, line)| *line).collect();
                assert!(of(&format!("{given}{further}")).lacks_for(column).is_empty(), "{column}");
            }
        }
    }
}
