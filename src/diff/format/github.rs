//! For the log of a GitHub workflow: a command for each Workspace that is disrupted, which GitHub turns into an annotation.

use std::fmt::Write as _;

use super::{differing, title};
use crate::diagnostic::{Place, SourceFile, visible};
use crate::diff::{Disruption, OwnerChange, Report};
use crate::github;

/// How many annotations of one kind GitHub shows of a step.
const MOST: usize = 10;

/// How a file is called from the root of its repository, as GitHub wants to be told.
type PathOf<'p> = &'p dyn Fn(&SourceFile) -> String;

/// What is said of one Workspace.
struct Annotation<'r> {
    title: &'static str,
    place: Option<&'r Place>,
    message: String,
}

/// Errors for what can't be compared, warnings for what is replaced or lost, notices for what restarts; and a last line for people.
pub fn github(report: &Report, path_of: PathOf<'_>) -> String {
    let broken = report.broken.iter().map(|broken| Annotation {
        title: "not compared",
        place: broken.place.as_ref(),
        message: format!("{} can't be rendered", broken.owner),
    });
    let with = |is_kind: fn(Disruption) -> bool| {
        report.owners.iter().filter(|owner| is_kind(owner.disruption)).map(annotation).collect::<Vec<_>>()
    };
    let mut out = commands("error", &broken.collect::<Vec<_>>(), path_of);
    out.push_str(&commands("warning", &with(|disruption| disruption >= Disruption::Replace), path_of));
    out.push_str(&commands("notice", &with(|disruption| disruption == Disruption::Rolling), path_of));
    // No more of the report, since a line of somebody's ConfigMap may look like a command.
    if !report.is_empty() {
        _ = writeln!(out, "{}; at worst: {}", differing(report), report.does());
    }
    out
}

/// What a Workspace's annotation is called, and what it says: its words, and its objects that do that.
fn annotation(owner: &OwnerChange) -> Annotation<'_> {
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
    Annotation { title: owner.does(), place: owner.place.as_ref(), message }
}

/// As many commands as are shown; the last one counts what there is beyond.
fn commands(command: &str, annotations: &[Annotation<'_>], path_of: PathOf<'_>) -> String {
    let count = annotations.len();
    let shown = if count > MOST { MOST - 1 } else { count };
    let line = |annotation: &Annotation<'_>| {
        let mut properties = Vec::new();
        if let Some((file, region)) = annotation.place.map(Place::region) {
            properties.extend([("file", path_of(file)), ("line", region.start.0.to_string())]);
        }
        properties.push(("title", format!("kaito diff: {}", annotation.title)));
        github::command(command, &properties, &annotation.message)
    };
    let mut out: String = annotations.iter().take(shown).map(line).collect();
    if count > shown {
        out.push_str(&line(&Annotation { title: "and more", place: None, message: format!("{} more are not shown", count - shown) }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Annotation, commands};
    use crate::diagnostic::{Place, SourceFile};

    #[test]
    fn no_more_are_said_than_are_shown() {
        for (count, lines, last) in
            [(0, 0, None), (10, 10, Some("9")), (11, 10, Some("2 more are not shown")), (50, 10, Some("41 more are not shown"))]
        {
            let annotations: Vec<_> =
                (0..count).map(|number| Annotation { title: "replaced", place: None, message: number.to_string() }).collect();
            let said = commands("warning", &annotations, &|file| file.name.clone());
            assert_eq!(said.lines().count(), lines);
            assert_eq!(said.lines().last().and_then(|line| line.rsplit("::").next()), last);
        }
    }

    #[test]
    fn places_are_properties_of_a_command() {
        let place = Place { file: SourceFile::new("a,b/50%:c.yaml", "a:\n  b: 1\n"), span: 8..9 };
        let annotation = Annotation { title: "replaced", place: Some(&place), message: "50%\n::error::x".to_owned() };
        let said = commands("warning", &[annotation], &|file| file.name.clone());
        assert_eq!(said, "::warning file=a%2Cb/50%25%3Ac.yaml,line=2,title=kaito diff%3A replaced::50%25%0A::error::x\n");
    }
}
