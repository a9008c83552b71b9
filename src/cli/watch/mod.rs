//! `kaito watch`: keep a cluster as files say.

mod args;
mod planner;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::applyset;
use super::cluster::{Stop, Verb, unreachable};
use super::output::{self, Color, Exit};
use super::setup::{InputArgs, Setup};
use crate::apply::DryRun;
use crate::diagnostic::Diagnostic;
use crate::reconcile::{Settings, Workspaces};
use crate::source::{Disk, Tree};
use crate::watch::feed::{Audience, Call, Directory};
use crate::watch::{Event, SetConfig, Worker};
pub(super) use args::Args;
use planner::Planner;

/// What nothing was, if it can't begin.
const DONE: &str = "watched";

/// How long to wait for something to be gone before what takes its place is made. What takes longer is gone on with later.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches until it is told to stop.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    watch(args, color).unwrap_or_else(Exit::from)
}

fn watch(args: &Args, color: Color) -> Result<Exit, Stop> {
    output::log();
    let refused = |findings| {
        output::findings(findings, color, DONE);
        Stop::Unrenderable
    };
    let mut findings = Vec::new();
    let Some(setup) = Setup::at(Arc::new(Disk), &args.rendering, &args.source.filename, &mut findings) else {
        return Err(refused(findings));
    };
    let connection = args.cluster.connection(color, Verb { bare: "watch", done: DONE })?;
    let cluster = connection.cluster().map_err(|error| unreachable(&error, color, DONE))?;
    let namespace = if setup.says_namespace { setup.options.namespace.clone() } else { cluster.namespace().to_owned() };
    let cluster = cluster.in_namespace(&namespace);
    let parent = applyset::parent(&cluster, &args.set.applyset, color, DONE)?;
    let input = InputArgs { filename: args.source.filename.clone(), recursive: args.source.recursive, revision: None };
    let planner = Planner {
        paths: args.source.filename.clone(),
        recursive: args.source.recursive,
        rendering: args.rendering.clone(),
        namespace: namespace.clone(),
        inputs: applyset::read(&input),
    };
    let config = SetConfig {
        name: format!("{namespace}/{}", parent.name),
        parent,
        settings: settings(args, &namespace),
        prune: args.set.prune,
        max_prune: args.set.max_prune,
        allowed: args.set.prune_allow.clone(),
    };
    let disk: Arc<dyn Tree> = Arc::new(Disk);
    let watched = planner.watched(&disk);
    let (outbox, inbox) = channel();
    let worker =
        Worker::new(config, connection, Arc::new(planner), (outbox.clone(), inbox)).map_err(|error| unreachable(&error, color, DONE))?;
    let mut audience = Audience::default();
    audience.add(outbox.clone());
    let (caller, calls) = channel();
    let directory = Directory { paths: watched, audience, interval: args.source.interval };
    let unstartable = |error: std::io::Error| refused(vec![Diagnostic::error(format!("there can't be another thread: {error}"))]);
    let working = thread::Builder::new().name("worker".to_owned()).spawn(move || worker.run()).map_err(unstartable)?;
    let own_caller = caller.clone();
    let feeding = thread::Builder::new().name("feed".to_owned()).spawn(move || directory.run((own_caller, &calls))).map_err(unstartable)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(unstartable)?;
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        _ = outbox.send(Event::Reconcile);
        _ = caller.send(Call::Look);
    }
    _ = outbox.send(Event::Stop);
    _ = caller.send(Call::Stop);
    _ = working.join();
    match feeding.join() {
        Ok(Err(finding)) => Err(refused(vec![finding])),
        _ => Ok(Exit::Done),
    }
}

fn settings(args: &Args, namespace: &str) -> Settings {
    let named = args.set.namespaces.iter().cloned();
    let allowed: BTreeSet<String> = named.chain([namespace.to_owned()]).collect();
    Settings {
        manager: args.set.field_manager.clone(),
        dry_run: DryRun::None,
        force_conflicts: args.set.force_conflicts,
        adopt: args.set.adopt,
        replace: args.set.replace,
        namespaces: (!allowed.contains("*")).then_some(allowed),
        workspaces: if args.set.include_workspace { Workspaces::IncludedIfKnown } else { Workspaces::Left },
        concurrency: args.set.concurrency.into(),
        patience: PATIENCE,
        overrides: args.set.override_managers.clone(),
    }
}
