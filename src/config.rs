//! `kaito.yaml`: the rendering options of a repository, so that CI, Argo CD, Flux and people agree without flags.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::{Diagnostic, SourceFile, did_you_mean};
use crate::diff::Prices;
use crate::image::{ImageEntry, ImageRules, RegistryMirror, is_reference};
use crate::model_streaming::ModelStreaming;
use crate::node_pool::{AgentPools, MachinePools};
use crate::options::{Cloud, FeatureGates, NodeImageFamily, NodeProvisioner, OwnNode};
use crate::patch::{self, Patch, PatchEntry};
use crate::preset::NodeClasses;
use crate::quantity::Quantity;
use crate::rule::{self, LintConfig, no_such_rule};
use crate::schema;
use crate::sku::NodeShape;
use crate::yaml::{Document, Step};

/// The name of the file.
pub const FILE_NAME: &str = "kaito.yaml";

/// The only `apiVersion` of `kaito.yaml`.
pub const API_VERSION: &str = "config.kaito.sh/v1alpha1";

/// The most nodes of one's own.
const MOST_NODES: usize = 100_000;

/// The most entries of a list that every object is held against.
const MOST_ENTRIES: usize = 1000;

/// `kaito.yaml`. Flags win over it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderConfig {
    /// `config.kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `RenderConfig`.
    pub kind: String,
    /// What tools want of every object, and kaito doesn't look at: kpt and kustomize a name.
    pub metadata: Option<Metadata>,
    /// The Kaito version whose rendering is wanted.
    pub kaito_version: Option<String>,
    /// The cloud.
    pub cloud: Option<Cloud>,
    /// What makes nodes.
    pub node_provisioner: Option<NodeProvisioner>,
    /// Kaito's feature gates.
    pub feature_gates: Option<BTreeMap<String, bool>>,
    /// The operating system of nodes unless a Workspace says otherwise.
    pub default_node_image_family: Option<NodeImageFamily>,
    /// Whether the StorageClass `kaito-local-nvme-disk` is there.
    #[serde(rename = "localNVMe")]
    pub local_nvme: Option<bool>,
    /// Whether Flux applies it: objects that hold what looks like its variables are left out of its substitution.
    pub flux: Option<bool>,
    /// The namespace of Workspaces that name none.
    pub namespace: Option<String>,
    /// The registry of Kaito's own images.
    pub preset_registry: Option<String>,
    /// A directory with presets of the repository's own, relative to this file.
    pub presets: Option<String>,
    /// A directory with templates of the repository's own, relative to this file.
    pub templates: Option<String>,
    /// The NodeClasses for Karpenter.
    pub karpenter: Option<NodeClasses>,
    /// The agent pools of Azure Service Operator, for `nodeProvisioner: aso`.
    pub aso: Option<AgentPools>,
    /// The machine pools of Cluster API, for `nodeProvisioner: capi`.
    pub capi: Option<MachinePools>,
    /// Nodes of one's own, for `nodeProvisioner: byo`.
    pub nodes: Option<Vec<DeclaredNodes>>,
    /// What nodes cost, for `kaito diff`.
    pub prices: Option<Prices>,
    /// How bad the rules of `kaito lint` are.
    pub lint: Option<LintConfig>,
    /// What holds for all Workspaces whose weights are streamed, with the gate `ModelStreaming`.
    pub model_streaming: Option<ModelStreaming>,
    /// Other names, tags and digests for images, as kustomize's `images`.
    pub images: Option<Vec<ImageEntry>>,
    /// Registries from which images are pulled in the place of others.
    pub registry_mirrors: Option<Vec<RegistryMirror>>,
    /// Changes to objects, as kustomize's `patches`.
    pub patches: Option<Vec<PatchEntry>>,
    /// `images` and `registryMirrors`, read.
    #[serde(skip)]
    pub image_rules: ImageRules,
    /// `patches`, read.
    #[serde(skip)]
    pub read_patches: Vec<Patch>,
}

/// The metadata of `kaito.yaml`, if it is an object among others.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// A name.
    pub name: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations, such as `config.kubernetes.io/local-config` and `config.kubernetes.io/function`.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Nodes of one's own that are alike.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeclaredNodes {
    /// A name for them.
    pub name: String,
    /// How many there are.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10000))]
    pub count: u32,
    /// Their labels, which `resource.labelSelector` selects by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Their GPUs; absent for nodes that only pod templates use.
    pub gpu: Option<DeclaredGpu>,
}

/// The GPUs of a node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeclaredGpu {
    /// The product, as the label `nvidia.com/gpu.product` has it.
    pub product: String,
    /// GPUs of one node.
    #[schemars(range(min = 1, max = 4096))]
    pub count: u32,
    /// The memory of one GPU, such as `80Gi`.
    pub memory: Quantity,
}

fn one() -> u32 {
    1
}

