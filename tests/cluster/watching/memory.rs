//! What it takes in memory, and that this doesn't grow.

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};
use std::io::Write as _;

const WORKSPACES: usize = 200;
const ROUNDS: usize = 50;

/// What may come on top by chance: pages of the allocator, threads.
const NOISE: u64 = 16 << 10;

#[test]
fn it_does_not_grow() {
    let files: Vec<String> = (0..WORKSPACES).map(|number| workspace(&format!("phi-{number}"))).collect();
    let stage = Stage::new("memory", &[SETTINGS]);
    stage.write("all.yaml", &files.join("---\n"));
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi-199", "Reconciling", "True", "Progressing");
    stage.until_quiet();
    let round = |watching: &mut Watching, number: usize| {
        watching.skip();
        stage.write("0.yaml", &SETTINGS.replace("\"1\"", &format!("\"{number}\"")));
        watching.until(&["reconciled", "configured=1"]);
    };
    let first = watching.resident();
    (0..10).for_each(|number| round(&mut watching, 1000 + number));
    let before = watching.resident();
    (0..ROUNDS).for_each(|number| round(&mut watching, 2000 + number));
    let after = watching.resident();
    _ = writeln!(
        std::io::stderr(),
        "{WORKSPACES} Workspaces: {first} KiB after the first pass, {before} KiB after ten more, {after} KiB after {ROUNDS} more"
    );
    assert!(after < before + NOISE, "{before} KiB became {after} KiB");
}
