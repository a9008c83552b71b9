//! How Workspaces are doing, from the live objects that they stand for: nodes, then pods, then everything.
//!
//! [`searches`] says which objects to look for, [`rows`] what they add up to. The rest shows it: [`cells`] as lines of a table,
//! [`list`] as JSON, [`tree()`] what Workspaces are made of.

mod age;
mod json;
mod search;
mod sets;
mod table;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::diff::{Owner, is_node};
use crate::health::{Health, Status, health};
use crate::inventory::{self, GroupKind};
use crate::manifest::ObjectRef;
use crate::spec::names;

pub use age::age;
pub use json::{item, list};
pub use search::{Breadth, Search, searches, tells_health};
pub use sets::{Keeper, Sets};
pub use table::{View, cells, head};
pub use tree::{Branch, Role, node_names, tree, tree_json, tree_lines};

/// Whose an object may be, and the labels that name it and its namespace.
const OWNERS: [(&str, &str, &str); 2] = [
    ("Workspace", "kaito.sh/workspace", "kaito.sh/workspacenamespace"),
    ("RAGEngine", "kaito.sh/ragengine", "kaito.sh/ragenginenamespace"),
];

/// The sets that stand for Workspaces, and the labels by which these, and what they share, name them; the outer set first.
pub const SETS: [(&str, &str); 2] =
    [("MultiRoleInference", names::MULTI_ROLE_CREATED_BY), ("InferenceSet", names::INFERENCE_SET_CREATED_BY)];

/// How a Workspace or RAGEngine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which it is.
    pub owner: Owner,
    /// The size of its nodes, if it has nodes of its own.
    pub instance_type: Option<String>,
    /// Its nodes.
    pub nodes: Progress,
    /// Its pods.
    pub pods: Progress,
    /// Whether its nodes are ready, which it is if it has none of its own; `None` if that can't be told.
    pub resource_ready: Option<bool>,
    /// Whether what it runs is ready, or of a tuning, whether it is done; `None` if that can't be told.
    pub inference_ready: Option<bool>,
    /// How it is doing as a whole: as the worst of its objects.
    pub health: Health,
    /// The object that [`Row::health`] is about.
    pub about: Option<ObjectRef>,
    /// When the oldest of its objects was made, as the server writes it.
    pub created: Option<String>,
    /// The ids of the sets that its objects are part of.
    pub sets: BTreeSet<String>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many are ready.
    pub ready: u64,
    /// How many there should be.
    pub wanted: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wanted == 0 { f.write_str("-") } else { write!(f, "{}/{}", self.ready, self.wanted) }
    }
}

impl Row {
    /// Whether everything is as it was declared.
    pub fn is_ready(&self) -> bool {
        self.health.status == Status::Current
    }

    /// The row of a Workspace of which nothing is known but what was seen. Of kinds that could not be read, more may be there.
    #[must_use]
    pub fn surveyed(mut self, unread: &[GroupKind]) -> Self {
        let has = |is: fn(&ObjectRef) -> bool| unread.iter().any(|kind| is(&ObjectRef::new(&kind.group, &kind.kind, None, "")));
        self.resource_ready = self.resource_ready.filter(|_| self.nodes.wanted > 0 || !has(is_node));
        self.inference_ready = self.inference_ready.filter(|_| self.pods.wanted > 0 || !has(is_workload));
        // It has no use as long as nothing runs.
        if self.is_ready() && self.inference_ready != Some(true) {
            (self.health, self.about) = (nothing_runs(), None);
        }
        self
    }

    /// What people call it: the name of a Workspace, `ragengine/NAME`.
    pub fn name(&self) -> String {
        let Owner { kind, name, .. } = &self.owner;
        if *kind == OWNERS[0].0 { name.to_string() } else { format!("{}/{name}", kind.to_lowercase()) }
    }
}

