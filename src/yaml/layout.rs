//! Mappings and lists in block form, laid out here because that is most of a manifest and costs little; how a scalar is written that isn't
//! plainly itself is the YAML crate's to say.

use serde_json::Value;

use super::emit::{by_crate, fields_first, key_to_yaml, scalar_to_yaml, sorted};

/// Appends a document, the same bytes as the crate writes; `false` if that takes the crate, and then `out` is as it was.
pub(super) fn document(value: &Value, out: &mut String) -> bool {
    let start = out.len();
    let done = match value {
        Value::Object(fields) if !fields.is_empty() => mapping(fields_first(fields), 0, out),
        _ => false,
    };
    if !done {
        out.truncate(start);
    }
    done
}

/// Appends entries, each on a line of its own; the first goes on where `out` ends. `indent` is for the others, in spaces.
fn mapping<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>, indent: usize, out: &mut String) -> bool {
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            spaces(indent, out);
        }
        if !key_to_yaml(key, out) {
            return false;
        }
        out.push(':');
        let done = match value {
            Value::Object(fields) if !fields.is_empty() => {
                out.push('\n');
                spaces(indent + 2, out);
                mapping(sorted(fields), indent + 2, out)
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                spaces(indent, out);
                sequence(items, indent, out)
            }
            scalar => {
                out.push(' ');
                leaf(scalar, indent, out)
            }
        };
        if !done {
            return false;
        }
    }
    true
}

/// Appends items as [`mapping`] does entries.
fn sequence(items: &[Value], indent: usize, out: &mut String) -> bool {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            spaces(indent, out);
        }
        out.push_str("- ");
        let done = match item {
            Value::Object(fields) if !fields.is_empty() => mapping(sorted(fields), indent + 2, out),
            Value::Array(items) if !items.is_empty() => sequence(items, indent + 2, out),
            scalar => leaf(scalar, indent, out),
        };
        if !done {
            return false;
        }
    }
    true
}

/// Appends what has nothing below it, and ends the line. A string of several lines is indented to stand below `indent`.
fn leaf(value: &Value, indent: usize, out: &mut String) -> bool {
    if scalar_to_yaml(value, out) {
        out.push('\n');
        return true;
    }
    value.as_str().is_some_and(|text| lines(text, indent, out))
}

/// Appends a string as the crate writes it in several lines below a key that isn't indented.
fn lines(text: &str, indent: usize, out: &mut String) -> bool {
    let Some(written) = by_crate(&Value::from(text)) else { return false };
    for (at, line) in written.split_inclusive('\n').enumerate() {
        if at > 0 && line != "\n" {
            spaces(indent, out);
        }
        out.push_str(line);
    }
    true
}

fn spaces(count: usize, out: &mut String) {
    const SPACES: &str = "                                ";
    let mut left = count;
    while left > SPACES.len() {
        out.push_str(SPACES);
        left -= SPACES.len();
    }
    out.push_str(&SPACES[..left]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::emit::whole_by_crate;
    use super::*;

    fn written(value: &Value) -> Option<String> {
        let mut text = String::new();
        document(value, &mut text).then_some(text)
    }

    #[test]
    fn the_same_bytes_as_the_crate() {
        let strings: Vec<String> = serde_json::from_str(include_str!("../../tests/data/strings.json")).unwrap();
        let mut values: Vec<Value> = strings.into_iter().map(Value::from).collect();
        values.extend(
            ["a\nb", "a\n", "a\n\n", " a\n b\n", "\n", "\na", "a\n\n  b\n", "a\n\tb\n", "a \nb", "a\r\nb", "# a\nb: c\n"].map(Value::from),
        );
        values.extend([json!(null), json!(true), json!(false), json!(0), json!(-7), json!(u64::MAX), json!(1.5), json!(1e30), json!(-0.0)]);
        values.extend([
            json!({}),
            json!([]),
            json!([[]]),
            json!([{}]),
            json!([[1, [2, {"a": 3}]], 4]),
            json!({"a": [{"b": [], "c": {"d": "e"}}]}),
        ]);
        let inner: Vec<Value> = values.clone();
        values.extend(
            inner
                .iter()
                .flat_map(|value| [json!({"b": value, "a": [value, {"k": value}]}), json!([[value], {"k": {"k": value}, "l": 1}, value])]),
        );
        let mut laid_out = 0;
        for value in &values {
            let object = json!({"kind": "K", "apiVersion": "v1", "spec": value, "metadata": {"name": value}});
            let mut want = String::new();
            whole_by_crate(&object, &mut want);
            if let Some(text) = written(&object) {
                assert_eq!(text, want, "{object}");
                laid_out += 1;
            }
        }
        assert_eq!(laid_out, values.len());
    }

    #[test]
    fn keys_that_are_no_plain_words() {
        for key in serde_json::from_str::<Vec<String>>(include_str!("../../tests/data/strings.json")).unwrap() {
            let object = json!({&key: {&key: [{&key: "a"}]}});
            let mut want = String::new();
            whole_by_crate(&object, &mut want);
            assert_eq!(written(&object).unwrap_or_else(|| want.clone()), want, "{object}");
        }
    }
}
