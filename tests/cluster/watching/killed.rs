//! The process is killed in the middle of its first pass, again and again: the one that comes through leaves what one alone would have.

use std::collections::BTreeSet;

use super::Watching;
use super::stage::{Stage, text, workspace};

const WORKSPACES: usize = 20;

/// At which of its writes it is killed. All together have a hundred to do, and what one has done the next needn't do.
const KILLED_AT: [usize; 5] = [0, 3, 11, 17, 29];

#[test]
fn killed_in_its_first_pass() {
    let names: Vec<String> = (0..WORKSPACES).map(|number| format!("phi-{number}")).collect();
    let files: Vec<String> = names.iter().map(|name| workspace(name)).collect();
    let stage = Stage::new("killed", &files.iter().map(String::as_str).collect::<Vec<_>>());
    for (number, write) in KILLED_AT.into_iter().enumerate() {
        stage.proxy.hold(write, number % 2 == 0);
        let watching = Watching::start(&stage, &[]);
        stage.wait("it has come so far", || stage.proxy.is_held().then_some(()));
        // Not by its own will.
        drop(watching);
        stage.proxy.let_go();
        // What was rendered meanwhile is called otherwise.
        stage.edit(
            "0.yaml",
            &format!("\"{}\"", if number == 0 { "phi-0".to_owned() } else { format!("new-{number}") }),
            &format!("\"new-{}\"", number + 1),
        );
    }
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    let last = format!("new-{}", KILLED_AT.len());
    let want: BTreeSet<&str> = names.iter().skip(1).map(String::as_str).chain([last.as_str()]).collect();
    for name in &want {
        stage.until_condition(name, "Reconciling", "True", "Progressing");
    }
    stage.until_quiet();
    let live = stage.live();
    let of = |kind: &str| live.keys().filter_map(|key| key.strip_prefix(kind)?.strip_prefix(' ')).collect::<BTreeSet<&str>>();
    assert_eq!(of("statefulsets"), want);
    assert_eq!(of("workspaces"), want);
    assert_eq!(of("services").len(), 2 * WORKSPACES);
    // One node each, and none of anybody who isn't there.
    let claims = stage.claims();
    let owners: BTreeSet<&str> = claims.iter().map(|claim| text(&claim["metadata"]["labels"]["kaito.sh/workspace"])).collect();
    assert_eq!((claims.len(), owners), (WORKSPACES, want));
}
