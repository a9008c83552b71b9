//! A branch, tag or commit of a git repository.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Audience, Call};
use crate::diagnostic::Diagnostic;
use crate::source::{Access, Head, Mirror, Reference, Verifier, Verify, VerifyError};
use crate::watch::{Backoff, Snapshot, jittered};

/// How long to wait before a remote that can't be asked is asked again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(600));

/// A branch, tag or commit of a git repository, followed.
pub struct Git {
    /// What people call the source.
    pub name: String,
    /// The repository, which other feeds may follow too.
    pub mirror: Arc<Mirror>,
    /// What is followed.
    pub reference: Reference,
    /// With which credentials.
    pub access: Access,
    /// Which commits must be signed, and by whom; none must without it.
    pub verify: Option<Verify>,
    /// Whether the commits of submodules are read, too.
    pub submodules: bool,
    /// Who is told.
    pub audience: Audience,
    /// How often to ask the remote, should nobody have told of a change.
    pub interval: Duration,
}

impl Git {
    /// Tells of the newest commit, and of each one that takes its place, until it is called to stop.
    pub fn run(self, calls: &Receiver<Call>) {
        let mut told: Option<Head> = None;
        let mut verifier = self.verify.clone().map(Verifier::new);
        let mut refused: Option<(Head, String)> = None;
        let mut backoff = RETRY;
        let mut noticed = Instant::now();
        loop {
            let wait = match self.look(noticed, told.as_ref(), verifier.as_mut()) {
                Ok(Looked::Followed(head)) => {
                    if backoff.failures() > 0 && told.as_ref() == Some(&head) {
                        self.audience.unchanged();
                    }
                    backoff.worked();
                    refused = None;
                    told = Some(head);
                    jittered(self.interval, (&self.name, backoff.failures()))
                }
                Ok(Looked::Refused(head, finding)) => {
                    // It is looked at again, as the keys may be others then, and told once.
                    let why = Some((head.clone(), finding.message.clone()));
                    if refused != why {
                        self.audience.unverified(&head.to_string(), &finding);
                    }
                    refused = why;
                    backoff.failed(&self.name).min(self.interval.max(Duration::from_secs(60)))
                }
                Err(error) => {
                    // Only then a new commit of the same id, after the remote was another one, is told again.
                    self.audience.failed(&error.finding());
                    backoff.failed(&self.name).min(self.interval.max(Duration::from_secs(60)))
                }
            };
            match wait_for_call(calls, wait) {
                Waited::Called(at) => noticed = at,
                Waited::Enough => noticed = Instant::now(),
                Waited::Stopped => return,
            }
        }
    }

    /// Asks the remote, and tells what is new.
    fn look(&self, noticed: Instant, told: Option<&Head>, verifier: Option<&mut Verifier>) -> Result<Looked, VerifyError> {
        let head = self.mirror.resolve(&self.reference, &self.access)?;
        if told == Some(&head) {
            return Ok(Looked::Followed(head));
        }
        let resolved = Instant::now();
        match verifier {
            Some(verifier) => match verifier.fetch(&self.mirror, &head, &self.access) {
                Ok(signer) => tracing::info!(source = self.name, revision = head.to_string(), signer = signer.to_string(), "verified"),
                Err(error @ (VerifyError::Unverified { .. } | VerifyError::UnverifiedTag { .. })) => {
                    return Ok(Looked::Refused(head, error.finding()));
                }
                Err(error) => return Err(error),
            },
            None => self.mirror.fetch(&head, &self.access)?,
        }
        if self.submodules {
            self.mirror.fetch_with_submodules(&head, &self.access)?;
        }
        let fetching = resolved.elapsed();
        // What can't be read is looked for again.
        let damaged = |finding: Diagnostic| VerifyError::Damaged {
            url: self.mirror.url().to_owned(),
            commit: head.commit.clone(),
            why: finding.message,
        };
        let side = if self.submodules { self.mirror.side_with_submodules(&head) } else { self.mirror.side(&head) };
        let tree = side.map_err(damaged)?.tree;
        let commit = self.mirror.commit(&head);
        let revision = head.to_string();
        tracing::info!(source = self.name, revision, "fetched");
        let resolving = resolved.saturating_duration_since(noticed);
        self.audience.snapshot(&Snapshot { revision: Some(revision), commit, tree, noticed, resolving, fetching });
        Ok(Looked::Followed(head))
    }
}

/// What a look at the remote gives.
enum Looked {
    /// This is followed now.
    Followed(Head),
    /// This is there, and isn't followed, since nobody has signed it who may.
    Refused(Head, Diagnostic),
}

/// Why a wait is over.
enum Waited {
    Called(Instant),
    Enough,
    Stopped,
}

/// Waits until somebody calls; of several calls that wait already one is enough.
fn wait_for_call(calls: &Receiver<Call>, wait: Duration) -> Waited {
    match calls.recv_timeout(wait) {
        Ok(Call::Look) => {
            let called = Instant::now();
            loop {
                match calls.try_recv() {
                    Ok(Call::Look) => {}
                    Ok(Call::Stop) => return Waited::Stopped,
                    Err(_) => return Waited::Called(called),
                }
            }
        }
        Err(RecvTimeoutError::Timeout) => Waited::Enough,
        Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => Waited::Stopped,
    }
}
