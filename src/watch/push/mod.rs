//! Commits what a set is rendered to to a branch, by a thread of its own: nothing that is applied waits for it.

mod config;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use tokio::time::Instant;

pub use config::PushConfig;

use super::{Backoff, Event, Planned, Planner, Snapshot, to_the_second};
use crate::diagnostic::Diagnostic;
use crate::heap;
use crate::notify::{self, Notice, Notify};
use crate::rendered_branch::{Manifest, manifests};
use crate::source::{Destination, Mirror, PushError, Pushed, is_same_repository, shown_url};

/// How long to wait before a push that failed is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// How often in a row somebody else is faster before people are told.
const CONTENDED: u32 = 3;

/// How long to wait when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

/// Commits what a set is rendered to to a branch.
pub struct Pusher {
    /// What people call the set.
    pub name: String,
    /// The address of the repository that files come from.
    pub source: String,
    /// Reads and plans files.
    pub planner: Arc<dyn Planner>,
    /// Whether the Workspaces are among the manifests.
    pub include_workspace: bool,
    /// The command that renders the same.
    pub command: String,
    /// The repository that is pushed to.
    pub mirror: Arc<Mirror>,
    /// The branch in it.
    pub to: Destination,
    /// Says whether this process may push at this moment.
    pub may_push: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Asks the source whether this revision is still the one that is followed.
    pub is_wanted: Box<dyn Fn(&str) -> bool + Send>,
    /// Who is told what became of it.
    pub teller: Teller,
}

/// What was pushed last.
struct Last {
    /// By this the files are known that it was rendered from.
    key: String,
    /// The commit that it is.
    commit: String,
}

/// Why nothing was pushed.
struct Failure {
    finding: Diagnostic,
    /// Whether it is somebody else who was faster, which the next time may not be.
    is_contended: bool,
}

impl From<Diagnostic> for Failure {
    fn from(finding: Diagnostic) -> Self {
        Self { finding, is_contended: false }
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        Self { finding: error.finding(), is_contended: matches!(error, PushError::Contended { .. }) }
    }
}

/// Who is told what became of pushes.
pub enum Teller {
    /// The worker that applies the same, which tells others.
    Worker(Sender<Event>),
    /// Those who are notified; nothing is applied.
    Notified {
        /// Takes notices, if anybody is to be notified.
        notify: Option<Arc<dyn Notify>>,
        /// The set.
        set: notify::Set,
        /// The name of the source.
        source: String,
    },
}

impl Pusher {
    /// Pushes each snapshot that it is told of, until it is told to stop. One that can't be pushed is tried again, unless there is a newer
    /// one.
    pub fn run(self, inbox: &Receiver<Event>) {
        let (mut snapshot, mut due, mut backoff): (Option<Snapshot>, Option<Instant>, Backoff) = (None, None, RETRY);
        let mut failure: Option<String> = None;
        let (mut last, mut contended): (Option<Last>, u32) = (None, 0);
        loop {
            let now = Instant::now();
            let mut told = inbox.recv_timeout(due.map_or(IDLE, |due| due.saturating_duration_since(now)));
            loop {
                match told {
                    Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Event::Snapshot(newer)) => (snapshot, due) = (Some(newer), Some(now)),
                    Ok(Event::Reconcile) => (due, last) = (Some(now), None),
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                }
                told = inbox.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
            let Some(snapshot) = snapshot.as_ref().filter(|_| due.is_some_and(|due| due <= Instant::now())) else { continue };
            let result = self.push(snapshot, &mut last);
            contended = if result.as_ref().is_err_and(|failure| failure.is_contended) { contended + 1 } else { 0 };
            let result = result.map_err(|failure| failure.finding);
            due = match &result {
                Ok(_) => {
                    backoff.worked();
                    None
                }
                Err(_) => Some(Instant::now() + backoff.failed(&self.name)),
            };
            if (1..CONTENDED).contains(&contended) {
                tracing::info!(set = self.name, branch = self.to.branch, "somebody else pushes at the same time: it is tried again");
                continue;
            }
            let is_news = failure.as_ref() != result.as_ref().err().map(|finding| &finding.message) || result.is_ok();
            failure = result.as_ref().err().map(|finding| finding.message.clone());
            self.tell(snapshot, result, is_news);
            heap::give_back();
        }
    }

