//! Takes over what somebody has set by hand, so that an apply puts it right: also an item that was added to a list, which an apply
//! would otherwise leave, since it isn't ours.
//!
//! Source: Flux' kustomize-controller does the same with the fields of kubectl.

use serde_json::{Map, Value, json};

/// The `managedFields` of a live object where this field manager has applied what managers with one of these prefixes have updated or
/// applied; none if they own nothing.
pub fn taken_over(live: &Value, manager: &str, prefixes: &[String]) -> Option<Vec<Value>> {
    let entries = live["metadata"]["managedFields"].as_array()?;
    let of = |entry: &Value, subresources: &[&str]| subresources.contains(&entry["subresource"].as_str().unwrap_or_default());
    let is_own = |entry: &Value| of(entry, &[""]) && entry["manager"] == manager && entry["operation"] == "Apply";
    let is_theirs = |entry: &Value| {
        let name = entry["manager"].as_str().unwrap_or_default();
        // `kubectl scale` sets a field of the object itself.
        of(entry, &["", "scale"]) && name != manager && prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    if !entries.iter().any(is_theirs) {
        return None;
    }
    let mut fields = Map::new();
    for entry in entries.iter().filter(|entry| is_own(entry) || is_theirs(entry)) {
        unite(&mut fields, entry["fieldsV1"].as_object()?);
    }
    let version = entries.iter().find(|entry| is_own(entry)).map_or(&live["apiVersion"], |entry| &entry["apiVersion"]);
    let own = json!({"manager": manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": fields});
    let others = entries.iter().filter(|entry| !is_own(entry) && !is_theirs(entry)).cloned();
    Some(std::iter::once(own).chain(others).collect())
}

/// All fields of both.
fn unite(fields: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, below) in more {
        let mine = fields.entry(name.clone()).or_insert_with(|| json!({}));
        if let (Some(mine), Some(below)) = (mine.as_object_mut(), below.as_object()) {
            unite(mine, below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
        let mut entry =
            json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
        if !subresource.is_empty() {
            entry["subresource"] = subresource.into();
        }
        entry
    }

    #[test]
    fn what_kubectl_owns_is_taken_over() {
        let ours = || entry("kaito", "Apply", "", &json!({"f:spec": {"f:a": {}}}));
        let both = || entry("kaito", "Apply", "", &json!({"f:spec": {"f:a": {}, "f:b": {".": {}}}}));
        let status = || entry("kubectl-edit", "Update", "status", &json!({"f:status": {}}));
        let scaler = || entry("autoscaler", "Update", "", &json!({"f:spec": {"f:replicas": {}}}));
        let scale = || entry("kubectl", "Update", "scale", &json!({"f:spec": {"f:replicas": {}}}));
        let edit = || entry("kubectl-edit", "Update", "", &json!({"f:spec": {"f:b": {".": {}}}}));
        let table = [
            (vec![ours()], None),
            (vec![ours(), scaler()], None),
            (vec![ours(), status()], None),
            (vec![ours(), edit()], Some(vec![both()])),
            (vec![scaler(), edit(), ours(), status()], Some(vec![both(), scaler(), status()])),
            (vec![entry("kaito", "Apply", "", &json!({})), scale()], Some(vec![entry("kaito", "Apply", "", &scale()["fieldsV1"])])),
            (vec![edit()], Some(vec![entry("kaito", "Apply", "", &json!({"f:spec": {"f:b": {".": {}}}}))])),
        ];
        for (entries, want) in table {
            let live = json!({"apiVersion": "v1", "metadata": {"managedFields": entries}});
            assert_eq!(taken_over(&live, "kaito", &["kubectl".to_owned()]), want, "{live}");
        }
    }
}
