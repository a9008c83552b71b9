//! What `kaito watch` follows: sources, and the sets that are applied from each. Flags say it for one; a file for many.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::notifications::NotificationConfig;
use super::publish::ExternalArtifactConfig;
use super::push::PushConfig;
use crate::diagnostic::Diagnostic;
use crate::quantity;
use crate::schema;
use crate::source::VerifyMode;
use crate::spec::names;
use crate::yaml::{Document, Step};

/// The only `apiVersion` of a file that says what is followed.
pub const API_VERSION: &str = "watch.kaito.sh/v1alpha1";

/// What is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchConfig {
    /// `watch.kaito.sh/v1alpha1`.
    pub api_version: String,
    /// `WatchConfig`.
    pub kind: String,
    /// Where files come from.
    pub sources: Vec<SourceConfig>,
    /// Who is notified of what becomes of the revisions of every source.
    #[serde(default)]
    pub notifications: Vec<NotificationConfig>,
}

/// Where files come from, and what is applied of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceConfig {
    /// A name for it, for logs, metrics and webhooks.
    pub name: String,
    /// A git repository; files on disk without one.
    pub git: Option<GitConfig>,
    /// The cluster itself, in the place of files: the Workspaces and other objects of `kaito.sh` that people apply.
    pub cluster: Option<ClusterConfig>,
    /// How often to look, should nobody have told of a change: `1m`.
    pub interval: Option<String>,
    /// Who may tell that there is something new, at `/hook/NAME`.
    pub webhook: Option<WebhookConfig>,
    /// Who is notified of what becomes of its revisions.
    #[serde(default)]
    pub notifications: Vec<NotificationConfig>,
    /// What is applied.
    pub sets: Vec<SetConfig>,
}

/// A git repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitConfig {
    /// Its address: `https://...`, `ssh://...`, `user@host:path`, or a path on disk.
    pub url: String,
    /// The branch that is followed; without any of these, the one that the remote's `HEAD` stands for.
    pub branch: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The tag with the highest version in this range: `>=1.0.0 <2.0.0`.
    pub semver: Option<String>,
    /// The commit, by its whole id.
    pub commit: Option<String>,
    /// The reference, by its full name: `refs/pull/420/head`.
    pub name: Option<String>,
    /// A directory with credentials, a file for each key that Flux' Secrets have: `username`, `password`, `identity`, ...
    pub credentials: Option<String>,
    /// The same for a proxy: `address`, `username`, `password`.
    pub proxy: Option<String>,
    /// A Secret with these credentials, in the namespace of this process, in the place of a directory. It is read whenever it is used.
    pub secret_ref: Option<SecretRef>,
    /// The same for a proxy.
    pub proxy_secret_ref: Option<SecretRef>,
    /// Whether the commits of submodules are read, too.
    #[serde(default)]
    pub recurse_submodules: bool,
    /// Which commits must be signed, and by whom; none must without it.
    pub verify: Option<VerifyConfig>,
}

/// A Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// Its name.
    pub name: String,
}

/// Which commits must be signed, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyConfig {
    /// `head` for the commit that is followed, `every` for every one that it comes from, too, `tag` for the tag, and `tag-and-head` for both.
    pub mode: String,
    /// The directory of the keys that may sign: allowed signers and public keys of SSH, public keys of OpenPGP. It is read whenever it is used.
    pub keys: Option<String>,
    /// A Secret with these keys, in the namespace of this process, in the place of a directory.
    pub secret_ref: Option<SecretRef>,
    /// With `every`, the commit where it begins, by its whole id: this one and those that it comes from needn't be signed.
    pub since: Option<String>,
}

/// What people apply in the cluster itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterConfig {
    /// The namespaces that are looked into; all without any.
    #[serde(default)]
    pub namespaces: BTreeSet<String>,
}

/// Who may tell that there is something new.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookConfig {
    /// How it is signed: `auto`, `github`, `gitlab`, `gitea`, `bitbucket`, `generic-hmac` or `generic`.
    #[serde(rename = "type", default = "auto")]
    pub kind: String,
    /// The file that holds the token. It is read whenever somebody calls.
    pub token_file: String,
}

fn auto() -> String {
    "auto".to_owned()
}

