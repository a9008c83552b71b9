//! What `kaito.yaml` says of all Workspaces whose weights are streamed.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::spec::names;
use crate::yaml::Step;

/// What holds for all Workspaces whose weights are streamed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelStreaming {
    /// The StorageClass of mirrors, unless a Workspace says otherwise.
    pub storage_class: Option<String>,
    /// The ServiceAccount of what downloads and streams, unless a Workspace says otherwise.
    pub service_account: Option<String>,
    /// The blob containers behind the claims of mirrors.
    #[serde(default)]
    pub containers: Vec<BlobContainer>,
}

/// The blob container behind the claim of a mirror.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlobContainer {
    /// The model, as presets or mirrors name it; every model if absent.
    pub model: Option<String>,
    /// The storage account.
    pub storage_account: String,
    /// The container.
    pub container: String,
}

impl ModelStreaming {
    /// What is wrong, each with the field below `modelStreaming`.
    pub fn faults(&self) -> Vec<(Vec<Step<'static>>, Diagnostic)> {
        let mut faults = Vec::new();
        for (index, container) in self.containers.iter().enumerate() {
            let at = |field| vec![Step::Field("containers"), Step::Item(index), Step::Field(field)];
            if !is_storage_account(&container.storage_account) {
                let finding = Diagnostic::error(format!("{:?} is no name for a storage account", container.storage_account));
                let help = "use 3 to 24 lower-case letters and digits; the name alone, without .blob.core.windows.net";
                faults.push((at("storageAccount"), finding.help(help)));
            }
            if !is_container(&container.container) {
                let finding = Diagnostic::error(format!("{:?} is no name for a blob container", container.container));
                faults.push((at("container"), finding.help("use 3 to 63 lower-case letters, digits and single dashes")));
            }
            if self.containers[..index].iter().any(|other| other.model == container.model) {
                let of = container.model.as_deref().map_or_else(|| "all other models".to_owned(), ToOwned::to_owned);
                let finding = Diagnostic::error(format!("the container of {of} stands here twice"));
                faults.push((vec![Step::Field("containers"), Step::Item(index)], finding.help("take one out")));
            }
        }
        faults
    }
}

/// Source: the naming rules of Azure storage accounts.
fn is_storage_account(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Source: the naming rules of Azure blob containers.
fn is_container(name: &str) -> bool {
    name.len() >= 3 && names::is_dns_label(name) && !name.contains("--")
}
