//! Looks after one set: waits for events, and makes passes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::control::Control;
use super::following::{Following, News};
use super::ledger::Ledger;
use super::lost::Lost;
use super::owners::{Owners, Whose};
use super::standing::Standing;
use super::statuses::Statuses;
use super::unlisted::Unlisted;
use super::unread::Refused;
use super::{Event, Planner, Snapshot};
use crate::apply::Operator;
use crate::cluster::{Cluster, ClusterError, Connection, Events, Kinds};
use crate::conditions::Trouble;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::drift::Fight;
use crate::heap;
use crate::inventory::Parent;
use crate::manifest::ObjectRef;
use crate::notify::Notify;
use crate::pause::pause_of;
use crate::prune::{AllowedKind, MaxPrune};
use crate::reconcile::{Set, Settings};
use crate::shard::Shard;
use crate::telemetry::{Metrics, Span, Traces};

/// How long to let events gather before a pass: deleting a Workspace's objects is many events, and one pass.
const GATHER: Duration = Duration::from_millis(20);

/// How long to wait when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

/// How long to wait before a cluster that doesn't answer is asked again.
const SILENCE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));

/// What a worker is told beforehand.
#[derive(Clone)]
pub struct Work {
    /// What people call the set.
    pub name: String,
    /// What people call the source that it comes from.
    pub source: String,
    /// What keeps it.
    pub parent: Parent,
    /// Which part of the set this process looks after; all of it without.
    pub shard: Option<Shard>,
    /// How objects are applied.
    pub settings: Settings,
    /// The kinds of `kaito.sh` that are declared in the cluster itself, and have a status there.
    pub declared: Vec<&'static str>,
    /// Whether what is no longer wanted is deleted.
    pub prune: bool,
    /// How many objects may be deleted at once.
    pub max_prune: Option<MaxPrune>,
    /// Kinds that are deleted though their Workspace is still there, or they belong to none.
    pub allowed: Vec<AllowedKind>,
    /// Where it is counted what is done.
    pub metrics: Arc<Metrics>,
    /// Who is told how long each part of a pass took, if anybody is.
    pub traces: Option<Arc<Traces>>,
    /// Where it is told what has happened.
    pub events: Arc<Events>,
    /// Who is notified of what becomes of a revision, if anybody is.
    pub notify: Option<Arc<dyn Notify>>,
    /// Has the source looked at, since somebody asks for it.
    pub look: Arc<dyn Fn() + Send + Sync>,
    /// Gets the files of another revision of the source, to go back to.
    pub at: At,
    /// What time it is, for people: the loop itself waits by a clock that knows no jumps.
    pub now: fn() -> Timestamp,
}

/// Gets the files of a revision, as Flux writes it.
pub type At = Arc<dyn Fn(&str) -> Result<Snapshot, Diagnostic> + Send + Sync>;

/// Whether a worker knows all that is live.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Whether it does.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks after one set.
pub struct Worker {
    pub(super) config: Work,
    pub(super) connection: Connection,
    pub(super) cluster: Cluster,
    pub(super) planner: Arc<dyn Planner>,
    pub(super) outbox: Sender<Event>,
    pub(super) set: Option<Set>,
    pub(super) following: Following,
    pub(super) ledger: Ledger,
    pub(super) owners: Owners,
    /// The Workspaces that were left alone in the last pass, since somebody has paused them.
    pub(super) paused: BTreeSet<Owner>,
    pub(super) snapshot: Option<Snapshot>,
    /// The newest files that could be rendered.
    pub(super) readable: Option<Snapshot>,
    /// Whether those of the snapshot can't be.
    pub(super) is_unreadable: bool,
    /// Whether no pass has been made over the snapshot yet.
    pub(super) is_new: bool,
    /// Whether the next pass looks at everything, and asks the cluster what is there.
    pub(super) is_full_due: bool,
    /// The key of the files that the last pass was over.
    pub(super) key: Option<String>,
    pub(super) statuses: Statuses,
    pub(super) control: Control,
    pub(super) standing: Standing,
    /// What is wrong with all Workspaces at once.
    pub(super) trouble: Option<Trouble>,
    /// Why there is a revision that isn't followed.
    pub(super) unverified: Option<String>,
    /// The revision that isn't followed, as long as the set doesn't say so.
    pub(super) refused: Option<Refused>,
    /// That there were no files yet, and why.
    pub(super) lost: Option<Lost>,
    /// When it is looked whether what might not be listed may be.
    pub(super) unlisted: Unlisted,
    /// Who fights over fields.
    pub(super) fight: Fight,
    pub(super) since: Instant,
    /// The pass that was made, until it is told to whoever traces.
    pub(super) traced: Option<Span>,
    /// The kinds that the cluster is known to have.
    pub(super) kinds: Option<Kinds>,
    /// Whether an operator of Kaito runs, and when that was found out.
    pub(super) operator: Option<(Operator, Instant)>,
    readiness: Readiness,
    silence: Backoff,
    not_before: Option<Instant>,
}

