//! The loop: a set of objects in a cluster follows what some files say, and stays as they say.
//!
//! ```text
//! feed (git, directory, cluster) --Snapshot--+
//!                                            v
//! API server --Sighting--> ledger -----> worker --pass--> API server
//!                                            |
//!                                            +--> status, events, logs, metrics
//! ```
//!
//! A [feed] tells of new [`Snapshot`]s of files. A [`Worker`] looks after one set: it renders what has changed since the last
//! pass, applies it, keeps a ledger of what is live by watching it, and makes a pass about a Workspace of which something has drifted.
//! One thread a worker, and one thread a feed: none waits for another. What is to be done is decided from events alone; the clock only
//! says when something that failed is tried again.

mod backoff;
pub mod config;
mod control;
mod count;
pub mod feed;
mod fingerprint;
mod following;
mod inference_sets;
mod ledger;
mod log;
mod lost;
mod notifications;
mod owners;
mod pass;
mod publish;
mod push;
mod report;
mod sighting;
mod sightings;
mod standing;
mod statuses;
mod tell;
mod trace;
mod unlisted;
mod unread;
mod unwritten;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::diagnostic::Diagnostic;
use crate::diff::Side;
use crate::source::{Commit, Pushed, Tree};

pub use backoff::{Backoff, jittered};
pub use control::{REQUESTED_AT, STAY_AT};
pub use fingerprint::{Fingerprints, fingerprints};
pub use ledger::Ledger;
pub use notifications::NotificationConfig;
pub use publish::{ExternalArtifactConfig, Publisher};
pub use push::{PushConfig, Pusher, Teller};
pub use sighting::Sighting;
pub use sightings::Sight;
pub use worker::{At, Readiness, Work, Worker};

/// Files as they were at some moment.
#[derive(Clone)]
pub struct Snapshot {
    /// What people call it: a revision as Flux writes it, `main@sha1:COMMIT`; none of files that have no revision.
    pub revision: Option<String>,
    /// What their commit says of itself, if they are of one.
    pub commit: Option<Commit>,
    /// The files.
    pub tree: Arc<dyn Tree>,
    /// When it was noticed that there is something new.
    pub noticed: Instant,
    /// How long it took to find out what is new.
    pub resolving: Duration,
    /// How long it took to get it.
    pub fetching: Duration,
}

/// What a worker is told.
pub enum Event {
    /// There are other files.
    Snapshot(Snapshot),
    /// Files can't be had at the moment, and why. What runs goes on.
    SourceFailed(Diagnostic),
    /// There are other files, which nobody has signed who may. What runs goes on.
    Unverified {
        /// Their revision, as Flux writes it.
        revision: String,
        /// Why they are refused.
        finding: Diagnostic,
    },
    /// There are no other files than before, after it was said that there are, or that they can't be had.
    Unchanged,
    /// Something has happened in the cluster.
    Live(Sight),
    /// What the files are rendered to was committed to a branch, or why not. What is applied goes on.
    Pushed(Result<Pushed, Diagnostic>),
    /// Everything is to be looked at anew, since somebody asks for it.
    Reconcile,
    /// There is nothing more to do.
    Stop,
}

/// An input that was read and planned.
pub struct Planned<'p> {
    /// What it stands for.
    pub side: &'p Side<'p>,
    /// The namespace of objects that name none.
    pub namespace: &'p str,
    /// Everything that decides how it is rendered besides the input.
    pub world: &'p str,
}

/// Reads and plans files. It knows the flags and finds `kaito.yaml`.
pub trait Planner: Send + Sync {
    /// What is read, in the same words on every machine.
    fn inputs(&self) -> String;

    /// Whether what is to be read is there at all, whatever is in it.
    fn is_there(&self, tree: &Arc<dyn Tree>) -> bool;

    /// The ids of all that would be read, if the tree has any: what has the same key is the same.
    fn key(&self, tree: &Arc<dyn Tree>) -> Option<String>;

    /// Reads and plans what is in a tree, and goes on with it.
    ///
    /// # Errors
    /// Why there is nothing to go on with.
    fn plan(&self, tree: &Arc<dyn Tree>, then: &mut dyn FnMut(&Planned<'_>)) -> Result<(), Vec<Diagnostic>>;
}

/// A moment without the part of a second, as conditions and notices have it.
fn to_the_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}