/// The Workspace or RAGEngine that a live object belongs to, by its labels, or that it is.
pub fn owner_of(object: &Value) -> Option<Owner> {
    owner_in(object, object["metadata"]["namespace"].as_str())
}

fn owner_in(object: &Value, place: Option<&str>) -> Option<Owner> {
    let (metadata, labels) = (&object["metadata"], &object["metadata"]["labels"]);
    if let Some((kind, ..)) = OWNERS.into_iter().find(|(kind, ..)| is_declared(object) && object["kind"] == *kind) {
        return Some(Owner { kind, namespace: place?.into(), name: metadata["name"].as_str()?.into() });
    }
    OWNERS.into_iter().find_map(|(kind, name, namespace)| {
        let namespace = labels[namespace].as_str().or(place)?.into();
        Some(Owner { kind, namespace, name: labels[name].as_str()?.into() })
    })
}

/// Whose an object is: the Workspace or RAGEngine that it [belongs to](owner_of), or the set whose Workspaces share it, as they do their
/// router. What is rendered and what is live of it are the same one's. An object that names no namespace is in this one.
pub fn whose(object: &Value, namespace: Option<&str>) -> Option<Owner> {
    let (metadata, labels) = (&object["metadata"], &object["metadata"]["labels"]);
    let namespace = metadata["namespace"].as_str().or(namespace);
    owner_in(object, namespace).or_else(|| {
        let (kind, name) = SETS.into_iter().find_map(|(kind, label)| Some((kind, labels[label].as_str()?)))?;
        Some(Owner { kind, namespace: namespace?.into(), name: name.into() })
    })
}

/// Whether an object is a Workspace or a RAGEngine itself, as Kaito takes it.
fn is_declared(object: &Value) -> bool {
    let is_kaitos = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("kaito.sh/"));
    is_kaitos && OWNERS.iter().any(|(kind, ..)| object["kind"] == *kind)
}

/// A row for each Workspace and RAGEngine of which there are objects, by kind, namespace and name. Pods among the objects tell why
/// something isn't ready; those of others are left out.
pub fn rows<'o>(objects: impl IntoIterator<Item = &'o Value>) -> Vec<Row> {
    let mut by_owner: BTreeMap<Owner, Vec<&Value>> = BTreeMap::new();
    for object in objects {
        if let Some(owner) = owner_of(object) {
            by_owner.entry(owner).or_default().push(object);
        }
    }
    by_owner.into_iter().map(|(owner, objects)| row(owner, &objects)).collect()
}

fn row(owner: Owner, objects: &[&Value]) -> Row {
    let judged: Vec<Judged<'_>> =
        objects.iter().filter_map(|object| Some((ObjectRef::of(object).ok()?, *object, health(object)))).collect();
    let declared = judged.iter().find(|(_, object, _)| is_declared(object));
    // Where there is nothing to be judged, what Kaito says counts.
    let is_current = |of: fn(&ObjectRef) -> bool| {
        let mut statuses = judged.iter().filter(|(reference, ..)| of(reference)).map(|(.., health)| health.status).peekable();
        statuses.peek().is_some().then(|| statuses.all(|status| status == Status::Current))
    };
    let is_said = |kinds: &[&str]| declared.map(|(_, object, health)| health.status == Status::Current || says(object, kinds));
    let cause = cause(&judged);
    Row {
        instance_type: judged.iter().find_map(|(_, object, _)| instance_type(object)),
        nodes: sum(judged.iter().filter(|(reference, ..)| has_nodes(reference)).map(|(_, object, health)| nodes(object, health))),
        pods: sum(judged.iter().filter_map(|(_, object, _)| pods(object))),
        resource_ready: is_current(is_node).or_else(|| is_said(&["ResourceReady"])).or(Some(true)),
        inference_ready: is_current(is_workload).or_else(|| is_said(&["InferenceReady", "ServiceReady"])).or(Some(false)),
        health: cause.map_or_else(nothing, |(.., health)| health.clone()),
        about: cause.map(|(reference, ..)| reference.clone()),
        created: judged.iter().filter_map(|(_, object, _)| object["metadata"]["creationTimestamp"].as_str()).min().map(ToOwned::to_owned),
        sets: judged.iter().filter_map(|(_, object, _)| inventory::part_of(object)).map(ToOwned::to_owned).collect(),
        owner,
    }
}

