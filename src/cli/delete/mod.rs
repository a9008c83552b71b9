//! `kaito delete`: delete what was applied.

mod args;
mod report;
mod set;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use super::cluster::{Stop, Target, Verb, unreachable, with_target};
use super::output::{self, Color, Exit};
use crate::apply::{DryRun, Holder, holder};
use crate::cluster::{Cluster, ClusterError, Kinds};
use crate::delete::{Doomed, count_in, plan};
use crate::diff::Owner;
use crate::diff::live::Live;
use crate::inventory::Member;
use crate::manifest::ObjectRef;
pub(super) use args::Args;
use report::{Report, list};
use set::Set;

const VERB: Verb = Verb { bare: "delete", done: "deleted" };

/// Deletes.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let deleted = match args.files.input() {
        Some(input) => with_target(&input, &args.rendering, &args.cluster, color, VERB, |target| {
            Deleting { args, cluster: target.cluster, color }.run(Some(target))
        }),
        None => args.cluster.connect(color, VERB).and_then(|cluster| {
            let cluster = match args.rendering.namespace.as_deref().filter(|name| !name.is_empty()) {
                Some(namespace) => cluster.in_namespace(namespace),
                None => cluster,
            };
            Deleting { args, cluster: &cluster, color }.run(None)
        }),
    };
    deleted.unwrap_or_else(Exit::from)
}

struct Deleting<'a> {
    args: &'a Args,
    cluster: &'a Cluster,
    color: Color,
}

/// What is to go, and what of the set isn't.
struct Found {
    objects: BTreeMap<ObjectRef, Value>,
    staying: BTreeSet<ObjectRef>,
    kinds: Kinds,
}

/// What files render to.
struct Rendered {
    /// The Workspaces and RAGEngines that could be rendered.
    owners: BTreeSet<Owner>,
    /// What is there of it and is ours.
    ours: BTreeMap<ObjectRef, Value>,
    kinds: Kinds,
}

