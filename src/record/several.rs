//! Several sinks as one.

use super::error::RecordError;
use super::event::{Event, Sink};

/// Tells all of them, also when one fails.
pub struct Several(pub Vec<Box<dyn Sink>>);

impl Sink for Several {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        self.0.iter_mut().map(|sink| sink.event(event)).fold(Ok(()), Result::and)
    }

    fn sync(&mut self) -> Result<(), RecordError> {
        self.0.iter_mut().map(|sink| sink.sync()).fold(Ok(()), Result::and)
    }
}
