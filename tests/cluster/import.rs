//! `kaito import --live` on a real API server: from what Kaito's operator has made to a repository, which is then what is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::adoption::{adopt, alone, make};
use super::apply::Story;
use super::manifest::Manifest;
use super::playground;
use super::scene::Scene;
use crate::support::{self, Run, names};

/// A Workspace as the API server keeps it when kubectl and Kaito's operator have been at it.
fn workspace(namespace: &str) -> Value {
    json!({
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {
            "name": "phi-4",
            "namespace": namespace,
            "labels": {"team": "search"},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "workspace.kaito.io/hash": "0092d11021cf",
                "workspace.kaito.io/revision": "1",
                "kaito.sh/enablelb": "False",
            },
            "finalizers": ["workspace.finalizer.kaito.sh"],
        },
        "resource": {"count": 1, "instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "phi-4"}}},
        "inference": {
            "config": "phi-4-config",
            "preset": {"name": "phi-4", "accessMode": "public", "presetOptions": {"modelAccessSecret": "hf-token"}},
        },
    })
}

const SETTINGS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: phi-4-config, namespace: NAMESPACE, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}}
data:
  inference_config.yaml: |
    vllm:
      max-model-len: 8192
";

/// Kaito's operator, which was stopped, as its chart starts it.
fn operator(scene: &Scene, args: &[String], cloud: &str) -> Manifest {
    let container = json!({
        "name": "workspace",
        "image": "mcr.microsoft.com/aks/kaito/workspace:0.12.0",
        "args": args,
        "env": [{"name": "CLOUD_PROVIDER", "value": cloud}, {"name": "PRESET_REGISTRY_NAME", "value": "mcr.microsoft.com/aks/kaito"}],
    });
    let template = json!({"metadata": {"labels": {"app": "kaito"}}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": 0, "selector": {"matchLabels": {"app": "kaito"}}, "template": template});
    scene.object("apps/v1", "Deployment", "kaito-workspace", json!({"spec": spec}))
}

/// The disks that Kaito's chart declares.
fn disks() -> Manifest {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "kaito-local-nvme-disk"},
        "provisioner": "localdisk.csi.acstor.io",
    })
    .into()
}

/// A directory that is imported into, and the cluster that it is imported from.
struct Import<'s> {
    scene: &'s Scene,
    directory: TempDir,
}

impl<'s> Import<'s> {
    fn of(scene: &'s Scene) -> Self {
        Self { scene, directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = support::kaito();
        command.current_dir(self.directory.path()).args(["import", "--live", "--output-dir", "repository"]);
        command.arg("--kubeconfig").arg(&self.scene.proxy.kubeconfig).args(["-n", &self.scene.namespace]);
        support::finish(command.args(args))
    }

    /// A verb with the files that were written.
    fn with_files(&self, verb: &[&str]) -> Run {
        let mut command = support::kaito();
        command.args(verb).args(["-R", "-f"]).arg(self.path());
        if verb != ["render"] {
            command.arg("--kubeconfig").arg(&self.scene.proxy.kubeconfig);
        }
        support::finish(&mut command)
    }

    /// The files below the directory, by their path.
    fn files(&self) -> BTreeMap<String, String> {
        let mut open = vec![self.path()];
        let mut files = BTreeMap::new();
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    open.push(entry);
                } else {
                    let name = entry.strip_prefix(self.path()).unwrap().to_string_lossy().into_owned();
                    files.insert(name, fs::read_to_string(&entry).unwrap());
                }
            }
        }
        files
    }

    /// Imports once more, which changes nothing.
    fn again(&self) -> Result<(), String> {
        let (before, run) = (self.files(), self.run(&[]));
        if run.code != 0 || !run.stderr.contains("is up to date") || self.files() != before {
            return Err(format!("a second import changes files: {}", run.stderr));
        }
        Ok(())
    }
}

