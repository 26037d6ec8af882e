//! Sending while a run is trained, without ever holding it up.

use super::client::Address;
use super::sender::Sender;
use crate::record::{Event, RecordError, Sink};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender as Channel, channel};
use std::time::Duration;

/// How often is sent what came meanwhile.
const EVERY: Duration = Duration::from_secs(3);
/// How often is asked again for a server that is not there.
const AGAIN: Duration = Duration::from_secs(30);
/// For what is left when training is over; after that it stays for later.
const AT_THE_END: Duration = Duration::from_secs(15);

/// Tells a thread of its own where the run is and when it is over; that thread reads the run's files.
pub struct MlflowSink {
    address: Address,
    thread: Option<Thread>,
}

struct Thread {
    over: Channel<()>,
    /// Whether all was sent.
    done: Receiver<bool>,
}

impl MlflowSink {
    pub fn new(address: Address) -> Self {
        Self { address, thread: None }
    }

    fn begin(&mut self, run: &Path) {
        let (over, is_over) = channel();
        let (tell, done) = channel();
        let (run, address) = (run.to_owned(), self.address.clone());
        let work = move || {
            // Nobody may be there to hear it any more.
            let _ = tell.send(follow(&run, address, &is_over));
        };
        match std::thread::Builder::new().name("mlflow".to_owned()).spawn(work) {
            Ok(_) => self.thread = Some(Thread { over, done }),
            Err(error) => log::warn!("nothing is sent to MLflow: {error}"),
        }
    }
}

/// Sends until the run is over, then what is left. Whether all was sent.
fn follow(run: &Path, address: Address, is_over: &Receiver<()>) -> bool {
    let mut sender = match Sender::new(run, address) {
        Ok(sender) => sender,
        Err(error) => {
            log::warn!("nothing is sent to MLflow: {error}");
            return false;
        }
    };
    let mut wait = EVERY;
    let mut said = false;
    loop {
        let over = !matches!(is_over.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
        let sent = sender.send();
        match &sent {
            Ok(()) => (wait, said) = (EVERY, false),
            Err(error) => {
                // Once for each time that it is lost.
                if !said {
                    log::warn!("{error}; training goes on, and what is missed is sent later");
                }
                (wait, said) = (AGAIN, true);
            }
        }
        if over {
            return sent.is_ok();
        }
    }
}

impl Sink for MlflowSink {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        match event {
            Event::Started { folder, .. } | Event::Resumed { folder, .. } => self.begin(folder),
            Event::Finished { .. } => {
                if let Some(Thread { over, done }) = self.thread.take() {
                    // Whether it hears that, or has ended by itself, is the same here.
                    let _ = over.send(());
                    if !done.recv_timeout(AT_THE_END).unwrap_or(false) {
                        log::warn!(
                            "not all of the run is on the MLflow server: `runner export mlflow RUN` sends what is missing"
                        );
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
