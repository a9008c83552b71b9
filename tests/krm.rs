//! `kaito fn`: lists of objects beside what becomes of them, and the same with kustomize itself.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::patch::kustomize;
use crate::support::{expect, files, finish, kaito, names, run_with_input};

/// Everything that a run says: the list, standard error and the exit code.
fn told(input: &str) -> (String, String) {
    let run = run_with_input(&["fn"], input);
    (run.stdout, format!("{}[exit code {}]\n", run.stderr, run.code))
}

#[test]
fn lists() {
    let mut faults = Vec::new();
    for name in names("golden/krm") {
        let folder = Path::new("golden/krm").join(name);
        let (list, said) = told(&fs::read_to_string(folder.join("input.yaml")).unwrap());
        faults.extend(expect(&folder.join("output.yaml"), &list).err());
        faults.extend(expect(&folder.join("said.txt"), &said).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What was written into a package is input the next time.
#[test]
fn a_second_run_changes_nothing() {
    for name in ["config", "in-place"] {
        let (first, _) = told(&fs::read_to_string(Path::new("golden/krm").join(name).join("input.yaml")).unwrap());
        let (second, _) = told(&first);
        assert_eq!(first, second, "{name}");
    }
}

#[test]
fn what_is_no_list() {
    for input in ["", "a: 1", "[]", "apiVersion: v1\nkind: List\nitems: []\n", "{"] {
        let run = run_with_input(&["fn"], input);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{input}");
        assert!(run.stderr.starts_with("error: "), "{input}: {}", run.stderr);
    }
}

/// A directory that kustomize builds, with kaito as a generator of one Workspace and as a transformer of another.
#[test]
fn kustomize_runs_it() {
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kaito"), home.path().join("kaito")).unwrap();
    let function = json!({"config.kubernetes.io/function": "exec: {path: ./kaito, args: [fn]}"});
    let workspace = |name: &str, annotations: &Value| {
        json!({
            "apiVersion": "kaito.sh/v1beta1",
            "kind": "Workspace",
            "metadata": {"name": name, "namespace": "team-a", "annotations": annotations},
            "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"apps": name}}},
            "inference": {"preset": {"name": "phi-4-mini-instruct"}},
        })
    };
    let config = json!({
        "apiVersion": "config.kaito.sh/v1alpha1",
        "kind": "RenderConfig",
        "metadata": {"name": "kaito", "annotations": function},
        "nodeProvisioner": "karpenter",
    });
    let mut wrong = workspace("wrong", &json!({}));
    wrong["inference"]["preset"]["name"] = "phi-5".into();
    let files = [
        ("kustomization.yaml", json!({"resources": ["one.yaml"], "generators": ["other.yaml"], "transformers": ["kaito.yaml"]})),
        ("one.yaml", workspace("one", &json!({}))),
        ("other.yaml", workspace("other", &function)),
        ("kaito.yaml", config),
        ("wrong.yaml", wrong),
    ];
    for (name, content) in &files {
        std::fs::write(home.path().join(name), content.to_string()).unwrap();
    }
    let build = || kustomize(&["exec", home.path().to_str().unwrap()], String::new()).remove(0);
    let built = build();
    let names = |built: &Value| -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut names: Vec<String> = built
            .as_array()
            .unwrap()
            .iter()
            .map(|object| format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"])))
            .collect();
        names.sort();
        names
    };
    assert!(built.is_array(), "{built}");
    let of_one = |name: &str| {
        [format!("NodePool team-a-{name}"), format!("Service {name}"), format!("Service {name}-headless"), format!("StatefulSet {name}")]
    };
    let mut want = [of_one("one"), of_one("other")].concat();
    want.sort();
    assert_eq!(names(&built), want);
    let resources = json!({"resources": ["one.yaml", "wrong.yaml"], "transformers": ["kaito.yaml"]});
    std::fs::write(home.path().join("kustomization.yaml"), resources.to_string()).unwrap();
    let said = build();
    assert!(said.as_str().is_some_and(|said| said.starts_with("error: ")), "{said}");
}

/// The program of kpt.
const KPT: &str = "KAITO_TEST_KPT";

/// A package that `kaito init` has made and that says of itself what kpt wants, rendered in place by kpt itself, twice.
#[test]
#[ignore = "it wants kpt"]
fn kpt_runs_it() {
    let program = std::env::var_os(KPT).unwrap_or_else(|| panic!("{KPT} names no program"));
    let home = tempfile::tempdir().unwrap();
    let package = home.path().join("package");
    let made = finish(kaito().args(["init", "--preset", "phi-4", "-n", "models"]).arg(&package));
    assert_eq!(made.code, 0, "{}", made.stderr);
    let page = fs::read_to_string("docs/kustomize.md").unwrap();
    let shown: Vec<&str> = page.split("```yaml\n").filter_map(|block| block.split_once("```").map(|(block, _)| block)).collect();
    let file = |name: &str| shown.iter().find(|block| block.starts_with(&format!("# {name}\n"))).unwrap();
    fs::write(package.join("Kptfile"), file("Kptfile")).unwrap();
    let metadata = shown.iter().find(|block| block.starts_with("metadata:\n  name: kaito\n")).unwrap();
    let add = |path: &str, kind: &str, text: &str| {
        let path = package.join(path);
        let whole = fs::read_to_string(&path).unwrap().replace(kind, &format!("{kind}{text}"));
        fs::write(path, whole).unwrap();
    };
    add("kaito.yaml", "kind: RenderConfig\n", metadata);
    add("workspaces/phi-4.yaml", "metadata:\n  name: phi-4\n", "  annotations:\n    config.kubernetes.io/local-config: \"true\"\n");
    let run = || {
        let own = Path::new(env!("CARGO_BIN_EXE_kaito")).parent().unwrap().display();
        let mut kpt = std::process::Command::new(&program);
        kpt.args(["fn", "render", "--allow-exec"]).arg(&package).env("PATH", format!("{own}:/usr/local/bin:/usr/bin:/bin"));
        let run = finish(kpt.env("HOME", home.path()));
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        files(&package)
    };
    let written = run();
    let names: Vec<&str> = written.keys().map(String::as_str).collect();
    for name in ["kaito.yaml", "workspaces/phi-4.yaml", "models/statefulset_phi-4.yaml", "models/service_phi-4.yaml"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(run(), written);
    // The same files are still what kaito itself reads.
    let lint = finish(kaito().args(["lint", "-R", "-f", "workspaces"]).current_dir(&package));
    assert_eq!(lint.code, 0, "{}", lint.stderr);
}
