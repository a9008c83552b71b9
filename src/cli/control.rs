//! `kaito suspend`, `resume`, `rollback` and `reconcile`: what a set that is watched is told, by annotations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::applyset::{self, named};
use super::cluster::{ClusterArgs, Stop, Verb, unreachable};
use super::output::{self, Color, Exit};
use super::setup::namespace_name;
use crate::cluster::{Cluster, Kinds, Written};
use crate::diagnostic::Diagnostic;
use crate::inventory::{History, Record};
use crate::manifest::ObjectRef;
use crate::pause::{RECONCILE, SUSPEND};
use crate::watch::{REQUESTED_AT, STAY_AT};

/// Who annotates.
const MANAGER: &str = "kaito-control";

/// Which set, in which cluster.
#[derive(Debug, clap::Args)]
struct SetArgs {
    /// ApplySet: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named, default_value = "kaito")]
    applyset: String,
    /// Namespace of the ApplySet, and of the Workspaces [default: that of the context]
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Leave a set that is watched alone, or some of its Workspaces.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 there is no such set or Workspace, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito suspend --applyset prod
  kaito suspend --applyset prod phi-4")]
pub(super) struct SuspendArgs {
    /// Workspaces to leave alone [default: the whole set]
    #[arg(value_name = "WORKSPACE")]
    workspaces: Vec<String>,
    #[command(flatten)]
    set: SetArgs,
}

/// Go on with a set that was suspended or rolled back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 there is no such set or Workspace, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito resume --applyset prod
  kaito resume --applyset prod phi-4")]
pub(super) struct ResumeArgs {
    /// Workspaces to go on with [default: the whole set]
    #[arg(value_name = "WORKSPACE")]
    workspaces: Vec<String>,
    #[command(flatten)]
    set: SetArgs,
}

/// Go back to an earlier revision of a set that is watched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 there is nothing to go back to, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito rollback --applyset prod
  kaito rollback --applyset prod --to-revision main@sha1:0f3c21a4b6d8e7f90123456789abcdef01234567")]
pub(super) struct RollbackArgs {
    /// Revision to go back to: of the last five as `kaito status` shows it, of others the commit's whole id [default: the one before, that was applied whole]
    #[arg(long, value_name = "REVISION")]
    to_revision: Option<String>,
    #[command(flatten)]
    set: SetArgs,
}

/// Have a set that is watched looked at now, not at its next turn.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 there is no such set, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito reconcile --applyset prod")]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    set: SetArgs,
}

/// What is told: an annotation, and its value; none to take it away.
type Told<'t> = &'t [(&'t str, Option<&'t str>)];

/// Suspends.
pub(super) fn suspend(args: &SuspendArgs, color: Color) -> Exit {
    let tell =
        |control: Control<'_>| control.tell("suspended", &args.workspaces, &[(SUSPEND, Some("true"))], &[(RECONCILE, Some("disabled"))]);
    with_set(&args.set, color, "suspended", tell)
}

/// Resumes.
pub(super) fn resume(args: &ResumeArgs, color: Color) -> Exit {
    let tell = |control: Control<'_>| {
        control.tell("resumed", &args.workspaces, &[(SUSPEND, None), (STAY_AT, None)], &[(RECONCILE, None), (SUSPEND, None)])
    };
    with_set(&args.set, color, "resumed", tell)
}

/// Goes back.
pub(super) fn rollback(args: &RollbackArgs, color: Color) -> Exit {
    let tell = |control: Control<'_>| {
        let history = &control.record.history;
        let revision = match &args.to_revision {
            Some(said) => whole_revision(said, history),
            None => history.previous().and_then(|entry| entry.revision.clone()).ok_or_else(|| {
                let finding = Diagnostic::error(format!("{} has no earlier revision that was applied whole", control.reference));
                finding.help("name one with --to-revision; `git log` tells which there are")
            }),
        };
        let revision = match revision {
            Ok(revision) => revision,
            Err(finding) => {
                output::findings(vec![finding], color, "rolled back");
                return Ok(Exit::Invalid);
            }
        };
        control.tell(&format!("rolled back to {revision}"), &[], &[(STAY_AT, Some(&revision))], &[])
    };
    with_set(&args.set, color, "rolled back", tell)
}

/// The revision that somebody means: one of a set's history that begins or whose id begins like that, or any other by its whole id.
fn whole_revision(said: &str, history: &History) -> Result<String, Diagnostic> {
    let id = |revision: &str| revision.rsplit_once("sha1:").map_or(revision, |(_, id)| id).to_owned();
    let known: BTreeSet<&str> = history.entries().iter().filter_map(|entry| entry.revision.as_deref()).collect();
    let meant: Vec<&str> = known.into_iter().filter(|known| known.starts_with(said) || id(known).starts_with(said)).collect();
    if let [one] = meant[..] {
        return Ok(one.to_owned());
    }
    if id(said).len() == 40 && id(said).bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(said.to_owned());
    }
    let what = if meant.is_empty() { "is in the set's history" } else { "is the only one in the set's history" };
    let finding = Diagnostic::error(format!("no revision that begins with {said} {what}"));
    Err(finding.help("name it by the whole id of its commit, as `git rev-parse` prints it"))
}

