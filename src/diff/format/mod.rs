//! A report in the formats in which it is shown: each a pure function of the [`Report`].

mod files;
mod github;
mod html;
mod json;
mod lines;
pub(crate) mod markdown;
mod name;
mod text;
mod unified;

pub use files::{ObjectFile, files};
pub use github::github;
pub use html::html;
pub use json::json;
pub use markdown::{markdown, markdown_within};
pub use name::name;
pub use text::text;
pub use unified::unified;

use std::cmp::Reverse;

use super::report::{Change, ObjectChange, OwnerChange, Report};
use super::totals::{Count, Totals};
use super::{Disruption, Summary};
use crate::diagnostic::plural;

/// That nothing is different, for what may not be empty.
fn nothing(report: &Report) -> &'static str {
    if report.broken.is_empty() { "nothing is different" } else { "nothing is different of what could be compared" }
}

/// How many of the Workspaces differ, and how many objects that are no Workspace's.
fn differing(report: &Report) -> String {
    // An InferenceSet owns objects, and is counted by its Workspaces.
    let (own, others): (Vec<_>, Vec<_>) = report.owners.iter().partition(|owner| owner.before.is_some() || owner.after.is_some());
    let (differ, others) = (own.len(), others.iter().map(|owner| owner.objects.len()).sum::<usize>());
    let noun = if report.compared == 1 { "Workspace" } else { "Workspaces" };
    let verb = if differ == 1 || report.compared == 1 { "differs" } else { "differ" };
    let workspaces = format!("{differ} of {} {noun} {verb}", report.compared);
    match others {
        0 => workspaces,
        1 if differ == 0 => "1 object of no Workspace differs".to_owned(),
        others if differ == 0 => format!("{others} objects of no Workspace differ"),
        1 => format!("{workspaces}, and 1 other object does"),
        others => format!("{workspaces}, and {others} other objects do"),
    }
}

/// Whose objects these are.
fn title(owner: &OwnerChange) -> String {
    owner.owner.as_ref().map_or_else(|| "Objects of no Workspace".to_owned(), ToString::to_string)
}

/// Whose objects these are, in a column of Workspaces.
fn short_title(owner: &OwnerChange) -> String {
    let title = title(owner);
    title.strip_prefix("Workspace ").map(ToOwned::to_owned).unwrap_or(title)
}

/// What stands before an object that is added, removed or changed.
fn mark(change: Change) -> &'static str {
    match change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Changed => "~",
    }
}

/// What a Workspace's pods do, `none`, `rolling` or `replace`, unless nodes or data go too.
fn restart(owner: &OwnerChange) -> &str {
    match owner.disruption {
        Disruption::Node | Disruption::Data => owner.does(),
        Disruption::Replace if owner.after.is_none() => owner.does(),
        _ => owner.words.iter().find_map(|word| word.strip_prefix(RESTART)).unwrap_or("none"),
    }
}

const RESTART: &str = "restart: ";

/// What it means, without the figures that a table has columns for; of what belongs to nobody, which objects differ.
fn what(owner: &OwnerChange) -> String {
    if owner.owner.is_none() {
        let mut objects: Vec<&ObjectChange> = owner.objects.iter().collect();
        objects.sort_by_key(|object| Reverse(object.disruption));
        let change = |change| match change {
            Change::Added => "new",
            Change::Removed => "removed",
            Change::Changed => "changed",
        };
        return objects.iter().map(|object| format!("{} {}", change(object.change), object.reference)).collect::<Vec<_>>().join(", ");
    }
    let has_column = |word: &&String| word.starts_with(RESTART) || word.starts_with("GPUs ");
    owner.words.iter().filter(|word| !has_column(word)).cloned().collect::<Vec<_>>().join(", ").replace(" -> ", " → ")
}

/// A figure of both summaries of a Workspace.
fn figure(owner: &OwnerChange, figure: fn(&Summary) -> u64) -> String {
    let of = |summary: &Option<Summary>| summary.as_ref().map_or(0, figure);
    if owner.before.is_none() && owner.after.is_none() { String::new() } else { pair(of(&owner.before), of(&owner.after)) }
}

/// A figure before and after, once if it is the same.
fn pair(before: u64, after: u64) -> String {
    if before == after { after.to_string() } else { format!("{before} → {after}") }
}

/// The sizes of which there are more or fewer nodes, before and after.
fn changed_sizes(totals: &Totals) -> impl Iterator<Item = (&str, Count, Count)> {
    let changed = totals.by_size.iter().filter(|(_, (before, after))| before != after);
    changed.map(|(size, (before, after))| (if size == "own" { "nodes of your own" } else { size.as_str() }, *before, *after))
}

/// Nodes, GPUs and money in a line.
fn total(totals: &Totals) -> String {
    let (before, after) = totals.all();
    let mut line = counts(before, after);
    if let Some(cost) = &totals.cost {
        line.push_str(", ");
        line.push_str(&money(cost));
    }
    line.replace(" -> ", " → ")
}

fn counts(before: Count, after: Count) -> String {
    let pair = |before: u64, after: u64, noun: &str| {
        if before == after { plural(after, noun) } else { format!("{before} -> {}", plural(after, noun)) }
    };
    format!("{}, {}", pair(before.nodes, after.nodes, "node"), pair(before.gpus, after.gpus, "GPU"))
}

fn money(cost: &super::Cost) -> String {
    let (before, after) = (format!("{:.0}", cost.before), format!("{:.0}", cost.after));
    let amount = if before == after { after } else { format!("{before} -> {after}") };
    format!("{amount} {} a month", cost.currency)
}
