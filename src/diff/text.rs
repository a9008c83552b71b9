//! A report for people at a terminal.

use std::fmt::Write as _;

use serde_json::Value;

use super::report::{Change, Field, ObjectChange, OwnerChange, Report};
use super::{Cost, Count, Disruption, Totals};
use crate::diagnostic::plural;
use crate::yaml;

/// Colours of a terminal, or none.
struct Paint(bool);

impl Paint {
    fn put(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn change(&self, change: Change, text: &str) -> String {
        self.put(
            match change {
                Change::Added => "32",
                Change::Removed => "31",
                Change::Changed => "33",
            },
            text,
        )
    }

    fn disruption(&self, disruption: Disruption) -> String {
        self.put(if disruption >= Disruption::Replace { "1;31" } else { "2" }, disruption.words())
    }
}

/// The report as text, in colours or plain; empty if nothing is different.
pub fn text(report: &Report, colored: bool) -> String {
    let paint = Paint(colored);
    let mut out = String::new();
    for owner in &report.owners {
        whole(owner, &paint, &mut out);
    }
    for owner in &report.broken {
        _ = writeln!(
            out,
            "{}: not compared, since it can't be rendered\n",
            paint.put("1;31", &format!("{} {}/{}", owner.kind, owner.namespace, owner.name))
        );
    }
    if !report.is_empty() {
        totals(&report.totals, &mut out);
        let changed = report.owners.iter().filter(|owner| owner.owner.is_some()).count();
        let noun = if report.compared == 1 { "Workspace" } else { "Workspaces" };
        let verb = if changed == 1 { "differs" } else { "differ" };
        _ = writeln!(out, "{changed} of {} {noun} {verb}; at worst: {}", report.compared, paint.disruption(report.disruption()));
    }
    out
}

fn whole(owner: &OwnerChange, paint: &Paint, out: &mut String) {
    _ = match &owner.owner {
        Some(of) => writeln!(out, "{}: {}", paint.put("1", &format!("{} {}/{}", of.kind, of.namespace, of.name)), owner.words.join(", ")),
        None => writeln!(out, "{}", paint.put("1", "Objects of no Workspace")),
    };
    for object in &owner.objects {
        one(object, paint, out);
    }
    out.push('\n');
}

fn one(object: &ObjectChange, paint: &Paint, out: &mut String) {
    let mark = match object.change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Changed => "~",
    };
    let does = match object.disruption {
        Disruption::None => String::new(),
        other => format!("  ({})", paint.disruption(other)),
    };
    _ = writeln!(out, "  {} {}{does}", paint.change(object.change, mark), paint.change(object.change, &object.reference.to_string()));
    for field in &object.fields {
        field_lines(field, paint, out);
    }
}

fn field_lines(field: &Field, paint: &Paint, out: &mut String) {
    let path = &field.change.path;
    if let Some(flags) = &field.flags {
        _ = writeln!(out, "      {path}:");
        for flag in flags {
            let shown = |value: &Option<String>| match value.as_deref() {
                None => "absent".to_owned(),
                Some("") => "present".to_owned(),
                Some(value) => value.to_owned(),
            };
            let (before, after) = (paint.put("31", &shown(&flag.before)), paint.put("32", &shown(&flag.after)));
            _ = writeln!(out, "        {} {before} -> {after}", flag.flag);
        }
        return;
    }
    let (before, after) = (lines(field.change.before.as_ref()), lines(field.change.after.as_ref()));
    if let ([before], [after]) = (before.as_slice(), after.as_slice()) {
        _ = writeln!(out, "      {path}: {} -> {}", paint.put("31", before), paint.put("32", after));
        return;
    }
    _ = writeln!(out, "      {path}:");
    let texts = (before.join("\n"), after.join("\n"));
    let absent = |value: &Option<Value>, text: &str| if value.is_none() { String::new() } else { text.to_owned() };
    let (old, new) = (absent(&field.change.before, &texts.0), absent(&field.change.after, &texts.1));
    for change in similar::TextDiff::from_lines(&old, &new).iter_all_changes() {
        let (sign, code) = match change.tag() {
            similar::ChangeTag::Delete => ("-", "31"),
            similar::ChangeTag::Insert => ("+", "32"),
            similar::ChangeTag::Equal => (" ", "0"),
        };
        let line = change.value().trim_end_matches('\n');
        _ = writeln!(out, "        {}", if sign == " " { format!("  {line}") } else { paint.put(code, &format!("{sign} {line}")) });
    }
}

/// A value as lines of YAML.
fn lines(value: Option<&Value>) -> Vec<String> {
    let text = match value {
        None => "absent".to_owned(),
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(value @ (Value::Object(_) | Value::Array(_))) => {
            let mut text = String::new();
            yaml::to_yaml(value, &mut text);
            text
        }
        Some(other) => other.to_string(),
    };
    text.lines().map(ToOwned::to_owned).collect()
}

fn totals(totals: &Totals, out: &mut String) {
    let changed: Vec<_> = totals.by_size.iter().filter(|(_, (before, after))| before != after).collect();
    let (before, after) = totals.all();
    _ = writeln!(out, "Total: {}", counts(before, after));
    for (size, (before, after)) in changed {
        let size = if size == "own" { "nodes of your own" } else { size };
        _ = writeln!(out, "  {size}: {}", counts(*before, *after));
    }
    if let Some(Cost { currency, before, after, without_price }) = &totals.cost {
        _ = writeln!(out, "  {before:.0} -> {after:.0} {currency} a month");
        if !without_price.is_empty() {
            _ = writeln!(out, "  without a price: {}", without_price.join(", "));
        }
    }
}

fn counts(before: Count, after: Count) -> String {
    let pair = |before: u64, after: u64, noun: &str| {
        if before == after { plural(after, noun) } else { format!("{before} -> {}", plural(after, noun)) }
    };
    format!("{}, {}", pair(before.nodes, after.nodes, "node"), pair(before.gpus, after.gpus, "GPU"))
}
