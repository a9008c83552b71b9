//! `kaito init`: a small repository to begin with.

mod questions;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::completion::values;
use super::output::{self, Color, Exit};
use super::setup::{clouds, known_version, namespace_name};
use crate::diagnostic::Diagnostic;
use crate::init::{Artifact, BRANCH, Extra, Origin, Repository, Size, workspace_name};
use crate::options::{Cloud, NodeProvisioner};
use crate::preset::{Catalog, Layer, embedded_versions};
use crate::source::RegistryAddress;
use crate::spec::names;

/// Write a small repository to begin with.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal it asks for what isn't said, unless --yes; elsewhere it never asks. Nothing that is there is written over.

Examples:
  kaito init
  kaito init fleet --preset phi-4 --cloud azure
  kaito init fleet --preset phi-4 --with github --kaito-source acme/kaito@v0.1.0
  kaito init fleet --preset phi-4 --with argocd --url https://git.example.com/fleet.git
  kaito init fleet --preset phi-4 --with flux,github --url oci://ghcr.io/acme/fleet --kaito-source acme/kaito@v0.1.0"
)]
pub(super) struct Args {
    /// Directory of the repository, which may be there already
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Model: an alias or a Hugging Face id of `kaito preset list`
    #[arg(long, value_name = "NAME", add = values::presets())]
    preset: Option<String>,
    /// Name of the Workspace [default: that of the model]
    #[arg(long, value_name = "NAME", value_parser = workspace)]
    name: Option<String>,
    /// Namespace of the Workspace [default: default]
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    namespace: Option<String>,
    /// Cloud that makes the nodes [default: azure]
    #[arg(long, value_name = "NAME", value_parser = clouds())]
    cloud: Option<Cloud>,
    /// Size of the nodes, as `kaito sku list` has them [default: the smallest on which the model fits]
    #[arg(long, value_name = "NAME", add = values::instance_types())]
    instance_type: Option<String>,
    /// What makes nodes [default: what Kaito has for the cloud]
    #[arg(long, value_name = "NAME", value_parser = provisioners())]
    node_provisioner: Option<NodeProvisioner>,
    /// Kaito version whose rendering is wanted [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = known_version, add = values::versions())]
    kaito_version: Option<String>,
    /// Secret with a token of Hugging Face in its key `HF_TOKEN`, for models that want a login
    #[arg(long, value_name = "SECRET", value_parser = secret)]
    token_secret: Option<String>,
    /// What else is written
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = extras())]
    with: Option<Vec<Extra>>,
    /// Where the repository will be, which Argo CD and Flux must know; for Flux also a registry's `oci://HOST/REPOSITORY`, to which CI pushes
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where kaito's own repository is on GitHub, and the commit or tag of it that checks in CI are to take
    #[arg(long, value_name = "OWNER/REPOSITORY@REVISION")]
    kaito_source: Option<Origin>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
}

fn workspace(name: &str) -> Result<String, String> {
    let is_good = names::is_dns_label(name) && name.len() <= 50;
    is_good.then(|| name.to_owned()).ok_or_else(|| "use up to 50 lower-case letters, digits and dashes".to_owned())
}

fn secret(name: &str) -> Result<String, String> {
    names::is_dns_label(name).then(|| name.to_owned()).ok_or_else(|| "use lower-case letters, digits and dashes".to_owned())
}

fn extras() -> impl TypedValueParser<Value = Extra> {
    PossibleValuesParser::new(Extra::ALL.map(Extra::name)).try_map(|name| Extra::by_name(&name).ok_or("there is no such thing"))
}

/// Those that make nodes.
pub(super) const CLOUDS: [Cloud; 2] = [Cloud::Azure, Cloud::Aws];

/// Those that need nothing more than a Workspace says.
const PROVISIONERS: [NodeProvisioner; 3] = [NodeProvisioner::GpuProvisioner, NodeProvisioner::Karpenter, NodeProvisioner::Machine];

fn provisioners() -> impl TypedValueParser<Value = NodeProvisioner> {
    let names = PROVISIONERS.map(NodeProvisioner::name);
    PossibleValuesParser::new(names).try_map(|name| NodeProvisioner::by_name(&name).ok_or("there is no such provisioner"))
}

/// Why nothing is written.
pub(super) enum Refusal {
    /// It is used wrongly.
    Usage(Diagnostic),
    /// It can't be done.
    Invalid(Vec<Diagnostic>),
}

impl From<Diagnostic> for Refusal {
    fn from(finding: Diagnostic) -> Self {
        Self::Invalid(vec![finding])
    }
}

/// Asks, and writes.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let (findings, exit) = match init(args) {
        Ok(done) => {
            output::done(&done);
            return Exit::Done;
        }
        Err(Refusal::Usage(finding)) => (vec![finding], Exit::Usage),
        Err(Refusal::Invalid(findings)) => (findings, Exit::Invalid),
    };
    output::findings(findings, color, "written");
    exit
}