#[test]
fn a_cluster_becomes_a_repository() {
    let _alone = alone();
    let mut story = Story::of("import", "repository", &[SETTINGS]);
    let namespace = story.scene.namespace.clone();
    let client = &playground().client;
    client.make(&disks(), "helm").ok();
    let operator = operator(&story.scene, &["--feature-gates=vLLM=true,enableMIG=true".to_owned()], "azure");
    client.make(&operator, "helm").unwrap();
    client.make(&Manifest::all("", &SETTINGS.replace("NAMESPACE", &namespace))[0], "kubectl-client-side-apply").unwrap();
    // What the operator has made is what is rendered of the very Workspace.
    story.scene.write("1.yaml", &workspace(&namespace).to_string());
    let made = story.scene.rendered().into_iter().map(|object| object.value).filter(|object| object["kind"] != "ConfigMap");
    let made = make(made.collect(), &workspace(&namespace).into());
    story.scene.remove("0.yaml");
    story.scene.remove("1.yaml");
    let import = ["import", "--live", "--output-dir", "repository", "-n", &namespace];
    story.run(&import, "kaito import --live --output-dir repository", &[], 0);
    for file in ["kaito.yaml", "import-repository/workspace-phi-4.yaml", "import-repository/configmap-phi-4-config.yaml"] {
        let text = fs::read_to_string(story.scene.directory.path().join("repository").join(file)).unwrap();
        story.tell(&format!("{file}\n{text}"));
    }
    story.run(&["diff", "-R", "-f", "repository", "--live"], "kaito diff -R -f repository --live", &[], 0);
    story.run(&import, "kaito import --live --output-dir repository", &[], 0);
    story.tell("somebody changes a file");
    let file = story.scene.directory.path().join("repository/kaito.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}namespace: models\n")).unwrap();
    story.run(&import, "kaito import --live --output-dir repository", &[], 1);
    story.run(&import, "kaito import --live --output-dir repository", &["--force"], 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    story.tell("for tools that render without the cluster");
    story.run(&import, "kaito import --live --output-dir repository", &["--keep-node-names", "--force"], 0);
    let claim = made.iter().find(|object| object.kind() == "NodeClaim").unwrap();
    let mut render = support::kaito();
    render.current_dir(story.scene.directory.path()).args(["render", "-R", "-f", "repository", "-o", "name"]);
    let rendered = support::finish(&mut render);
    assert!(rendered.stdout.contains(claim.name()), "{}: {}{}", claim.name(), rendered.stdout, rendered.stderr);
    story.tell("what was imported is applied, and stays what it was");
    story.run(&["apply", "-R", "-f", "repository", "-n", &namespace], "kaito apply -R -f repository", &[], 0);
    story.run(&["diff", "-R", "-f", "repository", "--live"], "kaito diff -R -f repository --live", &[], 0);
    for object in &made {
        assert_eq!(client.find(object).unwrap()["metadata"]["ownerReferences"], Value::Null, "{}", object.title());
    }
    client.remove(&operator);
    client.remove(&disks());
    story.end();
}

