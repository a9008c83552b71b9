//! By what a member tells whose it is.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::GroupKind;
use crate::diff::Owner;
use crate::manifest::ObjectRef;
use crate::raw_object::RawObject;
use crate::status::whose;

/// The label of a member, with the id of its set. Some members have it as an annotation, see [`is_marked_by_annotation`].
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// A live member of a set.
#[derive(Clone, Debug)]
pub struct Member {
    /// What identifies it: with a namespace only if it is in one.
    pub reference: ObjectRef,
    /// The Workspace or RAGEngine that it belongs to, or the set.
    pub owner: Option<Owner>,
    /// The object, as far as it was read.
    pub object: RawObject,
}

/// The members among these that are plainly wanted, and the others, whole as they were read.
pub fn sorted<'m>(members: impl IntoIterator<Item = &'m Member>, wanted: &BTreeSet<ObjectRef>) -> (Vec<&'m ObjectRef>, Vec<Value>) {
    let (staying, others): (Vec<&Member>, Vec<&Member>) = members.into_iter().partition(|member| wanted.contains(&member.reference));
    (staying.into_iter().map(|member| &member.reference).collect(), others.into_iter().map(|member| member.object.read()).collect())
}

impl Member {
    /// An object, if it is a member of this set.
    pub fn of(object: RawObject, set: &str) -> Option<Self> {
        let head = object.head();
        (part_of(&head) == Some(set)).then_some(())?;
        Some(Self { reference: ObjectRef::of(&head).ok()?, owner: whose(&head, None), object })
    }
}

/// Whether members of a kind carry their mark as an annotation, so that a list by label doesn't find them.
///
/// The labels of these become labels of nodes, where Kubernetes keeps `kubernetes.io` to itself and clouds refuse it.
pub fn is_marked_by_annotation(kind: &GroupKind) -> bool {
    kind.group == "karpenter.sh" && ["NodeClaim", "Machine"].contains(&kind.kind.as_str())
}

/// Makes an object a member of this set and of no other. The pods of its template are no members.
///
/// Metadata that are no map stay as they are: the server refuses such an object anyway.
pub fn mark(object: &mut Value, id: &str) {
    let place = place(object);
    if let Some(marks) = object.as_object_mut().and_then(|object| map(object, "metadata")).and_then(|metadata| map(metadata, place)) {
        marks.insert(PART_OF.to_owned(), id.into());
    }
}

/// The set that an object is a member of.
pub fn part_of(object: &Value) -> Option<&str> {
    object["metadata"][place(object)][PART_OF].as_str()
}

fn place(object: &Value) -> &'static str {
    let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
    let kind = GroupKind::new(group, object["kind"].as_str().unwrap_or_default());
    if is_marked_by_annotation(&kind) { "annotations" } else { "labels" }
}

/// A field that is a map, or becomes one because it isn't there.
fn map<'o>(object: &'o mut Map<String, Value>, field: &str) -> Option<&'o mut Map<String, Value>> {
    let value = object.entry(field).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_are_where_they_do_no_harm() {
        let table = [
            ("v1", "Service", "/metadata/labels"),
            ("karpenter.sh/v1", "NodePool", "/metadata/labels"),
            ("cluster.x-k8s.io/v1beta1", "Machine", "/metadata/labels"),
            ("karpenter.sh/v1", "NodeClaim", "/metadata/annotations"),
            ("karpenter.sh/v1alpha5", "Machine", "/metadata/annotations"),
        ];
        for (api_version, kind, place) in table {
            let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": {"template": {}}});
            assert_eq!(part_of(&object), None, "{kind}");
            mark(&mut object, "one");
            mark(&mut object, "other");
            assert_eq!(part_of(&object), Some("other"), "{kind}");
            assert_eq!(object.pointer(place), Some(&json!({PART_OF: "other"})), "{kind}");
            assert_eq!(object["metadata"].as_object().map(Map::len), Some(2), "{kind}");
            assert_eq!(object["spec"], json!({"template": {}}), "{kind}");
        }
    }

    #[test]
    fn a_mark_stands_beside_what_is_there() {
        let table = [
            (json!({"labels": {"a": "b"}}), json!({"labels": {"a": "b", PART_OF: "id"}})),
            (json!({"labels": null}), json!({"labels": {PART_OF: "id"}})),
            (json!({"labels": "wrong"}), json!({"labels": "wrong"})),
            (json!(null), json!({"labels": {PART_OF: "id"}})),
            (json!([]), json!([])),
        ];
        for (before, want) in table {
            let mut object = json!({"apiVersion": "v1", "kind": "Service", "metadata": before});
            mark(&mut object, "id");
            assert_eq!(object["metadata"], want);
        }
    }
}
