//! How live objects are doing: `golden/health/NAME.yaml` holds them, and `NAME.txt` what is said of each. The names of the
//! objects are those of the cases.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kaito::diagnostic::SourceFile;
use kaito::health::{Health, Status, health};
use kaito::yaml;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::support::{expect, names};

/// The objects of a file.
fn objects(path: &Path) -> Vec<Value> {
    let (text, mut findings) = (fs::read_to_string(path).unwrap(), Vec::new());
    let documents = yaml::read(&SourceFile::new(path.display().to_string(), text), yaml::Limits::default(), &mut findings);
    assert!(findings.is_empty(), "{}: {findings:?}", path.display());
    documents.iter().map(|document| document.root.to_value()).collect()
}

/// The objects of all files, by the file's name without its end.
pub(crate) fn cases() -> Vec<(String, Vec<Value>)> {
    let files = names("golden/health").into_iter().filter_map(|name| name.strip_suffix(".yaml").map(ToOwned::to_owned));
    files.map(|name| (name.clone(), objects(&Path::new("golden/health").join(format!("{name}.yaml"))))).collect()
}

#[test]
fn objects_are_as_healthy_as_expected() {
    let mut faults = Vec::new();
    for (file, objects) in cases() {
        let (mut text, mut seen) = (String::new(), BTreeSet::new());
        for object in &objects {
            let case = format!("{} {}", object["kind"].as_str().unwrap_or("-"), object["metadata"]["name"].as_str().unwrap_or("-"));
            let Health { status, is_stuck, message } = health(object);
            writeln!(text, "{case}\n  {status}{}: {message}", if is_stuck { ", stuck" } else { "" }).unwrap();
            assert!(seen.insert(case.clone()), "{file}: two cases are called {case}");
        }
        faults.extend(expect(&Path::new("golden/health").join(format!("{file}.txt")), &text).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Only what is on its way can be stuck, or being deleted.
fn is_consistent(health: &Health) -> bool {
    let is_line = !health.message.is_empty() && !health.message.chars().any(char::is_control) && health.message.chars().count() <= 403;
    is_line && (!health.is_stuck || matches!(health.status, Status::InProgress | Status::Terminating))
}

/// Every object, without any of its fields or with something else in its place.
#[test]
fn no_field_is_relied_on() {
    let others = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(""),
        json!([]),
        json!([[], 1]),
        json!({"a": 1}),
    ];
    for object in cases().into_iter().flat_map(|(_, objects)| objects) {
        for path in paths(&object) {
            for other in &others {
                let mut changed = object.clone();
                *changed.pointer_mut(&path).unwrap() = other.clone();
                let health = health(&changed);
                assert!(is_consistent(&health), "{path} as {other}: {health:?}\n{object}");
            }
        }
    }
}

/// The JSON pointers of all fields.
pub(crate) fn paths(value: &Value) -> Vec<String> {
    let below = |(name, value): (String, &Value)| paths(value).into_iter().map(move |path| format!("/{name}{path}")).collect::<Vec<_>>();
    let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
    let mut all = vec![String::new()];
    match value {
        Value::Object(fields) => all.extend(fields.iter().map(|(name, value)| (escaped(name), value)).flat_map(below)),
        Value::Array(items) => all.extend(items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).flat_map(below)),
        _ => {}
    }
    all
}

/// Words that the rules know, between others.
fn word() -> impl Strategy<Value = String> {
    let known = "status conditions type reason message replicas readyReplicas observedGeneration generation metadata spec phase containerStatuses \
                 state waiting terminated name Ready True False Unknown Failed Running Pending ImagePullBackOff CrashLoopBackOff LaunchFailed"
        .split_whitespace()
        .map(ToOwned::to_owned)
        .collect::<Vec<_>>();
    prop_oneof![4 => select(known), 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, word().prop_map(Value::from)];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let fields = proptest::collection::btree_map(word(), inner.clone(), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The kinds of all cases.
fn kinds() -> Vec<(Value, Value)> {
    let objects = cases().into_iter().flat_map(|(_, objects)| objects);
    let kinds = objects.map(|object| (object["apiVersion"].to_string(), object["kind"].to_string())).collect::<BTreeSet<_>>();
    kinds.iter().map(|(group, kind)| (serde_json::from_str(group).unwrap(), serde_json::from_str(kind).unwrap())).collect()
}

#[test]
fn any_value_has_a_health() {
    let kinds = kinds();
    proptest!(|(any in value(), (api_version, kind) in select(kinds), metadata in value(), spec in value(), status in value())| {
        prop_assert!(is_consistent(&health(&any)), "{any}");
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, "status": status});
        prop_assert!(is_consistent(&health(&object)), "{object}");
    });
}
