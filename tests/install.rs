//! `kaito install` and `kaito uninstall`: what they print, what of that is in `deploy`, and what is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kaito::inventory::GroupKind;
use kaito::options::NodeProvisioner;
use kaito::rbac::rendered_kinds;
use serde_json::Value;

use crate::support::{examples, expect, run};

const IMAGE: [&str; 3] = ["install", "--image", "registry.example.com/kaito:0.1.0"];
/// Everything that may be said.
const GIT: [&str; 18] = [
    "--url",
    "https://git.example.com/fleet.git",
    "--branch",
    "main",
    "-f",
    "clusters/prod",
    "--applyset",
    "prod",
    "--credentials",
    "fleet",
    "--webhook-token",
    "fleet-webhook",
    "--namespaces",
    "search,models",
    "--service-monitor",
    "--node-provisioner",
    "karpenter",
    "--replicas=3",
];

/// What is printed.
pub(crate) fn prints(args: &[&str]) -> String {
    let run = run(args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
    run.stdout
}

/// The objects of a text.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let file = kaito::diagnostic::SourceFile::new("install", text);
    let mut faults = Vec::new();
    let documents = kaito::yaml::read(&file, kaito::yaml::Limits::default(), &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
    documents.iter().map(|document| document.root.to_value()).collect()
}

#[test]
fn what_is_printed() {
    expect(Path::new("golden/install/cluster.yaml"), &prints(&IMAGE)).unwrap();
    let git = [&IMAGE[..], &GIT, &["--", "--interval=5m", "--prune=false"]].concat();
    expect(Path::new("golden/install/git.yaml"), &prints(&git)).unwrap();
    let flux = ["--url", "https://git.example.com/fleet.git", "-f", "clusters/prod", "-n", "flux-system", "--external-artifact", "models"];
    expect(Path::new("golden/install/flux.yaml"), &prints(&[&IMAGE[..], &flux].concat())).unwrap();
    expect(Path::new("golden/install/uninstall.yaml"), &prints(&["uninstall", "--namespaces", "search,models", "--service-monitor"]))
        .unwrap();
}

/// What goes is what came, the other way round; only the CRDs wait until the end.
#[test]
fn what_goes_is_what_came() {
    let flags = ["--crds", "--service-monitor", "--namespaces", "models", "-n", "gitops"];
    let identity = |object: &Value| format!("{} {}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]);
    let of = |text: &str| objects(text).iter().map(identity).collect::<Vec<_>>();
    let mut came = of(&prints(&[&IMAGE[..], &flags].concat()));
    came.reverse();
    came.sort_by_key(|identity| identity.contains("CustomResourceDefinition"));
    assert_eq!(of(&prints(&[&["uninstall"][..], &flags].concat())), came);
    let kept = of(&prints(&["uninstall", "--keep-namespace"]));
    assert!(!kept.iter().any(|identity| identity.contains("\"Namespace\"")), "{kept:?}");
    assert!(kept[0].contains("Deployment"), "{kept:?}");
}

#[test]
fn without_rights() {
    let kinds: Vec<Value> =
        objects(&prints(&[&IMAGE[..], &["--rbac=false"]].concat())).iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, ["Namespace", "ServiceAccount", "NetworkPolicy", "Service", "PodDisruptionBudget", "Deployment"]);
}

#[test]
fn used_wrongly() {
    let table: [(&[&str], i32, &str); 9] = [
        (&["install"], 2, "--image"),
        (&[&IMAGE[..], &["--source", "cluster", "--url", "x"]].concat(), 2, "cannot be used with"),
        (&[&IMAGE[..], &["--branch", "main"]].concat(), 2, "--url"),
        (&[&IMAGE[..], &["--credentials", "fleet"]].concat(), 2, "--url"),
        (&[&IMAGE[..], &["--namespaces", "No Such"]].concat(), 2, "namespace"),
        (&[&IMAGE[..], &["--", "--no-such"]].concat(), 2, "--no-such"),
        (&[&IMAGE[..], &["--", "--leader-elect"]].concat(), 2, "cannot be used multiple times"),
        (&[&IMAGE[..], &["--", "--feature-gates", "nope=true"]].concat(), 2, "nope"),
        (&[&IMAGE[..], &["--replicas", "0"]].concat(), 2, "--replicas"),
    ];
    for (args, code, want) in table {
        let run = run(args);
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
}

/// The kinds that rights are for are those that are rendered: every one of the examples, and no other.
#[test]
fn rights_are_for_what_is_rendered() {
    let known: BTreeSet<GroupKind> = NodeProvisioner::ALL.into_iter().flat_map(rendered_kinds).collect();
    let mut rendered = BTreeSet::new();
    for example in examples() {
        let run = run(&["render", "-R", "-f", &format!("examples/{example}"), "--passthrough=false", "--allow-empty"]);
        for object in objects(&run.stdout) {
            let api_version = object["apiVersion"].as_str().unwrap();
            let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
            rendered.insert(GroupKind::new(group, object["kind"].as_str().unwrap()));
        }
    }
    // What is declared passes through where it stands for itself.
    rendered.retain(|kind| !(kind.group == "kaito.sh" && kind.kind != "ModelMirror"));
    let missing: Vec<_> = rendered.difference(&known).collect();
    assert!(missing.is_empty() && rendered.len() > 8, "{missing:?} are rendered, and {rendered:?} is all");
}

#[test]
fn the_kustomize_base_is_what_is_printed() {
    expect(Path::new("deploy/kustomize/kaito-watch.yaml"), &prints(&["install", "--image", "kaito"])).unwrap();
    let kustomization = fs::read_to_string("deploy/kustomize/kustomization.yaml").unwrap();
    assert_eq!(objects(&kustomization)[0]["resources"], serde_json::json!(["kaito-watch.yaml"]));
}
