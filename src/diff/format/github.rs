//! For the log of a GitHub workflow: a command for each Workspace that is disrupted, which GitHub turns into an annotation.

use super::lines::visible;
use super::{differing, title};
use crate::diff::{Disruption, OwnerChange, Report};
use crate::github;

/// How many annotations of one kind GitHub shows of a step.
const MOST: usize = 10;

/// Errors for what can't be compared, warnings for what is replaced or lost, notices for what restarts; and a last line for people.
pub fn github(report: &Report) -> String {
    let broken = report.broken.iter().map(|owner| ("not compared", format!("{owner} can't be rendered"))).collect();
    let with = |is_kind: fn(Disruption) -> bool| report.owners.iter().filter(|owner| is_kind(owner.disruption)).map(message).collect();
    let mut out = commands("error", broken);
    out.push_str(&commands("warning", with(|disruption| disruption >= Disruption::Replace)));
    out.push_str(&commands("notice", with(|disruption| disruption == Disruption::Rolling)));
    // No more of the report, since a line of somebody's ConfigMap may look like a command.
    if !report.is_empty() {
        out.push_str(&format!("{}; at worst: {}\n", differing(report), report.does()));
    }
    out
}

/// What a Workspace's annotation is called, and what it says: its words, and its objects that do that.
fn message(owner: &OwnerChange) -> (&'static str, String) {
    let mut message = title(owner);
    if owner.owner.is_some() {
        message.push_str(": ");
        message.push_str(&visible(&owner.words.join(", ")));
    }
    for object in owner.objects.iter().filter(|object| object.disruption >= Disruption::Rolling) {
        message.push_str(&format!("\n{}: {}", object.reference, object.does()));
    }
    (owner.does(), message)
}

/// As many commands as are shown; the last one counts what there is beyond.
fn commands(command: &str, messages: Vec<(&str, String)>) -> String {
    let count = messages.len();
    let shown = if count > MOST { MOST - 1 } else { count };
    let line = |title: &str, message: &str| github::command(command, &[("title", format!("kaito diff: {title}"))], message);
    let mut out: String = messages.iter().take(shown).map(|(title, message)| line(title, message)).collect();
    if count > shown {
        out.push_str(&line("and more", &format!("{} more are not shown", count - shown)));
    }
    out
}
