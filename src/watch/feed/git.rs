//! A branch, tag or commit of a git repository.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Audience, Call};
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
        let mut refused: Option<String> = None;
        let mut backoff = RETRY;
        let mut noticed = Instant::now();
        loop {
            let wait = match self.look(noticed, told.as_ref(), verifier.as_mut()) {
                Ok(head) => {
                    backoff.worked();
                    refused = None;
                    told = Some(head);
                    jittered(self.interval, (&self.name, backoff.failures()))
                }
                Err(error @ (VerifyError::Unverified { .. } | VerifyError::UnverifiedTag { .. })) => {
                    // It is looked at again, as the keys may be others then, and told once.
                    if refused.replace(error.to_string()) != Some(error.to_string()) {
                        self.audience.unverified(&error.finding());
                    }
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

    /// Asks the remote, and tells what is new; what is followed now.
    fn look(&self, noticed: Instant, told: Option<&Head>, verifier: Option<&mut Verifier>) -> Result<Head, VerifyError> {
        let head = self.mirror.resolve(&self.reference, &self.access)?;
        if told == Some(&head) {
            return Ok(head);
        }
        let resolved = Instant::now();
        match verifier {
            Some(verifier) => {
                let signer = verifier.fetch(&self.mirror, &head, &self.access)?;
                tracing::info!(source = self.name, revision = head.to_string(), signer = signer.to_string(), "verified");
            }
            None => self.mirror.fetch(&head, &self.access)?,
        }
        if self.submodules {
            self.mirror.fetch_with_submodules(&head, &self.access)?;
        }
        let fetching = resolved.elapsed();
        let side = if self.submodules { self.mirror.side_with_submodules(&head) } else { self.mirror.side(&head) };
        match side {
            Ok(side) => self.audience.snapshot(&Snapshot {
                revision: Some(head.to_string()),
                tree: side.tree,
                noticed,
                resolving: resolved.saturating_duration_since(noticed),
                fetching,
            }),
            Err(finding) => self.audience.failed(&finding),
        }
        Ok(head)
    }
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
