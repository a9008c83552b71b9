//! Which of several processes looks after which Workspaces of a set.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::diff::Owner;

/// The most shards.
const MOST: u32 = 1000;

/// One of so many processes that share the work of a set. Each owner is in one shard, which its name alone decides: whoever asks, and
/// whenever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Its number; the first is 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// The Lease by which its replicas agree which one works, beside those of other shards. It is the same however many shards there are,
    /// so that who takes over a number waits for who had it.
    pub fn lease(self, name: &str) -> String {
        format!("{name}-shard-{}", self.index)
    }

    /// All shards of as many.
    pub fn all(self) -> impl Iterator<Item = Self> {
        (0..self.count).map(move |index| Self { index, ..self })
    }

    /// Whether this is the shard of what belongs to an owner; what belongs to nobody is in the first one.
    pub fn has(self, owner: Option<&Owner>) -> bool {
        owner.map_or(0, |owner| number(owner) % self.count) == self.index
    }
}

/// A number that spreads owners evenly, and is the same in every version.
fn number(owner: &Owner) -> u32 {
    let digest = Sha256::digest(format!("{}/{}/{}", owner.kind, owner.namespace, owner.name));
    digest.first_chunk().copied().map(u32::from_be_bytes).unwrap_or_default()
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if index < count && count <= MOST => Ok(Self { index, count }),
            _ => Err(format!("{text:?} is no shard: write 0/3, 1/3 and 2/3 for three of them, of {MOST} at most")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    #[test]
    fn shards_are_numbered_from_nothing() {
        for (text, is_one) in [
            ("0/1", true),
            ("2/3", true),
            ("3/3", false),
            ("0/0", false),
            ("-1/3", false),
            ("1", false),
            ("a/b", false),
            ("999/1000", true),
            ("0/1001", false),
        ] {
            let read = text.parse::<Shard>();
            assert_eq!(read.is_ok(), is_one, "{text}");
            assert!(read.is_err() || read.unwrap().to_string() == text);
        }
    }

    #[test]
    fn everybody_is_in_one_shard_and_always_in_the_same() {
        let owner = |name: String| Owner { kind: "Workspace", namespace: "models".into(), name: name.into() };
        let owners: Vec<Owner> = (0..300).map(|number| owner(format!("w{number}"))).collect();
        for count in [1, 2, 3, 7] {
            let first = shard(&format!("0/{count}"));
            for owner in &owners {
                assert_eq!(first.all().filter(|shard| shard.has(Some(owner))).count(), 1);
            }
            let sizes: Vec<usize> = first.all().map(|shard| owners.iter().filter(|owner| shard.has(Some(owner))).count()).collect();
            let even = 300 / count;
            assert!(sizes.iter().all(|size| *size > even / 2 && *size < even * 2), "{sizes:?}");
            assert_eq!(first.all().map(|shard| shard.has(None)).filter(|has| *has).count(), 1);
            assert!(first.has(None));
        }
        // Another version must come to the same.
        assert_eq!(
            number(&owner("phi-4".to_owned())),
            u32::from_be_bytes(Sha256::digest("Workspace/models/phi-4")[..4].try_into().unwrap())
        );
    }
}
