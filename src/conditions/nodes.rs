//! The nodes of a Workspace: what stands for them, the nodes themselves, their GPUs.
//!
//! Source: Kaito 0.12, which waits for as many `NodeClaims`, then for the nodes, then for their device plugin.

use serde_json::Value;

use super::calm::calm;
use super::part::{Outlook, Part, reason};
use crate::diff::is_node;
use crate::health::{Condition, Health, Status, health, is_benign};
use crate::manifest::ObjectRef;
use crate::spec::names;

/// The conditions of what stands for nodes, in the order in which they come to hold: of Karpenter, of Cluster API, and those that sum up.
const STAGES: [&str; 13] = [
    "Launched",
    "Registered",
    "Initialized",
    "MachineLaunched",
    "MachineRegistered",
    "MachineInitialized",
    "ValidationSucceeded",
    "NodeClassReady",
    "NodeRegistrationHealthy",
    "BootstrapReady",
    "InfrastructureReady",
    "AgentPoolReady",
    "Ready",
];

/// The labels by which a node says whose it is: kind, name and namespace.
const OWNERS: [(&str, &str, &str); 3] = [
    ("Workspace", names::WORKSPACE, names::WORKSPACE_NAMESPACE),
    ("Workspace", names::KARPENTER_WORKSPACE_NAME, names::KARPENTER_WORKSPACE_NAMESPACE),
    ("RAGEngine", names::RAG_ENGINE, names::RAG_ENGINE_NAMESPACE),
];

/// Whether a Workspace or RAGEngine may run on a node: it is of the size and has the labels that are asked for, and is not another one's.
pub fn is_node_of(node: &Value, declared: &Value) -> bool {
    if !is_kubernetes_node(node) {
        return false;
    }
    let is_engine = declared["kind"] == "RAGEngine";
    let resource = if is_engine { &declared["spec"]["compute"] } else { &declared["resource"] };
    let (labels, metadata) = (&node["metadata"]["labels"], &declared["metadata"]);
    let size = resource["instanceType"].as_str().filter(|size| !size.is_empty());
    let has_size = size.is_none_or(|size| labels["node.kubernetes.io/instance-type"] == size);
    let mut wanted = resource["labelSelector"]["matchLabels"].as_object().into_iter().flatten();
    let is_wanted = wanted.all(|(key, value)| names::RESERVED_SELECTOR_LABELS.contains(&key.as_str()) || labels[key] == *value);
    let is_others = OWNERS.iter().any(|(kind, name, namespace)| {
        let is_other = |label: &str, field: &str| !labels[label].is_null() && labels[label] != metadata[field];
        let is_other_kind = (*kind == "RAGEngine") != is_engine && !labels[name].is_null();
        is_other_kind || is_other(name, "name") || is_other(namespace, "namespace")
    });
    has_size && is_wanted && !is_others
}

/// Whether what stands for the nodes is ready.
pub(super) fn claims(objects: &[&Value], wanted: u64) -> Part {
    let part = |outlook, reason: &str, message: String| Part::new("NodeClaimReady", outlook, reason, calm(&message));
    let all: Vec<(&Value, Health)> =
        objects.iter().filter(|object| stands_for_nodes(object)).map(|object| (*object, health(object))).collect();
    let is_claim = |object: &Value| object["kind"] == "NodeClaim" || object["kind"] == "Machine";
    let claims: Vec<&(&Value, Health)> = all.iter().filter(|(object, _)| is_claim(object)).collect();
    let is_current = |(_, health): &(&Value, Health)| health.status == Status::Current;
    let ready = number(claims.iter().filter(|claim| is_current(claim)).count());
    // A pool knows best when it has what it was asked for. Its claims tell more than the pool, if they can be seen.
    let is_enough = if claims.is_empty() { !all.is_empty() && all.iter().all(is_current) } else { ready >= wanted };
    if is_enough {
        return part(Outlook::There, "NodeClaimsReady", "what the nodes are made from is ready".to_owned());
    }
    let worst = all.iter().filter(|one| !is_current(one)).max_by_key(|(object, health)| (outlook(health), is_claim(object)));
    let count = format!("{ready} of {wanted} nodes are made");
    let Some((object, health)) = worst else { return part(Outlook::Coming, "NodeClaimNotReady", count) };
    let said = if wanted > 1 && is_claim(object) { format!("{count}: {}", health.message) } else { health.message.clone() };
    match outlook(health) {
        Outlook::Stuck | Outlook::Failed => part(outlook(health), reason_of(object).unwrap_or("NodeClaimNotReady"), said),
        Outlook::There | Outlook::Coming => part(Outlook::Coming, "NodeClaimNotReady", said),
    }
}

fn stands_for_nodes(object: &Value) -> bool {
    ObjectRef::of(object).is_ok_and(|reference| is_node(&reference))
}

/// The reason of the first condition that doesn't hold, if it isn't one that everything gives on its way.
fn reason_of(object: &Value) -> Option<&str> {
    let unmet = STAGES.iter().filter_map(|kind| Condition::find(object, kind)).find(|condition| !condition.is_true())?;
    reason(unmet.reason).filter(|reason| !is_benign(reason))
}

