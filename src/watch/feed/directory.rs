//! Files on disk, which are read again when one of them changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::time::Instant;

use super::{Audience, Call, until_quiet};
use crate::diagnostic::Diagnostic;
use crate::source::{Changes, Disk};
use crate::watch::Snapshot;

/// Files on disk.
pub struct Directory {
    /// What to watch.
    pub paths: Vec<PathBuf>,
    /// Who is told.
    pub audience: Audience,
    /// How long to wait for changes before everything is read once more, as the system may not tell all of them.
    pub interval: Duration,
}

impl Directory {
    /// Tells of the files as they are, and then of each change, until it is called to stop. `calls` are others that want it to look.
    ///
    /// # Errors
    /// The system doesn't let the files be watched.
    pub fn run(self, (caller, calls): (Sender<Call>, &Receiver<Call>)) -> Result<(), Diagnostic> {
        let mut changes = Changes::watch(&self.paths, move || _ = caller.send(Call::Look))?;
        self.tell(Instant::now());
        loop {
            match calls.recv_timeout(self.interval) {
                Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Call::Look) => {
                    let noticed = Instant::now();
                    if !until_quiet(calls, noticed) {
                        return Ok(());
                    }
                    changes.renew()?;
                    self.tell(noticed);
                }
                Err(RecvTimeoutError::Timeout) => self.tell(Instant::now()),
            }
        }
    }

    fn tell(&self, noticed: Instant) {
        let resolving = noticed.elapsed();
        let snapshot = Snapshot { revision: None, commit: None, tree: Arc::new(Disk), noticed, resolving, fetching: Duration::ZERO };
        self.audience.snapshot(&snapshot);
    }
}
