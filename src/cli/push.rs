//! `kaito push`: manifests as an artifact for Flux, in a registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::Diagnostic;
use crate::diff::Side;
use crate::flux::{Artifact, CREATED, Image, Revision};
use crate::rendered_branch::{self, Layout, Twice, manifests};
use crate::selector::Selector;
use crate::session::Session;
use crate::source::{Login, Registry, RegistryAccess, RegistryAddress, RegistryError, Repository, read_secret, shown_url};
use crate::spec::Input;
use crate::yaml;

/// What nothing was, if it can't be.
const DONE: &str = "pushed";

/// The variable that holds a login, so that it stands in no list of processes.
const LOGIN: &str = "KAITO_REGISTRY_CREDS";

/// Push these manifests to a registry, as an artifact for Flux.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito push oci://ghcr.io/org/fleet -R -f clusters/prod
  kaito push oci://ghcr.io/org/fleet:$(git rev-parse --short HEAD) -R -f clusters/prod --tag latest -o json
  kustomize build . | kaito push oci://ghcr.io/org/fleet -f - --source https://git.example.com/fleet.git --revision main@sha1:$(git rev-parse HEAD)

What is pushed is what a commit holds: HEAD, or --revision. The same commit makes the same digest.
Logins are those of docker login. KAITO_REGISTRY_CREDS holds another one, as USER:PASSWORD.
To a branch of a git repository, `kaito render --push` pushes.")]
pub(super) struct Args {
    /// Repository of a registry, and the tag in it [default: latest]
    #[arg(value_name = "oci://HOST/REPOSITORY[:TAG]")]
    address: RegistryAddress,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
    #[command(flatten)]
    artifact: ArtifactArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Format in which to print where the artifact is [default: a line for people]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Artifact")]
struct ArtifactArgs {
    /// Address of the git repository that it is made from [default: its origin]
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// Another tag for it; can be repeated
    #[arg(long, value_name = "TAG", value_parser = tag)]
    tag: Vec<String>,
    /// Annotation of it; can be repeated
    #[arg(short, long = "annotations", value_name = "KEY=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// One manifest.yaml, or a file an object
    #[arg(long, value_name = "LAYOUT", default_value = "manifest", value_parser = ["manifest", "files"])]
    layout: String,
    /// Take only the objects of the input with these labels, as kubectl's -l
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<Selector>,
    /// Push the Workspaces and ModelMirrors of the input too
    #[arg(long)]
    include_workspace: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
struct RegistryArgs {
    /// File that holds the login, as USER:PASSWORD or a token alone
    #[arg(long, value_name = "FILE")]
    creds_file: Option<PathBuf>,
    /// Ask over HTTP, without TLS
    #[arg(long)]
    insecure_registry: bool,
    /// PEM file of the authorities to trust, instead of the well-known ones
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_registry")]
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// url, repository, tag and digest, as flux prints them
    Json,
    /// The same in YAML
    Yaml,
}

fn tag(text: &str) -> Result<String, String> {
    let is_tag = RegistryAddress::is_tag(text);
    is_tag.then(|| text.to_owned()).ok_or_else(|| "a tag has up to 128 letters, digits, ., _ and -".to_owned())
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE")?;
    if key == CREATED && value.parse::<jiff::Timestamp>().is_err() {
        return Err("write a moment as in RFC 3339: 2026-01-31T12:00:00Z".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Pushes.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    match push(args, color) {
        Ok(exit) => exit,
        Err((findings, exit)) => {
            output::findings(findings, color, DONE);
            exit
        }
    }
}

/// What is wrong, and how it ends.
type Failure = (Vec<Diagnostic>, Exit);

fn push(args: &Args, color: Color) -> Result<Exit, Failure> {
    let usage = |finding| (vec![finding], Exit::Usage);
    let invalid = |finding| (vec![finding], Exit::Invalid);
    let origin = Origin::of(args).map_err(usage)?;
    let access = args.registry.access(&args.address).map_err(usage)?;
    let (mut findings, rendering) = (Vec::new(), RenderingArgs { is_for_flux: true, ..args.rendering.clone() });
    let Some(mut setup) = Setup::new(&rendering, &origin.input, &mut findings) else { return Err((findings, Exit::Invalid)) };
    setup.options.selector.clone_from(&args.artifact.selector);
    let artifact = args.artifact.make(&setup, &origin.input, findings, color).map_err(|findings| (findings, Exit::Invalid))?;
    let annotations: BTreeMap<String, String> = args.artifact.annotations.iter().cloned().collect();
    let image = Image::new(artifact, &origin.source, &origin.revision, &annotations);
    let mut tags = vec![args.address.tag.clone()];
    tags.extend(args.artifact.tag.iter().filter(|tag| **tag != args.address.tag).cloned());
    let failed = |error: RegistryError| {
        let is_far = matches!(error, RegistryError::Unreachable { .. } | RegistryError::Untrusted { .. });
        (vec![error.finding()], if is_far { Exit::Unreachable } else { Exit::Invalid })
    };
    let mut registry = Registry::new(args.address.clone(), access).map_err(|error| invalid(error.finding()))?;
    registry.push(&image, &tags).map_err(failed)?;
    Ok(tell(args, &image, &tags, &origin.revision))
}

/// Says where the artifact is.
fn tell(args: &Args, image: &Image, tags: &[String], revision: &str) -> Exit {
    let (name, digest) = (args.address.name(), &image.manifest.digest);
    let url = format!("oci://{name}@{digest}");
    let Some(format) = args.output else {
        output::done(&format!("{url}: {revision} under the {} {}", if tags.len() == 1 { "tag" } else { "tags" }, tags.join(", ")));
        return Exit::Done;
    };
    let value = json!({"url": url, "repository": name, "tag": args.address.tag, "digest": digest});
    let mut text = String::new();
    match format {
        Format::Json => text = yaml::to_json(&value) + "\n",
        Format::Yaml => yaml::to_yaml(&value, &mut text),
    }
    output::data(&text)
}

impl ArtifactArgs {
    /// The artifact, if all of the input can be rendered: what is left out would be deleted by Flux.
    fn make(&self, setup: &Setup, input: &InputArgs, mut findings: Vec<Diagnostic>, color: Color) -> Result<Artifact, Vec<Diagnostic>> {
        let files = setup.read(input, &mut findings);
        let input = Input::read(&files, &setup.options, &mut findings);
        let session = Session::new(&input, &setup.catalog, &setup.options, false, &mut findings);
        let is_broken = findings.iter().any(Diagnostic::is_error);
        if session.is_empty() && input.passed.is_empty() && !is_broken {
            let finding = Diagnostic::error("there is nothing to push: the input has no Workspace and no manifest");
            findings.push(finding.help("name the files with -f (and -R for directories below)"));
        }
        let engine = setup.engine();
        session.rehearse(&engine, &mut findings);
        if findings.iter().any(Diagnostic::is_error) {
            return Err(findings);
        }
        // Warnings.
        output::findings(findings, color, DONE);
        let side = Side::new(&session, &input, &engine, &[]);
        let manifests = manifests(&side, self.include_workspace).map_err(|error| vec![*error.0])?;
        let layout = self.layout.parse::<Layout>().unwrap_or_default();
        let fault = |message: String| vec![Diagnostic::error(message)];
        let files = rendered_branch::files(&manifests, layout).map_err(|Twice(path)| {
            vec![Diagnostic::error(format!("two objects would be written to {path}")).help("push them as one file: --layout manifest")]
        })?;
        Artifact::of(&files).map_err(fault)
    }
}

impl RegistryArgs {
    fn access(&self, address: &RegistryAddress) -> Result<RegistryAccess, Diagnostic> {
        let read =
            |flag: &str, path: &Path| fs::read(path).map_err(|error| Diagnostic::error(format!("{flag}: {}: {error}", path.display())));
        let from_file =
            |path: &PathBuf| read_secret(path).map_err(|error| Diagnostic::error(format!("--creds-file: {}: {error}", path.display())));
        let from_environment = || std::env::var(LOGIN).ok().filter(|login| !login.is_empty()).map(|login| (LOGIN, login.into()));
        let given = match &self.creds_file {
            Some(path) => Some(("--creds-file", from_file(path)?)),
            None => from_environment(),
        };
        let login = match given {
            Some((whence, text)) => Some(Login::read(&text).map_err(|why| Diagnostic::error(format!("{whence} holds no login: {why}")))?),
            None => Login::of_docker(address)?,
        };
        let authorities = self.ca_file.as_deref().map(|path| read("--ca-file", path)).transpose()?;
        Ok(RegistryAccess { login, is_insecure: self.insecure_registry, authorities })
    }
}

/// What an artifact is made from.
struct Origin {
    /// The files, which are those of a commit if there is a repository.
    input: InputArgs,
    source: String,
    revision: String,
}

impl Origin {
    /// What flags say, and for the rest the repository that this is in.
    fn of(args: &Args) -> Result<Self, Diagnostic> {
        let said = args.input.revision.as_deref();
        let known = said.and_then(|revision| revision.parse::<Revision>().ok());
        let is_piped = args.input.filename.iter().any(|path| path.as_os_str() == "-");
        let repository = if is_piped { Err(piped()) } else { Repository::open() };
        let repository = match repository {
            Ok(repository) => repository,
            // Who has no repository says what it was.
            Err(finding) => {
                let (Some(revision), Some(source)) = (known, args.artifact.source.clone()) else {
                    return Err(finding.help("say what it is made from: --source URL --revision main@sha1:COMMIT"));
                };
                let input = InputArgs { revision: None, ..args.input.clone() };
                return Ok(Self { input, source, revision: revision.to_string() });
            }
        };
        let revision = if let Some(revision) = known {
            revision
        } else {
            let named = said.unwrap_or("HEAD");
            let commit = repository.side(named)?.commit.ok_or_else(|| {
                Diagnostic::error(format!("{named} is no commit, and only what a commit holds is pushed"))
                    .help("name a commit, a branch or a tag")
            })?;
            Revision::new(repository.pointer(named), &commit)
        };
        let origin = || repository.origin().map(|url| shown_url(&url));
        let source = args.artifact.source.clone().or_else(origin).ok_or_else(|| {
            Diagnostic::error("this repository has no remote that is called origin").help("say where it is: --source URL")
        })?;
        let input = InputArgs { revision: Some(revision.id.clone()), ..args.input.clone() };
        Ok(Self { input, source, revision: revision.to_string() })
    }
}

fn piped() -> Diagnostic {
    Diagnostic::error("nobody knows of which commit it is what comes from standard input")
}
