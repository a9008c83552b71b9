//! What is told to people by events: on the Workspace that it is about, or on what keeps the set.

use serde_json::json;

use super::Snapshot;
use super::owners::Whose;
use super::report::{Outcome, Repaired};
use super::worker::Worker;
use crate::cluster::{Event, EventType};
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::source::Pushed;

impl Worker {
    /// A pass was made.
    pub(super) fn tell(&mut self, snapshot: &Snapshot, outcome: Outcome) {
        self.standing.note(&outcome);
        let at = snapshot.revision.as_deref().map_or_else(String::new, |revision| format!(" at {revision}"));
        let Outcome { lines, failures, pruned, remarks, unlisted, prune_refused, repaired, given_way, .. } = outcome;
        let is_repaired = |owner: &Whose| repaired.iter().any(|repaired| repaired.owner == *owner);
        for (owner, lines) in lines.iter().filter(|(owner, _)| !is_repaired(owner)) {
            self.publish(owner, (EventType::Normal, "Applied", "Apply"), format!("{}{at}", lines.join(", ")));
        }
        // Who is given way to is told when that begins.
        for (owner, failure) in failures.iter().filter(|(_, failure)| failure.cause != Cause::Fight) {
            let note = [std::slice::from_ref(&failure.finding.message), &failure.finding.help].concat().join("; ");
            self.publish(owner, (EventType::Warning, failure.cause.reason(), "Apply"), note);
        }
        if !pruned.is_empty() {
            let names: Vec<String> = pruned.iter().map(ToString::to_string).collect();
            self.publish(&None, (EventType::Normal, "Pruned", "Prune"), format!("{}{at}", names.join(", ")));
        }
        self.tell_unlisted(&unlisted);
        for finding in remarks.iter().chain(&prune_refused) {
            self.publish(&None, (EventType::Warning, "NotPruned", "Prune"), finding.message.clone());
        }
        for repaired in repaired {
            self.tell_repaired(&repaired);
        }
        for (owner, words) in given_way {
            tracing::warn!(set = self.config.name, owner = owner.as_ref().map(ToString::to_string), fight = words, "two fight over fields");
            self.publish(&owner, (EventType::Warning, Cause::Fight.reason(), "Repair"), words);
        }
    }

    /// What may not be listed of the set; that is told when it is another than before.
    fn tell_unlisted(&mut self, unlisted: &[Diagnostic]) {
        let told: Vec<String> = unlisted.iter().map(|finding| finding.message.clone()).collect();
        for finding in unlisted.iter().filter(|finding| !self.standing.unlisted.contains(&finding.message)) {
            tracing::warn!(set = self.config.name, why = finding.message, help = finding.help.join("; "), "not all may be read");
            self.publish(&None, (EventType::Warning, "NotPruned", "Prune"), finding.message.clone());
        }
        if told.is_empty() && !self.standing.unlisted.is_empty() {
            tracing::info!(set = self.config.name, "all may be read again");
        }
        self.standing.unlisted = told;
    }

    /// An object was other than it was left: who has changed what.
    fn tell_repaired(&mut self, repaired: &Repaired) {
        let Repaired { owner, drift: Some(drift), .. } = repaired else { return };
        let words = drift.to_string();
        tracing::warn!(set = self.config.name, owner = owner.as_ref().map(ToString::to_string), drift = words, "drift is put right");
        self.publish(owner, (EventType::Warning, "DriftRepaired", "Repair"), format!("{words}; it is put right"));
        self.standing.repaired(words);
    }

    /// What the files are rendered to was committed to a branch, or not.
    pub(super) fn pushed(&mut self, result: Result<Pushed, Diagnostic>) {
        match &result {
            Ok(pushed) if pushed.is_new => {
                self.publish(&None, (EventType::Normal, "Pushed", "Push"), format!("the manifests are in commit {}", pushed.commit));
            }
            Ok(_) => {}
            Err(finding) => {
                let note = [std::slice::from_ref(&finding.message), &finding.help].concat().join("; ");
                self.publish(&None, (EventType::Warning, "PushFailed", "Push"), note);
            }
        }
        self.standing.unpushed = result.err();
    }

    /// Tells something on a Workspace, if it is there, or else on what keeps the set.
    pub(super) fn publish(&self, owner: &Whose, (kind, reason, action): (EventType, &'static str, &'static str), note: String) {
        let declared = owner.as_ref().and_then(|owner| self.ledger.declared(owner));
        let parent = &self.config.parent;
        let seen = declared.or_else(|| self.ledger.get(&parent.reference()));
        let regarding = seen.unwrap_or_else(|| {
            let metadata = json!({"name": parent.name, "namespace": parent.namespace});
            json!({"apiVersion": "v1", "kind": parent.kind.name(), "metadata": metadata})
        });
        self.config.events.publish(&regarding, Event { kind, reason, action, note });
    }
}
