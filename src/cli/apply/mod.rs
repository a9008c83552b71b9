//! `kaito apply`: make a cluster hold what Workspaces stand for.

mod args;
mod objects;
mod report;
mod wait;

use super::applyset;
use super::cluster::{Stop, Target, Verb, stop, touched_namespaces, with_target};
use super::output::{self, Color, Exit};
use super::setup::InputArgs;
use crate::apply::DryRun;
use crate::reconcile::{Pass, Pruning, Set, Settings, Trouble, Workspaces};
use crate::source::Repository;
pub(super) use args::Args;
use report::Report;

/// Applies.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let apply = |target: &Target<'_>| Applying { args, target, color }.run();
    with_target(&args.input, &args.rendering, &args.cluster, color, Verb { bare: "apply", done: "applied" }, apply)
        .unwrap_or_else(Exit::from)
}

struct Applying<'a> {
    args: &'a Args,
    target: &'a Target<'a>,
    color: Color,
}

impl Applying<'_> {
    fn run(&self) -> Result<Exit, Stop> {
        let (args, cluster) = (self.args, self.target.cluster);
        let is_broken = output::findings_with(self.target.side.findings.to_vec(), self.color, "what they are about is not applied");
        let settings = self.settings();
        let pass = Pass { cluster, side: self.target.side, settings: &settings, is_broken, unrendered: None, operator: None, only: None };
        let mut set = self.set()?;
        let wanted = pass.wanted(set.as_ref()).map_err(|trouble| self.stopped(&trouble))?;
        let inputs = applyset::read(&args.input);
        let revision = args.set.applyset.as_ref().and_then(|_| revision(&args.input));
        let pruning = Pruning {
            prune: args.set.prune,
            max_prune: args.set.max_prune,
            allowed: &args.set.prune_allow,
            patience: args.wait.wait.then_some(args.wait.timeout),
            revision: revision.as_deref(),
            inputs: &inputs,
            others_failed: false,
            rendering: None,
        };
        let mut report = Report::new(args.output, args.apply.dry_run, args.wait.wait);
        let passed = pass.run(wanted, None, set.as_mut(), &pruning, &mut report);
        let (exit, waiting) = report.finish(passed.as_ref().err(), self.color);
        let passed = passed.map_err(|trouble| Stop::from(&trouble))?;
        let exit = match waiting.filter(|_| args.apply.dry_run == DryRun::None) {
            Some(waiting) if exit == Exit::Done => waiting.until_healthy(&passed.kinds, self)?,
            Some(waiting) => {
                waiting.until_healthy(&passed.kinds, self)?;
                exit
            }
            None => exit,
        };
        Ok(if is_broken && exit == Exit::Done { Exit::Invalid } else { exit })
    }

    fn set(&self) -> Result<Option<Set>, Stop> {
        let Some(name) = &self.args.set.applyset else { return Ok(None) };
        let parent = applyset::parent(self.target.cluster, name, self.color, "applied")?;
        Set::open(self.target.cluster, parent, self.args.set.prune).map(Some).map_err(|trouble| self.stopped(&trouble))
    }

    fn settings(&self) -> Settings {
        let args = &self.args.apply;
        Settings {
            manager: args.field_manager.clone(),
            dry_run: args.dry_run,
            force_conflicts: args.force_conflicts,
            adopt: args.adopt,
            replace: args.replace,
            namespaces: touched_namespaces(&args.namespaces, self.target.cluster.namespace()),
            workspaces: if args.include_workspace { Workspaces::Included } else { Workspaces::Left },
            concurrency: args.concurrency.into(),
            patience: self.args.wait.timeout,
            overrides: Vec::new(),
            honours_pauses: false,
        }
    }

    /// Says why there is nothing to go on with.
    fn stopped(&self, trouble: &Trouble) -> Stop {
        stop(trouble, self.color, trouble.undone())
    }
}

/// The revision that the input is read from, as Flux writes revisions: `main@sha1:COMMIT`.
fn revision(inputs: &InputArgs) -> Option<String> {
    let name = inputs.revision.as_ref()?;
    let commit = Repository::open().ok()?.side(name).ok()?.commit?;
    Some(if commit.starts_with(name.as_str()) { format!("sha1:{commit}") } else { format!("{name}@sha1:{commit}") })
}
