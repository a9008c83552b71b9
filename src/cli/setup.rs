//! What the verbs share: flags, `kaito.yaml`, catalog and templates, resolved into options.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::completion::values;
use crate::config::{RenderConfig, unknown_gate};
use crate::diagnostic::{Diagnostic, SourceFile, either};
use crate::diff::Prices;
use crate::model_streaming::ModelStreaming;
use crate::options::{Cloud, FeatureGates, KARPENTER_GATE, NodeImageFamily, NodeProvisioner, Options};
use crate::preset::{Catalog, Layer, embedded_versions};
use crate::render::{Engine, Templates};
use crate::rule::LintConfig;
use crate::source::{self, Disk, Inputs, Repository, Tree};
use crate::spec::names;

/// Which files to read.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// File or directory with Workspaces and what belongs to them; `-` for standard input
    #[arg(short, long = "filename", value_name = "PATH", required = true, value_delimiter = ',')]
    pub filename: Vec<PathBuf>,
    /// Read the directories given with -f with all below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Read from a revision of the git repository instead of the disk: all files and directories, kaito.yaml among them
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
}

impl InputArgs {
    /// What the files are read from.
    fn tree(&self) -> Result<Arc<dyn Tree>, Diagnostic> {
        match &self.revision {
            Some(revision) => Ok(Repository::open()?.side(revision)?.tree),
            None => Ok(Arc::new(Disk)),
        }
    }
}

/// How to render.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Rendering (each flag wins over kaito.yaml)")]
pub(super) struct RenderingArgs {
    /// Namespace of Workspaces that name none; one that names another is an error
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    pub namespace: Option<String>,
    /// Kaito version whose rendering is wanted [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = known_version, add = values::versions())]
    pub kaito_version: Option<String>,
    /// What makes nodes [default: gpu-provisioner]
    #[arg(long, value_parser = provisioners(), value_name = "NAME")]
    pub node_provisioner: Option<NodeProvisioner>,
    /// Cloud [default: azure]
    #[arg(long, value_parser = clouds(), value_name = "NAME")]
    pub cloud: Option<Cloud>,
    /// Kaito's feature gates, as A=true,B=false
    #[arg(long, value_name = "GATES", value_delimiter = ',', value_parser = gate, add = values::feature_gates())]
    pub feature_gates: Vec<(String, bool)>,
    /// Operating system of nodes unless a Workspace says otherwise [default: ubuntu]
    #[arg(long, value_name = "FAMILY", value_parser = image_family, add = values::image_families())]
    pub default_node_image_family: Option<NodeImageFamily>,
    /// Whether the StorageClass kaito-local-nvme-disk is there, as Kaito's chart installs it [default: true on azure]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub local_nvme: Option<bool>,
    /// Whether Flux applies it: objects with ${...} get the annotation by which its variable substitution leaves them alone [default: false; true for kaito push]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub flux: Option<bool>,
    /// StorageClass of mirrors unless a Workspace says otherwise
    #[arg(long, value_name = "NAME")]
    pub default_model_mirror_storage_class: Option<String>,
    /// ServiceAccount of what streams weights unless a Workspace says otherwise
    #[arg(long, value_name = "NAME")]
    pub default_streaming_service_account: Option<String>,
    /// Configuration file [default: the kaito.yaml beside or above the input]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory with presets and SKUs, over the built-in ones and below the repository's own
    #[arg(long, value_name = "DIR")]
    pub presets: Option<PathBuf>,
    /// Directory with templates to use in the place of built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
}

impl RenderingArgs {
    /// The flags as words, for people to render the same.
    pub(super) fn words(&self) -> Vec<String> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let gates: Vec<String> = self.feature_gates.iter().map(|(name, is_on)| format!("{name}={is_on}")).collect();
        let said = [
            ("namespace", self.namespace.clone()),
            ("kaito-version", self.kaito_version.clone()),
            ("node-provisioner", self.node_provisioner.map(|provisioner| provisioner.name().to_owned())),
            ("cloud", self.cloud.map(|cloud| cloud.name().to_owned())),
            ("feature-gates", Some(gates.join(",")).filter(|gates| !gates.is_empty())),
            ("default-node-image-family", self.default_node_image_family.map(|family| family.name().to_owned())),
            ("default-model-mirror-storage-class", self.default_model_mirror_storage_class.clone()),
            ("default-streaming-service-account", self.default_streaming_service_account.clone()),
            ("config", path(&self.config)),
            ("presets", path(&self.presets)),
            ("templates", path(&self.templates)),
        ];
        let words = said.into_iter().filter_map(|(name, value)| Some([format!("--{name}"), value?]));
        // A flag that may stand alone takes its value so.
        let alone = [("local-nvme", self.local_nvme), ("flux", self.flux)];
        let alone = alone.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
        words.flatten().chain(alone).collect()
    }
}

