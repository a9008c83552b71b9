//! Why nothing is pushed, and what to do about it. No secret is in any of it.

use thiserror::Error;

use crate::diagnostic::Diagnostic;
use crate::source::git::remote::RemoteError;

/// Why nothing is pushed.
#[derive(Debug, Error)]
pub enum PushError {
    /// The repository can't be asked, or lets nobody in.
    #[error("{}", of_remote(.0))]
    Remote(#[from] RemoteError),
    /// The server lets one in, and doesn't take this.
    #[error("{url} doesn't take what is pushed to {reference}: {why}")]
    Rejected {
        /// The repository.
        url: String,
        /// The full name of the reference.
        reference: String,
        /// What the server and its hooks say.
        why: String,
    },
    /// Somebody else was faster, again and again.
    #[error("the branch {branch} of {url} moves faster than it can be pushed to")]
    Contended {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
    },
    /// What is there was rendered from a newer commit.
    #[error("{branch} of {url} holds what a newer commit, {commit}, is rendered to")]
    Newer {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// The id of the newer commit.
        commit: String,
    },
    /// Another process may do it by now.
    #[error("nothing is pushed: this process no longer leads")]
    NotLeading,
    /// There is something else where a manifest is to be.
    #[error("{path} on the branch {branch} of {url} was written by somebody else, and stays as it is")]
    Foreign {
        /// The repository.
        url: String,
        /// The branch.
        branch: String,
        /// The file.
        path: String,
    },
    /// The key can't sign.
    #[error("the signing key {file} can't be used: {why}")]
    Key {
        /// Where it is.
        file: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        help: String,
    },
    /// The commit can't be made.
    #[error("the commit for {url} can't be made: {why}")]
    Unmade {
        /// The repository.
        url: String,
        /// What went wrong.
        why: String,
    },
}

fn of_remote(error: &RemoteError) -> String {
    match error {
        RemoteError::Refused { url, why, .. } => format!("{url} refuses to be pushed to: {why}"),
        other => other.to_string(),
    }
}

impl PushError {
    /// The error as a finding, with what to do.
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::Remote(RemoteError::Refused { is_known: true, .. }) => {
                finding.help("see whether the credentials are still valid and may write: contents at GitHub, write_repository at GitLab, a deploy key with write access")
            }
            Self::Remote(RemoteError::Refused { .. }) => {
                finding.help("give credentials that may write: username and password, bearerToken, a GitHub App, or identity and known_hosts for SSH")
            }
            Self::Remote(error) => error.finding(),
            Self::Rejected { .. } => {
                finding.help("if the branch is protected, let the account of these credentials push to it, or push to another branch and merge that")
            }
            Self::Contended { .. } => finding.help("see who else pushes to it; it is tried again"),
            Self::Newer { .. } => finding.help("render the newer commit, or say --push-older if it is to be as it was before"),
            Self::NotLeading => finding.help("the process that leads pushes it"),
            Self::Foreign { .. } => finding.help("move it away, or push into another directory or branch"),
            Self::Key { help, .. } => finding.help(help.clone()),
            Self::Unmade { .. } => finding.help("see whether the volume of the cache is full or read-only"),
        }
    }
}
