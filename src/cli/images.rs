//! `kaito images`.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::Diagnostic;
use crate::session::{PulledImage, Session};
use crate::spec::Input;
use crate::yaml;

/// List the images that Workspaces need, for mirrors.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito images -R -f clusters/prod
  kaito images -R -f clusters/prod -o mirror | xargs -n2 crane copy
  kaito images --all")]
pub(super) struct Args {
    /// File or directory with Workspaces and what belongs to them; `-` for standard input
    #[arg(short, long = "filename", value_name = "PATH", value_delimiter = ',', required_unless_present = "all", conflicts_with = "all")]
    filename: Vec<PathBuf>,
    /// Read the directories given with -f with all below them
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Read from a revision of the git repository instead of the disk: all files and directories, kaito.yaml among them
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// Every image of the catalog, whatever is used of it
    #[arg(long)]
    all: bool,
    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(flatten)]
    rendering: RenderingArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// The images, a line each, as manifests name them
    #[default]
    Name,
    /// The images that registryMirrors replaces, a line each: where it is copied from, and to
    Mirror,
    /// The images with where they are used, in JSON
    Json,
    /// The same in YAML
    Yaml,
}

/// Lists what was asked for.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let filename = if args.all { vec![PathBuf::from("-")] } else { args.filename.clone() };
    let input = InputArgs { filename, recursive: args.recursive, revision: args.revision.clone() };
    let Some(setup) = Setup::new(&args.rendering, &input, &mut findings) else {
        output::findings(findings, color, "listed");
        return Exit::Invalid;
    };
    let listed = if args.all { Ok(of_catalog(&setup)) } else { of_input(&input, &setup, &mut findings) };
    let images = match listed {
        Ok(images) => images,
        Err(finding) => {
            findings.push(*finding);
            Vec::new()
        }
    };
    if output::findings(findings, color, "listed") {
        return Exit::Invalid;
    }
    if matches!(args.output, Format::Mirror) && images.iter().all(|image| image.source.is_none()) {
        output::done("no image is mirrored: registryMirrors in kaito.yaml says where mirrors are");
    }
    output::data(&text(&images, args.output))
}

fn of_catalog(setup: &Setup) -> Vec<PulledImage> {
    let rules = &setup.options.images;
    let images = setup.catalog.all_images(setup.options.registry.as_deref()).into_iter().map(|image| {
        let source = rules.chosen(&image);
        let image = rules.mirrored(&source);
        PulledImage { source: (source != image).then_some(source), image, uses: std::collections::BTreeSet::new() }
    });
    let mut images: Vec<_> = images.collect();
    images.sort_by(|a, b| a.image.cmp(&b.image));
    images.dedup_by(|a, b| a.image == b.image);
    images
}

fn of_input(args: &InputArgs, setup: &Setup, findings: &mut Vec<Diagnostic>) -> Result<Vec<PulledImage>, Box<Diagnostic>> {
    let files = setup.read(args, findings);
    let input = Input::read(&files, &setup.options, findings);
    let session = Session::new(&input, &setup.catalog, &setup.options, false, findings);
    let engine = setup.engine();
    session.rehearse(&engine, findings);
    // What Workspaces are warned of is said where they are rendered.
    findings.retain(|finding| finding.is_error() || finding.is_about("images") || finding.is_about("registryMirrors"));
    if findings.iter().any(Diagnostic::is_error) {
        return Ok(Vec::new());
    }
    if session.is_empty() && input.passed.is_empty() {
        let finding = Diagnostic::error("there is nothing to look into: the input has no Workspace, RAGEngine or manifest");
        return Err(Box::new(finding.help("name the files with -f (and -R for directories below); --all shows every image of Kaito")));
    }
    session.images(&engine).map_err(|error| error.0)
}

fn text(images: &[PulledImage], format: Format) -> String {
    let value = || Value::from(images.iter().map(described).collect::<Vec<_>>());
    match format {
        Format::Name => images.iter().flat_map(|image| [image.image.as_str(), "\n"]).collect(),
        Format::Mirror => images.iter().filter_map(|image| Some(format!("{} {}\n", image.source.as_deref()?, image.image))).collect(),
        Format::Json => format!("{}\n", yaml::to_json(&value())),
        Format::Yaml => {
            let mut text = String::new();
            yaml::to_yaml(&value(), &mut text);
            text
        }
    }
}

fn described(image: &PulledImage) -> Value {
    let mut described = json!({ "image": image.image });
    if let Some(source) = &image.source {
        described["source"] = source.as_str().into();
    }
    let uses = image.uses.iter().map(|used| {
        let mut place = json!({ "kind": used.object.kind, "name": used.object.name, "field": used.field });
        if let Some(namespace) = &used.object.namespace {
            place["namespace"] = namespace.as_str().into();
        }
        place
    });
    if !image.uses.is_empty() {
        described["usedBy"] = uses.collect();
    }
    described
}
