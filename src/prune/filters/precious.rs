//! Data and GPU nodes go only with the Workspace they were for, or when the user allows their kind.

use super::{Candidate, Context, Reason};
use crate::diff::{NODES, Owner, is_node};
use crate::manifest::ObjectRef;
use crate::spec::names;

/// Group and kind of what holds data, and what is lost with it.
const DATA: [(&str, &str, &str); 4] = [
    ("", "Namespace", "everything in it would be deleted"),
    ("", "PersistentVolumeClaim", "its data would be lost"),
    ("", "PersistentVolume", "its data would be lost"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "every object of its kind would be deleted"),
];

/// The labels that name an owner and its namespace, the nearest owner first: a set stays when one of its Workspaces goes.
const OWNERS: [(&str, &str, Option<&str>); 6] = [
    ("Workspace", names::WORKSPACE, Some(names::WORKSPACE_NAMESPACE)),
    ("Workspace", names::KARPENTER_WORKSPACE_NAME, Some(names::KARPENTER_WORKSPACE_NAMESPACE)),
    ("RAGEngine", names::RAG_ENGINE, Some(names::RAG_ENGINE_NAMESPACE)),
    ("MultiRoleInference", names::MULTI_ROLE_CREATED_BY, None),
    ("InferenceSet", names::INFERENCE_SET_CREATED_BY, None),
    ("InferenceSet", names::KARPENTER_INFERENCE_SET, Some(names::KARPENTER_INFERENCE_SET_NAMESPACE)),
];

/// The kinds that `--prune-allow` is about.
pub(in crate::prune) fn kinds() -> impl Iterator<Item = &'static str> {
    DATA.into_iter().map(|(_, kind, _)| kind).chain(NODES)
}

pub(super) fn why_kept(candidate: &Candidate<'_>, context: &Context<'_>) -> Option<Reason> {
    let reference = candidate.reference();
    let loss = loss(reference).filter(|_| !context.allowed.iter().any(|kind| kind.is_of(reference)))?;
    let owner = owner(candidate);
    if owner.as_ref().is_some_and(|owner| !context.owners.contains(owner)) {
        return None;
    }
    Some(Reason::Precious { loss, owner, kind: reference.kind.to_string() })
}

/// What would be lost with an object, if it is much.
fn loss(reference: &ObjectRef) -> Option<&'static str> {
    let is = |(group, kind, _): &&(&str, &str, &str)| *group == reference.group && *kind == reference.kind;
    DATA.iter().find(is).map(|(.., loss)| *loss).or_else(|| is_node(reference).then_some("its GPU nodes would be deleted"))
}

