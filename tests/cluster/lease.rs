//! Elections on a real API server: one leads, another one follows, and never two at a time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use kaito::cluster::{Candidate, Connection, Election, Leadership};
use serde_json::Value;

use super::playground;
use super::scene::Scene;

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// A lease that runs out in no test.
const FOREVER: Duration = Duration::from_secs(3600);

fn election(scene: &Scene, identity: &str, duration: Duration) -> Election {
    Election {
        namespace: scene.namespace.clone(),
        name: "kaito".to_owned(),
        identity: identity.to_owned(),
        duration,
        renew_deadline: duration * 2 / 3,
        retry_period: Duration::from_millis(100),
    }
}

fn stand(kubeconfig: &Path, election: Election, told: &Sender<String>) -> Candidate {
    let (identity, told) = (election.identity.clone(), told.clone());
    let connection = Connection::read(Some(kubeconfig), None).unwrap();
    election.stand(&connection, move |what| drop(told.send(format!("{identity} {what:?}")))).unwrap()
}

fn next(told: &Receiver<String>) -> String {
    told.recv_timeout(PATIENCE).unwrap()
}

/// What the lease says.
fn lease(scene: &Scene) -> Value {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/kaito", scene.namespace);
    playground().client.get(&path).unwrap()["spec"].clone()
}

/// Waits until whoever goes through the proxy looks who has the lease.
fn until_it_asks(scene: &Scene) {
    let asks = || scene.proxy.asked().iter().any(|asked| asked.starts_with("GET ") && asked.ends_with("/leases/kaito"));
    playground().wait("somebody looks who has the lease", || asks().then_some(()));
}

#[test]
fn given_back_it_is_had_at_once() {
    let scene = Scene::new("lease-release", &[]);
    let kubeconfig = playground().server.kubeconfig_file();
    let (sender, told) = channel();
    let one = stand(&kubeconfig, election(&scene, "one", FOREVER), &sender);
    assert_eq!(next(&told), "one Gained");
    let spec = lease(&scene);
    assert_eq!(
        (&spec["holderIdentity"], &spec["leaseDurationSeconds"], &spec["leaseTransitions"]),
        (&"one".into(), &3600.into(), &0.into())
    );
    let other = stand(&scene.proxy.kubeconfig, election(&scene, "other", FOREVER), &sender);
    // It has looked twice, and lets the lease alone.
    until_it_asks(&scene);
    until_it_asks(&scene);
    assert!(one.leads() && !other.leads() && lease(&scene)["holderIdentity"] == "one");
    one.release();
    assert_eq!(next(&told), "other Gained");
    let spec = lease(&scene);
    assert_eq!((&spec["holderIdentity"], &spec["leaseTransitions"]), (&"other".into(), &1.into()));
    other.release();
    let spec = lease(&scene);
    assert_eq!((&spec["holderIdentity"], &spec["leaseDurationSeconds"]), (&"".into(), &1.into()));
    drop(sender);
    assert!(told.recv().is_err(), "nothing else was told");
}

/// A leader that hears nothing any more leads no more before another one does; one that is killed is followed, too.
#[test]
fn cut_off_and_killed() {
    let scene = Scene::new("lease-cut-off", &[]);
    let (sender, told) = channel();
    let short = Duration::from_secs(3);
    let one = Arc::new(stand(&scene.proxy.kubeconfig, election(&scene, "one", short), &sender));
    assert_eq!(next(&told), "one Gained");
    let (connection, first) = (Connection::read(Some(&playground().server.kubeconfig_file()), None).unwrap(), Arc::clone(&one));
    let tell = sender.clone();
    let take = move |what| drop(tell.send(format!("other {what:?} while one leads: {}", first.leads())));
    let other = election(&scene, "other", short).stand(&connection, take).unwrap();
    scene.proxy.cut();
    let mut both = [next(&told), next(&told)];
    both.sort();
    assert_eq!(both, ["one Lost", "other Gained while one leads: false"]);
    scene.proxy.asked();
    scene.proxy.mend(false);
    until_it_asks(&scene);
    assert!(other.leads() && !one.leads());
    // As if it were killed: nothing is given back.
    drop(other);
    assert_eq!(next(&told), "one Gained");
    assert_eq!(lease(&scene)["leaseTransitions"], 2);
}

#[test]
fn many_at_once() {
    let scene = Scene::new("lease-many", &[]);
    let connection = Connection::read(Some(&playground().server.kubeconfig_file()), None).unwrap();
    let (sender, told) = channel();
    let leaders = Arc::new(AtomicUsize::new(0));
    let stand = |number: usize| {
        let (sender, leaders) = (sender.clone(), Arc::clone(&leaders));
        let take = move |what| {
            assert_eq!(what, Leadership::Gained);
            sender.send((number, leaders.fetch_add(1, Ordering::SeqCst))).unwrap();
        };
        election(&scene, &number.to_string(), FOREVER).stand(&connection, take).unwrap()
    };
    let mut candidates: Vec<Option<Candidate>> = (0..6).map(stand).map(Some).collect();
    for _ in 0..6 {
        let (number, others) = told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(others, 0, "{number} leads beside others");
        leaders.fetch_sub(1, Ordering::SeqCst);
        candidates[number].take().unwrap().release();
    }
    assert_eq!(lease(&scene)["leaseTransitions"], 5);
}
