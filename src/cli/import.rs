//! `kaito import`: the repository for what a cluster holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::cluster::{ClusterArgs, Stop, Verb, unreachable};
use super::output::{self, Color, Exit};
use super::setup::namespace_name;
use crate::cluster::{Cluster, ClusterError, Unread};
use crate::diagnostic::{Diagnostic, plural};
use crate::import::{self, Choices, GROUP, Repository, Seen, Sets};
use crate::inventory::GroupKind;
use crate::output_dir;

/// What is said not to be done when there is nothing to write.
const DONE: &str = "written";

const VERB: Verb = Verb { bare: "import", done: DONE };

/// Write the repository for a cluster that Kaito's operator runs: Workspaces and kaito.yaml.
// The same is rendered under the latter as is there. The cluster is only read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 there is nothing, or a file is in the way, 2 wrong usage, 4 the cluster can't be asked.

Examples:
  kaito import --live -A --output-dir clusters/prod
  kaito import --live -n models --context prod --output-dir clusters/prod
  kaito diff -R -f clusters/prod --live")]
pub(super) struct Args {
    /// Import what is in a cluster, that of the kubeconfig unless flags say otherwise
    #[arg(long, required = true)]
    live: bool,
    /// Namespace [default: the one of the context]
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Write the Workspaces of InferenceSets and MultiRoleInferences in the place of these sets, so that they keep their names and nodes
    #[arg(long)]
    expand_sets: bool,
    /// Patch in kaito.yaml the names that NodeClaims and Machines have, for Argo CD, Flux and `kubectl apply`, which can't look for them as
    /// `kaito apply` and `kaito watch` do
    #[arg(long)]
    keep_node_names: bool,
    /// Directory to write to
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    output_dir: PathBuf,
    /// Replace files that are there and say something else
    #[arg(long, help_heading = "Output")]
    force: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Imports.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    match import(args, color) {
        Ok(repository) => write(args, repository, color),
        Err(stop) => stop.into(),
    }
}

fn import(args: &Args, color: Color) -> Result<Repository, Stop> {
    let mut cluster = args.cluster.connect(color, VERB)?;
    if let Some(namespace) = args.namespace.as_deref().filter(|name| !name.is_empty()) {
        cluster.use_namespace(namespace);
    }
    let namespace = (!args.all_namespaces).then(|| cluster.namespace().to_owned());
    let refused = |error| refused(&error, namespace.as_deref(), color);
    let survey = cluster.survey(import::searches(namespace.as_deref())).map_err(refused)?;
    if !survey.has_group(GROUP) {
        let finding = Diagnostic::error(format!("the cluster knows no kind of {GROUP}: Kaito isn't installed there"));
        return Err(unwritten(finding.help("--context and --kubeconfig choose another cluster"), color));
    }
    let seen = cluster.look_around(&survey).map_err(refused)?;
    let unread: BTreeMap<GroupKind, String> = seen.unread.into_iter().map(|Unread { kind, why }| (kind, why)).collect();
    let mut missing = unread.iter().filter(|(kind, _)| kind.group == GROUP && kind.kind != "ModelMirror");
    if let Some((kind, why)) = missing.next() {
        let finding = Diagnostic::error(format!("{kind} can't be listed: {why}"));
        return Err(said(vec![finding.help(rights(namespace.as_deref()))], color, Stop::Unreachable));
    }
    let sets = if args.expand_sets { Sets::Expanded } else { Sets::Whole };
    let mut objects = seen.objects;
    let named = import::config_maps(&objects, sets);
    objects.extend(config_maps(&cluster, &named).map_err(refused)?);
    let repository =
        import::repository(Seen { objects: &objects, unread: &unread }, Choices { sets, keeps_node_names: args.keep_node_names });
    if repository.files.is_empty() {
        let place = namespace.map_or_else(|| "the cluster".to_owned(), |namespace| format!("the namespace {namespace}"));
        let finding = Diagnostic::error(format!("{place} has no Workspace, and nothing else of {GROUP}"));
        let help = if args.all_namespaces {
            "--context and --kubeconfig choose another cluster"
        } else {
            "-A looks into all namespaces, -n NAME into another one"
        };
        return Err(unwritten(finding.help(help), color));
    }
    Ok(repository)
}

fn config_maps(cluster: &Cluster, named: &BTreeSet<(String, String)>) -> Result<Vec<serde_json::Value>, ClusterError> {
    let found = named.iter().map(|(namespace, name)| cluster.config_map(namespace, name));
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Says why there is nothing to write.
fn unwritten(finding: Diagnostic, color: Color) -> Stop {
    said(vec![finding], color, Stop::Unrenderable)
}

fn said(findings: Vec<Diagnostic>, color: Color, stop: Stop) -> Stop {
    output::findings(findings, color, DONE);
    stop
}

fn refused(error: &ClusterError, namespace: Option<&str>, color: Color) -> Stop {
    match error {
        ClusterError::Refused { .. } => said(vec![Diagnostic::error(error.to_string()).help(rights(namespace))], color, Stop::Unreachable),
        error => unreachable(error, color, DONE),
    }
}

fn rights(namespace: Option<&str>) -> String {
    let place = namespace.map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("`kaito rbac --for import{place}` prints the rights that are needed; `kubectl auth can-i --list` tells which there are")
}

/// Writes all files, or none where one is in the way.
fn write(args: &Args, repository: Repository, color: Color) -> Exit {
    let directory = &args.output_dir;
    let shown = directory.display();
    let changed: Vec<(PathBuf, &String)> =
        repository.files.iter().map(|(path, text)| (directory.join(path), text)).filter(|(path, text)| !is_so(path, text)).collect();
    let in_the_way: Vec<String> =
        changed.iter().filter(|(path, _)| path.symlink_metadata().is_ok()).map(|(path, _)| path.display().to_string()).collect();
    if !in_the_way.is_empty() && !args.force {
        let finding = Diagnostic::error(format!(
            "{} {} there, and {} something else",
            in_the_way.join(", "),
            if in_the_way.len() == 1 { "is" } else { "are" },
            if in_the_way.len() == 1 { "says" } else { "say" }
        ));
        return said(vec![finding.help("--force replaces it; or choose another directory")], color, Stop::Unrenderable).into();
    }
    for (path, text) in &changed {
        if let Err(error) = output_dir::write_file(path, text) {
            output::error(&error.to_string());
            return Exit::Invalid;
        }
    }
    output::findings(repository.findings, color, DONE);
    output::done(&match changed.len() {
        0 => format!("{shown} is up to date, and holds {}", repository.contents),
        count => {
            format!("wrote {} into {shown}, which holds {}", plural(count.try_into().unwrap_or(u64::MAX), "file"), repository.contents)
        }
    });
    Exit::Done
}

/// Whether a file is there, with that text.
fn is_so(path: &Path, text: &str) -> bool {
    fs::read(path).is_ok_and(|have| have == text.as_bytes())
}
