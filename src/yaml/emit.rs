//! Values to text, the same bytes for the same value.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Appends a Kubernetes object as a YAML document: `apiVersion`, `kind`, `metadata`, then the rest, maps sorted by key.
///
/// # Panics
/// If `out` refuses to be written to, which memory doesn't.
pub fn to_yaml(object: &Value, out: &mut impl fmt::Write) {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_fmt_writer_with_options(out, &Ordered(object), options)
        .expect("a JSON value always has a YAML form, and memory can be written to");
}

/// Appends a value that takes one line, as it stands behind `key: `; `false` if it takes more, and then nothing is appended.
pub fn scalar_to_yaml(value: &Value, out: &mut String) -> bool {
    match value {
        Value::String(text) if is_plain_word(text) => out.push_str(text),
        Value::String(text) if text.contains(['\n', '\r']) => return false,
        Value::String(_) => {
            let mut line = String::new();
            to_yaml(&Value::Object(Map::from_iter([("k".to_owned(), value.clone())])), &mut line);
            match line.strip_prefix("k: ").and_then(|line| line.strip_suffix('\n')).filter(|line| !line.contains('\n')) {
                Some(line) => out.push_str(line),
                None => return false,
            }
        }
        Value::Array(items) if !items.is_empty() => return false,
        Value::Object(fields) if !fields.is_empty() => return false,
        other => out.push_str(&other.to_string()),
    }
    true
}

/// Whether a string is surely written as it is: a word of letters and the like, longer than any that YAML takes for
/// something else.
fn is_plain_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    text.len() > "false".len() && text.as_bytes()[0].is_ascii_alphabetic() && text.bytes().all(plain)
}

/// Appends a Kubernetes object as indented JSON, in the order of [`to_yaml`].
pub fn to_json(object: &Value) -> String {
    serde_json::to_string_pretty(&Ordered(object)).unwrap_or_default()
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
    for (key, value) in sorted(fields).filter(|(key, _)| !FIRST.contains(&key.as_str())) {
        map.serialize_entry(key, &Plain(value))?;
    }
    map.end()
}

/// Any value with its maps sorted, whatever features of `serde_json` some dependency has switched on.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer.collect_map(sorted(fields).map(|(key, value)| (key, Plain(value)))),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Plain)),
            scalar => scalar.serialize(serializer),
        }
    }
}

fn sorted(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let unsorted = !fields.keys().is_sorted();
    let mut entries: Vec<_> = if unsorted { fields.iter().collect() } else { Vec::new() };
    entries.sort_unstable_by_key(|(key, _)| *key);
    let as_they_are = (!unsorted).then(|| fields.iter()).into_iter().flatten();
    entries.into_iter().chain(as_they_are)
}
