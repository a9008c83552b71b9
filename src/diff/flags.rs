//! Commands as sets of flags, so that a change reads `--max-model-len 8192 -> 32768` and not as two long lines.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// A flag that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlagChange {
    /// The flag, with its dashes.
    pub flag: String,
    /// Its value before; an empty one for a bare flag.
    pub before: Option<String>,
    /// Its value now.
    pub after: Option<String>,
}

/// A command: its words that are no flags in their order, and its flags.
#[derive(Debug, Default, PartialEq, Eq)]
struct Command {
    words: Vec<String>,
    flags: BTreeMap<String, Vec<String>>,
}

/// What stands for the words of a command that are no flags.
const WORDS: &str = "(command)";

/// How many flags two commands must share to be the same one with other words around them.
const SHARED: usize = 3;

/// The flags in which two commands differ: texts for a shell, or lists of words. If their other words differ too, that is one
/// more entry, `(command)`, as long as they have enough in common.
pub fn flag_changes(before: &Value, after: &Value) -> Option<Vec<FlagChange>> {
    let (before, after) = (command(before)?, command(after)?);
    let shared = before.flags.keys().filter(|name| after.flags.contains_key(*name)).count();
    let is_same_command = before.words == after.words;
    if !is_same_command && shared < SHARED {
        return None;
    }
    let names: Vec<&String> = before.flags.keys().chain(after.flags.keys().filter(|name| !before.flags.contains_key(*name))).collect();
    let value = |command: &Command, name: &str| command.flags.get(name).map(|values| values.join(" "));
    let changes = names.into_iter().map(|name| FlagChange { flag: name.clone(), before: value(&before, name), after: value(&after, name) });
    let mut changes: Vec<FlagChange> = changes.filter(|change| change.before != change.after).collect();
    changes.sort_by(|a, b| a.flag.cmp(&b.flag));
    if !is_same_command {
        let words = |command: &Command| Some(command.words.join(" "));
        changes.insert(0, FlagChange { flag: WORDS.to_owned(), before: words(&before), after: words(&after) });
    }
    (!changes.is_empty()).then_some(changes)
}

fn command(value: &Value) -> Option<Command> {
    let words = match value {
        Value::String(text) if text.contains("--") && !text.contains('\n') => shlex::split(text)?,
        Value::Array(items) => items.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect::<Option<Vec<_>>>()?,
        _ => return None,
    };
    let mut command = Command::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        // The end of a command in a script belongs to the script, not to the flag.
        let (word, end) = match word.strip_suffix(';') {
            Some(word) if word.starts_with("--") => (word.to_owned(), Some(";".to_owned())),
            _ => (word, None),
        };
        let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            command.words.push(word);
            continue;
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (flag, words.next_if(|next| end.is_none() && !next.starts_with('-') && !next.ends_with(';')).unwrap_or_default()),
        };
        command.flags.entry(format!("--{name}")).or_default().push(value);
        command.words.extend(end);
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_of_commands() {
        let table = [
            (json!("serve --a=1 --b"), json!("serve --b --a=2"), Some(vec![("--a", Some("1"), Some("2"))])),
            (json!("serve --a=1"), json!("serve --a=1 --c=x"), Some(vec![("--c", None, Some("x"))])),
            (json!("serve --a=1"), json!("serve --b"), Some(vec![("--a", Some("1"), None), ("--b", None, Some(""))])),
            (json!("serve --a=1"), json!("run --a=2"), None),
            (
                json!("serve --a=1 --b=1 --c=1"),
                json!("if x; then serve --a=1 --b=2 --c=1; fi"),
                Some(vec![("(command)", Some("serve"), Some("if x; then serve ; fi")), ("--b", Some("1"), Some("2"))]),
            ),
            (json!("serve"), json!("run"), None),
            (json!(["serve", "--a", "1"]), json!(["serve", "--a", "2"]), Some(vec![("--a", Some("1"), Some("2"))])),
            (
                json!("if x; then y --a=1; else z; fi --q=1"),
                json!("if x; then y --a=2; else z; fi --q=1"),
                Some(vec![("--a", Some("1"), Some("2"))]),
            ),
            (json!("s --c='{\"a\":1}'"), json!("s --c='{\"a\":2}'"), Some(vec![("--c", Some("{\"a\":1}"), Some("{\"a\":2}"))])),
            (json!("s --a=1"), json!("s '--a=1"), None),
        ];
        for (before, after, want) in table {
            let found = flag_changes(&before, &after);
            let found = found.as_ref().map(|changes| {
                changes.iter().map(|change| (change.flag.as_str(), change.before.as_deref(), change.after.as_deref())).collect::<Vec<_>>()
            });
            assert_eq!(found, want, "{before} and {after}");
        }
    }
}
