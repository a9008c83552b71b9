//! What there is to tell.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

/// What became of a revision, or of what was applied of it.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The set: the kind, namespace and name of its ApplySet.
    pub set: Set,
    /// The source that the set comes from.
    pub source: String,
    /// The revision as Flux writes it: `main@sha1:COMMIT`; none of files that have none, or if it isn't known.
    pub revision: Option<String>,
    /// What happened.
    pub event: Event,
    /// What happened, in one line.
    pub summary: String,
    /// More about it, a line each.
    pub details: Vec<String>,
    /// Whether people want to read it. What only confirms that nothing is new is for commit statuses alone.
    pub is_news: bool,
    /// When.
    pub at: Timestamp,
}

/// An ApplySet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set {
    /// The kind of the object that keeps it, such as `Secret`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The part of it that this is about, such as `0/3`, if several processes share it.
    pub shard: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A revision is applied, and what it has is not ready yet.
    Progressing,
    /// A revision is applied, and all that is known of it is ready.
    Succeeded,
    /// A revision can't be read, rendered or applied.
    Failed,
    /// A revision is applied, and something of it won't become ready without help.
    HealthFailed,
    /// What was applied was changed by somebody else, and is as it was again.
    DriftRepaired,
    /// What is no longer wanted was deleted.
    Pruned,
}

impl Event {
    /// The name as `reason`s of Kubernetes are written.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Progressing => "Progressing",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::HealthFailed => "HealthFailed",
            Self::DriftRepaired => "DriftRepaired",
            Self::Pruned => "Pruned",
        }
    }

    /// Whether it is bad.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::HealthFailed)
    }
}

impl Notice {
    /// The commit that the revision names.
    pub fn commit(&self) -> Option<&str> {
        let (_, commit) = self.revision.as_deref()?.rsplit_once("sha1:")?;
        (commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(commit)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A notice about a commit.
    pub(in crate::notify) fn notice(event: Event, summary: &str) -> Notice {
        Notice {
            set: Set { kind: "Secret".to_owned(), namespace: "models".to_owned(), name: "fleet".to_owned(), shard: None },
            source: "fleet".to_owned(),
            revision: Some("main@sha1:0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655".to_owned()),
            event,
            summary: summary.to_owned(),
            details: vec!["statefulset.apps/phi-4 configured".to_owned()],
            is_news: true,
            at: Timestamp::from_second(1_750_000_000).unwrap(),
        }
    }

    #[test]
    fn commits() {
        let id = "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655";
        let table = [
            (Some(format!("main@sha1:{id}")), Some(id)),
            (Some(format!("v1.0.0@sha1:{id}")), Some(id)),
            (Some(format!("sha1:{id}")), Some(id)),
            (Some(format!("main@sha1:{id}/../../x")), None),
            (Some("main@sha1:0f3c".to_owned()), None),
            (Some("latest".to_owned()), None),
            (None, None),
        ];
        for (revision, want) in table {
            assert_eq!(Notice { revision: revision.clone(), ..notice(Event::Succeeded, "") }.commit(), want, "{revision:?}");
        }
    }
}
