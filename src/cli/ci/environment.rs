//! The environment of a job: what it is about, and the tokens that it has.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::ci::{Job, Platform};
use crate::diagnostic::Diagnostic;
use crate::secrets::Secret;
use crate::source::{Access, Repository, Values, is_private, is_same_origin};

/// A job, and what it has been given.
pub(super) struct Environment {
    /// What it is about.
    pub job: Job,
    /// A token with which comments can be written.
    pub token: Option<Secret>,
    /// A file with the authorities of the server, if they aren't those that browsers trust.
    pub authorities: Option<PathBuf>,
    /// The name and password with which the job may fetch.
    login: Option<(String, Secret)>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Environment {
    /// The environment of this process.
    pub(super) fn read() -> Result<Self, Diagnostic> {
        let path = variable("GITHUB_EVENT_PATH").filter(|_| Platform::of(&variable).has_commands());
        let fault = |why: &dyn ToString| {
            let finding = Diagnostic::error(format!("the event of this workflow can't be read: GITHUB_EVENT_PATH: {}", why.to_string()));
            finding.help("run kaito in a step of the workflow itself; in a container of your own, mount that file and pass the variable")
        };
        let event = path.map(|path| fs::read_to_string(&path).map_err(|error| fault(&format!("{path}: {error}")))).transpose()?;
        let job = Job::of(&variable, event.as_deref()).map_err(|error| fault(&error))?;
        let token = job.platform.tokens().iter().find_map(|name| variable(name)).map(Secret::new);
        let login = match job.platform {
            Platform::GitLab => variable("CI_JOB_TOKEN").map(|token| ("gitlab-ci-token".to_owned(), token.into())),
            _ => token.clone().map(|token| ("x-access-token".to_owned(), token)),
        };
        let authorities = variable("CI_SERVER_TLS_CA_FILE").filter(|_| job.platform == Platform::GitLab).map(PathBuf::from);
        Ok(Self { job, token, authorities, login })
    }

    /// With what may be fetched from an address: what the clone was made with, or the job's token if it is its server's.
    pub(super) fn access(&self, repository: &Repository, url: &str) -> Access {
        let is_own = self.job.repository.as_deref().is_some_and(|own| is_same_origin(own, url)) && is_private(url);
        let login = repository.login(url).or_else(|| self.login.clone().filter(|_| is_own));
        let login =
            login.map(|(username, password)| [("username", username.into_bytes()), ("password", password.expose().as_bytes().to_vec())]);
        let authorities = self.authorities.as_ref().filter(|_| is_own).and_then(|path| fs::read(path).ok());
        let values = login.into_iter().flatten().chain(authorities.map(|pem| ("ca.crt", pem)));
        Access::anonymous().with(Values::Map(values.map(|(key, value)| (key.to_owned(), value.into())).collect::<BTreeMap<_, _>>()))
    }

    /// How a checkout gets all of the history.
    pub(super) fn remedy(&self) -> &'static str {
        match self.job.platform {
            Platform::GitHub | Platform::Gitea => "or have the checkout bring all of the history: actions/checkout with `fetch-depth: 0`",
            Platform::GitLab => "or have the checkout bring all of the history: `GIT_DEPTH: 0` among the variables of the job",
            Platform::Plain => "or bring all of the history: `git fetch --unshallow`",
        }
    }
}
