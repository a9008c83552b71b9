//! Where the rendered manifests of a set are committed to, as the file of sources says it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::rendered_branch::directory;
use crate::source::{Access, Destination, Person, SigningKey, is_branch, is_same_repository, normal_url};
use crate::watch::config::{GitConfig, SecretRef};

/// Where rendered manifests are committed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushConfig {
    /// The address of the repository; that of the source without it.
    pub url: Option<String>,
    /// The branch. If it isn't there, it is made.
    pub branch: String,
    /// The directory of the manifests, from the root of the branch; the root itself without it.
    pub path: Option<String>,
    /// `manifest` for one `manifest.yaml`, as Argo CD's Source Hydrator has it, which is what there is without it; `files` for one file an object.
    pub layout: Option<String>,
    /// A directory with credentials, a file for each key; those of the source without it, if the repository is the same.
    pub credentials: Option<String>,
    /// The same for a proxy: `address`, `username`, `password`.
    pub proxy: Option<String>,
    /// A Secret with these credentials, in the namespace of this process, in the place of a directory. It is read whenever it is used.
    pub secret_ref: Option<SecretRef>,
    /// The same for a proxy.
    pub proxy_secret_ref: Option<SecretRef>,
    /// The file with the private key of SSH or OpenPGP that signs commits. It is read whenever it is used.
    pub signing_key: Option<String>,
    /// The file with its passphrase.
    pub signing_passphrase: Option<String>,
    /// In whose name commits are written: `Name <address>`.
    pub author: Option<String>,
    /// In whose name they are made; the author's without it.
    pub committer: Option<String>,
    /// Whether the Workspaces are among the manifests.
    #[serde(default)]
    pub include_workspace: bool,
}

impl PushConfig {
    /// What is wrong with it, and in which field. `source` is the repository that manifests are rendered from.
    pub fn faults(&self, source: Option<&GitConfig>) -> Vec<(&'static str, Diagnostic)> {
        let mut faults = Vec::new();
        let mut say = |field, message: String, help: &str| faults.push((field, Diagnostic::error(message).help(help)));
        let Some(source) = source else {
            say("branch", "only what comes from a git repository is pushed".to_owned(), "follow a git repository");
            return faults;
        };
        if let Some(Err(error)) = self.url.as_deref().map(normal_url) {
            let finding = error.finding();
            say("url", finding.message, &finding.help.join("; "));
        }
        for (field, both) in self.repository(source).said_twice() {
            say(field, format!("there are both {both} and {field}"), "keep the one that is meant");
        }
        if !is_branch(&self.branch) {
            say("branch", format!("{:?} is no name of a branch", self.branch), "write one such as environments/prod");
        }
        let is_own = self.is_own(source);
        let follows = source.branch.as_ref() == Some(&self.branch);
        if is_own && follows {
            let help = "name another branch: what is rendered would be rendered again";
            say("branch", format!("the branch {} is the one that is followed", self.branch), help);
        }
        if let Err(help) = self.path.as_deref().map_or_else(|| Ok(String::new()), directory) {
            say("path", format!("{:?} is no directory of a branch", self.path.as_deref().unwrap_or_default()), &help);
        }
        if let Some(Err(help)) = self.layout.as_ref().map(|layout| layout.parse::<crate::rendered_branch::Layout>()) {
            say("layout", "there is no such layout".to_owned(), &help);
        }
        for (field, person) in [("author", &self.author), ("committer", &self.committer)] {
            if let Some(Err(help)) = person.as_ref().map(|person| person.parse::<Person>()) {
                say(field, "this is nobody's name and address".to_owned(), &help);
            }
        }
        if self.signing_passphrase.is_some() && self.signing_key.is_none() {
            say("signingPassphrase", "there is a passphrase and no key".to_owned(), "write signingKey, too");
        }
        faults
    }

    /// Whether it is the repository that manifests are rendered from.
    fn is_own(&self, source: &GitConfig) -> bool {
        self.url.as_ref().is_none_or(|url| is_same_repository(url, &source.url))
    }

    /// The repository, and by which credentials one gets there: those of the source if none are said and it is the same.
    pub fn repository(&self, source: &GitConfig) -> GitConfig {
        let of_source = if self.is_own(source) { source.clone() } else { GitConfig::default() };
        let mut repository = GitConfig { url: self.url.as_ref().unwrap_or(&source.url).clone(), ..GitConfig::default() };
        (repository.credentials, repository.secret_ref) = match (&self.credentials, &self.secret_ref) {
            (None, None) => (of_source.credentials, of_source.secret_ref),
            own => (own.0.clone(), own.1.clone()),
        };
        (repository.proxy, repository.proxy_secret_ref) = match (&self.proxy, &self.proxy_secret_ref) {
            (None, None) => (of_source.proxy, of_source.proxy_secret_ref),
            own => (own.0.clone(), own.1.clone()),
        };
        repository
    }

