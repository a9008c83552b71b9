//! The flags of `kaito watch`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::apply::Adopt;
use crate::cli::applyset::named;
use crate::cli::cluster::{ClusterArgs, duration, field_manager};
use crate::cli::rendered_branch::PushArgs;
use crate::cli::setup::RenderingArgs;
use crate::diagnostic::Diagnostic;
use crate::shard::Shard;
use crate::telemetry::{LogFormat, level};
use crate::watch::ExternalArtifactConfig;
use crate::watch::config::{
    API_VERSION, ClusterConfig, GitConfig, SecretRef, SetConfig, SourceConfig, VerifyConfig, WatchConfig, WebhookConfig, is_commit,
};

/// Keep a cluster as a git repository or a directory says, change by change.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 told to stop, 1 this can't be followed, 2 wrong usage, 4 the cluster can't be reached, or another process may lead.

Examples:
  kaito watch --url https://git.example.com/fleet.git --branch main -f clusters/prod -R --applyset prod
  kaito watch -R -f clusters/prod --applyset prod
  kaito watch --source cluster
  kaito watch --url https://git.example.com/fleet.git --branch main -f clusters/prod -R --push --push-branch environments/prod --apply=false
  kaito watch --url https://git.example.com/fleet.git -f clusters/prod -R --external-artifact models --artifact-listen :9790 --apply=false
  kaito watch --watch-config /etc/kaito/watch.yaml --leader-elect --webhook-listen :9292"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub push: PushArgs,
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    pub rendering: RenderingArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Where what is wanted is said, if not in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SourceKind {
    /// In the cluster itself, by the Workspaces that people apply there
    Cluster,
}

/// What is followed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Follow the Workspaces and other objects of kaito.sh that people apply in the cluster: in the namespaces of -n or --namespaces, or in all
    #[arg(long, value_enum, value_name = "SOURCE", conflicts_with_all = ["filename", "url"])]
    pub source: Option<SourceKind>,
    /// Files and directories with Workspaces and what belongs to them; with --url, from the root of the repository
    #[arg(short, long = "filename", value_name = "PATH", value_delimiter = ',', required_unless_present_any = ["url", "source", "watch_config"])]
    pub filename: Vec<PathBuf>,
    /// Read the directories with all below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Git repository to follow: https://..., ssh://..., user@host:path, or a path on disk
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Branch to follow [default: the one that the remote's HEAD stands for]
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with_all = ["tag", "semver", "commit"])]
    pub branch: Option<String>,
    /// Tag to follow
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with_all = ["semver", "commit"])]
    pub tag: Option<String>,
    /// Follow the tag with the highest version in a range, such as '>=1.0.0 <2.0.0'
    #[arg(long, value_name = "RANGE", requires = "url", conflicts_with = "commit")]
    pub semver: Option<String>,
    /// Stay at a commit, by its whole id
    #[arg(long, value_name = "ID", requires = "url")]
    pub commit: Option<String>,
    /// Directory with credentials for the repository, a file for each key of Flux' Secrets: username, password, identity, ...
    #[arg(long, value_name = "DIR", requires = "url")]
    pub credentials: Option<PathBuf>,
    /// Secret with these credentials, in the namespace of this process, instead of a directory
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with = "credentials")]
    pub secret_ref: Option<String>,
    /// Read the commits of submodules, too
    #[arg(long, requires = "url")]
    pub recurse_submodules: bool,
    /// Follow only what is signed by somebody who may: head is the commit that is followed, every all that it comes from, too, tag the tag
    #[arg(long, value_name = "MODE", value_parser = ["head", "every", "tag", "tag-and-head"], requires_all = ["url", "signers"])]
    pub verify: Option<String>,
    /// Directory with the keys that may sign: allowed signers and public keys of SSH, public keys of OpenPGP
    #[arg(long, value_name = "DIR", requires = "verify", group = "signers")]
    pub verify_keys: Option<PathBuf>,
    /// Secret with these keys, in the namespace of this process, instead of a directory
    #[arg(long, value_name = "NAME", requires = "verify", group = "signers")]
    pub verify_secret_ref: Option<String>,
    /// Commit where it begins with --verify every, by its whole id: this one and those that it comes from needn't be signed
    #[arg(long, value_name = "ID", value_parser = commit, requires = "verify")]
    pub verify_since: Option<String>,
    /// How often to look, should nobody have told of a change [default: 1m for a repository, 10m for files]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub interval: Option<Duration>,
    /// File that holds the token by which webhooks at /hook/kaito prove where they come from
    #[arg(long, value_name = "FILE")]
    pub webhook_token: Option<PathBuf>,
    /// How webhooks are signed: auto, github, gitlab, gitea, bitbucket, generic-hmac or generic
    #[arg(long, value_name = "TYPE", default_value = "auto", requires = "webhook_token")]
    pub webhook_type: String,
    /// File that says which sources are followed and which sets are applied from each, in the place of flags
    #[arg(long, value_name = "FILE", conflicts_with_all = ["filename", "url", "source", "applyset", "webhook_token", "push", "external_artifact"])]
    pub watch_config: Option<PathBuf>,
}

