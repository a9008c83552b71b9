//! The status of each Workspace, written when what is live says something new about it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::owners::{Failure, Whose};
use super::report::Outcome;
use super::worker::Worker;
use super::{Planned, Snapshot};
use crate::apply;
use crate::cluster::{ClusterError, Written};
use crate::conditions::{Cause, Facts, Trouble, is_node_of, is_same, workspace_status};
use crate::diff::{Owner, Summary};
use crate::manifest::ObjectRef;
use crate::status;

/// The label of nodes with GPUs. Source: Kaito 0.12, `pkg/utils/resources`.
const GPU_LABEL: (&str, &str) = ("accelerator", "nvidia");

/// What is known of the statuses of Workspaces.
#[derive(Default)]
pub(super) struct Statuses {
    /// Those about which there is something new.
    dirty: BTreeSet<Owner>,
    asked: BTreeMap<Owner, Asked>,
}

/// What a Workspace asks for, as it was planned last.
#[derive(Clone)]
struct Asked {
    uses_own_nodes: bool,
    needs_gpus: bool,
    nodes: u64,
    /// What it was planned from.
    fingerprint: Option<u64>,
    /// The revision that changed it last.
    revision: Option<String>,
}

impl Statuses {
    /// There is something new about an owner.
    pub(super) fn stir(&mut self, owner: &Owner) {
        if owner.kind == "Workspace" {
            self.dirty.insert(owner.clone());
        }
    }

    /// There is something new about a node, which may be anybody's.
    pub(super) fn stir_all(&mut self) {
        self.dirty.extend(self.asked.keys().cloned());
    }

    /// The Workspaces that can be planned.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Owner> {
        self.asked.keys()
    }

    /// Whether there is something new.
    pub(super) fn is_stirred(&self) -> bool {
        !self.dirty.is_empty()
    }
}

impl Worker {
    /// Takes note of what the Workspaces of a pass ask for.
    pub(super) fn note_asked(&mut self, planned: &Planned<'_>, about: &BTreeSet<Whose>, snapshot: &Snapshot, prints: &super::Fingerprints) {
        let context = planned.side.session.context();
        for owner in about.iter().flatten() {
            self.statuses.stir(owner);
            let Some(plan) = planned.side.plan(owner) else {
                self.statuses.asked.remove(owner);
                continue;
            };
            let summary = Summary::of_plan(plan, context);
            let fingerprint = prints.get(&Some(owner.clone())).copied();
            let before = self.statuses.asked.get(owner).filter(|asked| asked.fingerprint == fingerprint);
            let revision = before.map_or_else(|| snapshot.revision.clone(), |asked| asked.revision.clone());
            let asked = Asked {
                uses_own_nodes: !context.options.node_provisioner.makes_nodes() || summary.instance_type.is_none(),
                needs_gpus: summary.gpus > 0,
                nodes: summary.nodes,
                fingerprint,
                revision,
            };
            self.statuses.asked.insert(owner.clone(), asked);
        }
    }

    /// Something is new about an object: about whose status that may be.
    pub(super) fn stir(&mut self, reference: &ObjectRef) {
        if reference.kind == "Node" && reference.group.is_empty() {
            self.statuses.stir_all();
            return;
        }
        let wanting = || self.ledger.owner_wanting(reference).and_then(Option::as_ref);
        let owner = self.ledger.owner_of(reference).or_else(wanting).filter(|owner| self.is_ours(Some(owner))).cloned();
        if let Some(owner) = owner {
            self.statuses.stir(&owner);
        }
    }

    /// Writes the statuses of those about which there is something new.
    ///
    /// # Errors
    /// The cluster doesn't answer; what was not written is written the next time.
    pub(super) fn write_statuses(&mut self, now: &str) -> Result<(), ClusterError> {
        if !self.following.is_complete() {
            return Ok(());
        }
        while let Some(owner) = self.statuses.dirty.first().cloned() {
            self.write_status(&owner, now)?;
            self.statuses.dirty.remove(&owner);
        }
        Ok(())
    }

