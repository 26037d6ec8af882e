//! Threads that decode beside those that train.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many threads train; 0 until that is said.
static TRAINING: AtomicUsize = AtomicUsize::new(0);

/// Says how many threads train. What was decoded before was decoded by one a core.
pub fn set_threads(training: usize) {
    TRAINING.store(training, Ordering::Relaxed);
}

/// As many threads as train; `None` where the system gives none, and whoever asks does the work himself.
///
/// They are apart from those that train because a kernel waits for all its parts, and an image in between would make them all
/// wait. While the batches ahead are ready they sleep, so that decoding takes what it needs and no more.
pub fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        let named = ThreadPoolBuilder::new().thread_name(|k| format!("decoder {k}"));
        // 0 is one a core. The number of rayon's own pool is not asked for: that would start it, with that many for good.
        named.num_threads(TRAINING.load(Ordering::Relaxed)).build().ok()
    };
    POOL.get_or_init(start).as_ref()
}

/// Does work on these threads.
pub fn on_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match pool() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
