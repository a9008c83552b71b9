//! What a change does to what runs: nothing, a restart, a replacement, other nodes, lost data.
//!
//! Source: which fields the API server of Kubernetes lets be changed, and what its controllers do then.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::fields::{FieldChange, Path};
use crate::manifest::ObjectRef;
use crate::spec::names::NODE_IMAGE_FAMILY;

/// What a change does, the worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Disruption {
    /// Nothing that runs notices.
    #[default]
    None,
    /// The object changes where it is.
    InPlace,
    /// Pods are restarted one after the other.
    Rolling,
    /// The object must be deleted and made anew, or is deleted.
    Replace,
    /// Nodes are deleted or made anew.
    Node,
    /// A volume is deleted.
    Data,
}

impl Disruption {
    /// Every class.
    pub const ALL: [Self; 6] = [Self::None, Self::InPlace, Self::Rolling, Self::Replace, Self::Node, Self::Data];

    /// The name as flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InPlace => "inplace",
            Self::Rolling => "rolling",
            Self::Replace => "replace",
            Self::Node => "node",
            Self::Data => "data",
        }
    }

    /// The class of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "nothing restarts",
            Self::InPlace => "changed in place",
            Self::Rolling => "rolling restart",
            Self::Replace => "replaced",
            Self::Node => "nodes replaced",
            Self::Data => "data lost",
        }
    }

    /// What it means that an object of that class is deleted, for people.
    pub fn words_of_deletion(self) -> &'static str {
        match self {
            Self::None | Self::InPlace => "deleted",
            Self::Rolling | Self::Replace => "pods deleted",
            Self::Node => "nodes deleted",
            Self::Data => "data lost",
        }
    }
}

impl fmt::Display for Disruption {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}

/// Kinds that are nodes, or pools of them.
pub const NODES: [&str; 8] = [
    "NodeClaim",
    "Machine",
    "NodePool",
    "ManagedClustersAgentPool",
    "MachinePool",
    "AzureASOManagedMachinePool",
    "AzureManagedMachinePool",
    "AWSManagedMachinePool",
];

/// Whether an object is a node or a pool of them.
pub fn is_node(reference: &ObjectRef) -> bool {
    // Others have a MachinePool that is something else.
    NODES.contains(&reference.kind.as_str()) && (reference.kind != "MachinePool" || reference.group == "cluster.x-k8s.io")
}

/// What it does that an object is gone.
pub(super) fn of_removed(reference: &ObjectRef) -> Disruption {
    match reference.kind.as_str() {
        "PersistentVolumeClaim" | "PersistentVolume" | "Namespace" => Disruption::Data,
        "StatefulSet" | "Deployment" | "Job" | "DaemonSet" | "Pod" | "HelmRelease" => Disruption::Replace,
        _ if is_node(reference) => Disruption::Node,
        _ => Disruption::InPlace,
    }
}

/// What a change of a field does.
pub(super) fn of_change(reference: &ObjectRef, change: &FieldChange) -> Disruption {
    let path = &change.path;
    if path.starts_with(&["metadata"]) {
        return if is_of_the_node(reference, path) { Disruption::Node } else { Disruption::InPlace };
    }
    match (reference.group.as_str(), reference.kind.as_str()) {
        ("apps", "StatefulSet") => stateful_set(path),
        ("apps", "Deployment" | "DaemonSet") if path.starts_with(&["spec", "template"]) => Disruption::Rolling,
        ("apps", "Deployment" | "DaemonSet") if path.starts_with(&["spec", "selector"]) => Disruption::Replace,
        ("batch", "Job") => job(path),
        ("", "Service") if path.starts_with(&["spec", "clusterIP"]) => Disruption::Replace,
        ("", "PersistentVolumeClaim") if path.starts_with(&["spec", "resources"]) => claim(change),
        ("", "PersistentVolumeClaim" | "PersistentVolume") if path.starts_with(&["spec"]) => Disruption::Data,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") if path.starts_with(&["roleRef"]) => Disruption::Replace,
        ("scheduling.k8s.io", "PriorityClass") if path.starts_with(&["value"]) || path.starts_with(&["preemptionPolicy"]) => {
            Disruption::Replace
        }
        ("storage.k8s.io", "StorageClass") if !is_changeable_of_class(path) => Disruption::Replace,
        ("", "Secret") if path.starts_with(&["type"]) => Disruption::Replace,
        ("kaito.sh", "Workspace") => workspace(change),
        _ if is_node(reference) => node(path),
        _ => Disruption::InPlace,
    }
}

