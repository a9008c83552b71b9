//! The API server is killed, or half dead: it takes connections and answers nothing. So is what it keeps everything in.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::proxy::Proxy;
use super::super::watching::Watching;
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
    // Without etcd it takes half a minute until it is clear that no answer comes.
    for (number, program, sign) in [(2, "kube-apiserver", "not reconciled"), (3, "etcd", "fetched")] {
        doomed.server.kill(program);
        watching.skip();
        let commit = change(&fleet, number);
        watching.until(&[sign]);
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

/// It runs at half speed, and so does what it keeps everything in.
#[test]
fn slow() {
    let doomed = doomed();
    let fleet = Fleet::within(&doomed, "slow");
    let _watching = fleet.watch();
    fleet.until_all_is(&fleet.commit(1));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for program in ["kube-apiserver", "etcd"] {
            let (server, is_over) = (&doomed.server, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    for signal in ["STOP", "CONT"] {
                        server.signal(program, signal);
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            });
        }
        let done = scope.spawn(|| {
            (2..5).for_each(|number| fleet.until_all_is(&change(&fleet, number)));
            fleet.until_repaired();
        });
        let done = done.join();
        is_over.store(true, Ordering::Relaxed);
        done.unwrap();
    });
    fleet.until_all_is(&fleet.commit(5));
}

/// Whatever it answers, and tells in watches, comes byte by byte.
#[test]
fn drips() {
    let fleet = Fleet::new("api-drips");
    let proxy = Proxy::new(&fleet.namespace);
    let _watching = Watching::of(&mut fleet.command("cache", &proxy.kubeconfig, &[]));
    fleet.until_all_is(&fleet.commit(1));
    proxy.drip(true);
    (2..4).for_each(|number| fleet.until_all_is(&change(&fleet, number)));
    fleet.until_repaired();
    proxy.drip(false);
    fleet.until_all_is(&fleet.commit(4));
}

/// What it keeps everything in is full: nothing can be written, and what is there can be deleted.
#[test]
fn full() {
    let doomed = doomed();
    let fleet = Fleet::within(&doomed, "full");
    let mut watching = fleet.watch();
    fleet.until_all_is(&fleet.commit(1));
    let before = fleet.uids();
    doomed.server.fill_etcd(true);
    watching.skip();
    fleet.remove("other");
    let commit = change(&fleet, 2);
    for _ in 0..3 {
        watching.until(&["database space exceeded"]);
    }
    assert_eq!(fleet.uids(), before, "nothing is deleted, and nothing is there that wasn't");
    doomed.server.fill_etcd(false);
    fleet.until_all_is(&commit);
    fleet.until_repaired();
    fleet.until_all_is(&commit);
}

/// Commits that change nothing, or can't be rendered, are noted too, though there is nobody to note them as they come.
#[test]
fn away_when_there_is_only_something_to_note() {
    const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n";
    let fleet = Fleet::new("noted");
    let proxy = Proxy::new(&fleet.namespace);
    let mut watching = Watching::of(&mut fleet.command("cache", &proxy.kubeconfig, &[]));
    fleet.until_all_is(&fleet.commit(1));
    let (wrong, unknown) = (format!("{CONFIG}noSuchField: 1\n"), workspace("phi").replace("phi-4", "phi-nano"));
    for (path, text, annotation) in [
        ("README.md", "words", "kaito.sh/revision"),
        ("fleet/phi.yaml", unknown.as_str(), "kaito.sh/last-attempted-revision"),
        ("README.md", "other words", "kaito.sh/last-attempted-revision"),
        ("fleet/phi.yaml", &workspace("phi"), "kaito.sh/revision"),
        ("fleet/kaito.yaml", wrong.as_str(), "kaito.sh/last-attempted-revision"),
        ("fleet/kaito.yaml", CONFIG, "kaito.sh/revision"),
    ] {
        proxy.cut();
        watching.skip();
        let commit = fleet.served.repo.write(path, text).commit("noted");
        watching.until(&["fetched"]);
        watching.until(&["not reconciled"]);
        proxy.mend(false);
        fleet.until_noted(annotation, &commit);
    }
}

/// The token of a ServiceAccount, which is mounted, is another one once in a while, and the one before it counts no more some time later.
#[test]
fn its_token_is_rotated() {
    const TOKENS: [&str; 2] = ["hunter-of-a-first-token", "hunter-of-a-second-token"];
    let fleet = Fleet::new("rotated");
    let proxy = Proxy::new(&fleet.namespace);
    let (kubeconfig, token) = (fleet.home.path().join("kubeconfig"), fleet.home.path().join("token"));
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&proxy.kubeconfig).unwrap()).unwrap();
    config["users"][0]["user"] = json!({"tokenFile": token});
    fs::write(&kubeconfig, config.to_string()).unwrap();
    fs::write(&token, TOKENS[0]).unwrap();
    let watching = Watching::of(&mut fleet.command("cache", &kubeconfig, &[]));
    fleet.until_all_is(&fleet.commit(1));
    assert!(proxy.has_seen(TOKENS[0]) && !proxy.has_seen(TOKENS[1]));
    fs::write(&token, TOKENS[1]).unwrap();
    // It is read anew within a minute, when something is asked.
    let mut number = 1;
    fleet.cluster.wait("the next token is shown", || {
        number += 1;
        fleet.until_applied(&fleet.commit(number));
        proxy.has_seen(TOKENS[1]).then_some(())
    });
    proxy.revoke(TOKENS[0]);
    proxy.cut();
    proxy.mend(false);
    fleet.until_all_is(&fleet.commit(number + 1));
    fleet.until_repaired();
    assert_eq!(watching.stop().code(), Some(0));
}
