//! What must not be shown: the values of Secrets, and what looks like a token elsewhere.
//!
//! Two objects are masked together before anything is compared, so that nothing that follows has ever seen a value. One that has
//! changed still shows as `*** (before)` and `*** (after)`.

use serde_json::{Map, Value};

/// What stands for a value that is the same on both sides.
const HIDDEN: &str = "***";

/// Parts of names of variables and flags that hold secrets.
const NAMES: [&str; 9] = ["token", "password", "passwd", "secret", "apikey", "api_key", "api-key", "access_key", "private_key"];

/// How tokens of known services begin.
const PREFIXES: [&str; 12] =
    ["hf_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk-", "xoxb-", "AKIA", "eyJ", "-----BEGIN", "Bearer "];

/// Masks an object on both sides.
pub(super) fn mask(before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    let is_secret = [before, after].into_iter().flatten().any(|object| object["kind"] == "Secret" && object["apiVersion"] == "v1");
    let (mut before, mut after) = (before.cloned(), after.cloned());
    if is_secret {
        for field in ["data", "stringData"] {
            every(field_of(before.as_mut(), field), field_of(after.as_mut(), field));
        }
        // kubectl keeps a copy of everything there.
        for object in [before.as_mut(), after.as_mut()].into_iter().flatten() {
            if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
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
            let is_masked = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(HIDDEN));
            if let Some(before) = before.filter(|value| !is_masked(value)) {
                *before = format!("{HIDDEN} (before)").into();
            }
            if let Some(after) = after.filter(|value| !is_masked(value)) {
                *after = format!("{HIDDEN} (after)").into();
            }
        }
    }
}

/// Hides what looks like a secret, wherever it is: variables by their name, arguments, and any text that begins as tokens do.
fn walk(before: Option<&mut Value>, after: Option<&mut Value>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => objects(Some(before), Some(after)),
        (Some(Value::Object(before)), _) => objects(Some(before), None),
        (_, Some(Value::Object(after))) => objects(None, Some(after)),
        (Some(Value::Array(before)), Some(Value::Array(after))) => arrays(before, after),
        (Some(Value::Array(items)), _) | (_, Some(Value::Array(items))) => arrays(items, &mut []),
        (before, after) => {
            let looks = |value: &Option<&mut Value>| value.as_deref().and_then(Value::as_str).is_some_and(looks_like_token);
            if looks(&before) || looks(&after) {
                hide(before, after);
            } else {
                texts(before, after);
            }
        }
    }
}

fn objects(mut before: Option<&mut Map<String, Value>>, mut after: Option<&mut Map<String, Value>>) {
    let named = [&before, &after].into_iter().flatten().find_map(|fields| fields.get("name")?.as_str().map(is_secret_name));
    let mut keys: Vec<String> = [&before, &after].into_iter().flatten().flat_map(|fields| fields.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let old = before.as_mut().and_then(|fields| fields.get_mut(&key));
        let new = after.as_mut().and_then(|fields| fields.get_mut(&key));
        let is_text = [&old, &new].into_iter().flatten().any(|value| value.is_string());
        if key == "value" && named == Some(true) && is_text {
            hide(old, new);
        } else {
            walk(old, new);
        }
    }
}

/// Items that have names go by these, others by their number.
fn arrays(before: &mut [Value], after: &mut [Value]) {
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
    hide_words(before, after);
}

/// Hides the word behind a secret flag, as in `["--api-key", "..."]`.
fn hide_words(before: &mut [Value], after: &mut [Value]) {
    let behind = |items: &[Value]| -> Vec<usize> {
        let is_flag =
            |item: &Value| item.as_str().is_some_and(|word| word.starts_with("--") && !word.contains(['=', ' ']) && is_secret_name(word));
        (1..items.len()).filter(|index| is_flag(&items[index - 1]) && items[*index].is_string()).collect()
    };
    let (old, new) = (behind(before), behind(after));
    for (number, index) in old.iter().enumerate() {
        hide(before.get_mut(*index), new.get(number).and_then(|index| after.get_mut(*index)));
    }
    for index in new.iter().skip(old.len()) {
        hide(None, after.get_mut(*index));
    }
}

/// Hides the values of flags within texts, such as `--api-key=...` in a command.
fn texts(before: Option<&mut Value>, after: Option<&mut Value>) {
    let text = |value: &Option<&mut Value>| value.as_deref().and_then(Value::as_str).map(ToOwned::to_owned);
    let (old, new) = (text(&before), text(&after));
    let is_same = old == new;
    let put = |value: Option<&mut Value>, text: Option<String>, mark: &str| {
        if let (Some(value), Some(text)) = (value, text)
            && let Some(masked) = mask_flags(&text, if is_same { "" } else { mark })
        {
            *value = masked.into();
        }
    };
    put(before, old, "_before");
    put(after, new, "_after");
}

/// A text with the values of secret flags, and words that look like tokens, hidden; `None` if there are none.
fn mask_flags(text: &str, mark: &str) -> Option<String> {
    let mut masked = String::with_capacity(text.len());
    let mut changed = false;
    for word in text.split_inclusive([' ', '\n', '\t']) {
        let trimmed = word.trim_end();
        let space = &word[trimmed.len()..];
        match trimmed.split_once('=') {
            Some((flag, value)) if !value.is_empty() && ((flag.starts_with("--") && is_secret_name(flag)) || looks_like_token(value)) => {
                changed = true;
                masked.push_str(flag);
                masked.push('=');
                masked.push_str(HIDDEN);
                masked.push_str(mark);
            }
            None if looks_like_token(trimmed) => {
                changed = true;
                masked.push_str(HIDDEN);
                masked.push_str(mark);
            }
            _ => masked.push_str(trimmed),
        }
        masked.push_str(space);
    }
    changed.then_some(masked)
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    // A limit on tokens is no secret: --max-num-batched-tokens.
    NAMES.iter().any(|part| name.contains(part)) && !name.contains("tokens") && !name.contains("tokenizer")
}

fn looks_like_token(text: &str) -> bool {
    let text = text.trim_matches(['"', '\'']);
    text.len() >= 16 && PREFIXES.iter().any(|prefix| text.starts_with(prefix))
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
}
