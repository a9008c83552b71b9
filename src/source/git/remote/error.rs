//! Why a remote repository can't be followed, and what to do about it. No secret is in any of it.

use std::io;

use thiserror::Error;

use super::address::Address;
use super::protocol::Fault;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::source::git::reference::Reference;

/// Why a remote repository can't be followed.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// This is no address of a repository.
    #[error("{url} {why}")]
    Address {
        /// The address, without what may be secret.
        url: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        help: String,
    },
    /// There is no answer, or the server is busy or broken.
    #[error("{url} can't be reached: {why}")]
    Unreachable {
        /// The repository.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The answer broke off, or makes no sense.
    #[error("{url} doesn't answer as a git server does: {why}")]
    Answer {
        /// The repository.
        url: String,
        /// What went wrong.
        why: String,
        /// Whether the next answer may be another.
        broke_off: bool,
    },
    /// The server can't prove that it is who it should be, in TLS.
    #[error("{url} can't be trusted: {why}")]
    Untrusted {
        /// The repository.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The server doesn't let this be read.
    #[error("{url} refuses to answer: {why}")]
    Refused {
        /// The repository.
        url: String,
        /// What the server says.
        why: String,
        /// Whether there were credentials that it refuses.
        is_known: bool,
    },
    /// The server has no such repository, or says so.
    #[error("there is no git repository at {url}: {why}")]
    NoRepository {
        /// The address.
        url: String,
        /// What the server says.
        why: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("{url} has no {reference}")]
    NoReference {
        /// The repository.
        url: String,
        /// What isn't there.
        reference: String,
        /// What may help.
        help: String,
    },
    /// The key of an SSH host isn't known, or another one is.
    #[error("{url} can't be trusted: {why}")]
    HostKey {
        /// The repository.
        url: String,
        /// What is wrong with the key.
        why: String,
        /// What to do.
        help: String,
    },
    /// The credentials can't be used.
    #[error("the credentials for {url} can't be used: {why}")]
    Credentials {
        /// The repository.
        url: String,
        /// What is wrong.
        why: String,
        /// What to do.
        help: String,
    },
    /// What was fetched can't be kept.
    #[error("what was fetched from {url} can't be kept in {directory}: {why}")]
    Cache {
        /// The repository.
        url: String,
        /// Where it is kept.
        directory: String,
        /// What went wrong.
        why: String,
    },
}

impl RemoteError {
    /// Whether it may be over without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Cache { .. } => true,
            Self::Answer { broke_off, .. } => *broke_off,
            _ => false,
        }
    }

    /// The error as a finding, with what to do.
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::Address { help, .. } | Self::NoReference { help, .. } | Self::HostKey { help, .. } | Self::Credentials { help, .. } => {
                finding.help(help.clone())
            }
            Self::Unreachable { .. } => finding.help("see whether `git ls-remote` reaches it from here; a proxy is named by HTTPS_PROXY"),
            Self::Answer { .. } => finding.help("see whether `git ls-remote` can read it, and whether a proxy stands between"),
            Self::Untrusted { .. } => finding.help("if it has a certificate of an authority of your own, give that as ca.crt"),
            Self::Refused { is_known: true, .. } => {
                finding.help("see whether the credentials are still valid and may read this repository")
            }
            Self::Refused { .. } => {
                finding.help("give credentials: username and password, bearerToken, a GitHub App, or identity and known_hosts for SSH")
            }
            Self::NoRepository { .. } => {
                finding.help("see whether its name is right; of a private one, servers say so to everybody who may not read it")
            }
            Self::Cache { .. } => {
                finding.help("see whether the volume is full or read-only, and whether another process has the same directory")
            }
        }
    }

    pub(super) fn unreachable(address: &Address, why: impl Into<String>) -> Self {
        Self::Unreachable { url: address.to_string(), why: why.into() }
    }

    pub(super) fn answer(address: &Address, why: impl Into<String>) -> Self {
        Self::Answer { url: address.to_string(), why: why.into(), broke_off: false }
    }

    pub(super) fn credentials(address: &Address, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Credentials { url: address.to_string(), why: why.into(), help: help.into() }
    }

    pub(in crate::source::git) fn no_reference(url: &str, reference: &Reference, known: &[String]) -> Self {
        let wanted = match reference {
            Reference::Branch(name) | Reference::Tag(name) | Reference::Name(name) => name.as_str(),
            _ => "",
        };
        let near = did_you_mean(wanted, known.iter().map(String::as_str));
        let help = match (reference, known) {
            (_, []) => "the repository has none of that kind".to_owned(),
            _ if near.is_some() => near.unwrap_or_default(),
            (_, known) if known.len() <= 10 => format!("it has {}", known.join(", ")),
            (_, known) => format!("it has {} and {} others", known[..10].join(", "), known.len() - 10),
        };
        Self::NoReference { url: url.to_owned(), reference: reference.to_string(), help }
    }

    /// Why an answer is of no use.
    pub(super) fn of(fault: Fault, address: &Address) -> Self {
        let url = address.to_string();
        match fault {
            Fault::Io(error) => Self::Answer { url, why: broken(&error), broke_off: true },
            Fault::Strange(why) => Self::Answer { url, why, broke_off: false },
            Fault::Keep(error) => Self::Cache { url, directory: "the cache".to_owned(), why: error.to_string() },
            Fault::Said(why) if why.contains("not our ref") => {
                let help = "it may have been rewritten since: look again; a server may also serve only commits that a reference points to";
                let words = why.split_whitespace().next_back().unwrap_or_default();
                Self::NoReference { url, reference: format!("commit {words}"), help: help.to_owned() }
            }
            Fault::Said(why) => Self::Refused { url, why: in_a_line(&why), is_known: true },
        }
    }
}

/// How an answer broke off.
fn broken(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the answer broke off".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "nothing comes any more".to_owned(),
        _ => error.to_string(),
    }
}

/// The words of a server, as one line of no great length.
pub(in crate::source) fn in_a_line(words: &str) -> String {
    const MOST: usize = 300;
    let words = words.split(|character: char| character.is_control() || character == ' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(MOST).collect()
}
