//! Sets of `kaito apply` and of `kubectl apply --prune --applyset`: neither touches the other's, and each understands them.

use serde_json::{Value, json};

use super::apply::Story;
use super::kubectl::kubectl;
use super::playground;
use crate::support::{Run, finish};

fn config_map(name: &str) -> String {
    format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{a: \"1\"}}}}")
}

impl Story {
    /// kubectl with the scene's files as the same set.
    fn kubectl(&self) -> Run {
        let kubeconfig = playground().server.kubeconfig_file();
        let mut command = kubectl(&kubeconfig);
        command.args(["apply", "--server-side", "--force-conflicts", "--prune", "--applyset=prod", "-n", &self.scene.namespace, "-f"]);
        finish(command.arg(self.scene.directory.path()))
    }

    /// Says that a set belongs to another tool, as people may.
    fn hand_over(&self, tooling: &str) {
        let path = format!("/api/v1/namespaces/{}/secrets/prod", self.scene.namespace);
        let patch = json!({"metadata": {"annotations": {"applyset.kubernetes.io/tooling": tooling}}});
        playground().client.merge(&path, &patch).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let list = self.get("/api/v1/namespaces/NAMESPACE/configmaps").unwrap();
        let names = list["items"].as_array().unwrap().iter().filter_map(|object| object["metadata"]["name"].as_str());
        names.filter(|name| *name != "kube-root-ca.crt").map(ToOwned::to_owned).collect()
    }
}

#[test]
fn sets_are_understood() {
    let mut story = Story::new("kubectl-sets", &[&config_map("one"), &config_map("two")]);
    let ours = ["--applyset", "prod", "--prune", "--force-conflicts"];
    story.apply(&ours, 0);
    let refused = story.kubectl();
    assert!(refused.code != 0 && refused.stderr.contains("kaito"), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(story.names(), ["one", "two"]);

    story.tell("handed over to kubectl, which prunes what is gone from the files");
    story.hand_over("kubectl/v1.35.4");
    story.scene.remove("1.yaml");
    let pruned = story.kubectl();
    assert_eq!(pruned.code, 0, "{}{}", pruned.stdout, pruned.stderr);
    assert_eq!(story.names(), ["one"]);
    story.apply(&ours, 1);

    story.tell("handed back: what kubectl has applied is pruned");
    story.scene.write("1.yaml", &config_map("three"));
    assert_eq!(story.kubectl().code, 0);
    assert_eq!(story.names(), ["one", "three"]);
    story.hand_over("kaito/v0.0.1");
    story.scene.remove("1.yaml");
    story.apply(&ours, 0);
    assert_eq!(story.names(), ["one"]);
    let parent: Value = story.get("/api/v1/namespaces/NAMESPACE/secrets/prod").unwrap();
    assert_eq!(parent["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"], "ConfigMap");
    story.end();
}