/// What is done in the cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Set")]
pub(crate) struct SetArgs {
    /// Apply what is rendered; without it, it is only committed to the branch of --push, or published as --external-artifact
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub apply: bool,
    /// Publish what is rendered as this `ExternalArtifact`, for Flux
    #[arg(long, value_name = "NAME", requires = "artifact_listen")]
    pub external_artifact: Option<String>,
    /// ApplySet that keeps what was applied: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named, default_value = "kaito")]
    pub applyset: String,
    /// Delete what the ApplySet has and the files haven't
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub prune: bool,
    /// Most objects that are pruned at once: a number, or a share of the set such as 25%; more, and none is
    #[arg(long, value_name = "N|N%")]
    pub max_prune: Option<String>,
    /// Kinds that are pruned though their Workspace is still there, or they belong to none: namespaces, pvc, crds, nodeclaims, ...
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub prune_allow: Vec<String>,
    /// Namespaces that objects may be in, or '*' for all [default: the one of -n, of kaito.yaml or of the context]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Apply the Workspaces themselves too, if the cluster knows them, and tell in their status how they are doing
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub include_workspace: bool,
    /// Take fields that other managers have set otherwise
    #[arg(long)]
    pub force_conflicts: bool,
    /// Managers that are overruled, by the beginnings of their names: what they have set by hand is put right
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "kubectl,before-first-apply")]
    pub override_managers: Vec<String>,
    /// Who applies
    #[arg(long, value_name = "NAME", default_value = "kaito", value_parser = field_manager)]
    pub field_manager: String,
    /// Which objects that are there already are taken over from others
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub adopt: Adopt,
    /// Delete and make anew what can't be changed in place: workloads, nodes; never claims of volumes
    #[arg(long)]
    pub replace: bool,
    /// How many objects at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
}

/// The process itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Process")]
pub(crate) struct ProcessArgs {
    /// Directory in which repositories are kept [default: kaito in the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Address for webhooks at /hook/NAME, as [HOST]:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub webhook_listen: Option<String>,
    /// Address for /healthz and /readyz
    #[arg(long, value_name = "ADDRESS")]
    pub health_listen: Option<String>,
    /// Address for /metrics
    #[arg(long, value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// Address for artifacts at /artifacts/, which Flux fetches
    #[arg(long, value_name = "ADDRESS")]
    pub artifact_listen: Option<String>,
    /// Where Flux finds this address [default: http://HOST:PORT, with the host in `POD_IP` if the address names none]
    #[arg(long, value_name = "URL", requires = "artifact_listen")]
    pub artifact_url: Option<String>,
    /// Be one of several processes, of which one works at a time
    #[arg(long)]
    pub leader_elect: bool,
    /// Lease by which they agree which one; with --shard I/N it is NAME-shard-I
    #[arg(long, value_name = "NAME", default_value = "kaito-watch", requires = "leader_elect")]
    pub lease: String,
    /// How long others wait for a leader that says nothing
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration, requires = "leader_elect")]
    pub lease_duration: Duration,
    /// Which part of the Workspaces to look after, where several processes share them: 0/3, 1/3 and 2/3 for three
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Lines of logs: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = known_level)]
    pub log_level: String,
}

