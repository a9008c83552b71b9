//! Several processes share a set: together they look after everything, nobody after what is another's, and their number may change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Watching;
use super::stage::{SETTINGS, Stage, text, workspace};
use crate::git::Repo;
use crate::support::kaito;

const NAMES: [&str; 8] = ["w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7"];
const PARENT: &str = "/api/v1/namespaces/NAMESPACE/secrets/prod";

fn stage(name: &str) -> Stage {
    let stage = Stage::new(name, &[]);
    stage.write("settings.yaml", SETTINGS);
    NAMES.iter().for_each(|name| stage.write(&format!("{name}.yaml"), &workspace(name)));
    stage
}

fn shards(stage: &Stage, all: &[&str]) -> Vec<Watching> {
    all.iter().map(|shard| Watching::start(stage, &["--shard", shard])).collect()
}

/// Whose objects a process has written.
fn written(watching: &Watching) -> BTreeSet<String> {
    let owner = |line: &String| line.split("owner=").nth(1)?.trim_start_matches('"').split(['"', ' ']).nth(1).map(ToOwned::to_owned);
    watching.said(&["applied", "object="]).iter().map(|line| owner(line).unwrap_or_default()).collect()
}

/// Nobody has written what another one has, and together they have written everything.
fn assert_shared(stage: &Stage, all: &[Watching]) {
    let each: Vec<BTreeSet<String>> = all.iter().map(written).collect();
    let together: BTreeSet<&String> = each.iter().flatten().collect();
    assert_eq!(together.len(), each.iter().map(BTreeSet::len).sum::<usize>(), "{each:?}");
    let names = NAMES.iter().filter(|name| together.iter().any(|owner| **owner == format!("{}/{name}", stage.namespace)));
    assert_eq!(names.count(), NAMES.len(), "{each:?}");
    assert!(each.iter().all(|each| each.len() > 1), "each has something to do: {each:?}");
}

fn until_everything_is_there(stage: &Stage) {
    stage.wait("everything is there", || {
        let live = stage.live();
        let of = |kind: &str| live.keys().filter(|key| key.starts_with(kind)).count();
        (of("statefulsets ") == NAMES.len() && of("nodeclaims ") == NAMES.len() && of("configmaps ") == 1).then_some(())
    });
    NAMES.iter().for_each(|name| _ = stage.until_condition(name, "Reconciling", "True", "Progressing"));
}

fn uids(stage: &Stage) -> BTreeMap<String, String> {
    stage.live().iter().map(|(key, object)| (key.clone(), text(&object["metadata"]["uid"]).to_owned())).collect()
}

fn annotation<'o>(parent: &'o Value, key: &str) -> &'o str {
    text(&parent["metadata"]["annotations"][key])
}

/// Until all shards of a number have said that they have applied the same.
fn until_whole(stage: &Stage, count: usize) {
    stage.until(PARENT, |parent| {
        let progress: BTreeMap<String, String> = serde_json::from_str(annotation(parent, "kaito.sh/shards")).unwrap_or_default();
        let is_of_count = progress.keys().all(|shard| shard.ends_with(&format!("/{count}")));
        let is_one = progress.values().collect::<BTreeSet<_>>().len() == 1;
        is_of_count && is_one && progress.len() == count && !annotation(parent, "kaito.sh/inputs").is_empty()
    });
}

#[test]
fn each_does_a_part() {
    let stage = stage("shards");
    let mut both = shards(&stage, &["0/2", "1/2"]);
    until_everything_is_there(&stage);
    until_whole(&stage, 2);
    assert_shared(&stage, &both);
    stage.versions_at_rest();
    both.iter_mut().for_each(Watching::skip);
    // What changes in files, what is deleted and what is wanted no more is one's affair alone.
    for name in NAMES {
        let path = format!("/apis/apps/v1/namespaces/NAMESPACE/statefulsets/{name}");
        let uid = stage.get(&path).unwrap()["metadata"]["uid"].clone();
        super::super::playground().client.delete(&stage.path(&path)).unwrap();
        stage.until(&path, |object| object["metadata"]["uid"] != uid);
    }
    stage.until_quiet();
    let repaired: Vec<usize> = both.iter().map(|one| one.said(&["drift is put right"]).len()).collect();
    assert_eq!(repaired.iter().sum::<usize>(), NAMES.len(), "{repaired:?}");
    let before = uids(&stage);
    stage.remove("w0.yaml");
    stage.wait("w0 is gone", || (!stage.live().contains_key("statefulsets w0") && stage.claims().len() == NAMES.len() - 1).then_some(()));
    stage.until_quiet();
    let left = uids(&stage);
    assert!(left.iter().all(|(key, uid)| before.get(key) == Some(uid)), "{before:?} {left:?}");
    assert_eq!(before.len() - left.len(), 5, "{left:?}");
    assert_eq!(both.iter().filter(|one| !one.said(&["pruned", "object="]).is_empty()).count(), 1);
    for one in both {
        assert_eq!(one.stop().code(), Some(0));
    }
}

