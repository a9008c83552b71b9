//! Kubernetes objects by what identifies them: group, kind, namespace, name.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde_json::Value;
use smol_str::SmolStr;

use crate::diagnostic::visible_in_a_line;
use crate::spec::names;

/// What identifies an object. Orders as objects are applied: by kind, namespace, name. There are many, and their texts are short.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// The API group; empty for the core.
    pub group: SmolStr,
    /// The kind.
    pub kind: SmolStr,
    /// The namespace, of an object that has one.
    pub namespace: Option<SmolStr>,
    /// The name.
    pub name: SmolStr,
}

/// The kinds in the order in which they are applied; others come before the workloads, by name.
const ORDER: [&str; 32] = [
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Workspace",
    "ModelMirror",
    "AKSNodeClass",
    "EC2NodeClass",
    "NodePool",
    "NodeClaim",
    "Machine",
    "ManagedClustersAgentPool",
    "MachinePool",
    "AzureASOManagedMachinePool",
    "AzureManagedMachinePool",
    "AWSManagedMachinePool",
    "Service",
    "",
    "Deployment",
    "StatefulSet",
    "Job",
];

/// Where the kinds of [`ORDER`] end that others only refer to.
const SETTINGS_END: usize = 19;

/// The plural of a kind, as its resource is called: `networkpolicies`.
pub fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ["s", "x", "ch", "sh"].iter().any(|end| kind.ends_with(end)) => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

/// When an object is applied, the first stage first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Namespaces and `CustomResourceDefinition`s, without which others can't be.
    Definitions,
    /// What others refer to: classes, accounts and their rights, ConfigMaps, Secrets, claims, mirrors.
    Settings,
    /// Nodes and pools of them.
    Nodes,
    /// Services, and every kind that isn't known here.
    Services,
    /// What runs.
    Workloads,
    /// Webhooks and extension servers, which may refuse everything else while they aren't up.
    Webhooks,
}

/// A reference for which another is the same that means the same object: a key that takes little memory.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'r> {
    reference: &'r ObjectRef,
    default: &'r str,
}

impl Identity<'_> {
    fn parts(&self) -> [&str; 4] {
        let ObjectRef { group, kind, namespace, name } = self.reference;
        [group, kind, namespace.as_deref().unwrap_or(self.default), name]
    }
}

impl PartialEq for Identity<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Identity<'_> {}

impl Hash for Identity<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.parts().hash(hasher);
    }
}

impl ObjectRef {
    /// A reference from its parts.
    pub fn new(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self { group: group.into(), kind: kind.into(), namespace: namespace.map(SmolStr::from), name: name.into() }
    }

    /// The reference of an object.
    ///
    /// # Errors
    /// What makes it no Kubernetes object.
    pub fn of(object: &Value) -> Result<Self, String> {
        let text = |value: &Value, what: &str| match value.as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("it has no {what}")),
        };
        let (api_version, kind) = (text(&object["apiVersion"], "apiVersion")?, text(&object["kind"], "kind")?);
        let metadata = &object["metadata"];
        let name = text(&metadata["name"], "metadata.name")?;
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
        if !names::is_dns_label(version) || !(group.is_empty() || names::is_dns_subdomain(group)) {
            return Err(format!("{api_version:?} is no apiVersion"));
        }
        if !kind.starts_with(|c: char| c.is_ascii_uppercase()) || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("{kind:?} is no kind"));
        }
        // RBAC alone has names with colons and the like.
        if group != "rbac.authorization.k8s.io" && !names::is_dns_subdomain(&name) {
            return Err(format!("{name:?} is no name: it has lower-case letters, digits, dashes and dots"));
        }
        let namespace = match &metadata["namespace"] {
            Value::Null => None,
            namespace => Some(text(namespace, "metadata.namespace")?),
        };
        match namespace {
            Some(namespace) if !names::is_dns_label(&namespace) => Err(format!("{namespace:?} is no name of a namespace")),
            namespace => Ok(Self::new(group, &kind, namespace.as_deref(), &name)),
        }
    }

    /// Its name, or that of its namespace, if that can't stand in the address of a request: nothing can be called so, and nothing be asked.
    pub fn unfit_name(&self) -> Option<&str> {
        [Some(&self.name), self.namespace.as_ref()].into_iter().flatten().map(SmolStr::as_str).find(|name| !names::is_path_segment(name))
    }

    /// As kubectl prints it with `-o name`: `statefulset.apps/phi-4`, `service/phi-4`. It is for people: an object that passes through may
    /// be called anything.
    pub fn resource_name(&self) -> String {
        let kind = self.kind.to_lowercase();
        let name = if self.group.is_empty() { format!("{kind}/{}", self.name) } else { format!("{kind}.{}/{}", self.group, self.name) };
        visible_in_a_line(&name)
    }

    /// The path of its file below a directory of manifests: in the folder of the Workspace that it belongs to, or else of its
    /// namespace. With its group, for where another group has a kind of that name.
    pub fn file_path(&self, workspace: Option<(&str, &str)>, with_group: bool) -> String {
        let kind = safe(&self.kind.to_lowercase());
        let kind = if with_group { format!("{kind}.{}", safe(&self.group)) } else { kind };
        let file = format!("{kind}-{}.yaml", safe(&self.name));
        match (workspace, &self.namespace) {
            (Some((namespace, name)), _) => format!("{}/{}/{file}", safe(namespace), safe(name)),
            (None, Some(namespace)) => format!("{}/{file}", safe(namespace)),
            (None, None) => file,
        }
    }

    /// The reference with a namespace in any case: two that are equal so would be one object. What belongs to no namespace is
    /// given one too, so that nobody has to know which kinds those are.
    #[must_use]
    pub fn in_namespace(mut self, default: &str) -> Self {
        self.namespace.get_or_insert_with(|| default.into());
        self
    }

    /// What two references have in common that mean one object, as [`in_namespace`](Self::in_namespace) has it.
    pub fn identity<'r>(&'r self, default: &'r str) -> Identity<'r> {
        Identity { reference: self, default }
    }

    /// Which objects are applied at the same time: those of a stage, when those of earlier stages are there.
    pub fn stage(&self) -> Stage {
        match self.kind.as_str() {
            "Namespace" | "CustomResourceDefinition" => Stage::Definitions,
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" | "APIService" => Stage::Webhooks,
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Pod" | "Job" | "CronJob" => Stage::Workloads,
            "NodePool" | "NodeClaim" | "Machine" | "MachinePool" => Stage::Nodes,
            kind if kind.ends_with("AgentPool") || kind.ends_with("ManagedMachinePool") => Stage::Nodes,
            kind if ORDER.iter().position(|known| *known == kind).is_some_and(|at| at < SETTINGS_END) => Stage::Settings,
            kind if kind.ends_with("Class") => Stage::Settings,
            _ => Stage::Services,
        }
    }

    /// The reference without its namespace.
    #[must_use]
    pub fn without_namespace(&self) -> Self {
        Self { namespace: None, ..self.clone() }
    }

    fn rank(&self) -> usize {
        let other = ORDER.iter().position(|kind| kind.is_empty()).unwrap_or(ORDER.len());
        ORDER.iter().position(|kind| *kind == self.kind).unwrap_or(other)
    }
}

