//! The process began while there was nothing that may be followed: the set goes on with the revision that it has on record, verified as any
//! other. Without one, what runs is left alone, and each Workspace says why.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::worker::Worker;
use crate::conditions::{Cause, Trouble};
use crate::diagnostic::Diagnostic;
use crate::reconcile::Set;

/// How long to wait before the revision on record is looked for again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// There were no files yet.
pub(super) struct Lost {
    /// Why.
    why: Trouble,
    backoff: Backoff,
    /// When the revision on record is looked for; none if there is none.
    due_at: Option<Instant>,
}

impl Lost {
    /// When there is something to be done about it.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }
}

impl Worker {
    /// There are no files, and why; of no matter if there were some before.
    pub(super) fn begin_without_files(&mut self, finding: &Diagnostic) {
        if self.snapshot.is_some() {
            return;
        }
        let why = Trouble { cause: Cause::Source, message: finding.line(), helps_to_retry: true };
        if self.trouble.is_some() {
            self.trouble_all(Some(why.clone()));
        }
        let lost = self.lost.get_or_insert_with(|| Lost { why: why.clone(), backoff: RETRY, due_at: Some(Instant::now()) });
        lost.why = why;
    }

    /// Gets the files of the revision that runs, if there are no others and it is time to look for them. If they can't be had, what is live
    /// is followed all the same, so that Workspaces say why they are left alone.
    ///
    /// # Errors
    /// The cluster doesn't answer.
    pub(super) fn begin_on_record(&mut self, now: Instant) -> Result<(), Diagnostic> {
        let Some(lost) = self.lost.as_mut().filter(|lost| lost.due_at.is_some_and(|at| at <= now)) else { return Ok(()) };
        // Its members don't matter.
        let set = Set::open(&self.cluster, self.config.parent.clone(), false).map_err(|trouble| trouble.finding())?;
        lost.due_at = None;
        // Where nothing was ever applied, there is nobody to be told.
        let Some(record) = set.record() else { return Ok(()) };
        if let Some(revision) = record.running() {
            let at = Arc::clone(&self.config.at);
            match at(revision) {
                Ok(snapshot) => {
                    tracing::warn!(set = self.config.name, revision, "nothing newer may be followed: the set goes on with what it has");
                    (self.snapshot, self.is_new, self.lost) = (Some(snapshot), true, None);
                    self.trouble_all(None);
                    return Ok(());
                }
                Err(finding) => {
                    let (error, help) = (&finding.message, finding.help.join("; "));
                    tracing::error!(set = self.config.name, revision, error, help, "the revision that runs can't be had: it is left alone");
                    lost.due_at = Some(Instant::now() + lost.backoff.failed(&self.config.name));
                }
            }
        }
        let why = lost.why.clone();
        self.trouble_all(Some(why));
        self.follow(&record.contents)
    }
}