/// Of a class of storage only these can be changed, besides its metadata.
fn is_changeable_of_class(path: &Path) -> bool {
    path.starts_with(&["allowVolumeExpansion"]) || path.starts_with(&["allowedTopologies"])
}

/// What Kaito's webhook doesn't let be changed: nodes, the preset, and whether it serves, tunes or runs a template.
fn workspace(change: &FieldChange) -> Disruption {
    const FIXED: [&[&str]; 5] = [
        &["resource", "count"],
        &["resource", "partition"],
        &["resource", "instanceType"],
        &["resource", "labelSelector"],
        &["inference", "preset"],
    ];
    const WHOLE: [&[&str]; 3] = [&["inference"], &["tuning"], &["inference", "template"]];
    let path = &change.path;
    let is_toggled = change.before.is_none() || change.after.is_none();
    let is_whole = WHOLE.iter().any(|fields| path.fields().eq(fields.iter().copied()));
    if FIXED.iter().any(|fields| path.starts_with(fields)) || (is_toggled && is_whole) { Disruption::Replace } else { Disruption::InPlace }
}

/// Whether a label or annotation of a single node's object is one that the node gets when it is made, and never after.
fn is_of_the_node(reference: &ObjectRef, path: &Path) -> bool {
    let is_made_once = matches!(reference.kind.as_str(), "NodeClaim" | "Machine") && is_node(reference);
    is_made_once && (path.starts_with(&["metadata", "labels"]) || path.starts_with(&["metadata", "annotations", NODE_IMAGE_FAMILY]))
}

fn stateful_set(path: &Path) -> Disruption {
    const IN_PLACE: [&str; 7] = [
        "replicas",
        "updateStrategy",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "revisionHistoryLimit",
        "ordinals",
        "(order)",
    ];
    if path.starts_with(&["spec", "template"]) {
        return Disruption::Rolling;
    }
    match path.fields().nth(1) {
        Some(field) if !IN_PLACE.contains(&field) => Disruption::Replace,
        _ => Disruption::InPlace,
    }
}

fn job(path: &Path) -> Disruption {
    const IN_PLACE: [&str; 6] =
        ["suspend", "parallelism", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit", "podReplacementPolicy"];
    match path.fields().nth(1) {
        Some(field) if !IN_PLACE.contains(&field) => Disruption::Replace,
        _ => Disruption::InPlace,
    }
}

/// A claim may grow, and nothing else.
fn claim(change: &FieldChange) -> Disruption {
    let bytes = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).and_then(crate::quantity::bytes);
    if bytes(&change.before) <= bytes(&change.after) { Disruption::InPlace } else { Disruption::Data }
}

