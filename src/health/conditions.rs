//! The conditions of an object, whatever stands in their place.

use serde_json::Value;

use super::{Health, generation, text, unseen};

/// A condition as somebody's controller wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    /// `Error`, `Warning` or `Info`, where Cluster API and Azure Service Operator say so.
    pub(crate) severity: &'a str,
    observed_generation: Option<i64>,
}

impl<'a> Condition<'a> {
    /// The condition of a type.
    pub(crate) fn find(object: &'a Value, kind: &str) -> Option<Self> {
        let mut conditions = object["status"]["conditions"].as_array()?.iter();
        conditions.find(|condition| condition["type"] == kind).map(Self::read)
    }

    /// The first condition that is there and doesn't hold, in the order of the types.
    pub(super) fn first_unmet(object: &'a Value, kinds: &[&str]) -> Option<Self> {
        kinds.iter().filter_map(|kind| Self::find(object, kind)).find(|condition| !condition.is_true())
    }

    fn read(condition: &'a Value) -> Self {
        let text = |name: &str| condition[name].as_str().unwrap_or_default();
        Self {
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
            severity: text("severity"),
            observed_generation: condition["observedGeneration"].as_i64(),
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        self.status == "True"
    }

    pub(crate) fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// Whether it speaks of an earlier state of what is declared. Who doesn't say of which one speaks of this one.
    pub(super) fn is_stale(&self, object: &Value) -> bool {
        matches!((self.observed_generation, generation(object)), (Some(observed), Some(generation)) if observed != generation)
    }

    /// What it says: its message, with the reason if that is news.
    pub(super) fn said(&self) -> String {
        let Self { kind, status, reason, .. } = *self;
        let is_news = !PLAIN.contains(&reason) && reason.strip_prefix("Not") != Some(kind);
        text::told(self.message, if is_news { reason } else { "" }, &format!("{kind} is {status}"))
    }

    /// Whether its reason tells of something that is wrong, as far as names of reasons go: `InstallFailed`, `GetError`.
    pub(super) fn tells_trouble(&self) -> bool {
        const ENDS: [&str; 10] =
            ["UnhealthyDependents", "Failed", "Error", "NotFound", "Failure", "Exceeded", "Invalid", "Denied", "Unauthorized", "Forbidden"];
        const STARTS: [&str; 4] = ["Invalid", "Failed", "Insufficient", "Unauthorized"];
        ENDS.iter().any(|end| self.reason.ends_with(end)) || STARTS.iter().any(|start| self.reason.starts_with(start))
    }

    /// What it says of the object, if it is the one that sums up.
    pub(super) fn health(&self, object: &Value) -> Health {
        match self.status {
            _ if self.is_stale(object) => unseen(),
            "True" => Health::current("ready"),
            _ => Health::on_its_way(self.tells_trouble(), self.said()),
        }
    }
}

/// Reasons that say no more than that a condition doesn't hold.
const PLAIN: [&str; 8] = [
    "Unknown",
    "Progressing",
    "Reconciling",
    "AwaitingReconciliation",
    "UnhealthyDependents",
    "MinimumReplicasUnavailable",
    "workspaceFailed",
    "workspacePending",
];

/// What is said of pods that can't be made: no more than the words of the API server tell what is final.
pub(super) fn pods_refused(condition: &Condition) -> Health {
    let message = text::because("no pods can be made", condition.reason, condition.message);
    let is_final = ["exceeded quota", "violates PodSecurity", "is invalid"].iter().any(|words| condition.message.contains(words));
    if is_final { Health::failed(message) } else { Health::stuck(message) }
}
