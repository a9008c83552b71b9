//! Nodes of one's own, as an input declares them: with the labels that decide what is rendered, and no others.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// How the labels begin by which NVIDIA's GPU feature discovery tells what a node has.
const SHAPE: [&str; 3] = ["nvidia.com/gpu.", "nvidia.com/cuda.compute.", "nvidia.com/mig."];

/// The nodes that one of these objects selects, by name.
pub(super) fn selected(nodes: &[&Value], declared: &[&Value]) -> Vec<Value> {
    let selectors: Vec<&Map<String, Value>> = declared.iter().filter_map(|object| selector(object)).collect();
    let keys: BTreeSet<&str> = selectors.iter().flat_map(|selector| selector.keys().map(String::as_str)).collect();
    let fits = |node: &Value, selector: &Map<String, Value>| selector.iter().all(|(key, value)| node["metadata"]["labels"][key] == *value);
    let mut found: Vec<Value> = Vec::new();
    for node in nodes.iter().filter(|node| selectors.iter().any(|selector| fits(node, selector))) {
        let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
        let told = labels.filter(|(key, _)| keys.contains(key.as_str()) || SHAPE.iter().any(|start| key.starts_with(start)));
        let labels: Map<String, Value> = told.map(|(key, value)| (key.clone(), value.clone())).collect();
        found.push(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node["metadata"]["name"], "labels": labels},
            "status": {"conditions": [{"type": "Ready", "status": if is_ready(node) { "True" } else { "False" }}]},
        }));
    }
    found.sort_by_key(|node| node["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    found
}

/// The labels by which an object selects nodes, if there are any.
fn selector(object: &Value) -> Option<&Map<String, Value>> {
    let places = ["/resource/labelSelector/matchLabels", "/spec/labelSelector/matchLabels", "/spec/compute/labelSelector/matchLabels"];
    places.iter().find_map(|place| object.pointer(place)?.as_object()).filter(|labels| !labels.is_empty())
}

fn is_ready(node: &Value) -> bool {
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_nodes() {
        let node = |name: &str, pool: &str, ready: &str| {
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "uid": "1",
                    "labels": {"pool": pool, "kubernetes.io/hostname": name, "nvidia.com/gpu.count": "2", "nvidia.com/cuda.compute.major": "9"},
                },
                "status": {"capacity": {"cpu": "8"}, "conditions": [{"type": "Ready", "status": ready, "reason": "x"}]},
            })
        };
        let nodes = [node("b", "a100", "False"), node("a", "a100", "True"), node("c", "cpu", "True")];
        let workspace = json!({"kind": "Workspace", "resource": {"labelSelector": {"matchLabels": {"pool": "a100"}}}});
        let everything = json!({"kind": "Workspace", "resource": {"labelSelector": {"matchLabels": {}}}});
        let found = selected(&nodes.iter().collect::<Vec<_>>(), &[&workspace, &everything]);
        let labels = json!({"pool": "a100", "nvidia.com/gpu.count": "2", "nvidia.com/cuda.compute.major": "9"});
        let told: Vec<(&Value, &Value, &Value)> = found
            .iter()
            .map(|node| (&node["metadata"]["name"], &node["metadata"]["labels"], &node["status"]["conditions"][0]["status"]))
            .collect();
        assert_eq!(told, [(&json!("a"), &labels, &json!("True")), (&json!("b"), &labels, &json!("False"))]);
        assert!(found.iter().all(|node| node["metadata"]["uid"].is_null() && node["status"]["capacity"].is_null()));
    }
}
