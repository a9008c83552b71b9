//! A patch of the rendered objects, a file for each, which `git apply` and `patch -p1` take.

use std::fmt::Write as _;

use serde_json::Value;
use similar::TextDiff;

use super::lines::CONTEXT;
use crate::diff::{ObjectChange, Report};
use crate::manifest::ObjectRef;
use crate::yaml;

/// The patch.
pub fn unified(report: &Report) -> String {
    report.owners.iter().flat_map(|owner| &owner.objects).map(of_object).collect()
}

fn of_object(object: &ObjectChange) -> String {
    let (before, after) = (text(object.before.as_ref()), text(object.after.as_ref()));
    let path = path(&object.reference);
    let mut out = format!("diff --git a/{path} b/{path}\n");
    let (mut old, mut new) = (format!("a/{path}"), format!("b/{path}"));
    if object.before.is_none() {
        out.push_str("new file mode 100644\n");
        "/dev/null".clone_into(&mut old);
    }
    if object.after.is_none() {
        out.push_str("deleted file mode 100644\n");
        "/dev/null".clone_into(&mut new);
    }
    _ = write!(out, "{}", TextDiff::from_lines(&before, &after).unified_diff().context_radius(CONTEXT).header(&old, &new));
    out
}

/// An object as YAML; empty if there is none.
pub(super) fn text(object: Option<&Value>) -> String {
    let mut text = String::new();
    if let Some(object) = object {
        yaml::to_yaml(object, &mut text);
    }
    text
}

/// `NAMESPACE/KIND.GROUP/NAME.yaml`, and `_` for an object that names no namespace, which no namespace is called.
fn path(reference: &ObjectRef) -> String {
    let (kind, name) = (&reference.kind.to_lowercase(), &reference.name);
    let kind = if reference.group.is_empty() { kind.clone() } else { format!("{kind}.{}", reference.group) };
    format!("{}/{kind}/{}.yaml", reference.namespace.as_deref().unwrap_or("_"), in_path(name))
}

/// RBAC's names may hold anything: what isn't at home in a path is written as in a URL.
pub(super) fn in_path(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => path.push(char::from(byte)),
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_where_they_are() {
        let path = |group, kind, namespace, name| path(&ObjectRef::new(group, kind, namespace, name));
        assert_eq!(path("apps", "StatefulSet", Some("default"), "phi-4"), "default/statefulset.apps/phi-4.yaml");
        assert_eq!(path("", "ConfigMap", None, "a.b"), "_/configmap/a.b.yaml");
        assert_eq!(
            path("rbac.authorization.k8s.io", "ClusterRole", None, "../a b:c"),
            "_/clusterrole.rbac.authorization.k8s.io/..%2Fa%20b%3Ac.yaml"
        );
    }
}
