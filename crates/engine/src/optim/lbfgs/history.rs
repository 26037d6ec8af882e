//! What L-BFGS remembers of the curvature, and the directions that follow from it.

use crate::optim::vector::{add, dot, scaled};
use crate::optim::{State, StateError};

/// A step along which the gradient's change is smaller than this, `y·s`, says nothing of the curvature. As PyTorch's.
const LEAST_CURVATURE: f64 = 1e-10;

const STEPS: &str = "steps";
const CHANGES: &str = "changes";
const PAIRS: &str = "pairs";
const ITERATIONS: &str = "iterations";

/// The last steps `s` and the changes `y` of the gradient along them, newest over oldest.
pub struct History {
    /// Pairs that there is room for.
    room: usize,
    /// Values of a step.
    len: usize,
    steps: Vec<f32>,
    changes: Vec<f32>,
    /// Kept so far, those included that were written over.
    pairs: u64,
    /// Iterations so far: the first one of all has a shorter step.
    pub iterations: u64,
    /// `1/(y·s)` of each pair; follows from them.
    inverse: Vec<f64>,
    /// `y·s/(y·y)` of the newest: the curvature where no pair says more.
    scale: f64,
}

impl History {
    pub fn new(room: usize, len: usize) -> Self {
        let (steps, changes) = (vec![0.0; room * len], vec![0.0; room * len]);
        Self { room, len, steps, changes, pairs: 0, iterations: 0, inverse: vec![0.0; room], scale: 1.0 }
    }

    /// Values of a step.
    pub fn values(&self) -> usize {
        self.len
    }

    /// Numbers of all pairs that there is room for.
    pub fn numbers(&self) -> usize {
        self.steps.len() + self.changes.len()
    }

    /// Keeps a pair, unless the gradient does not grow along the step: then the loss is not convex there.
    pub fn add(&mut self, step: &[f32], change: &[f32]) {
        // Not so either where the product is NaN.
        if dot(change, step) > LEAST_CURVATURE {
            let slot = self.slot(self.pairs);
            self.steps[slot * self.len..][..self.len].copy_from_slice(step);
            self.changes[slot * self.len..][..self.len].copy_from_slice(change);
            self.pairs += 1;
            self.weigh(slot);
        }
    }

    /// `−H·g`, where `H` is the inverse of the curvature as far as the pairs know it: the two loops of Nocedal (1980).
    pub fn direction(&self, grad: &[f32]) -> Vec<f32> {
        let oldest = self.pairs.saturating_sub(self.room as u64);
        let mut q = scaled(grad, -1.0);
        let mut along = vec![0.0; self.room];
        for slot in (oldest..self.pairs).rev().map(|pair| self.slot(pair)) {
            let (s, y) = self.pair(slot);
            along[slot] = dot(s, &q) * self.inverse[slot];
            add(&mut q, -along[slot], y);
        }
        let mut direction = scaled(&q, self.scale);
        for slot in (oldest..self.pairs).map(|pair| self.slot(pair)) {
            let (s, y) = self.pair(slot);
            let by = along[slot] - dot(y, &direction) * self.inverse[slot];
            add(&mut direction, by, s);
        }
        direction
    }

    pub fn state(&self) -> State {
        State::of([(STEPS, &self.steps), (CHANGES, &self.changes)])
            .with_counters([(PAIRS, self.pairs), (ITERATIONS, self.iterations)])
    }

    /// Takes over a state; of one that remembers another number of steps, the newest that there is room for.
    ///
    /// # Errors
    /// As those of [`State::into_parts`].
    pub fn load(&mut self, state: State) -> Result<(), StateError> {
        let state = self.fitted(state);
        let buffers = [(STEPS, &mut self.steps), (CHANGES, &mut self.changes)];
        [self.pairs, self.iterations] = state.into_parts(buffers, [PAIRS, ITERATIONS])?;
        let oldest = self.pairs.saturating_sub(self.room as u64);
        (oldest..self.pairs).for_each(|pair| self.weigh(self.slot(pair)));
        Ok(())
    }

