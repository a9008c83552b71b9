//! Artifacts that others fetch: the newest of each name, and some before it, for who is about to fetch one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;

/// How many of a name are kept.
const KEPT: usize = 3;

/// Artifacts, by path. Clones are the same.
#[derive(Clone, Default)]
pub struct Artifacts(Arc<Mutex<ByName>>);

/// The artifacts of each name with their paths, the oldest first.
type ByName = BTreeMap<String, Vec<(String, Bytes)>>;

impl Artifacts {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps an artifact of a name under a path, and forgets the oldest.
    pub fn publish(&self, name: &str, path: &str, bytes: Vec<u8>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(name.to_owned()).or_default();
        own.retain(|(known, _)| known != path);
        own.push((path.to_owned(), Bytes::from(bytes)));
        let old = own.len().saturating_sub(KEPT);
        own.drain(..old);
    }

    /// Forgets all of a name.
    pub fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// What is at a path.
    pub(super) fn get(&self, path: &str) -> Option<Bytes> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().flatten().find(|(known, _)| known == path).map(|(_, bytes)| bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ones_go() {
        let artifacts = Artifacts::new();
        for path in ["a/1", "a/2", "a/3", "a/1", "a/4"] {
            artifacts.publish("a", path, path.into());
        }
        artifacts.publish("b", "b/1", Vec::new());
        let there: Vec<&str> = ["a/1", "a/2", "a/3", "a/4", "b/1"].into_iter().filter(|path| artifacts.get(path).is_some()).collect();
        assert_eq!(there, ["a/1", "a/3", "a/4", "b/1"]);
        artifacts.forget("a");
        assert!(artifacts.get("a/4").is_none() && artifacts.get("b/1").is_some());
    }
}
