//! Candidates for the values of flags: from the catalog, the kubeconfig, the files that are named, and the cluster if it answers soon.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::builder::StyledStr;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use crate::cluster::{self, Connection, User};
use crate::options::{Cloud, FeatureGates, NodeImageFamily, Options};
use crate::preset::{Catalog, Layer, embedded_versions};
use crate::source::{Disk, Inputs};
use crate::spec::Input;
use crate::status::{self, Breadth, Row};

/// How long a cluster may take to answer somebody who types.
const PATIENCE: Duration = Duration::from_secs(2);

/// The versions of Kaito.
pub(in crate::cli) fn versions() -> ArgValueCandidates {
    ArgValueCandidates::new(|| embedded_versions().into_iter().map(CompletionCandidate::new).collect())
}

/// The feature gates, as they are turned on.
pub(in crate::cli) fn feature_gates() -> ArgValueCandidates {
    ArgValueCandidates::new(|| FeatureGates::names().map(|gate| CompletionCandidate::new(format!("{gate}=true"))).collect())
}

/// The operating systems of nodes.
pub(in crate::cli) fn image_families() -> ArgValueCandidates {
    ArgValueCandidates::new(|| NodeImageFamily::ALL.into_iter().map(|family| CompletionCandidate::new(family.name())).collect())
}

/// The models.
pub(in crate::cli) fn presets() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(catalog) = catalog() else { return Vec::new() };
        if catalog.is_v0_3() {
            return catalog.preset_names().map(CompletionCandidate::new).collect();
        }
        catalog.models().map(|found| candidate(found.value.name(), found.value.repository())).collect()
    })
}

/// The sizes of nodes of the cloud that is named, or of the usual one.
pub(in crate::cli) fn instance_types() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let cloud = value_of(&["--cloud"]).and_then(|name| Cloud::by_name(&name)).unwrap_or_default();
        let Some(catalog) = catalog() else { return Vec::new() };
        let skus = catalog.skus(cloud).map(|found| &found.value);
        skus.map(|sku| candidate(sku.name.clone(), format!("{} x {}", sku.gpus, sku.model))).collect()
    })
}

/// The contexts of the kubeconfig.
pub(in crate::cli) fn contexts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let kubeconfig = value_of(&["--kubeconfig"]).map(PathBuf::from);
        cluster::contexts(kubeconfig.as_deref()).into_iter().map(CompletionCandidate::new).collect()
    })
}

/// The Workspaces of the files that are named.
pub(in crate::cli) fn declared() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let paths: Vec<PathBuf> =
            values_of(&["-f", "--filename"]).flat_map(|value| split(&value)).filter(|path| path != "-").map(PathBuf::from).collect();
        let recursive = words().any(|word| word == "-R" || word == "--recursive");
        let inputs = Inputs { tree: &Disk, paths: &paths, recursive, except: &[], config: None };
        let mut findings = Vec::new();
        let input = Input::read(&inputs.read(&mut findings), &Options::default(), &mut findings);
        input.workspaces.iter().map(|located| candidate(located.value.metadata.name.clone(), located.namespace.clone())).collect()
    })
}

/// The Workspaces of the cluster.
pub(in crate::cli) fn running() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let rows = soon(|cluster| {
            let namespace = value_of(&["-n", "--namespace"]).unwrap_or_else(|| cluster.namespace().to_owned());
            let all = words().any(|word| word == "-A" || word == "--all-namespaces");
            let mut searches = status::searches((!all).then_some(namespace.as_str()), Breadth::Health);
            searches.retain(|search| ["Workspace", "RAGEngine", "StatefulSet", "Deployment", "Job"].contains(&search.kind.kind.as_str()));
            let survey = cluster.survey(searches).ok()?;
            Some(status::rows(&cluster.look_around(&survey).ok()?.objects))
        });
        let told = |row: &Row| candidate(row.name(), if row.is_ready() { "ready".to_owned() } else { row.health.message.clone() });
        rows.iter().flatten().map(told).collect()
    })
}

fn candidate(value: String, help: String) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(StyledStr::from(help)))
}

/// The catalog of the version that is named, or of the newest, without what a repository adds to it.
fn catalog() -> Option<Catalog> {
    let named = value_of(&["--kaito-version"]).and_then(|version| super::super::setup::known_version(&version).ok());
    let version = named.or_else(|| embedded_versions().into_iter().next())?;
    Catalog::load(&version, &[Layer::embedded(&version)]).ok()
}

/// What a cluster answers, if it does so while somebody waits. Who waits no longer leaves the thread to itself, as the process ends.
fn soon<T: Send + 'static>(ask: impl FnOnce(&cluster::Cluster) -> Option<T> + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let kubeconfig = value_of(&["--kubeconfig"]).map(PathBuf::from);
        let connection = Connection::read(kubeconfig.as_deref(), value_of(&["--context"]).as_deref());
        let user = User { name: value_of(&["--as"]), groups: values_of(&["--as-group"]).collect() };
        let cluster = connection.and_then(|connection| connection.acting_as(user).cluster());
        _ = tell.send(cluster.ok().as_ref().and_then(ask));
    });
    told.recv_timeout(PATIENCE).ok().flatten()
}

/// The words that have been typed, among them what the shell's script says.
fn words() -> impl Iterator<Item = String> {
    std::env::args_os().skip(1).filter_map(|word| word.into_string().ok())
}

/// The value of a flag that was typed already.
fn value_of(names: &'static [&'static str]) -> Option<String> {
    values_of(names).last()
}

fn values_of(names: &'static [&'static str]) -> impl Iterator<Item = String> {
    values(&words().collect::<Vec<_>>(), names).into_iter()
}

/// `--flag VALUE`, `--flag=VALUE`, `-fVALUE`.
fn values(words: &[String], names: &[&str]) -> Vec<String> {
    let after = words.windows(2).filter(|pair| names.contains(&pair[0].as_str())).map(|pair| pair[1].clone());
    let within = words.iter().filter_map(|word| {
        names.iter().find_map(|name| {
            let rest = word.strip_prefix(name).filter(|rest| !rest.is_empty())?;
            if name.starts_with("--") { rest.strip_prefix('=') } else { Some(rest.trim_start_matches('=')) }
        })
    });
    after.chain(within.map(ToOwned::to_owned)).collect()
}

fn split(value: &str) -> Vec<String> {
    value.split(',').map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_were_typed() {
        let table: [(&str, &[&str], &[&str]); 6] = [
            ("status --context prod", &["--context"], &["prod"]),
            ("status --context=prod", &["--context"], &["prod"]),
            ("status --contextual=prod", &["--context"], &[]),
            ("explain -f a -fb --filename=c", &["-f", "--filename"], &["a", "b", "c"]),
            ("explain -f", &["-f"], &[]),
            ("explain --first", &["-f", "--filename"], &[]),
        ];
        for (line, names, want) in table {
            let mut have = values(&line.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>(), names);
            have.sort();
            assert_eq!(have, want, "{line}");
        }
    }
}
