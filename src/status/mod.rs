//! How Workspaces are doing, from the live objects that they stand for: nodes, then pods, then everything.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{Owner, is_node};
use crate::health::{Health, Status, health};
use crate::manifest::ObjectRef;

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
    /// Whether its nodes are ready; it is if it has none of its own.
    pub resource_ready: bool,
    /// Whether what it runs is ready; of a tuning, whether it is done.
    pub inference_ready: bool,
    /// How it is doing as a whole: as the worst of its objects.
    pub health: Health,
    /// The object that [`Row::health`] is about.
    pub about: Option<ObjectRef>,
    /// When the oldest of its objects was made, as the server writes it.
    pub created: Option<String>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many are ready.
    pub ready: u64,
    /// How many there should be.
    pub wanted: u64,
}

impl Row {
    /// Whether everything is as it was declared.
    pub fn is_ready(&self) -> bool {
        self.health.status == Status::Current
    }
}

/// The Workspace or RAGEngine that a live object belongs to, by its labels.
pub fn owner_of(object: &Value) -> Option<Owner> {
    let labels = &object["metadata"]["labels"];
    let named = |kind: &'static str, name: &str, namespace: &str| {
        let own = || object["metadata"]["namespace"].as_str();
        let namespace = labels[namespace].as_str().or_else(own)?.to_owned();
        Some(Owner { kind, namespace, name: labels[name].as_str()?.to_owned() })
    };
    named("Workspace", "kaito.sh/workspace", "kaito.sh/workspacenamespace")
        .or_else(|| named("RAGEngine", "kaito.sh/ragengine", "kaito.sh/ragenginenamespace"))
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
    let judged: Vec<(ObjectRef, &Value, Health)> =
        objects.iter().filter_map(|object| Some((ObjectRef::of(object).ok()?, *object, health(object)))).collect();
    let is_current = |of: fn(&ObjectRef) -> bool| {
        judged.iter().filter(|(reference, ..)| of(reference)).all(|(.., health)| health.status == Status::Current)
    };
    let worst = judged.iter().filter(|(reference, ..)| reference.kind != "Pod").max_by_key(|(_, _, health)| rank(health));
    // A pod says more than the set that waits for it.
    let pod = judged
        .iter()
        .filter(|(reference, _, health)| reference.kind == "Pod" && is_telling(health))
        .max_by_key(|(_, _, health)| rank(health));
    let worst = match (worst, pod) {
        (Some(worst), Some(pod)) if worst.2.status != Status::Current && rank(&pod.2) >= rank(&worst.2) => Some(pod),
        (worst, _) => worst,
    };
    Row {
        instance_type: judged.iter().find_map(|(_, object, _)| instance_type(object)),
        nodes: sum(judged.iter().filter(|(reference, ..)| is_node(reference)).map(|(_, object, health)| nodes(object, health))),
        pods: sum(judged.iter().filter_map(|(_, object, _)| pods(object))),
        resource_ready: is_current(is_node),
        inference_ready: is_current(is_workload) && judged.iter().any(|(reference, ..)| is_workload(reference)),
        health: worst.map_or_else(nothing, |(.., health)| health.clone()),
        about: worst.map(|(reference, ..)| reference.clone()),
        created: judged.iter().filter_map(|(_, object, _)| object["metadata"]["creationTimestamp"].as_str()).min().map(ToOwned::to_owned),
        owner,
    }
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

fn is_workload(reference: &ObjectRef) -> bool {
    ["StatefulSet", "Deployment", "Job"].contains(&reference.kind.as_str())
}

fn sum(all: impl Iterator<Item = Progress>) -> Progress {
    all.fold(Progress::default(), |sum, one| Progress { ready: sum.ready + one.ready, wanted: sum.wanted + one.wanted })
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

/// The size of a node, or of the nodes of a pool, as it is asked for.
fn instance_type(object: &Value) -> Option<String> {
    let requirements =
        ["/spec/requirements", "/spec/template/spec/requirements"].into_iter().find_map(|path| object.pointer(path)?.as_array());
    let size = requirements.into_iter().flatten().find(|one| one["key"] == "node.kubernetes.io/instance-type");
    let size = size.and_then(|one| one["values"][0].as_str());
    let pool = || ["/spec/vmSize", "/spec/sku", "/spec/instanceType"].into_iter().find_map(|path| object.pointer(path)?.as_str());
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
        ];
        for (objects, nodes, pods, ready, about) in table {
            let rows = rows(&objects);
            let [row] = rows.as_slice() else { panic!("{rows:?}") };
            assert_eq!(row.owner.to_string(), "Workspace n/phi");
            assert_eq!((row.nodes.ready, row.nodes.wanted), nodes, "{row:?}");
            assert_eq!((row.pods.ready, row.pods.wanted), pods, "{row:?}");
            assert_eq!([row.resource_ready, row.inference_ready, row.is_ready()], ready, "{row:?}");
            if let Some(about) = about {
                assert_eq!(row.about.as_ref().map(|about| about.kind.as_str()), Some(about), "{row:?}");
            }
        }
    }

    #[test]
    fn others_have_no_row() {
        assert_eq!(rows(&[json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"}}), json!(null)]), []);
    }
}
