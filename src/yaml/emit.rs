//! Values to text, the same bytes for the same value.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Appends a Kubernetes object as a YAML document: `apiVersion`, `kind`, `metadata`, then the rest, maps sorted by key.
pub fn to_yaml(object: &Value, out: &mut impl fmt::Write) {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_fmt_writer_with_options(out, &Ordered(object), options)
        .expect("a JSON value always has a YAML form, and memory can be written to");
}

/// Appends a Kubernetes object as indented JSON, in the order of [`to_yaml`].
pub fn to_json(object: &Value) -> String {
    serde_json::to_string_pretty(&Ordered(object)).expect("a JSON value can be written")
}

/// The keys that stand first in an object, in this order.
const FIRST: [&str; 3] = ["apiVersion", "kind", "metadata"];

struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => object(fields, serializer),
            other => Plain(other).serialize(serializer),
        }
    }
}

fn object<S: Serializer>(fields: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for key in FIRST {
        if let Some(value) = fields.get(key) {
            map.serialize_entry(key, &Plain(value))?;
        }
    }
    for (key, value) in sorted(fields).into_iter().filter(|(key, _)| !FIRST.contains(&key.as_str())) {
        map.serialize_entry(key, &Plain(value))?;
    }
    map.end()
}

/// Any value with its maps sorted, whatever features of `serde_json` some dependency has switched on.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer.collect_map(sorted(fields).into_iter().map(|(key, value)| (key, Plain(value)))),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Plain)),
            scalar => scalar.serialize(serializer),
        }
    }
}

fn sorted(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = fields.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}
