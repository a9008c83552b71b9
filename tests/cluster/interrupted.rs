//! `kaito apply` killed at every write: when it runs again, the cluster is as if it had never been killed, and nothing is left over.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::playground;
use super::scene::Scene;
use crate::support;

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: NAME}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi}}}
inference: {preset: {name: phi-4}}
";

const SETTINGS: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: NAME}, data: {a: \"1\"}}";

const NAMESPACED: [&str; 3] =
    ["/api/v1/namespaces/NAMESPACE/services", "/api/v1/namespaces/NAMESPACE/configmaps", "/apis/apps/v1/namespaces/NAMESPACE/statefulsets"];

fn command(scene: &Scene) -> std::process::Command {
    let mut command = support::kaito();
    command.args(["apply", "-R", "-f"]).arg(scene.directory.path()).arg("--kubeconfig").arg(&scene.proxy.kubeconfig);
    command.args(["--applyset", "prod", "--prune"]);
    command
}

/// Everything in the scene's namespace, and its nodes, that isn't the cluster's own.
fn live(scene: &Scene) -> BTreeSet<String> {
    let names = |path: &str| {
        let list = playground().client.get(&path.replace("NAMESPACE", &scene.namespace)).unwrap();
        let of_ours = |object: &serde_json::Value| {
            let namespace = &object["metadata"]["labels"]["kaito.sh/workspacenamespace"];
            let is_namespaced = !object["metadata"]["namespace"].is_null();
            object["metadata"]["name"] != "kube-root-ca.crt" && (is_namespaced || *namespace == scene.namespace.as_str())
        };
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().filter(of_ours).map(|object| format!("{path} {}", object["metadata"]["name"])).collect::<Vec<_>>()
    };
    NAMESPACED.into_iter().chain(["/apis/karpenter.sh/v1/nodeclaims"]).flat_map(names).collect()
}

/// Kills an apply at its write of this number, which gets to the server or not; whether it came so far.
fn killed_at(scene: &Scene, write: usize, passes: bool) -> bool {
    scene.proxy.hold(write, passes);
    let mut child = command(scene).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_killed = loop {
        if scene.proxy.is_held() {
            child.kill().unwrap();
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        thread::sleep(Duration::from_millis(5));
    };
    child.wait().unwrap();
    scene.proxy.let_go();
    is_killed
}

#[test]
fn killed_at_every_write() {
    let named = |text: &str, name: &str| text.replace("NAME", name);
    // Of the five objects of one Workspace and a ConfigMap; of the change that follows.
    let mut kills = 0;
    for passes in [true, false] {
        for write in 0.. {
            let scene = Scene::new(
                &format!("kill-{write}-{}", if passes { "after" } else { "before" }),
                &[&named(WORKSPACE, "old"), &named(SETTINGS, "gone")],
            );
            let was_killed = killed_at(&scene, write, passes);
            let run = support::finish(&mut command(&scene));
            assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
            let before = live(&scene);
            assert_eq!(before.len(), 5, "{before:?}");
            // The Workspace is called otherwise, the ConfigMap goes, another one comes.
            scene.write("0.yaml", &named(WORKSPACE, "new"));
            scene.write("1.yaml", &named(SETTINGS, "come"));
            let was_killed_again = killed_at(&scene, write, passes);
            let run = support::finish(&mut command(&scene));
            assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
            let after = live(&scene);
            let want: BTreeSet<String> = scene.rendered().iter().map(|object| object.name().to_owned()).collect();
            let have: BTreeSet<String> = after.iter().map(|line| line.split(' ').nth(1).unwrap().trim_matches('"').to_owned()).collect();
            assert_eq!(have, want, "killed at write {write}: {}{}", run.stdout, run.stderr);
            let again = support::finish(&mut command(&scene));
            assert!(again.code == 0 && again.stdout.lines().all(|line| line.ends_with(" unchanged")), "{}{}", again.stdout, again.stderr);
            kills += usize::from(was_killed) + usize::from(was_killed_again);
            if !was_killed && !was_killed_again {
                break;
            }
        }
    }
    assert!(kills > 30, "only {kills} were killed");
}
