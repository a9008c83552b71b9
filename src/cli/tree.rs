//! `kaito tree`: what Workspaces are made of in a cluster.

use clap::ValueEnum;

use super::cluster::Stop;
use super::columns::Columns;
use super::output::{self, Color, Exit};
use super::survey::{ScopeArgs, paint};
use crate::status::{self, Breadth};
use crate::yaml;

/// Show what Workspaces are made of in a cluster: objects, pods and nodes, and how each is doing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 nothing is called so, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito tree phi-4 -n models
  kaito tree --applyset prod")]
pub(super) struct Args {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Print this instead of the lines
    #[arg(short, long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The trees in JSON
    Json,
}

/// Shows.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    show(args, color).unwrap_or_else(Exit::from)
}

fn show(args: &Args, color: Color) -> Result<Exit, Stop> {
    let mut scope = args.scope.open(Breadth::Everything, color)?;
    let sight = scope.look().map_err(|error| scope.unreachable(&error))?;
    // Only the nodes of what is shown are worth a question.
    let without_nodes = status::tree(&sight.rows, &sight.objects, &[], &sight.sets);
    let (nodes, unread) = scope.cluster.nodes(&status::node_names(&without_nodes)).map_err(|error| scope.unreachable(&error))?;
    scope.unread(unread);
    let trees = status::tree(&sight.rows, &sight.objects, &nodes, &sight.sets);
    let printed = match args.output {
        Some(Format::Json) => output::data(&format!("{}\n", yaml::to_json(&status::tree_json(&trees)))),
        None if trees.is_empty() => Exit::Done,
        None => {
            let columns = Columns::new(if color.on_output() { paint } else { |_| None });
            output::data(&columns.on_terminal().lines(&status::tree_lines(&trees)))
        }
    };
    if sight.rows.is_empty() && !scope.is_named() && args.output.is_none() {
        scope.nothing();
    }
    Ok(if scope.missing(&sight.rows) { Exit::Invalid } else { printed })
}
