//! Files that can't be had, read or followed: what is told of that. What runs goes on.

use super::Snapshot;
use super::sightings;
use super::worker::Worker;
use crate::cluster::EventType;
use crate::conditions::{Cause, Trouble};
use crate::diagnostic::Diagnostic;
use crate::reconcile::Set;

/// A revision that isn't followed, of which the set doesn't say so yet.
pub(super) struct Refused {
    revision: String,
}

impl Worker {
    /// The source can't be read. As long as there are files from before, what is applied is what they say, and only the set is told;
    /// without any, the set begins with what it has on record.
    pub(super) fn source_failed(&mut self, finding: &Diagnostic) {
        let help = finding.help.join("; ");
        tracing::error!(set = self.config.name, error = finding.message, help, "the source can't be read");
        self.publish(&None, (EventType::Warning, "SourceFailed", "Fetch"), finding.message.clone());
        self.tell_source_failed(finding);
        self.begin_without_files(finding);
    }

    /// There is a commit that isn't signed as it must be; what runs goes on, and no Workspace is the worse for it. It is told on the set,
    /// beside the commit, and by a condition of its own.
    pub(super) fn unverified(&mut self, revision: String, finding: &Diagnostic) {
        let help = finding.help.join("; ");
        tracing::error!(set = self.config.name, revision, error = finding.message, help, "not followed: what runs goes on");
        self.publish(&None, (EventType::Warning, Cause::Unverified.reason(), "Verify"), format!("{}; {help}", finding.message));
        self.source_read();
        self.tell_refused(&revision, finding);
        self.unverified = Some(finding.message.clone());
        self.refused = Some(Refused { revision });
        self.stir_all();
        self.begin_without_files(finding);
    }

    /// What is followed is what there is.
    pub(super) fn verified(&mut self) {
        if self.unverified.take().is_some() {
            self.stir_all();
        }
    }

    /// Has the set say that a revision isn't followed.
    ///
    /// # Errors
    /// The cluster doesn't answer; it is said the next time.
    pub(super) fn note_refused(&mut self) -> Result<(), Diagnostic> {
        let Some(Refused { revision }) = &self.refused else { return Ok(()) };
        let (cluster, now) = (&self.cluster, self.now());
        let noted = match &mut self.set {
            Some(set) => set.note_failed(cluster, Some(revision), Cause::Unverified, &now),
            // Its members don't matter.
            None => Set::open(cluster, self.config.parent.clone(), false)
                .and_then(|mut set| set.note_failed(cluster, Some(revision), Cause::Unverified, &now)),
        };
        noted.map_err(|trouble| trouble.finding())?;
        self.refused = None;
        Ok(())
    }

    /// There is nothing to make a pass over. What runs is kept as it was until there is something else to read.
    pub(super) fn unreadable(&mut self, snapshot: &Snapshot, findings: &[Diagnostic]) -> Result<(), Diagnostic> {
        self.is_new = false;
        if std::mem::replace(&mut self.is_unreadable, true) {
            // What could be read the last time can't be read again, as a directory that is gone.
            self.readable = None;
        }
        let errors: Vec<&Diagnostic> = findings.iter().filter(|finding| finding.is_error()).collect();
        self.tell_unreadable(snapshot, &errors);
        // A revision doesn't change any more; a directory may come back.
        let is_gone = snapshot.revision.is_none() && !self.planner.is_there(&snapshot.tree);
        let cause = if is_gone { Cause::Source } else { Cause::Invalid };
        let message = errors.first().map(|error| error.line()).unwrap_or_default();
        self.trouble_all(Some(Trouble { cause, message, helps_to_retry: is_gone }));
        let now = self.now();
        let Some(set) = &mut self.set else { return Ok(()) };
        let noted = set.note_failed(&self.cluster, snapshot.revision.as_deref(), Cause::Invalid, &now);
        if noted.is_err() {
            // It is read once more, and noted then.
            (self.is_new, self.is_unreadable) = (true, false);
        }
        noted.map_err(|trouble| trouble.finding())
    }

    /// The files can't be rendered at all; what runs goes on.
    fn tell_unreadable(&mut self, snapshot: &Snapshot, errors: &[&Diagnostic]) {
        let revision = snapshot.revision.as_deref().unwrap_or_default();
        for error in errors {
            tracing::error!(
                set = self.config.name,
                revision,
                error = error.line(),
                help = error.help.join("; "),
                "not rendered: what runs goes on"
            );
        }
        let notes: Vec<String> = errors.iter().map(|error| error.line()).collect();
        self.standing.unreadable = notes.first().cloned();
        self.publish(
            &None,
            (EventType::Warning, Cause::Invalid.reason(), "Render"),
            format!("{revision} can't be rendered: {}", notes.join("; ")),
        );
    }

    /// Some files can't be read; the others are applied.
    pub(super) fn tell_unread(&self, errors: &[&Diagnostic]) {
        for error in errors.iter().filter(|_| self.is_new) {
            tracing::error!(set = self.config.name, error = error.line(), help = error.help.join("; "), "not read: what runs goes on");
        }
    }

    /// Follows what is live of these kinds, as far as the set may have any of them.
    ///
    /// # Errors
    /// The cluster's configuration can't be used.
    pub(super) fn follow(&mut self, contents: &crate::inventory::Contents) -> Result<(), Diagnostic> {
        let settings = &self.config.settings;
        let (parent, namespaces) = (&self.config.parent, settings.namespaces.as_ref());
        let subjects = sightings::subjects(parent, contents, namespaces, &self.config.declared);
        let followed = self.following.follow(&self.connection, (parent, &settings.manager), subjects, &self.outbox);
        followed.map_err(|error| error.finding())
    }

    /// What is wrong with all Workspaces at once; none if nothing is any more.
    pub(super) fn trouble_all(&mut self, trouble: Option<Trouble>) {
        if self.trouble != trouble {
            self.trouble = trouble;
            self.stir_all();
        }
    }
}