#[test]
fn their_number_changes() {
    let stage = stage("reshard");
    let both = shards(&stage, &["0/2", "1/2"]);
    until_everything_is_there(&stage);
    until_whole(&stage, 2);
    let before = stage.versions_at_rest();
    // The third comes first, as with a StatefulSet; then the others take the places of those before.
    let mut three = shards(&stage, &["2/3"]);
    three[0].until(&["reconciled", "failed=0"]);
    for (old, new) in both.into_iter().rev().zip(["1/3", "0/3"]) {
        assert_eq!(old.stop().code(), Some(0));
        let mut one = Watching::start(&stage, &["--shard", new]);
        one.until(&["reconciled", "failed=0"]);
        three.push(one);
    }
    until_whole(&stage, 3);
    assert_eq!(stage.versions_at_rest(), before, "nothing was written, not to speak of made anew");
    // Each is somebody's, and each just one's.
    for name in NAMES {
        stage.edit(&format!("{name}.yaml"), r#""metadata":{"#, r#""metadata":{"labels":{"team":"a"},"#);
    }
    for name in NAMES {
        let path = format!("/apis/kaito.sh/v1beta1/namespaces/NAMESPACE/workspaces/{name}");
        stage.until(&path, |object| object["metadata"]["labels"]["team"] == "a");
    }
    stage.until_quiet();
    let written: Vec<BTreeSet<String>> = three.iter().map(written).collect();
    assert_eq!(written.iter().map(BTreeSet::len).sum::<usize>(), NAMES.len(), "{written:?}");
    assert_eq!(written.iter().flatten().collect::<BTreeSet<_>>().len(), NAMES.len(), "{written:?}");
    // And back to one that doesn't share.
    three.into_iter().for_each(|one| assert_eq!(one.stop().code(), Some(0)));
    let before = uids(&stage);
    let mut alone = Watching::start(&stage, &[]);
    alone.until(&["reconciled", "failed=0"]);
    stage.until_quiet();
    assert_eq!(uids(&stage), before);
}

/// A commit is applied when all have applied what of it is theirs, also if that is nothing.
#[test]
fn a_commit_is_everybodys() {
    let (stage, repo) = (Stage::new("shards-git", &[]), Repo::new());
    let configs = |value: &str| SETTINGS.replace("\"1\"", value);
    let commit = |value: &str| format!("sha1:{}", repo.write("prod/settings.yaml", configs(value)).commit(value).trim());
    NAMES.iter().for_each(|name| _ = repo.write(&format!("prod/{name}.yaml"), workspace(name)));
    let first = commit("'1'");
    let watch = |shard: &str| {
        let mut command = kaito();
        command.args(["watch", "-R", "-f", "prod", "--applyset", "prod", "--interval", "200ms", "--shard", shard]);
        command.arg("--url").arg(&repo.path).arg("--cache-dir").arg(stage.directory.path().join(shard.replace('/', "-")));
        Watching::of(command.arg("--kubeconfig").arg(&stage.proxy.kubeconfig))
    };
    let three = ["0/3", "1/3", "2/3"].map(watch);
    let until = |revision: &str| {
        let is_it = |parent: &Value| annotation(parent, "kaito.sh/revision").ends_with(revision);
        let parent =
            stage.until(PARENT, |parent| is_it(parent) && annotation(parent, "kaito.sh/last-attempted-revision").ends_with(revision));
        let history: Vec<Value> = serde_json::from_str(annotation(&parent, "kaito.sh/history")).unwrap();
        let of_revision = history.iter().find(|entry| text(&entry["revision"]).ends_with(revision)).unwrap();
        assert_eq!(of_revision["lastReconciledStatus"], "ReconciliationSucceeded", "{history:#?}");
    };
    until(&first);
    until_everything_is_there(&stage);
    // What is nobody's is the first one's alone.
    for value in ["'2'", "'3'", "'4'"] {
        let revision = commit(value);
        until(&revision);
        assert_eq!(stage.get("/api/v1/namespaces/NAMESPACE/configmaps/settings").unwrap()["data"]["a"], value.trim_matches('\''));
    }
    assert_shared(&stage, &three);
}