/// An object, and how it is doing.
type Judged<'o> = (ObjectRef, &'o Value, Health);

/// The object that tells best how everything is doing: the worst; but while nodes are missing no pod can run, and a pod says more than the
/// set that waits for it. Of others that are as bad, that one tells more for which the rest waits.
fn cause<'j, 'o>(judged: &'j [Judged<'o>]) -> Option<&'j Judged<'o>> {
    let key = |(reference, object, health): &&Judged<'_>| (rank(health), !is_declared(object), is_workload(reference));
    let worst_of = |of: fn(&ObjectRef) -> bool| judged.iter().filter(move |(reference, ..)| of(reference)).max_by_key(key);
    let worst = worst_of(|reference| reference.kind != "Pod")?;
    if matches!(worst.2.status, Status::Current | Status::Failed) {
        return Some(worst);
    }
    let node = worst_of(is_node).filter(|(.., health)| health.status != Status::Current);
    let pod = worst_of(|reference| reference.kind == "Pod").filter(|(.., health)| is_telling(health));
    node.or(pod).or(Some(worst))
}

/// Whether one of the conditions of an object holds.
fn says(object: &Value, kinds: &[&str]) -> bool {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["status"] == "True" && kinds.iter().any(|kind| condition["type"] == *kind))
}

/// What is worst comes last: what has failed, what is stuck, what is on its way.
fn rank(health: &Health) -> u8 {
    match health.status {
        Status::Current => 0,
        Status::Unknown => 1,
        Status::InProgress if !health.is_stuck => 2,
        Status::Terminating => 3,
        Status::InProgress => 4,
        Status::Failed => 5,
    }
}

fn is_telling(health: &Health) -> bool {
    health.is_stuck || health.status == Status::Failed
}

fn nothing() -> Health {
    Health { status: Status::Unknown, is_stuck: false, message: "nothing of it is there".to_owned() }
}

fn nothing_runs() -> Health {
    let message = "no StatefulSet, Deployment or Job of it is to be seen".to_owned();
    Health { status: Status::InProgress, is_stuck: false, message }
}

fn is_workload(reference: &ObjectRef) -> bool {
    ["StatefulSet", "Deployment", "Job"].contains(&reference.kind.as_str())
}

fn sum(all: impl Iterator<Item = Progress>) -> Progress {
    all.fold(Progress::default(), |sum, one| Progress { ready: sum.ready + one.ready, wanted: sum.wanted + one.wanted })
}

/// Whether an object stands for nodes of its own. What the machines of a `MachinePool` are made from are no further ones.
fn has_nodes(reference: &ObjectRef) -> bool {
    is_node(reference) && reference.group != "infrastructure.cluster.x-k8s.io"
}

/// The nodes of a node or a pool. A pool that doesn't tell how many are ready has all of them ready when it is.
fn nodes(object: &Value, health: &Health) -> Progress {
    let number = |path: &str| object.pointer(path).and_then(Value::as_u64);
    let wanted = ["/spec/replicas", "/spec/count"].into_iter().find_map(number).unwrap_or(1);
    let ready = ["/status/readyReplicas", "/status/nodes", "/status/count"].into_iter().find_map(number);
    let all = if health.status == Status::Current { wanted } else { 0 };
    Progress { ready: ready.unwrap_or(all).min(wanted), wanted }
}