impl RenderConfig {
    /// Reads `kaito.yaml`, and with `open` the files that its patches are in; everything that is wrong is added to `findings`.
    pub fn read(
        document: &Document,
        open: impl FnMut(&str, &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>>,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let before = findings.len();
        let mut config: Self = schema::read_what_fits(document, &schema::of::<Self>(), findings)?;
        let excess: Vec<_> = config.excess().map(|(field, finding)| document.finding(finding, &[Step::Field(field)])).collect();
        if !excess.is_empty() {
            findings.extend(excess);
            return None;
        }
        let (images, mirrors) = (config.images.as_deref().unwrap_or_default(), config.registry_mirrors.as_deref().unwrap_or_default());
        config.image_rules = ImageRules::new(document, images, mirrors, findings);
        config.read_patches = patch::read(document, config.patches.as_deref().unwrap_or_default(), open, findings);
        let mut say = |finding: Diagnostic, path: &[Step<'_>]| findings.push(document.finding(finding, path));
        let is_whole = ["apiVersion", "kind"].iter().all(|name| document.root.get(name).is_some());
        if is_whole && (config.api_version != API_VERSION || config.kind != "RenderConfig") {
            let finding = Diagnostic::error(format!("{} {} is not the configuration of kaito", config.api_version, config.kind));
            say(finding.help(format!("write apiVersion: {API_VERSION} and kind: RenderConfig")), &[Step::Field("apiVersion")]);
        }
        for gate in config.feature_gates.iter().flat_map(|gates| gates.keys()) {
            if !FeatureGates::default().set(gate, true) {
                say(unknown_gate(gate), &[Step::Field("featureGates"), Step::Field(gate)]);
            }
        }
        for id in config.lint.iter().flat_map(LintConfig::unknown_rules) {
            say(no_such_rule(id), &[Step::Field("lint"), Step::Field("rules"), Step::Field(id)]);
        }
        if let Some(registry) =
            config.preset_registry.as_ref().filter(|registry| !registry.is_empty() && !is_reference(&format!("{registry}/base")))
        {
            let finding = Diagnostic::error(format!("{registry:?} is no registry of images"));
            say(finding.help("write host, or host/path, without a tag: registry.example.com/kaito"), &[Step::Field("presetRegistry")]);
        }
        let sections = [
            ("karpenter", config.karpenter.as_ref().map(NodeClasses::faults)),
            ("aso", config.aso.as_ref().map(AgentPools::faults)),
            ("capi", config.capi.as_ref().map(MachinePools::faults)),
            ("modelStreaming", config.model_streaming.as_ref().map(ModelStreaming::faults)),
        ];
        for (section, faults) in sections {
            for (path, finding) in faults.into_iter().flatten() {
                let path: Vec<_> = std::iter::once(Step::Field(section)).chain(path).collect();
                // What is missing has been said to be.
                findings.extend(Some(document.finding(finding, &path)).filter(|finding| finding.is_exact));
            }
        }
        (findings.len() == before).then_some(config)
    }

    /// The lists that are longer than anybody means, with what is said of each: every object is held against every entry.
    fn excess(&self) -> impl Iterator<Item = (&'static str, Diagnostic)> {
        let count = |list: Option<usize>| list.unwrap_or_default();
        let nodes: usize = self.nodes.iter().flatten().map(|nodes| nodes.count as usize).sum();
        let table = [
            ("nodes", nodes, MOST_NODES),
            ("images", count(self.images.as_ref().map(Vec::len)), MOST_ENTRIES),
            ("registryMirrors", count(self.registry_mirrors.as_ref().map(Vec::len)), MOST_ENTRIES),
            ("patches", count(self.patches.as_ref().map(Vec::len)), MOST_ENTRIES),
        ];
        let excess = table.into_iter().filter(|(_, count, most)| count > most);
        excess.map(|(field, count, most)| (field, Diagnostic::error(format!("{count} are too many; the most is {most}"))))
    }

    /// The declared nodes, one by one.
    pub fn own_nodes(&self) -> Vec<OwnNode> {
        let declared = self.nodes.iter().flatten();
        declared.flat_map(|nodes| (0..nodes.count).map(|ordinal| own_node(nodes, ordinal))).collect()
    }
}

/// What is said of a gate that doesn't exist.
pub fn unknown_gate(gate: &str) -> Diagnostic {
    let mut finding = Diagnostic::error(format!("there is no feature gate {gate}"));
    finding.help.extend(did_you_mean(gate, FeatureGates::names()));
    finding.help(format!("the gates are {}", FeatureGates::names().collect::<Vec<_>>().join(", ")))
}

/// What is said of something whose gate is off.
pub fn gate_is_off(gate: &str) -> Diagnostic {
    let finding = rule::FEATURE_GATE_OFF.says(format!("the feature gate {gate} is off"));
    finding.help(format!("switch it on: --feature-gates {gate}=true, or featureGates in kaito.yaml"))
}

fn own_node(nodes: &DeclaredNodes, ordinal: u32) -> OwnNode {
    let name = if nodes.count == 1 { nodes.name.clone() } else { format!("{}-{ordinal}", nodes.name) };
    let shape = nodes.gpu.as_ref().map(|gpu| NodeShape {
        gpus: u64::from(gpu.count),
        memory: gpu.memory.bytes().saturating_mul(u64::from(gpu.count)),
        model: gpu.product.clone(),
        compute_capability: None,
        nvme: false,
        mig: false,
        origin: format!("nodes {} of {FILE_NAME}", nodes.name),
    });
    let shape = shape.ok_or_else(|| format!("the nodes {name} are declared without gpu"));
    OwnNode { name, labels: nodes.labels.clone(), ready: true, shape }
}
