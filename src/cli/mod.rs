//! The command line: one file a verb, `output` to print, `setup` for what the verbs share.

mod apply;
mod applyset;
mod argocd;
mod cluster;
mod completion;
mod control;
mod crd;
mod delete;
mod diff;
mod explain;
mod function;
mod images;
mod install;
mod lint;
mod output;
mod paths;
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

use clap::{Parser, Subcommand};

use output::Color;
pub use output::Exit;

/// Kaito's Workspaces as the Kubernetes manifests they stand for.
#[derive(Debug, Parser)]
#[command(name = "kaito", version = concat!(env!("CARGO_PKG_VERSION"), " (renders Kaito 0.12 and 0.3)"), arg_required_else_help = true, propagate_version = false)]
#[command(after_help = "Exit codes: 0 done, 1 the input is invalid or rendering failed, 2 wrong usage.")]
pub struct Cli {
    /// When to colour messages
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the manifests that Workspaces stand for
    Render(render::Args),
    /// Push these manifests to a registry, as an artifact for Flux
    Push(push::Args),
    /// Check Workspaces and what belongs to them, without rendering anything
    #[command(visible_alias = "validate")]
    Lint(lint::Args),
    /// Show what a change does: objects, restarts, nodes and GPUs
    Diff(diff::Args),
    /// Make a cluster hold what Workspaces stand for: server-side apply, inventory, prune, health
    Apply(apply::Args),
    /// Keep a cluster as files say, which may change
    Watch(Box<watch::Args>),
    /// Print what runs `kaito watch` in a cluster: rights, Deployment and what belongs to it
    Install(Box<install::Args>),
    /// Print by its names what `kaito install` has printed, for `kubectl delete`
    Uninstall(install::UninstallArgs),
    /// Leave a set that is watched alone, or some of its Workspaces
    Suspend(control::SuspendArgs),
    /// Go on with a set that was suspended or rolled back
    Resume(control::ResumeArgs),
    /// Go back to an earlier revision of a set that is watched
    Rollback(control::RollbackArgs),
    /// Have a set that is watched looked at now
    Reconcile(control::ReconcileArgs),
    /// Delete what was applied, the last applied first
    Delete(delete::Args),
    /// Show how Workspaces are doing in a cluster: nodes, pods, readiness, and why not
    Status(status::Args),
    /// Show what Workspaces are made of in a cluster: objects, pods and nodes, and how each is doing
    Tree(tree::Args),
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
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = error.exit_code();
            // Help goes to standard output, which may be a closed pipe.
            _ = error.print();
            return if code == 0 { Exit::Done.into() } else { Exit::Usage.into() };
        }
    };
    let exit = match cli.command {
        Command::Render(args) => render::run(&args, cli.color),
        Command::Push(args) => push::run(&args, cli.color),
        Command::Lint(args) => lint::run(&args, cli.color),
        Command::Diff(args) => diff::run(&args, cli.color),
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
    };
    exit.into()
}
