//! Who is notified of what becomes of revisions, as the file of sources says it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::config::{GitConfig, SetConfig, SourceConfig};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::notify::{Channel, Event, Provider, Repository, is_acceptable};
use crate::source::site_of;

/// The characters of a cluster's name: it is a part of the names of statuses, which have 255.
const MOST_CLUSTER: usize = 63;

/// Who is notified, and of what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationConfig {
    /// What they take: `github`, `gitlab`, `gitea` and `bitbucket` show a status beside the commit, `generic` and `generic-hmac` take JSON,
    /// `slack` a message.
    #[serde(rename = "type")]
    pub provider: Provider,
    /// The webhook, or the root of the forge's API; that of the repository's host without one.
    pub address: Option<String>,
    /// The file that holds the address, if that is a secret. It is read whenever something is told.
    pub address_file: Option<String>,
    /// The file that holds the token. It is read whenever something is told.
    pub token_file: Option<String>,
    /// The file with the authorities that the receiver's certificate is of, in PEM.
    pub ca_file: Option<String>,
    /// What this cluster is called, where several tell the same receiver.
    pub cluster: Option<String>,
    /// The sets that it is about, by the names of their ApplySets; all without any.
    #[serde(default)]
    pub sets: BTreeSet<String>,
    /// What is told: `progressing`, `succeeded`, `failed`, `health-failed`, `drift-repaired`, `pruned`; what is usual without any.
    #[serde(default)]
    pub events: BTreeSet<Event>,
}

impl NotificationConfig {
    /// What is wrong with it, and in which field. `source` is what it is said for; none for all.
    pub(super) fn faults<'c>(
        &self,
        source: Option<&SourceConfig>,
        sets: impl IntoIterator<Item = &'c SetConfig>,
    ) -> Vec<(&'static str, Diagnostic)> {
        let (mut faults, provider) = (Vec::new(), self.provider.name());
        let mut say = |field, message: String, help: &str| faults.push((field, Diagnostic::error(message).help(help)));
        if let Some(Err(why)) = self.address.as_deref().map(is_acceptable) {
            say("address", format!("this address {why}"), "write https://HOST/PATH; one with a secret in it goes into addressFile");
        }
        if self.address.is_some() && self.address_file.is_some() {
            say("addressFile", "there are both address and addressFile".to_owned(), "keep the one that is meant");
        }
        if !self.provider.is_forge() && self.address.is_none() && self.address_file.is_none() {
            say("address", format!("{provider} needs an address"), "write address, or addressFile if it is a secret");
        }
        let needs_token = self.provider.is_forge() || self.provider == Provider::GenericHmac;
        if needs_token && self.token_file.is_none() {
            say("tokenFile", format!("{provider} needs a token"), "write tokenFile, with the path of a file that holds it");
        }
        if self.provider == Provider::Slack && self.token_file.is_some() {
            say("tokenFile", "a webhook of slack has no token".to_owned(), "leave it out; its address is the secret, in addressFile");
        }
        if self.cluster.as_ref().is_some_and(|name| name.is_empty() || name.len() > MOST_CLUSTER || !name.bytes().all(is_plain)) {
            let message = "this is no name for a cluster".to_owned();
            say("cluster", message, "write up to 63 letters, digits, and any of -_.:");
        }
        if self.provider.is_forge() {
            for event in self.events.iter().filter(|event| matches!(event, Event::DriftRepaired | Event::Pruned)) {
                let message = format!("no status of a commit tells of {}", event.reason());
                say("events", message, "use progressing, succeeded, failed and health-failed");
            }
            match source.map(|source| source.git.as_ref()) {
                Some(None) => {
                    say("type", format!("{provider} shows statuses of commits, and these files have none"), "follow a git repository");
                }
                Some(Some(git)) if site_of(&git.url).is_none() => {
                    say("type", format!("{provider} has no repository that is only on disk"), "follow it over https or ssh");
                }
                _ => {}
            }
        }
        let known: BTreeSet<&str> = sets.into_iter().map(|set| set.applyset.rsplit('/').next().unwrap_or_default()).collect();
        for name in self.sets.iter().filter(|name| !known.contains(name.as_str())) {
            let meant = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| "write the name of an applyset".to_owned());
            say("sets", format!("there is no set called {name}"), &meant);
        }
        faults
    }

    /// Whom that is, for what comes from a repository.
    pub fn channel(&self, git: Option<&GitConfig>) -> Channel {
        let path = |path: &Option<String>| path.as_ref().map(PathBuf::from);
        Channel {
            provider: self.provider,
            address: self.address.clone(),
            address_file: path(&self.address_file),
            token_file: path(&self.token_file),
            ca_file: path(&self.ca_file),
            cluster: self.cluster.clone(),
            sets: self.sets.clone(),
            events: self.events.clone(),
            repository: git.and_then(|git| site_of(&git.url)).map(|(site, path)| Repository { site, path }),
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)
}
