//! Where files come from: each feed tells workers of new snapshots, and why there are none.

mod directory;
mod git;

use std::sync::mpsc::Sender;
use std::time::Duration;

use super::{Event, Snapshot};
use crate::diagnostic::Diagnostic;

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

/// How long nothing must have happened for files to be taken for whole.
const QUIET: Duration = Duration::from_millis(50);

/// How long a feed waits for quiet at most.
const LONGEST: Duration = Duration::from_secs(1);
