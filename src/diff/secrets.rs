//! What must not be shown: the values of Secrets, and what looks like a token elsewhere.
//!
//! Two objects are masked together before anything is compared, so that nothing that follows has ever seen a value. One that has
//! changed still shows as `*** (before)` and `*** (after)`.

use std::collections::HashSet;
use std::ops::Range;
use std::slice;

use serde_json::{Map, Value};

use crate::secrets::{in_text, is_field, is_name};

/// What stands for a value that is the same on both sides.
const HIDDEN: &str = "***";

/// Masks an object on both sides.
pub(super) fn mask(before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    let is_secret = [before, after].into_iter().flatten().any(|object| object["kind"] == "Secret" && object["apiVersion"] == "v1");
    let (mut before, mut after) = (before.cloned(), after.cloned());
    if is_secret {
        for field in ["data", "stringData"] {
            every(field_of(before.as_mut(), field), field_of(after.as_mut(), field));
        }
    }
    // kubectl keeps a copy of everything there.
    for object in [before.as_mut(), after.as_mut()].into_iter().flatten() {
        if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    walk(before.as_mut(), after.as_mut());
    (before, after)
}

fn field_of<'v>(object: Option<&'v mut Value>, field: &str) -> Option<&'v mut Map<String, Value>> {
    object?.get_mut(field)?.as_object_mut()
}

/// Masks every value of a mapping.
fn every(mut before: Option<&mut Map<String, Value>>, mut after: Option<&mut Map<String, Value>>) {
    let keys: Vec<String> = before.iter().chain(after.iter()).flat_map(|fields| fields.keys().cloned()).collect();
    for key in keys {
        hide(before.as_mut().and_then(|fields| fields.get_mut(&key)), after.as_mut().and_then(|fields| fields.get_mut(&key)));
    }
}

/// Hides one value on both sides.
fn hide(before: Option<&mut Value>, after: Option<&mut Value>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {
            *before = HIDDEN.into();
            *after = HIDDEN.into();
        }
        (before, after) => {
            if let Some(before) = before {
                *before = whole("before").into();
            }
            if let Some(after) = after {
                *after = whole("after").into();
            }
        }
    }
}

/// What stands for a whole value that is different.
fn whole(side: &str) -> String {
    format!("{HIDDEN} ({side})")
}

/// Hides what looks like a secret, wherever it is: variables by their name, arguments, and any text that begins as tokens do.
fn walk(before: Option<&mut Value>, after: Option<&mut Value>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => objects(Some(before), Some(after)),
        (Some(Value::Object(before)), _) => objects(Some(before), None),
        (_, Some(Value::Object(after))) => objects(None, Some(after)),
        (Some(Value::Array(before)), Some(Value::Array(after))) => arrays(before, after),
        (Some(Value::Array(items)), _) | (_, Some(Value::Array(items))) => arrays(items, &mut []),
        (before, after) => texts(before.map_or(&mut [], slice::from_mut), after.map_or(&mut [], slice::from_mut)),
    }
}

fn objects(mut before: Option<&mut Map<String, Value>>, mut after: Option<&mut Map<String, Value>>) {
    let named = [&before, &after].into_iter().flatten().find_map(|fields| fields.get("name")?.as_str().map(is_name));
    let mut keys: Vec<String> = [&before, &after].into_iter().flatten().flat_map(|fields| fields.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let old = before.as_mut().and_then(|fields| fields.get_mut(&key));
        let new = after.as_mut().and_then(|fields| fields.get_mut(&key));
        let is_text = [&old, &new].into_iter().flatten().any(|value| value.is_string());
        if is_text && (is_field(&key) || key == "value" && named == Some(true)) {
            hide(old, new);
        } else {
            walk(old, new);
        }
    }
}

/// Words are one command; items that have names go by these, others by their number.
fn arrays(before: &mut [Value], after: &mut [Value]) {
    if before.iter().chain(after.iter()).all(Value::is_string) {
        return texts(before, after);
    }
    let name = |item: &Value| item.get("name").and_then(Value::as_str).map(ToOwned::to_owned);
    let mut used = vec![false; after.len()];
    for (index, old) in before.iter_mut().enumerate() {
        let wanted = name(old);
        let found = match &wanted {
            Some(wanted) => after.iter().position(|item| name(item).as_ref() == Some(wanted)),
            None => (index < after.len() && name(&after[index]).is_none()).then_some(index),
        };
        match found.filter(|found| !used[*found]) {
            Some(found) => {
                used[found] = true;
                walk(Some(old), Some(&mut after[found]));
            }
            None => walk(Some(old), None),
        }
    }
    for (_, new) in after.iter_mut().enumerate().filter(|(index, _)| !used[*index]) {
        walk(None, Some(new));
    }
}

/// Hides the secrets in the words of a command, or in one text. One that has the same name on both sides, wherever it stands, is
/// the same.
fn texts(before: &mut [Value], after: &mut [Value]) {
    let found = (Found::of(before), Found::of(after));
    let mut shown = (found.0.masked(before, "before", &found.1), found.1.masked(after, "after", &found.0));
    // Two that have changed places would look alike.
    if shown.0 == shown.1 && before != after {
        let none = Found::default();
        shown = (found.0.masked(before, "before", &none), found.1.masked(after, "after", &none));
    }
    for (values, shown) in [(before, shown.0), (after, shown.1)] {
        values.iter_mut().zip(shown).filter(|(value, _)| value.is_string()).for_each(|(value, shown)| *value = shown.into());
    }
}

