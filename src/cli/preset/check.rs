//! `kaito preset check`.

use std::path::PathBuf;

use super::output::{self, Color, Exit};
use crate::cli::setup::{known_version, own_presets};
use crate::diagnostic::{Diagnostic, plural};
use crate::preset::{Layer, check};
use crate::source::{self, Disk};

/// Check preset files of your own: fields, figures, arguments, and what they change of what is built in.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kaito preset check presets")]
pub(in crate::cli) struct Args {
    /// Directories with presets, each over the one before [default: `presets` of kaito.yaml]
    #[arg(value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Kaito version over whose presets they stand [default: the newest]
    #[arg(long, value_name = "VERSION", value_parser = known_version)]
    kaito_version: Option<String>,
    /// Configuration file that names the presets [default: the kaito.yaml here or above]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Checks.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let Some((version, own)) = own_presets(args.config.clone(), args.kaito_version.clone(), &mut findings) else {
        output::findings(findings, color, "checked");
        return Exit::Invalid;
    };
    let directories: Vec<PathBuf> = if args.directories.is_empty() { own.into_iter().collect() } else { args.directories.clone() };
    if directories.is_empty() {
        output::error("no presets are named: say which directory, or name it as `presets` in kaito.yaml");
        return Exit::Usage;
    }
    let mut layers = vec![Layer::embedded(&version)];
    layers.extend(directories.iter().map(|directory| source::preset_layer(&Disk, directory, &mut findings)));
    let files: usize = layers[1..].iter().map(|layer| layer.own().len()).sum();
    if files == 0 && findings.is_empty() {
        let names: Vec<String> = directories.iter().map(|directory| directory.display().to_string()).collect();
        findings.push(Diagnostic::error(format!("{} holds no presets: no .yaml, .yml or .json", names.join(", "))));
    }
    let checked = check(&version, &layers);
    findings.extend(checked.findings);
    let warnings = findings.iter().filter(|finding| finding.severity == crate::diagnostic::Severity::Warning).count();
    if output::findings(findings, color, "accepted") {
        return Exit::Invalid;
    }
    let counts = [(files, "file"), (checked.models, "model"), (checked.skus, "size")].map(|(count, noun)| plural(count as u64, noun));
    output::done(&match warnings {
        0 => format!("{}: nothing is wrong", counts.join(", ")),
        warnings => format!("{}: {}", counts.join(", "), plural(warnings as u64, "warning")),
    });
    Exit::Done
}
