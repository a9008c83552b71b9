//! Values that are written otherwise than they were sent, and that are the same: quantities and what the server fills in, flags and
//! requirements in another order.

use serde_json::{Value, json};

use super::command::is_same_command;
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
        (Value::Array(desired), Value::Array(live)) if is_unordered(path) => {
            let is_there = |item: &Value| live.iter().any(|live| same(item, live, path));
            desired.len() == live.len()
                && desired.iter().all(is_there)
                && live.iter().all(|live| desired.iter().any(|item| same(item, live, path)))
        }
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len() && desired.iter().zip(live).all(|(desired, live)| same(desired, live, path))
        }
        _ => scalar_same(desired, live) || is_same_text(desired, live, path),
    }
}

/// What is wanted, with what is the same written as it is: who compares them as texts sees no change then, and restarts nothing.
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
        (Value::Array(_), Value::Array(_)) if is_unordered(path) && same(desired, live, path) => live.clone(),
        // Items by their place: of those that have moved nothing is the same, and nothing is lost.
        (Value::Array(desired), Value::Array(live)) if desired.len() == live.len() => {
            desired.iter().zip(live).map(|(desired, live)| respelled(desired, live, path)).collect()
        }
        _ if is_same_text(desired, live, path) => live.clone(),
        _ => desired.clone(),
    }
}

/// Whether the items of a list all hold at once, so that their order says nothing.
fn is_unordered(path: &[&str]) -> bool {
    path.last() == Some(&"matchExpressions")
}

/// Whether two texts are written otherwise and are the same.
fn is_same_text(desired: &Value, live: &Value, path: &[&str]) -> bool {
    is_same_quantity(desired, live, path) || is_same_command_of(desired, live, path)
}

fn is_same_command_of(desired: &Value, live: &Value, path: &[&str]) -> bool {
    let is_command = path.last().is_some_and(|name| ["command", "args"].contains(name));
    is_command && desired.as_str().zip(live.as_str()).is_some_and(|(desired, live)| is_same_command(desired, live))
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
    fn what_is_written_otherwise_is_spelled_as_it_is() {
        let pod = |command: &str, keys: [&str; 2], cpu: &str| {
            let expressions = keys.map(|key| json!({"key": key, "operator": "In", "values": ["x"]}));
            json!({
                "affinity": {"terms": [{"matchExpressions": expressions}]},
                "containers": [{"command": ["/bin/sh", "-c", command], "resources": {"requests": {"cpu": cpu}}}],
            })
        };
        let live = pod("serve --b --a=1", ["l", "k"], "500m");
        assert_eq!(spelled_as(&pod("serve --a=1 --b", ["k", "l"], "0.5"), &live), live);
        assert!(same(&pod("serve --a=1 --b", ["k", "l"], "0.5"), &live, &[]));
        let other = pod("serve --a=2 --b", ["k", "m"], "1");
        assert_eq!(spelled_as(&other, &live), other);
        assert!(!same(&pod("serve --a=1 --b", ["k", "k"], "0.5"), &live, &[]));
        // What is no command is no other text for having flags in it.
        let note = |text: &str| json!({"annotations": {"note": text}});
        assert!(!same(&note("a --b --c"), &note("a --c --b"), &[]));
    }

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
