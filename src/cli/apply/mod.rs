//! `kaito apply`: make a cluster hold what Workspaces stand for.

mod args;
mod objects;
mod report;
mod set;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use serde_json::{Value, json};

use super::cluster::{Stop, Target, Verb, unreachable, with_target};
use super::output::{self, Color, Exit};
use crate::apply::{Done, DryRun, Operator, Step, Terms, decide, is_forced, touches_operator};
use crate::cluster::{Cluster, ClusterError, How, Kinds};
use crate::diff::Owner;
use crate::diff::live::{AllWanted, Wanted};
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

/// What is to be done.
struct Planned {
    set: Option<Set>,
    kinds: Kinds,
    /// What identifies everything that is wanted.
    names: Vec<Value>,
    steps: Vec<Step>,
    is_broken: bool,
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
        let (set, wanted) = thread::scope(|scope| {
            let wanted = scope.spawn(|| self.target.wanted(self.color, "applied"));
            (Set::open(args, self.target, self.color), wanted.join())
        });
        let (mut set, mut wanted) = (set?, wanted.unwrap_or_else(|panic| resume_unwind(panic))?);
        if args.apply.include_workspace {
            self.target.side.include_workspaces(&mut wanted);
        }
        if let Some(set) = &set {
            let objects = wanted.values_mut().flat_map(BTreeMap::values_mut);
            objects.for_each(|wanted| inventory::mark(&mut wanted.desired, &set.id));
        }
        let read = set.as_mut().map_or(&mut [][..], |set| &mut set.members);
        let kinds = self.reached(cluster.find(&mut wanted, read, true))?;
        let mut report = Report::new(args.output, args.apply.dry_run);
        report.refused(cluster.twice(&kinds, &mut wanted));
        let names = identities(&wanted);
        report.refused(self.reached(cluster.nowhere(&kinds, &mut wanted))?);
        let terms = self.terms(&wanted, set.as_ref())?;
        let (steps, refusals) = decide(wanted, &terms);
        report.refused(refusals);
        let mut plan = Planned { set, kinds, names, steps, is_broken };
        let applied = self.apply(&mut plan, &mut report);
        let exit = report.finish(self.color);
        let waiting = applied?;
        let exit = match waiting {
            Some(waiting) if exit == Exit::Done => waiting.until_healthy(&plan.kinds, self)?,
            Some(waiting) => {
                waiting.until_healthy(&plan.kinds, self)?;
                exit
            }
            None => exit,
        };
        Ok(if is_broken && exit == Exit::Done { Exit::Invalid } else { exit })
    }

    /// Does what is planned; what is to be waited for then.
    fn apply(&self, plan: &mut Planned, report: &mut Report) -> Result<Option<Waiting>, Stop> {
        let (args, cluster) = (self.args, self.target.cluster);
        let how = How {
            manager: args.apply.field_manager.clone(),
            dry_run: args.apply.dry_run,
            concurrency: args.apply.concurrency.into(),
            patience: args.wait.timeout,
        };
        let mut waiting = Waiting::default();
        let mut take = |done: Done| {
            if args.wait.wait {
                waiting.applied(&done);
            }
            report.done(done);
        };
        let after = |error: ClusterError| unreachable(&error, self.color, "applied after that");
        if let Some(set) = &mut plan.set {
            // What keeps the set may have to be put into a namespace that comes with it.
            let is_home = |step: &Step| step.reference.kind == "Namespace" && step.reference.name == set.parent.namespace;
            if how.dry_run == DryRun::None {
                let (home, rest) = std::mem::take(&mut plan.steps).into_iter().partition(|step| is_home(step) && step.live.is_none());
                plan.steps = rest;
                cluster.apply(&mut plan.kinds, home, &how, &mut take).map_err(after)?;
            }
            set.prepare(&references(cluster, &plan.kinds, &plan.names), self)?;
        }
        cluster.apply(&mut plan.kinds, std::mem::take(&mut plan.steps), &how, &mut take).map_err(after)?;
        if let Some(set) = plan.set.take() {
            // Only now it is known of some kinds whether they have namespaces.
            set.conclude(&references(cluster, &plan.kinds, &plan.names), plan.is_broken, report, self)?;
        }
        Ok(Some(waiting).filter(|_| args.wait.wait && args.apply.dry_run == DryRun::None))
    }

    /// The namespaces that may be touched; `None` for all.
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        let named = self.args.apply.namespaces.iter().cloned();
        let allowed: BTreeSet<String> = named.chain([self.target.cluster.namespace().to_owned()]).collect();
        (!allowed.contains("*")).then_some(allowed)
    }

    fn terms<'t>(&'t self, wanted: &AllWanted, set: Option<&'t Set>) -> Result<Terms<'t>, Stop> {
        let args::ApplyArgs { field_manager, adopt, replace, force_conflicts, .. } = &self.args.apply;
        let cluster = self.target.cluster;
        let parent = set.map(|set| set.parent.reference());
        let set = set.map(|set| set.id.as_str());
        let operator = if touches_operator(wanted, field_manager, set) { self.reached(cluster.operator())? } else { Operator::Gone };
        Ok(Terms {
            manager: field_manager,
            set,
            parent,
            adopt: *adopt,
            operator,
            replace: *replace,
            forced: self.forced(),
            force_conflicts: *force_conflicts,
            namespace: cluster.namespace(),
            namespaces: self.namespaces(),
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

    /// What a cluster answered before anything was done; that it didn't is said.
    fn reached<T>(&self, answer: Result<T, ClusterError>) -> Result<T, Stop> {
        answer.map_err(|error| unreachable(&error, self.color, "applied"))
    }

    /// What a cluster answered when everything was applied; that it didn't is said.
    fn pruned<T>(&self, answer: Result<T, ClusterError>) -> Result<T, Stop> {
        answer.map_err(|error| unreachable(&error, self.color, "pruned after that"))
    }
}

/// What identifies everything that is wanted, as it is written.
fn identities(wanted: &AllWanted) -> Vec<Value> {
    let identity = |wanted: &Wanted| {
        let field = |name: &str| wanted.desired[name].clone();
        let metadata = json!({"name": wanted.desired["metadata"]["name"], "namespace": wanted.desired["metadata"]["namespace"]});
        json!({"apiVersion": field("apiVersion"), "kind": field("kind"), "metadata": metadata})
    };
    wanted.values().flat_map(BTreeMap::values).map(identity).collect()
}

fn references(cluster: &Cluster, kinds: &Kinds, names: &[Value]) -> BTreeSet<ObjectRef> {
    names.iter().filter_map(|name| cluster.reference(kinds, name)).collect()
}
