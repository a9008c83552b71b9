//! How the loop reads and plans files: as the other verbs do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::cluster::{with_any_side, with_side};
use crate::cli::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::Diagnostic;
use crate::diff::Side;
use crate::source::Tree;
use crate::watch;

/// Which files are read, and how they are rendered.
pub(super) struct Planner {
    pub paths: Vec<PathBuf>,
    pub recursive: bool,
    pub rendering: RenderingArgs,
    /// The namespace of objects that name none, unless `kaito.yaml` or a flag says otherwise.
    pub namespace: String,
    /// What is read, in the same words on every machine.
    pub inputs: String,
    /// Whether it is the cluster that is read: then it may well be that there is nothing, and objects are in namespaces of their own.
    pub is_cluster: bool,
}

impl Planner {
    pub(super) fn setup(&self, tree: &Arc<dyn Tree>, findings: &mut Vec<Diagnostic>) -> Option<Setup> {
        let mut setup = Setup::at(Arc::clone(tree), &self.rendering, &self.paths, findings)?;
        if !setup.says_namespace {
            setup.options.namespace.clone_from(&self.namespace);
        }
        if self.is_cluster {
            setup.options.namespace_is_required = false;
            setup.options.is_partial = false;
        }
        Some(setup)
    }

    /// What to watch on disk, so that no change is missed: the input, and what `kaito.yaml` names.
    pub(super) fn watched(&self, tree: &Arc<dyn Tree>) -> Vec<PathBuf> {
        let mut paths = self.paths.clone();
        if let Some(setup) = self.setup(tree, &mut Vec::new()) {
            paths.extend(setup.read_besides().map(Path::to_owned));
        }
        // What is below another one is watched with it.
        let all = paths.clone();
        paths.retain(|path| !all.iter().any(|other| other != path && other.is_dir() && path.starts_with(other)));
        paths
    }
}

impl watch::Planner for Planner {
    fn inputs(&self) -> String {
        self.inputs.clone()
    }

    fn is_there(&self, tree: &Arc<dyn Tree>) -> bool {
        self.is_cluster || self.paths.iter().all(|path| tree.kind(path).is_some())
    }

    fn key(&self, tree: &Arc<dyn Tree>) -> Option<String> {
        let setup = self.setup(tree, &mut Vec::new())?;
        let paths = self.paths.iter().map(PathBuf::as_path).chain(setup.read_besides());
        let ids: Option<Vec<String>> = paths.map(|path| Some(format!("{}={}", path.display(), tree.id(path)?))).collect();
        ids.map(|ids| ids.join(" "))
    }

    fn plan(&self, tree: &Arc<dyn Tree>, then: &mut dyn FnMut(&watch::Planned<'_>)) -> Result<(), Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let Some(setup) = self.setup(tree, &mut findings) else { return Err(findings) };
        let inputs = InputArgs { filename: self.paths.clone(), recursive: self.recursive, revision: None };
        let world = setup.world();
        let then = |side: &Side<'_>| then(&watch::Planned { side, namespace: &setup.options.namespace, world: &world });
        if self.is_cluster {
            with_any_side(&setup, &inputs, findings, then);
            return Ok(());
        }
        with_side(&setup, &inputs, findings, "apply", then)
    }
}