impl Ord for ObjectRef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let Self { group, kind, namespace, name } = other;
        // Most are of the same kind, and have the same rank.
        let by_kind = || self.rank().cmp(&other.rank()).then_with(|| self.kind.cmp(kind));
        let by_kind = if self.kind == *kind { std::cmp::Ordering::Equal } else { by_kind() };
        by_kind.then_with(|| (&self.group, &self.namespace, &self.name).cmp(&(group, namespace, name)))
    }
}

impl PartialOrd for ObjectRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        };
        out.write_str(&visible_in_a_line(&name))
    }
}

/// A name as one part of a path: RBAC names may hold colons and slashes.
fn safe(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let text: String = name.chars().map(|c| if good(c) { c } else { '_' }).collect();
    if text.starts_with('.') { format!("_{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages() {
        let table = [
            ("Namespace", Stage::Definitions),
            ("CustomResourceDefinition", Stage::Definitions),
            ("StorageClass", Stage::Settings),
            ("ClusterRoleBinding", Stage::Settings),
            ("Secret", Stage::Settings),
            ("PersistentVolumeClaim", Stage::Settings),
            ("Workspace", Stage::Settings),
            ("ModelMirror", Stage::Settings),
            ("AKSNodeClass", Stage::Settings),
            ("KWOKNodeClass", Stage::Settings),
            ("NodePool", Stage::Nodes),
            ("NodeClaim", Stage::Nodes),
            ("ManagedClustersAgentPool", Stage::Nodes),
            ("AzureASOManagedMachinePool", Stage::Nodes),
            ("Service", Stage::Services),
            ("Ingress", Stage::Services),
            ("HelmRelease", Stage::Services),
            ("StatefulSet", Stage::Workloads),
            ("Job", Stage::Workloads),
            ("ValidatingWebhookConfiguration", Stage::Webhooks),
        ];
        for (kind, want) in table {
            assert_eq!(ObjectRef::new("", kind, None, "x").stage(), want, "{kind}");
        }
        // What is applied later is never in an earlier stage.
        let stages: Vec<Stage> = ORDER.iter().map(|kind| ObjectRef::new("", kind, None, "x").stage()).collect();
        assert!(stages.is_sorted(), "{stages:?}");
    }

    #[test]
    fn paths_stay_where_they_are() {
        let chat = Some(("models", "chat"));
        let table = [
            ("apps", "StatefulSet", Some("models"), "chat", chat, false, "models/chat/statefulset-chat.yaml"),
            ("karpenter.sh", "NodeClaim", None, "ws1", chat, true, "models/chat/nodeclaim.karpenter.sh-ws1.yaml"),
            ("", "ConfigMap", Some("models"), "a.b", None, false, "models/configmap-a.b.yaml"),
            ("rbac.authorization.k8s.io", "ClusterRole", None, "../a b:c", None, false, "clusterrole-_.._a_b_c.yaml"),
        ];
        for (group, kind, namespace, name, workspace, with_group, want) in table {
            assert_eq!(ObjectRef::new(group, kind, namespace, name).file_path(workspace, with_group), want);
        }
    }
}
