//! JSON schemas as CRDs have them: structural ones.
//!
//! Source: the Kubernetes documentation of structural schemas. Nothing is `or null`, a choice of strings is an enumeration, and
//! an object whose fields aren't known says so.

use serde_json::{Map, Value, json};

/// The structural form of a schema with everything inlined.
pub(super) fn structural(schema: Value) -> Value {
    let Value::Object(mut fields) = schema else {
        // `true`: anything.
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    };
    take_out_null(&mut fields);
    if let Some(strings) = strings(&fields) {
        fields.remove("oneOf");
        fields.extend([("type".to_owned(), json!("string")), ("enum".to_owned(), strings)]);
    }
    fields.retain(|name, _| name != "$schema" && name != "title");
    match fields.get("format").and_then(Value::as_str) {
        Some("uint32") => _ = fields.insert("format".to_owned(), json!("int32")),
        Some("uint64") => _ = fields.insert("format".to_owned(), json!("int64")),
        Some(crate::quantity::FORMAT) => _ = fields.remove("format"),
        _ => {}
    }
    if fields.get("type").is_some_and(|kind| kind == "object") {
        let has_fields = fields.contains_key("properties");
        match fields.remove("additionalProperties") {
            Some(Value::Bool(false)) => {}
            Some(values @ Value::Object(_)) if !has_fields => _ = fields.insert("additionalProperties".to_owned(), structural(values)),
            _ => _ = fields.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true)),
        }
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(|schema| *schema = structural(schema.take()));
    }
    if let Some(items) = fields.get_mut("items") {
        *items = structural(items.take());
    }
    Value::Object(fields)
}

/// A field that may be absent is one that isn't required. What is said around the alternatives wins over what they say.
fn take_out_null(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_mut_slice() {
            let only = only.take();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Object(value)) = fields.get_mut("default") {
        value.retain(|_, value| !value.is_null());
    }
    if fields.get("default").is_some_and(|value| value.is_null() || *value == json!({})) {
        fields.remove("default");
    }
    let Some(Value::Array(mut alternatives)) = fields.remove("anyOf") else { return };
    alternatives.retain(|one| one["type"] != "null");
    match alternatives.as_mut_slice() {
        [Value::Object(only)] => {
            let around = std::mem::replace(fields, std::mem::take(only));
            fields.extend(around);
        }
        _ => _ = fields.insert("anyOf".to_owned(), Value::Array(alternatives)),
    }
}

/// The strings of an enumeration whose values are described one by one.
fn strings(fields: &Map<String, Value>) -> Option<Value> {
    let alternatives = fields.get("oneOf")?.as_array()?;
    let listed = |one: &Value| one.get("enum").and_then(Value::as_array).cloned().or_else(|| Some(vec![one.get("const")?.clone()]));
    let strings: Option<Vec<Vec<Value>>> = alternatives.iter().map(listed).collect();
    strings.map(|strings| Value::Array(strings.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas() {
        let table = [
            (json!({"type": ["string", "null"], "default": null}), json!({"type": "string"})),
            (
                json!({"type": "object", "default": {"a": null}, "properties": {}, "additionalProperties": false}),
                json!({"type": "object", "properties": {}}),
            ),
            (
                json!({"type": ["integer", "null"], "format": "uint32", "minimum": 0}),
                json!({"type": "integer", "format": "int32", "minimum": 0}),
            ),
            (
                json!({"description": "outer", "anyOf": [{"type": "object", "description": "inner", "properties": {}, "additionalProperties": false}, {"type": "null"}]}),
                json!({"description": "outer", "type": "object", "properties": {}}),
            ),
            (json!({"oneOf": [{"const": "a", "description": "A."}, {"const": "b"}]}), json!({"type": "string", "enum": ["a", "b"]})),
            (
                json!({"oneOf": [{"type": "string", "enum": ["a", "b"]}, {"const": "c"}]}),
                json!({"type": "string", "enum": ["a", "b", "c"]}),
            ),
            (
                json!({"type": "object", "additionalProperties": true}),
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": ["array", "null"], "items": {"type": "object"}}}}),
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                    "a": {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }}),
            ),
            (json!(true), json!({"x-kubernetes-preserve-unknown-fields": true})),
        ];
        for (schema, want) in table {
            assert_eq!(structural(schema.clone()), want, "{schema}");
        }
    }
}