/// Has everything looked at.
pub(super) fn reconcile(args: &ReconcileArgs, color: Color) -> Exit {
    let now = jiff::Timestamp::now().to_string();
    with_set(&args.set, color, "requested", |control| control.tell("requested to be reconciled", &[], &[(REQUESTED_AT, Some(&now))], &[]))
}

/// A set that is told something.
struct Control<'c> {
    cluster: &'c Cluster,
    live: Value,
    record: Record,
    reference: ObjectRef,
    color: Color,
}

fn with_set(args: &SetArgs, color: Color, done: &'static str, tell: impl FnOnce(Control<'_>) -> Result<Exit, Stop>) -> Exit {
    let run = || {
        let mut cluster = args.cluster.connect(color, Verb { bare: "tell", done })?;
        if let Some(namespace) = args.namespace.as_deref().filter(|name| !name.is_empty()) {
            cluster.use_namespace(namespace);
        }
        let found = applyset::find(&cluster, &args.applyset, color, done)?;
        let reference = found.parent.reference();
        let Some((live, record)) = found.live else {
            let finding = Diagnostic::error(format!("there is no {reference}"));
            output::findings(vec![finding.help("name another one with --applyset, or its namespace with -n")], color, done);
            return Ok(Exit::Invalid);
        };
        tell(Control { cluster: &cluster, live, record, reference, color })
    };
    run().unwrap_or_else(Exit::from)
}

impl Control<'_> {
    /// Tells something to the set, or to Workspaces in its namespace, and says so.
    fn tell(&self, done: &str, workspaces: &[String], set: Told<'_>, workspace: Told<'_>) -> Result<Exit, Stop> {
        if workspaces.is_empty() {
            return self.annotate(&self.live, &self.reference, set, done);
        }
        let mut exit = Exit::Done;
        for name in workspaces {
            let reference = ObjectRef::new("kaito.sh", "Workspace", Some(self.cluster.namespace()), name);
            // Of what isn't read it isn't known what it has: everything is said, and what it has already changes nothing.
            let unknown: BTreeMap<&str, &str> =
                workspace.iter().map(|(key, value)| (*key, if value.is_some() { "" } else { "?" })).collect();
            let metadata = json!({"name": name, "namespace": self.cluster.namespace(), "annotations": unknown});
            let live = json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": metadata});
            if self.annotate(&live, &reference, workspace, done)? != Exit::Done {
                exit = Exit::Invalid;
            }
        }
        Ok(exit)
    }

    fn annotate(&self, live: &Value, reference: &ObjectRef, told: Told<'_>, done: &str) -> Result<Exit, Stop> {
        let text = |value: Option<&str>| value.map(ToOwned::to_owned);
        let annotations: BTreeMap<String, Option<String>> = told.iter().map(|(key, value)| ((*key).to_owned(), text(*value))).collect();
        let written = self.cluster.annotate(&mut Kinds::default(), live, &annotations, &BTreeMap::new(), MANAGER);
        let why = match written.map_err(|error| unreachable(&error, self.color, "told"))? {
            Written::Unchanged | Written::Written(_) => return Ok(output::data(&format!("{} {done}\n", reference.resource_name()))),
            Written::Absent => "it isn't there".to_owned(),
            Written::Changed => "it was changed meanwhile".to_owned(),
            Written::Refused(why) => why,
        };
        output::findings(vec![Diagnostic::error(format!("{reference} can't be told: {why}"))], self.color, "told");
        Ok(Exit::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_revision_is_meant() {
        let (one, two, other) = ("a".repeat(40), format!("ab{}", "c".repeat(38)), "d".repeat(40));
        let mut history = History::default();
        for id in [&one, &two] {
            history.note(Some(&format!("main@sha1:{id}")), None, "ReconciliationSucceeded", "2026-01-02T03:04:05Z");
        }
        let table = [
            ("main@sha1:aaaaaaa", Some(format!("main@sha1:{one}"))),
            ("abc", Some(format!("main@sha1:{two}"))),
            (one.as_str(), Some(format!("main@sha1:{one}"))),
            (other.as_str(), Some(other.clone())),
            ("a", None),
            ("main@sha1:ddd", None),
            ("main", None),
            ("v1.0.0", None),
        ];
        for (said, want) in table {
            assert_eq!(whole_revision(said, &history).ok(), want, "{said}");
        }
    }
}
