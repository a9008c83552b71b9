//! For the log of a GitHub workflow: a command for each Workspace that is disrupted, which GitHub turns into an annotation.

use std::fmt::Write as _;

use super::lines::visible;
use super::{differing, title};
use crate::diff::{Disruption, OwnerChange, Report};
use crate::github;

/// How many annotations of one kind GitHub shows of a step.
const MOST: usize = 10;

/// Errors for what can't be compared, warnings for what is replaced or lost, notices for what restarts; and a last line for people.
pub fn github(report: &Report) -> String {
    let broken: Vec<_> = report.broken.iter().map(|owner| ("not compared", format!("{owner} can't be rendered"))).collect();
    let with =
        |is_kind: fn(Disruption) -> bool| report.owners.iter().filter(|owner| is_kind(owner.disruption)).map(message).collect::<Vec<_>>();
    let mut out = commands("error", &broken);
    out.push_str(&commands("warning", &with(|disruption| disruption >= Disruption::Replace)));
    out.push_str(&commands("notice", &with(|disruption| disruption == Disruption::Rolling)));
    // No more of the report, since a line of somebody's ConfigMap may look like a command.
    if !report.is_empty() {
        _ = writeln!(out, "{}; at worst: {}", differing(report), report.does());
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
    let disrupted: Vec<_> = owner.objects.iter().filter(|object| object.disruption >= Disruption::Rolling).collect();
    for object in disrupted.iter().take(MOST) {
        _ = write!(message, "\n{}: {}", object.reference, object.does());
    }
    if disrupted.len() > MOST {
        _ = write!(message, "\nand {} more objects", disrupted.len() - MOST);
    }
    (owner.does(), message)
}

/// As many commands as are shown; the last one counts what there is beyond.
fn commands(command: &str, messages: &[(&str, String)]) -> String {
    let count = messages.len();
    let shown = if count > MOST { MOST - 1 } else { count };
    let line = |title: &str, message: &str| github::command(command, &[("title", format!("kaito diff: {title}"))], message);
    let mut out: String = messages.iter().take(shown).map(|(title, message)| line(title, message)).collect();
    if count > shown {
        out.push_str(&line("and more", &format!("{} more are not shown", count - shown)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn no_more_are_said_than_are_shown() {
        for (count, lines, last) in
            [(0, 0, None), (10, 10, Some("9")), (11, 10, Some("2 more are not shown")), (50, 10, Some("41 more are not shown"))]
        {
            let messages: Vec<(&str, String)> = (0..count).map(|number| ("replaced", number.to_string())).collect();
            let said = commands("warning", &messages);
            assert_eq!(said.lines().count(), lines);
            assert_eq!(said.lines().last().and_then(|line| line.rsplit("::").next()), last);
        }
    }
}
