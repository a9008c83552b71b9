//! An input from the first byte to the last one that is rendered.

use kaito::diagnostic::{Diagnostic, SourceFile};
use kaito::lint;
use kaito::rule::Levels;
use kaito::yaml;
use serde_json::Value;

use super::world::{World, is_said_where, read, renders_alike};

/// Each fault has a place; what has none is rendered, twice alike, and read back as what it was.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    is_written_back(text);
    is_read_as_json(text);
    let world = World::of(text);
    world.with(text, |input, session, mut findings| {
        is_said_where(&findings);
        let is_fine = !findings.iter().any(Diagnostic::is_error);
        lint::check(session, &mut findings);
        is_said_where(&findings);
        _ = lint::report(findings, &[], &Levels::default());
        let rendered = renders_alike(input, session, &world);
        // Built-in templates make an object of every Workspace that was admitted.
        assert!(rendered.is_some(), "a template that is built in is at fault");
        if let Some((text, _)) = rendered.filter(|_| is_fine && session.plans().next().is_some()) {
            assert!(!text.is_empty(), "a Workspace came to nothing");
        }
    });
}

/// What is read from a text is the same when it was written and read again, as YAML and as JSON.
fn is_written_back(text: &str) {
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("in.yaml", text), yaml::Limits::default(), &mut findings);
    is_said_where(&findings);
    for value in documents.iter().map(|document| document.root.to_value()) {
        let mut text = String::new();
        yaml::to_yaml(&value, &mut text);
        let read = |text: &str| -> Value { read(text).pop().unwrap_or(Value::Null) };
        assert_eq!(read(&text), value, "{text}");
        assert_eq!(read(&yaml::to_json(&value)), value);
    }
}

/// What is JSON for others is the same here, or has a key twice, or more than a document may have.
fn is_read_as_json(text: &str) {
    let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(text) else { return };
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("in.json", text), yaml::Limits::default(), &mut findings);
    let is_known = |finding: &Diagnostic| ["stands here again", "limit", "more than"].iter().any(|part| finding.message.contains(part));
    match &documents[..] {
        [document] if findings.is_empty() => assert!(is_same(&document.root.to_value(), &value), "{text}"),
        _ => assert!(!findings.is_empty() && findings.iter().all(is_known), "{findings:?} in {text}"),
    }
}

/// The same, whatever the form of a number is.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}
