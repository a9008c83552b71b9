//! What an apply would make of an object, where the server won't say since it would refuse the change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::owned::{Key, fields_of};
use super::same::{default_of, same, scalar_same};
use crate::diff::fields::{KEYS, is_key};

/// The live object with everything that is wanted, and without what this field manager has applied before and no longer wants.
pub(super) fn merged(desired: &Value, live: &Value, manager: &str) -> Value {
    let nothing = Map::new();
    merge(fields_of(live, manager).unwrap_or(&nothing), &as_stored(desired), live, &mut Vec::new())
}

/// An object as a server stores it: of a Secret, `stringData` is only how `data` may be written.
fn as_stored(desired: &Value) -> Value {
    let mut stored = desired.clone();
    let fields = stored.as_object_mut().filter(|fields| fields.get("kind").is_some_and(|kind| kind == "Secret"));
    let Some(fields) = fields.filter(|fields| fields.get("apiVersion").is_some_and(|version| version == "v1")) else { return stored };
    if let Some(Value::Object(texts)) = fields.remove("stringData")
        && let Value::Object(data) = fields.entry("data").or_insert_with(|| Map::new().into())
    {
        data.extend(texts.into_iter().map(|(key, text)| (key, STANDARD.encode(text.as_str().unwrap_or_default()).into())));
    }
    stored
}

fn merge<'d>(owned: &Map<String, Value>, desired: &'d Value, live: &Value, path: &mut Vec<&'d str>) -> Value {
    match (desired, live) {
        (Value::Object(wanted), Value::Object(there)) if !wanted.is_empty() => {
            let is_ours = |name: &str| owned.contains_key(&format!("f:{name}")) && !wanted.contains_key(name);
            let mut merged: Map<String, Value> =
                there.iter().filter(|(name, _)| !is_ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
            for (name, value) in wanted {
                path.push(name);
                let value =
                    there.get(name).map_or_else(|| value.clone(), |there| merge(below(owned, &format!("f:{name}")), value, there, path));
                path.pop();
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(wanted), Value::Array(there)) => items(owned, wanted, there, path),
        _ if same(desired, live, path) => live.clone(),
        _ => desired.clone(),
    }
}

/// The items of a list: those that are wanted, in their order, and what others have added.
fn items<'d>(owned: &Map<String, Value>, wanted: &'d [Value], there: &[Value], path: &mut Vec<&'d str>) -> Value {
    let keys: Vec<(Key, &str)> = owned.keys().filter_map(|name| Some((Key::read(name)?, name.as_str()))).collect();
    let by_field = KEYS.into_iter().find(|key| is_key(key, wanted) && is_key(key, there));
    if keys.is_empty() && by_field.is_none() {
        return if same(&wanted.into(), &there.into(), path) { there.into() } else { with_defaults(&wanted.into(), &there.into()) };
    }
    let is_same_item = |one: &Value, other: &Value| {
        let by_key = keys.iter().any(|(key, _)| key.is_of(one) && key.is_of(other));
        by_key || by_field.is_some_and(|field| scalar_same(&one[field], &other[field])) || one == other
    };
    let mut merged: Vec<Value> = Vec::new();
    for item in wanted {
        let own = keys.iter().find(|(key, _)| key.is_of(item)).map_or("", |(_, name)| *name);
        let live = there.iter().find(|live| is_same_item(item, live));
        merged.push(live.map_or_else(|| item.clone(), |live| merge(below(owned, own), item, live, path)));
    }
    let is_left = |live: &&Value| !wanted.iter().any(|item| is_same_item(item, live)) && !keys.iter().any(|(key, _)| key.is_of(live));
    merged.extend(there.iter().filter(is_left).cloned());
    Value::Array(merged)
}

/// What is wanted as a whole, with what the server fills in as it has done before.
fn with_defaults(wanted: &Value, there: &Value) -> Value {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => {
            let filled = there.iter().filter(|(name, value)| !wanted.contains_key(*name) && default_of(name).as_ref() == Some(value));
            let own = wanted
                .iter()
                .map(|(name, value)| (name, there.get(name).map_or_else(|| value.clone(), |there| with_defaults(value, there))));
            own.chain(filled.map(|(name, value)| (name, value.clone()))).map(|(name, value)| (name.clone(), value)).collect()
        }
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => {
            wanted.iter().zip(there).map(|(wanted, there)| with_defaults(wanted, there)).collect()
        }
        _ => wanted.clone(),
    }
}

fn below<'o>(owned: &'o Map<String, Value>, name: &str) -> &'o Map<String, Value> {
    static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    owned.get(name).and_then(Value::as_object).unwrap_or(&NOTHING)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_becomes_of_it() {
        let named = |name: &str, value: i64| json!({"name": name, "v": value});
        // The owned fields, what is wanted, what is there, what becomes of it.
        let table = [
            (json!({}), json!({"a": 1}), json!({"a": 2, "b": 3}), json!({"a": 1, "b": 3})),
            (json!({"f:a": {}, "f:b": {}}), json!({"a": 1}), json!({"a": 1, "b": 3}), json!({"a": 1})),
            (json!({"f:a": {"f:b": {}}}), json!({"a": {"c": 1}}), json!({"a": {"b": 1, "d": 2}}), json!({"a": {"c": 1, "d": 2}})),
            (json!({}), json!({"limits": {"cpu": "0.5"}}), json!({"limits": {"cpu": "500m"}}), json!({"limits": {"cpu": "500m"}})),
            (
                json!({"f:l": {"k:{\"name\":\"a\"}": {".": {}}, "k:{\"name\":\"b\"}": {".": {}}}}),
                json!({"l": [named("c", 1), named("a", 2)]}),
                json!({"l": [named("a", 1), named("b", 1), named("x", 1)]}),
                json!({"l": [named("c", 1), named("a", 2), named("x", 1)]}),
            ),
            (
                json!({}),
                json!({"l": [named("a", 2)]}),
                json!({"l": [named("a", 1), named("x", 1)]}),
                json!({"l": [named("a", 2), named("x", 1)]}),
            ),
            (json!({"f:l": {}}), json!({"l": ["a"]}), json!({"l": ["a", "b"]}), json!({"l": ["a"]})),
            (json!({"f:a": {}}), json!({"a": {}}), json!({"a": {}}), json!({"a": {}})),
        ];
        for (owned, desired, live, want) in table {
            assert_eq!(merge(owned.as_object().unwrap(), &desired, &live, &mut Vec::new()), want, "{desired} and {live}");
        }
    }

    #[test]
    fn texts_of_a_secret_become_its_data() {
        let secret = |field: &str, value: &str| json!({"apiVersion": "v1", "kind": "Secret", field: {"a": value}});
        let live = secret("data", "eA==");
        assert_eq!(merged(&secret("stringData", "x"), &live, "kaito"), live);
        assert_eq!(merged(&secret("stringData", "y"), &live, "kaito"), secret("data", "eQ=="));
    }
}
