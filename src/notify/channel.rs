//! Whom it is told: a forge that shows statuses beside commits, or a webhook; and what of it they want to hear.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::notice::{Event, Notice};
use super::request::Request;
use super::{commit_status, webhook};

/// Who is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// A webhook that takes JSON, with a bearer token if there is one.
    #[default]
    Generic,
    /// The same, signed: `X-Signature: sha256=...`.
    GenericHmac,
    /// A webhook of Slack, and of all who take the same: Mattermost, Rocket.Chat, Discord below `/slack`.
    Slack,
    /// Commit statuses of GitHub.
    #[serde(rename = "github")]
    GitHub,
    /// Commit statuses of GitLab.
    #[serde(rename = "gitlab")]
    GitLab,
    /// Commit statuses of Gitea and Forgejo.
    Gitea,
    /// Build statuses of Bitbucket Cloud.
    Bitbucket,
}

/// Where a repository is at home: what commit statuses are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// The scheme and host, with the port if there is one: `https://github.com`.
    pub site: String,
    /// Its path there, without a slash at either end and without `.git`: `org/models`.
    pub path: String,
}

/// Who is told, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel {
    /// What they take.
    pub provider: Provider,
    /// The webhook, or the root of the forge's API; of a forge, that of the repository's host without one.
    pub address: Option<String>,
    /// A file with the address, for webhooks whose address is a secret.
    pub address_file: Option<PathBuf>,
    /// A file with the token.
    pub token_file: Option<PathBuf>,
    /// A file with the authorities that the receiver's certificate is of, in PEM; those that browsers trust without one.
    pub ca_file: Option<PathBuf>,
    /// What this cluster is called.
    pub cluster: Option<String>,
    /// The sets that it is about; all without any.
    pub sets: BTreeSet<String>,
    /// What is told; what the provider is usually told without any.
    pub events: BTreeSet<Event>,
    /// The repository that the sets come from.
    pub repository: Option<Repository>,
}

impl Provider {
    /// Its name, as it is configured.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::GenericHmac => "generic-hmac",
            Self::Slack => "slack",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Bitbucket => "bitbucket",
        }
    }

    /// Whether it shows statuses beside commits. It is told the last word about a commit only, and can do nothing with other events.
    pub fn is_forge(self) -> bool {
        matches!(self, Self::GitHub | Self::GitLab | Self::Gitea | Self::Bitbucket)
    }

    fn usual(self) -> &'static [Event] {
        use Event::{DriftRepaired, Failed, HealthFailed, Progressing, Pruned, Succeeded};
        if self.is_forge() {
            &[Progressing, Succeeded, Failed, HealthFailed]
        } else {
            &[Succeeded, Failed, HealthFailed, DriftRepaired, Pruned]
        }
    }
}

impl Channel {
    /// All that a provider is usually told.
    pub fn new(provider: Provider) -> Self {
        Self { provider, ..Self::default() }
    }

    /// The request that tells a notice; none if nobody here wants to hear it.
    pub fn request(&self, notice: &Notice) -> Option<Request> {
        let is_about_it = self.sets.is_empty() || self.sets.contains(&notice.set.name);
        let is_wanted =
            if self.events.is_empty() { self.provider.usual().contains(&notice.event) } else { self.events.contains(&notice.event) };
        if !is_about_it || !is_wanted {
            return None;
        }
        match self.provider {
            Provider::Generic | Provider::GenericHmac => notice.is_news.then(|| webhook::generic(self, notice)),
            Provider::Slack => notice.is_news.then(|| webhook::slack(self, notice)),
            _ => commit_status::request(self, notice),
        }
    }

    /// Where it is, for logs: the host, or the file that holds the address.
    pub(super) fn place(&self) -> String {
        if let Some(path) = &self.address_file {
            return path.display().to_string();
        }
        let address = self.address.clone().or_else(|| self.api()).unwrap_or_default();
        address.split('/').nth(2).unwrap_or_default().to_owned()
    }

    /// What is only told when it changes: the commit and the name of its status. What messages tell has no such thing.
    pub(super) fn subject(&self, notice: &Notice) -> Option<String> {
        let commit = notice.commit().filter(|_| self.provider.is_forge())?;
        Some(format!("{commit} {}", self.context(notice)))
    }

    /// What a status is called: `kaito/CLUSTER/NAMESPACE/SET`, and `/SHARD`: what one has applied says nothing of the others.
    pub(super) fn context(&self, notice: &Notice) -> String {
        let set = &notice.set;
        let parts = [Some("kaito"), self.cluster.as_deref(), Some(&set.namespace), Some(&set.name), set.shard.as_deref()];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// The page of the commit.
    pub(super) fn page(&self, notice: &Notice) -> Option<String> {
        let Repository { site, path } = self.repository.as_ref()?;
        let folder = if site == "https://bitbucket.org" { "commits" } else { "commit" };
        Some(format!("{site}/{path}/{folder}/{}", notice.commit()?))
    }

    /// The root of the forge's API, if the address doesn't say another one.
    pub(super) fn api(&self) -> Option<String> {
        let site = &self.repository.as_ref()?.site;
        Some(match (self.provider, site.as_str()) {
            (Provider::GitHub, "https://github.com") => "https://api.github.com".to_owned(),
            (Provider::GitHub, _) => format!("{site}/api/v3"),
            (Provider::GitLab, _) => format!("{site}/api/v4"),
            (Provider::Gitea, _) => format!("{site}/api/v1"),
            (Provider::Bitbucket, _) => "https://api.bitbucket.org/2.0".to_owned(),
            _ => return None,
        })
    }
}
