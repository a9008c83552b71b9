//! Files change: what they say is in the cluster a moment later, and nothing else is touched.

use std::collections::BTreeMap;

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};

/// What is there of a Workspace.
fn objects_of(name: &str) -> Vec<String> {
    let named = ["services NAME", "services NAME-headless", "statefulsets NAME", "workspaces NAME", "nodeclaims"];
    named.map(|one| one.replace("NAME", name)).to_vec()
}

fn until_there_are(stage: &Stage, workspaces: &[&str], others: &[&str]) {
    let objects: Vec<String> = workspaces.iter().flat_map(|name| objects_of(name)).collect();
    let all: Vec<&str> = objects.iter().map(String::as_str).chain(others.iter().copied()).collect();
    stage.until_live(&all);
}

/// What is not as it was.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let is_other = |key: &&String| before.get(*key) != after.get(*key);
    let mut changed: Vec<String> = before.keys().chain(after.keys()).filter(is_other).cloned().collect();
    changed.sort();
    changed.dedup();
    changed
}

#[test]
fn only_what_has_changed_is_written() {
    let stage = Stage::new("files", &[&workspace("phi"), &workspace("other"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    until_there_are(&stage, &["phi", "other"], &["configmaps settings"]);
    let mut before = stage.versions_at_rest();
    let mut step = |what: &str, want: &[&str], change: &dyn Fn()| {
        change();
        stage.until_quiet();
        let after = stage.versions_at_rest();
        assert_eq!(changed(&before, &after), want, "{what}");
        before = after;
    };
    step("a comment and other white space", &[], &|| stage.write("0.yaml", &format!("# why\n\n  {}", workspace("phi"))));
    step("a value", &["configmaps settings"], &|| stage.edit("2.yaml", "\"1\"", "\"2\""));
    let label = r#""metadata":{"labels":{"team":"a"},"name":"phi"}"#;
    step("a label of a Workspace", &["workspaces phi"], &|| stage.edit("0.yaml", r#""metadata":{"name":"phi"}"#, label));
    step("into another file", &[], &|| {
        stage.write("1.yaml", &format!("{}---\n{}", workspace("other"), workspace("phi").replace(r#""metadata":{"name":"phi"}"#, label)));
        stage.remove("0.yaml");
    });
    let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: more}, data: {a: \"1\"}}";
    step("another object", &["configmaps more"], &|| stage.write("3.yaml", config));
}

#[test]
fn what_comes_and_goes() {
    let stage = Stage::new("comes", &[&workspace("phi"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    until_there_are(&stage, &["phi"], &["configmaps settings"]);
    stage.write("2.yaml", &workspace("new"));
    until_there_are(&stage, &["phi", "new"], &["configmaps settings"]);
    // Its node goes with it, and nobody else's.
    let claims = || stage.claims().iter().map(|claim| claim["metadata"]["uid"].to_string()).collect::<Vec<_>>();
    let of_phi: Vec<String> = claims();
    stage.remove("2.yaml");
    until_there_are(&stage, &["phi"], &["configmaps settings"]);
    assert!(of_phi.contains(&claims()[0]));
    // A Workspace that is called otherwise is another one.
    stage.write("0.yaml", &workspace("renamed"));
    until_there_are(&stage, &["renamed"], &["configmaps settings"]);
    stage.remove("1.yaml");
    until_there_are(&stage, &["renamed"], &[]);
    // A process that was not there when they went finds them.
    assert_eq!(watching.stop().code(), Some(0));
    stage.write("0.yaml", SETTINGS);
    let mut again = Watching::start(&stage, &[]);
    again.until(&["reconciled", "failed=0"]);
    until_there_are(&stage, &[], &["configmaps settings"]);
}
