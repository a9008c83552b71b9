//! `kaito apply --wait` where nodes come, pods run and Jobs end.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::living;
use crate::support::{self, Run};

/// Files in a namespace of the living cluster.
struct Life {
    namespace: String,
    directory: TempDir,
}

impl Life {
    fn new(name: &str, example: &str) -> Self {
        let life = Self { namespace: format!("ready-{name}"), directory: tempfile::tempdir().unwrap() };
        living().namespace(&life.namespace);
        for entry in fs::read_dir(Path::new("examples").join(example)).unwrap().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap();
            // Every example is in a namespace of its own here.
            let text = text.replace("  namespace: models\n", "");
            fs::write(life.directory.path().join(entry.file_name()), text).unwrap();
        }
        life
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.directory.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {file}:\n{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn apply(&self, args: &[&str]) -> Run {
        let mut command = support::kaito();
        command.args(["apply", "-R", "-n", &self.namespace, "--applyset", "prod", "--prune", "--wait", "-f"]).arg(self.directory.path());
        support::finish(command.arg("--kubeconfig").arg(living().server.kubeconfig_file()).args(args))
    }

    fn get(&self, path: &str) -> Value {
        living().client.get(&path.replace("NAMESPACE", &self.namespace)).unwrap()
    }
}

#[test]
fn until_the_model_is_served() {
    let life = Life::new("gpu-provisioner", "inference-config");
    let run = life.apply(&[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("pods 1/1, ready True"), "{}", run.stderr);
    let sets = life.get("/apis/apps/v1/namespaces/NAMESPACE/statefulsets");
    assert_eq!(sets["items"][0]["status"]["readyReplicas"], 1);
    // A larger node is another node: nothing happens without leave.
    let node = |life: &Life| {
        let claims = living().client.get("/apis/karpenter.sh/v1/nodeclaims").unwrap()["items"].as_array().unwrap().clone();
        let of_ours = |claim: &&Value| claim["metadata"]["labels"]["kaito.sh/workspacenamespace"] == life.namespace.as_str();
        claims.iter().find(of_ours).unwrap()["metadata"]["uid"].clone()
    };
    let before = node(&life);
    life.edit("workspace.yaml", "NC24ads", "NC48ads");
    let refused = life.apply(&[]);
    assert!(refused.code == 1 && refused.stderr.contains("its node is deleted and another one is made"), "{}", refused.stderr);
    assert_eq!(node(&life), before);
    let replaced = life.apply(&["--replace"]);
    assert!(replaced.code == 0 && replaced.stdout.contains(" replaced\n"), "{}{}", replaced.stdout, replaced.stderr);
    assert_ne!(node(&life), before);
    // And it all goes, nodes too.
    fs::write(life.directory.path().join("workspace.yaml"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: rest}}").unwrap();
    let gone = life.apply(&[]);
    assert!(gone.code == 0 && gone.stdout.contains("statefulset.apps"), "{}{}", gone.stdout, gone.stderr);
    assert_eq!(life.get("/apis/apps/v1/namespaces/NAMESPACE/statefulsets")["items"], serde_json::json!([]));
}

#[test]
fn until_karpenter_has_made_nodes() {
    let life = Life::new("karpenter", "karpenter");
    let run = life.apply(&["--config", "tests/cluster/kwok.yaml"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("nodes 2/2") && run.stderr.contains("pods 2/2, ready True"), "{}", run.stderr);
}

#[test]
fn until_the_tuning_is_done() {
    let life = Life::new("tuning", "tuning-lora");
    // Where the adapter goes is the user's, and there before.
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: adapters}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";
    fs::write(life.directory.path().join("claim.yaml"), claim).unwrap();
    let run = life.apply(&[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let jobs = life.get("/apis/batch/v1/namespaces/NAMESPACE/jobs");
    assert_eq!(jobs["items"][0]["status"]["succeeded"], 1, "{jobs}");
}

#[test]
fn until_it_is_clear_that_it_fails() {
    let life = Life::new("nobody", "inference-config");
    fs::write(life.directory.path().join("kaito.yaml"), "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\npresets: presets\n")
        .unwrap();
    fs::create_dir_all(life.directory.path().join("presets/skus")).unwrap();
    let sku = "skus:\n- {name: Standard_Nobody, gpus: 1, memory: 80Gi, model: NVIDIA A100, computeCapability: \"8.0\", kaito: []}\n";
    fs::write(life.directory.path().join("presets/skus/azure.yaml"), sku).unwrap();
    life.edit("workspace.yaml", "Standard_NC24ads_A100_v4", "Standard_Nobody");
    let run = life.apply(&[]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("waiting longer is no use"), "{}", run.stderr);
}

#[test]
fn until_the_time_is_over() {
    let life = Life::new("machine", "inference-config");
    let run = life.apply(&["--node-provisioner", "machine", "--timeout", "2s"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("the wait is over after 2s") && run.stderr.contains("Machine ws"), "{}", run.stderr);
}