    /// Where that is, and how commits get there, if it has no [faults](Self::faults).
    pub fn destination(&self, access: Access) -> Destination {
        let person = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        let author: Person = person(&self.author).unwrap_or_default();
        Destination {
            branch: self.branch.clone(),
            directory: self.path.as_deref().and_then(|path| directory(path).ok()).unwrap_or_default(),
            layout: self.layout.as_ref().and_then(|layout| layout.parse().ok()).unwrap_or_default(),
            access,
            committer: person(&self.committer).unwrap_or_else(|| author.clone()),
            author,
            goes_back: false,
            key: self
                .signing_key
                .as_ref()
                .map(|file| SigningKey { file: PathBuf::from(file), passphrase: self.signing_passphrase.as_ref().map(PathBuf::from) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults() {
        let source =
            GitConfig { url: "https://git.example.com/org/fleet.git".to_owned(), branch: Some("main".to_owned()), ..GitConfig::default() };
        let good = PushConfig { branch: "environments/prod".to_owned(), ..PushConfig::default() };
        let some = |text: &str| Some(text.to_owned());
        let table = [
            (good.clone(), vec![]),
            (PushConfig { branch: "a..b".to_owned(), ..good.clone() }, vec!["branch"]),
            (PushConfig { branch: "main".to_owned(), ..good.clone() }, vec!["branch"]),
            (PushConfig { branch: "main".to_owned(), url: some("git@git.example.com:org/fleet"), ..good.clone() }, vec!["branch"]),
            (PushConfig { branch: "main".to_owned(), url: some("https://git.example.com/org/other"), ..good.clone() }, vec![]),
            (PushConfig { path: some("../x"), layout: some("many"), ..good.clone() }, vec!["path", "layout"]),
            (PushConfig { author: some("me"), committer: some("me"), ..good.clone() }, vec!["author", "committer"]),
            (PushConfig { signing_passphrase: some("f"), ..good.clone() }, vec!["signingPassphrase"]),
            (PushConfig { url: some("https://me:secret@git.example.com/x"), ..good.clone() }, vec!["url"]),
            (PushConfig { url: some("gopher://x"), ..good.clone() }, vec!["url"]),
            (PushConfig { credentials: some("/c"), secret_ref: Some(SecretRef::default()), ..good }, vec!["secretRef"]),
        ];
        for (config, want) in table {
            let fields: Vec<&str> = config.faults(Some(&source)).into_iter().map(|(field, _)| field).collect();
            assert_eq!(fields, want, "{config:?}");
        }
        assert_eq!(PushConfig::default().faults(None).len(), 1);
    }

    #[test]
    fn credentials_of_the_source_go_to_its_own_repository_alone() {
        let some = |text: &str| Some(text.to_owned());
        let secret = |name: &str| Some(SecretRef { name: name.to_owned() });
        let of_directory = GitConfig { url: "https://a/b".to_owned(), credentials: some("/of-source"), ..GitConfig::default() };
        let of_secret =
            GitConfig { credentials: None, secret_ref: secret("of-source"), proxy_secret_ref: secret("proxy"), ..of_directory.clone() };
        let to = |url: Option<&str>| PushConfig { url: url.map(ToOwned::to_owned), branch: "x".to_owned(), ..PushConfig::default() };
        let table = [
            (&of_directory, to(None), (some("/of-source"), None, None)),
            (&of_directory, to(Some("https://a/b.git")), (some("/of-source"), None, None)),
            (&of_directory, to(Some("https://a/c")), (None, None, None)),
            (&of_secret, to(None), (None, secret("of-source"), secret("proxy"))),
            (&of_secret, to(Some("https://a/c")), (None, None, None)),
            (&of_secret, PushConfig { credentials: some("/own"), ..to(None) }, (some("/own"), None, secret("proxy"))),
            (&of_directory, PushConfig { secret_ref: secret("own"), ..to(Some("https://a/c")) }, (None, secret("own"), None)),
        ];
        for (source, config, want) in table {
            let GitConfig { credentials, secret_ref, proxy_secret_ref, .. } = config.repository(source);
            assert_eq!((credentials, secret_ref, proxy_secret_ref), want, "{config:?}");
        }
    }
}
