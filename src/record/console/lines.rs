//! Displays without a terminal: a line now and then, or one at the end.

use super::report::{self, End};
use crate::record::error::RecordError;
use crate::record::event::{Event, RunFacts, Sink};
use crate::record::scores::Scores;
use crate::record::text::{self, Pace};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// How often a step is shown.
const INTERVAL: Duration = Duration::from_secs(10);

/// Notices are as wide as the terminals that logs are read in.
const WIDTH: usize = 80;

/// Head and summary as on a terminal, one line an evaluation and an interval.
pub struct Lines<W> {
    out: W,
    run: Run,
    pace: Pace,
}

/// The last line alone.
pub struct Quiet<W> {
    out: W,
    run: Run,
}

/// What a display remembers of the run that it shows.
#[derive(Default)]
pub struct Run {
    /// Known from the first event on.
    pub known: Option<(Box<RunFacts>, PathBuf)>,
    pub scores: Scores,
}

impl Run {
    /// Takes note of an event; tells whether it is the best evaluation so far.
    pub fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { folder, facts } => {
                self.known = Some((facts.clone(), folder.clone()));
                self.scores = Scores::of(facts);
                false
            }
            Event::Resumed { folder, facts, rows, .. } => {
                self.known = Some((facts.clone(), folder.clone()));
                self.scores = Scores::after(rows, facts);
                false
            }
            Event::Evaluated(row) => self.scores.add(row),
            _ => false,
        }
    }
}

impl<W: Write + Send> Lines<W> {
    pub fn new(out: W) -> Self {
        Self { out, run: Run::default(), pace: Pace::new(INTERVAL) }
    }

    fn text(&mut self, event: &Event) -> Option<String> {
        self.run.note(event);
        let (facts, folder) = self.run.known.as_ref()?;
        Some(match event {
            Event::Started { .. } => report::head(facts, folder, None),
            Event::Resumed { step, .. } => report::head(facts, folder, Some(*step)),
            Event::Notice { text } => report::notice(text, WIDTH),
            Event::PhaseBegins(begins) => text::phase(facts, begins) + "\n",
            Event::StepDone(done) => self.pace.due().then(|| text::step(facts, done) + "\n")?,
            Event::Evaluated(row) => text::evaluation(facts, row) + "\n",
            Event::Snapshot { step, file, loss } => text::snapshot(facts, *step, file, *loss) + "\n",
            Event::Evaluating { .. } | Event::Checkpoint { .. } | Event::Damaged { .. } => return None,
            Event::Finished { .. } => report::summary(facts, folder, &self.run.scores, &End::of(event)?),
        })
    }
}

impl<W: Write + Send> Sink for Lines<W> {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        if let Some(text) = self.text(event) {
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
        Ok(())
    }
}

impl<W: Write + Send> Quiet<W> {
    pub fn new(out: W) -> Self {
        Self { out, run: Run::default() }
    }
}

impl<W: Write + Send> Sink for Quiet<W> {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        self.run.note(event);
        if let (Some(end), Some((facts, folder))) = (End::of(event), &self.run.known) {
            let ended = text::finished(end.status, end.exit_reason, end.step, end.seconds, &self.run.scores);
            let sets = std::iter::once(&facts.dataset).chain(&facts.further_datasets);
            let data = sets.map(text::dataset_name).collect::<Vec<_>>().join(", then ");
            let _ = writeln!(self.out, "{ended}  {data}  {}", folder.display());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::event::DatasetFacts;
    use crate::record::event::tests::story;

    fn tell<S: Sink>(mut sink: S) {
        story().iter().for_each(|event| sink.event(event).unwrap());
    }

    #[test]
    fn quiet_is_one_line_with_all_that_matters() {
        let mut out = Vec::new();
        tell(Quiet::new(&mut out));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1);
        for part in ["done (completed)", "75.0 %", "shapes (stand-in for cifar10)", "runs/a"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn quiet_names_all_sets() {
        let mut out = Vec::new();
        let mut quiet = Quiet::new(&mut out);
        for mut event in story() {
            if let Event::Started { facts, .. } = &mut event {
                facts.further_datasets = vec![DatasetFacts { name: "second".to_owned(), ..facts.dataset.clone() }];
                facts.further_datasets[0].stands_in_for = None;
                facts.further_datasets[0].stand_in = false;
            }
            quiet.event(&event).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("shapes (stand-in for cifar10), then second"), "{text}");
    }

    #[test]
    fn lines_hold_the_stand_in_and_no_steps_within_the_interval() {
        let mut out = Vec::new();
        tell(Lines::new(&mut out));
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("NOTICE") && text.contains("evaluated after step 1/2,345"), "{text}");
        assert_eq!(text.matches("shapes (stand-in for cifar10)").count(), 2, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("step")), "{text}");
    }
}