/// Which catalog to look into.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Catalog")]
pub(super) struct CatalogArgs {
    /// Kaito version whose catalog is wanted [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = known_version, add = values::versions())]
    kaito_version: Option<String>,
    /// Configuration file, whose presets are looked into too [default: the kaito.yaml here or above]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory with presets and SKUs, over the built-in ones and below the repository's own
    #[arg(long, value_name = "DIR")]
    presets: Option<PathBuf>,
}

/// The clouds, for a flag.
pub(super) fn clouds() -> impl TypedValueParser<Value = Cloud> {
    PossibleValuesParser::new(Cloud::ALL.map(Cloud::name)).try_map(|name| Cloud::by_name(&name).ok_or("there is no such cloud"))
}

pub(super) fn provisioners() -> impl TypedValueParser<Value = NodeProvisioner> {
    let values = [
        PossibleValue::new("machine").help("Machines, as the gpu-provisioner of Kaito 0.3 took them"),
        PossibleValue::new("gpu-provisioner").alias("azure-gpu-provisioner").help("NodeClaims for the gpu-provisioner"),
        PossibleValue::new("karpenter").help("A NodePool for Karpenter"),
        PossibleValue::new("aso").help("An agent pool of AKS for Azure Service Operator"),
        PossibleValue::new("capi").help("A MachinePool for Cluster API"),
        PossibleValue::new("byo").help("No nodes: they are there"),
    ];
    PossibleValuesParser::new(values).try_map(|name| NodeProvisioner::by_name(&name).ok_or("there is no such provisioner"))
}

fn image_family(text: &str) -> Result<NodeImageFamily, String> {
    NodeImageFamily::by_name(text).ok_or_else(|| "families are ubuntu and azurelinux".to_owned())
}

/// Everything that a verb needs to render.
pub(super) struct Setup {
    /// What everything is read from.
    tree: Arc<dyn Tree>,
    /// The options.
    pub options: Options,
    /// The catalog.
    pub catalog: Catalog,
    overrides: HashMap<String, Arc<SourceFile>>,
    /// What `kaito.yaml` says about the rules of lint.
    pub lint: LintConfig,
    /// What nodes cost.
    pub prices: Option<Prices>,
    /// Whether a flag or `kaito.yaml` says which namespace is meant.
    pub says_namespace: bool,
    /// The texts of presets of the user's own.
    own_texts: Vec<String>,
    /// Directories and files within the input that hold no manifests.
    pub except: Vec<PathBuf>,
    config: Option<PathBuf>,
}

impl Setup {
    /// Resolves flags and `kaito.yaml`; `None` if that fails, with the reasons among the findings.
    pub(super) fn new(args: &RenderingArgs, input: &InputArgs, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let tree = input.tree().map_err(|finding| findings.push(finding)).ok()?;
        Self::at(tree, args, &input.filename, findings)
    }

    /// The same with all files from a tree.
    pub(super) fn at(tree: Arc<dyn Tree>, args: &RenderingArgs, inputs: &[PathBuf], findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let files = &*tree;
        let (config, path) = find_config(files, args, inputs, findings)?;
        let version = version(args, &config, findings)?;
        let own = |directory| beside(path.as_deref(), directory);
        let (own_presets, own_templates) = (own(config.presets.as_ref()), own(config.templates.as_ref()));
        let layers = layers(files, &version, [args.presets.as_deref(), own_presets.as_deref()], findings);
        let catalog = Catalog::load(&version, &layers).map_err(|faults| findings.extend(faults)).ok();
        let own_texts = layers.iter().flat_map(Layer::own).map(|file| file.text.clone());
        let known = Templates::names(&version);
        let mut overrides = HashMap::new();
        for directory in [args.templates.as_deref(), own_templates.as_deref()].into_iter().flatten() {
            overrides.extend(source::template_overrides(files, directory, &known, findings));
        }
        let mut options = options(args, &config, &version, findings);
        let folder = path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        options.is_partial = args.config.is_none() && !inputs.iter().any(|input| source::is_whole(files, input, folder));
        let patches = config.patches.iter().flatten().filter_map(|entry| own(entry.path.as_ref()));
        let directories = [&args.presets, &args.templates, &own_presets, &own_templates].into_iter().flatten().cloned();
        let except = directories.chain(patches).collect();
        let failed = findings.iter().any(Diagnostic::is_error);
        let says_namespace = [&args.namespace, &config.namespace].into_iter().flatten().any(|name| !name.is_empty());
        let (lint, prices) = (config.lint.unwrap_or_default(), config.prices);
        (!failed).then_some(Self {
            tree,
            options,
            catalog: catalog?,
            overrides,
            lint,
            prices,
            says_namespace,
            own_texts: own_texts.collect(),
            except,
            config: path,
        })
    }

