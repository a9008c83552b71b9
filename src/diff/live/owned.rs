//! Whether a server-side apply would leave an object alone, as far as that can be told without the server.
//!
//! It would if the fields that our last apply left to us are just those that we want, and all of them still have our values.
//! The server keeps these fields in `metadata.managedFields`, in a form that tells how it takes each of them: a list whose
//! items go by keys, a set, or a whole. So no schema is needed. What is not certain is not settled, and the server is asked.
//!
//! Source: Kubernetes' documentation of server-side apply, and `FieldsV1` of sigs.k8s.io/structured-merge-diff.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::same::{default_of, same, scalar_same};

/// Whether an apply of the desired object as this field manager would change nothing but who owns what.
pub fn is_settled(desired: &Value, live: &Value, manager: &str) -> bool {
    let is_same_version = |entry: &Value| entry["apiVersion"] == desired["apiVersion"] && live["apiVersion"] == desired["apiVersion"];
    let entry = entry_of(live, manager, "");
    // Of what has nothing but a name nothing can be owned.
    if entry.is_none() && desired.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| is_identity(&[], name, value))) {
        return true;
    }
    let Some(entry) = entry.filter(|entry| is_same_version(entry)) else { return false };
    let Some(owned) = entry["fieldsV1"].as_object() else { return false };
    let live = with_string_data(desired, live);
    owns(owned, desired, &live, &mut Vec::new())
}

/// Whether a server-side apply of this status as this field manager would change nothing.
pub fn is_status_settled(status: &Value, live: &Value, manager: &str) -> bool {
    let entry = entry_of(live, manager, "status").filter(|entry| entry["apiVersion"] == live["apiVersion"]);
    let owned = entry.and_then(|entry| entry.pointer("/fieldsV1/f:status")?.as_object());
    owned.is_some_and(|owned| owns(owned, status, &live["status"], &mut Vec::new()))
}

/// A live Secret with the `stringData` that is wanted, as far as its `data` say the same: it is written there and read here.
fn with_string_data<'l>(desired: &Value, live: &'l Value) -> Cow<'l, Value> {
    let Some(wanted) = desired["stringData"].as_object().filter(|_| desired["kind"] == "Secret" && desired["apiVersion"] == "v1") else {
        return Cow::Borrowed(live);
    };
    let is_there = |(key, text): &(&String, &Value)| text.as_str().is_some_and(|text| live["data"][*key] == STANDARD.encode(text));
    let mut live = live.clone();
    live["stringData"] = wanted.iter().filter(is_there).map(|(key, text)| (key.clone(), text.clone())).collect::<Map<_, _>>().into();
    Cow::Owned(live)
}

/// The fields that a field manager has applied.
pub(super) fn fields_of<'l>(live: &'l Value, manager: &str) -> Option<&'l Map<String, Value>> {
    entry_of(live, manager, "")?["fieldsV1"].as_object()
}

/// What a field manager has applied, if it is one entry: of the object, or of a part that has a path of its own.
fn entry_of<'l>(live: &'l Value, manager: &str, subresource: &str) -> Option<&'l Value> {
    let is_own = |entry: &&Value| {
        let of = entry["subresource"].as_str().unwrap_or_default();
        entry["manager"] == manager && entry["operation"] == "Apply" && of == subresource
    };
    let mut own = live.pointer("/metadata/managedFields")?.as_array()?.iter().filter(is_own);
    own.next().filter(|_| own.next().is_none())
}

/// Whether nobody owns a field, since it says which object it is: `apiVersion`, `kind`, `metadata.name` and `metadata.namespace`, and
/// `metadata` without anything else.
fn is_identity(path: &[&str], name: &str, value: &Value) -> bool {
    match path {
        [] if name == "metadata" => {
            value.as_object().is_some_and(|fields| fields.keys().all(|name| is_identity(&["metadata"], name, value)))
        }
        [] => ["apiVersion", "kind"].contains(&name),
        ["metadata"] => ["name", "namespace"].contains(&name),
        _ => false,
    }
}

