//! Every right that `kaito install` prints is used: what the loop asks, as the server's audit log has it, is what it may.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::installed::{Installed, git};
use super::manifest::Manifest;
use super::playground;
use super::rbac_watch::gpu_node;
use super::server::AUDITED;
use super::source_cluster::ROLES;

/// A right: whether it is one in the loop's own namespace alone, what it is about, and what is done.
type Right = (bool, String, String);

/// What the roles allow. What is allowed everywhere needs no second look at home.
fn granted(objects: &[Manifest]) -> BTreeSet<Right> {
    let mut granted = BTreeSet::new();
    for role in objects.iter().filter(|object| ["Role", "ClusterRole"].contains(&object.kind())) {
        for rule in role.value["rules"].as_array().unwrap() {
            let words = |field: &str| rule[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
            for resource in words("resources") {
                let about = format!("{}/{resource}", rule["apiGroups"][0].as_str().unwrap());
                granted.extend(words("verbs").map(|verb| (role.kind() == "Role", about.clone(), verb)));
            }
        }
    }
    granted
}

/// What was asked and allowed. An apply that makes something creates it, too.
fn used(installed: &Installed) -> BTreeSet<Right> {
    let user = format!("system:serviceaccount:{}:kaito-watch", installed.namespace);
    let mut used = BTreeSet::new();
    for event in playground().server.audited(&user) {
        let object = &event["objectRef"];
        let (Some(resource), Some(verb)) = (object["resource"].as_str(), event["verb"].as_str()) else { continue };
        let part = object["subresource"].as_str().map(|part| format!("/{part}")).unwrap_or_default();
        let about = format!("{}/{resource}{part}", object["apiGroup"].as_str().unwrap_or_default());
        let is_home = object["namespace"] == installed.namespace;
        used.insert((is_home, about.clone(), verb.to_owned()));
        if event["responseStatus"]["code"] == 201 {
            used.insert((is_home, about, "create".to_owned()));
        }
    }
    used
}

/// The rights that nothing has used.
fn unused(installed: &Installed) -> Vec<String> {
    let used = used(installed);
    let is_unused = |(is_home, about, verb): &&Right| !used.contains(&(*is_home, about.clone(), verb.clone()));
    granted(&installed.objects).iter().filter(is_unused).map(|(is_home, about, verb)| format!("{is_home} {about} {verb}")).collect()
}

/// What Workspaces of all sorts are declared with, in one namespace.
fn declared(place: &str) -> Vec<(&'static str, String)> {
    let sources =
        ["inference-set/inference-set.yaml", "ragengine/ragengine.yaml", "tuning-lora/workspace.yaml", "model-streaming/workspace.yaml"];
    let read = |source: &str| {
        let text = fs::read_to_string(format!("examples/{source}")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("  namespace: "));
        lines
            .map(|line| line.to_owned() + "\n" + &if line == "metadata:" { format!("  namespace: {place}\n") } else { String::new() })
            .collect()
    };
    sources.map(|source| (source.split('/').next().unwrap(), read(source))).to_vec()
}

/// A repository that an installed loop follows.
struct Followed {
    directory: tempfile::TempDir,
    installed: Installed,
}

impl Followed {
    fn new(namespace: &'static str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        git(directory.path(), &["init", "-q", "-b", "main"]);
        let url = directory.path().to_str().unwrap();
        let installed = Installed::new(namespace, &[&["--url", url, "--branch", "main"], flags, &["--", "--interval=1s"]].concat());
        Self { directory, installed }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(format!("{name}.yaml")), text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.directory.path().join(format!("{name}.yaml"))).unwrap();
    }

    /// Commits what there is, and waits until it is applied.
    fn commit(&mut self) {
        git(self.directory.path(), &["add", "-A"]);
        git(self.directory.path(), &["commit", "-q", "-m", "another"]);
        let commit = crate::git::git(self.directory.path(), &["rev-parse", "HEAD"]);
        if !self.installed.log().exists() {
            self.installed.start();
        }
        let is_told = |line: &str| line.contains("\"msg\":\"reconciled\"") && line.contains(&commit);
        self.installed.wait("the commit is applied", || fs::read_to_string(self.installed.log()).unwrap().lines().any(is_told));
    }
}

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1
kind: RenderConfig
featureGates: {gatewayAPIInferenceExtension: true, ModelMirror: true, ModelStreaming: true}
modelStreaming:
  storageClass: blob-fuse
  serviceAccount: default
  containers:
  - {model: phi-4-mini-instruct, storageAccount: fuse0a1b2c3d4e5f, container: pvc-5f0c4f6e-9d0b-4c0e-8a54-3c1d5b1f7a10}
";

/// Few objects, which are asked for by name, of the kinds of which there were many before.
const MORE: &str = "apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: more, namespace: PLACE}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: more}}}
inference: {preset: {name: phi-4-mini-instruct}, config: more}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more, namespace: PLACE}
data: {inference_config.yaml: 'vllm: {max-model-len: 4096}'}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: more, namespace: PLACE, labels: {kaito.sh/workspace: more}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

/// Deletes things until what happens is told again by the same event.
fn again_and_again(installed: &Installed, paths: &[&str]) {
    for path in paths {
        for _ in 0..2 {
            installed.wait("it is there", || installed.get(path).is_some());
            playground().client.delete(&path.replace("PLACE", &installed.place)).unwrap();
        }
        installed.wait("it is back", || installed.get(path).is_some());
    }
}