    /// Everything that decides how an input is rendered, besides the input: two that are equal render equal inputs alike.
    pub(super) fn world(&self) -> String {
        let overrides: BTreeMap<&String, &String> = self.overrides.iter().map(|(name, file)| (name, &file.text)).collect();
        format!("{} {:?} {overrides:?} {:?}", self.catalog.version, self.options, self.own_texts)
    }

    /// What is read besides the input: `kaito.yaml`, and the presets, templates and patches of the user's own.
    pub(super) fn read_besides(&self) -> impl Iterator<Item = &Path> {
        self.config.as_deref().into_iter().chain(self.except.iter().map(PathBuf::as_path))
    }

    /// Reads the files that were asked for.
    pub(super) fn read(&self, args: &InputArgs, findings: &mut Vec<Diagnostic>) -> Vec<Arc<SourceFile>> {
        let inputs = Inputs {
            tree: &*self.tree,
            paths: &args.filename,
            recursive: args.recursive,
            except: &self.except,
            config: self.config.as_deref(),
        };
        inputs.read(findings)
    }

    /// The engine for the templates.
    pub(super) fn engine(&self) -> Engine {
        Engine::new(self.templates())
    }

    /// The engine for the templates that can tell where fields come from.
    pub(super) fn tracing_engine(&self) -> Engine {
        Engine::tracing(self.templates())
    }

    fn templates(&self) -> Templates {
        Templates::new(&self.catalog.version, self.overrides.clone())
    }
}

/// A directory that a configuration names relative to itself.
fn beside(config: Option<&Path>, directory: Option<&String>) -> Option<PathBuf> {
    let base = config.and_then(Path::parent).unwrap_or(Path::new(""));
    directory.filter(|path| !path.is_empty()).map(|directory| base.join(directory))
}

/// The version that `kaito.yaml` or a flag wants, and the directory of presets that `kaito.yaml` names, be it there or not.
pub(super) fn own_presets(
    config: Option<PathBuf>,
    kaito_version: Option<String>,
    findings: &mut Vec<Diagnostic>,
) -> Option<(String, Option<PathBuf>)> {
    let args = RenderingArgs { kaito_version, config, ..RenderingArgs::default() };
    let (config, path) = find_config(&Disk, &args, &[PathBuf::from("-")], findings)?;
    Some((version(&args, &config, findings)?, beside(path.as_deref(), config.presets.as_ref())))
}

/// The configuration, and the file that it comes from.
fn find_config(
    tree: &dyn Tree,
    args: &RenderingArgs,
    inputs: &[PathBuf],
    findings: &mut Vec<Diagnostic>,
) -> Option<(RenderConfig, Option<PathBuf>)> {
    let path = if let Some(path) = &args.config {
        Some(path.clone())
    } else {
        let mut found: Vec<PathBuf> = inputs.iter().filter_map(|input| source::config_for(tree, input)).collect();
        let without = inputs.len() - found.len();
        found.dedup();
        if let [first, second, ..] = found.as_slice() {
            let message = format!("the inputs have different configurations: {} and {}", tree.name(first), tree.name(second));
            findings.push(Diagnostic::error(message).help("render them one by one, or name one configuration with --config"));
            return None;
        }
        if let Some(path) = found.first().filter(|_| without > 0) {
            let finding = Diagnostic::warning(format!("{} holds for all inputs, also for those that it isn't above", tree.name(path)));
            findings.push(finding.help("render them one by one, or name the configuration with --config"));
        }
        found.pop()
    };
    let Some(path) = path else { return Some((RenderConfig::default(), None)) };
    let shown =
        std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or_else(|| path.clone());
    Some((source::read_config(tree, &shown, findings)?, Some(shown)))
}

