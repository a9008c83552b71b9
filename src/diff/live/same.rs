//! Values that the server writes otherwise than they were sent, and that are the same: quantities, and what it fills in.

use serde_json::{Value, json};

use crate::quantity;

/// Whether a value that is taken as a whole is live as it is wanted. `path` names the fields that lead to it.
pub(super) fn same(desired: &Value, live: &Value, path: &[&str]) -> bool {
    match (desired, live) {
        (Value::Null, _) => false,
        (Value::Object(desired), Value::Object(live)) => {
            let is_there = |(name, value): (&String, &Value)| {
                let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
                live.get(name).is_some_and(|live| same(value, live, &path))
            };
            let is_default = |(name, value): (&String, &Value)| default_of(name).as_ref() == Some(value);
            // What is there without anything of ours in it was filled by others.
            (live.is_empty() || !desired.is_empty())
                && desired.iter().all(is_there)
                && live.iter().filter(|(name, _)| !desired.contains_key(*name)).all(is_default)
        }
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len() && desired.iter().zip(live).all(|(desired, live)| same(desired, live, path))
        }
        _ => scalar_same(desired, live) || is_same_quantity(desired, live, path),
    }
}

/// What is wanted, with quantities that are the same written as they are: who compares them as texts sees no change then.
pub fn spelled_as(desired: &Value, live: &Value) -> Value {
    respelled(desired, live, &mut Vec::new())
}

fn respelled<'d>(desired: &'d Value, live: &Value, path: &mut Vec<&'d str>) -> Value {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let mut fields = desired.clone();
            for (name, value) in desired {
                path.push(name);
                if let Some(live) = live.get(name) {
                    fields.insert(name.clone(), respelled(value, live, path));
                }
                path.pop();
            }
            Value::Object(fields)
        }
        // Items by their place: of those that have moved nothing is the same, and nothing is lost.
        (Value::Array(desired), Value::Array(live)) if desired.len() == live.len() => {
            desired.iter().zip(live).map(|(desired, live)| respelled(desired, live, path)).collect()
        }
        _ if is_same_quantity(desired, live, path) => live.clone(),
        _ => desired.clone(),
    }
}

/// What the API server puts into a field of this name that is missing, in lists of ports and in what is taken as a whole: the
/// protocol, the version of a `fieldRef`, the divisor of a `resourceFieldRef`, and what makes a whole claim of each of a
/// `StatefulSet`'s `volumeClaimTemplates`.
pub(super) fn default_of(name: &str) -> Option<Value> {
    match name {
        "protocol" => Some(json!("TCP")),
        "apiVersion" => Some(json!("v1")),
        "divisor" => Some(json!("0")),
        "kind" => Some(json!("PersistentVolumeClaim")),
        "volumeMode" => Some(json!("Filesystem")),
        "status" => Some(json!({"phase": "Pending"})),
        _ => None,
    }
}

/// Whether two scalars are the same; 1 and 1.0 are.
pub(super) fn scalar_same(one: &Value, other: &Value) -> bool {
    one == other || matches!((one, other), (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64())
}

/// Whether two quantities are written otherwise and are the same, where the server writes them in its own way.
fn is_same_quantity(desired: &Value, live: &Value, path: &[&str]) -> bool {
    let is_quantity = path.len() > 1 && ["requests", "limits"].contains(&path[path.len() - 2]);
    is_quantity && quantity::is_same(&text(desired), &text(live))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Whether two texts are the same length of time, as Go writes durations: `720h` and `720h0m0s`.
pub(super) fn is_same_duration(one: &str, other: &str) -> bool {
    quantity::nanoseconds(one).is_some_and(|length| quantity::nanoseconds(other) == Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("720h", "720h0m0s", true),
            ("1m", "60s", true),
            ("1.5h", "90m", true),
            ("0s", "0h", true),
            ("1m", "1ms", false),
            ("60", "60s", false),
            ("1m", "1M", false),
            ("", "0s", false),
            ("Never", "Never", false),
            ("\u{b5}", "s", false),
        ];
        for (one, other, want) in table {
            assert_eq!(is_same_duration(one, other), want, "{one} and {other}");
        }
    }
}
