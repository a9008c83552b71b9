//! Which deliveries were heard already. Providers send again what was not answered in time.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

/// How many are remembered.
const MOST: usize = 1024;

/// The last deliveries, by their hashes: whoever names them doesn't choose how much memory they take.
#[derive(Default)]
pub(super) struct Deliveries(VecDeque<[u8; 32]>);

impl Deliveries {
    /// Whether a receiver never had this delivery, which from now on it had.
    pub(super) fn is_new(&mut self, receiver: &str, delivery: &str) -> bool {
        let hash = Sha256::new().chain_update(receiver).chain_update("/").chain_update(delivery).finalize().into();
        if self.0.contains(&hash) {
            return false;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered() {
        let mut deliveries = Deliveries::default();
        assert!(deliveries.is_new("a", "1") && !deliveries.is_new("a", "1"), "the same is not new");
        assert!(deliveries.is_new("b", "1"), "another receiver has deliveries of its own");
        for number in 0..MOST {
            assert!(deliveries.is_new("c", &number.to_string()));
        }
        assert_eq!(deliveries.0.len(), MOST);
        assert!(deliveries.is_new("a", "1"), "so long ago that it is forgotten");
        assert!(!deliveries.is_new("c", "1000"));
    }
}