/// A set of objects that is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetConfig {
    /// The ApplySet that keeps what was applied: a Secret's name, or `secrets/NAME`, `configmaps/NAME`.
    pub applyset: String,
    /// The namespace of the ApplySet, and of objects that name none.
    pub namespace: Option<String>,
    /// Files and directories, from the root of the repository; none where the cluster itself is the source.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Whether directories are read with all below them; they are unless this is `false`.
    pub recursive: Option<bool>,
    /// Further namespaces that objects may be in; `'*'` for all.
    #[serde(default)]
    pub namespaces: BTreeSet<String>,
    /// Whether what the files no longer have is deleted; it is unless this is `false`.
    pub prune: Option<bool>,
    /// How many objects may be deleted at once: a number, or a share of the set such as `25%`.
    pub max_prune: Option<String>,
    /// Kinds that are deleted though their Workspace is still there, or they belong to none.
    #[serde(default)]
    pub prune_allow: Vec<String>,
    /// The ServiceAccount of the namespace as which everything is done.
    pub service_account_name: Option<String>,
    /// Whether fields are taken that other managers have set otherwise.
    #[serde(default)]
    pub force_conflicts: bool,
    /// Whether what can't be changed in place is deleted and made anew.
    #[serde(default)]
    pub replace: bool,
    /// Whether the Workspaces themselves are applied too, and their status told; they are unless this is `false`.
    pub include_workspace: Option<bool>,
    /// Where the rendered manifests are committed to; nowhere without it.
    pub push: Option<PushConfig>,
    /// The `ExternalArtifact` by which Flux is told of the rendered manifests; none without it.
    pub external_artifact: Option<ExternalArtifactConfig>,
    /// Whether anything is applied; it is unless this is `false`, which is for a set that is only pushed or published.
    pub apply: Option<bool>,
}

impl SetConfig {
    /// What is wrong with where it goes to, and in which fields.
    pub fn faults(&self, git: Option<&GitConfig>) -> Vec<(Vec<Step<'static>>, Diagnostic)> {
        let faults = self.push.iter().flat_map(|push| push.faults(git));
        let mut faults: Vec<_> = faults.map(|(field, fault)| (vec![Step::Field("push"), Step::Field(field)], fault)).collect();
        let artifact = self.external_artifact.iter().filter(|artifact| !names::is_dns_label(&artifact.name));
        faults.extend(artifact.map(|artifact| {
            let fault = Diagnostic::error(format!("{:?} is no name for an ExternalArtifact", artifact.name));
            (vec![Step::Field("externalArtifact"), Step::Field("name")], fault.help("use lower-case letters, digits and dashes"))
        }));
        if self.apply == Some(false) && self.push.is_none() && self.external_artifact.is_none() {
            let fault = Diagnostic::error("nothing is to be done: it is neither applied nor pushed");
            faults.push((vec![Step::Field("apply")], fault.help("say where it is to be pushed to, or leave out that it isn't applied")));
        }
        if let Some(name) = self.service_account_name.as_ref().filter(|name| !names::is_dns_subdomain(name)) {
            let fault = Diagnostic::error(format!("{name:?} is no name for a ServiceAccount"));
            faults.push((vec![Step::Field("serviceAccountName")], fault.help("name one of the set's namespace, or leave the field out")));
        }
        faults
    }
}

