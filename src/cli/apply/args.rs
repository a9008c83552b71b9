//! The flags of `kaito apply`.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::super::applyset::named;
use super::super::cluster::{ClusterArgs, duration, field_manager};
use super::super::setup::{InputArgs, RenderingArgs};
use super::objects::Format;
use crate::apply::{Adopt, DryRun};
use crate::prune::{AllowedKind, MaxPrune};

/// Make a cluster hold what Workspaces stand for: server-side apply, inventory, prune, health.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 the input is invalid or something was not applied, 2 wrong usage, 3 not healthy in time,
4 the cluster can't be reached, 5 more would be pruned than --max-prune allows.

Examples:
  kaito apply -f workspace.yaml
  kaito apply -f workspace.yaml --dry-run=server
  kaito apply -R -f clusters/prod --namespaces models,rag --applyset prod --prune --wait")]
pub(crate) struct Args {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub rendering: RenderingArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub apply: ApplyArgs,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Print the objects as they are then (json, yaml), or their names, instead of what was done
    #[arg(short, long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output: Option<Format>,
}

/// How objects are applied.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Apply")]
pub(crate) struct ApplyArgs {
    /// Change nothing: say what would be done as far as it is known here (client), or to the server (server)
    #[arg(long, value_enum, default_value_t, value_name = "none|client|server", hide_possible_values = true)]
    pub dry_run: DryRun,
    /// Take fields that other managers have set otherwise
    #[arg(long)]
    pub force_conflicts: bool,
    /// Who applies
    #[arg(long, value_name = "NAME", default_value = "kaito", value_parser = field_manager)]
    pub field_manager: String,
    /// How many objects at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Delete and make anew what can't be changed in place: workloads, nodes; never claims of volumes
    #[arg(long)]
    pub replace: bool,
    /// Which objects that are there already are taken over from others
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub adopt: Adopt,
    /// Namespaces that objects may be in, or '*' for all [default: the one of -n, of kaito.yaml or of the context]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Apply the Workspaces of the input too, for `kubectl get workspaces`; refused while an operator of Kaito runs
    #[arg(long)]
    pub include_workspace: bool,
    /// Server-side apply, as always
    #[arg(long, hide = true)]
    pub server_side: bool,
}

/// What was applied before, and what goes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Inventory")]
pub(crate) struct SetArgs {
    /// ApplySet that keeps what was applied: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named)]
    pub applyset: Option<String>,
    /// Delete what the ApplySet has and the input hasn't
    #[arg(long, requires = "applyset")]
    pub prune: bool,
    /// Most objects that are pruned at once: a number, or a share of the set such as 25%; more, and none is
    #[arg(long, value_name = "N|N%", requires = "prune")]
    pub max_prune: Option<MaxPrune>,
    /// Kinds that are pruned though their Workspace is still there, or they belong to none: namespaces, pvc, crds, nodeclaims, ...
    #[arg(long, value_name = "KINDS", value_delimiter = ',', requires = "prune")]
    pub prune_allow: Vec<AllowedKind>,
}

/// Whether to wait until everything is up.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Health")]
pub(crate) struct WaitArgs {
    /// Wait until everything is healthy; ends early when something can't become so
    #[arg(long)]
    pub wait: bool,
    /// How long to wait for that, and for what is deleted to be gone
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub timeout: Duration,
}

impl ValueEnum for DryRun {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::None, Self::Client, Self::Server]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::None => "none",
            Self::Client => "client",
            Self::Server => "server",
        }))
    }
}

impl ValueEnum for Adopt {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::IfNoOwner, Self::All, Self::Never]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::IfNoOwner => {
                PossibleValue::new("if-no-owner").help("Those of nobody, and those of Kaito's operator if it no longer runs")
            }
            Self::All => PossibleValue::new("all").help("All, by force"),
            Self::Never => PossibleValue::new("never").help("None"),
        })
    }
}
