//! Two inputs, compared.

use kaito::diagnostic::Diagnostic;
use kaito::diff::{self, Report, Side};

use super::world::World;

/// Between both inputs.
const BETWEEN: &str = "\n=====\n";

/// Nothing is different from itself, what is new on one side is gone on the other, and every format can show it.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (one, other) = text.split_once(BETWEEN).unwrap_or((text, ""));
    let world = World::of(text);
    compared(&world, one, one, |report| {
        assert!(report.is_empty(), "{}", diff::text(report, false));
        formats(report);
    });
    let there = compared(&world, one, other, |report| {
        formats(report);
        objects(report)
    });
    let back = compared(&world, other, one, objects);
    assert_eq!(there, back, "it isn't the same the other way round");
}

/// The objects that differ.
fn objects(report: &Report) -> Vec<String> {
    let mut names: Vec<String> =
        report.owners.iter().flat_map(|owner| owner.objects.iter().map(|object| object.reference.to_string())).collect();
    names.sort();
    names
}

/// Compares two inputs; nothing if a template is at fault, as one of the built-in ones never is.
fn compared<T>(world: &World, before: &str, after: &str, then: impl FnOnce(&Report) -> T) -> T {
    world.with(before, |old_input, old, old_findings: Vec<Diagnostic>| {
        world.with(after, |new_input, new, new_findings| {
            let engines = (world.engine(), world.engine());
            let sides = (Side::new(old, old_input, &engines.0, &old_findings), Side::new(new, new_input, &engines.1, &new_findings));
            // As if templates differed, or everything that stands the same would be left out.
            let report = diff::compare(&sides.0, &sides.1, false, false, None).unwrap_or_else(|error| panic!("{error}"));
            then(&report)
        })
    })
}

fn formats(report: &Report) {
    _ = (diff::text(report, false), diff::text(report, true), diff::unified(report), diff::name(report), diff::files(report));
    let json: serde_json::Value = serde_json::from_str(&diff::json(report)).expect("JSON is JSON");
    assert!(json.is_object());
    let most = 2000;
    assert!(diff::markdown_within(report, most).len() <= most);
    // A page of ours has no scripts and no links: what looks like one comes from an input.
    let html = diff::html(report).to_lowercase();
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<a "), "{html}");
}