impl Worker {
    /// A worker that is told of events by `outbox`.
    ///
    /// # Errors
    /// The cluster's configuration can't be used.
    pub fn new(config: Work, connection: Connection, planner: Arc<dyn Planner>, outbox: Sender<Event>) -> Result<Self, ClusterError> {
        let cluster = connection.cluster()?;
        Ok(Self {
            config,
            connection,
            cluster,
            planner,
            outbox,
            set: None,
            following: Following::default(),
            ledger: Ledger::default(),
            owners: Owners::default(),
            paused: BTreeSet::new(),
            snapshot: None,
            readable: None,
            is_unreadable: false,
            is_new: false,
            is_full_due: true,
            key: None,
            statuses: Statuses::default(),
            control: Control::default(),
            standing: Standing::default(),
            trouble: None,
            unverified: None,
            refused: None,
            lost: None,
            unlisted: Unlisted::default(),
            fight: Fight::default(),
            since: Instant::now(),
            traced: None,
            kinds: None,
            operator: None,
            readiness: Readiness::default(),
            silence: SILENCE,
            not_before: None,
        })
    }

    /// Whether it knows all that is live, now and later.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Works until it is told to stop by `inbox`, the other end of its outbox. A pass that has begun is brought to its end.
    pub fn run(mut self, inbox: &Receiver<Event>) {
        tracing::info!(set = self.config.name, "started");
        loop {
            match inbox.recv_timeout(self.patience()) {
                Ok(event) => {
                    if !self.take(event) || !self.take_more(inbox) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.work() {
                heap::give_back();
            }
        }
        self.config.metrics.forget(&self.config.name);
        tracing::info!(set = self.config.name, "stopped");
    }

    /// Takes what comes in the next moment, too; whether to go on.
    fn take_more(&mut self, inbox: &Receiver<Event>) -> bool {
        let until = Instant::now() + GATHER;
        loop {
            match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if !self.take(event) {
                        return false;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    /// How long there is nothing to do, unless there is an event.
    pub fn patience(&self) -> Duration {
        let now = Instant::now();
        if self.control.is_suspended() {
            return IDLE;
        }
        let due = [self.owners.next(), self.unlisted.due_at(), self.statuses.unwritten.due_at()];
        let work = match &self.lost {
            _ if self.is_waiting_for_nothing() => Some(now),
            Some(lost) => lost.due_at(),
            None => due.into_iter().flatten().min().filter(|_| self.has_files()),
        };
        let next = match (work, self.not_before) {
            (Some(work), Some(not_before)) => Some(work.max(not_before)),
            (work, _) => work,
        };
        next.map_or(IDLE, |next| next.saturating_duration_since(now)).min(IDLE)
    }

    /// Whether there is anything to make a pass over.
    fn has_files(&self) -> bool {
        let files = if self.is_unreadable { &self.readable } else { &self.snapshot };
        files.is_some()
    }

    /// Whether there is something to be done as soon as the cluster may be asked.
    fn is_waiting_for_nothing(&self) -> bool {
        let has_pass = (self.is_new || self.is_full_due) && self.has_files();
        has_pass || self.refused.is_some() || (self.statuses.is_stirred() && self.following.is_complete())
    }

    /// Takes note of an event; whether to go on.
    pub fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Stop => return false,
            Event::Snapshot(snapshot) => {
                self.snapshot = Some(snapshot);
                self.lost = None;
                self.is_new = true;
                self.is_unreadable = false;
                self.verified();
                self.source_read();
                // What was waited for may be no matter any more.
                self.not_before = None;
            }
            Event::SourceFailed(finding) => self.source_failed(&finding),
            Event::Unchanged => {
                self.verified();
                self.source_read();
            }
            Event::Unverified { revision, finding } => self.unverified(revision, &finding),
            Event::Pushed(result) => self.pushed(result),
            Event::Reconcile => self.look_anew(),
            Event::Live(sight) => match self.following.take(sight, &mut self.ledger) {
                News::None => {}
                News::Objects(references) => references.iter().for_each(|reference| self.look_at(reference)),
                News::Complete => self.look_at_all(),
                News::Heard { kind, is_first, objects } => {
                    let is_unlisted = |set: &Set| set.unlisted().iter().any(|unlisted| unlisted.kind == kind);
                    if is_first || self.set.as_ref().is_some_and(is_unlisted) {
                        tracing::info!(set = self.config.name, kind = kind.to_string(), "it may be read: everything is looked at");
                        self.is_full_due = true;
                    }
                    objects.iter().for_each(|reference| self.look_at(reference));
                }
                News::Unheard { why, is_last } => {
                    tracing::warn!(set = self.config.name, why, "nothing is heard of a kind");
                    if is_last {
                        self.look_at_all();
                    }
                }
            },
        }
        true
    }

    /// Everything is looked at, since somebody asks for it, and nobody is given way to any more.
    pub(super) fn look_anew(&mut self) {
        self.is_full_due = true;
        self.fight = Fight::default();
    }

    /// Something is new about an object.
    fn look_at(&mut self, reference: &ObjectRef) {
        if *reference == self.config.parent.reference() {
            return self.listen();
        }
        self.stir(reference);
        self.look_at_resumed(reference);
        // What somebody has deleted comes back all the same.
        let is_left = self.fight.gives_way(reference, self.since.elapsed()) && self.ledger.get(reference).is_some();
        if self.following.is_complete() && self.ledger.has_drifted(reference) && !is_left {
            let owner: Whose = self.ledger.owner_wanting(reference).cloned().flatten();
            self.owners.disturbed(&owner, reference, Instant::now());
        }
    }

    /// Whether this process looks after what belongs to an owner.
    pub(super) fn is_ours(&self, owner: Option<&Owner>) -> bool {
        self.config.shard.is_none_or(|shard| shard.has(owner))
    }

    /// Somebody may go on with a Workspace that was left alone: whatever has happened meanwhile is looked at.
    fn look_at_resumed(&mut self, reference: &ObjectRef) {
        let is_it = |owner: &&Owner| {
            (owner.kind, Some(owner.namespace.as_str()), owner.name.as_str())
                == (reference.kind.as_str(), reference.namespace.as_deref(), reference.name.as_str())
        };
        let Some(owner) = self.paused.iter().find(is_it).cloned() else { return };
        if self.ledger.declared(&owner).is_some_and(|workspace| pause_of(&workspace).is_none()) {
            self.owners.disturbed(&Some(owner), reference, Instant::now());
        }
    }

    /// Everything was listed: what has happened since it was applied is known now.
    fn look_at_all(&mut self) {
        self.readiness.set();
        self.stir_all();
        let now = Instant::now();
        for (owner, objects) in self.ledger.drifted() {
            tracing::debug!(set = self.config.name, objects = objects.len(), "other than applied");
            objects.iter().for_each(|object| self.owners.disturbed(&owner, object, now));
        }
    }

    /// Does what is to be done by now, and waits for the cluster meanwhile; whether that was a pass.
    pub fn work(&mut self) -> bool {
        let now = Instant::now();
        let is_silent = self.not_before.is_some_and(|not_before| not_before > now);
        if is_silent {
            return false;
        }
        let told = if self.snapshot.is_some() { self.ask() } else { Ok(()) };
        if self.control.is_suspended() {
            return false;
        }
        self.is_full_due |= self.unlisted.is_due(now);
        let begun = told.and_then(|()| self.begin_on_record(now));
        let due = if self.has_files() { self.due(now) } else { BTreeSet::new() };
        let is_pass = self.has_files() && (self.is_new || self.is_full_due || !due.is_empty());
        let done = begun.and_then(|()| if is_pass { self.pass(&due) } else { Ok(()) });
        let done = done.and_then(|()| self.note_refused());
        let writing = done.is_ok().then(Instant::now);
        let done = done.and_then(|()| self.write_statuses(&self.now()).map_err(|error| error.finding()));
        self.trace_end(now, writing, done.as_ref().err());
        match done {
            Ok(()) => {
                self.silence.worked();
                self.not_before = None;
                self.tell_standing(None);
            }
            Err(finding) => {
                self.count_failed(now, due.len());
                self.failed(&finding, &due);
            }
        }
        self.count_workspaces();
        is_pass
    }

    /// What is to be looked after by now.
    fn due(&mut self, now: Instant) -> BTreeSet<Whose> {
        if !self.owners.due(now).is_empty() {
            // What a pass has done may be heard of after it.
            let ledger = &self.ledger;
            self.owners.calm(now, |object| ledger.has_drifted(object));
        }
        self.owners.due(now)
    }

    /// A pass could not be made. It is tried again.
    fn failed(&mut self, finding: &Diagnostic, due: &BTreeSet<Whose>) {
        let wait = self.silence.failed(&self.config.name);
        let until = Instant::now() + wait;
        tracing::error!(set = self.config.name, error = finding.message, retry_in_ms = wait.as_millis(), "not reconciled");
        self.not_before = Some(until);
        self.owners.postponed(due, until);
        self.tell_standing(Some(finding));
    }

    /// This moment, to the second, as conditions have it.
    pub(super) fn now(&self) -> String {
        super::to_the_second((self.config.now)()).to_string()
    }

    /// How often in a row no pass could be made.
    pub(super) fn failures_in_a_row(&self) -> u32 {
        self.silence.failures()
    }
}
