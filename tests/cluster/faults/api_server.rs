//! The API server is killed, or half dead: it takes connections and answers nothing. So is what it keeps everything in.

use super::doomed;
use super::fleet::{Fleet, workspace};

/// Files that say something else than before: another Workspace, one less, and another value.
fn change(fleet: &Fleet<'_>, number: usize) -> String {
    fleet.write(&format!("new-{number}"), &workspace(&format!("new-{number}")));
    if number > 2 {
        fleet.remove(&format!("new-{}", number - 1));
    }
    fleet.commit(number)
}

#[test]
fn killed_and_started_again() {
    let doomed = doomed();
    let fleet = Fleet::within(&doomed, "killed");
    let mut watching = fleet.watch();
    fleet.until_all_is(&fleet.commit(1));
    for (number, program) in [(2, "kube-apiserver"), (3, "etcd")] {
        doomed.server.kill(program);
        let commit = change(&fleet, number);
        watching.until(&["not reconciled"]);
        doomed.server.revive().unwrap();
        fleet.until_all_is(&commit);
    }
    // One in the middle of a pass.
    watching.skip();
    let commit = change(&fleet, 4);
    watching.until(&["fetched"]);
    doomed.server.kill("kube-apiserver");
    doomed.server.revive().unwrap();
    fleet.until_all_is(&commit);
    fleet.until_repaired();
    fleet.until_all_is(&commit);
}

#[test]
fn half_dead() {
    let doomed = doomed();
    let fleet = Fleet::within(&doomed, "half-dead");
    let mut watching = fleet.watch();
    fleet.until_all_is(&fleet.commit(1));
    for (number, program) in [(2, "kube-apiserver"), (3, "etcd")] {
        doomed.server.signal(program, "STOP");
        watching.skip();
        let commit = change(&fleet, number);
        watching.until(&["fetched"]);
        doomed.server.signal(program, "CONT");
        fleet.until_all_is(&commit);
    }
    fleet.until_repaired();
    fleet.until_all_is(&fleet.served.repo.git(&["rev-parse", "HEAD"]));
}
