//! An optimizer's state outside of it.

use std::collections::BTreeMap;

/// The name of the momentum buffer in a [`State`], for rules that have one.
pub const MOMENTUM: &str = "momentum";

/// Named buffers and counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Each as long as the flat parameters.
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

    /// Moves the state into these buffers, which must be all there is.
    ///
    /// # Errors
    /// When a buffer is missing or of another length, or something is left over. Nothing is changed then.
    pub fn into_buffers<const B: usize>(mut self, to: [(&str, &mut Vec<f32>); B]) -> Result<(), StateError> {
        for (name, values) in &to {
            match self.buffers.get(*name).map(Vec::len) {
                None => return Err(StateError(format!("buffer `{name}` is missing"))),
                Some(len) if len != values.len() => {
                    return Err(StateError(format!("buffer `{name}` has {len} values, not {}", values.len())));
                }
                Some(_) => {}
            }
        }
        let known = |name: &str| to.iter().any(|(known, _)| *known == name);
        let mut unknown = self.buffers.keys().filter(|name| !known(name)).chain(self.counters.keys());
        if let Some(name) = unknown.next() {
            return Err(StateError(format!("`{name}` is unknown")));
        }
        for (name, values) in to {
            if let Some(loaded) = self.buffers.remove(name) {
                *values = loaded;
            }
        }
        Ok(())
    }
}
