//! `kaito apply`: make a cluster hold what Workspaces stand for.

mod args;
mod objects;
mod report;
mod set;
mod wait;

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{Stop, Target, Verb, unreachable, with_target};
use super::output::{self, Color, Exit};
use crate::apply::{DryRun, Operator, Terms, decide, is_forced, touches_operator};
use crate::cluster::{ClusterError, How, Kinds};
use crate::diff::Owner;
use crate::diff::live::AllWanted;
use crate::inventory;
use crate::manifest::ObjectRef;
pub(super) use args::Args;
use report::Report;
use set::Set;
use wait::Waiting;

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
        let mut set = Set::open(args, self.target, self.color)?;
        let mut wanted = self.target.wanted(self.color, "applied")?;
        if args.apply.include_workspace {
            self.target.side.include_workspaces(&mut wanted);
        }
        if let Some(set) = &set {
            let objects = wanted.values_mut().flat_map(BTreeMap::values_mut);
            objects.for_each(|wanted| inventory::mark(&mut wanted.desired, &set.parent.id()));
        }
        let mut kinds = self.reached(cluster.find(&mut wanted))?;
        let references = self.references(&wanted, &kinds);
        let terms = self.terms(&wanted, set.as_ref())?;
        let (steps, refusals) = decide(wanted, &terms);
        let mut report = Report::new(args.output, args.apply.dry_run);
        report.refused(refusals);
        if let Some(set) = &mut set {
            set.prepare(&references, self)?;
        }
        let how = How {
            manager: args.apply.field_manager.clone(),
            dry_run: args.apply.dry_run,
            concurrency: args.apply.concurrency.into(),
            patience: args.wait.timeout,
        };
        let mut waiting = Waiting::default();
        let applied = cluster.apply(&mut kinds, steps, &how, &mut |done| {
            if args.wait.wait {
                waiting.applied(&done);
            }
            report.done(done);
        });
        if let Err(error) = applied {
            report.finish(self.color);
            return Err(unreachable(&error, self.color, "applied after that"));
        }
        if let Some(set) = set {
            let concluded = set.conclude(&references, is_broken, &mut report, self);
            if let Err(stop) = concluded {
                report.finish(self.color);
                return Err(stop);
            }
        }
        let mut exit = report.finish(self.color);
        if args.wait.wait && args.apply.dry_run == DryRun::None {
            let waited = waiting.until_healthy(&kinds, self)?;
            exit = if exit == Exit::Done { waited } else { exit };
        }
        Ok(if is_broken && exit == Exit::Done { Exit::Invalid } else { exit })
    }

    fn terms<'t>(&'t self, wanted: &AllWanted, set: Option<&'t Set>) -> Result<Terms<'t>, Stop> {
        let args::ApplyArgs { field_manager, adopt, replace, force_conflicts, namespaces, .. } = &self.args.apply;
        let cluster = self.target.cluster;
        let set = set.map(|set| set.id.as_str());
        let operator = if touches_operator(wanted, field_manager, set) { self.reached(cluster.operator())? } else { Operator::Gone };
        let allowed: BTreeSet<String> = namespaces.iter().cloned().chain([cluster.namespace().to_owned()]).collect();
        Ok(Terms {
            manager: field_manager,
            set,
            adopt: *adopt,
            operator,
            replace: *replace,
            forced: self.forced(),
            force_conflicts: *force_conflicts,
            namespace: cluster.namespace(),
            namespaces: (!allowed.contains("*")).then_some(allowed),
        })
    }

    /// The Workspaces whose objects may be replaced, since they say so.
    fn forced(&self) -> BTreeSet<Owner> {
        let session = self.target.side.session;
        let workspaces = session.plans().map(|plan| ("Workspace", plan.key(), &plan.workspace.metadata));
        let engines = session.rag_engines().map(|planned| ("RAGEngine", planned.key(), &planned.engine.metadata));
        let forced = workspaces.chain(engines).filter(|(.., metadata)| is_forced(metadata));
        forced.map(|(kind, (namespace, name), _)| Owner { kind, namespace: namespace.to_owned(), name: name.to_owned() }).collect()
    }

    /// What identifies everything that is wanted.
    fn references(&self, wanted: &AllWanted, kinds: &Kinds) -> BTreeSet<ObjectRef> {
        let objects = wanted.values().flat_map(BTreeMap::values);
        objects.filter_map(|wanted| self.target.cluster.reference(kinds, &wanted.desired)).collect()
    }

    /// What a cluster answered before anything was done; that it didn't is said.
    fn reached<T>(&self, answer: Result<T, ClusterError>) -> Result<T, Stop> {
        answer.map_err(|error| unreachable(&error, self.color, "applied"))
    }

    /// What a cluster answered when everything was applied; that it didn't is said.
    fn pruned<T>(&self, answer: Result<T, ClusterError>) -> Result<T, Stop> {
        answer.map_err(|error| unreachable(&error, self.color, "pruned after that"))
    }
}
