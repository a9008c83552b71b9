//! Which objects tell how Workspaces are doing, and how a server finds them.

use serde_json::Value;

use super::OWNERS;
use crate::inventory::GroupKind;

/// A list to ask a server for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The kind.
    pub kind: GroupKind,
    /// The labels; none for all objects of the kind.
    pub selector: Option<String>,
    /// The namespace; none for all.
    pub namespace: Option<String>,
    /// The namespace to look into if the server doesn't let all be read.
    pub or_in: Option<String>,
}

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// What tells how a Workspace is doing.
    Health,
    /// Everything that a Workspace is made of.
    Everything,
}

/// Nodes, in no namespace or in one of their own: group and kind.
const NODES: [(&str, &str); 8] = [
    ("karpenter.sh", "NodeClaim"),
    ("karpenter.sh", "NodePool"),
    ("karpenter.sh", "Machine"),
    ("containerservice.azure.com", "ManagedClustersAgentPool"),
    ("cluster.x-k8s.io", "MachinePool"),
    ("infrastructure.cluster.x-k8s.io", "AzureASOManagedMachinePool"),
    ("infrastructure.cluster.x-k8s.io", "AzureManagedMachinePool"),
    ("infrastructure.cluster.x-k8s.io", "AWSManagedMachinePool"),
];

/// What runs, in the namespace of the Workspace.
const WORKLOADS: [(&str, &str); 4] = [("apps", "StatefulSet"), ("apps", "Deployment"), ("batch", "Job"), ("", "Pod")];

/// What else is in the namespace of the Workspace.
const OTHERS: [(&str, &str); 4] = [("apps", "ReplicaSet"), ("", "Service"), ("", "ConfigMap"), ("", "PersistentVolumeClaim")];

/// The labels of the claims that Karpenter makes for a pool of a Workspace: its name and its namespace.
const OF_POOLS: (&str, &str) = ("karpenter.kaito.sh/workspace-name", "karpenter.kaito.sh/workspace-namespace");

/// Whether an object is one of those that tell how a Workspace is doing.
pub fn tells_health(object: &Value) -> bool {
    !OTHERS.iter().any(|(_, kind)| object["kind"] == *kind)
}

/// The lists that have all objects of the Workspaces and RAGEngines in a namespace, or in all; each kind once for each label.
pub fn searches(namespace: Option<&str>, breadth: Breadth) -> Vec<Search> {
    let search = |(group, kind): (&str, &str), selector: Option<String>, namespace: Option<&str>| Search {
        kind: GroupKind::new(group, kind),
        selector,
        namespace: namespace.map(ToOwned::to_owned),
        or_in: None,
    };
    let everywhere = |kind, name: &str, of_namespace: &str| {
        let of_namespace = namespace.map_or_else(String::new, |namespace| format!(",{of_namespace}={namespace}"));
        let found = search(kind, Some(format!("{name}{of_namespace}")), None);
        Search { or_in: namespace.map(ToOwned::to_owned), ..found }
    };
    let others: &[_] = if breadth == Breadth::Everything { &OTHERS } else { &[] };
    let mut all = Vec::new();
    for (kind, name, of_namespace) in OWNERS {
        all.push(search(("kaito.sh", kind), None, namespace));
        all.extend(NODES.iter().map(|kind| everywhere(*kind, name, of_namespace)));
        all.extend(WORKLOADS.iter().chain(others).map(|kind| search(*kind, Some(name.to_owned()), namespace)));
    }
    if breadth == Breadth::Everything {
        all.push(everywhere(NODES[0], OF_POOLS.0, OF_POOLS.1));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff;

    /// The path and the labels of each list.
    fn told(namespace: Option<&str>, breadth: Breadth) -> Vec<String> {
        let tell = |search: Search| {
            let place = search.namespace.map_or_else(String::new, |namespace| format!(" in {namespace}"));
            format!("{}{place}: {}", search.kind, search.selector.unwrap_or_default())
        };
        searches(namespace, breadth).into_iter().map(tell).collect()
    }

    #[test]
    fn what_is_looked_for() {
        let table = [
            (None, Breadth::Health, "Pod: kaito.sh/workspace", true),
            (None, Breadth::Health, "NodeClaim.karpenter.sh: kaito.sh/ragengine", true),
            (None, Breadth::Health, "Workspace.kaito.sh: ", true),
            (Some("n"), Breadth::Health, "Workspace.kaito.sh in n: ", true),
            (Some("n"), Breadth::Health, "StatefulSet.apps in n: kaito.sh/workspace", true),
            (Some("n"), Breadth::Health, "NodeClaim.karpenter.sh: kaito.sh/workspace,kaito.sh/workspacenamespace=n", true),
            (Some("n"), Breadth::Health, "Service in n: kaito.sh/workspace", false),
            (Some("n"), Breadth::Everything, "Service in n: kaito.sh/workspace", true),
            (
                Some("n"),
                Breadth::Everything,
                "NodeClaim.karpenter.sh: karpenter.kaito.sh/workspace-name,karpenter.kaito.sh/workspace-namespace=n",
                true,
            ),
        ];
        for (namespace, breadth, want, is_there) in table {
            let all = told(namespace, breadth);
            assert_eq!(all.iter().any(|one| one == want), is_there, "{want} among {all:#?}");
        }
    }

    #[test]
    fn every_kind_of_node_is_looked_for() {
        let mut looked_for: Vec<&str> = NODES.iter().map(|(_, kind)| *kind).collect();
        let mut known = diff::NODES.to_vec();
        looked_for.sort_unstable();
        known.sort_unstable();
        assert_eq!(looked_for, known);
    }
}
