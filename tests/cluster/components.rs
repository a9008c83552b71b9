//! What makes a cluster live: the controllers, the scheduler, kwok for kubelets, and Karpenter with a cloud of kwok's nodes.

use std::fs;

use kaito::options::Cloud;
use kaito::preset::{Catalog, Layer};
use kaito::sku::Sku;
use serde_json::{Value, json};

use super::Cluster;
use super::client::Client;
use super::modules;
use super::programs;
use super::server::Server;

/// Nobody needs these here, or they'd need a cloud.
const CONTROLLERS: &str = "--controllers=*,-certificatesigningrequest-approving-controller,-certificatesigningrequest-cleaner-controller,\
    -certificatesigningrequest-signing-controller,-cloud-node-lifecycle-controller,-node-ipam-controller,-node-route-controller,\
    -service-lb-controller,-persistentvolume-attach-detach-controller,-persistentvolume-expander-controller,\
    -horizontal-pod-autoscaler-controller,-resourceclaim-controller,-device-taint-eviction-controller,\
    -podcertificaterequest-cleaner-controller,-kube-apiserver-serving-clustertrustbundle-publisher-controller";

/// The stages that kwok publishes: what becomes of nodes, pods and volumes, each at once. The pods of Jobs are completed.
const STAGES: &[&str] = &[
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
    "volume/fast/pv-bind.yaml",
    "volume/fast/pv-delete.yaml",
    "volume/fast/pvc-provision.yaml",
    "volume/fast/pvc-delete.yaml",
];

/// What stands in them, and what is to stand there: kwok's volumes are of every class, not of its own alone; and a node for which
/// Karpenter has only said what is left for pods has as much.
const CHANGES: &[(&str, &str)] = &[
    ("self.spec.storageClassName == 'kwok-volume'", "self.spec.storageClassName != ''"),
    ("{{ with .status.capacity }}", "{{ with or .status.capacity .status.allocatable }}"),
];

/// kwok's own class, which is the default, and those that the examples name; kwok makes volumes of each.
const STORAGE_CLASSES: &[&str] = &["kwok-volume", "kaito-local-nvme-disk", "managed-csi", "blob-fuse"];

/// Nodes with this annotation are kwok's; Karpenter puts it on those that it makes.
pub(super) const KWOK_NODE: &str = "kwok.x-k8s.io/node";

/// Starts all of them beside a server that knows the CRDs.
pub(super) fn start(server: &Server, client: &Client) -> Result<(), String> {
    let home = server.home();
    let write = |name: &str, text: &str| fs::write(home.join(name), text).map_err(|error| format!("{name}: {error}"));
    write("stages.yaml", &stages()?)?;
    write("instance-types.json", &instance_types().iter().map(InstanceType::offered).collect::<Value>().to_string())?;
    STORAGE_CLASSES.iter().try_for_each(|name| client.apply(&storage_class(name).into(), "").map(drop))?;
    for (program, flags) in [
        ("kube-controller-manager", controller_manager_flags()),
        ("kube-scheduler", ["--kubeconfig=kubeconfig", "--leader-elect=false", "--secure-port=0"].map(ToOwned::to_owned).to_vec()),
        ("kwok", kwok_flags()),
        ("karpenter-kwok", karpenter_flags()),
    ] {
        server.start_beside(program, &flags)?;
    }
    client.create("/api/v1/nodes", &node("system", &json!({}), None)).map(drop)
}

impl Cluster {
    /// Adds a node of one's own to `living()`, with the GPUs of a size of the catalog. It is ready soon after, and keeps away what
    /// doesn't tolerate the taint `sku=gpu`, as all that Kaito runs does.
    pub(super) fn add_node(&self, name: &str, labels: &Value, instance_type: &str) {
        let sizes = instance_types();
        let size = sizes.iter().find(|size| size.name == instance_type).unwrap_or_else(|| panic!("{instance_type} is not in the catalog"));
        let mut node = node(name, labels, Some(size));
        node["spec"]["taints"] = json!([{"key": "sku", "value": "gpu", "effect": "NoSchedule"}]);
        self.client.create("/api/v1/nodes", &node).unwrap();
    }
}