impl ProcessArgs {
    /// Where others find artifacts, up to the path of one.
    ///
    /// # Errors
    /// Nobody says where.
    pub(super) fn artifacts_at(&self) -> Result<String, Diagnostic> {
        let Some(address) = &self.artifact_listen else {
            let finding = Diagnostic::error("an ExternalArtifact is to be published, and there is no address at which it could be fetched");
            return Err(finding.help("name it with --artifact-listen, such as :9790"));
        };
        let named = address.strip_prefix(':').map_or_else(|| Some(address.clone()), |port| Some(format!("{}:{port}", pod_ip()?)));
        let url = self.artifact_url.clone().or_else(|| named.map(|address| format!("http://{address}")));
        let url = url.ok_or_else(|| {
            let finding = Diagnostic::error(format!("{address} says nothing of where others find it"));
            finding.help("say so with --artifact-url http://HOST:PORT, or have the address of the pod in POD_IP")
        })?;
        Ok(format!("{}/artifacts", url.trim_end_matches('/')))
    }
}

/// The address of the pod, as it is written before a port.
fn pod_ip() -> Option<String> {
    let ip = std::env::var("POD_IP").ok().filter(|ip| !ip.is_empty())?;
    Some(if ip.contains(':') { format!("[{ip}]") } else { ip })
}

fn commit(text: &str) -> Result<String, String> {
    if is_commit(text) { Ok(text.to_owned()) } else { Err("write all 40 hexadecimal digits of a commit's id".to_owned()) }
}

fn known_level(name: &str) -> Result<String, String> {
    level(name).map(|_| name.to_owned())
}

impl Args {
    /// What the flags say is followed.
    pub(super) fn config(&self) -> WatchConfig {
        let SourceArgs { filename, recursive, url, branch, tag, semver, commit, credentials, interval, .. } = &self.source;
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let secret = |name: &Option<String>| name.clone().map(|name| SecretRef { name });
        let verify = self.source.verify.as_ref().map(|mode| VerifyConfig {
            mode: mode.clone(),
            keys: self.source.verify_keys.as_ref().map(text),
            secret_ref: secret(&self.source.verify_secret_ref),
            since: self.source.verify_since.clone(),
        });
        let git = url.as_ref().map(|url| GitConfig {
            url: url.clone(),
            branch: branch.clone(),
            tag: tag.clone(),
            semver: semver.clone(),
            commit: commit.clone(),
            credentials: credentials.as_ref().map(text),
            secret_ref: secret(&self.source.secret_ref),
            recurse_submodules: self.source.recurse_submodules,
            verify: verify.clone(),
            ..GitConfig::default()
        });
        let cluster = self.source.source.map(|SourceKind::Cluster| ClusterConfig { namespaces: self.declared_in() });
        let is_all = filename.is_empty() && cluster.is_none();
        let set = SetConfig {
            applyset: self.set.applyset.clone(),
            namespace: None,
            paths: if is_all { vec![".".to_owned()] } else { filename.iter().map(text).collect() },
            recursive: Some(*recursive || is_all),
            namespaces: self.set.namespaces.iter().cloned().collect(),
            prune: Some(self.set.prune),
            max_prune: self.set.max_prune.clone(),
            prune_allow: self.set.prune_allow.clone(),
            service_account_name: None,
            force_conflicts: self.set.force_conflicts,
            replace: self.set.replace,
            include_workspace: Some(self.set.include_workspace),
            push: self.push.config(false),
            external_artifact: self.set.external_artifact.clone().map(|name| ExternalArtifactConfig { name, include_workspace: false }),
            apply: Some(self.set.apply),
        };
        let webhook = self.source.webhook_token.as_ref();
        let source = SourceConfig {
            name: "kaito".to_owned(),
            git,
            cluster,
            interval: interval.map(|interval| format!("{}ms", interval.as_millis())),
            webhook: webhook.map(|file| WebhookConfig { kind: self.source.webhook_type.clone(), token_file: text(file) }),
            notifications: Vec::new(),
            sets: vec![set],
        };
        WatchConfig {
            api_version: API_VERSION.to_owned(),
            kind: "WatchConfig".to_owned(),
            sources: vec![source],
            notifications: Vec::new(),
        }
    }

    /// The namespaces in which people declare something; none for all.
    fn declared_in(&self) -> BTreeSet<String> {
        let own = || self.rendering.namespace.iter().filter(|name| !name.is_empty()).cloned().collect();
        let named = &self.set.namespaces;
        match named.iter().any(|name| name == "*") {
            true => BTreeSet::new(),
            false if named.is_empty() => own(),
            false => named.iter().cloned().collect(),
        }
    }
}
