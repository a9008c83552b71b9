//! `kaito preset import`.

use std::path::{Path, PathBuf};

use super::output::{self, Color, Exit};
use crate::cli::setup::{known_version, own_presets};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::output_dir;
use crate::preset::{HubRules, Layer, Model, Repository, check, file, is_id};
use crate::secrets::Secret;
use crate::source::{self, Disk, Hub};

/// The variables with a token, in the order in which Hugging Face's own tools look at them.
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];

/// Describe a model of Hugging Face in a preset file, as Kaito would find it now: from its config.json and the sizes of its
/// files. Kaito asks whenever it starts; a file says the same tomorrow, and can be reviewed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kaito preset import acme/support-8b\n  kaito preset import acme/support-8b --from ./support-8b -o -\n\n\
    Environment:\n  HF_TOKEN       token for gated and private models\n  HF_ENDPOINT    the same as --endpoint\n  \
    HTTPS_PROXY    proxy; NO_PROXY names hosts without it\n  SSL_CERT_FILE  PEM file of the authorities to trust"
)]
pub(in crate::cli) struct Args {
    /// Hugging Face id, ORGANISATION/MODEL
    #[arg(value_parser = id)]
    id: String,
    /// Branch, tag or commit [default: main]; the commit is written into the preset
    #[arg(long, value_parser = revision)]
    revision: Option<String>,
    /// Directory with config.json and the weights, their index or a saved tree.json, in the place of the hub
    #[arg(long, value_name = "DIR", conflicts_with = "endpoint")]
    from: Option<PathBuf>,
    /// Address of the hub, such as that of a mirror [default: Hugging Face's]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// File to write, `-` for standard output [default: models/ORGANISATION--MODEL.yaml in the `presets` of kaito.yaml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Renew the facts in a file that is there; everything else in it stays
    #[arg(long)]
    update: bool,
    /// Kaito version as which the model is described [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = known_version)]
    kaito_version: Option<String>,
    /// Configuration file that names the presets [default: the kaito.yaml here or above]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn id(text: &str) -> Result<String, String> {
    if is_id(text) { Ok(text.to_owned()) } else { Err("a Hugging Face id is ORGANISATION/MODEL, such as microsoft/phi-4".to_owned()) }
}

fn revision(text: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_good) { Ok(text.to_owned()) } else { Err("write a branch, a tag or a commit".to_owned()) }
}

/// Imports.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let done = prepare(args, &mut findings);
    let failed = output::findings(findings, color, "imported");
    match done {
        Ok(Some(done)) if !failed => done.finish(),
        Err(usage) => {
            output::error(&usage);
            Exit::Usage
        }
        _ => Exit::Invalid,
    }
}

/// A text and where it belongs.
struct Done {
    text: String,
    /// None for standard output.
    target: Option<PathBuf>,
    /// What is said when it is written.
    message: String,
}

impl Done {
    fn finish(self) -> Exit {
        let Some(target) = self.target else { return output::data(&self.text) };
        if let Err(error) = output_dir::write_file(&target, &self.text) {
            output::error(&error.to_string());
            return Exit::Invalid;
        }
        output::done(&self.message);
        Exit::Done
    }
}

/// Everything but the writing.
///
/// # Errors
/// The command was used wrongly.
fn prepare(args: &Args, findings: &mut Vec<Diagnostic>) -> Result<Option<Done>, String> {
    let Some((version, own)) = own_presets(args.config.clone(), args.kaito_version.clone(), findings) else { return Ok(None) };
    let target = match (&args.output, &own) {
        (Some(path), _) if path.as_os_str() == "-" => None,
        (Some(path), _) => Some(path.clone()),
        (None, Some(own)) => Some(own.join("models").join(format!("{}.yaml", args.id.to_lowercase().replace('/', "--")))),
        (None, None) => return Err("where to? name a file with -o, or a directory as `presets` in kaito.yaml".to_owned()),
    };
    let own = own.filter(|own| own.is_dir());
    let mut layers = vec![Layer::embedded(&version)];
    layers.extend(own.map(|own| source::preset_layer(&Disk, &own, findings)));
    let rules = HubRules::load(&layers).map_err(|faults| findings.extend(faults)).ok();
    if let Some(None) = rules {
        let finding = Diagnostic::error(format!("Kaito {version} takes no models but its presets"));
        findings.push(finding.help("these are images with the weights inside; docs/presets.md shows how one of your own is described"));
        return Ok(None);
    }
    let repository = repository(args, findings);
    let Some((repository, rules)) = repository.zip(rules.flatten()) else { return Ok(None) };
    let Some(model) = rules.describe(&repository, findings) else { return Ok(None) };
    if findings.iter().any(Diagnostic::is_error) {
        return Ok(None);
    }
    notes(&repository, findings);
    Ok(place(args, &repository, &model, target, findings).filter(|done| is_usable(done, &version, layers, findings)))
}