fn init(args: &Args) -> Result<String, Refusal> {
    let asks = !args.yes && output::can_ask();
    let version = args.kaito_version.clone().or_else(|| embedded_versions().into_iter().next()).unwrap_or_default();
    let catalog = Catalog::load(&version, &[Layer::embedded(&version)]).map_err(Refusal::Invalid)?;
    let preset = match &args.preset {
        Some(preset) => preset.clone(),
        None if asks => questions::preset(&catalog)?,
        None => {
            let finding = Diagnostic::error("which model is wanted? say --preset NAME");
            return Err(Refusal::Usage(finding.help("`kaito preset list` shows them; on a terminal `kaito init` asks")));
        }
    };
    check_preset(&catalog, &preset)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None if asks => questions::name(&workspace_name(&preset))?,
        None => workspace_name(&preset),
    };
    let cloud = match args.cloud {
        Some(cloud) => cloud,
        None if asks => questions::cloud()?,
        None => Cloud::default(),
    };
    if !CLOUDS.contains(&cloud) {
        let finding = Diagnostic::error(format!("there is no such repository for {}, where nodes are your own", cloud.name()));
        return Err(finding.help("declare them in kaito.yaml: nodeProvisioner: byo, and nodes").into());
    }
    let namespace = match &args.namespace {
        Some(namespace) if !namespace.is_empty() => namespace.clone(),
        None if asks => questions::namespace()?,
        _ => "default".to_owned(),
    };
    let mut repository = Repository {
        node_provisioner: args.node_provisioner.unwrap_or_else(|| provisioner(&catalog, cloud)),
        catalog: &catalog,
        cloud,
        namespace,
        name,
        preset,
        token_secret: args.token_secret.clone(),
        url: args.url.clone(),
        artifact: None,
        origin: args.kaito_source.clone(),
        extras: Vec::new(),
    };
    let size = size(args, &repository, asks)?;
    repository.extras = match &args.with {
        Some(extras) => extras.clone(),
        None if asks => questions::extras()?,
        None => Vec::new(),
    };
    if repository.url.is_none() && repository.extras.iter().any(|extra| extra.needs_repository()) {
        if !asks {
            let finding = Diagnostic::error("Argo CD and Flux must know where the repository will be: say --url URL");
            return Err(Refusal::Usage(finding));
        }
        repository.url = Some(questions::url()?);
    }
    repository.artifact = repository.url.as_deref().and_then(artifact).transpose()?;
    if repository.artifact.is_some() && repository.extras.contains(&Extra::Argocd) {
        let finding = Diagnostic::error("Argo CD's plugin renders what is in git, and --url names a registry");
        return Err(Refusal::Usage(finding.help("an artifact is for Flux: name the git repository, or leave argocd out of --with")));
    }
    if repository.origin.is_none() && repository.extras.iter().any(|extra| extra.needs_origin()) {
        if !asks {
            let finding = Diagnostic::error("checks in CI must know where kaito comes from: say --kaito-source OWNER/REPOSITORY@REVISION");
            return Err(Refusal::Usage(finding.help("the repository of kaito on GitHub, and the commit or tag that you trust")));
        }
        repository.origin = Some(questions::origin()?);
    }
    let files = repository.files(&size).map_err(|error| Diagnostic::error(error.to_string()))?;
    write(&args.directory, &files)?;
    Ok(told(args, &repository, &files))
}

/// What an address of a registry stands for.
fn artifact(url: &str) -> Option<Result<Artifact, Refusal>> {
    let read = |url: &str| url.parse::<RegistryAddress>().map_err(|why| Refusal::Usage(Diagnostic::error(format!("--url: {why}"))));
    let artifact = |address: RegistryAddress| Artifact { repository: format!("oci://{}", address.name()), tag: address.tag };
    url.starts_with("oci://").then(|| read(url).map(artifact))
}

fn check_preset(catalog: &Catalog, preset: &str) -> Result<(), Diagnostic> {
    if catalog.is_v0_3() {
        catalog.image_preset(preset).map(drop).map_err(|unknown| unknown.finding(preset))
    } else {
        catalog.model(preset).map(drop).map_err(|unknown| unknown.finding(preset))
    }
}

/// Kaito's own choice.
fn provisioner(catalog: &Catalog, cloud: Cloud) -> NodeProvisioner {
    match cloud {
        _ if catalog.is_v0_3() => NodeProvisioner::Machine,
        Cloud::Azure => NodeProvisioner::GpuProvisioner,
        Cloud::Aws | Cloud::Arc => NodeProvisioner::Karpenter,
    }
}

