//! The parameters of the plugin.

use serde_json::{Value, json};

/// How the value of a parameter looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// `true` or `false`, for a flag that takes it.
    Boolean,
    /// `true` or `false`, for a flag that stands alone if it is `true`.
    Switch,
    /// Several texts.
    List,
    /// Texts by name.
    Map,
}

/// A parameter, which stands for a flag of `kaito render`.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in an Application.
    pub name: &'static str,
    /// Its name after `ARGOCD_ENV_`.
    pub variable: &'static str,
    /// The flag that it stands for.
    pub flag: &'static str,
    /// How its value looks.
    pub form: Form,
    /// What it is without being given; empty where `kaito.yaml` or the input decides.
    pub default: &'static str,
    /// Its title in Argo CD's pages.
    title: &'static str,
    /// What it means.
    tooltip: &'static str,
}

/// All of them, in the order in which Argo CD shows them.
pub const PARAMETERS: [Parameter; 17] = [
    parameter(
        "paths",
        "PATHS",
        "filename",
        Form::List,
        ".",
        "Paths",
        "Files and directories with Workspaces, relative to the application's path",
    ),
    parameter("recursive", "RECURSIVE", "recursive", Form::Switch, "false", "Recursive", "Read directories with all below them"),
    parameter(
        "namespace",
        "NAMESPACE",
        "namespace",
        Form::Text,
        "",
        "Namespace",
        "Namespace of Workspaces that name none; one that names another is an error. Without it that of kaito.yaml, or the application's",
    ),
    parameter(
        "kaitoVersion",
        "KAITO_VERSION",
        "kaito-version",
        Form::Text,
        "",
        "Kaito version",
        "Kaito version whose rendering is wanted; the newest without it",
    ),
    parameter(
        "nodeProvisioner",
        "NODE_PROVISIONER",
        "node-provisioner",
        Form::Text,
        "",
        "Node provisioner",
        "What makes nodes: gpu-provisioner, karpenter, aso, capi, machine, or byo for nodes that are there",
    ),
    parameter("cloud", "CLOUD", "cloud", Form::Text, "", "Cloud", "azure, aws or arc"),
    parameter(
        "featureGates",
        "FEATURE_GATES",
        "feature-gates",
        Form::Map,
        "",
        "Feature gates",
        "Kaito's feature gates, each true or false",
    ),
    parameter(
        "defaultNodeImageFamily",
        "DEFAULT_NODE_IMAGE_FAMILY",
        "default-node-image-family",
        Form::Text,
        "",
        "Node image family",
        "Operating system of nodes unless a Workspace says otherwise: ubuntu or azurelinux",
    ),
    parameter(
        "localNvme",
        "LOCAL_NVME",
        "local-nvme",
        Form::Boolean,
        "",
        "Local NVMe",
        "Whether the StorageClass kaito-local-nvme-disk is there",
    ),
    parameter(
        "defaultModelMirrorStorageClass",
        "DEFAULT_MODEL_MIRROR_STORAGE_CLASS",
        "default-model-mirror-storage-class",
        Form::Text,
        "",
        "StorageClass of mirrors",
        "StorageClass of mirrors unless a Workspace says otherwise",
    ),
    parameter(
        "defaultStreamingServiceAccount",
        "DEFAULT_STREAMING_SERVICE_ACCOUNT",
        "default-streaming-service-account",
        Form::Text,
        "",
        "ServiceAccount for streaming",
        "ServiceAccount of what streams weights unless a Workspace says otherwise",
    ),
    parameter(
        "config",
        "CONFIG",
        "config",
        Form::Text,
        "",
        "Configuration",
        "Configuration file; without it the kaito.yaml beside or above the paths",
    ),
    parameter("presets", "PRESETS", "presets", Form::Text, "", "Presets", "Directory with presets and sizes"),
    parameter(
        "templates",
        "TEMPLATES",
        "templates",
        Form::Text,
        "",
        "Templates",
        "Directory with templates to use in the place of built-in ones",
    ),
    parameter(
        "selector",
        "SELECTOR",
        "selector",
        Form::Text,
        "",
        "Selector",
        "Take only the objects of the input with these labels, as kubectl's -l",
    ),
    parameter(
        "includeWorkspace",
        "INCLUDE_WORKSPACE",
        "include-workspace",
        Form::Switch,
        "false",
        "Workspaces too",
        "Print Workspaces and ModelMirrors themselves, too; the cluster must have their CRDs",
    ),
    parameter(
        "syncWaves",
        "SYNC_WAVES",
        "sync-waves",
        Form::Switch,
        "false",
        "Sync waves",
        "Give each object the sync wave of its stage, so that Argo CD waits for nodes before workloads",
    ),
];

const fn parameter(
    name: &'static str,
    variable: &'static str,
    flag: &'static str,
    form: Form,
    default: &'static str,
    title: &'static str,
    tooltip: &'static str,
) -> Parameter {
    Parameter { name, variable, flag, form, default, title, tooltip }
}

impl Parameter {
    /// The announcement of one, with its default as its value.
    fn announced(&self) -> Value {
        let Self { name, title, tooltip, default, .. } = self;
        let mut announced = json!({"name": name, "title": title, "tooltip": tooltip, "required": false});
        let (item, collection) = match self.form {
            Form::Text => ("string", "string"),
            Form::Boolean | Form::Switch => ("boolean", "string"),
            Form::List => ("string", "array"),
            Form::Map => ("string", "map"),
        };
        announced["itemType"] = item.into();
        announced["collectionType"] = collection.into();
        match self.form {
            Form::List => announced["array"] = json!([default]),
            Form::Map => announced["map"] = json!({}),
            _ if default.is_empty() => {}
            _ => announced["string"] = (*default).into(),
        }
        announced
    }
}

/// What the plugin announces: a list of all parameters. Argo CD shows the values as defaults, and never sends them.
pub fn announcement() -> Value {
    PARAMETERS.iter().map(Parameter::announced).collect()
}