/// v0.12, 0.12 and 0.12.0 mean the same.
pub(super) fn known_version(asked: &str) -> Result<String, String> {
    let wanted = asked.strip_prefix('v').unwrap_or(asked);
    let known = embedded_versions();
    let is_patch = |rest: &str| rest.strip_prefix('.').is_some_and(|patch| patch.parse::<u32>().is_ok());
    let fits = |version: &&String| wanted.strip_prefix(version.as_str()).is_some_and(|rest| rest.is_empty() || is_patch(rest));
    known.iter().find(fits).cloned().ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        format!("there are no presets and templates for Kaito {asked}; known is {}", either(&names))
    })
}

fn version(args: &RenderingArgs, config: &RenderConfig, findings: &mut Vec<Diagnostic>) -> Option<String> {
    let asked = args.kaito_version.clone().map(Ok).or_else(|| config.kaito_version.as_deref().map(known_version));
    match asked {
        None => embedded_versions().into_iter().next(),
        Some(Ok(version)) => Some(version),
        Some(Err(message)) => {
            findings.push(Diagnostic::error(format!("kaitoVersion in kaito.yaml: {message}")));
            None
        }
    }
}

fn layers(tree: &dyn Tree, version: &str, directories: [Option<&Path>; 2], findings: &mut Vec<Diagnostic>) -> Vec<Layer> {
    let mut layers = vec![Layer::embedded(version)];
    for directory in directories.into_iter().flatten() {
        layers.push(source::preset_layer(tree, directory, findings));
    }
    layers
}

/// The catalog for verbs that only look into it.
pub(super) fn catalog_only(args: &CatalogArgs, findings: &mut Vec<Diagnostic>) -> Option<Catalog> {
    let CatalogArgs { kaito_version, config, presets } = args.clone();
    let args = RenderingArgs { kaito_version, config, presets, ..RenderingArgs::default() };
    Setup::at(Arc::new(Disk), &args, &[PathBuf::from("-")], findings).map(|setup| setup.catalog)
}

fn options(args: &RenderingArgs, config: &RenderConfig, version: &str, findings: &mut Vec<Diagnostic>) -> Options {
    let mut feature_gates = FeatureGates::default();
    let configured = config.feature_gates.iter().flatten();
    for (gate, on) in configured.chain(args.feature_gates.iter().map(|(gate, on)| (gate, on))) {
        if *on && !FeatureGates::is_in(version, gate) {
            let finding = Diagnostic::error(format!("Kaito {version} has no feature gate {gate}"));
            let known: Vec<&str> = FeatureGates::names().filter(|gate| FeatureGates::is_in(version, gate)).collect();
            findings.push(finding.help(format!("its gates are {}", known.join(", "))));
        }
        feature_gates.set(gate, *on);
    }
    let asked_provisioner = args.node_provisioner.or(config.node_provisioner);
    let node_provisioner = node_provisioner(asked_provisioner, version, &feature_gates, findings);
    if feature_gates.is_on("disableNodeAutoProvisioning") && asked_provisioner != Some(NodeProvisioner::Byo) {
        let finding = Diagnostic::warning("the gate disableNodeAutoProvisioning has no effect: the node provisioner decides");
        findings.push(finding.help("say --node-provisioner byo, or nodeProvisioner: byo in kaito.yaml"));
    }
    if feature_gates.is_on("ModelStreaming") && !feature_gates.is_on("ModelMirror") {
        findings.push(Diagnostic::error("the gate ModelStreaming needs the gate ModelMirror"));
    }
    let cloud = args.cloud.or(config.cloud).unwrap_or_default();
    findings.extend(missing_for_pools(node_provisioner, cloud, config));
    Options {
        cloud,
        node_provisioner,
        feature_gates,
        default_node_image_family: args.default_node_image_family.or(config.default_node_image_family).unwrap_or_default(),
        local_nvme: args.local_nvme.or(config.local_nvme).unwrap_or(cloud == Cloud::Azure),
        flux: args.flux.or(config.flux).unwrap_or(false),
        namespace: namespace(args, config, findings),
        namespace_is_required: args.namespace.as_ref().is_some_and(|name| !name.is_empty()),
        selector: None,
        registry: config.preset_registry.clone().filter(|registry| !registry.is_empty()),
        node_classes: config.karpenter.clone(),
        agent_pools: config.aso.clone(),
        machine_pools: config.capi.clone(),
        own_nodes: config.own_nodes(),
        model_streaming: model_streaming(args, config),
        images: config.image_rules.clone(),
        patches: config.read_patches.clone(),
        is_partial: false,
    }
}

