//! Taking over what Kaito's operator has made: no object is made again, and nothing restarts unless the diff says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};

use super::apply::Story;
use super::manifest::Manifest;
use super::playground;
use super::scene::{Scene, rendered};
use crate::support::{self, examples};

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi-4, namespace: NAMESPACE}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi-4}}}
inference: {preset: {name: phi-4}}
";

/// The operator of one test is an operator for all.
static OPERATOR: RwLock<()> = RwLock::new(());

/// As long as this is held, no other test runs an operator, or needs that there is none.
pub(super) fn alone() -> RwLockWriteGuard<'static, ()> {
    OPERATOR.write().unwrap_or_else(PoisonError::into_inner)
}

/// As long as this is held, there is no operator. One is enough for a test: a second one may wait for somebody who waits for the first.
pub(super) fn undisturbed() -> RwLockReadGuard<'static, ()> {
    OPERATOR.read().unwrap_or_else(PoisonError::into_inner)
}

/// An object as the operator makes it: owned by its Workspace; of nodes only the labels tell.
fn as_operator_makes(mut object: Value, workspace: &Value) -> Manifest {
    if object["kind"] == "NodeClaim" {
        let name = object["metadata"]["name"].as_str().unwrap().replacen("ws", "wsop", 1);
        object["metadata"]["name"] = name.into();
    } else {
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": workspace["metadata"]["name"], "uid": workspace["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }]);
    }
    for place in ["labels", "annotations"] {
        _ = object["metadata"][place].as_object_mut().map(|marks| marks.remove("app.kubernetes.io/managed-by"));
    }
    object.into()
}

/// Has the operator make objects for a Workspace.
pub(super) fn make(objects: Vec<Value>, workspace: &Manifest) -> Vec<Manifest> {
    let client = &playground().client;
    let workspace = client.make(workspace, "kaito-workspace").unwrap();
    let made: Vec<Manifest> = objects.into_iter().map(|object| as_operator_makes(object, &workspace)).collect();
    made.iter()
        .for_each(|object| drop(client.make(object, "kaito-workspace").unwrap_or_else(|fault| panic!("{}: {fault}", object.title()))));
    made
}

#[test]
fn what_the_operator_made() {
    let _alone = alone();
    let mut story = Story::new("adopted", &[WORKSPACE]);
    let workspace = &Manifest::all("", &WORKSPACE.replace("NAMESPACE", &story.scene.namespace))[0];
    let made = make(story.scene.rendered().into_iter().map(|object| object.value).collect(), workspace);
    story.tell("the operator runs");
    let container = json!({"name": "workspace", "image": "mcr.microsoft.com/aks/kaito/workspace:0.12.0"});
    let template = json!({"metadata": {"labels": {"app": "kaito"}}, "spec": {"containers": [container]}});
    let spec = json!({"selector": {"matchLabels": {"app": "kaito"}}, "template": template});
    let operator = story.scene.object("apps/v1", "Deployment", "kaito-workspace", json!({"spec": spec}));
    playground().client.make(&operator, "helm").unwrap();
    let running = story.scene.object("apps/v1", "Deployment", "kaito-workspace", json!({"status": {"replicas": 1, "readyReplicas": 1}}));
    playground().client.apply_status(&running).unwrap();
    story.apply(&[], 1);
    story.tell("a Workspace that it would take for its own");
    story.scene.write("1.yaml", &WORKSPACE.replace("{name: phi-4, namespace", "{name: other, namespace"));
    story.apply(&["--include-workspace", "--dry-run=server"], 1);
    story.scene.remove("1.yaml");
    story.tell("it was stopped");
    playground().client.remove(&operator);
    story.apply(&["--adopt", "never"], 1);
    story.apply(&["--dry-run=server"], 0);
    story.apply(&["--applyset", "prod", "--prune"], 0);
    story.apply(&["--applyset", "prod", "--prune"], 0);
    for object in &made {
        let live = playground().client.find(object).unwrap();
        assert_eq!(live["metadata"]["ownerReferences"], Value::Null, "{}", object.title());
    }
    let claims = story.get("/apis/karpenter.sh/v1/nodeclaims").unwrap();
    let of_ours = |claim: &&Value| claim["metadata"]["labels"]["kaito.sh/workspacenamespace"] == story.scene.namespace;
    assert_eq!(claims["items"].as_array().unwrap().iter().filter(of_ours).count(), 1, "{claims}");
    story.end();
}

