//! `kaito install` and `kaito uninstall`: what runs the loop in a cluster, and what of it goes.

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::Value;

use super::applyset::named;
use super::crd::yaml_documents;
use super::output::{self, Color, Exit};
use super::setup::{namespace_name, provisioners};
use super::watch::{self, SourceKind};
use super::{Cli, Command};
use crate::diagnostic::Diagnostic;
use crate::install::{CREDENTIALS, Install, NAMESPACE, PROCESS, WEBHOOK_TOKEN};
use crate::inventory::Parent;
use crate::manifest::ObjectRef;
use crate::options::{KARPENTER_GATE, NodeProvisioner};
use crate::rbac::{Installed, Purpose, Rules, Use};
use crate::render::{Object, TemplateError};

/// Print what runs `kaito watch` in a cluster: rights, Deployment and what belongs to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Arguments after -- are those of `kaito watch`.

Examples:
  kaito install --image registry.example.com/kaito:0.1.0 --crds | kubectl apply --server-side -f -
  kaito install --image registry.example.com/kaito:0.1.0 --url https://git.example.com/fleet.git --branch main -f clusters/prod \\
      --applyset prod --credentials fleet --namespaces models | kubectl apply --server-side -f -
  kaito install --image registry.example.com/kaito:0.1.0 -- --cloud aws --feature-gates ModelStreaming=true")]
pub(super) struct Args {
    /// Image with kaito in it
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// How many pods, of which one works and the others wait for their turn
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,
    #[command(flatten)]
    where_: WhereArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// What makes nodes, on which the rights depend [default: gpu-provisioner]
    #[arg(long, value_parser = provisioners(), value_name = "NAME")]
    node_provisioner: Option<NodeProvisioner>,
    /// Whether the rights of the loop are printed too: for all kinds that Workspaces may stand for. `kaito rbac --for watch` prints those that files need
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    rbac: bool,
    /// Further arguments of `kaito watch`
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// What is installed besides, and where.
#[derive(Debug, clap::Args)]
struct WhereArgs {
    /// Namespace of the loop, its inventory and its Secrets
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name, default_value = NAMESPACE)]
    namespace: String,
    /// Namespaces that Workspaces and their objects may be in, or '*' for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "*", value_parser = place)]
    namespaces: Vec<String>,
    /// With the CRDs of Workspaces and the other kinds of kaito.sh
    #[arg(long)]
    crds: bool,
    /// With a ServiceMonitor for the Prometheus operator
    #[arg(long)]
    service_monitor: bool,
}

/// What is followed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Source")]
struct SourceArgs {
    /// Follow the Workspaces that people apply in the cluster, which is so without --url
    #[arg(long, value_enum, value_name = "SOURCE", conflicts_with = "url")]
    source: Option<SourceKind>,
    /// Git repository to follow
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Branch to follow [default: the one that the remote's HEAD stands for]
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with = "tag")]
    branch: Option<String>,
    /// Tag to follow
    #[arg(long, value_name = "NAME", requires = "url")]
    tag: Option<String>,
    /// Files and directories from the root of the repository, with all below them [default: all of it]
    #[arg(short, long = "filename", value_name = "PATH", value_delimiter = ',', requires = "url")]
    filename: Vec<String>,
    /// ApplySet that keeps what was applied: a Secret's NAME, or secrets/NAME, configmaps/NAME [default: kaito]
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named)]
    applyset: Option<String>,
    /// Secret with credentials for the repository, with the keys of Flux: username, password, identity, ...
    #[arg(long, value_name = "SECRET", requires = "url")]
    credentials: Option<String>,
    /// Secret whose key token is the one by which webhooks prove where they come from
    #[arg(long, value_name = "SECRET", requires = "url")]
    webhook_token: Option<String>,
}

/// Print the names of what `kaito install` has printed, for `kubectl delete`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Workspaces, their workloads and their nodes stay as they are. To delete them too, do so first:
`kaito delete --applyset kaito -n kaito-system`.

Examples:
  kaito uninstall | kubectl delete --ignore-not-found -f -
  kaito uninstall --namespaces models --keep-namespace | kubectl delete --ignore-not-found -f -")]
pub(super) struct UninstallArgs {
    #[command(flatten)]
    where_: WhereArgs,
    /// Without the namespace of the loop, where its inventory is
    #[arg(long)]
    keep_namespace: bool,
}

fn place(text: &str) -> Result<String, String> {
    if text == "*" { Ok(text.to_owned()) } else { namespace_name(text) }
}

impl WhereArgs {
    fn install(&self) -> Install {
        let is_all = self.namespaces.iter().any(|name| name == "*");
        let mut namespaces = if is_all { Vec::new() } else { self.namespaces.clone() };
        namespaces.sort();
        namespaces.dedup();
        Install {
            namespace: self.namespace.clone(),
            namespaces,
            crds: self.crds,
            service_monitor: self.service_monitor,
            ..Install::default()
        }
    }
}

