//! Work done ahead of its use, on a thread of its own, into a fixed number of reused items.

use crate::DataError;
use crate::units::Seconds;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// A batch could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrefetchError {
    /// The preparing thread panicked, or there was none to be had; the message is the panic's or the system's.
    #[error("preparing a batch failed: {0}")]
    Thread(String),
    /// Of images on disk.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Items filled in order on another thread.
///
/// The items are lent one at a time and go round: what was lent returns to the thread when the next one is asked for, so
/// in the steady state nothing is allocated. Dropping this ends the thread.
pub struct Prefetch<T> {
    filled: Option<Receiver<Result<T, PrefetchError>>>,
    spare: Option<Sender<T>>,
    lent: Option<T>,
    /// Received before it was asked for.
    waiting: Option<Result<T, PrefetchError>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts a thread that fills `items` with `fill`, again and again, until `fill` says `false`: then there is
    /// nothing more, and that item is not handed out. As many items as there are can be ahead, less the one lent.
    pub fn new(items: Vec<T>, fill: impl FnMut(&mut T) -> Result<bool, DataError> + Send + 'static) -> Self {
        let (to_user, filled) = sync_channel(items.len());
        let (spare, to_fill) = channel();
        for item in items {
            // The other end is held by this function.
            let _ = spare.send(item);
        }
        let no_thread = to_user.clone();
        let thread = std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(move || produce(&to_fill, &to_user, fill))
            // There is room for as many messages as items, and none was sent.
            .map_err(|e| no_thread.try_send(Err(PrefetchError::Thread(e.to_string()))))
            .ok();
        Self { filled: Some(filled), spare: Some(spare), lent: None, waiting: None, thread }
    }

    /// Waits until the next item is there.
    pub fn wait_for_next(&mut self) {
        if self.waiting.is_none() {
            self.waiting = self.filled.as_ref().and_then(|filled| filled.recv().ok());
        }
    }

    /// The next item, and how long it was waited for; `None` after the last.
    ///
    /// # Errors
    /// When `fill` did not succeed, or the thread panicked or could not be started. After that there is nothing more.
    pub fn next_item(&mut self) -> Result<Option<(&T, Seconds)>, PrefetchError> {
        if let (Some(item), Some(spare)) = (self.lent.take(), &self.spare) {
            // A thread that has ended needs no more items.
            let _ = spare.send(item);
        }
        let start = Instant::now();
        self.wait_for_next();
        let Some(item) = self.waiting.take() else { return Ok(None) };
        let wait = start.elapsed().as_secs_f64();
        self.lent = Some(item?);
        Ok(self.lent.as_ref().map(|item| (item, wait)))
    }
}

/// The thread: takes spare items, fills them, hands them over; ends when there is no more to fill or nobody to fill for.
fn produce<T>(
    spare: &Receiver<T>,
    filled: &SyncSender<Result<T, PrefetchError>>,
    mut fill: impl FnMut(&mut T) -> Result<bool, DataError>,
) {
    while let Ok(mut item) = spare.recv() {
        let result = match catch_unwind(AssertUnwindSafe(|| fill(&mut item))) {
            Ok(Ok(true)) => Ok(item),
            Ok(Ok(false)) => return,
            Ok(Err(error)) => Err(error.into()),
            Err(panic) => Err(PrefetchError::Thread(message(&*panic))),
        };
        let failed = result.is_err();
        if filled.send(result).is_err() || failed {
            return;
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_owned(),
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        // Without its channels the thread ends after the item at hand.
        self.spare = None;
        self.filled = None;
        if let Some(thread) = self.thread.take() {
            // Panics in `fill` were caught and handed over.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts 0, 1, 2… up to `end` into two items, and how often it was asked to.
    fn counter(end: usize) -> (Prefetch<usize>, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        let prefetch = Prefetch::new(vec![0; 2], move |item| {
            *item = seen.fetch_add(1, Ordering::SeqCst);
            assert_ne!(*item, 100, "a hundred");
            Ok(*item < end)
        });
        (prefetch, calls)
    }

    #[test]
    fn items_come_in_order_and_end() {
        let (mut prefetch, _) = counter(5);
        for expected in 0..5 {
            assert_eq!(prefetch.next_item().unwrap().map(|(item, _)| *item), Some(expected));
        }
        assert!(prefetch.next_item().unwrap().is_none());
        assert!(prefetch.next_item().unwrap().is_none());
    }

    #[test]
    fn a_panic_is_an_error_in_its_place() {
        let (mut prefetch, _) = counter(1000);
        for expected in 0..100 {
            assert_eq!(prefetch.next_item().unwrap().map(|(item, _)| *item), Some(expected));
        }
        assert!(prefetch.next_item().unwrap_err().to_string().contains("a hundred"));
        assert!(prefetch.next_item().unwrap().is_none());
    }

    #[test]
    fn the_thread_ends_with_its_user_and_runs_no_further_ahead_than_its_items() {
        let (mut prefetch, calls) = counter(usize::MAX);
        for _ in 0..3 {
            prefetch.next_item().unwrap();
        }
        // Drop joins the thread.
        drop(prefetch);
        let made = calls.load(Ordering::SeqCst);
        assert!((3..=5).contains(&made), "{made}");
        assert_eq!(Arc::strong_count(&calls), 1);
    }
}
