//! Waiting until everything that was applied is healthy.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Applying;
use crate::apply::{Done, Outcome};
use crate::cli::cluster::{Stop, unreachable};
use crate::cli::output::{self, Exit, Screen};
use crate::cluster::Kinds;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::diff::live::{AllWanted, Live, Wanted};
use crate::health::{Health, Status, health};
use crate::manifest::ObjectRef;
use crate::quantity::gib_text;
use crate::status::{self, Row};

/// How often in a row a cluster may fail to answer before the wait is over.
const MOST_SILENCES: u32 = 5;

/// What was applied, and is waited for.
#[derive(Default)]
pub(super) struct Waiting {
    applied: AllWanted,
}

/// How everything is doing at some moment.
struct Moment {
    rows: Vec<Row>,
    /// What belongs to no Workspace and isn't healthy, or isn't there.
    others: Vec<(ObjectRef, Health)>,
}

impl Waiting {
    /// Takes note of an object that was applied.
    pub(super) fn applied(&mut self, done: &Done) {
        if !matches!(done.outcome, Outcome::Failed(_) | Outcome::Skipped(_)) {
            let wanted = Wanted::new(done.object.read());
            self.applied.entry(done.owner.clone()).or_default().insert(done.reference.clone(), wanted);
        }
    }

    /// Waits; how that ended.
    ///
    /// # Errors
    /// The cluster doesn't answer any more; that has been said.
    pub(super) fn until_healthy(mut self, kinds: &Kinds, applying: &Applying<'_>) -> Result<Exit, Stop> {
        let start = Instant::now();
        let weights: BTreeMap<Owner, u64> =
            applying.target.side.summaries().into_iter().map(|(owner, summary)| (owner, summary.weights)).collect();
        let mut screen = Screen::new();
        let mut silences = 0;
        loop {
            let moment = match self.look(kinds, applying) {
                Ok(moment) => moment,
                Err(_) if silences < MOST_SILENCES => {
                    silences += 1;
                    sleep(pause(start));
                    continue;
                }
                Err(error) => return Err(unreachable(&error, applying.color, "applied")),
            };
            silences = 0;
            screen.show(&moment.lines(&weights, start.elapsed()));
            let verdict = moment.verdict();
            if verdict == Verdict::Wait && start.elapsed() < applying.args.wait.timeout {
                sleep(pause(start).min(applying.args.wait.timeout.saturating_sub(start.elapsed())));
                continue;
            }
            if verdict == Verdict::Healthy {
                return Ok(Exit::Done);
            }
            let follows = match verdict {
                Verdict::Failed => "waiting longer is no use".to_owned(),
                _ => format!("the wait is over after {}", elapsed(start.elapsed())),
            };
            output::findings_with(moment.findings(verdict), applying.color, &follows);
            return Ok(Exit::Unhealthy);
        }
    }

    fn look(&mut self, kinds: &Kinds, applying: &Applying<'_>) -> Result<Moment, crate::cluster::ClusterError> {
        let cluster = applying.target.cluster;
        cluster.refresh(kinds, &mut self.applied)?;
        let owners = self.applied.keys().flatten();
        let namespaces: BTreeSet<String> = owners.map(|owner| owner.namespace.to_string()).collect();
        let pods = if namespaces.is_empty() { Vec::new() } else { cluster.pods(&namespaces)? };
        let of_workspaces = self.applied.iter().filter(|(owner, _)| owner.is_some()).flat_map(|(_, objects)| objects.values());
        let live = of_workspaces.filter_map(|wanted| match &wanted.live {
            Live::Object(live) => Some(live),
            Live::Settled(_) | Live::Absent | Live::UnknownKind | Live::Unreadable(_) => None,
        });
        let is_ours = |pod: &&Value| status::owner_of(pod).is_some_and(|owner| self.applied.contains_key(&Some(owner)));
        let rows = status::rows(live.chain(pods.iter().filter(is_ours)));
        let missing = self.applied.iter().flat_map(|(owner, objects)| {
            objects.iter().filter_map(move |(reference, wanted)| match &wanted.live {
                Live::Object(live) if owner.is_none() => Some((reference.clone(), health(live))),
                Live::Object(_) | Live::Settled(_) => None,
                // A Job that is done may be taken away then.
                _ if !wanted.desired["spec"]["ttlSecondsAfterFinished"].is_null() => None,
                Live::Absent | Live::UnknownKind | Live::Unreadable(_) => {
                    let message = "it is gone".to_owned();
                    Some((reference.clone(), Health { status: Status::Failed, is_stuck: false, message }))
                }
            })
        });
        let others = missing.filter(|(_, health)| health.status != Status::Current).collect();
        Ok(Moment { rows, others })
    }
}

/// What follows from a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Healthy,
    Wait,
    Failed,
}

impl Moment {
    fn verdict(&self) -> Verdict {
        let mut statuses = self.rows.iter().map(|row| row.health.status).chain(self.others.iter().map(|(_, health)| health.status));
        let mut verdict = Verdict::Healthy;
        if statuses.any(|status| {
            verdict = if status == Status::Current { verdict } else { Verdict::Wait };
            status == Status::Failed
        }) {
            return Verdict::Failed;
        }
        verdict
    }

    /// A table of Workspaces: the first line is its head.
    fn lines(&self, weights: &BTreeMap<Owner, u64>, since: Duration) -> Vec<Vec<String>> {
        let words = |words: [&str; 7]| words.map(ToOwned::to_owned).to_vec();
        let mut lines = vec![words(["WORKSPACE", "NODES", "WEIGHTS", "PODS", "READY", "ELAPSED", "MESSAGE"])];
        for row in &self.rows {
            let size = weights.get(&row.owner).copied().filter(|bytes| *bytes > 0).map_or("-".to_owned(), gib_text);
            lines.push(vec![
                format!("{}/{}", row.owner.namespace, row.owner.name),
                of(row.nodes),
                size,
                of(row.pods),
                if row.is_ready() { "True" } else { "False" }.to_owned(),
                elapsed(since),
                if row.is_ready() { String::new() } else { row.health.message.clone() },
            ]);
        }
        lines
    }

    /// What isn't healthy, and why; if something has failed, only that.
    fn findings(&self, verdict: Verdict) -> Vec<Diagnostic> {
        let is_told = |health: &Health| match verdict {
            Verdict::Failed => health.status == Status::Failed,
            _ => health.status != Status::Current,
        };
        let rows = self.rows.iter().filter(|row| is_told(&row.health)).map(|row| {
            let about = row.about.as_ref().map_or_else(String::new, |about| format!("{about}: "));
            Diagnostic::error(format!("{} is not ready: {about}{}", row.owner, row.health.message))
        });
        let others = self.others.iter().filter(|(_, health)| is_told(health));
        rows.chain(others.map(|(reference, health)| Diagnostic::error(format!("{reference} is not ready: {}", health.message)))).collect()
    }
}

fn of(progress: status::Progress) -> String {
    if progress.wanted == 0 { "-".to_owned() } else { format!("{}/{}", progress.ready, progress.wanted) }
}

/// A short wait at first, and a longer one when it takes long anyway.
fn pause(start: Instant) -> Duration {
    (start.elapsed() / 10).clamp(Duration::from_millis(500), Duration::from_secs(5))
}

/// A length of time as kubectl writes ages: `45s`, `3m12s`, `1h5m`.
fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, _) => format!("{hours}h{minutes}m"),
    }
}