impl Args {
    /// The arguments of `kaito watch`.
    fn watch_args(&self, namespaces: &[String]) -> Vec<String> {
        let SourceArgs { url, branch, tag, filename, applyset, credentials, webhook_token, .. } = &self.source;
        let flag = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{name}={value}"));
        let places = if namespaces.is_empty() { "*".to_owned() } else { namespaces.join(",") };
        let mut args = vec![flag("url", url).unwrap_or_else(|| "--source=cluster".to_owned())];
        args.extend(flag("branch", branch));
        args.extend(flag("tag", tag));
        args.extend(filename.iter().map(|path| format!("--filename={path}")));
        args.extend((!filename.is_empty()).then(|| "--recursive".to_owned()));
        args.extend(flag("applyset", applyset));
        args.push(format!("--namespaces={places}"));
        args.extend(credentials.as_ref().map(|_| format!("--credentials={CREDENTIALS}")));
        args.extend(webhook_token.iter().flat_map(|_| [format!("--webhook-token={WEBHOOK_TOKEN}"), "--webhook-listen=:9292".to_owned()]));
        args.extend(self.node_provisioner.map(|provisioner| format!("--node-provisioner={}", provisioner.name())));
        args.extend(self.args.iter().cloned());
        args.extend(PROCESS.map(ToOwned::to_owned));
        args
    }

    /// The rules of the loop that does what these arguments say. What makes nodes may be said by the files, too, which nobody has seen here.
    ///
    /// # Errors
    /// The name of the set can't be one.
    fn rules(&self, watch: &watch::Args) -> Result<Rules, String> {
        let namespace = &self.where_.namespace;
        let is_on = |gate: &str| watch.rendering.feature_gates.iter().any(|(name, is_on)| name == gate && *is_on);
        let by_gate = is_on(KARPENTER_GATE).then_some(NodeProvisioner::Karpenter);
        let is_declared = watch.source.source.is_some();
        let lease = watch.process.shard.map_or_else(|| watch.process.lease.clone(), |shard| shard.lease(&watch.process.lease));
        let secrets = watch.source.secret_ref.iter().chain(&watch.source.verify_secret_ref);
        let how = Use {
            purpose: Purpose::Watch,
            set: Some(Parent::parse(&watch.set.applyset, namespace)?),
            prunes: watch.set.prune,
            replaces: watch.set.replace,
            leases: vec![ObjectRef::new("coordination.k8s.io", "Lease", Some(namespace), &lease)],
            secrets: secrets.map(|name| ObjectRef::new("", "Secret", Some(namespace), name)).collect(),
            ..Use::default()
        };
        let provisioner = watch.rendering.node_provisioner.or(by_gate).unwrap_or_default();
        let sees_storage = is_declared && is_on("ModelStreaming");
        let is_everywhere = self.where_.install().namespaces.is_empty();
        Ok(Installed { how, provisioner, is_declared, sees_storage, is_everywhere }.rules())
    }
}

/// What `kaito watch` makes of arguments, so that what is wrong with them is said here and not by a pod.
fn read(args: &[String]) -> Result<Box<watch::Args>, clap::Error> {
    let words = ["kaito", "watch"].into_iter().chain(args.iter().map(String::as_str));
    match Cli::try_parse_from(words)?.command {
        Command::Watch(args) => Ok(args),
        _ => Err(clap::Error::raw(ErrorKind::InvalidSubcommand, "these are no arguments of `kaito watch`\n")),
    }
}

/// Prints what runs the loop.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let install = args.where_.install();
    let watch_args = args.watch_args(&install.namespaces);
    let watch = match read(&watch_args) {
        Ok(watch) => watch,
        Err(error) => {
            // A stream that nobody reads is no reason to say anything else.
            _ = error.print();
            return Exit::Usage;
        }
    };
    let rules = match args.rules(&watch) {
        Ok(rules) => rules,
        Err(message) => {
            output::findings(vec![Diagnostic::error(format!("--applyset: {message}"))], color, "printed");
            return Exit::Invalid;
        }
    };
    let install = Install {
        image: args.image.clone(),
        replicas: args.replicas,
        args: watch_args,
        credentials: args.source.credentials.clone(),
        webhook_token: args.source.webhook_token.clone(),
        rules: args.rbac.then_some(rules),
        ..install
    };
    print(install.objects().map(|objects| objects.iter().map(Object::to_value).collect()), color)
}

/// Prints what goes.
pub(super) fn uninstall(args: &UninstallArgs, color: Color) -> Exit {
    let install = Install { rules: Some(Rules::default()), ..args.where_.install() };
    let goes = |identity: &Value| !args.keep_namespace || identity["kind"] != "Namespace";
    print(install.identities().map(|identities| identities.into_iter().filter(goes).collect()), color)
}

fn print(objects: Result<Vec<Value>, TemplateError>, color: Color) -> Exit {
    match objects {
        Ok(objects) => output::data(&yaml_documents(objects.into_iter())),
        Err(error) => {
            output::findings(vec![*error.0], color, "printed");
            Exit::Invalid
        }
    }
}