impl WatchConfig {
    /// Reads a file that says what is followed; everything that is wrong is added to `findings`.
    pub fn read(document: &Document, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = findings.len();
        let mut config: Self = schema::read_what_fits(document, &schema::of::<Self>(), findings)?;
        let mut say = |finding: Diagnostic, path: &[Step<'_>]| findings.push(document.finding(finding, path));
        if config.api_version != API_VERSION || config.kind != "WatchConfig" {
            let finding = Diagnostic::error(format!("{} {} doesn't say what is followed", config.api_version, config.kind));
            say(finding.help(format!("write apiVersion: {API_VERSION} and kind: WatchConfig")), &[Step::Field("apiVersion")]);
        }
        if config.sources.is_empty() {
            say(Diagnostic::error("there is no source").help("add one, with a name and its sets"), &[Step::Field("sources")]);
        }
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut sets: BTreeMap<(Option<&str>, &str), &str> = BTreeMap::new();
        for (number, source) in config.sources.iter().enumerate() {
            let at = |rest: &[Step<'static>]| [&[Step::Field("sources"), Step::Item(number)], rest].concat();
            if !names::is_dns_label(&source.name) {
                let finding = Diagnostic::error(format!("{:?} is no name for a source", source.name));
                say(finding.help("use lower-case letters, digits and dashes"), &at(&[Step::Field("name")]));
            } else if !names.insert(&source.name) {
                say(Diagnostic::error(format!("there are two sources called {}", source.name)), &at(&[Step::Field("name")]));
            }
            if source.interval.as_deref().is_some_and(|text| quantity::nanoseconds(text).is_none_or(|nanoseconds| nanoseconds == 0)) {
                say(Diagnostic::error("this is no length of time").help("write 30s, 5m or 1h30m"), &at(&[Step::Field("interval")]));
            }
            if let Some(git) = &source.git
                && git.pointers() > 1
            {
                let finding = Diagnostic::error("more than one of branch, tag, semver, commit and name is said");
                say(finding.help("keep the one that is meant"), &at(&[Step::Field("git")]));
            }
            for (field, both) in source.git.iter().flat_map(GitConfig::said_twice) {
                let finding = Diagnostic::error(format!("there are both {both} and {field}")).help("keep the one that is meant");
                say(finding, &at(&[Step::Field("git"), Step::Field(field)]));
            }
            for (of, notification) in source.notifications.iter().enumerate() {
                for (field, finding) in notification.faults(Some(source), &source.sets) {
                    say(finding, &at(&[Step::Field("notifications"), Step::Item(of), Step::Field(field)]));
                }
            }
            if source.cluster.is_some() && source.git.is_some() {
                let finding = Diagnostic::error("a source is a git repository or the cluster, not both");
                say(finding.help("make it two sources"), &at(&[Step::Field("cluster")]));
            }
            if source.cluster.is_some() && source.sets.len() > 1 {
                let finding = Diagnostic::error("what is declared in the cluster is applied as one set");
                say(finding.help("make it several sources, each with namespaces of its own"), &at(&[Step::Field("sets")]));
            }
            if let Some(verify) = source.git.as_ref().and_then(|git| git.verify.as_ref()) {
                let at = |field| at(&[Step::Field("git"), Step::Field("verify"), Step::Field(field)]);
                let follows_tag = source.git.as_ref().is_some_and(|git| git.tag.is_some() || git.semver.is_some());
                match verify.mode.parse::<VerifyMode>() {
                    Err(_) => {
                        let help = "write head for the commit that is followed, every for every one that it comes from, too, tag for the tag, \
                                    or tag-and-head for both";
                        say(Diagnostic::error(format!("{:?} is no way to verify commits", verify.mode)).help(help), &at("mode"));
                    }
                    Ok(mode) if mode.is_of_tags() && !follows_tag => {
                        let finding = Diagnostic::error("there is no tag that could be signed: another reference is followed");
                        say(finding.help("follow a tag, or a range of versions with semver; or verify the head"), &at("mode"));
                    }
                    Ok(_) => {}
                }
                if let Some((field, finding)) = verify.fault_of_keys() {
                    say(finding, &at(field));
                }
                if verify.since.as_deref().is_some_and(|since| !is_commit(since)) {
                    let finding = Diagnostic::error(format!("{:?} is no id of a commit", verify.since.as_deref().unwrap_or_default()));
                    say(finding.help("write all its 40 hexadecimal digits"), &at("since"));
                }
            }
            if source.sets.is_empty() {
                say(Diagnostic::error("this source has no sets").help("add one, with an applyset and paths"), &at(&[Step::Field("sets")]));
            }
            for (of, set) in source.sets.iter().enumerate() {
                let at = |field| at(&[Step::Field("sets"), Step::Item(of), Step::Field(field)]);
                if let Some(other) = sets.insert((set.namespace.as_deref(), &set.applyset), &source.name) {
                    let finding = Diagnostic::error(format!("the set {} is applied twice, from {other} and {}", set.applyset, source.name));
                    say(finding.help("give each its own name: what two apply, each would prune"), &at("applyset"));
                }
                for (field, fault) in set.faults(source.git.as_ref()) {
                    let at = [&[Step::Field("sources"), Step::Item(number), Step::Field("sets"), Step::Item(of)], &field[..]].concat();
                    say(fault, &at);
                }
                if source.cluster.is_some() && !set.paths.is_empty() {
                    say(Diagnostic::error("the cluster has no paths").help("leave them out, or name a git repository"), &at("paths"));
                }
                if source.cluster.is_none() && set.paths.is_empty() {
                    say(Diagnostic::error("this set has no paths").help("write [.] for all of the repository"), &at("paths"));
                }
            }
        }
        for (number, notification) in config.notifications.iter().enumerate() {
            for (field, finding) in notification.faults(None, config.sources.iter().flat_map(|source| &source.sets)) {
                say(finding, &[Step::Field("notifications"), Step::Item(number), Step::Field(field)]);
            }
        }
        // What is said for all is said for each: a source begins anew when its own words change.
        let for_all = std::mem::take(&mut config.notifications);
        config.sources.iter_mut().for_each(|source| source.notifications.extend(for_all.iter().cloned()));
        (findings.len() == before).then_some(config)
    }
}

/// Whether this is the whole id of a commit.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl VerifyConfig {
    /// What is wrong with where the keys are, and in which field.
    fn fault_of_keys(&self) -> Option<(&'static str, Diagnostic)> {
        match (self.keys.as_deref().unwrap_or_default(), &self.secret_ref) {
            ("", None) => {
                let finding = Diagnostic::error("there is nothing to verify commits by");
                Some(("keys", finding.help("name the directory of the keys, or the Secret with secretRef")))
            }
            ("", Some(_)) | (_, None) => None,
            _ => Some(("secretRef", Diagnostic::error("there are both keys and secretRef").help("keep the one that is meant"))),
        }
    }
}

impl GitConfig {
    /// The Secrets that take the place of directories which are named, too.
    pub(super) fn said_twice(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let credentials = self.secret_ref.is_some() && self.credentials.is_some();
        let proxy = self.proxy_secret_ref.is_some() && self.proxy.is_some();
        [(credentials, ("secretRef", "credentials")), (proxy, ("proxySecretRef", "proxy"))]
            .into_iter()
            .filter_map(|(are_both, fields)| are_both.then_some(fields))
    }

    /// How many ways are used to say what is followed.
    fn pointers(&self) -> usize {
        [&self.branch, &self.tag, &self.semver, &self.commit.clone().filter(|_| self.branch.is_none()), &self.name]
            .iter()
            .filter(|pointer| pointer.is_some())
            .count()
    }
}
