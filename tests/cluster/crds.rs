//! The CRDs that the cluster knows: kaito's own, and those of what it renders from the Go modules that publish them.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::manifest::Manifest;
use super::modules;
use crate::support::run;

/// A Go module, and a file in it.
const PUBLISHED: &[(&str, &str)] = &[
    ("sigs.k8s.io/karpenter@v1.10.0", "pkg/apis/crds/karpenter.sh_nodeclaims.yaml"),
    ("sigs.k8s.io/karpenter@v1.10.0", "pkg/apis/crds/karpenter.sh_nodepools.yaml"),
    ("sigs.k8s.io/karpenter@v1.10.0", "kwok/apis/crds/karpenter.kwok.sh_kwoknodeclasses.yaml"),
    // The one that Kaito 0.3 works with.
    ("sigs.k8s.io/karpenter@v0.36.2", "pkg/apis/crds/karpenter.sh_nodeclaims.yaml"),
    ("github.com/Azure/karpenter-provider-azure@v1.7.1", "pkg/apis/crds/karpenter.azure.com_aksnodeclasses.yaml"),
    ("github.com/aws/karpenter-provider-aws@v1.10.0", "pkg/apis/crds/karpenter.k8s.aws_ec2nodeclasses.yaml"),
    ("github.com/aws/karpenter-core@v0.30.0", "pkg/apis/crds/karpenter.sh_machines.yaml"),
    ("sigs.k8s.io/cluster-api@v1.14.2", "core/config/crd/bases/cluster.x-k8s.io_machinepools.yaml"),
    (CLUSTER_API_AZURE, "config/crd/bases/infrastructure.cluster.x-k8s.io_azuremanagedmachinepools.yaml"),
    (CLUSTER_API_AZURE, "config/crd/bases/infrastructure.cluster.x-k8s.io_azureasomanagedmachinepools.yaml"),
    (CLUSTER_API_AZURE, "config/aso/crds.yaml"),
    ("sigs.k8s.io/cluster-api-provider-aws/v2@v2.13.0", "config/crd/bases/infrastructure.cluster.x-k8s.io_awsmanagedmachinepools.yaml"),
    ("github.com/fluxcd/source-controller@v1.8.0", "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml"),
    ("github.com/fluxcd/source-controller@v1.8.0", "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml"),
    ("github.com/fluxcd/source-controller@v1.8.0", "config/crd/bases/source.toolkit.fluxcd.io_externalartifacts.yaml"),
    ("github.com/fluxcd/source-controller@v1.8.0", "config/crd/bases/source.toolkit.fluxcd.io_buckets.yaml"),
    ("github.com/fluxcd/source-controller@v1.8.0", "config/crd/bases/source.toolkit.fluxcd.io_helmcharts.yaml"),
    ("github.com/fluxcd/source-controller@v1.8.0", "config/crd/bases/source.toolkit.fluxcd.io_helmrepositories.yaml"),
    ("github.com/fluxcd/kustomize-controller@v1.9.4", "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"),
    ("github.com/argoproj/argo-cd/v3@v3.1.9", "manifests/crds/application-crd.yaml"),
];

const CLUSTER_API_AZURE: &str = "sigs.k8s.io/cluster-api-provider-azure@v1.21.0";

/// CRDs in these files that nobody needs and that are large.
fn is_needed(crd: &Manifest) -> bool {
    !crd.file.ends_with("aso/crds.yaml") || crd.name() == "managedclustersagentpools.containerservice.azure.com"
}

/// Kinds whose CRDs no module publishes: group, version, plural, kind. Of their objects the server checks only the metadata.
const STAND_INS: &[(&str, &str, &str, &str)] = &[
    ("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease"),
    ("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
];

/// Installs all, and waits until they are served.
pub(super) fn install(client: &Client) -> Result<(), String> {
    let own = run(&["crd"]);
    assert_eq!(own.code, 0, "{}", own.stderr);
    let mut crds = Manifest::all("kaito crd", &own.stdout);
    crds.extend(STAND_INS.iter().map(stand_in).map(Manifest::from));
    crds.extend(published()?);
    crds.iter()
        .try_for_each(|crd| client.apply(crd, "").map(drop).map_err(|message| format!("the CRD {} is refused: {message}", crd.name())))?;
    crds.iter().try_for_each(|crd| wait(client, crd))
}

/// The CRDs in Go modules. No webhook of theirs runs here, so that no version is converted to another. One that stands in two
/// modules has the versions of both, and is stored as the first says.
fn published() -> Result<Vec<Manifest>, String> {
    let mut names: Vec<&str> = PUBLISHED.iter().map(|(module, _)| *module).collect();
    names.dedup();
    let modules = modules::directories(&names)?;
    let mut crds: Vec<Value> = Vec::new();
    for (module, file) in PUBLISHED {
        let all = Manifest::read(&modules.iter().find(|(name, _)| name == module).expect("all are there").1.join(file));
        for Manifest { value: mut crd, .. } in all.into_iter().filter(is_needed) {
            _ = crd["spec"].as_object_mut().and_then(|spec| spec.remove("conversion"));
            let Some(first) = crds.iter_mut().find(|first| first["metadata"]["name"] == crd["metadata"]["name"]) else {
                crds.push(crd);
                continue;
            };
            for version in crd["spec"]["versions"].as_array_mut().into_iter().flatten() {
                version["storage"] = json!(false);
                _ = first["spec"]["versions"].as_array_mut().map(|versions| versions.push(version.take()));
            }
        }
    }
    Ok(crds.into_iter().map(Manifest::from).collect())
}

fn stand_in((group, version, plural, kind): &(&str, &str, &str, &str)) -> Value {
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
