//! Where files come from: each feed tells workers of new snapshots, and why there are none.

mod cluster;
mod declared;
mod directory;
mod git;
mod lists;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::time::Instant;

use super::{Event, Snapshot};
use crate::diagnostic::Diagnostic;

pub use cluster::{ClusterObjects, Looks};
pub use declared::Own;
pub use directory::Directory;
pub use git::Git;

/// Those who are told.
#[derive(Clone, Default)]
pub struct Audience(Vec<Sender<Event>>);

impl Audience {
    /// Tells this one, too.
    pub fn add(&mut self, listener: Sender<Event>) {
        self.0.push(listener);
    }

    fn snapshot(&self, snapshot: &Snapshot) {
        // Who doesn't listen any more has stopped.
        self.0.iter().for_each(|listener| _ = listener.send(Event::Snapshot(snapshot.clone())));
    }

    fn unverified(&self, revision: &str, finding: &Diagnostic) {
        let event = || Event::Unverified { revision: revision.to_owned(), finding: finding.clone() };
        self.0.iter().for_each(|listener| _ = listener.send(event()));
    }

    fn unchanged(&self) {
        self.0.iter().for_each(|listener| _ = listener.send(Event::Unchanged));
    }

    fn failed(&self, finding: &Diagnostic) {
        self.0.iter().for_each(|listener| _ = listener.send(Event::SourceFailed(finding.clone())));
    }
}

/// Why a feed looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Something has changed, or somebody asks for it.
    Look,
    /// There is nothing more to do.
    Stop,
}

/// How long nothing must have happened for what is there to be taken for whole.
const QUIET: Duration = Duration::from_millis(50);

/// How long a feed waits for quiet at most.
const LONGEST: Duration = Duration::from_secs(1);

/// Waits until nothing has happened for a moment: files and objects are often written one after the other. Whether to go on then.
fn until_quiet(calls: &Receiver<Call>, since: Instant) -> bool {
    while since.elapsed() < LONGEST {
        match calls.recv_timeout(QUIET) {
            Ok(Call::Look) => {}
            Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}
