//! The flags of `kaito watch`.

use std::path::PathBuf;
use std::time::Duration;

use crate::apply::Adopt;
use crate::cli::applyset::named;
use crate::cli::cluster::{ClusterArgs, duration, field_manager};
use crate::cli::setup::RenderingArgs;
use crate::prune::{AllowedKind, MaxPrune};

/// Keep a cluster as files say, which may change: in a directory, or in a git repository.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 told to stop, 1 the input is invalid, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito watch -R -f clusters/prod --applyset prod")]
pub(crate) struct Args {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub rendering: RenderingArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// What is followed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// File or directory to follow, with Workspaces and what belongs to them
    #[arg(short, long = "filename", value_name = "PATH", value_delimiter = ',', required = true)]
    pub filename: Vec<PathBuf>,
    /// Read the directories with all below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// After how long to look once more, should nobody have told of a change
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub interval: Duration,
}

/// What is done in the cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Set")]
pub(crate) struct SetArgs {
    /// ApplySet that keeps what was applied: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named, default_value = "kaito")]
    pub applyset: String,
    /// Delete what the ApplySet has and the files haven't
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub prune: bool,
    /// Most objects that are pruned at once: a number, or a share of the set such as 25%; more, and none is
    #[arg(long, value_name = "N|N%")]
    pub max_prune: Option<MaxPrune>,
    /// Kinds that are pruned though their Workspace is still there, or they belong to none: namespaces, pvc, crds, nodeclaims, ...
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub prune_allow: Vec<AllowedKind>,
    /// Namespaces that objects may be in, or '*' for all [default: the one of -n, of kaito.yaml or of the context]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Apply the Workspaces themselves too, if the cluster has their CustomResourceDefinition, and tell in their status how they are doing
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub include_workspace: bool,
    /// Take fields that other managers have set otherwise
    #[arg(long)]
    pub force_conflicts: bool,
    /// Managers that are overruled, by the beginnings of their names: what they have set by hand is put right
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "kubectl,before-first-apply")]
    pub override_managers: Vec<String>,
    /// Who applies
    #[arg(long, value_name = "NAME", default_value = "kaito", value_parser = field_manager)]
    pub field_manager: String,
    /// Which objects that are there already are taken over from others
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub adopt: Adopt,
    /// Delete and make anew what can't be changed in place: workloads, nodes; never claims of volumes
    #[arg(long)]
    pub replace: bool,
    /// How many objects at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
}
