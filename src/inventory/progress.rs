//! How far each of several processes has come that share a set, as an annotation of its parent.

use std::collections::BTreeMap;

use crate::shard::Shard;

/// What each shard has applied whole: a revision of git; nothing of files that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress(BTreeMap<Shard, String>);

impl Progress {
    /// Reads the annotation. What can't be read is forgotten: each shard says it again.
    pub(super) fn read(text: &str) -> Self {
        let entries: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
        Self(entries.into_iter().filter_map(|(shard, applied)| Some((shard.parse().ok()?, applied))).collect())
    }

    /// The annotation; none if nobody shares the set.
    pub(super) fn text(&self) -> Option<String> {
        let entries: BTreeMap<String, &String> = self.0.iter().map(|(shard, applied)| (shard.to_string(), applied)).collect();
        serde_json::to_string(&entries).ok().filter(|_| !self.0.is_empty())
    }

    /// A shard has applied something whole; whether all of them have now. Without shards it always is so. What is known of another
    /// number of shards is forgotten.
    pub fn note(&mut self, shard: Option<Shard>, applied: &str) -> bool {
        let Some(shard) = shard else {
            self.0.clear();
            return true;
        };
        self.0.insert(shard, applied.to_owned());
        let all: Vec<Shard> = shard.all().collect();
        self.0.retain(|known, _| all.contains(known));
        all.iter().all(|other| self.0.get(other).is_some_and(|known| known == applied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_applied_when_all_have_applied_it() {
        let mut progress = Progress::default();
        let steps = [
            (Some("0/2"), "a", false, Some(r#"{"0/2":"a"}"#)),
            (Some("1/2"), "a", true, Some(r#"{"0/2":"a","1/2":"a"}"#)),
            (Some("1/2"), "b", false, Some(r#"{"0/2":"a","1/2":"b"}"#)),
            (Some("0/2"), "b", true, Some(r#"{"0/2":"b","1/2":"b"}"#)),
            // There are three now.
            (Some("2/3"), "b", false, Some(r#"{"2/3":"b"}"#)),
            (Some("0/3"), "b", false, Some(r#"{"0/3":"b","2/3":"b"}"#)),
            (Some("1/3"), "b", true, Some(r#"{"0/3":"b","1/3":"b","2/3":"b"}"#)),
            (None, "b", true, None),
        ];
        for (shard, applied, is_whole, text) in steps {
            let shard = shard.map(|shard| shard.parse().unwrap());
            assert_eq!(progress.note(shard, applied), is_whole, "{shard:?} {applied}");
            assert_eq!(progress.text().as_deref(), text);
            assert_eq!(Progress::read(&progress.text().unwrap_or_default()), progress);
        }
        assert_eq!(Progress::read(r#"{"5/3":"a"}"#), Progress::default());
    }
}
