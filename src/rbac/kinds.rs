//! How kinds are called in paths, and whether their objects are in namespaces: what a server's discovery says, known without one.

use std::collections::HashMap;

use serde_json::Value;

use crate::inventory::GroupKind;
use crate::manifest::plural;

/// Where objects of a kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core.
    pub group: String,
    /// The name in paths: `statefulsets`.
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub is_namespaced: bool,
}

/// The kinds whose objects are in namespaces, by group. They are called by the plural of their kind.
const NAMESPACED: [(&str, &[&str]); 19] = [
    (
        "",
        &[
            "ConfigMap",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("autoscaling.k8s.io", &["VerticalPodAutoscaler"]),
    ("batch", &["CronJob", "Job"]),
    ("cert-manager.io", &["Certificate", "Issuer"]),
    ("cluster.x-k8s.io", &["Machine", "MachineDeployment", "MachinePool"]),
    ("containerservice.azure.com", &["ManagedCluster", "ManagedClustersAgentPool"]),
    ("external-secrets.io", &["ExternalSecret", "SecretStore"]),
    ("gateway.networking.k8s.io", &["Gateway", "HTTPRoute"]),
    ("helm.toolkit.fluxcd.io", &["HelmRelease"]),
    ("inference.networking.k8s.io", &["InferencePool"]),
    ("infrastructure.cluster.x-k8s.io", &["AWSManagedMachinePool", "AzureASOManagedMachinePool", "AzureManagedMachinePool"]),
    ("kaito.sh", &["InferenceSet", "MultiRoleInference", "RAGEngine", "Workspace"]),
    ("keda.sh", &["ScaledObject", "TriggerAuthentication"]),
    ("monitoring.coreos.com", &["PodMonitor", "PrometheusRule", "ServiceMonitor"]),
    ("networking.k8s.io", &["Ingress", "NetworkPolicy"]),
    ("policy", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", &["Role", "RoleBinding"]),
];

/// Another group of namespaces' kinds, whose name is that of its tool.
const FLUX_SOURCES: (&str, &[&str]) = ("source.toolkit.fluxcd.io", &["GitRepository", "HelmRepository", "OCIRepository"]);

/// The kinds whose objects are in no namespace, by group.
const CLUSTER: [(&str, &[&str]); 14] = [
    ("", &["Namespace", "Node", "PersistentVolume"]),
    ("admissionregistration.k8s.io", &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("cert-manager.io", &["ClusterIssuer"]),
    ("kaito.sh", &["ModelMirror"]),
    ("karpenter.azure.com", &["AKSNodeClass"]),
    ("karpenter.k8s.aws", &["EC2NodeClass"]),
    ("karpenter.kwok.sh", &["KWOKNodeClass"]),
    ("karpenter.sh", &["Machine", "NodeClaim", "NodePool", "Provisioner"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "StorageClass"]),
];

/// The kinds that are known here.
pub fn known() -> impl Iterator<Item = (GroupKind, Resource)> {
    let of = |is_namespaced: bool| {
        move |(group, kinds): (&'static str, &'static [&'static str])| {
            kinds.iter().map(move |kind| {
                let resource = Resource { group: group.to_owned(), plural: plural(kind), is_namespaced };
                (GroupKind::new(group, kind), resource)
            })
        }
    };
    NAMESPACED.into_iter().chain([FLUX_SOURCES]).flat_map(of(true)).chain(CLUSTER.into_iter().flat_map(of(false)))
}

/// Whether objects of a kind are known to be in no namespace.
pub fn is_cluster_wide(kind: &GroupKind) -> bool {
    CLUSTER.iter().any(|(group, kinds)| *group == kind.group && kinds.contains(&kind.kind.as_str()))
}

impl Resource {
    /// Where objects of a kind are, which is called by its plural.
    pub(super) fn of(kind: &GroupKind, is_namespaced: bool) -> Self {
        Self { group: kind.group.clone(), plural: plural(&kind.kind), is_namespaced }
    }
}

/// The kinds that are known, and those that an input defines.
pub(super) struct Known(HashMap<GroupKind, Resource>);

impl Known {
    /// The kinds that are known to whoever sees these objects.
    pub(super) fn with<'o>(objects: impl Iterator<Item = &'o Value>) -> Self {
        Self(known().chain(objects.filter_map(defined)).collect())
    }

    /// Where objects of a kind are. Of one that nobody knows it is guessed: that they are in namespaces, and called by the plural.
    pub(super) fn find(&self, kind: &GroupKind) -> Result<Resource, Resource> {
        self.0.get(kind).cloned().ok_or_else(|| Resource::of(kind, true))
    }
}

/// The kind that a `CustomResourceDefinition` defines.
fn defined(object: &Value) -> Option<(GroupKind, Resource)> {
    let spec = &object["spec"];
    let (group, names) = (spec["group"].as_str()?, &spec["names"]);
    let is_definition = object["kind"] == "CustomResourceDefinition";
    let resource =
        Resource { group: group.to_owned(), plural: names["plural"].as_str()?.to_owned(), is_namespaced: spec["scope"] != "Cluster" };
    is_definition.then_some((GroupKind::new(group, names["kind"].as_str()?), resource))
}
