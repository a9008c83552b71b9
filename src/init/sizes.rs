//! On which sizes of nodes a model fits: whatever the planner says of each.

use rayon::prelude::*;

use super::Repository;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::session::Session;
use crate::spec::Input;

/// A size of node on which a model fits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Whether something is said against it, such as that its GPUs are old.
    pub is_doubtful: bool,
    /// How many nodes it takes.
    pub nodes: u64,
    /// The memory of all GPUs of a node, in bytes.
    pub memory: u64,
    /// How many GPUs a node has.
    pub gpus: u64,
    /// Its name.
    pub name: String,
    /// The model of its GPUs.
    pub model: String,
}

impl Repository<'_> {
    /// The sizes of the cloud on which the model fits, the best first: without doubts, on few nodes, with little memory.
    pub fn sizes(&self) -> Vec<Size> {
        let skus: Vec<_> = self.catalog.skus(self.cloud).map(|found| &found.value).collect();
        let mut sizes: Vec<Size> = skus
            .into_par_iter()
            .filter_map(|sku| {
                let (nodes, is_doubtful) = self.plan(&sku.name).ok()?;
                let (memory, gpus) = (sku.memory.bytes(), sku.gpus);
                Some(Size { is_doubtful, nodes, memory, gpus, name: sku.name.clone(), model: sku.model.clone() })
            })
            .collect();
        sizes.sort();
        sizes
    }

    /// How many nodes of this size the Workspace takes, and whether something is said against them.
    ///
    /// # Errors
    /// Why it can't run on them.
    pub fn plan(&self, instance_type: &str) -> Result<(u64, bool), Vec<Diagnostic>> {
        let text = self.workspace(instance_type).map_err(|error| vec![Diagnostic::error(error.to_string())])?;
        let options = self.options();
        let mut findings = Vec::new();
        let input = Input::read(&[SourceFile::new(format!("workspaces/{}.yaml", self.name), text)], &options, &mut findings);
        let session = Session::new(&input, self.catalog, &options, false, &mut findings);
        let nodes = session.plans().map(|plan| plan.nodes.count).next();
        match nodes.filter(|_| !findings.iter().any(Diagnostic::is_error)) {
            Some(nodes) => Ok((nodes, !findings.is_empty())),
            None => Err(findings),
        }
    }
}
