//! The set that verbs are told of with `--applyset`.

use super::cluster::{Stop, stop};
use super::output::{self, Color};
use super::setup::InputArgs;
use crate::cluster::Cluster;
use crate::diagnostic::Diagnostic;
use crate::inventory::Parent;
use crate::reconcile::Found;
use crate::source::named_alike;

/// What keeps a set, so that nothing is `done` if it can't.
///
/// # Errors
/// It is no name of a set; that has been said.
pub(super) fn parent(cluster: &Cluster, name: &str, color: Color, done: &str) -> Result<Parent, Stop> {
    Parent::parse(name, cluster.namespace()).map_err(|message| {
        output::findings(vec![Diagnostic::error(format!("--applyset: {message}"))], color, done);
        Stop::Unrenderable
    })
}

/// Looks a set up, so that nothing is `done` if it can't be used.
///
/// # Errors
/// It belongs to somebody else, or the cluster can't be asked; that has been said.
pub(super) fn find(cluster: &Cluster, name: &str, color: Color, done: &str) -> Result<Found, Stop> {
    Found::look_up(cluster, parent(cluster, name, color, done)?).map_err(|trouble| stop(&trouble, color, done))
}

/// What may keep a set. Its namespace is known only later.
pub(super) fn named(text: &str) -> Result<String, String> {
    Parent::parse(text, "default").map(|_| text.to_owned())
}

/// What is read, in the same words on every machine that has the same repository.
pub(super) fn read(inputs: &InputArgs) -> String {
    let mut paths: Vec<String> = inputs.filename.iter().map(|path| named_alike(path)).collect();
    paths.sort();
    paths.dedup();
    let below = if inputs.recursive { " and all below" } else { "" };
    format!("{}{below}", paths.join(","))
}