#[test]
fn sets_stay_sets_or_become_their_workspaces() {
    let _alone = alone();
    let scene = Scene::new("import-sets", &[]);
    let client = &playground().client;
    let fields = |fields: Value| {
        let mut all = json!({"labelSelector": {"matchLabels": {"apps": "chat"}}});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        all
    };
    let template = json!({"resource": {"instanceType": "Standard_NC24ads_A100_v4"}, "inference": {"preset": {"name": "phi-4"}}});
    let set =
        scene.object("kaito.sh/v1beta1", "InferenceSet", "chat", json!({"spec": fields(json!({"replicas": 2, "template": template}))}));
    let set = client.make(&set, "me").unwrap();
    let owner = json!([{"apiVersion": "kaito.sh/v1beta1", "kind": "InferenceSet", "name": "chat", "uid": set["metadata"]["uid"], "controller": true}]);
    let resource = fields(json!({"instanceType": "Standard_NC24ads_A100_v4"}));
    for name in ["chat-x7k2p", "chat-9ab1c"] {
        let metadata = json!({"labels": {"inferenceset.kaito.sh/created-by": "chat"}, "ownerReferences": owner});
        let child = json!({"metadata": metadata, "resource": resource, "inference": {"preset": {"name": "phi-4"}}});
        client.make(&scene.object("kaito.sh/v1beta1", "Workspace", name, child), "kaito-workspace").unwrap();
    }
    let whole = Import::of(&scene);
    let run = whole.run(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("chat-9ab1c, chat-x7k2p") && run.stderr.contains("--expand-sets"), "{}", run.stderr);
    let files: Vec<String> = whole.files().into_keys().collect();
    assert_eq!(files, ["import-sets/inferenceset-chat.yaml", "kaito.yaml"]);
    let expanded = Import::of(&scene);
    let run = expanded.run(&["--expand-sets"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let files: Vec<String> = expanded.files().into_keys().collect();
    assert_eq!(files, ["import-sets/workspace-chat-9ab1c.yaml", "import-sets/workspace-chat-x7k2p.yaml", "kaito.yaml"]);
    let rendered = expanded.with_files(&["render"]);
    assert_eq!(rendered.code, 0, "{}", rendered.stderr);
    assert!(rendered.stdout.contains("--served-model-name=chat "), "the Workspaces serve under the name of their set: {}", rendered.stdout);
}

#[test]
fn nothing_to_import() {
    let scene = Scene::new("import-nothing", &[]);
    let import = Import::of(&scene);
    let run = import.run(&[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("the namespace import-nothing has no Workspace"), "{}", run.stderr);
    scene.proxy.forget_group("kaito.sh");
    let run = import.run(&[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("the cluster knows no kind of kaito.sh: Kaito isn't installed there"), "{}", run.stderr);
    assert!(!import.path().exists());
}

/// With the rights that `kaito rbac --for import` prints an import works, and without one of them it says which.
#[test]
fn rights() {
    let scene = Scene::new("import-rights", &[]);
    let mut named = workspace(&scene.namespace);
    named["metadata"]["annotations"] = Value::Null;
    playground().client.make(&named.into(), "me").unwrap();
    playground().client.make(&Manifest::all("", &SETTINGS.replace("NAMESPACE", &scene.namespace))[0], "me").unwrap();
    let printed = support::run(&["rbac", "--for", "import", "-n", &scene.namespace]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let roles = Manifest::all("", &printed.stdout);
    let rules = |kind: &str| roles.iter().find(|role| role.kind() == kind).map_or(json!([]), |role| role.value["rules"].clone());
    let import = |name: &str, in_namespace: &Value| {
        let account = playground().account(&scene.namespace, name, in_namespace, &rules("ClusterRole"));
        let directory = tempfile::tempdir().unwrap();
        let mut command = support::kaito();
        command.args(["import", "--live", "--output-dir"]).arg(directory.path()).arg("--kubeconfig").arg(&account.kubeconfig);
        (support::finish(&mut command), directory)
    };
    let (run, directory) = import("all", &rules("Role"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains("forbidden"), "{}", run.stderr);
    assert!(directory.path().join("import-rights/configmap-phi-4-config.yaml").exists());
    for without in ["workspaces", "configmaps"] {
        let mut less = rules("Role");
        for rule in less.as_array_mut().unwrap() {
            rule["resources"].as_array_mut().unwrap().retain(|resource| resource != without);
        }
        less.as_array_mut().unwrap().retain(|rule| rule["resources"].as_array().is_some_and(|all| !all.is_empty()));
        let (run, directory) = import(without, &less);
        assert_eq!(run.code, 4, "{without}: {}", run.stderr);
        assert!(run.stderr.contains("kaito rbac --for import") && run.stderr.contains(without), "{without}: {}", run.stderr);
        assert!(fs::read_dir(directory.path()).unwrap().next().is_none(), "{without}");
    }
}

/// What a recorded case was given, as Kaito's operator is.
fn flags(args: &[String]) -> (Vec<String>, String) {
    let mut cloud = "azure".to_owned();
    let mut given = Vec::new();
    for pair in args.chunks(2) {
        match pair {
            [flag, value] if flag == "--cloud" => cloud.clone_from(value),
            [flag, value] => given.push(format!("{flag}={value}")),
            _ => given.extend(pair.iter().cloned()),
        }
    }
    (given, cloud)
}

/// Imports what was recorded, and looks for what would be otherwise than it is: nodes, restarts, objects.
fn import(case: &str, path: &Path) -> Option<Result<(), String>> {
    let read = |file: &str| fs::read_to_string(path.join(file)).unwrap();
    let recorded: Value = serde_json::from_str(&read("case.json")).unwrap();
    let input = read("input.yaml");
    let documents = Manifest::all(case, &input);
    let workspaces: Vec<&Manifest> = documents.iter().filter(|one| one.kind() == "Workspace").collect();
    // Children of sets have names of their own, so that theirs are other objects.
    let is_of_set = ["InferenceSet", "MultiRoleInference", "RAGEngine"].iter().any(|kind| input.contains(&format!("kind: {kind}")));
    let ([workspace], false, "objects") = (workspaces.as_slice(), is_of_set, recorded["expect"].as_str().unwrap()) else { return None };
    let expected: Vec<Value> = serde_json::from_str(&read("expected.json")).unwrap();
    let scene = Scene::new(case, &[]);
    let client = &playground().client;
    let args: Vec<String> = serde_json::from_value(recorded["args"].clone()).unwrap();
    let (args, cloud) = flags(&args);
    let operator = operator(&scene, &args, &cloud);
    client.make(&operator, "helm").unwrap();
    let others: Vec<&Manifest> = documents.iter().filter(|one| one.kind() != "Workspace").collect();
    for object in &others {
        client.make(object, "kubectl").unwrap_or_else(|fault| panic!("{case}: {}: {fault}", object.title()));
        if object.kind() == "Node" {
            let mut status = object.value.clone();
            for condition in status["status"]["conditions"].as_array_mut().into_iter().flatten() {
                condition["lastHeartbeatTime"] = json!("2026-01-01T00:00:00Z");
                condition["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
            }
            client.apply_status(&status.into()).unwrap();
        }
    }
    let placed = expected.into_iter().filter(|object| object["kind"] != "ConfigMap").map(|mut object| {
        if object["kind"] != "NodeClaim" && object["kind"] != "NodePool" {
            object["metadata"]["namespace"] = json!(scene.namespace);
        }
        object
    });
    let mut workspace = workspace.value.clone();
    workspace["metadata"]["namespace"] = json!(scene.namespace);
    let made = make(placed.collect(), &workspace.into());
    let imported = imported(&scene, &made);
    client.remove(&operator);
    others.iter().filter(|object| object.kind() == "Node").for_each(|node| client.remove(node));
    Some(imported)
}

/// Whether a line of a diff tells of an object that comes or goes, or of a field, but for what docs/migrate.md says: the script that pulls an
/// adapter, and the configuration of a tuning that Kaito has copied.
fn is_more_than_documented(line: &str) -> bool {
    let is_known = line.ends_with("-params-template") || line.starts_with("      spec.template.spec.initContainers[name=puller-");
    let is_object = line.starts_with("  + ") || line.starts_with("  - ");
    let is_field = line.starts_with("      ") && !line.starts_with("       ");
    (is_object || is_field) && !is_known
}

fn imported(scene: &Scene, made: &[Manifest]) -> Result<(), String> {
    let import = Import::of(scene);
    let run = import.run(&[]);
    if run.code != 0 {
        return Err(run.stderr);
    }
    import.again()?;
    let rendered = import.with_files(&["render"]);
    if rendered.code != 0 {
        return Err(rendered.stderr);
    }
    let diff = import.with_files(&["diff", "--live"]);
    let is_different = diff.stdout.lines().any(is_more_than_documented);
    if is_different || !diff.stderr.is_empty() {
        return Err(format!("{}{}", diff.stdout, diff.stderr));
    }
    adopt(scene, &import.path(), &[], made)
}

/// Recordings of what Kaito's own controllers made, where `KAITO_RECORDINGS` says they are: each is imported, and then adopted with what
/// was written.
#[test]
fn recordings_are_imported_and_adopted() {
    let _alone = alone();
    let Some(folder) = std::env::var_os("KAITO_RECORDINGS") else { return };
    playground().client.make(&disks(), "helm").ok();
    let cases = names(&folder.to_string_lossy());
    let done: Vec<(String, Result<(), String>)> =
        cases.into_iter().filter_map(|case| Some((case.clone(), import(&case, &Path::new(&folder).join(&case))?))).collect();
    playground().client.remove(&disks());
    let faults: Vec<String> = done.iter().filter_map(|(case, done)| Some(format!("{case}: {}", done.as_ref().err()?))).collect();
    assert!(!done.is_empty() && faults.is_empty(), "of {} recordings {} are not imported\n{}", done.len(), faults.len(), faults.join("\n"));
}