    fn write_status(&mut self, owner: &Owner, now: &str) -> Result<(), ClusterError> {
        let Some(workspace) = self.ledger.declared(owner) else {
            self.standing.see_objects(owner, &self.ledger.objects_of(owner));
            return Ok(());
        };
        let objects = self.objects_of(owner, &workspace);
        self.label_nodes(owner, &objects)?;
        let failure = self.owners.failure(&Some(owner.clone()));
        let asked = self.statuses.asked.get(owner);
        let facts = Facts {
            declared: &workspace,
            objects: &objects.iter().collect::<Vec<_>>(),
            uses_own_nodes: asked.is_some_and(|asked| asked.uses_own_nodes),
            needs_gpus: asked.is_none_or(|asked| asked.needs_gpus),
            target_nodes: asked.map(|asked| asked.nodes),
            observed_generation: workspace["metadata"]["generation"].as_i64().unwrap_or_default(),
            revision: asked.and_then(|asked| asked.revision.as_deref()),
            trouble: failure.map(trouble),
            is_suspended: false,
            now,
        };
        let status = workspace_status(&facts);
        self.standing.see_status(owner, &status);
        if is_same(&workspace["status"], &status) {
            return Ok(());
        }
        let kinds = self.kinds.get_or_insert_default();
        if let Written::Refused(why) = self.cluster.write_status(kinds, &workspace, &status, &self.config.settings.manager)? {
            tracing::warn!(set = self.config.name, owner = owner.to_string(), why, "its status can't be written");
        }
        Ok(())
    }

    /// What is live of a Workspace: its objects and pods, and the nodes on which it may run.
    fn objects_of(&self, owner: &Owner, workspace: &Value) -> Vec<Value> {
        let mut objects = self.ledger.objects_of(owner);
        objects.retain(|object| object["kind"] != "Workspace" && object["kind"] != "Node");
        objects.extend(self.ledger.nodes().filter(|node| is_node_of(node, workspace)));
        objects
    }

    /// Gives nodes with GPUs the label that Kaito gives them, by which other things find them.
    fn label_nodes(&mut self, owner: &Owner, objects: &[Value]) -> Result<(), ClusterError> {
        let (name, value) = GPU_LABEL;
        let lacks_label = |node: &&Value| {
            let gpus = node["status"]["capacity"]["nvidia.com/gpu"].as_str().unwrap_or("0");
            let is_made_for_it = status::owner_of(node).as_ref() == Some(owner);
            node["kind"] == "Node" && is_made_for_it && gpus != "0" && node["metadata"]["labels"][name] != value
        };
        let labels = BTreeMap::from([(name.to_owned(), Some(value.to_owned()))]);
        for node in objects.iter().filter(lacks_label) {
            let kinds = self.kinds.get_or_insert_default();
            let written = self.cluster.annotate(kinds, node, &BTreeMap::new(), &labels, &self.config.settings.manager)?;
            if let Written::Refused(why) = written {
                tracing::warn!(set = self.config.name, node = node["metadata"]["name"].as_str(), why, "it can't be labelled");
            }
        }
        Ok(())
    }

    /// Takes note of what went wrong, for those whose status tells it.
    pub(super) fn stir_failed(&mut self, outcome: &Outcome) {
        outcome.failures.keys().flatten().for_each(|owner| self.statuses.stir(owner));
    }
}

/// What went wrong, as a status tells it.
fn trouble(failure: &Failure) -> Trouble {
    Trouble { cause: failure.cause, message: failure.finding.line(), helps_to_retry: !failure.is_final }
}

/// What kind of thing an object was not applied for.
pub(super) fn cause(failure: &apply::Failure) -> Cause {
    match failure {
        apply::Failure::Conflicts(_) => Cause::Conflict,
        apply::Failure::Immutable(_) | apply::Failure::Refused(_) => Cause::Refused,
        apply::Failure::Stuck(_) => Cause::Failed,
    }
}
