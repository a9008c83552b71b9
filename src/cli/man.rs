//! `kaito man`: the pages of `man`, for packages.

use std::path::PathBuf;

use clap::CommandFactory;

use super::Cli;
use super::output::{self, Exit};

/// Write the pages of man.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito man ~/.local/share/man/man1 && man kaito-render")]
pub(super) struct Args {
    /// Directory, which is made if it isn't there; pages of an earlier version are written over
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes them.
pub(super) fn run(args: &Args) -> Exit {
    let written = std::fs::create_dir_all(&args.directory).and_then(|()| clap_mangen::generate_to(Cli::command(), &args.directory));
    match written {
        Ok(()) => Exit::Done,
        Err(error) => {
            output::error(&format!("{}: {error}", args.directory.display()));
            Exit::Invalid
        }
    }
}