/// A size on which the model fits.
fn size(args: &Args, repository: &Repository<'_>, asks: bool) -> Result<String, Refusal> {
    if let Some(named) = &args.instance_type {
        let known = repository.catalog.sku(repository.cloud, named).map(|found| found.value.name.clone());
        let name = known.unwrap_or_else(|| named.clone());
        return repository.plan(&name).map(|_| name).map_err(|mut findings| {
            let others: Vec<String> = repository.sizes().into_iter().take(3).map(|size| size.name).collect();
            if let Some(first) = findings.iter_mut().find(|finding| finding.is_error() && !others.is_empty()) {
                first.help.push(format!("it fits on {}", others.join(", ")));
            }
            Refusal::Invalid(findings)
        });
    }
    let sizes = repository.sizes();
    match sizes.first() {
        Some(_) if asks => Ok(questions::size(&sizes)?),
        Some(best) => Ok(best.name.clone()),
        None => Err(nothing_fits(repository).into()),
    }
}

fn nothing_fits(repository: &Repository<'_>) -> Diagnostic {
    let (preset, cloud) = (&repository.preset, repository.cloud.name());
    let mut finding = Diagnostic::error(format!("{preset} fits on no size of node that {cloud} is known to have"));
    // What is wrong with one size tells why, if it is no matter of sizes.
    let example = repository.catalog.skus(repository.cloud).next().and_then(|found| repository.plan(&found.value.name).err());
    finding.help.extend(example.into_iter().flatten().find(Diagnostic::is_error).map(|why| why.message));
    finding.help("`kaito sku list` shows the sizes; name one with --instance-type, or another --cloud")
}

/// Writes all files, or none if one of them is there.
fn write(directory: &Path, files: &[(String, String)]) -> Result<(), Diagnostic> {
    let there: Vec<String> = files
        .iter()
        .map(|(path, _)| directory.join(path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        let finding = Diagnostic::error(format!("nothing is written over, and there is {}", there.join(", ")));
        return Err(finding.help("name another directory, or another --name"));
    }
    for (path, text) in files {
        let path = directory.join(path);
        let fault = |error: io::Error| Diagnostic::error(format!("{}: {error}", path.display()));
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(fault)?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(fault)?;
        file.write_all(text.as_bytes()).map_err(fault)?;
    }
    Ok(())
}

/// What was written, and what comes next.
fn told(args: &Args, repository: &Repository<'_>, files: &[(String, String)]) -> String {
    let mut lines: Vec<String> = files.iter().map(|(path, _)| format!("wrote {}", args.directory.join(path).display())).collect();
    let Repository { namespace, name, .. } = repository;
    let has = |extra| repository.extras.contains(&extra);
    let mut next: Vec<(String, &str)> = Vec::new();
    if args.directory != Path::new(".") {
        next.push((format!("cd {}", shlex::try_quote(&args.directory.to_string_lossy()).unwrap_or_default()), ""));
    }
    next.push(("kaito render -R -f workspaces".to_owned(), "what it stands for"));
    next.push((format!("kaito explain {name} -R -f workspaces"), "why it is so"));
    if let Some(secret) = &repository.token_secret {
        let create = format!("kubectl create secret generic {secret} -n {namespace} --from-literal=HF_TOKEN=...");
        next.push((create, "a token of Hugging Face"));
    }
    if has(Extra::Flux) {
        let (push, followed) = match &repository.artifact {
            Some(Artifact { repository, tag }) => (format!("kaito push {repository}:{tag} -R -f workspaces"), "Flux follows that artifact"),
            None => (
                format!("kaito render -R -f workspaces --push . --push-branch {BRANCH} && git push origin {BRANCH}"),
                "Flux follows that branch",
            ),
        };
        next.push((push, "with every commit, unless the workflow of GitHub does it"));
        next.push(("kubectl apply -f flux".to_owned(), followed));
    }
    if has(Extra::Argocd) {
        next.push(("kubectl apply -f argocd".to_owned(), "once Argo CD has the plugin"));
    }
    if !has(Extra::Flux) && !has(Extra::Argocd) {
        if namespace != "default" {
            next.push((format!("kubectl create namespace {namespace}"), "unless it is there"));
        }
        next.push((format!("kaito apply -R -f workspaces -n {namespace} --applyset {name} --wait"), "make it so"));
    }
    next.push((format!("kaito chat {name} -n {namespace}"), "talk to the model"));
    let width = next.iter().map(|(command, _)| command.len()).filter(|width| *width < 60).max().unwrap_or(0);
    lines.push("\nNext:".to_owned());
    lines.extend(
        next.iter().map(|(command, why)| if why.is_empty() { format!("  {command}") } else { format!("  {command:width$}  # {why}") }),
    );
    lines.join("\n")
}

/// For people: `1 node with 2 x NVIDIA A100 (160 GiB)`.
pub(super) fn described(size: &Size) -> String {
    let nodes = if size.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", size.nodes) };
    let doubt = if size.is_doubtful { ", with warnings" } else { "" };
    format!("{nodes} with {} x {}, {} GiB{doubt}", size.gpus, size.model, size.memory >> 30)
}
