//! Values to text, the same bytes for the same value.

use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::json::Readable;
use super::layout;

/// Appends a Kubernetes object as a YAML document: `apiVersion`, `kind`, `metadata`, then the rest, maps sorted by key.
pub fn to_yaml(object: &Value, out: &mut String) {
    if !layout::document(object, out) {
        whole_by_crate(object, out);
    }
}

/// The same by the YAML crate alone.
pub(super) fn whole_by_crate(object: &Value, out: &mut String) {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_fmt_writer_with_options(out, &Ordered(object), options)
        .expect("a JSON value always has a YAML form, and memory can be written to");
}

/// A value as the crate writes it behind a key and a space, with the end of its last line.
pub(super) fn by_crate(value: &Value) -> Option<String> {
    let mut text = String::new();
    whole_by_crate(&Value::Object(Map::from_iter([("k".to_owned(), value.clone())])), &mut text);
    text.strip_prefix("k: ").map(ToOwned::to_owned)
}

/// Appends a value that takes one line, as it stands behind `key: `; `false` if it takes more, and then nothing is appended.
pub fn scalar_to_yaml(value: &Value, out: &mut String) -> bool {
    match value {
        Value::String(text) => return text_to_yaml(text, out),
        Value::Array(items) if !items.is_empty() => return false,
        Value::Object(fields) if !fields.is_empty() => return false,
        // Numbers with a fraction have more than one form.
        Value::Number(number) if number.is_f64() => return one_line(value).inspect(|line| out.push_str(line)).is_some(),
        other => out.push_str(&other.to_string()),
    }
    true
}

/// The same of a string.
pub fn text_to_yaml(text: &str, out: &mut String) -> bool {
    if is_plain(text) {
        out.push_str(text);
        return true;
    }
    if is_number(text) {
        out.extend(["\"", text, "\""]);
        return true;
    }
    if text.contains(['\n', '\r']) {
        return false;
    }
    one_line(&text.into()).inspect(|line| out.push_str(line)).is_some()
}

/// A value as the crate writes it behind a key, if that is one line.
fn one_line(value: &Value) -> Option<String> {
    let line = by_crate(value)?;
    line.strip_suffix('\n').filter(|line| !line.contains('\n')).map(ToOwned::to_owned)
}

/// Appends a key without its colon; `false` if that takes more than its line.
pub(super) fn key_to_yaml(key: &str, out: &mut String) -> bool {
    let is_word = |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'-' | b'_'));
    // What is longer than this needn't be a key that stands before a colon.
    if key.len() < 512 && is_word(key) && is_plain(key) {
        out.push_str(key);
        return true;
    }
    let mut text = String::new();
    whole_by_crate(&Value::Object(Map::from_iter([(key.to_owned(), true.into())])), &mut text);
    let key = text.strip_suffix(": true\n").filter(|key| !key.contains('\n'));
    key.map(|key| out.push_str(key)).is_some()
}

/// Words that some YAML reader takes for something else, in any case.
const OTHER_WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

/// Whether a string is surely written as it is: printable ASCII that begins like a word, a path or a quantity, is no word for something
/// else, no number and no time, and holds no `: ` and no ` #`. What isn't may be written as it is all the same; that is the writer's to say.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins_well = match bytes.first() {
        Some(b'/') => true,
        Some(first) if first.is_ascii_alphabetic() => !OTHER_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)),
        // No number and no time has one of these letters: 0x1F, 0o17, 1e3, 2001-12-14t21:59:43Z.
        Some(first) if first.is_ascii_digit() => {
            bytes.iter().any(|byte| matches!(byte.to_ascii_lowercase(), b'g'..=b'n' | b'p'..=b's' | b'u'..=b'w' | b'y'))
        }
        _ => false,
    };
    let ends_nothing = |one: u8, next: u8| !matches!((one, next), (b':', b' ') | (b' ', b'#'));
    // Without an early end, many bytes are looked at in one step.
    begins_well
        && bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
        && !matches!(bytes.last(), Some(b' ' | b':'))
        && bytes.iter().zip(&bytes[1..]).fold(true, |all, (one, next)| all & ends_nothing(*one, *next))
}

/// Whether a string is surely written in quotes: a few digits, as counts are that a manifest has as strings.
fn is_number(text: &str) -> bool {
    text == "0" || (matches!(text.as_bytes(), [b'1'..=b'9', rest @ ..] if rest.len() < 9 && rest.iter().all(u8::is_ascii_digit)))
}

/// A Kubernetes object as indented JSON, in the order of [`to_yaml`]. A YAML reader takes it too.
pub fn to_json(object: &Value) -> String {
    let text = serde_json::to_string_pretty(&Ordered(object)).unwrap_or_default();
    Readable::of_json(&text).text.into_owned()
}

/// The keys that stand first in an object, in this order.
const FIRST: [&str; 3] = ["apiVersion", "kind", "metadata"];

struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer.collect_map(fields_first(fields).map(|(key, value)| (key, Plain(value)))),
            other => Plain(other).serialize(serializer),
        }
    }
}

/// The fields of an object in their order.
pub(super) fn fields_first(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let first = FIRST.into_iter().filter_map(|key| fields.get_key_value(key));
    first.chain(sorted(fields).filter(|(key, _)| !FIRST.contains(&key.as_str())))
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

pub(super) fn sorted(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let unsorted = !fields.keys().is_sorted();
    let mut entries: Vec<_> = if unsorted { fields.iter().collect() } else { Vec::new() };
    entries.sort_unstable_by_key(|(key, _)| *key);
    let as_they_are = (!unsorted).then(|| fields.iter()).into_iter().flatten();
    entries.into_iter().chain(as_they_are)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_surely_plain_is_written_as_it_is() {
        let tricky: Vec<String> = serde_json::from_str(include_str!("../../tests/data/strings.json")).unwrap();
        // Every text of up to three of these, in which whatever means something to YAML stands anywhere.
        let parts = [
            "a", "/", "yes", "Null", "OFF", "nan", "Gi", " ", ":", "#", "-", "1", ".", "e", "'", "\"", "{", "%", "@", "=", "<<", "\u{e9}",
            "\t", "~", "!", "&", ",",
        ];
        let mut all: Vec<String> = tricky;
        for one in parts {
            for two in parts {
                all.push(format!("{one}{two}"));
                all.extend(parts.iter().map(|three| format!("{one}{two}{three}")));
            }
        }
        let plain: Vec<String> = all.into_iter().filter(|text| is_plain(text)).collect();
        assert!(plain.len() > 1000, "{}", plain.len());
        for text in plain {
            assert_eq!(one_line(&text.as_str().into()).as_deref(), Some(text.as_str()));
        }
        for number in ["0", "1", "8", "42", "12345678", "999999999"] {
            assert!(is_number(number) && one_line(&number.into()) == Some(format!("\"{number}\"")), "{number}");
        }
        assert!(["", "01", "1.5", "1_000", "-1", "1e3", "1234567890"].iter().all(|text| !is_number(text)));
    }
}
