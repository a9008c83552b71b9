//! Patches and images: what kaito makes of them beside what kustomize does, which is really run; and Kubernetes' directives that
//! kustomize leaves alone.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use kaito::diagnostic::SourceFile;
use kaito::manifest::ObjectRef;
use kaito::patch::merge_keys;
use kaito::yaml;
use serde_json::{Value, json};

use crate::support::{Run, run};

/// Runs the program in `tests/kustomize`; each line of its output is a value.
pub(crate) fn kustomize(args: &[&str], input: String) -> Vec<Value> {
    static PROGRAM: OnceLock<tempfile::TempPath> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("kustomize").tempfile().expect("a file can be made").into_temp_path();
        let built = Command::new("go").args(["build", "-o"]).arg(&path).arg(".").current_dir("tests/kustomize").status();
        assert!(built.is_ok_and(|status| status.success()), "Go is needed to see what kustomize does");
        path
    });
    let mut child = Command::new(&**program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cases() -> Vec<Value> {
    let file = SourceFile::new("patches.yaml", fs::read_to_string("tests/data/patches.yaml").unwrap());
    let documents = yaml::read_values(&file, 0..file.text.len(), yaml::Limits::default(), &mut Vec::new());
    documents[0].root.to_value().as_array().unwrap().clone()
}

/// The files of a case for kaito; its objects pass through.
fn write_input(case: &Value, home: &Path) {
    if let Some(example) = case["example"].as_str() {
        fs::copy(format!("examples/{example}/workspace.yaml"), home.join("workspace.yaml")).unwrap();
    }
    if let Some(objects) = case["objects"].as_str() {
        fs::write(home.join("objects.yaml"), objects).unwrap();
    }
    for (name, text) in case["files"].as_object().into_iter().flatten() {
        fs::write(home.join(name), text.as_str().unwrap()).unwrap();
    }
}

fn render(home: &Path, config: &Value) -> Run {
    fs::write(home.join("kaito.yaml"), config.to_string()).unwrap();
    run(&["render", "-f", home.to_str().unwrap(), "-o", "json"])
}

fn config(case: &Value) -> Value {
    let mut config = json!({"apiVersion": "config.kaito.sh/v1alpha1", "kind": "RenderConfig"});
    for field in ["patches", "images"].into_iter().filter(|field| !case[*field].is_null()) {
        config[field] = case[field].clone();
    }
    config
}

/// Objects in an order of their own: kaito and kustomize have different ones.
fn sorted(objects: &Value) -> Vec<&Value> {
    let mut objects: Vec<&Value> = objects.as_array().unwrap().iter().collect();
    objects.sort_by_key(|object| (object["kind"].to_string(), object["metadata"].to_string()));
    objects
}

fn text(object: Option<&&Value>) -> String {
    object.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

#[test]
fn patches_and_images_are_kustomizes() {
    let cases = cases();
    let home = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for (number, case) in cases.iter().enumerate() {
        let plain = home.path().join(format!("{number}-plain"));
        fs::create_dir(&plain).unwrap();
        write_input(case, &plain);
        fs::read_dir(&plain).unwrap().for_each(|file| {
            let path = file.unwrap().path();
            // What patches are in is no input.
            if !["workspace.yaml", "objects.yaml"].contains(&path.file_name().unwrap().to_str().unwrap()) {
                fs::remove_file(path).unwrap();
            }
        });
        let objects = run(&["render", "-f", plain.to_str().unwrap()]).stdout;
        assert!(!objects.is_empty(), "{}", case["name"]);
        let mut kustomization = json!({"resources": ["resources.yaml"]});
        for field in ["patches", "images"].into_iter().filter(|field| !case[*field].is_null()) {
            kustomization[field] = case[field].clone();
        }
        let mut files = json!({"resources.yaml": objects, "kustomization.yaml": kustomization.to_string()});
        for (name, text) in case["files"].as_object().into_iter().flatten() {
            files[name] = text.clone();
        }
        lines.push_str(&files.to_string());
        lines.push('\n');
    }
    let wanted = kustomize(&[], lines);
    assert_eq!(wanted.len(), cases.len());
    let mut faults = Vec::new();
    for (number, (case, want)) in cases.iter().zip(&wanted).enumerate() {
        let name = case["name"].as_str().unwrap();
        let own = home.path().join(number.to_string());
        fs::create_dir(&own).unwrap();
        write_input(case, &own);
        let have = render(&own, &config(case));
        assert!(!have.stderr.contains("panicked"), "{name}: {}", have.stderr);
        if let Some(says) = case["differs"].as_str() {
            assert!(want.is_array() && have.code == 1 && have.stderr.contains(says), "{name}: {want}: {}", have.stderr);
        } else if case["fails"] == true {
            assert!(want.is_string(), "{name}: kustomize takes it");
            assert_eq!((have.code, have.stdout.as_str()), (1, ""), "{name}: {want}");
        } else if have.code != 0 || !want.is_array() {
            faults.push(format!("{name}: kustomize: {}\nkaito: {}", want.as_str().unwrap_or("takes it"), have.stderr));
        } else {
            let have: Value = serde_json::from_str(&have.stdout).unwrap();
            let (have, want) = (sorted(&have["items"]), sorted(want));
            let differ = have.len().max(want.len());
            let pairs = (0..differ).map(|at| (have.get(at), want.get(at))).filter(|(have, want)| have != want);
            faults.extend(pairs.map(|(have, want)| format!("{name}:\nkaito     {}\nkustomize {}", text(have), text(want))));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn merge_keys_are_kubernetes() {
    let mut compared = 0;
    for kind in kustomize(&["keys"], String::new()) {
        let group = kind["apiVersion"].as_str().unwrap().rsplit_once('/').map_or("", |(group, _)| group);
        let object = ObjectRef::new(group, kind["kind"].as_str().unwrap(), None, "x");
        for (path, keys) in kind["lists"].as_object().unwrap() {
            // What an API server alone writes is never patched.
            if path.contains(".status.") {
                continue;
            }
            let path: Vec<&str> = path.split('.').collect();
            let keys: Vec<&str> = keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            assert_eq!(merge_keys(&object, &path), Some(keys.as_slice()), "{object} {path:?}");
            compared += 1;
        }
        assert_eq!(merge_keys(&object, &["spec", "template", "spec", "tolerations"]), None);
    }
    assert!(compared > 200, "{compared} were compared");
    assert_eq!(merge_keys(&ObjectRef::new("karpenter.sh", "NodePool", None, "x"), &["metadata", "finalizers"]), None);
}

/// `$setElementOrder`, `$deleteFromPrimitiveList` and `$retainKeys` do what they do for `kubectl patch`; an item is replaced, and a
/// port without protocol is patched, where kustomize drops the patch in silence.
#[test]
fn what_kustomize_leaves_alone() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "finalizers": ["a", "b", "c"]}, "spec": {
        "containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "initContainers": [{"name": "a", "ports": [{"containerPort": 1}]}],
        "volumes": [{"name": "v", "hostPath": {"path": "/x"}}, {"name": "w", "emptyDir": {}}]}});
    let table = [
        (
            json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "new"}, {"name": "a"}], "containers": [{"name": "new"}]}}),
            "/spec/containers",
            json!([{"name": "b"}, {"name": "c"}, {"name": "new"}, {"name": "a"}]),
        ),
        (
            json!({"metadata": {"$setElementOrder/finalizers": ["d", "c"], "$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["d"]}}),
            "/metadata/finalizers",
            json!(["d", "b", "c"]),
        ),
        (
            json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]}}),
            "/spec/volumes",
            json!([{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}]),
        ),
        (
            json!({"spec": {"volumes": [{"name": "v", "$patch": "replace", "emptyDir": {}}]}}),
            "/spec/volumes/0",
            json!({"name": "v", "emptyDir": {}}),
        ),
        (
            json!({"spec": {"initContainers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "TCP", "name": "p"}]}]}}),
            "/spec/initContainers/0/ports",
            json!([{"containerPort": 1, "protocol": "TCP", "name": "p"}]),
        ),
        (
            json!({"spec": {"$retainKeys": ["volumes"]}}),
            "/spec",
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}, {"name": "w", "emptyDir": {}}]}),
        ),
    ];
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("objects.yaml"), object.to_string()).unwrap();
    for (patch, at, want) in table {
        let patches = json!([{"target": {"kind": "Pod"}, "patch": patch.to_string()}]);
        let have = render(home.path(), &config(&json!({"patches": patches})));
        assert_eq!(have.code, 0, "{}", have.stderr);
        let have: Value = serde_json::from_str(&have.stdout).unwrap();
        assert_eq!(have["items"][0].pointer(at), Some(&want), "{patch}");
    }
}
