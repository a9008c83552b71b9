//! helm itself makes of `deploy/helm/kaito` what `kaito install` prints, and installs it.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{playground, programs};
use crate::install::{objects, prints};
use crate::support::{Run, finish};

/// helm as whoever a kubeconfig names, in an environment that is the same everywhere.
fn helm(home: &Path, args: &[&str]) -> Run {
    let mut command = Command::new(programs::path("helm").unwrap_or_else(|fault| panic!("{fault}")));
    command.env_clear().env("HOME", home).env("KUBECONFIG", playground().server.kubeconfig_file()).stdin(Stdio::null());
    finish(command.args(args))
}

/// Without it there is nothing to run.
const IMAGE: [&str; 2] = ["--set", "image.repository=registry.example.com/kaito"];

#[test]
fn helm_makes_what_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let table: [(&[&str], &[&str]); 3] = [
        (&["--applyset=kaito", "--namespaces", "models"], &["--set", "args={--source=cluster},namespaces={models}"]),
        (&["--url", "URL", "--applyset", "kaito", "--namespaces", "*"], &["--set", "args={--url=URL}"]),
        (
            &[
                "--url",
                "URL",
                "--applyset=prod",
                "--credentials=fleet",
                "--webhook-token=hook",
                "--namespaces=models,search",
                "--service-monitor",
                "--replicas=3",
                "--node-provisioner=capi",
            ],
            &[
                "--set",
                "args={--url=URL,--node-provisioner=capi},credentials=fleet,webhookToken=hook,namespaces={models,search}",
                "--set",
                "serviceMonitor.enabled=true,replicas=3,nodeProvisioner=capi,applyset=prod",
            ],
        ),
    ];
    for (flags, values) in table {
        // The chart's rights are enough for namespaces that are named, too.
        let is_compared = |object: &Value| !flags.contains(&"*") || object["rules"].is_null();
        let mut want: Vec<String> = objects(&prints(&[&["install", "--image", "registry.example.com/kaito:0.1.0"], flags].concat()))
            .into_iter()
            .filter(|object| object["kind"] != "Namespace" && is_compared(object))
            .map(sorted_args)
            .collect();
        let made = helm(home.path(), &[&["template", "kaito", "deploy/helm/kaito", "-n", "kaito-system"], &IMAGE[..], values].concat());
        assert_eq!(made.code, 0, "{}", made.stderr);
        let mut have: Vec<String> =
            objects(&made.stdout).into_iter().filter(|object| !object.is_null() && is_compared(object)).map(sorted_args).collect();
        want.sort();
        have.sort();
        assert_eq!(want, have);
    }
}

/// An object as a text, the same in whatever order its arguments stand.
fn sorted_args(mut object: Value) -> String {
    if let Some(args) = object.pointer_mut("/spec/template/spec/containers/0/args").and_then(Value::as_array_mut) {
        args.sort_by_key(ToString::to_string);
    }
    object.to_string()
}

#[test]
fn helm_installs_it() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let run = helm(home.path(), &[args, &["-n", "helm-installed", "--set", "args={--source=cluster}"], &IMAGE[..]].concat());
        assert_eq!(run.code, 0, "{args:?}: {}{}", run.stdout, run.stderr);
    };
    let deployment = || playground().client.get("/apis/apps/v1/namespaces/helm-installed/deployments/kaito-watch");
    let rights = || playground().client.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/kaito-watch-nodes-helm-installed");
    let resources = |role: &Value| role["rules"].to_string();
    run(&["install", "kaito", "deploy/helm/kaito", "--create-namespace"]);
    assert_eq!(deployment().unwrap()["spec"]["replicas"], 2);
    assert!(resources(&rights().unwrap()).contains("nodeclaims"));
    run(&["upgrade", "kaito", "deploy/helm/kaito", "--set", "replicas=3,nodeProvisioner=karpenter"]);
    assert_eq!(deployment().unwrap()["spec"]["replicas"], 3);
    assert!(resources(&rights().unwrap()).contains("nodepools"));
    // A value that is none is said before anything is changed.
    let wrong = helm(
        home.path(),
        &["upgrade", "kaito", "deploy/helm/kaito", "-n", "helm-installed", "--set", "replicas=three", IMAGE[0], IMAGE[1]],
    );
    assert!(wrong.code != 0 && wrong.stderr.contains("replicas"), "{}", wrong.stderr);
    let gone = helm(home.path(), &["uninstall", "kaito", "-n", "helm-installed"]);
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    assert!(deployment().is_err() && rights().is_err());
    // What Workspaces are declared with stays.
    playground().client.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workspaces.kaito.sh").unwrap();
}
