//! For a comment on a pull request: a table on top, the objects folded below, and never more than a comment may hold.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lines::{self, Sign};
use super::{changed_sizes, differing, figure, mark, nothing, pair, restart, short_title, title, total, what};
use crate::diagnostic::{plural, visible};
use crate::diff::{Count, ObjectChange, OwnerChange, Report};

/// By this a comment is found again, to be replaced by a newer one.
const MARKER: &str = "<!-- kaito-diff -->";

/// Bytes of all: GitHub takes 65,536 characters, and something may be written above or below.
const ALL: usize = 64_000;
/// Bytes of one object.
const OBJECT: usize = 8_000;
/// Characters of a line of an object, or a cell.
const LINE: usize = 1_000;
/// Bytes of the line that says how much there is no place for.
const REST: usize = 200;

/// The comment. It is never empty, so that an old one is replaced when nothing is different any more.
pub fn markdown(report: &Report) -> String {
    format!("{MARKER}\n{}", markdown_within(report, ALL - MARKER.len() - 1))
}

/// The same as a part of a larger one, in about so many bytes.
pub fn markdown_within(report: &Report, most: usize) -> String {
    let mut out = String::new();
    // The tables' rows; the rest is for what is folded.
    let most_rows = most / 8 * 3;
    if report.is_empty() {
        _ = writeln!(out, "**kaito diff**: {}\n", nothing(report));
    } else {
        _ = writeln!(out, "**kaito diff**: {}; at worst: **{}**\n", differing(report), report.does());
        table(report, most_rows, &mut out);
        totals(report, most_rows, &mut out);
    }
    if !report.broken.is_empty() {
        let names: Vec<String> = report.broken.iter().map(|broken| broken.owner.to_string()).collect();
        out.push_str("**Not compared**, since one side or both can't be rendered:\n\n");
        rows(names.iter(), |name| format!("- {}\n", inline(name)), "more", most_rows, &mut out);
        out.push('\n');
    }
    details(report, most, &mut out);
    out
}

/// As many rows as there is place for in so many bytes, and how many there are besides.
pub(crate) fn rows<T>(mut items: impl Iterator<Item = T>, row: impl Fn(T) -> String, more: &str, most: usize, out: &mut String) {
    let mut left = most;
    while let Some(item) = items.next() {
        let text = row(item);
        if text.len() > left {
            _ = writeln!(out, "\nand {} {more}", 1 + items.count());
            return;
        }
        left -= text.len();
        out.push_str(&text);
    }
}

fn table(report: &Report, most: usize, out: &mut String) {
    let row = |owner: &OwnerChange| {
        let (nodes, gpus) = (figure(owner, |summary| summary.nodes), figure(owner, |summary| summary.gpus));
        let cells = [short_title(owner), what(owner), nodes, gpus, restart(owner).to_owned()];
        format!("| {} |\n", cells.map(|cell| inline(&cell)).join(" | "))
    };
    out.push_str("| Workspace | what | nodes | GPUs | restart |\n|---|---|---|---|---|\n");
    rows(report.owners.iter(), row, "more Workspaces", most, out);
    out.push('\n');
}

fn totals(report: &Report, most: usize, out: &mut String) {
    _ = writeln!(out, "**Total**: {}\n", inline(&total(&report.totals)));
    let end = out.len();
    let row = |(size, before, after): (&str, Count, Count)| {
        format!("- {}: nodes {}, GPUs {}\n", inline(size), pair(before.nodes, after.nodes), pair(before.gpus, after.gpus))
    };
    rows(changed_sizes(&report.totals), row, "more sizes", most, out);
    if let Some(cost) = report.totals.cost.as_ref().filter(|cost| !cost.without_price.is_empty()) {
        _ = writeln!(out, "- without a price: {}", inline(&cost.without_price.join(", ")));
    }
    if out.len() > end {
        out.push('\n');
    }
}

/// The objects, folded by whose they are; the worst get their place first.
fn details(report: &Report, most: usize, out: &mut String) {
    let mut objects: Vec<(usize, usize, &ObjectChange)> = Vec::new();
    for (number, owner) in report.owners.iter().enumerate() {
        objects.extend(owner.objects.iter().enumerate().map(|(index, object)| (number, index, object)));
    }
    objects.sort_by_key(|(.., object)| Reverse(object.disruption));
    let mut left = most.saturating_sub(out.len() + REST);
    let mut placed: BTreeMap<usize, BTreeMap<usize, String>> = BTreeMap::new();
    let mut rest = 0;
    for (number, index, object) in objects {
        let around = if placed.contains_key(&number) { 0 } else { fold(&report.owners[number], "").len() };
        // The least that an object takes: what is nearly full need not be tried.
        let block = if left < around + REST { None } else { Some(detail(object)).filter(|block| around + block.len() <= left) };
        match block {
            Some(block) => {
                left -= around + block.len();
                placed.entry(number).or_default().insert(index, block);
            }
            None => rest += 1,
        }
    }
    for (number, blocks) in placed {
        out.push_str(&fold(&report.owners[number], &blocks.into_values().collect::<String>()));
    }
    if rest > 0 {
        _ = writeln!(out, "and {}, for which there is no place here: `kaito diff` shows all", plural(rest, "more object"));
    }
}

