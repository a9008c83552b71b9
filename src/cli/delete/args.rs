//! The flags of `kaito delete`.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::super::applyset::named;
use super::super::cluster::{ClusterArgs, duration, field_manager};
use super::super::setup::{InputArgs, RenderingArgs};
use crate::apply::DryRun;
use crate::delete::Cascade;
use crate::prune::AllowedKind;

/// Delete what was applied, the last applied first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 something was not deleted, 2 wrong usage, 3 not gone in time, 4 the cluster can't be reached.

Examples:
  kaito delete --applyset prod -n models
  kaito delete --applyset prod -n models phi-4
  kaito delete -R -f clusters/prod --applyset prod --dry-run=server"
)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["applyset", "filename"]))]
pub(crate) struct Args {
    /// Workspaces and RAGEngines of the ApplySet that go, with all that belongs to them [default: the whole set]
    #[arg(value_name = "[NAMESPACE/]WORKSPACE", requires = "applyset", conflicts_with = "filename")]
    pub workspaces: Vec<String>,
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub rendering: RenderingArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub delete: DeleteArgs,
}

/// Which files to read, if any.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct FileArgs {
    /// File or directory with Workspaces and what belongs to them, which goes; `-` for standard input
    #[arg(short, long, value_name = "PATH", value_delimiter = ',')]
    filename: Vec<PathBuf>,
    /// Read the directories given with -f with all below them
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Read from a revision of the git repository instead of the disk: all files and directories, kaito.yaml among them
    #[arg(long, value_name = "REVISION", requires = "filename")]
    revision: Option<String>,
}

impl FileArgs {
    /// The files to read, if there are any.
    pub(super) fn input(&self) -> Option<InputArgs> {
        let Self { filename, recursive, revision } = self;
        (!filename.is_empty()).then(|| InputArgs { filename: filename.clone(), recursive: *recursive, revision: revision.clone() })
    }
}

/// What is deleted, and how.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Delete")]
pub(crate) struct DeleteArgs {
    /// ApplySet that keeps what was applied: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named)]
    pub applyset: Option<String>,
    /// Who has applied what goes
    #[arg(long, value_name = "NAME", default_value = "kaito", value_parser = field_manager)]
    pub field_manager: String,
    /// Kinds that go though much is lost with them: namespaces, pvc, crds, ...
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub allow: Vec<AllowedKind>,
    /// What becomes of pods and other objects that belong to what is deleted: they go after it, before it, or stay
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub cascade: Cascade,
    /// Change nothing: say what would be deleted as far as it is known here (client), or to the server (server)
    #[arg(long, value_enum, default_value_t, value_name = "none|client|server", hide_possible_values = true)]
    pub dry_run: DryRun,
    /// What isn't there is no error
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Wait until everything is gone; without, everything is asked to go at once
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub wait: bool,
    /// How long to wait for that
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub timeout: Duration,
    /// Print the names of what was deleted, and no more
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
}

/// How objects are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Kind and name of each object
    Name,
}

impl ValueEnum for Cascade {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Background, Self::Foreground, Self::Orphan]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Background => "background",
            Self::Foreground => "foreground",
            Self::Orphan => "orphan",
        }))
    }
}
