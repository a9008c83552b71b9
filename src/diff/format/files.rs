//! The objects as files, for programs that compare directories.

use super::unified::{in_path, text};
use crate::diff::{ObjectChange, Report};

/// An object as two files of one name.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectFile {
    /// As kubectl calls it: `apps.v1.StatefulSet.default.phi-4`, and `v1.Namespace..models` for an object that names no namespace.
    pub name: String,
    /// The older side as YAML, with secrets hidden; empty if there was none.
    pub before: String,
    /// The newer side, likewise.
    pub after: String,
}

/// Every object that is different.
pub fn files(report: &Report) -> Vec<ObjectFile> {
    report.owners.iter().flat_map(|owner| &owner.objects).map(of_object).collect()
}

fn of_object(object: &ObjectChange) -> ObjectFile {
    let (before, after) = (object.before.as_ref(), object.after.as_ref());
    let version = after.or(before).and_then(|object| object["apiVersion"].as_str()).unwrap_or_default().replace('/', ".");
    let reference = &object.reference;
    // A live object names its namespace, whether or not the one that is rendered does.
    let live = before.and_then(|object| object["metadata"]["namespace"].as_str());
    let (kind, namespace) = (&reference.kind, reference.namespace.as_deref().or(live).unwrap_or_default());
    let name = format!("{version}.{kind}.{namespace}.{}", in_path(&reference.name));
    ObjectFile { name, before: text(before), after: text(after) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::object_change;
    use crate::manifest::ObjectRef;

    #[test]
    fn files_are_called_as_kubectl_calls_them() {
        let table = [
            ("apps/v1", "StatefulSet", Some("default"), "phi-4", "apps.v1.StatefulSet.default.phi-4"),
            ("v1", "Namespace", None, "models", "v1.Namespace..models"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", None, "../a", "rbac.authorization.k8s.io.v1.ClusterRole....%2Fa"),
        ];
        for (version, kind, namespace, name, want) in table {
            let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}});
            let group = version.rsplit_once('/').map_or("", |(group, _)| group);
            let change = object_change(ObjectRef::new(group, kind, namespace, name), None, Some(object)).unwrap();
            let file = of_object(&change);
            assert_eq!((file.name.as_str(), file.before.as_str()), (want, ""));
            assert!(file.after.starts_with("apiVersion: "), "{}", file.after);
        }
    }
}