/// Whether the owned fields below a field are just those of the desired value, with values that are still the same.
fn owns<'d>(owned: &Map<String, Value>, desired: &'d Value, live: &Value, path: &mut Vec<&'d str>) -> bool {
    let members: Vec<(&String, &Value)> = owned.iter().filter(|(name, _)| *name != ".").collect();
    if members.is_empty() {
        // A scalar, something empty, or what the server takes as a whole; which no object is.
        return !path.is_empty() && same(desired, live, path);
    }
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            desired.iter().filter(|(name, value)| !is_identity(path, name, value)).count() == members.len()
                && members.iter().all(|(name, owned)| {
                    let Some(((name, value), owned)) =
                        name.strip_prefix("f:").and_then(|name| desired.get_key_value(name)).zip(owned.as_object())
                    else {
                        return false;
                    };
                    let Some(live) = live.get(name).filter(|_| !is_identity(path, name, value)) else { return false };
                    path.push(name);
                    let is_owned = owns(owned, value, live, path);
                    path.pop();
                    is_owned
                })
        }
        (Value::Array(desired), Value::Array(live)) if desired.len() == members.len() => owns_items(&members, desired, live, path),
        _ => false,
    }
}

/// The same for a list whose items are known by keys or by their values: all are there, in the order in which they are wanted.
fn owns_items<'d>(members: &[(&String, &Value)], desired: &'d [Value], live: &[Value], path: &mut Vec<&'d str>) -> bool {
    let members: Option<Vec<(Key, &Map<String, Value>)>> =
        members.iter().map(|(name, owned)| Some((Key::read(name)?, owned.as_object()?))).collect();
    let Some(members) = members else { return false };
    let mut last = None;
    desired.iter().all(|item| {
        let mut fitting = members.iter().filter(|(key, _)| key.is_of(item));
        let (Some((key, owned)), None) = (fitting.next(), fitting.next()) else { return false };
        let mut at = live.iter().enumerate().filter(|(_, item)| key.is_of(item));
        let (Some((index, live)), None) = (at.next(), at.next()) else { return false };
        let is_in_order = last.is_none_or(|last| index > last);
        last = Some(index);
        is_in_order && owns(owned, item, live, path)
    })
}

/// By what an item of a list is known.
pub(super) enum Key {
    /// By the values of these fields.
    Fields(Map<String, Value>),
    /// By its value.
    Value(Value),
}

