//! Of two replicas the one that leads is killed in the middle of a pass, or stopped: the other one goes on.

use super::super::proxy::Proxy;
use super::super::watching::Watching;
use super::fleet::{Fleet, workspace};

const ELECTED: [&str; 3] = ["--leader-elect", "--lease-duration", "3s"];

/// Files of which one Workspace is called otherwise than before.
fn rename(fleet: &Fleet<'_>, number: usize) -> String {
    fleet.write("new", &workspace(&format!("new-{number}")));
    fleet.commit(number)
}

#[test]
fn killed_in_the_middle_of_a_pass() {
    let fleet = Fleet::new("leader-killed");
    let proxy = Proxy::new(&fleet.namespace);
    let start = |number: usize| Watching::of(&mut fleet.command(&number.to_string(), &proxy.kubeconfig, &ELECTED));
    let mut leader = start(0);
    leader.until(&["this process leads"]);
    fleet.until_all_is(&rename(&fleet, 0));
    // At which of its writes it is killed, and whether that one still gets to the server.
    for (number, (write, passes)) in [(1, true), (4, false), (8, true)].into_iter().enumerate() {
        let mut other = start(number + 1);
        proxy.hold(write, passes);
        let commit = rename(&fleet, number + 1);
        fleet.cluster.wait("it has come so far", || proxy.is_held().then_some(()));
        leader.kill();
        proxy.let_go();
        other.until(&["this process leads"]);
        fleet.until_all_is(&commit);
        leader = other;
    }
    assert_eq!(leader.stop().code(), Some(0));
}

/// It goes on when another one leads already, and must not end what it had begun.
#[test]
fn stopped_until_another_one_leads() {
    let fleet = Fleet::new("leader-stopped");
    let proxy = Proxy::new(&fleet.namespace);
    let mut leader = Watching::of(&mut fleet.command("one", &proxy.kubeconfig, &ELECTED));
    leader.until(&["this process leads"]);
    fleet.until_all_is(&rename(&fleet, 0));
    let mut other = Watching::of(&mut fleet.command("other", &fleet.cluster.server.kubeconfig_file(), &ELECTED));
    proxy.hold(1, true);
    rename(&fleet, 1);
    fleet.cluster.wait("it has come so far", || proxy.is_held().then_some(()));
    leader.signal("STOP");
    other.until(&["this process leads"]);
    let commit = rename(&fleet, 2);
    fleet.until_all_is(&commit);
    proxy.asked();
    // The answer that it waits for is there when it goes on.
    proxy.resume();
    leader.signal("CONT");
    assert_eq!(leader.wait().code(), Some(4));
    let written: Vec<String> = proxy.asked().into_iter().filter(|asked| !asked.starts_with("GET ") && !asked.contains("/leases")).collect();
    assert_eq!(written, [""; 0]);
    fleet.until_all_is(&commit);
}
