//! `kaito diff --live`: what applying would change in a cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::Outcome;
use crate::cli::applyset::{self, named};
use crate::cli::cluster::{ClusterArgs, Stop, Target, Verb, field_manager, unreachable, with_target};
use crate::cli::output::{self, Color};
use crate::cli::setup::{InputArgs, RenderingArgs};
use crate::cluster::{ClusterError, Extent, Kinds};
use crate::diff::Report;
use crate::diff::live::{self, AllWanted};
use crate::inventory;
use crate::prune::{self, Candidate, Facts};
use crate::reconcile::Found;

/// Which files are compared with which cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Live")]
#[command(mut_arg("kubeconfig", |arg| arg.requires("live")), mut_arg("context", |arg| arg.requires("live")), mut_arg("as_user", |arg| arg.requires("live")))]
pub(super) struct LiveArgs {
    /// Compare the files of -f with a cluster: what would a server-side apply of them change?
    #[arg(long, requires = "filename")]
    pub live: bool,
    /// File or directory with Workspaces and what belongs to them; `-` for standard input
    #[arg(short, long, value_name = "PATH", value_delimiter = ',', requires = "live")]
    filename: Vec<PathBuf>,
    /// Read from a revision of the git repository instead of the disk
    #[arg(long, value_name = "REVISION", requires = "live")]
    revision: Option<String>,
    /// Who would apply
    #[arg(long, value_name = "NAME", default_value = "kaito", value_parser = field_manager, requires = "live")]
    field_manager: String,
    /// Ask the server about every object, also where nothing can change unless a webhook changes it
    #[arg(long, requires = "live")]
    ask_all: bool,
    /// Show also what an apply of this ApplySet would prune: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named, requires = "live")]
    applyset: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unrenderable => Self::Unrenderable,
            Stop::Unreachable => Self::Unreachable,
        }
    }
}

impl LiveArgs {
    /// Compares; and whether there is anything that could not be compared. What is wrong has been said then.
    pub(super) fn report(
        &self,
        recursive: bool,
        rendering: &RenderingArgs,
        show_secrets: bool,
        color: Color,
    ) -> Result<(Report, bool), Outcome> {
        let inputs = InputArgs { filename: self.filename.clone(), recursive, revision: self.revision.clone() };
        let compare = |target: &Target<'_>| self.compare(target, &applyset::read(&inputs), show_secrets, color);
        Ok(with_target(&inputs, rendering, &self.cluster, color, Verb { bare: "compare", done: "compared" }, compare)?)
    }

    fn compare(&self, target: &Target<'_>, read: &str, show_secrets: bool, color: Color) -> Result<(Report, bool), Stop> {
        let reached = |error| unreachable(&error, color, "compared");
        let mut wanted = target.wanted(color, "compared")?;
        let set = self.applyset.as_ref().map(|name| applyset::find(target.cluster, name, color, "compared")).transpose()?;
        if let Some(set) = &set {
            let objects = wanted.values_mut().flat_map(BTreeMap::values_mut);
            objects.for_each(|wanted| inventory::mark(&mut wanted.desired, &set.parent.id()));
        }
        let kinds = target.cluster.compare(&mut wanted, &self.field_manager, self.ask_all).map_err(reached)?;
        let gone = match &set {
            Some(set) => pruned(set, &wanted, &kinds, target, read).map_err(reached)?,
            None => Vec::new(),
        };
        let report = live::report(target.side, wanted, gone, &self.field_manager, show_secrets, target.setup.prices.as_ref());
        let is_broken = output::findings_with(target.side.findings.to_vec(), color, "what they are about was not compared");
        Ok((report, is_broken))
    }
}

/// The members of a set that an apply would prune, whole.
fn pruned(set: &Found, wanted: &AllWanted, kinds: &Kinds, target: &Target<'_>, read: &str) -> Result<Vec<Value>, ClusterError> {
    let Some((_, record)) = &set.live else { return Ok(Vec::new()) };
    let (cluster, id) = (target.cluster, set.parent.id());
    let wanted = wanted.values().flat_map(BTreeMap::values).filter_map(|wanted| cluster.reference(kinds, &wanted.desired)).collect();
    let (members, kinds) = cluster.members(&set.parent, &record.contents, Extent::Metadata)?;
    let (staying, others) = inventory::sorted(&members, &wanted);
    let candidates = others.iter().filter_map(|member| Candidate::of(member).ok()).collect();
    let facts = Facts { has_render_failed: !target.side.findings.is_empty(), ..Facts::default() };
    let owners = target.side.owners();
    let other_inputs = record.inputs.as_deref().filter(|inputs| *inputs != read);
    let context = prune::Context { set: &id, owners: &owners, allowed: &[], namespaces: None, other_inputs };
    let plan = prune::plan(candidates, &staying, &wanted, &context, &facts);
    let doomed = plan.map(|plan| plan.prune.iter().map(|candidate| candidate.object().clone()).collect());
    cluster.whole(&kinds, doomed.unwrap_or_default())
}
