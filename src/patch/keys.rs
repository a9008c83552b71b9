//! The lists that a strategic merge patch merges item by item, and the fields by which it tells items apart.
//!
//! Source: `x-kubernetes-patch-merge-key` and `x-kubernetes-list-map-keys` of Kubernetes' schema, for lists whose
//! `x-kubernetes-patch-strategy` is `merge`. `tests/patch.rs` compares it with what kustomize reads there.

use crate::manifest::ObjectRef;

/// A list, by its path, and the fields by which its items are told apart.
type Keys = (&'static [&'static str], &'static [&'static str]);

/// The lists of a pod's `spec`.
const POD: [Keys; 9] = [
    (&["containers"], &["name"]),
    (&["initContainers"], &["name"]),
    (&["ephemeralContainers"], &["name"]),
    (&["volumes"], &["name"]),
    (&["imagePullSecrets"], &["name"]),
    (&["hostAliases"], &["ip"]),
    (&["resourceClaims"], &["name"]),
    (&["schedulingGates"], &["name"]),
    (&["topologySpreadConstraints"], &["topologyKey", "whenUnsatisfiable"]),
];

/// The lists of a container.
const CONTAINER: [Keys; 4] = [
    (&["env"], &["name"]),
    (&["ports"], &["containerPort", "protocol"]),
    (&["volumeMounts"], &["mountPath"]),
    (&["volumeDevices"], &["devicePath"]),
];

/// The lists of any object's metadata; the items of `finalizers` are plain values.
const METADATA: [Keys; 2] = [(&["ownerReferences"], &["uid"]), (&["finalizers"], &[])];

/// The lists of kinds that hold no pod.
const OTHERS: [(&str, Keys); 4] = [
    ("Service", (&["spec", "ports"], &["port", "protocol"])),
    ("ServiceAccount", (&["secrets"], &["name"])),
    ("MutatingWebhookConfiguration", (&["webhooks"], &["name"])),
    ("ValidatingWebhookConfiguration", (&["webhooks"], &["name"])),
];

/// Where a kind has the `spec` of its pods.
fn pod_spec(kind: &str) -> &'static [&'static str] {
    match kind {
        "Pod" => &["spec"],
        "PodTemplate" => &["template", "spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => &["spec", "template", "spec"],
        _ => &[],
    }
}

/// Whether Kubernetes itself has this group. Of other groups no schema is known, and their lists are replaced as a whole.
fn is_built_in(group: &str) -> bool {
    const GROUPS: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];
    const NAMED: [&str; 11] = [
        "admissionregistration",
        "apiextensions",
        "certificates",
        "coordination",
        "discovery",
        "flowcontrol.apiserver",
        "networking",
        "node",
        "rbac.authorization",
        "scheduling",
        "storage",
    ];
    GROUPS.contains(&group) || group.strip_suffix(".k8s.io").is_some_and(|name| NAMED.contains(&name))
}

/// The fields by which the items of a list are told apart, if the list is merged; none of them if its items are plain values.
/// Steps of `path` name fields only: the items of a list are alike.
pub fn merge_keys(object: &ObjectRef, path: &[&str]) -> Option<&'static [&'static str]> {
    if !is_built_in(&object.group) {
        return None;
    }
    let find = |table: &'static [Keys], path: &[&str]| table.iter().find(|(of, _)| *of == path).map(|(_, keys)| *keys);
    let spec = pod_spec(&object.kind);
    match path {
        [.., "metadata", last] => find(&METADATA, &[*last]),
        _ if !spec.is_empty() && path.starts_with(spec) => match &path[spec.len()..] {
            ["containers" | "initContainers" | "ephemeralContainers", rest @ ..] if !rest.is_empty() => find(&CONTAINER, rest),
            rest => find(&POD, rest),
        },
        _ => OTHERS.iter().find(|(kind, (of, _))| *kind == object.kind && *of == path).map(|(_, (_, keys))| *keys),
    }
}
