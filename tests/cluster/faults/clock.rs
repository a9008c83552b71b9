//! The clock of the machine jumps. Nothing that is waited for goes by it, and nobody compares it with another one's.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::watching::Watching;
use super::fleet::{Fleet, workspace};
use super::shim::compiled;

const SHIM: &str = "tests/cluster/faults/clock/shim.rs";

const DAY: i64 = 86_400;

/// A clock that is wrong, for the processes that are started with it.
struct Clock {
    shim: PathBuf,
    home: TempDir,
}

impl Clock {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Self { shim: compiled(SHIM, home.path()), home };
        clock.set(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("seconds")
    }

    /// By how many seconds it is wrong from now on.
    fn set(&self, seconds: i64) {
        let new = self.home.path().join("new");
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, self.file()).unwrap();
    }
}

#[test]
fn it_jumps() {
    let fleet = Fleet::new("clock");
    let clock = Clock::new();
    let start = |replica: &str| {
        let mut command = fleet.command(replica, &fleet.cluster.server.kubeconfig_file(), &["--leader-elect", "--lease-duration", "8s"]);
        Watching::of(command.env("LD_PRELOAD", &clock.shim).env("KAITO_TEST_CLOCK", clock.file()))
    };
    let mut watching = start("one");
    watching.until(&["this process leads"]);
    fleet.until_all_is(&fleet.commit(1));
    // Another one waits for its turn, whose clock agrees with nobody's.
    clock.set(-DAY / 48);
    let mut other = start("other");
    for (number, seconds) in [(2, 30 * DAY), (3, -DAY / 48), (4, 0)] {
        clock.set(seconds);
        fleet.until_repaired();
        fleet.write("new", &workspace(&format!("new-{number}")));
        fleet.until_all_is(&fleet.commit(number));
    }
    // The server's certificate isn't valid then, so that it may not be asked at all.
    for (number, seconds) in [(5, 3650 * DAY), (6, -3650 * DAY)] {
        clock.set(seconds);
        watching.skip();
        let commit = fleet.commit(number);
        watching.until(&["fetched"]);
        clock.set(0);
        fleet.until_all_is(&commit);
    }
    assert_eq!(watching.said(&["leads no more"]), [""; 0]);
    assert_eq!(other.said(&["this process leads"]), [""; 0]);
    assert_eq!(watching.stop().code(), Some(0));
    other.until(&["this process leads"]);
    fleet.until_all_is(&fleet.commit(7));
}