/// The pods of a workload.
fn pods(object: &Value) -> Option<Progress> {
    let number = |path: &str| object.pointer(path).and_then(Value::as_u64);
    match object["kind"].as_str()? {
        "StatefulSet" | "Deployment" => {
            let wanted = number("/spec/replicas").unwrap_or(1);
            Some(Progress { ready: number("/status/readyReplicas").unwrap_or(0).min(wanted), wanted })
        }
        "Job" => {
            let wanted = number("/spec/completions").or_else(|| number("/spec/parallelism")).unwrap_or(1);
            let (ready, done) = (number("/status/ready").unwrap_or(0), number("/status/succeeded").unwrap_or(0));
            Some(Progress { ready: (ready + done).min(wanted), wanted })
        }
        _ => None,
    }
}

/// Where pools, and Workspaces themselves, name the size of their nodes.
const POOLS: [&str; 6] = [
    "/spec/vmSize",
    "/spec/sku",
    "/spec/instanceType",
    "/spec/resources/0/spec/vmSize",
    "/resource/instanceType",
    "/spec/compute/instanceType",
];

/// The size of a node, or of the nodes of a pool, as it is asked for.
pub fn instance_type(object: &Value) -> Option<String> {
    let requirements =
        ["/spec/requirements", "/spec/template/spec/requirements"].into_iter().find_map(|path| object.pointer(path)?.as_array());
    let size = requirements.into_iter().flatten().find(|one| one["key"] == "node.kubernetes.io/instance-type");
    let size = size.and_then(|one| one["values"][0].as_str());
    let pool = || POOLS.into_iter().find_map(|path| object.pointer(path)?.as_str());
    size.or_else(pool).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, api_version: &str, name: &str, rest: Value) -> Value {
        let mut object = rest;
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        object["metadata"]["name"] = name.into();
        object["metadata"]["labels"] = json!({"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "n"});
        object["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z".into();
        object
    }

    fn claim(ready: &str) -> Value {
        let requirement = json!({"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["Standard_A"]});
        let conditions: Vec<Value> = ["Launched", "Registered", "Initialized", "Ready"]
            .iter()
            .map(|kind| json!({"type": kind, "status": ready, "reason": "Ready", "message": ""}))
            .collect();
        of("NodeClaim", "karpenter.sh/v1", "ws1", json!({"spec": {"requirements": [requirement]}, "status": {"conditions": conditions}}))
    }

    fn set(ready: u64) -> Value {
        let status = json!({"replicas": 1, "readyReplicas": ready, "updatedReplicas": 1, "currentReplicas": 1, "availableReplicas": ready,
            "observedGeneration": 1, "currentRevision": "a", "updateRevision": "a"});
        of("StatefulSet", "apps/v1", "phi", json!({"metadata": {"generation": 1}, "spec": {"replicas": 1}, "status": status}))
    }

    fn waiting_pod() -> Value {
        let waiting = json!({"name": "phi", "ready": false, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}});
        of(
            "Pod",
            "v1",
            "phi-0",
            json!({"spec": {"containers": [{"name": "phi", "image": "x"}]}, "status": {"phase": "Pending", "containerStatuses": [waiting]}}),
        )
    }

    /// A Workspace of which Kaito says this.
    fn workspace(ready: &str) -> Value {
        let conditions: Vec<Value> = ["ResourceReady", "InferenceReady", "WorkspaceSucceeded"]
            .iter()
            .map(|kind| json!({"type": kind, "status": ready, "reason": "NodeClaimNotReady", "message": "no"}))
            .collect();
        let mut object = of("Workspace", "kaito.sh/v1beta1", "phi", json!({"status": {"conditions": conditions}}));
        object["metadata"]["namespace"] = "n".into();
        object["metadata"]["labels"] = Value::Null;
        object
    }

    fn machine_pool() -> Value {
        let status = json!({"replicas": 2, "readyReplicas": 1, "phase": "Provisioning"});
        of("MachinePool", "cluster.x-k8s.io/v1beta1", "phi", json!({"spec": {"replicas": 2}, "status": status}))
    }

    fn machine_template() -> Value {
        let status = json!({"ready": true, "conditions": [{"type": "Ready", "status": "True"}]});
        of("AzureManagedMachinePool", "infrastructure.cluster.x-k8s.io/v1beta1", "phi", json!({"spec": {"sku": "A"}, "status": status}))
    }

    #[test]
    fn what_rows_say() {
        // The objects; nodes, pods, what is ready, how it is doing, and about which object.
        let table = [
            (vec![claim("True"), set(1)], (1, 1), (1, 1), [true, true, true], None),
            (vec![claim("True"), set(0)], (1, 1), (0, 1), [true, false, false], Some("StatefulSet")),
            (vec![claim("Unknown"), set(0)], (0, 1), (0, 1), [false, false, false], Some("NodeClaim")),
            (vec![claim("True"), set(0), waiting_pod()], (1, 1), (0, 1), [true, false, false], Some("Pod")),
            (vec![set(1), waiting_pod()], (0, 0), (1, 1), [true, true, true], None),
            (vec![claim("True")], (1, 1), (0, 0), [true, false, true], None),
            (vec![workspace("True")], (0, 0), (0, 0), [true, true, true], Some("Workspace")),
            (vec![workspace("False")], (0, 0), (0, 0), [false, false, false], Some("Workspace")),
            (vec![workspace("False"), claim("Unknown"), set(0)], (0, 1), (0, 1), [false, false, false], Some("NodeClaim")),
            (vec![claim("False"), machine_template(), set(0)], (0, 1), (0, 1), [false, false, false], Some("NodeClaim")),
            (vec![workspace("False"), claim("True"), set(1)], (1, 1), (1, 1), [true, true, false], Some("Workspace")),
            (vec![machine_pool(), machine_template(), set(1)], (1, 2), (1, 1), [false, true, false], Some("MachinePool")),
        ];
        for (objects, nodes, pods, ready, about) in table {
            let rows = rows(&objects);
            let [row] = rows.as_slice() else { panic!("{rows:?}") };
            assert_eq!(row.owner.to_string(), "Workspace n/phi");
            assert_eq!((row.nodes.ready, row.nodes.wanted), nodes, "{row:?}");
            assert_eq!((row.pods.ready, row.pods.wanted), pods, "{row:?}");
            assert_eq!([row.resource_ready, row.inference_ready, Some(row.is_ready())], ready.map(Some), "{row:?}");
            if let Some(about) = about {
                assert_eq!(row.about.as_ref().map(|about| about.kind.as_str()), Some(about), "{row:?}");
            }
        }
    }

    #[test]
    fn what_is_not_seen() {
        let [claims, sets] = [GroupKind::new("karpenter.sh", "NodeClaim"), GroupKind::new("apps", "StatefulSet")];
        // The objects, what is unread; what is ready: the nodes, what runs, everything.
        let table = [
            (vec![set(1)], vec![], [Some(true), Some(true), Some(true)]),
            (vec![set(1)], vec![claims.clone(), sets.clone()], [None, Some(true), Some(true)]),
            (vec![claim("True")], vec![], [Some(true), Some(false), Some(false)]),
            (vec![claim("True")], vec![sets], [Some(true), None, Some(false)]),
            (vec![claim("True"), set(1)], vec![claims], [Some(true), Some(true), Some(true)]),
            (vec![workspace("True")], vec![], [Some(true), Some(true), Some(true)]),
        ];
        for (objects, unread, want) in table {
            let row = rows(&objects).remove(0).surveyed(&unread);
            assert_eq!([row.resource_ready, row.inference_ready, Some(row.is_ready())], want, "{row:?} without {unread:?}");
        }
    }

    #[test]
    fn others_have_no_row() {
        assert_eq!(rows(&[json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}}), json!(null)]), []);
    }
}
