//! `kaito diff --live`: what applying would change in a cluster.

use std::path::PathBuf;

use super::Outcome;
use crate::cli::cluster::{ClusterArgs, Stop, Target, Verb, field_manager, unreachable, with_target};
use crate::cli::output::{self, Color};
use crate::cli::setup::{InputArgs, RenderingArgs};
use crate::diff::{Report, live};

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
        let compare = |target: &Target<'_>| self.compare(target, show_secrets, color);
        Ok(with_target(&inputs, rendering, &self.cluster, color, Verb { bare: "compare", done: "compared" }, compare)?)
    }

    fn compare(&self, target: &Target<'_>, show_secrets: bool, color: Color) -> Result<(Report, bool), Stop> {
        let mut wanted = target.wanted(color, "compared")?;
        let asked = target.cluster.compare(&mut wanted, &self.field_manager, self.ask_all);
        asked.map_err(|error| unreachable(&error, color, "compared"))?;
        let report = live::report(target.side, wanted, &self.field_manager, show_secrets, target.setup.prices.as_ref());
        let is_broken = output::findings_with(target.side.findings.to_vec(), color, "what they are about was not compared");
        Ok((report, is_broken))
    }
}
