//! `kaito install-plugins`: the names by which kubectl finds this program.

use std::io;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::output::{self, Exit};

/// The verbs that are plugins unless somebody names others. `kubectl-kaito` itself is Kaito's own plugin, which goes on to answer all that isn't
/// among these, such as `kubectl kaito deploy` and `kubectl kaito chat`.
const VERBS: [&str; 19] = [
    "apply",
    "delete",
    "diff",
    "explain",
    "images",
    "init",
    "lint",
    "preset",
    "rbac",
    "reconcile",
    "render",
    "resume",
    "rollback",
    "sku",
    "status",
    "suspend",
    "tree",
    "watch",
    "why",
];

/// Make this program a plugin of kubectl, for `kubectl kaito render` and other verbs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "kubectl-kaito, which is the plugin of Kaito's own, is left alone and answers all other verbs; of its verbs, `status` becomes
that of this program.

Examples:
  kaito install-plugins
  kaito install-plugins ~/.local/bin
  kaito install-plugins ~/.local/bin --verbs render,diff,chat
  kubectl kaito render -f workspace.yaml"
)]
pub(super) struct Args {
    /// Directory for the links, which should be one of PATH [default: where this program is]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Verbs that become plugins
    #[arg(long, value_name = "VERBS", value_delimiter = ',', value_parser = verbs(), default_values = VERBS, hide_default_value = true)]
    verbs: Vec<String>,
}

/// Every verb may become one.
fn verbs() -> impl clap::builder::TypedValueParser<Value = String> {
    use clap::builder::TypedValueParser as _;
    clap::builder::NonEmptyStringValueParser::new().try_map(|verb| {
        use clap::CommandFactory as _;
        let command = super::Cli::command();
        let is_verb = command.get_subcommands().any(|known| known.get_name() == verb && !known.is_hide_set());
        if is_verb { Ok(verb) } else { Err(format!("{verb} is no verb of kaito")) }
    })
}

/// Makes the links.
pub(super) fn run(args: &Args) -> Exit {
    match install(args) {
        Ok(done) => {
            output::done(&done);
            Exit::Done
        }
        Err(message) => {
            output::error(&message);
            Exit::Invalid
        }
    }
}

fn install(args: &Args) -> Result<String, String> {
    let program = env::current_exe().map_err(|error| format!("it can't be told where this program is: {error}"))?;
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => program.parent().map(Path::to_owned).unwrap_or_default(),
    };
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let names = args.verbs.iter().map(|verb| verb.replace('-', "_"));
    let links: Vec<PathBuf> = names
        .flat_map(|verb| [format!("kubectl-kaito-{verb}"), format!("kubectl_complete-kaito-{verb}")])
        .map(|name| directory.join(name + env::consts::EXE_SUFFIX))
        .collect();
    // Either all or nothing is linked.
    if let Some(other) = links.iter().find(|link| !is_ours(link, &program)) {
        return Err(format!("{} is there and not kaito's: remove it, or name another directory", other.display()));
    }
    for link in &links {
        relink(&program, link).map_err(|error| format!("{}: {error}", link.display()))?;
    }
    let done = format!("{}: kubectl kaito {}", directory.display(), args.verbs.join(", "));
    Ok(if is_on_path(&directory) { done } else { format!("{done}\nkubectl doesn't find them yet: add {} to PATH", directory.display()) })
}

/// Whether nothing is there, or a link that was made so, be it to a kaito that is gone.
fn is_ours(link: &Path, program: &Path) -> bool {
    match (fs::symlink_metadata(link), fs::read_link(link)) {
        (Err(error), _) => error.kind() == io::ErrorKind::NotFound,
        (Ok(_), Ok(to)) => to == program || to.file_stem().is_some_and(|name| name == "kaito"),
        // Where there are no links there is a second name for the same file, which can't be told from another.
        (Ok(_), Err(_)) => cfg!(not(unix)),
    }
}

/// Puts a link in its place, at once.
fn relink(program: &Path, link: &Path) -> io::Result<()> {
    if fs::read_link(link).is_ok_and(|to| to == program) {
        return Ok(());
    }
    let folder = link.parent().unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new().prefix(".kaito-").tempdir_in(folder)?;
    let new = beside.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(program, &new)?;
    #[cfg(not(unix))]
    fs::hard_link(program, &new)?;
    fs::rename(&new, link)
}

fn is_on_path(directory: &Path) -> bool {
    let same = |one: &Path| one == directory || fs::canonicalize(one).ok() == fs::canonicalize(directory).ok();
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|one| same(&one)))
}