/// The secrets of some texts.
#[derive(Default)]
struct Found {
    /// Where they stand, and what they are called, by text.
    places: Vec<Vec<(Range<usize>, String)>>,
    /// What they are called and what they are.
    secrets: HashSet<(String, String)>,
}

impl Found {
    fn of(texts: &[Value]) -> Self {
        let mut found = Self::default();
        let mut flag = None;
        for text in texts.iter().map(text_of) {
            let places = match flag {
                Some(flag) => vec![(0..text.len(), flag)],
                None => in_text(text).into_iter().map(|place| (place.clone(), called(&text[..place.start]))).collect(),
            };
            found.secrets.extend(places.iter().map(|(place, name)| (name.clone(), text[place.clone()].to_owned())));
            found.places.push(places);
            // As in ["--api-key", "..."].
            flag = (text.starts_with("--") && !text.contains(['=', ' ']) && is_name(text)).then(|| called(text));
        }
        found
    }

    /// The texts with these secrets hidden, and marked if the other side hasn't the same.
    fn masked(&self, texts: &[Value], side: &str, other: &Self) -> Vec<String> {
        let mask = |(text, places): (&Value, &Vec<(Range<usize>, String)>)| {
            let text = text_of(text);
            let mut shown = text.to_owned();
            for (place, name) in places.iter().rev() {
                let secret = (name.clone(), text[place.clone()].to_owned());
                let mask = match place {
                    _ if other.secrets.contains(&secret) => HIDDEN.to_owned(),
                    place if *place == (0..text.len()) => whole(side),
                    // It stays one word of a shell.
                    _ => format!("{HIDDEN}_{side}"),
                };
                shown.replace_range(place.clone(), &mask);
            }
            shown
        };
        texts.iter().zip(&self.places).map(mask).collect()
    }
}

/// The last name of a text, by which the secret behind it is known.
fn called(text: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let text = text.trim_end_matches(|c| !is_of_name(c));
    text.rsplit(|c| !is_of_name(c)).next().unwrap_or_default().to_owned()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden() {
        let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": value, "b": "same"}});
        let (before, after) = mask(Some(&secret("x")), Some(&secret("y")));
        assert_eq!(before.unwrap()["data"], json!({"a": "*** (before)", "b": "***"}));
        assert_eq!(after.unwrap()["data"], json!({"a": "*** (after)", "b": "***"}));
        let (_, added) = mask(None, Some(&secret("x")));
        assert_eq!(added.unwrap()["data"]["a"], "*** (after)");

        let words = |token: &str| json!({"args": ["serve", "--api-key", token, "--port", "1"]});
        let (before, after) = mask(Some(&words("one")), Some(&words("two")));
        assert_eq!(before.unwrap()["args"], json!(["serve", "--api-key", "*** (before)", "--port", "1"]));
        assert_eq!(after.unwrap()["args"], json!(["serve", "--api-key", "*** (after)", "--port", "1"]));

        let pod = |token: &str| {
            json!({"kind": "Pod", "env": [{"name": "HF_TOKEN", "value": token}, {"name": "MAX_TOKENS", "value": "5"}],
                "args": ["--verbose", format!("serve --api-key={token} --max-num-batched-tokens=5 --tokenizer_mode=auto")]})
        };
        let (before, after) = mask(Some(&pod("one")), Some(&pod("two")));
        for (side, mark) in [(before.unwrap(), "before"), (after.unwrap(), "after")] {
            assert_eq!(side["env"], json!([{"name": "HF_TOKEN", "value": format!("*** ({mark})")}, {"name": "MAX_TOKENS", "value": "5"}]));
            let args = format!("serve --api-key=***_{mark} --max-num-batched-tokens=5 --tokenizer_mode=auto");
            assert_eq!(side["args"], json!(["--verbose", args]), "{mark}");
        }
    }

    #[test]
    fn what_is_the_same_is_not_marked_as_changed() {
        let table = [
            (json!({"a": "s --api-key=x --n=1"}), json!({"a": "s --api-key=x --n=2"}), "s --api-key=*** --n=1", "s --api-key=*** --n=2"),
            (
                json!({"a": "A_TOKEN=x B_TOKEN=y"}),
                json!({"a": "A_TOKEN=y B_TOKEN=x"}),
                "A_TOKEN=***_before B_TOKEN=***_before",
                "A_TOKEN=***_after B_TOKEN=***_after",
            ),
            (
                json!({"a": ["--api-key", "x"]}),
                json!({"a": ["--n", "--api-key", "x"]}),
                r#"["--api-key","***"]"#,
                r#"["--n","--api-key","***"]"#,
            ),
            (json!({"token": "***x"}), json!({"token": "***y"}), "*** (before)", "*** (after)"),
            (json!({"token": "x", "secretName": "a"}), json!({"token": "x", "secretName": "b"}), "***", "***"),
        ];
        for (before, after, old, new) in table {
            let (was, is) = mask(Some(&before), Some(&after));
            let text = |value: Option<Value>| {
                let value = value.unwrap();
                let value = value.get("a").unwrap_or(&value["token"]).clone();
                value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
            };
            assert_eq!((text(was).as_str(), text(is).as_str()), (old, new));
        }
    }

    /// kubectl's copy of all that was applied.
    #[test]
    fn what_kubectl_keeps_is_no_part_of_an_object() {
        let pod = json!({"kind": "Pod", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x", "a": "b"}}});
        assert_eq!(mask(Some(&pod), None).0.unwrap()["metadata"]["annotations"], json!({"a": "b"}));
    }
}
