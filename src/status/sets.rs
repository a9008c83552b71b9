//! The sets that objects are part of, and the revisions that were applied.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::health::line;
use crate::inventory;
use crate::manifest::ObjectRef;

/// How many digits of a commit are shown, as git does.
const DIGITS: usize = 7;

/// What keeps a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// The object.
    pub parent: ObjectRef,
    /// The revision of git that was applied last, if it came from git.
    pub revision: Option<String>,
}

/// What keeps sets, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets(BTreeMap<String, Keeper>);

impl Sets {
    /// The sets that live objects keep.
    pub fn of(parents: &[Value]) -> Self {
        let keeper = |live: &Value| {
            let (id, revision) = inventory::kept(live)?;
            Some((id.to_owned(), Keeper { parent: ObjectRef::of(live).ok()?, revision: revision.map(ToOwned::to_owned) }))
        };
        Self(parents.iter().filter_map(keeper).collect())
    }

    /// What keeps a set, if that could be found.
    pub fn keeper(&self, id: &str) -> Option<&Keeper> {
        self.0.get(id)
    }

    /// The revisions of these sets, as people read them.
    pub(super) fn revisions(&self, ids: &BTreeSet<String>) -> Option<String> {
        let known: BTreeSet<String> = ids.iter().filter_map(|id| self.keeper(id)?.short_revision()).collect();
        (!known.is_empty()).then(|| known.into_iter().collect::<Vec<_>>().join(","))
    }
}

impl Keeper {
    /// The revision with as much of the commit as people need: `main@sha1:0123456`.
    pub fn short_revision(&self) -> Option<String> {
        self.revision.as_deref().map(short)
    }
}

fn short(revision: &str) -> String {
    let start = revision.rfind(':').map_or(0, |colon| colon + 1);
    let commit = &revision[start..];
    let digits = commit.bytes().take_while(u8::is_ascii_hexdigit).count();
    let is_commit = [40, 64].contains(&digits);
    line(&if is_commit { format!("{}{}{}", &revision[..start], &commit[..DIGITS], &commit[digits..]) } else { revision.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_shortened() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let table = [
            (format!("main@sha1:{commit}"), "main@sha1:0123456"),
            (format!("sha1:{commit}"), "sha1:0123456"),
            (commit.to_owned(), "0123456"),
            (format!("main@sha1:{commit}-dirty"), "main@sha1:0123456-dirty"),
            (format!("main@sha256:{commit}{}", &commit[..24]), "main@sha256:0123456"),
            ("v1.2.3".to_owned(), "v1.2.3"),
            ("a\u{1b}[2Jb".to_owned(), "a [2Jb"),
            ("main@sha1:é".to_owned(), "main@sha1:é"),
            (String::new(), ""),
        ];
        for (revision, want) in table {
            assert_eq!(short(&revision), want, "{revision:?}");
        }
    }
}
