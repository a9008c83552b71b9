//! What tells how Kaito's operator runs, and with it how the same is rendered: one question a function.
//!
//! What the operator was started with comes first, as it decided what was made; then what is there.

use serde_json::{Value, json};

use super::operator::Operator;
use super::settings::Setting;
use super::{Seen, is_of, is_of_workspace, node_names};
use crate::diagnostic::Diagnostic;
use crate::options::{Cloud, FeatureGates, NodeImageFamily, NodeProvisioner};
use crate::preset::{Catalog, Layer};

/// A feature gate, whether it is on, and what told that.
type Gate = (String, bool, String);

/// What everything is found out from.
pub(super) struct Facts<'f> {
    /// What was read.
    pub seen: &'f Seen<'f>,
    /// What people declare.
    pub declared: &'f [&'f Value],
    /// The operator, if it was found.
    pub operator: Option<Operator<'f>>,
    /// The version of Kaito that is rendered.
    pub version: String,
    /// The cloud, as far as it is known.
    pub cloud: Cloud,
}

impl Facts<'_> {
    fn flag(&self, name: &str) -> Option<(&str, String)> {
        let operator = self.operator.as_ref()?;
        Some((operator.flag(name)?, format!("--{name} of {}", operator.title)))
    }

    fn variable(&self, name: &str) -> Option<(&str, String)> {
        let operator = self.operator.as_ref()?;
        Some((operator.variable(name)?, format!("{name} of {}", operator.title)))
    }

    fn gate(&self, name: &str) -> bool {
        self.operator.iter().flat_map(Operator::gates).any(|(gate, on)| gate == name && on)
    }

    /// The sizes of nodes that are declared.
    fn instance_types(&self) -> impl Iterator<Item = &str> {
        const PLACES: [&str; 3] = ["/resource/instanceType", "/spec/template/resource/instanceType", "/spec/compute/instanceType"];
        let single = self.declared.iter().flat_map(|object| PLACES.iter().filter_map(|place| object.pointer(place)));
        let roles =
            self.declared.iter().filter_map(|object| object.pointer("/spec/roles")?.as_array()).flatten().map(|role| &role["instanceType"]);
        single.chain(roles).filter_map(Value::as_str).filter(|size| !size.is_empty())
    }

    /// The cloud that the nodes are in.
    pub(super) fn cloud(&self) -> Setting {
        if let Some((name, why)) = self.variable("CLOUD_PROVIDER").filter(|(name, _)| Cloud::by_name(name).is_some()) {
            return Setting::known("cloud", name, why);
        }
        let class = |object: &Value| {
            let places = ["/spec/nodeClassRef/kind", "/spec/template/spec/nodeClassRef/kind"];
            match places.iter().find_map(|place| object.pointer(place)?.as_str())? {
                "KaitoNodeClass" | "AKSNodeClass" => Some(Cloud::Azure),
                "EC2NodeClass" => Some(Cloud::Aws),
                _ => None,
            }
        };
        let node = |node: &Value| match node.pointer("/spec/providerID")?.as_str()?.split_once(':')?.0 {
            "azure" => Some(Cloud::Azure),
            "aws" => Some(Cloud::Aws),
            _ => None,
        };
        let by_class = self.seen.of("NodeClaim").chain(self.seen.of("NodePool")).find_map(class);
        let told = [
            (by_class, "the NodeClass that nodes refer to"),
            (self.seen.of("Node").find_map(node), "the providerID of nodes"),
            (self.instance_types().any(|size| size.starts_with("Standard_")).then_some(Cloud::Azure), "the sizes of nodes are Azure's"),
        ];
        match told.into_iter().find_map(|(cloud, why)| Some((cloud?, why))) {
            Some((cloud, why)) => Setting::known("cloud", cloud.name(), why),
            None => Setting::unknown("cloud", "neither the operator nor a node tells it; azure is the default"),
        }
    }

    /// What makes the nodes.
    pub(super) fn provisioner(&self) -> Setting {
        const FIELD: &str = "nodeProvisioner";
        let is_v0_3 = self.version == "0.3";
        let flag = self.flag("node-provisioner").and_then(|(name, why)| Some((NodeProvisioner::by_name(name)?, why)));
        if let Some((provisioner, why)) = flag {
            return Setting::known(FIELD, provisioner.name(), why);
        }
        if self.gate("disableNodeAutoProvisioning") {
            return Setting::known(FIELD, NodeProvisioner::Byo.name(), "the feature gate disableNodeAutoProvisioning is on");
        }
        let claims = if is_v0_3 { NodeProvisioner::Karpenter } else { NodeProvisioner::GpuProvisioner };
        let told = [("Machine", NodeProvisioner::Machine), ("NodePool", NodeProvisioner::Karpenter), ("NodeClaim", claims)];
        if let Some((kind, provisioner)) = told.into_iter().find(|(kind, _)| self.seen.of(kind).next().is_some()) {
            return Setting::known(FIELD, provisioner.name(), format!("the nodes of Workspaces come from {kind}s"));
        }
        if self.instance_types().next().is_none() {
            return Setting::known(FIELD, NodeProvisioner::Byo.name(), "no Workspace names a size of nodes");
        }
        let default = if is_v0_3 { NodeProvisioner::Machine } else { NodeProvisioner::GpuProvisioner };
        match &self.operator {
            Some(operator) => Setting::known(FIELD, default.name(), format!("{} says nothing else", operator.title)),
            None => Setting::unknown(FIELD, format!("there is no node of a Workspace; {} is the default", default.name())),
        }
    }

    /// All gates that are said or seen to be on or off; what is left out holds by itself.
    pub(super) fn gates(&self, findings: &mut Vec<Diagnostic>) -> Vec<Gate> {
        if let Some(operator) = &self.operator {
            let why = format!("--feature-gates of {}", operator.title);
            let (known, unknown): (Vec<_>, Vec<_>) = operator
                .gates()
                .into_iter()
                .partition(|(gate, on)| FeatureGates::default().set(gate, *on) && FeatureGates::is_in(&self.version, gate));
            findings.extend(unknown.into_iter().map(|(gate, _)| {
                Diagnostic::warning(format!("the feature gate {gate} of {} is unknown to kaito, and was left out", operator.title))
            }));
            return known.into_iter().map(|(gate, on)| (gate.to_owned(), on, why.clone())).collect();
        }
        let uses = |mode: &str| {
            self.declared.iter().any(|object| {
                ["/resource/partition/mode", "/spec/template/resource/partition/mode"]
                    .iter()
                    .any(|place| object.pointer(place).is_some_and(|it| it == mode))
            })
        };
        let declares = |kind: &str| self.declared.iter().any(|object| is_of(object, kind));
        let told = [
            ("enableMultiRoleInferenceController", declares("MultiRoleInference"), "there are MultiRoleInferences"),
            ("ModelMirror", declares("ModelMirror"), "there are ModelMirrors"),
            ("enableMIG", uses("mig"), "a Workspace runs on a part of a GPU"),
            ("enableAccelerator", uses("accelerator"), "a Workspace runs on a part of a GPU"),
        ];
        told.into_iter().filter(|(_, is_on, _)| *is_on).map(|(gate, on, why)| (gate.to_owned(), on, why.to_owned())).collect()
    }

    /// The gates that are not as they are by themselves. Whether nodes are made is said by the provisioner.
    pub(super) fn switched(gates: &[Gate]) -> Option<Setting> {
        let defaults = FeatureGates::default();
        let is_switched = |(gate, on, _): &&Gate| defaults.is_on(gate) != *on && gate != "disableNodeAutoProvisioning";
        let switched: Vec<_> = gates.iter().filter(is_switched).collect();
        let mut why: Vec<&str> = switched.iter().map(|(_, _, why)| why.as_str()).collect();
        why.dedup();
        let value: serde_json::Map<String, Value> = switched.iter().map(|(gate, on, _)| (gate.clone(), (*on).into())).collect();
        (!value.is_empty()).then(|| Setting::known("featureGates", value, why.join("; ")))
    }

    /// The operating system of nodes, where it isn't the usual one.
    pub(super) fn image_family(&self, provisioner: NodeProvisioner) -> Option<Setting> {
        const FIELD: &str = "defaultNodeImageFamily";
        const ANNOTATION: &str = "kaito.sh/node-image-family";
        if provisioner != NodeProvisioner::GpuProvisioner {
            return None;
        }
        let setting =
            |family: NodeImageFamily, why| (family != NodeImageFamily::default()).then(|| Setting::known(FIELD, family.name(), why));
        if self.operator.is_some() {
            let (name, why) = self.flag("default-node-image-family")?;
            return setting(NodeImageFamily::by_name(name)?, why);
        }
        // Of a Workspace that says nothing of it, the claim has what holds for all.
        let says = |workspace: &Value| workspace["metadata"]["annotations"][ANNOTATION].is_string();
        let is_silent = |claim: &&Value| {
            let label = |name: &str| &claim["metadata"]["labels"][name];
            let is_its = |workspace: &&&Value| {
                let metadata = &workspace["metadata"];
                metadata["name"] == *label("kaito.sh/workspace") && metadata["namespace"] == *label("kaito.sh/workspacenamespace")
            };
            self.declared.iter().find(is_its).is_some_and(|workspace| !says(workspace))
        };
        let claim = self.seen.of("NodeClaim").find(is_silent)?;
        let family = NodeImageFamily::by_name(claim["metadata"]["annotations"][ANNOTATION].as_str()?)?;
        setting(family, "the nodes of Workspaces that name no operating system".to_owned())
    }

    /// Whether there are disks of Kaito's chart, where that isn't as the cloud lets expect.
    pub(super) fn local_nvme(&self) -> Option<Setting> {
        const FIELD: &str = "localNVMe";
        const CLASS: &str = "kaito-local-nvme-disk";
        let holds = self.cloud == Cloud::Azure;
        if let Some(why) = self.seen.why_unread("StorageClass") {
            let has = |set: &Value| set.pointer("/spec/volumeClaimTemplates/0/spec/storageClassName").is_some_and(|class| class == CLASS);
            if self.seen.of("StatefulSet").any(has) {
                return (!holds).then(|| Setting::known(FIELD, true, format!("StatefulSets use the StorageClass {CLASS}")));
            }
            return Some(Setting::unknown(
                FIELD,
                format!("whether the StorageClass {CLASS} is there can't be told, {why}; {holds} is the default"),
            ));
        }
        let is_there = self.seen.of("StorageClass").any(|class| class["metadata"]["name"] == CLASS);
        let why = format!("the StorageClass {CLASS} is {}there", if is_there { "" } else { "not " });
        (is_there != holds).then(|| Setting::known(FIELD, is_there, why))
    }

    /// The registry of Kaito's own images, where it isn't the usual one.
    pub(super) fn registry(&self) -> Option<Setting> {
        let default = self.catalog()?.images.registry;
        let of_workload = || {
            let is_ours = |set: &&Value| is_of_workspace(set);
            self.seen.of("StatefulSet").chain(self.seen.of("Deployment")).filter(is_ours).find_map(|set| {
                let images =
                    set.pointer("/spec/template/spec/containers")?.as_array()?.iter().filter_map(|container| container["image"].as_str());
                let base = images.into_iter().find_map(|image| image.rsplit_once('/').filter(|(_, name)| name.starts_with("kaito-")));
                Some((base?.0, format!("the image of StatefulSet {}", set["metadata"]["name"].as_str().unwrap_or_default())))
            })
        };
        let (registry, why) = self.variable("PRESET_REGISTRY_NAME").or_else(of_workload)?;
        let registry = registry.trim_end_matches('/');
        (registry != default).then(|| Setting::known("presetRegistry", registry, why))
    }

    fn catalog(&self) -> Option<Catalog> {
        Catalog::load(&self.version, &[Layer::embedded(&self.version)]).ok()
    }

    /// The NodeClasses, if they aren't those of Kaito's chart. They are in the cluster, so that their names are enough.
    pub(super) fn node_classes(&self, provisioner: NodeProvisioner) -> Option<Setting> {
        if provisioner != NodeProvisioner::Karpenter {
            return None;
        }
        let (text, why) = self.flag("karpenter-node-classes")?;
        let classes: Vec<Value> = serde_json::from_str(text).ok()?;
        let named = |class: &Value| match class["default"].as_bool() {
            Some(true) => json!({"name": class["name"], "default": true}),
            _ => json!({"name": class["name"]}),
        };
        let of =
            |name: &str, default: &str| self.flag(&format!("karpenter-node-class-{name}")).map_or(default, |(value, _)| value).to_owned();
        let classes: Vec<Value> = classes.iter().map(named).collect();
        let catalog = self.catalog()?;
        let known = catalog.node_classes(self.cloud).map(|known| {
            let names = known
                .classes
                .iter()
                .map(|class| if class.default { json!({"name": class.name, "default": true}) } else { json!({"name": class.name}) });
            (known.group.clone(), names.collect::<Vec<_>>())
        });
        let group = of("group", "karpenter.azure.com");
        let found = json!({"group": group, "kind": of("kind", "AKSNodeClass"), "version": of("version", "v1beta1"), "classes": classes});
        (known != Some((group, classes))).then(|| Setting::known("karpenter", found, why))
    }

    /// What holds for streamed weights.
    pub(super) fn streaming(&self, gates: &[Gate], findings: &mut Vec<Diagnostic>) -> Option<Setting> {
        if !gates.iter().any(|(gate, on, _)| gate == "ModelStreaming" && *on) {
            return None;
        }
        let finding = Diagnostic::warning("weights are streamed, and the blob containers of the mirrors were not looked for");
        findings.push(finding.help("name them in kaito.yaml as modelStreaming.containers: docs/streaming.md says how they are found"));
        let flags = [("storageClass", "default-model-mirror-storage-class"), ("serviceAccount", "default-streaming-service-account")];
        let said: Vec<_> = flags.into_iter().filter_map(|(field, flag)| Some((field, self.flag(flag)?))).collect();
        let why: Vec<&str> = said.iter().map(|(_, (_, why))| why.as_str()).collect();
        let value: serde_json::Map<String, Value> = said.iter().map(|(field, (value, _))| ((*field).to_owned(), (*value).into())).collect();
        (!value.is_empty()).then(|| Setting::known("modelStreaming", value, why.join(", ")))
    }

    /// Patches by which nodes are rendered as they are called.
    pub(super) fn node_names(&self) -> Option<Setting> {
        let patches = node_names::patches(self.seen, self.declared);
        (!patches.is_empty())
            .then(|| Setting::known("patches", patches, "the names that the nodes of Workspaces have; a patch goes with its node"))
    }
}