#[test]
fn what_cannot_be_changed_stays_as_it_was_made() {
    let _undisturbed = undisturbed();
    let tuning = fs::read_to_string("examples/tuning-lora/workspace.yaml").unwrap().replace("namespace: models", "namespace: NAMESPACE");
    let mut story = Story::new("adopted-job", &[&tuning]);
    let workspace = &Manifest::all("", &WORKSPACE.replace("phi-4", "phi-4-tuning").replace("NAMESPACE", &story.scene.namespace))[0];
    let rendered = story.scene.rendered().into_iter().map(|object| object.value).filter(|object| object["kind"] != "ConfigMap");
    let otherwise = rendered.map(|mut object| {
        if object["kind"] == "Job" {
            object["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c", "accelerate launch"]);
        }
        object
    });
    make(otherwise.collect(), workspace);
    let before = story.get("/apis/batch/v1/namespaces/NAMESPACE/jobs/phi-4-tuning").unwrap();
    story.apply(&[], 0);
    story.apply(&[], 0);
    story.apply(&["--replace", "--dry-run=server"], 0);
    let after = story.get("/apis/batch/v1/namespaces/NAMESPACE/jobs/phi-4-tuning").unwrap();
    assert_eq!((&before["metadata"]["uid"], &before["spec"]), (&after["metadata"]["uid"], &after["spec"]));
    let diff = story.scene.diff(&[]);
    assert_eq!((diff.code, diff.stdout.as_str()), (0, ""), "{}", diff.stderr);
    story.end();
}

/// Takes over what the operator made of an input, and looks for what was made again.
pub(super) fn adopt(scene: &Scene, input: &Path, args: &[String], made: &[Manifest]) -> Result<(), String> {
    let client = &playground().client;
    let before: Vec<Value> = made.iter().map(|object| client.find(object).unwrap()).collect();
    let run = |verb: &[&str]| {
        let mut command = support::kaito();
        command.args(verb).arg("-R").arg("-f").arg(input).arg("--kubeconfig").arg(&scene.proxy.kubeconfig);
        support::finish(command.args(args).args(["-n", &scene.namespace]))
    };
    let said = run(&["diff", "--live"]);
    let applied = run(&["apply"]);
    if applied.code != 0 {
        return Err(applied.stderr);
    }
    for (object, before) in made.iter().zip(before) {
        let after = client.find(object)?;
        if after["metadata"]["uid"] != before["metadata"]["uid"] {
            return Err(format!("{} was made again", object.title()));
        }
        let is_restarted = object.kind() == "StatefulSet" && before["spec"]["template"] != after["spec"]["template"];
        if is_restarted && !said.stdout.contains("restart") {
            return Err(format!("{} restarts, and the diff doesn't say so:\n{}", object.title(), said.stdout));
        }
    }
    let again: Vec<&str> = applied.stdout.lines().filter(|line| line.contains("nodeclaim") && line.contains("created")).collect();
    if again.is_empty() { Ok(()) } else { Err(format!("nodes were made again: {again:?}")) }
}

#[test]
fn examples_are_adopted() {
    let _undisturbed = undisturbed();
    let mut faults = Vec::new();
    let with_nodes = |name: &String| {
        let text =
            fs::read_dir(Path::new("examples").join(name)).unwrap().flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
        let text: String = text.collect();
        text.contains("kind: Workspace")
            && !text.contains("nodeProvisioner:")
            && !text.contains("namespace:")
            && !text.contains("kaitoVersion:")
    };
    let chosen: Vec<String> = examples().into_iter().filter(with_nodes).collect();
    assert!(chosen.len() > 5, "{chosen:?}");
    for name in chosen {
        let scene = Scene::new(&format!("adopt-{}", name.replace('.', "-")), &[]);
        let input = Path::new("examples").join(&name);
        let objects = rendered(&input, &scene.namespace);
        let workspaces: BTreeSet<String> = objects
            .iter()
            .filter_map(|object| object.value["metadata"]["labels"]["kaito.sh/workspace"].as_str())
            .map(ToOwned::to_owned)
            .collect();
        let [workspace] = workspaces.iter().collect::<Vec<_>>()[..] else { continue };
        let fields = json!({"resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}}, "inference": {"preset": {"name": "phi-4"}}});
        let workspace = scene.object("kaito.sh/v1beta1", "Workspace", workspace, fields);
        let made = make(
            objects
                .into_iter()
                .filter(|object| !object.value["metadata"]["labels"]["kaito.sh/workspace"].is_null())
                .map(|object| object.value)
                .collect(),
            &workspace,
        );
        faults.extend(adopt(&scene, &input, &[], &made).err().map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