/// Kaito 0.3 makes Machines, or NodeClaims for Karpenter with its gate, and knows nothing newer.
fn node_provisioner(
    asked: Option<NodeProvisioner>,
    version: &str,
    gates: &FeatureGates,
    findings: &mut Vec<Diagnostic>,
) -> NodeProvisioner {
    if version != "0.3" {
        return asked.unwrap_or_default();
    }
    let by_gate = gates.is_on(KARPENTER_GATE).then_some(NodeProvisioner::Karpenter);
    let of_version = [NodeProvisioner::Machine, NodeProvisioner::Karpenter, NodeProvisioner::Byo];
    let chosen = asked.or(by_gate).unwrap_or(NodeProvisioner::Machine);
    if !of_version.contains(&chosen) {
        let finding = Diagnostic::error(format!("Kaito 0.3 has no node provisioner {}", chosen.name()));
        findings.push(finding.help("say --node-provisioner machine, karpenter or byo"));
    }
    if let Some(by_gate) = by_gate.filter(|by_gate| *by_gate != chosen) {
        let message = format!("the gate {KARPENTER_GATE} means --node-provisioner {}, and {} is asked for", by_gate.name(), chosen.name());
        findings.push(Diagnostic::error(message).help("leave one of them out"));
    }
    chosen
}

/// Why a provisioner can't make its pools: it doesn't know the cloud, or not which cluster gets them.
fn missing_for_pools(provisioner: NodeProvisioner, cloud: Cloud, config: &RenderConfig) -> Option<Diagnostic> {
    let clouds = provisioner.clouds();
    if provisioner.makes_cloud_pools() && !clouds.contains(&cloud) {
        let clouds: Vec<&str> = clouds.iter().map(|cloud| cloud.name()).collect();
        let others: Vec<&str> =
            NodeProvisioner::ALL.into_iter().filter(|other| other.clouds().contains(&cloud)).map(NodeProvisioner::name).collect();
        let finding = Diagnostic::error(format!("the node provisioner {} makes no nodes on {}", provisioner.name(), cloud.name()));
        let finding = finding.help(format!("it goes with the cloud {}", either(&clouds)));
        return Some(finding.help(format!("what goes with {} is {}", cloud.name(), either(&others))));
    }
    match provisioner {
        NodeProvisioner::Aso if config.aso.is_none() => {
            let finding = Diagnostic::error("the node provisioner aso must know the ManagedCluster that gets the nodes");
            Some(finding.help("say it in kaito.yaml: aso: {owner: {name: NAME}}"))
        }
        NodeProvisioner::Capi if config.capi.is_none() => {
            let finding = Diagnostic::error("the node provisioner capi must know the Cluster that gets the nodes");
            Some(finding.help("say it in kaito.yaml: capi: {clusterName: NAME}"))
        }
        _ => None,
    }
}

fn model_streaming(args: &RenderingArgs, config: &RenderConfig) -> ModelStreaming {
    let mut streaming = config.model_streaming.clone().unwrap_or_default();
    if args.default_model_mirror_storage_class.is_some() {
        streaming.storage_class.clone_from(&args.default_model_mirror_storage_class);
    }
    if args.default_streaming_service_account.is_some() {
        streaming.service_account.clone_from(&args.default_streaming_service_account);
    }
    streaming
}

/// As for kubectl, an empty name is none.
pub(super) fn namespace_name(text: &str) -> Result<String, String> {
    if text.is_empty() || names::is_dns_label(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is no name for a namespace: use lower-case letters, digits and dashes"))
}

fn namespace(args: &RenderingArgs, config: &RenderConfig, findings: &mut Vec<Diagnostic>) -> String {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    if let Some(message) = config.namespace.as_deref().and_then(|name| namespace_name(name).err()) {
        findings.push(Diagnostic::error(format!("namespace in kaito.yaml: {message}")));
    }
    given(&args.namespace).or_else(|| given(&config.namespace)).unwrap_or_else(|| Options::default().namespace)
}

/// `GATE=BOOL`, the boolean as Go's `strconv.ParseBool` has it, which Kaito reads gates with.
fn gate(pair: &str) -> Result<(String, bool), String> {
    let (gate, text) = pair.split_once('=').ok_or_else(|| format!("write {pair}=true or {pair}=false"))?;
    let on = match text.trim() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
        "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
        _ => return Err(format!("write {gate}=true or {gate}=false")),
    };
    let gate = gate.trim();
    if FeatureGates::default().set(gate, on) {
        return Ok((gate.to_owned(), on));
    }
    let unknown = unknown_gate(gate);
    Err(std::iter::once(unknown.message).chain(unknown.help).collect::<Vec<_>>().join("; "))
}
