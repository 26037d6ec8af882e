//! An optimizer's state outside of it.

use std::collections::BTreeMap;

/// The name of the momentum buffer in a [`State`], for rules that have one.
pub const MOMENTUM: &str = "momentum";

/// Named buffers and counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Each as long as the optimizer's segments together, or so many times that as it remembers steps.
    pub buffers: BTreeMap<String, Vec<f32>>,
    pub counters: BTreeMap<String, u64>,
}

/// A state that does not fit the optimizer.
#[derive(Debug, thiserror::Error)]
#[error("the optimizer state does not fit: {0}")]
pub struct StateError(pub String);

impl State {
    /// Copies of these buffers, and no counters.
    pub fn of<const B: usize>(buffers: [(&str, &[f32]); B]) -> Self {
        let buffers = buffers.into_iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect();
        Self { buffers, counters: BTreeMap::new() }
    }

    /// The same with these counters.
    pub fn with_counters<const C: usize>(mut self, counters: [(&str, u64); C]) -> Self {
        self.counters = counters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self
    }

    /// Adds the state of a part of the optimizer, its names after `part` and a point.
    pub fn put(&mut self, part: &str, state: State) {
        let named = |name: String| format!("{part}.{name}");
        self.buffers.extend(state.buffers.into_iter().map(|(name, buffer)| (named(name), buffer)));
        self.counters.extend(state.counters.into_iter().map(|(name, counter)| (named(name), counter)));
    }

    /// Takes the state of a part out.
    pub fn take(&mut self, part: &str) -> State {
        let prefix = format!("{part}.");
        let buffers = taken(&mut self.buffers, &prefix);
        State { buffers, counters: taken(&mut self.counters, &prefix) }
    }

    /// Moves the state into these buffers and gives the counters of these names, which must be all there is.
    ///
    /// # Errors
    /// When a buffer is missing or of another length, a counter is missing, or something is left over. Nothing is changed
    /// then.
    pub fn into_parts<const B: usize, const C: usize>(
        mut self,
        to: [(&str, &mut Vec<f32>); B],
        counters: [&str; C],
    ) -> Result<[u64; C], StateError> {
        for (name, values) in &to {
            match self.buffers.get(*name).map(Vec::len) {
                None => return Err(StateError(format!("buffer `{name}` is missing"))),
                Some(len) if len != values.len() => {
                    return Err(StateError(format!("buffer `{name}` has {len} values, not {}", values.len())));
                }
                Some(_) => {}
            }
        }
        if let Some(name) = counters.iter().find(|name| !self.counters.contains_key(**name)) {
            return Err(StateError(format!("counter `{name}` is missing")));
        }
        let known_buffer = |name: &&String| to.iter().any(|(known, _)| known == name);
        let known_counter = |name: &&String| counters.contains(&name.as_str());
        let mut unknown = (self.buffers.keys().filter(|name| !known_buffer(name)))
            .chain(self.counters.keys().filter(|name| !known_counter(name)));
        if let Some(name) = unknown.next() {
            return Err(StateError(format!("`{name}` is unknown")));
        }
        for (name, values) in to {
            if let Some(loaded) = self.buffers.remove(name) {
                *values = loaded;
            }
        }
        Ok(counters.map(|name| self.counters[name]))
    }
}

/// The entries whose names begin with the prefix, without it.
fn taken<T>(from: &mut BTreeMap<String, T>, prefix: &str) -> BTreeMap<String, T> {
    let (mine, others) = std::mem::take(from).into_iter().partition(|(name, _)| name.starts_with(prefix));
    *from = others;
    let mine: BTreeMap<String, T> = mine;
    mine.into_iter().map(|(name, value)| (name[prefix.len()..].to_owned(), value)).collect()
}