impl Deleting<'_> {
    fn run(&self, target: Option<&Target<'_>>) -> Result<Exit, Stop> {
        let args = &self.args.delete;
        let findings = target.map(|target| target.side.findings.to_vec()).unwrap_or_default();
        let is_broken = output::findings_with(findings, self.color, "what they are about is not deleted");
        let mut report = Report::new(args);
        let set = Set::open(self, &mut report)?;
        let id = set.as_ref().map(|set| set.parent.id());
        let found = self.find(target, set.as_ref(), &mut report)?;
        let mut objects: Vec<Value> = found.objects.into_values().collect();
        // Whose they are has been asked; those that are in no set were applied by us without one.
        objects.iter_mut().for_each(|object| count_in(object, id.as_deref().unwrap_or_default()));
        let staying: Vec<&ObjectRef> = found.staying.iter().collect();
        let plan = plan(&objects, &staying, id.as_deref().unwrap_or_default(), &args.allow);
        plan.kept.iter().for_each(|kept| report.kept(kept));
        let mut left: BTreeSet<ObjectRef> = plan.kept.iter().map(|kept| kept.candidate.reference().clone()).collect();
        left.extend(found.staying.iter().cloned());
        match self.delete(&found.kinds, plan.stages, &mut report) {
            Ok(remaining) => left.extend(remaining),
            Err(error) => {
                report.finish(self.color);
                return Err(unreachable(&error, self.color, "deleted after that"));
            }
        }
        if let Some(set) = set {
            set.conclude(&left, target.is_none() && self.args.workspaces.is_empty(), self, &mut report)?;
        }
        let exit = report.finish(self.color);
        Ok(if is_broken && exit == Exit::Done { Exit::Invalid } else { exit })
    }

    /// Finds what is to go.
    fn find(&self, target: Option<&Target<'_>>, set: Option<&Set>, report: &mut Report<'_>) -> Result<Found, Stop> {
        let (members, mut kinds) = set.map_or_else(|| Ok((Vec::new(), Kinds::default())), |set| set.members(self))?;
        let mut objects = BTreeMap::new();
        let owners = match target {
            Some(target) => {
                let rendered = self.rendered(target, set, report)?;
                kinds.extend(rendered.kinds);
                objects = rendered.ours;
                Some(rendered.owners)
            }
            None if self.args.workspaces.is_empty() => None,
            None => Some(self.named(&members, report)),
        };
        let is_meant =
            |member: &Member| owners.as_ref().is_none_or(|owners| member.owner.as_ref().is_some_and(|owner| owners.contains(owner)));
        let mut staying = BTreeSet::new();
        for member in members {
            if is_meant(&member) {
                objects.entry(member.reference).or_insert_with(|| member.object.read());
            } else if !objects.contains_key(&member.reference) {
                staying.insert(member.reference);
            }
        }
        Ok(Found { objects, staying, kinds })
    }

    /// The Workspaces and RAGEngines that are named. That the set has nothing of one is said.
    fn named(&self, members: &[Member], report: &mut Report<'_>) -> BTreeSet<Owner> {
        let there: BTreeSet<Owner> = members.iter().filter_map(|member| member.owner.clone()).collect();
        let mut named = BTreeSet::new();
        for text in &self.args.workspaces {
            let (namespace, name) = text.split_once('/').unwrap_or((self.cluster.namespace(), text));
            let of_name: Vec<&Owner> = there.iter().filter(|owner| owner.namespace == namespace && owner.name == name).collect();
            if of_name.is_empty() {
                report.missing(&format!("Workspace {namespace}/{name}"));
            }
            named.extend(of_name.into_iter().cloned());
        }
        named
    }

    /// What is there of what the files render to, and is ours.
    fn rendered(&self, target: &Target<'_>, set: Option<&Set>, report: &mut Report<'_>) -> Result<Rendered, Stop> {
        let mut wanted = target.wanted(self.color, VERB.done)?;
        let kinds = self.reached(self.cluster.find(&mut wanted, false))?;
        let owners = wanted.keys().flatten().cloned().collect();
        let id = set.map(|set| set.parent.id());
        let (mut ours, mut missing) = (BTreeMap::new(), BTreeSet::new());
        let mut of_others: Vec<(Holder, Vec<ObjectRef>)> = Vec::new();
        for (reference, wanted) in wanted.into_values().flatten() {
            let Live::Object(live) = wanted.live else {
                missing.insert(self.cluster.reference(&kinds, &wanted.desired).unwrap_or(reference));
                continue;
            };
            let reference = ObjectRef::of(&live).unwrap_or(reference);
            match holder(&live, &self.args.delete.field_manager, id.as_deref()) {
                Holder::Us => _ = ours.insert(reference, live),
                holder => match of_others.iter_mut().find(|(other, _)| *other == holder) {
                    Some((_, references)) => references.push(reference),
                    None => of_others.push((holder, vec![reference])),
                },
            }
        }
        of_others.iter().for_each(|(holder, references)| report.of_others(references, holder));
        if !missing.is_empty() {
            report.missing(&list(&missing));
        }
        Ok(Rendered { owners, ours, kinds })
    }

    /// Deletes stage by stage, and gives back what is still there.
    fn delete(&self, kinds: &Kinds, stages: Vec<Vec<Doomed>>, report: &mut Report<'_>) -> Result<BTreeSet<ObjectRef>, ClusterError> {
        let args = &self.args.delete;
        let start = Instant::now();
        let mut left = BTreeSet::new();
        let mut stages = stages.into_iter();
        for stage in stages.by_ref() {
            self.cluster.delete_all(kinds, &stage, (args.cascade, args.dry_run), &mut |doomed, answer| match answer {
                Ok(()) => report.deleted(&doomed.reference),
                Err(message) => {
                    report.refused(&doomed.reference.to_string(), &message);
                    left.insert(doomed.reference.clone());
                }
            })?;
            if args.wait && args.dry_run == DryRun::None {
                let deleted: Vec<Doomed> = stage.into_iter().filter(|doomed| !left.contains(&doomed.reference)).collect();
                let patience = args.timeout.saturating_sub(start.elapsed());
                for (reference, finalizers) in self.cluster.wait_until_gone(kinds, &deleted, patience)? {
                    report.late(&reference, &finalizers);
                    left.insert(reference);
                }
            }
            if !left.is_empty() {
                break;
            }
        }
        let skipped: Vec<ObjectRef> = stages.flatten().map(|doomed| doomed.reference).collect();
        if !skipped.is_empty() {
            report.skipped(&skipped);
            left.extend(skipped);
        }
        Ok(left)
    }

    /// What a cluster answered; that it didn't is said.
    fn reached<T>(&self, answer: Result<T, ClusterError>) -> Result<T, Stop> {
        answer.map_err(|error| unreachable(&error, self.color, VERB.done))
    }
}
