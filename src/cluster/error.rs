//! Why a cluster can't be asked, and what to do about it.

use std::error::Error;
use std::iter::successors;
use std::path::Path;
use std::time::Duration;

use kube::client::AuthError;
use kube::config::KubeconfigError;
use kube::core::Status;

use crate::diagnostic::Diagnostic;

/// Why a cluster can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no kubeconfig, and this runs in no pod.
    #[error("there is no kubeconfig: {0}")]
    NoConfig(String),
    /// A kubeconfig can't be used.
    #[error("{0}")]
    Config(String, String),
    /// This process can't wait for answers.
    #[error("asking a cluster isn't possible here: {0}")]
    Runtime(std::io::Error),
    /// There is no answer, or none that can be used.
    #[error("the cluster at {server} can't be asked: {why}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// What went wrong.
        why: String,
        /// What to do.
        help: &'static str,
    },
    /// This wasn't asked any more, since something that was asked at the same time has no answer. Who asked for both is told of that.
    #[error("it wasn't asked any more, since something else has no answer")]
    NotAsked,
    /// The server doesn't let this be read.
    #[error("the cluster at {server} refuses to answer {what}: {why}")]
    Refused {
        /// The server's address.
        server: String,
        /// What it was asked.
        what: String,
        /// Its words.
        why: String,
    },
}

const REACH: &str = "see whether `kubectl get namespaces` reaches it; --kubeconfig and --context choose another cluster";
const LOG_IN: &str = "log in anew, as the users of this cluster do, and see whether `kubectl auth whoami` knows you";

impl ClusterError {
    pub(super) fn no_config(error: &KubeconfigError) -> Self {
        Self::NoConfig(why(error))
    }

    pub(super) fn config(path: Option<&Path>, error: &KubeconfigError) -> Self {
        let whose = path.map_or_else(|| "the kubeconfig".to_owned(), |path| format!("the kubeconfig {}", path.display()));
        let why = match error {
            // Which file that is has been said.
            KubeconfigError::ReadConfig(error, read) if Some(read.as_path()) == path => error.to_string(),
            error => why(error),
        };
        Self::Config(format!("{whose} can't be read: {why}"), "name another one with --kubeconfig or KUBECONFIG".to_owned())
    }

    pub(super) fn context(context: Option<&str>, known: &[String], error: &KubeconfigError) -> Self {
        let help = if known.is_empty() {
            "name one with contexts with --kubeconfig or KUBECONFIG".to_owned()
        } else {
            format!("its contexts are {}; --context chooses one", known.join(", "))
        };
        match context.filter(|context| !known.iter().any(|known| known == context)) {
            Some(context) => Self::Config(format!("the kubeconfig has no context {context}"), help),
            None => Self::Config(format!("the kubeconfig can't be used: {}", why(error)), help),
        }
    }

    pub(super) fn unusable(server: &str, error: &kube::Error) -> Self {
        Self::Unreachable { server: server.to_owned(), why: chain(error), help: REACH }
    }

    pub(super) fn unreachable(server: &str, what: &str, error: &kube::Error) -> Self {
        let (why, help) = match error {
            kube::Error::Api(status) => (format!("{what}: {}", words(status)), LOG_IN),
            kube::Error::Auth(_) => (chain(error), LOG_IN),
            error => (chain(error), REACH),
        };
        Self::Unreachable { server: server.to_owned(), why, help }
    }

    pub(super) fn slow(server: &str, what: &str, waited: Duration) -> Self {
        let why = format!("{what} has no answer after {} seconds", waited.as_secs());
        Self::Unreachable { server: server.to_owned(), why, help: "see whether the server is overloaded, and try again" }
    }

    pub(super) fn refused(server: &str, what: &str, status: &Status) -> Self {
        Self::Refused { server: server.to_owned(), what: what.to_owned(), why: words(status) }
    }

    /// The error as a finding, with what to do.
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::NoConfig(_) => finding.help("name one with --kubeconfig or KUBECONFIG, as for kubectl"),
            Self::Config(_, help) => finding.help(help.clone()),
            Self::Runtime(_) | Self::NotAsked => finding,
            Self::Unreachable { help, .. } => finding.help(*help),
            Self::Refused { .. } => {
                finding.help("`kaito rbac` prints the rights that are needed; `kubectl auth can-i --list` tells which there are")
            }
        }
    }
}

/// What is wrong with a kubeconfig, in a line.
fn why(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, path) => format!("{}: {error}", path.display()),
        // Its own words quote what is there, which may be a token.
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => format!("it is no kubeconfig, as line {}, column {} shows", place.line(), place.column()),
            None => "it is no kubeconfig".to_owned(),
        },
        KubeconfigError::CurrentContextNotSet => "it says no current-context".to_owned(),
        error => error.to_string(),
    }
}

/// What a server says.
pub(super) fn words(status: &Status) -> String {
    match (status.message.trim(), status.reason.as_str()) {
        ("", "") => format!("status {}", status.code),
        ("", reason) => reason.to_owned(),
        (message, _) => message.to_owned(),
    }
}

/// Why nobody could log in. What a program has printed for it is not told: it may be a token.
fn no_login(error: &AuthError) -> String {
    const PROGRAM: &str = "the program that the kubeconfig names for logging in";
    match error {
        AuthError::AuthExecRun { out, .. } => format!("{PROGRAM} fails: {}", out.status),
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) | AuthError::ExecPluginFailed => {
            format!("{PROGRAM} prints no credentials")
        }
        AuthError::AuthExec(_) => format!("{PROGRAM} is of no use"),
        error => error.to_string(),
    }
}

/// An error and what it comes from, each said once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref()) {
        return no_login(error);
    }
    // The first says only in which part of the client it went wrong.
    let error = error.source().unwrap_or(error);
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|said| said.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}
