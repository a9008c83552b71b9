//! The status of each Workspace and RAGEngine, written when what is live says something new about it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::time::Instant;

use super::inference_sets::Made;
use super::owners::{Failure, Whose};
use super::report::Outcome;
use super::sightings;
use super::unwritten::Unwritten;
use super::worker::Worker;
use super::{Planned, Snapshot};
use crate::apply;
use crate::cluster::{ClusterError, Written};
use crate::conditions::{Cause, Facts, Trouble, is_node_of, is_same, rag_engine_status, workspace_status};
use crate::diff::{Owner, Summary, is_node};
use crate::manifest::ObjectRef;
use crate::reconcile::Workspaces;
use crate::status;

/// The label of nodes with GPUs. Source: Kaito 0.12, `pkg/utils/resources`.
const GPU_LABEL: (&str, &str) = ("accelerator", "nvidia");

/// What is known of the statuses of Workspaces.
#[derive(Default)]
pub(super) struct Statuses {
    /// Those about which there is something new.
    dirty: BTreeSet<Owner>,
    pub(super) asked: BTreeMap<Owner, Asked>,
    /// Those whose status was refused.
    pub(super) unwritten: Unwritten,
    /// What is wrong with what stands for several Workspaces.
    pub(super) faults: BTreeMap<Owner, String>,
}

/// What a Workspace or RAGEngine asks for, as it was planned last.
pub(super) struct Asked {
    uses_own_nodes: bool,
    needs_gpus: bool,
    nodes: u64,
    /// What it was planned from.
    fingerprint: Option<u64>,
    /// The revision that changed it last.
    revision: Option<String>,
    /// The Workspace, where something else is declared that stands for it.
    pub(super) made: Option<Made>,
}

impl Statuses {
    /// There is something new about an owner.
    pub(super) fn stir(&mut self, owner: &Owner) {
        self.dirty.insert(owner.clone());
        // What routes requests is an InferenceSet's by its labels, whoever it is made for.
        if owner.kind == "InferenceSet" {
            self.dirty.insert(Owner { kind: "MultiRoleInference", ..owner.clone() });
        }
    }

    /// What an owner asks for is another thing now, or nothing; what it was. What stands for it may have something new to say.
    fn forget(&mut self, owner: &Owner) -> Option<Asked> {
        let asked = self.asked.remove(owner)?;
        asked.made.iter().flat_map(|made| &made.by).for_each(|set| self.stir(set));
        Some(asked)
    }

    /// The Workspaces that can be planned.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Owner> {
        self.asked.keys().filter(|owner| owner.kind == "Workspace")
    }

    /// Whether there is something new.
    pub(super) fn is_stirred(&self) -> bool {
        !self.dirty.is_empty()
    }
}

impl Worker {
    /// Takes note of what the Workspaces of a pass ask for.
    pub(super) fn note_asked(&mut self, planned: &Planned<'_>, about: &BTreeSet<Whose>, snapshot: &Snapshot, prints: &super::Fingerprints) {
        let session = planned.side.session;
        let context = session.context();
        for owner in about.iter().flatten() {
            self.statuses.stir(owner);
            let plan = planned.side.plan(owner);
            let is_it = |key: (&str, &str)| owner.kind == "RAGEngine" && key == (owner.namespace.as_str(), owner.name.as_str());
            let of_engine =
                || session.rag_engines().find(|engine| is_it(engine.key())).map(|engine| Summary::of_rag_engine(engine, context));
            let before = self.statuses.forget(owner);
            let Some(summary) = plan.map(|plan| Summary::of_plan(plan, context)).or_else(of_engine) else { continue };
            let fingerprint = prints.get(&Some(owner.clone())).copied();
            let (was, made_before) = before.map(|before| ((before.fingerprint, before.revision), before.made)).unzip();
            let revision =
                was.filter(|(before, _)| *before == fingerprint).map_or_else(|| snapshot.revision.clone(), |(_, revision)| revision);
            let is_declared = self.config.settings.workspaces == Workspaces::Declared;
            let made = plan.filter(|_| is_declared).and_then(Made::of);
            let asked = Asked {
                uses_own_nodes: !context.options.node_provisioner.makes_nodes() || summary.instance_type.is_none(),
                needs_gpus: summary.gpus > 0,
                nodes: summary.nodes,
                fingerprint,
                revision,
                made: made.map(|made| made.with_status_of(made_before.flatten())),
            };
            self.statuses.asked.insert(owner.clone(), asked);
        }
    }

