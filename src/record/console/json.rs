//! `--json`: the events themselves, for programs.

use crate::record::error::RecordError;
use crate::record::event::{Event, Sink};
use std::io::Write;

/// Writes each event as one line.
pub struct Json<W> {
    out: W,
}

impl<W: Write + Send> Json<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Sink for Json<W> {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let _ = self.out.write_all(&line).and_then(|()| self.out.flush());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::event::tests::story;

    #[test]
    fn every_event_is_one_object_with_its_name() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out);
        let events = story();
        events.iter().for_each(|event| json.event(event).unwrap());
        let lines: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            ["started", "notice", "phase_begins", "step_done", "evaluating", "evaluated", "checkpoint", "finished",]
        );
        assert_eq!(lines[3]["row"]["lr"], 0.1);
        assert_eq!(lines[5]["val_acc"], 0.75);
        assert_eq!(lines[7]["status"], "done");
    }
}