fn repository(args: &Args, findings: &mut Vec<Diagnostic>) -> Option<Repository> {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if let Some(directory) = &args.from {
        source::repository_in(directory, &args.id, args.revision.as_deref(), findings)
    } else {
        let endpoint = args.endpoint.clone().or_else(|| variable("HF_ENDPOINT")).unwrap_or_else(|| "https://huggingface.co".to_owned());
        let token = TOKENS.into_iter().find_map(variable).map(Secret::new);
        let certificates = variable("SSL_CERT_FILE").map(PathBuf::from);
        let hub = Hub::new(&endpoint, token, certificates.as_deref());
        let answer = hub.and_then(|hub| hub.repository(&args.id, args.revision.as_deref().unwrap_or("main")));
        answer.map_err(|failure| findings.push(*failure)).ok()
    }
}

/// What the reader should know of a model that can be imported.
fn notes(repository: &Repository, findings: &mut Vec<Diagnostic>) {
    if repository.revision.is_none() {
        let finding = Diagnostic::note("the preset pins no revision: the folder doesn't say which commit it is of");
        findings.push(finding.help("name it with --revision"));
    }
    if repository.gated {
        let finding = Diagnostic::note(format!("{} is gated: pods download it with a token", repository.id));
        findings.push(finding.help("name a Secret with HF_TOKEN in inference.preset.presetOptions.modelAccessSecret"));
    }
}

/// The text for the target, which may be there already.
fn place(args: &Args, repository: &Repository, model: &Model, target: Option<PathBuf>, findings: &mut Vec<Diagnostic>) -> Option<Done> {
    let text = file::text(model, repository.gated);
    let shown = target.as_deref().map(|target| target.display().to_string()).unwrap_or_default();
    let facts = format!("{}, {} of weights, a context of {} tokens", model.id, model.weights.as_str(), model.context_limit);
    let Some(there) = target.as_deref().filter(|target| target.exists()) else {
        return Some(Done { text, target, message: format!("wrote {shown}: {facts}") });
    };
    let before = source::read_file(&Disk, there, findings)?;
    let update = file::update(&before, model, repository.gated).map_err(|faults| findings.extend(faults)).ok()?;
    if update.text == before.text {
        return Some(Done { text: before.text.clone(), target, message: format!("{shown} is up to date: {facts}") });
    }
    let changes = if update.changes.is_empty() { "its first line".to_owned() } else { update.changes.join("\n  ") };
    if !args.update {
        let mut finding = Diagnostic::error(format!("{shown} is there, and says something else"));
        finding.help.extend(update.changes);
        findings.push(finding.help("--update renews these facts and leaves everything else in the file as it is"));
        return None;
    }
    Some(Done { text: update.text, target, message: format!("updated {shown}:\n  {changes}") })
}

/// Whether the presets are sound with the new text, so that the next rendering can use it.
fn is_usable(done: &Done, version: &str, mut layers: Vec<Layer>, findings: &mut Vec<Diagnostic>) -> bool {
    let target = done.target.as_deref().unwrap_or(Path::new("<stdout>"));
    for layer in &mut layers {
        if let Layer::Own(files) = layer {
            files.retain(|other| Path::new(&other.name) != target);
        }
    }
    let name = target.display().to_string();
    layers.push(Layer::Own(vec![SourceFile::new(name.clone(), done.text.clone())]));
    let is_of_it = |finding: &Diagnostic| finding.place.as_ref().is_some_and(|place| place.file.name == name);
    let found = check(version, &layers).findings.into_iter().filter(|finding| finding.is_error() || is_of_it(finding));
    findings.extend(found);
    !findings.iter().any(Diagnostic::is_error)
}
