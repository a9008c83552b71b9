//! Names can't be resolved for a while: neither that of the git server nor that of the API server.

use std::fs;

use super::super::proxy::Proxy;
use super::super::watching::Watching;
use super::fleet::{Fleet, workspace};
use super::shim::compiled;

const SHIM: &str = "tests/cluster/faults/names/shim.rs";

#[test]
fn nobody_knows_them() {
    let fleet = Fleet::new("names");
    let proxy = Proxy::new(&fleet.namespace);
    let named = |text: &str, name: &str| text.replace("127.0.0.1", name);
    let kubeconfig = fleet.home.path().join("kubeconfig");
    fs::write(&kubeconfig, named(&fs::read_to_string(&proxy.kubeconfig).unwrap(), "api.test")).unwrap();
    let gone = fleet.home.path().join("gone");
    let start = |replica: &str| {
        let mut command = fleet.command_at(&named(&fleet.served.http(), "git.test"), replica, &kubeconfig, &[]);
        Watching::of(command.env("LD_PRELOAD", compiled(SHIM, fleet.home.path())).env("KAITO_TEST_NO_NAMES", &gone))
    };
    let mut watching = start("cache");
    let first = fleet.commit(1);
    fleet.until_all_is(&first);
    fs::write(&gone, "").unwrap();
    watching.until(&["the source can't be read", "git.test", "can't be reached"]);
    // Who is connected to the API server needs no name of it.
    fleet.until_repaired();
    proxy.cut();
    fleet.write("new", &workspace("new"));
    let second = fleet.commit(2);
    // The connections that there were are no more, so that there would be new ones.
    proxy.mend(false);
    watching.skip();
    watching.until(&["the source can't be read", "git.test"]);
    fleet.until_applied(&first);
    fs::remove_file(&gone).unwrap();
    fleet.until_all_is(&second);
    // Who begins without any does nothing, and goes on when there are.
    assert_eq!(watching.stop().code(), Some(0));
    fs::write(&gone, "").unwrap();
    let mut watching = start("other");
    watching.until(&["the source can't be read", "git.test"]);
    fleet.remove("new");
    let third = fleet.commit(3);
    fs::remove_file(&gone).unwrap();
    fleet.until_all_is(&third);
}
