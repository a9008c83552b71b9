//! A report for people at a terminal.

use std::fmt::Write as _;

use super::lines::{self, Line, Sign};
use super::{changed_sizes, counts, differing, mark, money, title};
use crate::diagnostic::visible;
use crate::diff::report::{Change, Field, ObjectChange, OwnerChange};
use crate::diff::{Disruption, Report, Totals};

/// The most bytes of two values that stand in one line; others stand below each other.
const LINE: usize = 160;

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

    fn disruption(&self, disruption: Disruption, does: &str) -> String {
        self.put(if disruption >= Disruption::Replace { "1;31" } else { "2" }, does)
    }
}

/// The report as text, in colours or plain; empty if nothing is different.
pub fn text(report: &Report, colored: bool) -> String {
    let paint = Paint(colored);
    let mut out = String::new();
    for owner in &report.owners {
        whole(owner, &paint, &mut out);
    }
    for broken in &report.broken {
        _ = writeln!(out, "{}: not compared, since it can't be rendered\n", paint.put("1;31", &broken.owner.to_string()));
    }
    if !report.is_empty() {
        totals(&report.totals, &mut out);
        _ = writeln!(out, "{}; at worst: {}", differing(report), paint.disruption(report.disruption(), report.does()));
    }
    out
}

fn whole(owner: &OwnerChange, paint: &Paint, out: &mut String) {
    let title = paint.put("1", &title(owner));
    _ = match &owner.owner {
        Some(_) => writeln!(out, "{title}: {}", visible(&owner.words.join(", "))),
        None => writeln!(out, "{title}"),
    };
    for object in &owner.objects {
        one(object, paint, out);
    }
    out.push('\n');
}

fn one(object: &ObjectChange, paint: &Paint, out: &mut String) {
    let does = match object.does() {
        "" => String::new(),
        does => format!("  ({})", paint.disruption(object.disruption, does)),
    };
    let (mark, name) = (paint.change(object.change, mark(object.change)), paint.change(object.change, &object.reference.to_string()));
    _ = writeln!(out, "  {mark} {name}{does}");
    for note in &object.notes {
        _ = writeln!(out, "      {}", paint.put("33", &visible(&note.to_string())));
    }
    for field in &object.fields {
        field_lines(field, paint, out);
    }
}

fn field_lines(field: &Field, paint: &Paint, out: &mut String) {
    let path = visible(&field.change.path.to_string());
    let (red, green) = (|text: &str| paint.put("31", text), |text: &str| paint.put("32", text));
    if let Some(flags) = &field.flags {
        _ = writeln!(out, "      {path}:");
        for flag in flags {
            let shown = |value: &Option<String>| match value.as_deref() {
                None => "absent".to_owned(),
                Some("") => "present".to_owned(),
                Some(value) => visible(value),
            };
            let (before, after) = (red(&shown(&flag.before)), green(&shown(&flag.after)));
            _ = writeln!(out, "        {} {before} -> {after}", visible(&flag.flag));
        }
        return;
    }
    let shown = |value: &Option<_>| value.as_ref().map_or_else(|| vec!["absent".to_owned()], lines::of_value);
    let (before, after) = (shown(&field.change.before), shown(&field.change.after));
    if let ([before], [after]) = (before.as_slice(), after.as_slice())
        && before.len() + after.len() <= LINE
    {
        _ = writeln!(out, "      {path}: {} -> {}", red(before), green(after));
        return;
    }
    _ = writeln!(out, "      {path}:");
    for Line { sign, text } in lines::of_values(field.change.before.as_ref(), field.change.after.as_ref()) {
        let line = match sign {
            Sign::Path | Sign::Same => format!("  {text}"),
            Sign::Removed => red(&format!("- {text}")),
            Sign::Added => green(&format!("+ {text}")),
        };
        _ = writeln!(out, "        {}", line.trim_end());
    }
}

fn totals(totals: &Totals, out: &mut String) {
    let (before, after) = totals.all();
    _ = writeln!(out, "Total: {}", counts(before, after));
    for (size, before, after) in changed_sizes(totals) {
        _ = writeln!(out, "  {size}: {}", counts(before, after));
    }
    if let Some(cost) = &totals.cost {
        _ = writeln!(out, "  {}", money(cost));
        if !cost.without_price.is_empty() {
            _ = writeln!(out, "  without a price: {}", cost.without_price.join(", "));
        }
    }
}
