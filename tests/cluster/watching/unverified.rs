//! A commit that nobody has signed who may: what runs goes on, and everybody who asks is told of it.

use std::fs;

use serde_json::{Value, json};

use super::super::playground;
use super::Watching;
use super::stage::{Stage, condition, text, workspace};
use crate::git::Repo;
use crate::notify::{Receiver, ok};
use crate::support::kaito;
use crate::verify::signing::{public, sign, ssh, ssh_key};

const WORKSPACE: &str = "/apis/kaito.sh/v1beta1/namespaces/NAMESPACE/workspaces/phi";
const SET: &str = "/apis/apps/v1/namespaces/NAMESPACE/statefulsets/phi";
const PARENT: &str = "/api/v1/namespaces/NAMESPACE/secrets/prod";

#[test]
fn what_nobody_has_signed() {
    let (stage, repo, receiver) = (Stage::new("unverified", &[]), Repo::new(), Receiver::new(ok));
    let keys = stage.directory.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("dev"), format!("dev {}", public(&ssh_key(1)))).unwrap();
    repo.write("phi.yaml", workspace("phi")).commit("one");
    let one = sign(&repo, &|payload| ssh(&ssh_key(1), "git", payload));
    let config = json!({
        "apiVersion": "watch.kaito.sh/v1alpha1",
        "kind": "WatchConfig",
        "notifications": [{"type": "generic", "address": format!("{}/hook", receiver.url), "events": ["failed"]}],
        "sources": [{
            "name": "fleet",
            "git": {"url": repo.path, "verify": {"mode": "head", "keys": keys}},
            "interval": "200ms",
            "sets": [{"applyset": "prod", "namespace": stage.namespace, "paths": ["."]}],
        }],
    });
    let path = stage.directory.path().join("watch.yaml");
    fs::write(&path, config.to_string()).unwrap();
    let mut command = kaito();
    command.args(["watch", "--watch-config"]).arg(&path).arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    command.arg("--cache-dir").arg(stage.directory.path().join("mirrors"));
    let mut start = || Watching::of(&mut command);
    let mut watching = start();
    watching.until(&["reconciled", "failed=0"]);
    let ready = stage.until_condition("phi", "Reconciling", "True", "Progressing");

    repo.write("phi.yaml", workspace("phi").replace(r#"{"name":"phi"}"#, r#"{"labels":{"team":"a"},"name":"phi"}"#));
    let two = repo.commit("two").trim().to_owned();
    let told = receiver.next().body();
    assert_eq!((&told["metadata"]["commit"], &told["severity"]), (&json!(two), &json!("error")));
    let message = text(&told["message"]);
    assert!(message.starts_with("refused, and what runs goes on: ") && message.contains(&two), "{message}");
    let said = stage.until_condition("phi", "SourceVerified", "False", "VerificationFailed");
    assert!(said.contains(&two), "{said}");
    // What is applied is no worse for it.
    assert_eq!(stage.until_condition("phi", "Reconciling", "True", "Progressing"), ready);
    let parent = stage.until(PARENT, |parent| annotation(parent, "kaito.sh/last-attempted-revision").contains(&two));
    assert!(annotation(&parent, "kaito.sh/revision").contains(one.trim()), "{parent:#}");
    let history: Value = serde_json::from_str(annotation(&parent, "kaito.sh/history")).unwrap();
    assert_eq!(history[0]["lastReconciledStatus"], "VerificationFailed");
    assert!(text(&history[0]["revision"]).contains(&two) && text(&history[1]["revision"]).contains(one.trim()), "{history:#}");

    // Signed, it is another commit, and followed.
    let three = sign(&repo, &|payload| ssh(&ssh_key(1), "git", payload));
    stage.until(PARENT, |parent| annotation(parent, "kaito.sh/revision").contains(three.trim()));
    let workspace = stage.until(WORKSPACE, |workspace| condition(workspace, "SourceVerified").is_none());
    assert_eq!(workspace["metadata"]["labels"]["team"], "a");

    // Whoever starts when there is one goes on with what runs, and puts it right.
    let four = repo.commit("four").trim().to_owned();
    stage.until_condition("phi", "SourceVerified", "False", "VerificationFailed");
    let ready = stage.until_condition("phi", "Reconciling", "True", "Progressing");
    drop(watching);
    playground().client.delete(&stage.path(SET)).unwrap();
    let mut watching = start();
    watching.until(&["the set goes on with what it has", three.trim()]);
    watching.until(&["reconciled", "created=1", "failed=0"]);
    assert_eq!(stage.until_condition("phi", "Reconciling", "True", "Progressing"), ready);
    stage.until_condition("phi", "SourceVerified", "False", "VerificationFailed");
    let parent = stage.until(PARENT, |parent| annotation(parent, "kaito.sh/last-attempted-revision").contains(&four));
    assert!(annotation(&parent, "kaito.sh/revision").contains(three.trim()), "{parent:#}");
    playground().client.delete(&stage.path(SET)).unwrap();
    watching.until(&["drift is put right", "was deleted"]);
    // Not if nobody who may has signed that either, any more.
    drop(watching);
    fs::write(keys.join("dev"), format!("dev {}", public(&ssh_key(2)))).unwrap();
    let mut watching = start();
    watching.until(&["the revision that runs can't be had", three.trim()]);
    stage.until_condition("phi", "Ready", "False", "ArtifactFailed");
    fs::write(keys.join("dev"), format!("dev {}", public(&ssh_key(1)))).unwrap();
    assert_eq!(stage.until_condition("phi", "Reconciling", "True", "Progressing"), ready);

    // One that is taken back leaves nothing behind.
    repo.git(&["reset", "-q", "--hard", three.trim()]);
    stage.until(WORKSPACE, |workspace| condition(workspace, "SourceVerified").is_none());
}

fn annotation<'p>(parent: &'p Value, name: &str) -> &'p str {
    text(&parent["metadata"]["annotations"][name])
}
