//! The repository that is followed: its history is rewritten, its branch is gone, its server is away. What runs goes on meanwhile.

use serde_json::json;

use super::fleet::{Fleet, workspace};
use crate::git_remote::server::Server;

#[test]
fn its_history_is_another_one() {
    let fleet = Fleet::new("rewritten");
    let git = |args: &[&str]| fleet.served.repo.git(args);
    let first = git(&["rev-parse", "HEAD"]);
    let _watching = fleet.watch();
    fleet.until_all_is(&first);
    // A commit that takes another one's place.
    fleet.write("new", &workspace("new"));
    fleet.until_all_is(&fleet.commit(2));
    fleet.write("new", &workspace("newer"));
    git(&["add", "-A"]);
    git(&["commit", "-q", "--amend", "-m", "amended"]);
    fleet.until_all_is(&git(&["rev-parse", "HEAD"]));
    // One that was followed before.
    git(&["reset", "-q", "--hard", &first]);
    fleet.until_all_is(&first);
    // One with which nothing begins that was ever followed, and of which the server has nothing else any more.
    git(&["checkout", "-q", "--orphan", "another"]);
    fleet.write("new", &workspace("new"));
    let orphan = fleet.commit(3);
    git(&["branch", "-M", "another", "main"]);
    git(&["reflog", "expire", "--expire=now", "--all"]);
    git(&["gc", "-q", "--prune=now"]);
    fleet.until_all_is(&orphan);
}

#[test]
fn its_branch_is_deleted_and_comes_back() {
    let fleet = Fleet::new("deleted");
    let git = |args: &[&str]| fleet.served.repo.git(args);
    let first = git(&["rev-parse", "HEAD"]);
    let mut watching = fleet.watch();
    fleet.until_all_is(&first);
    git(&["checkout", "-q", "--detach"]);
    git(&["branch", "-D", "main"]);
    watching.until(&["the source can't be read", "has no branch main"]);
    fleet.until_repaired();
    fleet.until_all_is(&first);
    // The set says so, too.
    fleet.cluster.wait("there is an event", || {
        let events = fleet.get("/apis/events.k8s.io/v1/namespaces/NAMESPACE/events").ok()?;
        let mut events = events["items"].as_array()?.iter();
        events.any(|event| event["reason"] == "SourceFailed" && event["regarding"]["name"] == "prod").then_some(())
    });
    git(&["checkout", "-q", "-b", "main"]);
    fleet.remove("other");
    fleet.until_all_is(&fleet.commit(2));
}

#[test]
fn its_server_is_gone() {
    let mut fleet = Fleet::new("gone");
    let first = fleet.served.repo.git(&["rev-parse", "HEAD"]);
    let mut watching = fleet.watch();
    fleet.until_all_is(&first);
    let address = fleet.served.server.listens.http.clone();
    fleet.served.server.kill();
    for _ in 0..3 {
        watching.until(&["the source can't be read", "can't be reached"]);
    }
    fleet.until_repaired();
    fleet.until_all_is(&first);
    // Who begins while it is gone knows nothing to do, and does nothing.
    watching.kill();
    let mut watching = fleet.watch();
    watching.until(&["the source can't be read", "can't be reached"]);
    fleet.write("new", &workspace("new"));
    let second = fleet.commit(2);
    // First it comes back with something else than git, then with answers that break off.
    fleet.served.rules(&json!({"Status": 500}));
    fleet.served.server = Server::start(fleet.served.root(), Some(&address));
    watching.until(&["the source can't be read", "500"]);
    fleet.served.rules(&json!({"Cut": 100}));
    watching.until(&["the source can't be read", "broke off"]);
    fleet.served.rules(&json!({}));
    fleet.until_all_is(&second);
}

/// Its server sends byte by byte: nobody else has to wait for that.
#[test]
fn its_server_drips() {
    let fleet = Fleet::new("drips");
    let first = fleet.served.repo.git(&["rev-parse", "HEAD"]);
    let watching = fleet.watch();
    fleet.until_all_is(&first);
    fleet.served.rules(&json!({"Drip": true}));
    fleet.write("new", &workspace("new"));
    let second = fleet.commit(2);
    fleet.until_repaired();
    fleet.until_repaired();
    fleet.until_applied(&first);
    fleet.served.rules(&json!({}));
    fleet.until_all_is(&second);
    // Who is told to end doesn't wait for it either.
    fleet.served.rules(&json!({"Drip": true}));
    fleet.commit(3);
    fleet.until_repaired();
    assert_eq!(watching.stop().code(), Some(0));
}
