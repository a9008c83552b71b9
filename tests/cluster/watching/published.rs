//! What a set is rendered to is published for Flux: an object tells where it is, and this process gives it out.

use std::io::Read as _;
use std::net::TcpListener;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Watching;
use super::stage::{Stage, workspace};
use crate::git::Repo;
use crate::support::kaito;

const ARTIFACT: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/NAMESPACE/externalartifacts/models";

fn config_map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "${A}"}}).to_string()
}

/// The files of an artifact, which is what its object says.
fn fetched(object: &Value) -> String {
    let artifact = &object["status"]["artifact"];
    let mut answer = ureq::get(artifact["url"].as_str().unwrap()).call().unwrap();
    let bytes = answer.body_mut().read_to_vec().unwrap();
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(artifact["digest"], format!("sha256:{digest}"));
    assert_eq!(artifact["revision"], format!("latest@sha256:{digest}"));
    assert_eq!(artifact["size"], bytes.len());
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
    let mut entries = archive.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    assert_eq!(entry.path().unwrap().to_str(), Some("manifest.yaml"));
    assert_eq!((entry.header().mode().unwrap(), entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0o644, 0, 0));
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    text
}

fn is_ready(object: &Value, status: &str) -> bool {
    object["status"]["conditions"][0]["status"] == status
}

#[test]
fn what_flux_is_told_of() {
    let (stage, repo) = (Stage::new("published", &[]), Repo::new());
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let start = || {
        let mut command = kaito();
        command
            .args(["watch", "-f", "prod", "-R", "-n", &stage.namespace, "--interval", "200ms", "--apply=false", "--url"])
            .arg(&repo.path);
        command.args(["--external-artifact", "models", "--artifact-listen", &address, "--kubeconfig"]).arg(&stage.proxy.kubeconfig);
        Watching::of(command.arg("--cache-dir").arg(stage.directory.path().join("cache")))
    };
    let tells_of = |commit: &str| {
        let revision = format!("@sha1:{commit}");
        stage.until(ARTIFACT, |object| {
            let origin = object["status"]["artifact"]["metadata"]["org.opencontainers.image.revision"].as_str();
            origin.is_some_and(|origin| origin.ends_with(&revision)) && is_ready(object, "True")
        })
    };
    let commit = repo.write("prod/c.yaml", config_map("one")).commit("one");
    let watching = start();
    let first = tells_of(&commit);
    let manifest = fetched(&first);
    assert!(manifest.contains("name: one\n") && manifest.contains("kustomize.toolkit.fluxcd.io/substitute: disabled\n"), "{manifest}");
    assert_eq!(first["spec"]["sourceRef"]["name"], "kaito");

    // What starts anew writes nothing that is there already, and gives out the same.
    assert_eq!(watching.stop().code(), Some(0));
    let mut watching = start();
    watching.until(&["listening"]);
    stage.wait("the artifact is there again", || ureq::get(first["status"]["artifact"]["url"].as_str()?).call().ok());
    stage.until_quiet();
    assert_eq!(stage.get(ARTIFACT).unwrap()["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);

    // Another commit that is rendered to the same is no other artifact.
    let commit = repo.write("notes.txt", "x").commit("notes");
    let second = tells_of(&commit);
    assert_eq!(second["status"]["artifact"]["lastUpdateTime"], first["status"]["artifact"]["lastUpdateTime"]);
    assert_eq!(second["status"]["artifact"]["url"], first["status"]["artifact"]["url"]);

    let commit = repo.write("prod/c.yaml", config_map("two")).commit("two");
    let third = tells_of(&commit);
    assert!(fetched(&third).contains("name: two\n"));
    fetched(&second);

    // What can't be rendered whole isn't published, and that is told.
    repo.write("prod/w.yaml", workspace("phi").replace("phi-4", "no-such-model")).commit("broken");
    let broken = stage.until(ARTIFACT, |object| is_ready(object, "False"));
    assert_eq!(broken["status"]["artifact"], third["status"]["artifact"]);
    let why = broken["status"]["conditions"][0]["message"].as_str().unwrap();
    assert!(why.contains("no-such-model"), "{why}");
    assert_eq!(watching.stop().code(), Some(0));
}