    /// Something is new about an object: about whose status that may be.
    pub(super) fn stir(&mut self, reference: &ObjectRef) {
        if reference.kind == "Node" && reference.group.is_empty() {
            self.stir_all();
        } else if let Some(owner) = sightings::declared(reference) {
            self.statuses.stir(&owner);
        } else if let Some(owner) = self.ledger.owner_of(reference).cloned() {
            self.statuses.stir(&owner);
        } else if let Some(Some(owner)) = self.ledger.owner_wanting(reference).cloned() {
            self.statuses.stir(&owner);
        }
    }

    /// Something is new that may be about anybody's status.
    pub(super) fn stir_all(&mut self) {
        let Statuses { dirty, asked, .. } = &mut self.statuses;
        dirty.extend(asked.keys().cloned());
        dirty.extend(self.ledger.references("kaito.sh").filter_map(sightings::declared));
    }

    /// Writes the statuses of those about which there is something new.
    ///
    /// # Errors
    /// The cluster doesn't answer; what was not written is written the next time.
    pub(super) fn write_statuses(&mut self, now: &str) -> Result<(), ClusterError> {
        if !self.following.is_complete() {
            return Ok(());
        }
        let due = self.statuses.unwritten.due(Instant::now());
        self.statuses.dirty.extend(due);
        // Workspaces come before the sets that stand for them, which tell how these are doing.
        while let Some(owner) = self.statuses.dirty.pop_last() {
            // Others tell how theirs are.
            if !self.is_ours(Some(&owner)) {
                continue;
            }
            let written = match owner.kind {
                "InferenceSet" | "MultiRoleInference" => self.write_status_of_set(&owner, now),
                _ => self.write_status(&owner, now),
            };
            match written {
                Ok(true) => self.statuses.unwritten.written(&owner),
                Ok(false) => self.statuses.unwritten.refused(&owner, Instant::now()),
                Err(error) => {
                    self.statuses.dirty.insert(owner);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Writes the status of a Workspace or RAGEngine, and labels its nodes; whether the server took it.
    fn write_status(&mut self, owner: &Owner, now: &str) -> Result<bool, ClusterError> {
        let live = self.ledger.declared(owner);
        let made = || self.statuses.asked.get(owner)?.made.as_ref().map(|made| made.workspace.clone());
        let Some(declared) = live.clone().or_else(made) else {
            self.standing.see_objects(owner, &self.ledger.objects_of(owner));
            return Ok(true);
        };
        let objects = self.objects_of(owner, &declared);
        let is_labelled = self.label_nodes(owner, &objects)?;
        let failure = self.owners.failure(&Some(owner.clone()));
        let asked = self.statuses.asked.get(owner);
        let facts = Facts {
            declared: &declared,
            objects: &objects.iter().collect::<Vec<_>>(),
            uses_own_nodes: asked.map_or_else(|| has_own_nodes(&declared["status"], &objects), |asked| asked.uses_own_nodes),
            needs_gpus: asked.is_none_or(|asked| asked.needs_gpus),
            target_nodes: asked.map(|asked| asked.nodes),
            observed_generation: declared["metadata"]["generation"].as_i64().unwrap_or_default(),
            revision: asked.and_then(|asked| asked.revision.as_deref()),
            trouble: self.trouble.clone().or_else(|| failure.map(trouble)),
            unverified: self.unverified.as_deref(),
            is_suspended: false,
            now,
        };
        let status = if owner.kind == "RAGEngine" { rag_engine_status(&facts) } else { workspace_status(&facts) };
        self.standing.see_status(owner, &status);
        self.keep_status(owner, &status);
        let is_put = live.map_or(Ok(true), |live| self.put_status(owner, &live, &status))?;
        Ok(is_labelled && is_put)
    }

    /// Writes a status, unless it says what is there already; whether the server took it.
    ///
    /// # Errors
    /// The cluster doesn't answer.
    pub(super) fn put_status(&mut self, owner: &Owner, live: &Value, status: &Value) -> Result<bool, ClusterError> {
        if is_same(&live["status"], status) {
            return Ok(true);
        }
        let kinds = self.kinds.get_or_insert_default();
        let written = self.cluster.write_status(kinds, live, status, &self.config.settings.manager)?;
        if let Written::Refused(why) = &written {
            tracing::warn!(set = self.config.name, owner = owner.to_string(), why, "its status can't be written");
        }
        Ok(!matches!(written, Written::Refused(_)))
    }

    /// What is live of a Workspace or RAGEngine: its objects and pods, and the nodes on which it may run.
    fn objects_of(&self, owner: &Owner, workspace: &Value) -> Vec<Value> {
        let mut objects = self.ledger.objects_of(owner);
        objects.retain(|object| !["Workspace", "RAGEngine", "Node"].iter().any(|kind| object["kind"] == *kind));
        objects.extend(self.ledger.nodes().filter(|node| is_node_of(node, workspace)));
        objects
    }

    /// Gives nodes with GPUs the label that Kaito gives them, by which other things find them; whether the server took it.
    fn label_nodes(&mut self, owner: &Owner, objects: &[Value]) -> Result<bool, ClusterError> {
        let (name, value) = GPU_LABEL;
        let lacks_label = |node: &&Value| {
            let gpus = node["status"]["capacity"]["nvidia.com/gpu"].as_str().unwrap_or("0");
            let is_made_for_it = status::owner_of(node).as_ref() == Some(owner);
            node["kind"] == "Node" && is_made_for_it && gpus != "0" && node["metadata"]["labels"][name] != value
        };
        let labels = BTreeMap::from([(name.to_owned(), Some(value.to_owned()))]);
        let mut is_taken = true;
        for node in objects.iter().filter(lacks_label) {
            let kinds = self.kinds.get_or_insert_default();
            let written = self.cluster.annotate(kinds, node, &BTreeMap::new(), &labels, &self.config.settings.manager)?;
            if let Written::Refused(why) = written {
                tracing::warn!(set = self.config.name, node = node["metadata"]["name"].as_str(), why, "it can't be labelled");
                is_taken = false;
            }
        }
        Ok(is_taken)
    }

    /// Takes note of what went wrong, for those whose status tells it.
    pub(super) fn stir_failed(&mut self, outcome: &Outcome) {
        outcome.failures.keys().flatten().for_each(|owner| self.statuses.stir(owner));
    }
}

/// Whether nobody makes nodes for what can't be planned: nothing stands for any, and none was waited for the last time.
fn has_own_nodes(status: &Value, objects: &[Value]) -> bool {
    let waited = status["conditions"].as_array().into_iter().flatten().any(|condition| condition["type"] == "NodeClaimReady");
    !waited && !objects.iter().any(|object| ObjectRef::of(object).is_ok_and(|reference| is_node(&reference)))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_nodes_are_ones_own() {
        let status = |kind: &str| json!({"conditions": [{"type": kind, "status": "False"}]});
        let object = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "phi"}});
        let (claim, set) = (object("karpenter.sh/v1", "NodeClaim"), object("apps/v1", "StatefulSet"));
        let table = [
            (json!(null), vec![], true),
            (status("NodesReady"), vec![set.clone()], true),
            (status("NodeClaimReady"), vec![set.clone()], false),
            (status("NodesReady"), vec![set, claim.clone()], false),
            (json!(null), vec![claim], false),
        ];
        for (status, objects, want) in table {
            assert_eq!(has_own_nodes(&status, &objects), want, "{status} {objects:?}");
        }
    }
}