/// A pool may have more or fewer nodes, or other budgets; everything else of a node means another node.
fn node(path: &Path) -> Disruption {
    const IN_PLACE: [&str; 9] =
        ["replicas", "disruption", "limits", "weight", "count", "minCount", "maxCount", "enableAutoScaling", "scaling"];
    match path.fields().nth(1) {
        Some(field) if IN_PLACE.contains(&field) => Disruption::InPlace,
        Some(_) => Disruption::Node,
        None => Disruption::InPlace,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::fields::changes;

    #[test]
    fn what_changes_do() {
        let table = [
            ("apps", "StatefulSet", json!({"spec": {"replicas": 1}}), json!({"spec": {"replicas": 2}}), Disruption::InPlace),
            ("apps", "StatefulSet", json!({"spec": {"template": {"a": 1}}}), json!({"spec": {"template": {"a": 2}}}), Disruption::Rolling),
            ("apps", "StatefulSet", json!({"spec": {"serviceName": "a"}}), json!({"spec": {"serviceName": "b"}}), Disruption::Replace),
            ("apps", "StatefulSet", json!({"metadata": {"labels": {}}}), json!({"metadata": {"labels": {"a": "b"}}}), Disruption::InPlace),
            ("apps", "Deployment", json!({"spec": {"template": {"a": 1}}}), json!({"spec": {"template": {"a": 2}}}), Disruption::Rolling),
            ("apps", "Deployment", json!({"spec": {"selector": 1}}), json!({"spec": {"selector": 2}}), Disruption::Replace),
            ("batch", "Job", json!({"spec": {"template": {"a": 1}}}), json!({"spec": {"template": {"a": 2}}}), Disruption::Replace),
            ("batch", "Job", json!({"spec": {"backoffLimit": 1}}), json!({"spec": {"backoffLimit": 2}}), Disruption::InPlace),
            ("", "Service", json!({"spec": {"type": "ClusterIP"}}), json!({"spec": {"type": "LoadBalancer"}}), Disruption::InPlace),
            ("", "Service", json!({"spec": {}}), json!({"spec": {"clusterIP": "None"}}), Disruption::Replace),
            ("karpenter.sh", "NodeClaim", json!({"spec": {"a": 1}}), json!({"spec": {"a": 2}}), Disruption::Node),
            (
                "karpenter.sh",
                "NodeClaim",
                json!({"metadata": {"labels": {}}}),
                json!({"metadata": {"labels": {"a": "b"}}}),
                Disruption::Node,
            ),
            (
                "karpenter.sh",
                "NodeClaim",
                json!({"metadata": {"annotations": {NODE_IMAGE_FAMILY: "ubuntu", "a": "b"}}}),
                json!({"metadata": {"annotations": {NODE_IMAGE_FAMILY: "azurelinux", "a": "b"}}}),
                Disruption::Node,
            ),
            (
                "karpenter.sh",
                "NodeClaim",
                json!({"metadata": {"annotations": {}}}),
                json!({"metadata": {"annotations": {"a": "b"}}}),
                Disruption::InPlace,
            ),
            (
                "karpenter.sh",
                "NodePool",
                json!({"metadata": {"labels": {}}}),
                json!({"metadata": {"labels": {"a": "b"}}}),
                Disruption::InPlace,
            ),
            ("karpenter.sh", "NodePool", json!({"spec": {"replicas": 1}}), json!({"spec": {"replicas": 2}}), Disruption::InPlace),
            ("karpenter.sh", "NodePool", json!({"spec": {"template": 1}}), json!({"spec": {"template": 2}}), Disruption::Node),
            (
                "",
                "PersistentVolumeClaim",
                json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
                json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
                Disruption::InPlace,
            ),
            (
                "",
                "PersistentVolumeClaim",
                json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
                json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
                Disruption::Data,
            ),
            (
                "",
                "PersistentVolumeClaim",
                json!({"spec": {"storageClassName": "a"}}),
                json!({"spec": {"storageClassName": "b"}}),
                Disruption::Data,
            ),
            (
                "kaito.sh",
                "Workspace",
                json!({"resource": {"instanceType": "a"}}),
                json!({"resource": {"instanceType": "b"}}),
                Disruption::Replace,
            ),
            (
                "kaito.sh",
                "Workspace",
                json!({"inference": {"preset": {"name": "a"}}}),
                json!({"inference": {"preset": {"name": "b"}}}),
                Disruption::Replace,
            ),
            ("kaito.sh", "Workspace", json!({"inference": {"a": 1}}), json!({"tuning": {"a": 1}}), Disruption::Replace),
            ("kaito.sh", "Workspace", json!({"inference": {"config": "a"}}), json!({"inference": {"config": "b"}}), Disruption::InPlace),
            ("", "ConfigMap", json!({"data": {"a": "1"}}), json!({"data": {"a": "2"}}), Disruption::InPlace),
        ];
        for (group, kind, before, after, want) in table {
            let reference = ObjectRef::new(group, kind, Some("n"), "x");
            let worst = changes(&before, &after).iter().map(|change| of_change(&reference, change)).max();
            assert_eq!(worst, Some(want), "{kind}: {before} and {after}");
        }
    }
}
