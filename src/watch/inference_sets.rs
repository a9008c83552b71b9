//! The status of what stands for several Workspaces where it is declared in the cluster itself: these are nowhere but here then.

use serde_json::Value;

use super::worker::Worker;
use crate::cluster::ClusterError;
use crate::conditions::{Cause, SetFacts, Trouble, inference_set_status, is_same, multi_role_inference_status};
use crate::diff::{Owner, Side};
use crate::plan::Plan;
use crate::status::SETS;

/// A Workspace that something else stands for.
pub(super) struct Made {
    /// What that is.
    pub by: Vec<Owner>,
    /// As it would be in the cluster, with its status.
    pub workspace: Value,
}

impl Made {
    /// The Workspace of a plan, if something else stands for it.
    pub(super) fn of(plan: &Plan<'_>) -> Option<Self> {
        let (namespace, _) = plan.key();
        let by = SETS.iter().filter_map(|(kind, label)| {
            let name = plan.workspace.label(label)?.into();
            Some(Owner { kind, namespace: namespace.into(), name })
        });
        let by: Vec<Owner> = by.collect();
        (!by.is_empty()).then(|| Self { by, workspace: plan.declared() })
    }

    /// The same with the status that it had before.
    pub(super) fn with_status_of(mut self, before: Option<Self>) -> Self {
        if let Some(mut before) = before {
            self.workspace["status"] = before.workspace["status"].take();
        }
        self
    }
}

impl Worker {
    /// Takes note of what is wrong with what stands for several Workspaces.
    pub(super) fn note_sets(&mut self, side: &Side<'_>) {
        let sets = side.owners().into_iter().filter(|owner| SETS.iter().any(|(kind, _)| owner.kind == *kind));
        let faults = sets.filter_map(|set| side.findings_about(&set).next().map(|finding| (set.clone(), finding.line()))).collect();
        let before = std::mem::replace(&mut self.statuses.faults, faults);
        let now = &self.statuses.faults;
        let is_news = |set: &&Owner| before.get(*set) != now.get(*set);
        let news: Vec<Owner> = before.keys().chain(now.keys()).filter(is_news).cloned().collect();
        news.iter().for_each(|set| self.statuses.stir(set));
    }

    /// Keeps the status of a Workspace that something else stands for, and has that look at it.
    pub(super) fn keep_status(&mut self, owner: &Owner, status: &Value) {
        let Some(made) = self.statuses.asked.get_mut(owner).and_then(|asked| asked.made.as_mut()) else { return };
        if is_same(&made.workspace["status"], status) {
            return;
        }
        made.workspace["status"] = status.clone();
        made.by.clone().iter().for_each(|set| self.statuses.stir(set));
    }

    /// Writes the status of what stands for several Workspaces, if the cluster has it; whether the server took it.
    ///
    /// # Errors
    /// The cluster doesn't answer.
    pub(super) fn write_status_of_set(&mut self, owner: &Owner, now: &str) -> Result<bool, ClusterError> {
        let Some(declared) = self.ledger.declared(owner) else { return Ok(true) };
        let made = self.statuses.asked.values().filter_map(|asked| asked.made.as_ref());
        let workspaces: Vec<&Value> = made.filter(|made| made.by.contains(owner)).map(|made| &made.workspace).collect();
        let routing = self.ledger.wanted_by(owner);
        let fault = |message: &String| Trouble { cause: Cause::Invalid, message: message.clone(), helps_to_retry: false };
        let facts = SetFacts {
            declared: &declared,
            workspaces: &workspaces,
            objects: &routing.iter().collect::<Vec<_>>(),
            observed_generation: declared["metadata"]["generation"].as_i64().unwrap_or_default(),
            trouble: self.trouble.clone().or_else(|| self.statuses.faults.get(owner).map(fault)),
            unverified: self.unverified.as_deref(),
            is_suspended: false,
            now,
        };
        let status = if owner.kind == "InferenceSet" { inference_set_status(&facts) } else { multi_role_inference_status(&facts) };
        self.put_status(owner, &declared, &status)
    }
}