    /// The state with as much room as this has, where it is whole and has another.
    fn fitted(&self, mut state: State) -> State {
        let lens = [STEPS, CHANGES].map(|name| state.buffers.get(name).map_or(0, Vec::len));
        let (all, len) = (lens[0], self.len.max(1));
        let Some(pairs) = state.counters.get_mut(PAIRS).filter(|_| all > 0 && lens[1] == all && all % len == 0) else {
            return state;
        };
        let room = (all / len) as u64;
        if room == self.room as u64 {
            return state;
        }
        let kept = (*pairs).min(room).min(self.room as u64);
        let newest = *pairs - kept..std::mem::replace(pairs, kept);
        for name in [STEPS, CHANGES] {
            let old = state.buffers.remove(name).unwrap_or_default();
            let mut fitted: Vec<f32> =
                newest.clone().flat_map(|pair| &old[(pair % room) as usize * len..][..len]).copied().collect();
            fitted.resize(self.room * len, 0.0);
            state.buffers.insert(name.to_owned(), fitted);
        }
        state
    }

    fn slot(&self, pair: u64) -> usize {
        (pair % self.room as u64) as usize
    }

    fn pair(&self, slot: usize) -> (&[f32], &[f32]) {
        let range = slot * self.len..(slot + 1) * self.len;
        (&self.steps[range.clone()], &self.changes[range])
    }

    /// What follows from the pair in a slot, the newest so far.
    fn weigh(&mut self, slot: usize) {
        let (s, y) = self.pair(slot);
        let (along, size) = (dot(y, s), dot(y, y));
        (self.inverse[slot], self.scale) = (1.0 / along, along / size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a quadratic, as many independent pairs as there are values know the whole curvature: the direction is Newton's.
    #[test]
    fn enough_pairs_give_newtons_step() {
        let curvature = [2.0f32, 5.0, 0.5];
        let mut history = History::new(3, 3);
        // The first is written over.
        for step in [[1.0, 1.0, 1.0], [1.0f32, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
            let change: Vec<f32> = step.iter().zip(curvature).map(|(s, c)| s * c).collect();
            history.add(&step, &change);
        }
        let direction = history.direction(&[2.0, 5.0, 0.5]);
        assert!(direction.iter().all(|d| (d + 1.0).abs() < 1e-6), "{direction:?}");
    }

    /// A phase may give its optimizer another history: what fits goes on.
    #[test]
    fn another_room_keeps_the_newest_pairs() {
        let pairs = [[1.0f32, 0.5], [0.25, -1.0], [2.0, 1.0], [-1.0, 3.0]];
        let remember = |room: usize, pairs: &[[f32; 2]]| {
            let mut history = History::new(room, 2);
            pairs.iter().for_each(|[a, b]| history.add(&[*a, *b], &[3.0 * a + b, a + 2.0 * b]));
            history
        };
        for (room, other) in [(3, 2), (3, 5), (5, 3), (4, 1)] {
            let mut loaded = History::new(other, 2);
            loaded.load(remember(room, &pairs).state()).unwrap();
            let newest = remember(other, &pairs[pairs.len() - room.min(other).min(pairs.len())..]);
            assert_eq!(loaded.direction(&[1.0, -2.0]), newest.direction(&[1.0, -2.0]), "{room} to {other}");
        }
    }

    #[test]
    fn a_step_into_a_dip_is_not_kept() {
        let mut history = History::new(2, 2);
        history.add(&[1.0, 0.0], &[-1.0, 0.0]);
        history.add(&[1.0, 0.0], &[f32::NAN, 0.0]);
        assert_eq!(history.direction(&[1.0, -2.0]), [-1.0, 2.0]);
        assert_eq!(history.state().counters["pairs"], 0);
    }
}
