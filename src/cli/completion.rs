//! `kaito completion SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::{self, Exit};

/// Print a completion script, to be read by the shell: `source <(kaito completion bash)`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> Exit {
    output::completion(args.shell, super::Cli::command())
}
