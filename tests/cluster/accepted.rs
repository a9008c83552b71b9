//! Every object that kaito renders, and every document that it reads, as a server-side apply of it would end.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::cluster;
use super::manifest::{Manifest, yaml_files};
use crate::support::{examples, names};

/// What the server refuses though kaito lets it pass: the file, the object, a part of the message, and why it stays so.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("golden/cases/strings-that-are-none/expected.yaml", "ConfigMap/c", ".data.number: expected string", PASSES),
    ("golden/cases/strings-that-are-none/expected.yaml", "Secret/s", ".stringData.pin: expected string", PASSES),
    ("golden/cases/strings-that-are-none/input.yaml", "ConfigMap/c", ".data.number: expected string", PASSES),
    ("golden/cases/strings-that-are-none/input.yaml", "Secret/s", ".stringData.pin: expected string", PASSES),
    (
        "golden/cases/quoting/input.yaml",
        "ConfigMap/c",
        ".data.true: expected string",
        "a bare y is the letter for kaito, and true for the server",
    ),
    ("golden/cases/ragengine-v1alpha1/input.yaml", "RAGEngine/with-pvc", "the server knows no RAGEngine of kaito.sh/v1alpha1", NO_WEBHOOK),
    ("golden/cases/lists/input.yaml", "AllowList/hosts", "the server knows no example.com/v1", NO_CRD),
    ("golden/cases/lists/expected.yaml", "AllowList/hosts", "the server knows no example.com/v1", NO_CRD),
];

const PASSES: &str = "the input's own object, which passes through as it is, with a warning";
const NO_CRD: &str = "a kind made up for the case";
const NO_WEBHOOK: &str = "what this version stores can't be converted without Kaito's webhook";

/// Asks of each document whether the server would take it, and compares with what is expected.
fn ask(manifests: &[Manifest]) {
    let client = &cluster().client;
    let namespaces: BTreeSet<&str> = manifests.iter().filter_map(Manifest::namespace).collect();
    for name in namespaces {
        client.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).into(), "").unwrap();
    }
    let mut faults = String::new();
    for manifest in manifests {
        let title = manifest.title();
        let expected = REFUSED.iter().find(|(file, object, ..)| *file == manifest.file && *object == title);
        let fault = match (client.apply(manifest, "&dryRun=All"), expected) {
            (Ok(_), None) => continue,
            (Err(message), Some((_, _, part, _))) if message.contains(part) => continue,
            (Ok(_), Some((.., why))) => format!("is accepted, but listed as refused: {why}"),
            (Err(message), _) => message,
        };
        _ = writeln!(faults, "{}\n    {title}\n    {}", manifest.file, fault.replace('\n', "\n    "));
    }
    assert!(faults.is_empty(), "the API server refuses what it should take\n{faults}");
}

#[test]
fn what_is_listed_as_refused_is_there() {
    for (file, object, ..) in REFUSED {
        assert!(Manifest::read((*file).as_ref()).iter().any(|manifest| manifest.title() == *object), "{file} has no {object}");
    }
}

/// The cases that are rendered as manifests.
fn rendered_cases() -> impl Iterator<Item = PathBuf> {
    let cases = names("golden/cases").into_iter().map(|case| PathBuf::from("golden/cases").join(case));
    let prints_others = |case: &PathBuf| {
        let args = fs::read_to_string(case.join("args")).unwrap_or_default();
        let is_another_verb = args.starts_with(|c: char| c.is_ascii_lowercase());
        is_another_verb || args.split_whitespace().any(|arg| ["-o", "--explain"].contains(&arg))
    };
    cases.filter(move |case| case.join("expected.yaml").exists() && !prints_others(case))
}

#[test]
fn what_is_rendered() {
    let mut files = yaml_files("golden/examples");
    files.extend(rendered_cases().map(|case| case.join("expected.yaml")));
    let manifests: Vec<Manifest> = files.iter().flat_map(|file| Manifest::read(file)).collect();
    assert!(manifests.len() > 200, "{} objects", manifests.len());
    ask(&manifests);
}

#[test]
fn what_is_read() {
    let mut files: Vec<PathBuf> = examples().iter().flat_map(|name| yaml_files(&format!("examples/{name}"))).collect();
    files.extend(rendered_cases().map(|case| case.join("input.yaml")));
    let mut manifests: Vec<Manifest> = files.iter().flat_map(|file| Manifest::read(file)).collect();
    // kaito.yaml is for kaito alone.
    manifests.retain(|manifest| !manifest.api_version().starts_with("config.kaito.sh/"));
    assert!(manifests.len() > 50, "{} documents", manifests.len());
    ask(&manifests);
}

/// By Flux' own CRDs.
#[test]
fn what_is_deployed_for_flux() {
    let built = crate::flux::deployed();
    let manifests: Vec<Manifest> = built.iter().flat_map(|built| built.as_array().unwrap().iter().cloned().map(Manifest::from)).collect();
    assert_eq!(manifests.len(), 7);
    ask(&manifests);
}

/// What the example repositories have for Flux, Argo CD and the cluster, by their own CRDs.
#[test]
fn what_repositories_hold() {
    let files = crate::support::files(Path::new("examples/repositories"));
    let is_of_a_cluster = |path: &str| ["argocd/argocd/", "/flux/", "/cluster/"].iter().any(|folder| path.contains(folder));
    let paths = files.keys().filter(|path| is_of_a_cluster(path));
    let mut manifests: Vec<Manifest> = paths.flat_map(|path| Manifest::read(&Path::new("examples/repositories").join(path))).collect();
    let kinds: BTreeSet<&str> = manifests.iter().map(Manifest::kind).collect();
    let own = ["Application", "GitRepository", "OCIRepository", "Kustomization", "Deployment"];
    assert!(own.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    // A namespace is made before what is in it.
    manifests.sort_by_key(|manifest| manifest.kind() != "Namespace");
    ask(&manifests);
}
