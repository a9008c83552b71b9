//! `kaito paths`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::argocd;
use crate::diagnostic::Diagnostic;
use crate::source;

/// Print which files and directories are read to render, for Argo CD and CI.
// Rendering again gives the same as long as nothing in these files and directories changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cd apps/prod && kaito paths -f .
  kaito paths -R -f apps/prod --path apps/prod
  kaito paths -R -f apps/prod -o lines")]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
    /// The path of the Argo CD Application, its spec.source.path
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Output")]
    path: PathBuf,
    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The value of Argo CD's annotation argocd.argoproj.io/manifest-generate-paths
    #[default]
    Annotation,
    /// One path a line, from the root of the repository
    Lines,
}

/// Prints the paths.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let paths = read(args, &mut findings).and_then(|read| {
        let application = from_repository(&args.path).map_err(|finding| findings.push(finding)).ok()?;
        Some((application, read))
    });
    if output::findings(findings, color, "printed") {
        return Exit::Invalid;
    }
    let Some((application, read)) = paths else { return Exit::Invalid };
    let read: Vec<&Path> = read.iter().map(PathBuf::as_path).collect();
    output::data(&match args.output {
        Format::Annotation => format!("{}\n", argocd::generate_paths(&application, &read)),
        Format::Lines => lines(&read),
    })
}

/// What is read, from the root of the repository; `None` if something can't be.
fn read(args: &Args, findings: &mut Vec<Diagnostic>) -> Option<Vec<PathBuf>> {
    if args.input.filename.iter().any(|path| path.as_os_str() == "-") {
        findings.push(Diagnostic::error("standard input has no path").help("name files and directories with -f"));
        return None;
    }
    let setup = Setup::new(&args.rendering, &args.input, findings)?;
    setup.read(&args.input, findings);
    let inputs = args.input.filename.iter().map(PathBuf::as_path);
    let paths = inputs.chain(setup.read_besides()).map(from_repository);
    paths.map(|path| path.map_err(|finding| findings.push(finding)).ok()).collect()
}

fn from_repository(path: &Path) -> Result<PathBuf, Diagnostic> {
    source::from_repository(path).ok_or_else(|| {
        let finding = Diagnostic::error(format!("{} is in no git repository", path.display()));
        finding.help("paths are told from the root of one; an Application's files are all in it")
    })
}

fn lines(read: &[&Path]) -> String {
    let mut lines: Vec<String> = read.iter().map(|path| path.display().to_string()).collect();
    lines.iter_mut().filter(|line| line.is_empty()).for_each(|line| ".".clone_into(line));
    lines.sort();
    lines.dedup();
    lines.join("\n") + "\n"
}
