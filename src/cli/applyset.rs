//! The set that verbs are told of with `--applyset`.

use serde_json::Value;

use super::cluster::{Stop, unreachable};
use super::output::{self, Color};
use super::setup::InputArgs;
use crate::cluster::Cluster;
use crate::diagnostic::Diagnostic;
use crate::inventory::{Parent, Record};
use crate::source::named_alike;

/// A set, as it was found.
pub(super) struct Found {
    /// What keeps it.
    pub parent: Parent,
    /// The live object that keeps it, and what that says; `None` if it isn't there.
    pub live: Option<(Value, Record)>,
}

/// Looks a set up, so that nothing is `done` if it can't be used.
///
/// # Errors
/// It belongs to somebody else, or the cluster can't be asked; that has been said.
pub(super) fn find(cluster: &Cluster, name: &str, color: Color, done: &str) -> Result<Found, Stop> {
    let refused = |finding: Diagnostic| {
        output::findings(vec![finding], color, done);
        Stop::Unrenderable
    };
    let parent =
        Parent::parse(name, cluster.namespace()).map_err(|message| refused(Diagnostic::error(format!("--applyset: {message}"))))?;
    let live = cluster.parent(&parent).map_err(|error| unreachable(&error, color, done))?;
    let read = |live: Value| {
        let record = parent.read(&live).map_err(|fault| refused(Diagnostic::error(fault.to_string()).help(fault.help())))?;
        Ok((live, record))
    };
    let live = live.map(read).transpose()?;
    Ok(Found { parent, live })
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