impl Key {
    /// The key in the name of an owned item: `k:{"name":"a"}` or `v:"a"`. Items by number have none.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (kind, json) = name.split_once(':')?;
        let value: Value = serde_json::from_str(json).ok()?;
        match (kind, value) {
            ("k", Value::Object(fields)) => Some(Self::Fields(fields)),
            ("v", value) => Some(Self::Value(value)),
            _ => None,
        }
    }

    /// Whether an item is the one of this key.
    pub(super) fn is_of(&self, item: &Value) -> bool {
        match self {
            Self::Fields(fields) => fields.iter().all(|(name, value)| {
                let own = item.get(name).map(Cow::Borrowed).or_else(|| default_of(name).map(Cow::Owned));
                own.is_some_and(|own| scalar_same(&own, value))
            }),
            Self::Value(value) => scalar_same(item, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An object of this content that `kaito` has applied and owns these fields of.
    fn live(mut content: Value, owned: &Value) -> Value {
        content["apiVersion"] = json!("apps/v1");
        content["kind"] = json!("StatefulSet");
        content["metadata"]["name"] = json!("x");
        content["metadata"]["managedFields"] = json!([
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "apiVersion": "apps/v1", "fieldsV1": {"f:status": {}}},
            {"manager": "kaito", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:other": {}}}},
            {"manager": "kaito", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": owned},
        ]);
        content
    }

    fn desired(mut content: Value) -> Value {
        content["apiVersion"] = json!("apps/v1");
        content["kind"] = json!("StatefulSet");
        content["metadata"]["name"] = json!("x");
        content
    }

    #[test]
    fn what_is_settled() {
        let spec = |spec: Value| json!({"spec": spec});
        let fields = |fields: Value| json!({"f:spec": fields});
        let ports = json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}});
        let list = json!({"f:l": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"b\"}": {".": {}, "f:name": {}}}});
        let item = |name: &str| json!({"name": name});
        let items = |names: &[&str]| json!({"l": names.iter().map(|name| item(name)).collect::<Vec<_>>()});
        let set = json!({"f:s": {"v:\"a\"": {}, "v:\"b\"": {}}});
        let limits = json!({"f:limits": {"f:memory": {}}});
        // What it says, the desired content, the live content, the owned fields, whether it is settled.
        let table = [
            ("the same", spec(json!({"a": 1})), spec(json!({"a": 1})), fields(json!({"f:a": {}})), true),
            ("another value", spec(json!({"a": 1})), spec(json!({"a": 2})), fields(json!({"f:a": {}})), false),
            ("a field of others", spec(json!({"a": 1})), spec(json!({"a": 1, "b": 1})), fields(json!({"f:a": {}})), true),
            ("a new field", spec(json!({"a": 1, "b": 1})), spec(json!({"a": 1, "b": 1})), fields(json!({"f:a": {}})), false),
            ("a field that goes", spec(json!({"a": 1})), spec(json!({"a": 1, "b": 1})), fields(json!({"f:a": {}, "f:b": {}})), false),
            ("an owned field that is gone", spec(json!({"a": 1})), spec(json!({})), fields(json!({"f:a": {}})), false),
            ("nothing is owned", spec(json!({"a": 1})), spec(json!({"a": 1})), json!({}), false),
            ("null", spec(json!({"a": null})), spec(json!({"a": null})), fields(json!({"f:a": {}})), false),
            ("an empty mapping", spec(json!({"a": {}})), spec(json!({"a": {}})), fields(json!({"f:a": {}})), true),
            (
                "an empty mapping that others filled",
                spec(json!({"a": {}})),
                spec(json!({"a": {"b": 1}})),
                fields(json!({"f:a": {}})),
                false,
            ),
            (
                "a quantity written otherwise",
                spec(json!({"limits": {"memory": "1024Mi"}})),
                spec(json!({"limits": {"memory": "1Gi"}})),
                fields(limits.clone()),
                true,
            ),
            (
                "another quantity",
                spec(json!({"limits": {"memory": "1Gi"}})),
                spec(json!({"limits": {"memory": "1G"}})),
                fields(limits),
                false,
            ),
            (
                "a key by default",
                spec(json!({"ports": [{"port": 80}]})),
                spec(json!({"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]})),
                fields(ports.clone()),
                true,
            ),
            (
                "another key",
                spec(json!({"ports": [{"port": 80, "protocol": "UDP"}]})),
                spec(json!({"ports": [{"port": 80, "protocol": "TCP"}]})),
                fields(ports),
                false,
            ),
            ("items", spec(items(&["a", "b"])), spec(items(&["a", "c", "b"])), fields(list.clone()), true),
            ("items in another order", spec(items(&["b", "a"])), spec(items(&["a", "b"])), fields(list.clone()), false),
            ("one item more", spec(items(&["a", "b", "c"])), spec(items(&["a", "b", "c"])), fields(list.clone()), false),
            ("one item less", spec(items(&["a"])), spec(items(&["a", "b"])), fields(list.clone()), false),
            ("an item twice", spec(items(&["a", "a"])), spec(items(&["a", "b"])), fields(list), false),
            ("a set", spec(json!({"s": ["a", "b"]})), spec(json!({"s": ["a", "x", "b"]})), fields(set.clone()), true),
            ("a set in another order", spec(json!({"s": ["b", "a"]})), spec(json!({"s": ["a", "b"]})), fields(set), false),
            ("a whole list", spec(json!({"l": ["a"]})), spec(json!({"l": ["a"]})), fields(json!({"f:l": {}})), true),
            ("a longer whole list", spec(json!({"l": ["a"]})), spec(json!({"l": ["a", "b"]})), fields(json!({"f:l": {}})), false),
            (
                "a whole with a default",
                spec(json!({"fieldRef": {"fieldPath": "x"}})),
                spec(json!({"fieldRef": {"fieldPath": "x", "apiVersion": "v1"}})),
                fields(json!({"f:fieldRef": {}})),
                true,
            ),
            (
                "a whole with what is no default",
                spec(json!({"fieldRef": {"fieldPath": "x"}})),
                spec(json!({"fieldRef": {"fieldPath": "x", "apiVersion": "v2"}})),
                fields(json!({"f:fieldRef": {}})),
                false,
            ),
            ("items by number", spec(json!({"l": ["a"]})), spec(json!({"l": ["a"]})), fields(json!({"f:l": {"i:0": {}}})), false),
            ("no JSON in a key", spec(json!({"l": ["a"]})), spec(json!({"l": ["a"]})), fields(json!({"f:l": {"k:{": {}}})), false),
        ];
        for (what, wanted, content, owned, want) in table {
            assert_eq!(is_settled(&desired(wanted), &live(content, &owned), "kaito"), want, "{what}");
        }
    }

    #[test]
    fn what_says_which_object_it_is() {
        let labels = |labels: Value| json!({"metadata": {"labels": labels}});
        let below = json!({"spec": {"kind": "a", "metadata": {"name": "b"}}});
        // What it says, the desired content, the live content, the owned fields, whether it is settled.
        let table = [
            (
                "a label",
                labels(json!({"a": "b"})),
                labels(json!({"a": "b", "c": "d"})),
                json!({"f:metadata": {"f:labels": {"f:a": {}}}}),
                true,
            ),
            ("a label that goes", json!({}), labels(json!({"a": "b"})), json!({"f:metadata": {"f:labels": {"f:a": {}}}}), false),
            ("a name that is owned", json!({}), json!({}), json!({"f:metadata": {"f:name": {}}}), false),
            ("nothing is owned of nothing", json!({}), json!({}), json!({}), false),
            ("the same names below", below.clone(), below, json!({"f:spec": {"f:kind": {}, "f:metadata": {"f:name": {}}}}), true),
        ];
        for (what, wanted, content, owned, want) in table {
            assert_eq!(is_settled(&desired(wanted), &live(content, &owned), "kaito"), want, "{what}");
        }
    }

    #[test]
    fn what_is_written_as_string_data() {
        let secret = |content: Value| {
            let mut secret = content;
            secret["apiVersion"] = json!("v1");
            secret["kind"] = json!("Secret");
            secret
        };
        let mut live = secret(json!({"data": {"a": "c2VjcmV0", "b": "eA=="}}));
        let owned = json!({"f:stringData": {"f:a": {}}});
        live["metadata"]["managedFields"] = json!([{"manager": "kaito", "operation": "Apply", "apiVersion": "v1", "fieldsV1": owned}]);
        assert!(is_settled(&secret(json!({"stringData": {"a": "secret"}})), &live, "kaito"));
        assert!(!is_settled(&secret(json!({"stringData": {"a": "other"}})), &live, "kaito"));
        assert!(!is_settled(&secret(json!({"stringData": {"a": "secret", "b": "x"}})), &live, "kaito"));
    }

    #[test]
    fn whose_fields_they_are() {
        let content = json!({"spec": {"a": 1}});
        let object = live(content.clone(), &json!({"f:spec": {"f:a": {}}}));
        assert!(is_settled(&desired(content.clone()), &object, "kaito"));
        assert!(!is_settled(&desired(content.clone()), &object, "kubectl"), "another manager");
        let mut other = desired(content.clone());
        other["apiVersion"] = json!("apps/v1beta1");
        assert!(!is_settled(&other, &object, "kaito"), "another version");
        let mut bare = object.clone();
        _ = bare["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert!(!is_settled(&desired(content), &bare, "kaito"), "nobody's");
    }
}