/// Whether the nodes are ready and show their GPUs.
pub(super) fn nodes(objects: &[&Value], wanted: u64, needs_gpus: bool, is_own: bool) -> Part {
    let part = |outlook, reason: &str, message: String| Part::new("NodesReady", outlook, reason, calm(&message));
    let all: Vec<&Value> = objects.iter().copied().filter(|object| is_kubernetes_node(object)).collect();
    let ready = number(all.iter().filter(|node| is_ready(node)).count());
    if ready < wanted {
        let worst = all.iter().filter(|node| !is_ready(node)).map(|node| health(node)).max_by_key(outlook);
        let count = format!("{ready} of {wanted} nodes are ready");
        let message = match &worst {
            Some(health) => format!("{count}: {}", health.message),
            None if is_own => format!("{count}: those that have the labels of resource.labelSelector"),
            None => count,
        };
        return part(worst.map_or(Outlook::Coming, |health| outlook(&health).max(Outlook::Coming)), "NodeNotReady", message);
    }
    let usable = number(workers(objects, needs_gpus).len());
    if usable < wanted {
        let message = format!("{usable} of {wanted} nodes show GPUs: their device plugin is not ready");
        return part(Outlook::Coming, "NodePluginsNotReady", message);
    }
    part(Outlook::There, "NodesReady", format!("{wanted} of {wanted} nodes are ready"))
}

/// The names of the nodes that can be used, sorted.
pub(super) fn workers(objects: &[&Value], needs_gpus: bool) -> Vec<String> {
    let nodes = objects.iter().filter(|object| is_kubernetes_node(object));
    let usable = nodes.filter(|node| is_ready(node) && (!needs_gpus || has_gpus(node)));
    let mut names: Vec<String> = usable.filter_map(|node| node["metadata"]["name"].as_str().map(ToOwned::to_owned)).collect();
    names.sort();
    names.dedup();
    names
}

/// What the nodes are short of, by the condition that says so.
pub(super) fn pressure(objects: &[&Value], kind: &str) -> bool {
    let mut nodes = objects.iter().filter(|object| is_kubernetes_node(object));
    nodes.any(|node| Condition::find(node, kind).is_some_and(|condition| condition.is_true()))
}

fn is_kubernetes_node(object: &Value) -> bool {
    object["kind"] == "Node" && object["apiVersion"] == "v1"
}

fn is_ready(node: &Value) -> bool {
    let is_going = !node["metadata"]["deletionTimestamp"].is_null();
    !is_going && Condition::find(node, "Ready").is_some_and(|ready| ready.is_true())
}

/// Whether a node has GPUs, or parts of them, to give away.
fn has_gpus(node: &Value) -> bool {
    let mut capacity = node["status"]["capacity"].as_object().into_iter().flatten();
    let is_gpu = |name: &str| name == "nvidia.com/gpu" || name.starts_with("nvidia.com/mig-");
    capacity.any(|(name, count)| is_gpu(name) && count.as_str().and_then(|count| count.parse::<u64>().ok()).is_some_and(|count| count > 0))
}

/// How it looks with an object.
pub(super) fn outlook(health: &Health) -> Outlook {
    match health.status {
        Status::Current => Outlook::There,
        Status::Failed => Outlook::Failed,
        _ if health.is_stuck => Outlook::Stuck,
        Status::InProgress | Status::Terminating | Status::Unknown => Outlook::Coming,
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whose_nodes_they_are() {
        let size = "node.kubernetes.io/instance-type";
        let workspace = |resource: Value| json!({"metadata": {"name": "phi", "namespace": "n"}, "resource": resource});
        let made = workspace(json!({"instanceType": "A", "labelSelector": {"matchLabels": {"apps": "phi"}}}));
        let own = workspace(json!({"labelSelector": {"matchLabels": {"apps": "phi", "kaito.sh/workspace": "dropped"}}}));
        let mut engine = json!({"kind": "RAGEngine", "metadata": {"name": "phi", "namespace": "n"}});
        engine["spec"]["compute"] = made["resource"].clone();
        // The Workspace, the labels of the node, whether it is one of its nodes.
        let table = [
            (&made, json!({"apps": "phi", size: "A", "kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "n"}), true),
            (&made, json!({"apps": "phi", size: "A", "karpenter.kaito.sh/workspace-name": "phi"}), true),
            (&made, json!({"apps": "phi", size: "A"}), true),
            (&made, json!({"apps": "phi", size: "B"}), false),
            (&made, json!({"apps": "other", size: "A"}), false),
            (&made, json!({"apps": "phi", size: "A", "kaito.sh/workspace": "other"}), false),
            (&made, json!({"apps": "phi", size: "A", "kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "m"}), false),
            (&made, json!({"apps": "phi", size: "A", "karpenter.kaito.sh/workspace-name": "other"}), false),
            (&made, json!({"apps": "phi", size: "A", "kaito.sh/ragengine": "phi"}), false),
            (&engine, json!({"apps": "phi", size: "A", "kaito.sh/ragengine": "phi"}), true),
            (&engine, json!({"apps": "phi", size: "A", "kaito.sh/workspace": "phi"}), false),
            (&engine, json!({"apps": "phi", size: "B"}), false),
            (&own, json!({"apps": "phi", size: "B"}), true),
            (&own, json!({}), false),
            (&own, Value::Null, false),
        ];
        for (workspace, labels, want) in table {
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "labels": labels}});
            assert_eq!(is_node_of(&node, workspace), want, "{node}");
        }
        assert!(!is_node_of(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"apps": "phi"}}}), &own));
    }
}
