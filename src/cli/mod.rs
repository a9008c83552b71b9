//! The command line: one file a verb, `output` to print, `setup` for what the verbs share.

mod apply;
mod applyset;
mod argocd;
mod called;
mod chat;
mod ci;
mod cluster;
mod columns;
mod completion;
mod control;
mod crd;
mod delete;
mod diff;
mod explain;
mod function;
mod images;
mod import;
mod init;
mod install;
mod lint;
mod man;
mod memory;
mod output;
mod paths;
mod plugins;
mod preset;
mod push;
mod rbac;
mod render;
mod rendered_branch;
mod schema;
mod setup;
mod sku;
mod status;
mod survey;
mod timings;
mod tree;
mod watch;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use called::Called;
use output::Color;
pub use output::Exit;

/// Kaito's Workspaces as the Kubernetes manifests they stand for.
#[derive(Debug, Parser)]
#[command(name = "kaito", version = concat!(env!("CARGO_PKG_VERSION"), " (renders Kaito 0.12 and 0.3)"), arg_required_else_help = true, propagate_version = false)]
#[command(
    after_help = "Exit codes: 0 done, 1 the input is invalid or something could not be done, 2 wrong usage; what else there is says each verb.

Examples:
  kaito init                            # a small repository to begin with
  kaito render -f workspace.yaml        # what it stands for, without a cluster
  kaito diff main...HEAD                # what a branch changes
  kaito apply -f workspace.yaml --wait  # make it so, until it is served
  kaito status                          # how it is doing
  kaito chat phi-4                      # talk to the model
  kaito render --help                   # all about a verb"
)]
pub struct Cli {
    /// When to colour messages
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

// The flags of a verb are only built if it is asked for. What is said of it stands there too, since it is said again then.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Write a small repository to begin with
    Init(init::Args),
    /// Print the manifests that Workspaces stand for
    Render(render::Args),
    /// Push these manifests to a registry, as an artifact for Flux
    Push(push::Args),
    /// Check Workspaces and what belongs to them, without rendering anything
    #[command(visible_alias = "validate")]
    Lint(lint::Args),
    /// Show what a change does: objects, restarts, nodes and GPUs
    Diff(diff::Args),
    /// Do all that a pull request wants: lint, rendered files, diff, gates, one comment
    Ci(Box<ci::Args>),
    /// Make a cluster hold what Workspaces stand for: server-side apply, inventory, prune, health
    Apply(apply::Args),
    /// Keep a cluster as a git repository or a directory says, change by change
    Watch(Box<watch::Args>),
    /// Print what runs `kaito watch` in a cluster: rights, Deployment and what belongs to it
    Install(Box<install::Args>),
    /// Print the names of what `kaito install` has printed, for `kubectl delete`
    Uninstall(install::UninstallArgs),
    /// Leave a set that is watched alone, or some of its Workspaces
    Suspend(control::SuspendArgs),
    /// Go on with a set that was suspended or rolled back
    Resume(control::ResumeArgs),
    /// Go back to an earlier revision of a set that is watched
    Rollback(control::RollbackArgs),
    /// Have a set that is watched looked at now, not at its next turn
    Reconcile(control::ReconcileArgs),
    /// Delete what was applied, the last applied first
    Delete(delete::Args),
    /// Show how Workspaces are doing in a cluster: nodes, pods, readiness, and why not
    Status(status::Args),
    /// Show what Workspaces are made of in a cluster: objects, pods and nodes, and how each is doing
    Tree(tree::Args),
    /// Talk to a model that runs in a cluster
    Chat(chat::Args),
    /// Write the repository for a cluster that Kaito's operator runs: Workspaces and kaito.yaml
    Import(import::Args),
    /// Print the rights that files need in a cluster: Roles and bindings
    Rbac(rbac::Args),
    /// Print which files and directories are read to render, for Argo CD and CI
    Paths(paths::Args),
    /// Work as a KRM function for kustomize and kpt
    Fn(function::Args),
    /// Show the formula and origin of every figure of a Workspace
    Explain(explain::Args),
    /// Show where a field of a rendered object comes from
    Why(why::Args),
    /// List the images that Workspaces need, for mirrors
    Images(images::Args),
    /// Look into the catalog of models, and add to it
    #[command(subcommand)]
    Preset(preset::Command),
    /// Look into the tables of node sizes
    #[command(subcommand)]
    Sku(sku::Command),
    /// Print the JSON schema of kaito.yaml, or of another file that kaito reads
    Schema(schema::Args),
    /// Print the CRDs of the kinds that kaito reads
    Crd(crd::Args),
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Make this program a plugin of kubectl, for `kubectl kaito render` and other verbs
    InstallPlugins(plugins::Args),
    /// Write the pages of man
    Man(man::Args),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    memory::keep_private();
    if let Some(answered) = completion::answer_shell() {
        return answered.into();
    }
    let called = Called::of(std::env::args_os());
    if called.completes {
        return completion::answer_cobra(&called).into();
    }
    let mut command = called.command(Cli::command());
    let parsed = command.try_get_matches_from_mut(called.words).and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    let cli = match parsed.map_err(|error| error.format(&mut command)) {
        Ok(cli) => cli,
        Err(error) => {
            let code = error.exit_code();
            // Help goes to standard output, which may be a closed pipe.
            _ = error.print();
            return if code == 0 { Exit::Done.into() } else { Exit::Usage.into() };
        }
    };
    let exit = match cli.command {
        Command::Init(args) => init::run(&args, cli.color),
        Command::Render(args) => render::run(&args, cli.color),
        Command::Push(args) => push::run(&args, cli.color),
        Command::Lint(args) => lint::run(&args, cli.color),
        Command::Diff(args) => diff::run(&args, cli.color),
        Command::Ci(args) => ci::run(&args, cli.color),
        Command::Apply(args) => apply::run(&args, cli.color),
        Command::Watch(args) => watch::run(&args, cli.color),
        Command::Install(args) => install::run(&args, cli.color),
        Command::Uninstall(args) => install::uninstall(&args, cli.color),
        Command::Suspend(args) => control::suspend(&args, cli.color),
        Command::Resume(args) => control::resume(&args, cli.color),
        Command::Rollback(args) => control::rollback(&args, cli.color),
        Command::Reconcile(args) => control::reconcile(&args, cli.color),
        Command::Delete(args) => delete::run(&args, cli.color),
        Command::Status(args) => status::run(&args, cli.color),
        Command::Tree(args) => tree::run(&args, cli.color),
        Command::Chat(args) => chat::run(&args, cli.color),
        Command::Import(args) => import::run(&args, cli.color),
        Command::Rbac(args) => rbac::run(&args, cli.color),
        Command::Paths(args) => paths::run(&args, cli.color),
        Command::Fn(function::Args {}) => function::run(cli.color),
        Command::Explain(args) => explain::run(&args, cli.color),
        Command::Why(args) => why::run(&args, cli.color),
        Command::Images(args) => images::run(&args, cli.color),
        Command::Preset(command) => preset::run(&command, cli.color),
        Command::Sku(command) => sku::run(&command, cli.color),
        Command::Schema(args) => schema::run(&args),
        Command::Crd(args) => crd::run(&args),
        Command::Completion(args) => completion::run(&args),
        Command::InstallPlugins(args) => plugins::run(&args),
        Command::Man(args) => man::run(&args),
    };
    exit.into()
}