/// There is one ModelMirror of a model for the whole cluster.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn of_a_repository() {
    let _turn = turn();
    let mut followed = Followed::new(AUDITED[0], &["--namespaces", "rights-git-models"]);
    let place = followed.installed.place.clone();
    followed.write("kaito", CONFIG);
    let declared = declared(&place);
    declared.iter().for_each(|(name, text)| followed.write(name, text));
    followed.commit();
    followed.write("more", &MORE.replace("PLACE", &place));
    followed.commit();
    assert!(!fs::read_to_string(followed.installed.log()).unwrap().contains("pruned\","), "what others declare stays");
    again_and_again(&followed.installed, &["/apis/apps/v1/namespaces/PLACE/statefulsets/more", "/api/v1/namespaces/PLACE/configmaps/more"]);
    let node = gpu_node(&format!("{place}-more"), "more", &place);
    followed
        .installed
        .wait("the node is labelled", || playground().client.get(&node).unwrap()["metadata"]["labels"]["accelerator"] == "nvidia");
    declared.iter().map(|(name, _)| *name).chain(["more"]).for_each(|name| followed.remove(name));
    followed.write("rest", "{apiVersion: v1, kind: ConfigMap, metadata: {name: rest, namespace: rights-git-models}}");
    followed.commit();
    let installed = &followed.installed;
    assert_eq!(unused(installed), Vec::<String>::new());
    installed.was_allowed_everything();
}

/// NodeClasses that are told, of each cloud.
const CLASSES: [&str; 3] = [
    "{group: karpenter.azure.com, kind: AKSNodeClass, version: v1beta1, classes: [{name: rights, default: true, spec: {imageFamily: Ubuntu2204}}]}",
    "{group: karpenter.kwok.sh, kind: KWOKNodeClass, version: v1alpha1, classes: [{name: rights, default: true, spec: {nodeRegistrationDelay: 0s}}]}",
    "{group: karpenter.k8s.aws, kind: EC2NodeClass, version: v1, classes: [{name: rights, default: true, spec: {role: nodes,
      amiSelectorTerms: [{alias: al2023@latest}], subnetSelectorTerms: [{tags: {a: b}}], securityGroupSelectorTerms: [{tags: {a: b}}]}}]}",
];

#[test]
fn of_a_repository_with_node_pools() {
    let mut followed = Followed::new(AUDITED[1], &["--namespaces", "rights-pools-models", "--node-provisioner=karpenter"]);
    let place = followed.installed.place.clone();
    followed.write("rest", "{apiVersion: v1, kind: ConfigMap, metadata: {name: rest, namespace: rights-pools-models}}");
    for classes in CLASSES {
        followed.write("kaito", &format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nkarpenter: {classes}\n"));
        followed.write("more", &MORE.replace("PLACE", &place));
        followed.commit();
        // A pool never becomes one of another class.
        followed.remove("more");
        followed.commit();
    }
    let unused = unused(&followed.installed);
    let of_nodes: Vec<&String> = unused.iter().filter(|right| right.contains(" karpenter.")).collect();
    assert_eq!(of_nodes, Vec::<&String>::new());
    followed.installed.was_allowed_everything();
}

const STORAGE_CLASS: &str = "apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: rights}
provisioner: blob.csi.azure.com
parameters: {storageAccount: fuse0a1b2c3d4e5f, containerName: pvc-5f0c4f6e}
";

#[test]
fn of_a_cluster() {
    let _turn = turn();
    let gates =
        "--feature-gates=gatewayAPIInferenceExtension=true,ModelMirror=true,ModelStreaming=true,enableMultiRoleInferenceController=true";
    let storage = ["--default-model-mirror-storage-class=rights", "--default-streaming-service-account=default"];
    let mut installed =
        Installed::new(AUDITED[2], &["--namespaces", "rights-cluster-models", "--", gates, storage[0], storage[1], "--prune-allow=pvc"]);
    let place = installed.place.clone();
    let apply = |text: &str| {
        let objects = Manifest::all("declared", text);
        objects.iter().for_each(|object| drop(playground().client.apply(object, "").unwrap()));
        objects
    };
    let mut objects: Vec<Manifest> = declared(&place).iter().flat_map(|(_, text)| apply(text)).chain(apply(STORAGE_CLASS)).collect();
    objects.extend(apply(&ROLES.replace("{name: both}", &format!("{{name: both, namespace: {place}}}"))));
    installed.start();
    let jobs = "/apis/batch/v1/namespaces/PLACE/jobs/phi-4-tuning";
    installed.wait("all is there", || installed.get(jobs).is_some());
    objects.extend(apply(&MORE.replace("PLACE", &place)));
    let roles = "/apis/kaito.sh/v1alpha1/namespaces/PLACE/multiroleinferences/both";
    installed.wait("its status is told", || installed.get(roles).is_some_and(|roles| roles["status"]["conditions"].is_array()));
    again_and_again(
        &installed,
        &["/apis/apps/v1/namespaces/PLACE/statefulsets/more", "/api/v1/namespaces/PLACE/configmaps/ragengine-guardrails-policy-template"],
    );
    let node = gpu_node(&format!("{place}-more"), "more", &place);
    installed.wait("the node is labelled", || playground().client.get(&node).unwrap()["metadata"]["labels"]["accelerator"] == "nvidia");
    // It is renewed every few seconds.
    installed.wait("the Lease is renewed", || !unused(&installed).iter().any(|right| right.contains("coordination")));
    objects.iter().for_each(|object| playground().client.remove(object));
    installed.wait("all is gone", || installed.get(jobs).is_none());
    // Nobody takes the finalizer of a claim away here.
    let is_going = |claim: Option<serde_json::Value>| claim.is_none_or(|claim| claim["metadata"]["deletionTimestamp"].is_string());
    installed.wait("the claim goes", || is_going(installed.get("/api/v1/namespaces/PLACE/persistentvolumeclaims/172f34")));
    assert_eq!(unused(&installed), Vec::<String>::new());
    installed.was_allowed_everything();
}
