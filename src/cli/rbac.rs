//! `kaito rbac`.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::Diagnostic;
use crate::diff::{Side, live};
use crate::flux::artifact_of;
use crate::inventory::Parent;
use crate::manifest::ObjectRef;
use crate::rbac::{Account, Purpose, Rights, Use, chat_rights, import_rights, rights};
use crate::session::Session;
use crate::shard::Shard;
use crate::spec::Input;
use crate::yaml;

/// Print the rights that files need in a cluster: Roles and bindings.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito rbac -R -f clusters/prod --service-account ci:deployer | kubectl apply -f -
  kaito rbac -R -f clusters/prod --applyset prod --prune --service-account ci:deployer
  kaito rbac -R -f clusters/prod --for diff --service-account ci:reviewer
  kaito rbac -R -f clusters/prod --for watch --applyset prod --leader-elect -n kaito --service-account kaito:kaito
  kaito rbac --for import -n models --service-account ci:importer
  kaito rbac --for chat -n models --service-account models:tester")]
#[command(mut_arg("filename", |arg| arg.required(false).required_unless_present("purpose")))]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
    #[command(flatten)]
    rights: RightsArgs,
}

/// Which rights.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rights")]
struct RightsArgs {
    /// What they are for
    #[arg(long = "for", value_enum, default_value_t, value_name = "VERB")]
    purpose: Purpose,
    /// ServiceAccount that gets them
    #[arg(long, value_name = "NAMESPACE:NAME")]
    service_account: Option<Account>,
    /// ApplySet that keeps what is applied: a Secret's NAME, or secrets/NAME, configmaps/NAME [default: kaito with --for watch]
    #[arg(long, value_name = "[RESOURCE/]NAME")]
    applyset: Option<String>,
    /// With --prune, too [default: false; true with --for watch]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", requires = "applyset")]
    prune: Option<bool>,
    /// With --replace, too
    #[arg(long)]
    replace: bool,
    /// With --wait, too
    #[arg(long)]
    wait: bool,
    /// For taking over what Kaito's operator has made, too
    #[arg(long)]
    adopt: bool,
    /// For `kaito watch --leader-elect`, too
    #[arg(long)]
    leader_elect: bool,
    /// Its Lease
    #[arg(long, value_name = "NAME", default_value = "kaito-watch", requires = "leader_elect")]
    lease: String,
    /// For `kaito watch --shard`, too: how many shards there are
    #[arg(long, value_name = "N", requires = "leader_elect", value_parser = clap::value_parser!(u32).range(1..))]
    shards: Option<u32>,
    /// Secrets with credentials that `kaito watch` reads, by name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    secrets: Vec<String>,
    /// For `kaito watch --external-artifact`, too
    #[arg(long, value_name = "NAME")]
    external_artifact: Option<String>,
}

impl RightsArgs {
    /// The names of the Leases.
    fn leases(&self) -> Vec<String> {
        let shards = |count: u32| (0..count).filter_map(move |index| format!("{index}/{count}").parse::<Shard>().ok());
        self.shards.map_or_else(|| vec![self.lease.clone()], |count| shards(count).map(|shard| shard.lease(&self.lease)).collect())
    }
}

impl ValueEnum for Purpose {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Apply, Self::Diff, Self::Status, Self::Delete, Self::Watch, Self::Import, Self::Chat]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.to_string()))
    }
}

/// Prints the rights.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let namespace = args.rendering.namespace.as_deref().filter(|name| !name.is_empty());
    let account = || args.rights.service_account.clone();
    match args.rights.purpose {
        Purpose::Import => return output::data(&text(&import_rights(namespace, account()))),
        Purpose::Chat => return output::data(&text(&chat_rights(namespace, account()))),
        _ => {}
    }
    if args.input.filename.is_empty() {
        output::error("the rights are for files: name them with -f (and -R for directories below)");
        return Exit::Usage;
    }
    match print(args) {
        Ok((rights, warnings)) => {
            output::findings(warnings, color, "printed");
            output::data(&text(&rights))
        }
        Err(findings) => {
            output::findings(findings, color, "printed");
            Exit::Invalid
        }
    }
}

fn print(args: &Args) -> Result<(Rights, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut findings = Vec::new();
    let Some(mut setup) = Setup::new(&args.rendering, &args.input, &mut findings) else { return Err(findings) };
    let RightsArgs { purpose, service_account, prune, replace, wait, adopt, leader_elect, .. } = &args.rights;
    let is_watch = *purpose == Purpose::Watch;
    // In a pod it is in the namespace of its account, unless it is told another one.
    if let Some(account) = service_account.as_ref().filter(|_| is_watch && !setup.says_namespace) {
        setup.options.namespace.clone_from(&account.namespace);
    }
    let set = args
        .rights
        .applyset
        .as_deref()
        .or(is_watch.then_some("kaito"))
        .map(|name| Parent::parse(name, &setup.options.namespace))
        .transpose();
    let set = set.map_err(|message| vec![Diagnostic::error(format!("--applyset: {message}"))])?;
    let files = setup.read(&args.input, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    let session = Session::new(&input, &setup.catalog, &setup.options, false, &mut findings);
    let engine = setup.engine();
    session.rehearse(&engine, &mut findings);
    findings.retain(Diagnostic::is_error);
    if session.is_empty() && input.passed.is_empty() && findings.is_empty() {
        let finding = Diagnostic::error("there is nothing to have rights for: the input has no Workspace and no manifest");
        findings.push(finding.help("name the files with -f (and -R for directories below)"));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let side = Side::new(&session, &input, &engine, &[]);
    let mut wanted = live::wanted(&side).map_err(|error| vec![*error.0])?;
    if is_watch {
        side.include_workspaces(&mut wanted, |_| true, live::Wanted::new);
    }
    let namespace = &setup.options.namespace;
    let lease = |name: &str| ObjectRef::new("coordination.k8s.io", "Lease", Some(namespace), name);
    let secret = |name: &String| ObjectRef::new("", "Secret", Some(namespace), name);
    let how = Use {
        purpose: *purpose,
        set,
        prunes: prune.unwrap_or(is_watch),
        replaces: *replace,
        waits: *wait,
        adopts: *adopt,
        leases: args.rights.leases().iter().filter(|_| is_watch && *leader_elect).map(|name| lease(name)).collect(),
        secrets: args.rights.secrets.iter().filter(|_| is_watch).map(secret).collect(),
        external_artifact: args.rights.external_artifact.as_ref().filter(|_| is_watch).map(|name| artifact_of(namespace, name)),
        account: service_account.clone(),
    };
    let rights = rights(&wanted, &how);
    let warnings = rights.guessed.iter().map(|(kind, resource)| {
        let message = format!("the kind {kind} isn't known here: it is taken to be called {}, with namespaces", resource.plural);
        Diagnostic::warning(message).help("`kubectl api-resources` tells; its CustomResourceDefinition among the files does, too")
    });
    let warnings = warnings.collect();
    Ok((rights, warnings))
}

fn text(rights: &Rights) -> String {
    let mut text = String::new();
    for note in &rights.notes {
        text.push_str("# ");
        text.push_str(note);
        text.push('\n');
    }
    for object in &rights.objects {
        text.push_str("---\n");
        yaml::to_yaml(object, &mut text);
    }
    text
}
