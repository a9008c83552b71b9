//! What is found, and the conditions that it is written as.

use serde_json::{Value, json};

/// One thing that is found to hold or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The type of its condition.
    pub(super) kind: &'static str,
    /// How it looks.
    pub(super) outlook: Outlook,
    /// Why, in one word for programs.
    pub(super) reason: String,
    /// Why, in words for people.
    pub(super) message: String,
}

/// How it looks with something that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outlook {
    /// It is there.
    There,
    /// It is on its way.
    Coming,
    /// Something is wrong that may yet right itself.
    Stuck,
    /// Waiting doesn't help.
    Failed,
}

impl Part {
    pub(super) fn new(kind: &'static str, outlook: Outlook, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, outlook, reason: reason.into(), message: message.into() }
    }

    pub(super) fn is_there(&self) -> bool {
        self.outlook == Outlook::There
    }

    /// The same as the condition of another type.
    pub(super) fn called(&self, kind: &'static str) -> Self {
        Self { kind, ..self.clone() }
    }

    fn condition(&self, old: Option<&Value>, generation: i64, now: &str) -> Value {
        let status = if self.is_there() { "True" } else { "False" };
        let since = old.filter(|old| old["status"] == status).and_then(|old| old["lastTransitionTime"].as_str());
        json!({
            "type": self.kind,
            "status": status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": since.unwrap_or(now),
            "observedGeneration": generation,
        })
    }
}

/// The conditions of a status: these parts, and those of the old conditions that are of none of `ours`; by type. The time of a condition is
/// that at which its status changed.
pub(super) fn conditions(old: &Value, ours: &[&str], parts: &[Part], generation: i64, now: &str) -> Value {
    let old: &[Value] = old["conditions"].as_array().map_or(&[], Vec::as_slice);
    let kind = |condition: &Value| condition["type"].as_str().unwrap_or_default().to_owned();
    let of_others = old.iter().filter(|condition| !ours.contains(&kind(condition).as_str())).cloned();
    let written = parts.iter().map(|part| part.condition(old.iter().find(|old| old["type"] == part.kind), generation, now));
    let mut all: Vec<Value> = of_others.chain(written).collect();
    all.sort_by_key(kind);
    all.into()
}

/// A reason of somebody else's, if a condition may have it.
pub(super) fn reason(text: &str) -> Option<&str> {
    let is_begun = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_ended = text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let is_made = text.chars().all(|c| c.is_ascii_alphanumeric() || "_,:".contains(c));
    (is_begun && is_ended && is_made && text.len() <= 1024).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_what_a_condition_may_have() {
        let table = [("LaunchFailed", true), ("a", true), ("A1:b,c_", true), ("", false), ("1a", false), ("a b", false), ("a:", false)];
        for (text, want) in table {
            assert_eq!(reason(text).is_some(), want, "{text:?}");
        }
    }
}
