//! How it begins and ends, and that it does nothing where there is nothing to do.

use std::io::Write as _;
use std::time::Instant;

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};
use crate::support::{finish, kaito};

const CONFIG: &str = "/api/v1/namespaces/NAMESPACE/configmaps/settings";

#[test]
fn what_is_there_is_left_alone() {
    let stage = Stage::new("start", &[&workspace("phi"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "created=6"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.until_quiet();
    let before = stage.versions();
    let asked_to_stop = Instant::now();
    assert_eq!(watching.stop().code(), Some(0));
    _ = writeln!(std::io::stderr(), "stopped after {:?}", asked_to_stop.elapsed());
    let mut again = Watching::start(&stage, &[]);
    again.until(&["reconciled", "unchanged=6"]);
    let asked = stage.until_quiet();
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:#?}");
    assert_eq!(stage.versions(), before);
    // What is written anew as it was is no change, and nothing is asked about it.
    stage.write("1.yaml", SETTINGS);
    assert_eq!(stage.until_quiet(), [""; 0]);
    assert_eq!(again.said(&["reconciled"]).len(), 1);
    // To be asked is a reason to look, and still none to write.
    again.signal("HUP");
    again.until(&["reconciled", "unchanged=6"]);
    let asked = stage.until_quiet();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:#?}");
    assert_eq!(stage.versions(), before);
}

/// What the set was told holds after a restart, from the first moment on.
#[test]
fn what_is_suspended_stays_so() {
    let stage = Stage::new("suspended", &[&workspace("phi"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "created=6"]);
    stage.until_quiet();
    let control = |verb: &str| {
        let run = finish(kaito().args([verb, "--applyset", "prod", "-n", &stage.namespace, "--kubeconfig"]).arg(&stage.proxy.kubeconfig));
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    control("suspend");
    watching.until(&["whether the set is left alone"]);
    watching.stop();
    stage.edit("1.yaml", "\"1\"", "\"2\"");
    let mut again = Watching::start(&stage, &[]);
    again.until(&["whether the set is left alone", "is_suspended=true"]);
    stage.until_quiet();
    assert_eq!(again.said(&["reconciled"]), [""; 0]);
    assert_eq!(stage.get(CONFIG).unwrap()["data"]["a"], "1");
    control("resume");
    stage.until(CONFIG, |object| object["data"]["a"] == "2");
}
