//! The kinds that the server has, and their paths.

use serde_json::{Value, json};

/// A kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub name: &'static str,
    pub is_namespaced: bool,
    /// Whether its status has a path of its own.
    pub has_status: bool,
}

/// The kinds of which nobody looks at who owns their fields.
const UNMANAGED: [&str; 2] = ["Event", "Lease"];

const fn kind(
    (group, version): (&'static str, &'static str),
    (plural, name): (&'static str, &'static str),
    is_namespaced: bool,
    has_status: bool,
) -> Kind {
    Kind { group, version, plural, name, is_namespaced, has_status }
}

const CORE: (&str, &str) = ("", "v1");
const APPS: (&str, &str) = ("apps", "v1");

pub(crate) const KINDS: [Kind; 14] = [
    kind(CORE, ("namespaces", "Namespace"), false, true),
    kind(CORE, ("configmaps", "ConfigMap"), true, false),
    kind(CORE, ("secrets", "Secret"), true, false),
    kind(CORE, ("services", "Service"), true, true),
    kind(CORE, ("pods", "Pod"), true, true),
    kind(CORE, ("nodes", "Node"), false, true),
    kind(CORE, ("persistentvolumeclaims", "PersistentVolumeClaim"), true, true),
    kind(APPS, ("statefulsets", "StatefulSet"), true, true),
    kind(APPS, ("deployments", "Deployment"), true, true),
    kind(APPS, ("controllerrevisions", "ControllerRevision"), true, false),
    kind(("karpenter.sh", "v1"), ("nodeclaims", "NodeClaim"), false, true),
    kind(("kaito.sh", "v1beta1"), ("workspaces", "Workspace"), true, true),
    kind(("coordination.k8s.io", "v1"), ("leases", "Lease"), true, false),
    kind(("events.k8s.io", "v1"), ("events", "Event"), true, false),
];

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether it is kept who owns its fields.
    pub(crate) fn is_managed(&self) -> bool {
        !UNMANAGED.contains(&self.name)
    }

    /// The kind that an `apiVersion` and a kind name.
    pub(crate) fn of(object: &Value) -> Option<&'static Self> {
        KINDS.iter().find(|kind| object["kind"] == kind.name && object["apiVersion"] == kind.api_version())
    }
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target<'p> {
    /// The versions of a group.
    Group(&'p str),
    /// The kinds of a version of a group.
    Version(&'p str, &'p str),
    /// Objects of a kind, or one of them, or a part of one.
    Objects { kind: &'static Kind, namespace: &'p str, name: Option<&'p str>, part: Option<&'p str> },
}

impl<'p> Target<'p> {
    pub(crate) fn of(path: &'p str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group] => return Some(Self::Group(group)),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let find = |plural: &str| KINDS.iter().find(|kind| (kind.group, kind.version, kind.plural) == (group, version, plural));
        let (namespace, rest) = match rest {
            [] => return Some(Self::Version(group, version)),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let kind = find(rest.first()?)?;
        Some(Self::Objects { kind, namespace, name: rest.get(1).copied(), part: rest.get(2).copied() })
    }
}

/// The versions of a group, as discovery has them.
pub(crate) fn versions(group: &str) -> Option<Value> {
    let kind = KINDS.iter().find(|kind| kind.group == group)?;
    Some(json!({"kind": "APIGroup", "name": group, "versions": [{"groupVersion": kind.api_version(), "version": kind.version}]}))
}

/// The kinds of a version of a group, as discovery has them.
pub(crate) fn resources(group: &str, version: &str) -> Option<Value> {
    let of = || KINDS.iter().filter(|kind| (kind.group, kind.version) == (group, version));
    let resource = |kind: &Kind| json!({"name": kind.plural, "kind": kind.name, "namespaced": kind.is_namespaced});
    of().next()?;
    Some(json!({"kind": "APIResourceList", "resources": of().map(resource).collect::<Vec<_>>()}))
}

#[test]
fn what_paths_lead_to() {
    let objects = |plural: &str, namespace, name, part| {
        let kind = KINDS.iter().find(|kind| kind.plural == plural).unwrap();
        Some(Target::Objects { kind, namespace, name, part })
    };
    for (path, want) in [
        ("/apis/apps", Some(Target::Group("apps"))),
        ("/api/v1", Some(Target::Version("", "v1"))),
        ("/apis/apps/v1", Some(Target::Version("apps", "v1"))),
        ("/api/v1/secrets", objects("secrets", "", None, None)),
        ("/api/v1/namespaces/n", objects("namespaces", "", Some("n"), None)),
        ("/api/v1/namespaces/n/secrets/s", objects("secrets", "n", Some("s"), None)),
        ("/apis/kaito.sh/v1beta1/namespaces/n/workspaces/w/status", objects("workspaces", "n", Some("w"), Some("status"))),
        ("/apis/apps/v1/daemonsets", None),
        ("/healthz", None),
    ] {
        assert_eq!(Target::of(path), want, "{path}");
    }
}
