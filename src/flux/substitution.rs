//! What a Kustomization's `postBuild` would change in an object: it reads all of its text as a shell would, with the variables of scripts
//! among it, fails where one isn't its own, and makes one dollar of two.

use serde_json::{Value, json};

/// Keeps Flux from substituting anything in an object.
const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Says in an object that Flux is to leave it as it is, if there is anything that it would take for its own: `${`, or two dollars. An
/// object that says something of that itself stays. Whether it says something now that it hasn't said.
pub fn keep_from_substitution(object: &mut Value) -> bool {
    let says = |part: &str| object["metadata"][part].get(SUBSTITUTE).is_some();
    if says("annotations") || says("labels") || !has_variables(object) {
        return false;
    }
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return false };
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = json!({});
    }
    let Some(annotations) = annotations.as_object_mut() else { return false };
    annotations.insert(SUBSTITUTE.to_owned(), json!("disabled"));
    true
}

fn has_variables(value: &Value) -> bool {
    let is_variable = |text: &str| text.contains("${") || text.contains("$$");
    match value {
        Value::String(text) => is_variable(text),
        Value::Array(items) => items.iter().any(has_variables),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_variable(name) || has_variables(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_with_variables() {
        let marked = json!({SUBSTITUTE: "disabled"});
        let table = [
            (json!({}), json!({"a": "$(POD) $HOME {x} $"}), Value::Null),
            (json!({}), json!({"a": ["sh", "-c", "echo ${POD_INDEX}"]}), marked.clone()),
            (json!({"annotations": null}), json!({"a": "kill $$"}), marked.clone()),
            (json!({"annotations": {"a": "b"}}), json!({"${A}": 1}), json!({"a": "b", SUBSTITUTE: "disabled"})),
            (json!({"annotations": {SUBSTITUTE: "enabled"}}), json!({"a": "${A}"}), json!({SUBSTITUTE: "enabled"})),
            (json!({"labels": {SUBSTITUTE: "disabled"}}), json!({"a": "${A}"}), Value::Null),
        ];
        for (metadata, spec, want) in table {
            let mut object = json!({"kind": "Job", "metadata": metadata, "spec": spec});
            let is_new = keep_from_substitution(&mut object);
            assert_eq!(object["metadata"]["annotations"], want, "{spec}");
            assert_eq!(is_new, !keep_from_substitution(&mut object) && want.get(SUBSTITUTE) == Some(&json!("disabled")), "{spec}");
        }
        assert!(!keep_from_substitution(&mut json!("${A}")));
    }
}
