//! Why an artifact can't be pushed, and what to do about it. No secret is in any of it.

use std::time::Duration;

use thiserror::Error;

use crate::diagnostic::Diagnostic;

/// Why an artifact can't be pushed.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// There is no answer, or the registry is busy or broken.
    #[error("{registry} can't be reached: {why}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// What went wrong.
        why: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
        /// Whether it may be over soon.
        is_transient: bool,
    },
    /// The registry can't prove that it is what it should be, in TLS.
    #[error("{registry} can't be trusted: {why}")]
    Untrusted {
        /// The registry.
        registry: String,
        /// What went wrong.
        why: String,
    },
    /// The registry doesn't let this be pushed.
    #[error("{registry} refuses the push: {why}")]
    Refused {
        /// The registry.
        registry: String,
        /// What it says.
        why: String,
        /// Whether there was a login that it refuses.
        is_known: bool,
    },
    /// The registry doesn't have such a repository.
    #[error("there is no repository {repository}: {why}")]
    NoRepository {
        /// The repository.
        repository: String,
        /// What the registry says.
        why: String,
    },
    /// The answer makes no sense.
    #[error("{registry} doesn't answer as a registry does: {why}")]
    Answer {
        /// The registry.
        registry: String,
        /// What went wrong.
        why: String,
    },
    /// What is said about the way there is wrong.
    #[error("{0}")]
    Access(String),
}

impl RegistryError {
    /// Whether it may be over without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { is_transient: true, .. })
    }

    /// How long the registry wants to be left alone.
    pub(super) fn after(&self) -> Option<Duration> {
        if let Self::Unreachable { after, .. } = self { *after } else { None }
    }

    /// The error as a finding, with what to do.
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::Unreachable { .. } => {
                finding.help("see whether the name is right, and whether a proxy is wanted, which HTTPS_PROXY names")
            }
            Self::Untrusted { .. } => {
                let finding = finding.help("if it has a certificate of an authority of your own, name that with --ca-file");
                finding.help("if it has none, as registries on a machine of one's own, say --insecure-registry")
            }
            Self::Refused { is_known: true, .. } => finding.help("see whether the login is still valid and may push to this repository"),
            Self::Refused { .. } => {
                finding.help("log in with `docker login`, or give USER:PASSWORD with --creds-file or in KAITO_REGISTRY_CREDS")
            }
            Self::NoRepository { .. } => finding.help("some registries want it to be made first, and say so to everybody who may not push"),
            Self::Answer { .. } => finding.help("see whether this is the address of a registry, and whether a proxy stands between"),
            Self::Access(_) => finding,
        }
    }
}
