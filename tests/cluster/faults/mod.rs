//! What goes wrong around `kaito watch`, and that afterwards all is as the newest revision says: nobody has to do anything, nothing is lost
//! that should live, no node is made twice, and every status is true.

mod api_server;
mod clock;
mod disk;
mod fleet;
mod leader;
mod names;
mod repository;
mod schedule;
mod shim;
mod stand_ins;
mod tls;

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Cluster, start};

/// A cluster to which anything may be done, for one test at a time. It is well again when the next one has it.
struct Turn {
    cluster: &'static Cluster,
    _turn: MutexGuard<'static, ()>,
}

fn doomed() -> Turn {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Turn { cluster: start(&CLUSTER), _turn: turn }
}

impl Deref for Turn {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // If it can't be made well, the next test says so.
        _ = self.cluster.server.revive();
    }
}