fn controller_manager_flags() -> Vec<String> {
    [
        "--kubeconfig=kubeconfig",
        "--leader-elect=false",
        // Its address serves nothing but metrics and its health.
        "--secure-port=0",
        // Those with which the API server signs and proves itself.
        "--service-account-private-key-file=certificates/apiserver.key",
        "--root-ca-file=certificates/apiserver.crt",
        CONTROLLERS,
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

fn kwok_flags() -> Vec<String> {
    [
        "--kubeconfig=kubeconfig".to_owned(),
        "--config=stages.yaml".to_owned(),
        format!("--manage-nodes-with-annotation-selector={KWOK_NODE}=fake"),
        // Addresses for documentation, where nobody listens, and others than those of Services.
        "--node-ip=192.0.2.1".to_owned(),
        "--cidr=10.1.0.0/16".to_owned(),
        "--node-lease-duration-seconds=40".to_owned(),
    ]
    .to_vec()
}

fn karpenter_flags() -> Vec<String> {
    [
        "--instance-types-file-path=instance-types.json",
        // A NodePool of a fixed size, which is what kaito renders.
        "--feature-gates=StaticCapacity=true",
        "--disable-leader-election=true",
        "--disable-cluster-state-observability=true",
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

fn stages() -> Result<String, String> {
    let module = format!("sigs.k8s.io/kwok@v{}", programs::kwok_version());
    let (_, directory) = modules::directories(&[&module])?.swap_remove(0);
    let read = |name: &&str| {
        let path = directory.join("kustomize/stage").join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut stages = STAGES.iter().map(read).collect::<Result<Vec<_>, _>>()?.join("\n---\n");
    for (from, to) in CHANGES {
        if !stages.contains(from) {
            return Err(format!("the stages of {module} have no longer {from}: look how they do it now, and change CHANGES"));
        }
        stages = stages.replace(from, to);
    }
    Ok(stages)
}

fn storage_class(name: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": name,
            "annotations": {"storageclass.kubernetes.io/is-default-class": (name == STORAGE_CLASSES[0]).to_string()},
        },
        "provisioner": "kwok.x-k8s.io/volume",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    })
}

/// A size of node, as a cloud has it. The catalog says how many GPUs it has; the rest is ample.
pub(super) struct InstanceType {
    pub name: String,
    pub resources: Value,
}

/// All sizes of the catalog.
pub(super) fn instance_types() -> Vec<InstanceType> {
    let catalog = Catalog::load("0.12", &[Layer::embedded("0.12")]).unwrap_or_else(|faults| panic!("{faults:?}"));
    let skus = [Cloud::Azure, Cloud::Aws].into_iter().flat_map(|cloud| catalog.skus(cloud));
    skus.map(|found| InstanceType::from(&found.value)).collect()
}

impl From<&Sku> for InstanceType {
    fn from(sku: &Sku) -> Self {
        let gpu = if sku.is_nvidia() { "nvidia.com/gpu" } else { "amd.com/gpu" };
        let mut resources = json!({"cpu": "96", "memory": "900Gi", "ephemeral-storage": "4Ti", "pods": "110"});
        resources[gpu] = json!(sku.gpus.to_string());
        Self { name: sku.name.clone(), resources }
    }
}

impl InstanceType {
    /// As the file of Karpenter's kwok provider has it, always to be had.
    fn offered(&self) -> Value {
        let is = |key: &str, value: &str| json!({"key": key, "operator": "In", "values": [value]});
        json!({
            "name": self.name,
            "architecture": "amd64",
            "operatingSystems": ["linux"],
            "resources": self.resources,
            "offerings": [{
                "Price": 1.0,
                "Available": true,
                "Requirements": [is("karpenter.sh/capacity-type", "on-demand"), is("topology.kubernetes.io/zone", "zone-1")],
            }],
        })
    }
}

/// A node of kwok's with labels, and with all that a size has; without one it has no GPUs.
pub(super) fn node(name: &str, labels: &Value, size: Option<&InstanceType>) -> Value {
    let ordinary = json!({"cpu": "32", "memory": "128Gi", "ephemeral-storage": "1Ti", "pods": "110"});
    let resources = size.map_or(&ordinary, |size| &size.resources);
    let mut node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {KWOK_NODE: "fake"}, "labels": labels},
        "status": {"capacity": resources, "allocatable": resources},
    });
    for (key, value) in [("kubernetes.io/hostname", name), ("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")] {
        node["metadata"]["labels"][key] = json!(value);
    }
    node
}
