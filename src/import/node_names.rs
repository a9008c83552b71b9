//! The names that nodes have, for those who render without asking the cluster: a node by another name would be another node.

use serde_json::{Value, json};

use super::{Seen, is_of};
use crate::plan::Nodes;

/// The labels of a claim that say for what it is: the kind, its name, its namespace.
const OWNERS: [(&str, &str, &str); 2] = [
    ("Workspace", "kaito.sh/workspace", "kaito.sh/workspacenamespace"),
    ("RAGEngine", "kaito.sh/ragengine", "kaito.sh/ragenginenamespace"),
];

/// The patches of `kaito.yaml` that give rendered claims the names of those that are there; the oldest of a Workspace is its first.
pub(super) fn patches(seen: &Seen<'_>, declared: &[&Value]) -> Vec<Value> {
    let mut patches = Vec::new();
    for object in declared {
        let Some((_, name, namespace)) = OWNERS.iter().find(|(kind, ..)| is_of(object, kind)) else { continue };
        let metadata = &object["metadata"];
        let is_its = |claim: &&Value| {
            let labels = &claim["metadata"]["labels"];
            labels[*name] == metadata["name"] && labels[*namespace] == metadata["namespace"]
        };
        let is_staying = |claim: &&Value| claim["metadata"]["deletionTimestamp"].is_null();
        let mut claims: Vec<&Value> = seen.of("NodeClaim").chain(seen.of("Machine")).filter(is_its).filter(is_staying).collect();
        claims.sort_by_key(|claim| (text(&claim["metadata"]["creationTimestamp"]), text(&claim["metadata"]["name"])));
        for (ordinal, claim) in (0..).zip(claims) {
            let (rendered, there) =
                (Nodes::claim_name(text(&metadata["namespace"]), text(&metadata["name"]), ordinal), text(&claim["metadata"]["name"]));
            if rendered != there {
                let patch = format!("- {{op: replace, path: /metadata/name, value: {}}}\n", Value::from(there));
                patches.push(json!({"target": {"kind": claim["kind"], "name": rendered}, "patch": patch}));
            }
        }
    }
    patches
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_are_kept() {
        let claim = |name: &str, workspace: &str, made: &str| {
            let labels = json!({"kaito.sh/workspace": workspace, "kaito.sh/workspacenamespace": "models"});
            json!({"kind": "NodeClaim", "metadata": {"name": name, "labels": labels, "creationTimestamp": made}})
        };
        let first = Nodes::claim_name("models", "phi", 0);
        let second = Nodes::claim_name("models", "phi", 1);
        let mut leaving = claim("ws3", "phi", "2025-01-01T00:00:00Z");
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let objects = [
            claim("ws2", "phi", "2026-01-02T00:00:00Z"),
            claim("ws1", "phi", "2026-01-01T00:00:00Z"),
            claim("ws9", "other", "2026-01-01T00:00:00Z"),
            leaving,
            claim(&Nodes::claim_name("models", "same", 0), "same", "2026-01-01T00:00:00Z"),
        ];
        let workspace = |name: &str| json!({"kind": "Workspace", "metadata": {"name": name, "namespace": "models"}});
        let (phi, same) = (workspace("phi"), workspace("same"));
        let found = patches(&Seen { objects: &objects, unread: &BTreeMap::new() }, &[&phi, &same]);
        let want = |rendered: &str, there: &str| {
            let patch = format!("- {{op: replace, path: /metadata/name, value: \"{there}\"}}\n");
            json!({"target": {"kind": "NodeClaim", "name": rendered}, "patch": patch})
        };
        assert_eq!(found, [want(&first, "ws1"), want(&second, "ws2")]);
    }
}
