//! How it begins and ends, and that it does nothing where there is nothing to do.

use std::io::Write as _;
use std::time::Instant;

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};

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
