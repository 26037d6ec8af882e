//! An optimizer's state outside of it.

use std::collections::BTreeMap;

/// The name of the momentum buffer in a [`State`], for rules that have one.
pub const MOMENTUM: &str = "momentum";

/// Named buffers and counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Each as long as the optimizer's segments together.
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
