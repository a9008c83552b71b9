//! The API server is away for a while, or the connection to it: afterwards all is as if it had not been.

use super::super::playground;
use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};

const SET: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi";
const CONFIG: &str = "/api/v1/namespaces/NAMESPACE/configmaps/settings";

#[test]
fn the_connection_is_cut() {
    let stage = Stage::new("cut", &[&workspace("phi"), SETTINGS]);
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["reconciled", "failed=0"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    for has_forgotten in [false, true] {
        let before = stage.versions_at_rest();
        let uid = stage.get(SET).unwrap()["metadata"]["uid"].clone();
        stage.proxy.cut();
        // Meanwhile something is deleted, something is edited, and a file changes.
        playground().client.delete(&stage.path(SET)).unwrap();
        stage.merge(CONFIG, "kubectl-edit", &serde_json::json!({"data": {"a": "7"}}));
        let (old, new) = if has_forgotten { ("\"2\"", "\"3\"") } else { ("\"1\"", "\"2\"") };
        stage.edit("1.yaml", old, new);
        watching.until(&["not reconciled"]);
        stage.proxy.mend(has_forgotten);
        stage.until(SET, |object| object["metadata"]["uid"] != uid);
        stage.until(CONFIG, |object| object["data"]["a"] == new.trim_matches('"'));
        stage.until_condition("phi", "Reconciling", "True", "Progressing");
        let after = stage.versions_at_rest();
        let changed: Vec<&String> = after.keys().filter(|key| before.get(*key) != after.get(*key)).collect();
        assert_eq!((changed, after.len()), (vec![&"configmaps settings".to_owned(), &"statefulsets phi".to_owned()], before.len()));
    }
}

/// It may be there first.
#[test]
fn nobody_is_there_at_first() {
    let stage = Stage::new("late", &[&workspace("phi"), SETTINGS]);
    stage.proxy.cut();
    let mut watching = Watching::start(&stage, &[]);
    watching.until(&["not reconciled"]);
    stage.proxy.mend(false);
    watching.until(&["reconciled", "created=6"]);
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
}
