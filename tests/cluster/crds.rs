//! The CRDs that the cluster knows: those of what kaito renders, from the Go modules that publish them, and kaito's own.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::manifest::Manifest;
use crate::support::run;

/// A Go module, its version, and the CRDs in it.
const PUBLISHED: [(&str, &str, &[&str]); 5] = [
    ("sigs.k8s.io/karpenter", "v1.10.0", &["pkg/apis/crds/karpenter.sh_nodeclaims.yaml", "pkg/apis/crds/karpenter.sh_nodepools.yaml"]),
    ("github.com/aws/karpenter-core", "v0.30.0", &["pkg/apis/crds/karpenter.sh_machines.yaml"]),
    ("github.com/Azure/karpenter-provider-azure", "v1.7.1", &["pkg/apis/crds/karpenter.azure.com_aksnodeclasses.yaml"]),
    ("github.com/aws/karpenter-provider-aws", "v1.10.0", &["pkg/apis/crds/karpenter.k8s.aws_ec2nodeclasses.yaml"]),
    ("github.com/fluxcd/source-controller", "v1.8.0", &["config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml"]),
];

/// Kinds whose CRDs no module publishes: group, version, plural, kind. Of their objects the server checks only the metadata.
const STAND_INS: [(&str, &str, &str, &str); 1] = [("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")];

/// Installs all, and waits until they are served.
pub(super) fn install(client: &Client) -> Result<(), String> {
    let own = run(&["crd"]);
    assert_eq!(own.code, 0, "{}", own.stderr);
    let mut crds = Manifest::all("kaito crd", &own.stdout);
    crds.extend(STAND_INS.map(stand_in).map(Manifest::from));
    for (module, version, files) in PUBLISHED {
        let directory = download(module, version)?;
        crds.extend(files.iter().flat_map(|file| Manifest::read(&directory.join(file))));
    }
    let apply = |crd: &Manifest| client.apply(crd, "").map_err(|message| format!("the CRD {} is refused: {message}", crd.name()));
    crds.iter().try_for_each(|crd| apply(crd).map(drop))?;
    crds.iter().try_for_each(|crd| wait(client, crd))
}

/// The directory of a module in Go's module cache; Go checks it against its checksum database.
fn download(module: &str, version: &str) -> Result<PathBuf, String> {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", &format!("{module}@{version}")]).env("GOWORK", "off").current_dir(std::env::temp_dir());
    let output =
        go.output().map_err(|error| format!("go: {error}\nInstall Go (https://go.dev/dl): {module} has CRDs that the tests need"))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let directory = answer["Dir"].as_str().map(PathBuf::from);
    directory.ok_or_else(|| {
        let said = answer["Error"].as_str().map_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned(), ToOwned::to_owned);
        format!("go mod download {module}@{version}: {said}")
    })
}

fn stand_in((group, version, plural, kind): (&str, &str, &str, &str)) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

/// Waits until the server has made up its mind about a CRD, and serves every version of it.
fn wait(client: &Client, crd: &Manifest) -> Result<(), String> {
    let (name, crd) = (crd.name(), &crd.value);
    loop {
        let found = client.get(&format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"))?;
        let conditions = found["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is = |kind: &str, status: &str| conditions.iter().find(|one| one["type"] == kind && one["status"] == status);
        if let Some(refused) = is("NamesAccepted", "False").or_else(|| is("NonStructuralSchema", "True")) {
            return Err(format!("the CRD {name} isn't established: {}", refused["message"]));
        }
        let served = crd["spec"]["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true);
        let (group, plural) = (&crd["spec"]["group"], &crd["spec"]["names"]["plural"]);
        let mut paths = served.map(|version| [group, &version["name"], plural].map(|part| part.as_str().unwrap_or_default()).join("/"));
        if is("Established", "True").is_some() && paths.all(|path| client.get(&format!("/apis/{path}")).is_ok()) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
