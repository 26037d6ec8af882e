//! Tasks over the one thread pool (rayon's global one, sized by `--threads`).

use rayon::prelude::*;

/// Runs `task(0) … task(tasks − 1)`, on as many threads as the pool has, in no particular order.
///
/// The number of tasks, and what each does, must not depend on the number of threads.
pub fn for_each(tasks: usize, task: impl Fn(usize) + Sync + Send) {
    match tasks {
        0 => {}
        1 => task(0),
        _ => (0..tasks).into_par_iter().with_max_len(1).for_each(task),
    }
}

/// A pointer that tasks share in order to write disjoint parts of one slice.
#[derive(Clone, Copy)]
pub struct Shared<T>(*mut T, usize);

// SAFETY: the pointer is only dereferenced through `part`, whose caller promises disjoint ranges.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr(), slice.len())
    }

    /// The part `start..start + len`.
    ///
    /// # Safety
    /// The slice this was made from outlives the use, and no two parts that live at the same time overlap.
    ///
    /// # Panics
    /// When the part lies outside.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part<'a>(&self, start: usize, len: usize) -> &'a mut [T] {
        assert!(start.checked_add(len).is_some_and(|end| end <= self.1), "part outside the shared slice");
        // SAFETY: inside the slice; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }

    pub fn len(&self) -> usize {
        self.1
    }
    pub fn is_empty(&self) -> bool {
        self.1 == 0
    }
}

/// Threads of the pool that a task started here runs in.
pub fn workers() -> usize {
    rayon::current_num_threads()
}

/// Which of the [`workers`] this is, for scratch: two tasks that run at the same time have different numbers.
pub fn worker() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}