fn fold(owner: &OwnerChange, content: &str) -> String {
    let objects = plural(owner.objects.len() as u64, "object");
    format!("<details><summary>{}: {objects}</summary>\n\n{content}</details>\n\n", inline(&title(owner)))
}

/// An object: its name, what that does, and its lines in a fence that nothing in them can close.
fn detail(object: &ObjectChange) -> String {
    let does = if object.does().is_empty() { String::new() } else { format!(" ({})", object.does()) };
    let mut text = String::new();
    let lines = lines::of_object(object);
    let mut rest = 0;
    for line in &lines {
        let shown = cut(&line.text);
        if rest > 0 || text.len() + shown.len() > OBJECT {
            rest += 1;
            continue;
        }
        _ = match line.sign {
            Sign::Path => writeln!(text, "@@ {shown} @@"),
            // With a space, lest a figure look like one below zero.
            Sign::Same => writeln!(text, "  {shown}"),
            Sign::Removed => writeln!(text, "- {shown}"),
            Sign::Added => writeln!(text, "+ {shown}"),
        };
    }
    if rest > 0 {
        _ = writeln!(text, "@@ and {} @@", plural(rest, "more line"));
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("`{}` **{}**{does}\n\n{fence}diff\n{text}{fence}\n\n", mark(object.change), inline(&object.reference.to_string()))
}

/// A line of at most so many characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text in a cell or a line: nothing of it is markup, ends a cell or calls somebody.
pub(crate) fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in cut(&visible(text)).chars() {
        match c {
            '\n' | '\t' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' | '!' => escaped.extend(['\\', c]),
            // GitHub reads these within words: a person, an issue.
            '@' | '#' => _ = write!(escaped, "{c}<!-- -->"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diff::{Broken, Disruption, Owner, Totals, object_change};
    use crate::manifest::ObjectRef;

    fn config_map(name: &str, before: Option<&str>, after: Option<&str>) -> ObjectChange {
        let object = |text: Option<&str>| -> Option<Value> { Some(json!({"data": {"text": text?}})) };
        object_change(ObjectRef::new("", "ConfigMap", Some("default"), name), object(before), object(after)).unwrap()
    }

    fn report(owners: usize, objects: usize, text: &str) -> Report {
        let owner = |number: usize| OwnerChange {
            owner: Some(Owner { kind: "Workspace", namespace: "default".into(), name: format!("w{number}").into() }),
            words: vec![text.to_owned()],
            before: None,
            after: None,
            objects: (0..objects).map(|object| config_map(&format!("c{number}-{object}"), Some("old"), Some(text))).collect(),
            disruption: Disruption::InPlace,
            place: None,
        };
        let broken = (0..owners).map(|number| Broken {
            owner: Owner { kind: "Workspace", namespace: "broken".into(), name: format!("b{number}").into() },
            place: None,
        });
        Report { owners: (0..owners).map(owner).collect(), broken: broken.collect(), compared: owners, totals: Totals::default() }
    }

    #[test]
    fn a_comment_is_never_too_long_and_counts_what_it_leaves_out() {
        let long = "line\n".repeat(20_000);
        let wide = "`|@€".repeat(1_000);
        for (owners, objects, text) in
            [(1, 1, "x"), (2000, 1, "x"), (1, 3000, "x"), (300, 30, "x"), (20, 1, long.as_str()), (1000, 1, wide.as_str()), (3, 40, &wide)]
        {
            let text = markdown(&report(owners, objects, text));
            assert!(text.len() < 65_536, "{owners} x {objects}: {}", text.len());
            assert!(text.starts_with("<!-- kaito-diff -->\n"));
            let shown = text.matches(" **ConfigMap ").count();
            let rest = text.rsplit_once("\nand ").map_or(0, |(_, rest)| rest.split(' ').next().unwrap().parse().unwrap());
            assert_eq!(shown + rest, owners * objects, "{owners} x {objects}");
            assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        }
    }

    #[test]
    fn the_worst_is_shown_first() {
        let mut report = report(1, 3000, "x");
        report.owners[0].objects[2999].disruption = Disruption::Data;
        assert!(markdown(&report).contains("**ConfigMap default/c0-2999** (data lost)"));
    }

    #[test]
    fn nothing_breaks_out() {
        let text = detail(&config_map("c", Some("a"), Some("````\n</details>\n\r```\n| x")));
        assert!(text.contains("\n`````diff\n") && text.ends_with("\n`````\n\n"), "{text}");
        assert_eq!(inline("a|b\n<b>`@me` #1 *x* [y](z)"), "a\\|b &lt;b&gt;\\`@<!-- -->me\\` #<!-- -->1 \\*x\\* \\[y\\](z)");
    }
}