/// Whose an object is, if that can be told.
pub(super) fn owner(candidate: &Candidate<'_>) -> Option<Owner> {
    OWNERS.into_iter().find_map(|(kind, name, namespace)| {
        let name = candidate.label(name)?.into();
        let labelled = namespace.and_then(|namespace| candidate.label(namespace));
        let namespace = labelled.or(candidate.reference().namespace.as_deref())?.into();
        Some(Owner { kind, namespace, name })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_and_nodes_go_with_their_owner_alone() {
        let workspace = |name: &str| json!({"kaito.sh/workspace": name, "kaito.sh/workspacenamespace": "n"});
        let table = [
            ("v1", "ConfigMap", json!({}), "", false),
            ("karpenter.sh/v1", "NodeClaim", workspace("here"), "", true),
            ("karpenter.sh/v1", "NodeClaim", workspace("gone"), "", false),
            ("karpenter.sh/v1", "NodeClaim", workspace("here"), "nodeclaims", false),
            ("karpenter.sh/v1", "NodeClaim", workspace("here"), "pvc", true),
            ("karpenter.sh/v1", "NodeClaim", json!({}), "", true),
            ("karpenter.sh/v1", "NodeClaim", json!({"kaito.sh/workspace": "gone"}), "", true),
            (
                "karpenter.sh/v1",
                "NodePool",
                json!({"karpenter.kaito.sh/workspace-name": "here", "karpenter.kaito.sh/workspace-namespace": "n"}),
                "",
                true,
            ),
            (
                "karpenter.sh/v1",
                "NodePool",
                json!({"karpenter.kaito.sh/workspace-name": "here", "karpenter.kaito.sh/workspace-namespace": "m"}),
                "",
                false,
            ),
            ("karpenter.sh/v1alpha5", "Machine", workspace("here"), "", true),
            ("cluster.x-k8s.io/v1beta2", "MachinePool", workspace("here"), "", true),
            ("machineconfiguration.openshift.io/v1", "MachinePool", workspace("here"), "", false),
            ("containerservice.azure.com/v1api20240901", "ManagedClustersAgentPool", workspace("here"), "", true),
            ("karpenter.sh/v1", "NodeClaim", json!({"kaito.sh/ragengine": "engine", "kaito.sh/ragenginenamespace": "n"}), "", true),
            ("karpenter.sh/v1", "NodeClaim", json!({"kaito.sh/ragengine": "here", "kaito.sh/ragenginenamespace": "n"}), "", false),
            // A Workspace of a set that is still there, with fewer replicas.
            (
                "karpenter.sh/v1",
                "NodePool",
                json!({
                    "kaito.sh/workspace": "set-2",
                    "kaito.sh/workspacenamespace": "n",
                    "karpenter.kaito.sh/inferenceset": "set",
                    "karpenter.kaito.sh/inferenceset-namespace": "n",
                }),
                "",
                false,
            ),
            (
                "karpenter.sh/v1",
                "NodePool",
                json!({"karpenter.kaito.sh/inferenceset": "set", "karpenter.kaito.sh/inferenceset-namespace": "n"}),
                "",
                true,
            ),
            ("v1", "PersistentVolumeClaim", json!({"kaito.sh/model-mirror-name": "m"}), "", true),
            ("v1", "PersistentVolumeClaim", json!({"kaito.sh/model-mirror-name": "m"}), "PersistentVolumeClaim", false),
            ("v1", "PersistentVolume", json!({}), "", true),
            ("v1", "Namespace", json!({}), "", true),
            ("v1", "Namespace", json!({}), "ns", false),
            ("example.com/v1", "Namespace", json!({}), "", false),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({}), "", true),
        ];
        let owner = |kind, name: &str| Owner { kind, namespace: "n".into(), name: name.into() };
        let owners = [owner("Workspace", "here"), owner("RAGEngine", "engine"), owner("InferenceSet", "set")].into();
        for (api_version, kind, labels, allowed, want) in table {
            let allowed: Vec<_> = allowed.split(',').filter(|kind| !kind.is_empty()).map(|kind| kind.parse().unwrap()).collect();
            let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "labels": labels}});
            let context = Context { set: "one", owners: &owners, allowed: &allowed, namespaces: None, other_inputs: None };
            assert_eq!(why_kept(&Candidate::of(&object).unwrap(), &context).is_some(), want, "{kind} {labels} {allowed:?}");
        }
    }

    #[test]
    fn an_owner_may_be_in_the_namespace_of_its_object() {
        let table = [
            (json!({"kaito.sh/workspace": "w"}), Some("Workspace n/w")),
            (json!({"kaito.sh/workspace": "w", "kaito.sh/workspacenamespace": "m"}), Some("Workspace m/w")),
            (json!({"inferenceset.kaito.sh/created-by": "s"}), Some("InferenceSet n/s")),
            (
                json!({"inferenceset.kaito.sh/created-by": "s", "multiroleinference.kaito.sh/created-by": "r"}),
                Some("MultiRoleInference n/r"),
            ),
            (json!({"app": "w"}), None),
        ];
        for (labels, want) in table {
            let metadata = json!({"name": "x", "namespace": "n", "labels": labels});
            let object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata});
            assert_eq!(owner(&Candidate::of(&object).unwrap()).map(|owner| owner.to_string()).as_deref(), want, "{labels}");
        }
    }
}
