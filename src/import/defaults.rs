//! Fields that say only what holds without them are left out, as the CRD of a kind tells.

use serde_json::Value;

use crate::crd::Kind;

/// Leaves out the fields of an object of `kaito.sh` that have the value that its kind gives them anyway.
pub(super) fn leave_out(object: &mut Value) {
    let Some(kind) = object["kind"].as_str().and_then(Kind::find) else { return };
    let definition = kind.definition();
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    // What only an older version has by itself isn't the same for all who read the file.
    let stored = versions.into_iter().find(|version| version["storage"] == true);
    if let Some(version) = stored {
        leave_out_of(object, &version["schema"]["openAPIV3Schema"]);
    }
}

fn leave_out_of(value: &mut Value, schema: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| leave_out_of(item, &schema["items"])),
        Value::Object(fields) => {
            let Some(known) = schema["properties"].as_object() else { return };
            let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name));
            fields.retain(|name, value| {
                let Some(schema) = known.get(name) else { return true };
                let was_empty = is_empty(value);
                leave_out_of(value, schema);
                let is_default = schema.get("default").is_some_and(|default| default == value);
                // Of a pod's parts an empty one means something; here all fields of a part may be left out, or it is required.
                let says_nothing = is_empty(value) && (!was_empty || schema.get("properties").is_some());
                is_required(name) || !(is_default || says_nothing)
            });
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_left_out() {
        let table = [
            (
                "Workspace",
                json!({
                    "resource": {"count": 1, "instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}},
                    "inference": {"preset": {"name": "phi-4", "accessMode": "public", "presetOptions": {}}},
                }),
                json!({
                    "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}},
                    "inference": {"preset": {"name": "phi-4"}},
                }),
            ),
            (
                "Workspace",
                json!({"resource": {"count": 2, "labelSelector": {}}, "inference": {"template": {"metadata": {}, "spec": {"x": {}}}}}),
                json!({"resource": {"count": 2, "labelSelector": {}}, "inference": {"template": {"metadata": {}, "spec": {"x": {}}}}}),
            ),
            (
                "InferenceSet",
                json!({"spec": {"replicas": 1, "labelSelector": {"matchLabels": {"a": "b"}}, "template": {"resource": {}}}}),
                json!({"spec": {"labelSelector": {"matchLabels": {"a": "b"}}, "template": {}}}),
            ),
            ("ConfigMap", json!({"data": {}}), json!({"data": {}})),
        ];
        for (kind, mut object, mut want) in table {
            object["kind"] = kind.into();
            want["kind"] = kind.into();
            leave_out(&mut object);
            assert_eq!(object, want);
        }
    }
}
