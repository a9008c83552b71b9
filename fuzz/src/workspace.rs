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