    fn push(&self, snapshot: &Snapshot, last: &mut Option<Last>) -> Result<Pushed, Failure> {
        let revision = snapshot.revision.as_deref().unwrap_or_default();
        let (pointer, _) = revision.rsplit_once("sha1:").unwrap_or_default();
        if pointer.trim_end_matches('@') == self.to.branch && is_same_repository(&self.source, self.mirror.url()) {
            let finding = Diagnostic::error(format!("the branch {} is the one that is followed", self.to.branch));
            return Err(finding.help("name another branch: what is rendered would be rendered again").into());
        }
        let commit = snapshot.commit.clone();
        let commit = commit.ok_or_else(|| Diagnostic::error("these files are of no commit, and only what a commit holds is pushed"))?;
        let dry = commit.dry(&shown_url(&self.source));
        // What is rendered from the same files is the same, so the note alone is new.
        let key = self.planner.key(&snapshot.tree);
        if let Some(last) = last.as_ref().filter(|last| Some(&last.key) == key.as_ref())
            && let Ok(pushed) = self.mirror.note_while(&self.to, &last.commit, &dry, &*self.may_push)
        {
            return Ok(pushed);
        }
        let mut rendered = Err(Diagnostic::error("there is nothing to push"));
        let planned = self.planner.plan(&snapshot.tree, &mut |planned| rendered = whole_manifests(planned, self.include_workspace));
        planned.map_err(|findings| broken(&findings))?;
        let rendering = self.to.rendering(rendered?, &self.command, dry);
        let pushed = match self.mirror.push_while(&self.to, &rendering, &*self.may_push) {
            // The source has gone back: to an older tag, for instance.
            Err(PushError::Newer { .. }) if (self.is_wanted)(revision) => {
                self.mirror.push_while(&Destination { goes_back: true, ..self.to.clone() }, &rendering, &*self.may_push)
            }
            pushed => pushed,
        }?;
        *last = key.map(|key| Last { key, commit: pushed.commit.clone() });
        Ok(pushed)
    }

    fn tell(&self, snapshot: &Snapshot, result: Result<Pushed, Diagnostic>, is_news: bool) {
        let (set, branch) = (self.name.as_str(), self.to.branch.as_str());
        let revision = snapshot.revision.as_deref().unwrap_or_default();
        match &result {
            Ok(pushed) if pushed.is_new => {
                let Pushed { commit, written, removed, .. } = pushed;
                tracing::info!(set, revision, branch, commit, written, removed, "pushed");
            }
            Ok(pushed) => tracing::info!(set, revision, branch, commit = pushed.commit, "the branch holds this already"),
            Err(finding) => tracing::error!(set, revision, branch, error = finding.message, help = finding.help.join("; "), "not pushed"),
        }
        match &self.teller {
            // Who doesn't listen any more has stopped.
            Teller::Worker(worker) => _ = worker.send(Event::Pushed(result)),
            Teller::Notified { notify, set, source } => {
                let Some(notify) = notify.as_ref().filter(|_| is_news) else { return };
                let (event, summary, details) = match result {
                    Ok(pushed) => (notify::Event::Succeeded, format!("rendered to {branch} at {}", pushed.commit), Vec::new()),
                    Err(finding) => (notify::Event::Failed, finding.message, finding.help),
                };
                let at = to_the_second(jiff::Timestamp::now());
                let (set, source, revision) = (set.clone(), source.clone(), snapshot.revision.clone());
                notify.notify(Notice { set, source, revision, event, summary, details, is_news, at });
            }
        }
    }
}

/// All manifests, if all can be rendered: what is left out would be deleted by whoever applies them.
pub(super) fn whole_manifests(planned: &Planned<'_>, include_workspace: bool) -> Result<Vec<Manifest>, Diagnostic> {
    let side = planned.side;
    if side.findings.iter().any(Diagnostic::is_error) {
        return Err(broken(side.findings));
    }
    manifests(side, include_workspace).map_err(|error| *error.0)
}

/// Why not all of an input can be rendered.
pub(super) fn broken(findings: &[Diagnostic]) -> Diagnostic {
    let errors: Vec<&Diagnostic> = findings.iter().filter(|finding| finding.is_error()).collect();
    let first = errors.first().map_or_else(String::new, |finding| finding.line());
    let help = "what was pushed before stays until all can be rendered: what is left out would be deleted by whoever applies it";
    Diagnostic::error(format!("not all can be rendered: {first}")).help(help)
}
