//! One pass: a cluster is made to hold what an input stands for. `kaito apply` makes one, `kaito watch` one after the other.
//!
//! What is live is looked up, everything is decided before anything is sent, then the set of what was applied is written, objects are
//! applied stage by stage, and what is no longer wanted is pruned. What becomes of each object is told to a [`Listener`].

mod set;
mod trouble;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::apply::{Adopt, Done, DryRun, Operator, Outcome, Refusal, Step, Terms, decide, is_forced, is_left_alone, touches_operator};
use crate::cluster::{Cluster, ClusterError, Deletion, How, Kinds, Unlisted};
use crate::diff::live::{self, AllWanted, Live, Wanted};
use crate::diff::{Owner, Side};
use crate::inventory;
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};

pub use set::{Found, Pruning, Rendering, Set};
pub use trouble::{Reached, Trouble};

/// How objects are applied.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The field manager.
    pub manager: String,
    /// Whether anything is changed.
    pub dry_run: DryRun,
    /// Whether fields are taken from other managers.
    pub force_conflicts: bool,
    /// Which objects that are there already may be taken over.
    pub adopt: Adopt,
    /// Whether objects may be deleted and made anew where a change needs that.
    pub replace: bool,
    /// The namespaces that may be touched; `None` for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Whether the Workspaces of the input are applied too.
    pub workspaces: Workspaces,
    /// How many objects at a time.
    pub concurrency: usize,
    /// How long to wait until something is gone that is made anew.
    pub patience: Duration,
    /// The beginnings of the names of managers whose fields are taken over, as they are set by hand: `kubectl`.
    pub overrides: Vec<String>,
    /// Whether objects are left alone that somebody has paused, by an annotation.
    pub honours_pauses: bool,
}

/// Whether the Workspaces of an input are applied too, besides what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workspaces {
    /// They aren't.
    Left,
    /// They are.
    Included,
    /// They are where the cluster knows what a Workspace is.
    IncludedIfKnown,
    /// They aren't, as they come from the cluster itself: where there is none any more, none is wanted.
    Declared,
}

/// Who is told what becomes of objects, while it becomes so.
pub trait Listener {
    /// An object was applied, left alone or not applied.
    fn done(&mut self, done: Done);
    /// These objects were not tried.
    fn refused(&mut self, refusals: Vec<Refusal>);
    /// Whether an object is left as it is for a while, although it is wanted otherwise.
    fn spares(&mut self, _owner: Option<&Owner>, _reference: &ObjectRef, _wanted: &Wanted) -> bool {
        false
    }
    /// A member of the set stays, although it is no longer wanted.
    fn kept(&mut self, kept: &Kept<'_>);
    /// A member of the set was to go, which belongs to this Workspace or RAGEngine.
    fn pruned(&mut self, owner: Option<&Owner>, reference: &ObjectRef, deletion: &Deletion);
    /// Members of the set may be where nobody may look, and stay.
    fn unlisted(&mut self, unlisted: &Unlisted);
    /// Nothing is pruned at all.
    fn prune_refused(&mut self, refusal: &prune::Refusal<'_>);
}

/// What is to be done.
pub struct Pass<'p> {
    /// The cluster.
    pub cluster: &'p Cluster,
    /// What the input stands for.
    pub side: &'p Side<'p>,
    /// How objects are applied.
    pub settings: &'p Settings,
    /// Whether something of the input can't be rendered.
    pub is_broken: bool,
    /// The owners that can't be rendered, if it is known that nothing else can't: theirs stays, and what is others' is pruned even so.
    pub unrendered: Option<&'p BTreeSet<Owner>>,
    /// Whether an operator of Kaito runs, if that is known.
    pub operator: Option<Operator>,
    /// The owners that the pass is about; `None` for everything. What belongs to others is left alone.
    pub only: Option<&'p BTreeSet<Option<Owner>>>,
}

/// How a pass went.
pub struct Passed {
    /// The kinds of what was applied.
    pub kinds: Kinds,
    /// Whether something was not applied or pruned that should have been.
    pub has_failed: bool,
    /// Whether an operator of Kaito runs, if that had to be found out.
    pub operator: Option<Operator>,
    /// How long it took to find out what is there and to decide.
    pub deciding: Duration,
}

/// What is left to do when everything was decided.
struct Planned {
    kinds: Kinds,
    /// The `apiVersion`s and names of everything that is wanted.
    names: Vec<(String, ObjectRef)>,
    steps: Vec<Step>,
}

impl Pass<'_> {
    /// Makes the pass over what is [`wanted`](Self::wanted) of this set, which keeps what is applied. Who makes one after the other gives the kinds that are known, so that few
    /// questions are asked about few objects.
    ///
    /// # Errors
    /// Why it could not be brought to its end. What was done until then has been told.
    pub fn run(
        &self,
        mut wanted: AllWanted,
        known: Option<Kinds>,
        mut set: Option<&mut Set>,
        pruning: &Pruning<'_>,
        listener: &mut dyn Listener,
    ) -> Result<Passed, Trouble> {
        let began = Instant::now();
        let mut tally = Tally { listener, has_failed: false, is_unfinished: false };
        let found = match known {
            Some(mut kinds) => self.cluster.find_with(&mut kinds, &mut wanted, true).map(|()| kinds),
            None => self.cluster.find(&mut wanted, true),
        };
        let kinds = reached(found, Reached::Nothing)?;
        if self.settings.workspaces == Workspaces::IncludedIfKnown {
            leave_unknown_workspaces(&mut wanted);
        }
        tally.refused(self.cluster.twice(&kinds, &mut wanted));
        let names = names(&wanted);
        tally.refused(reached(self.cluster.nowhere(&kinds, &mut wanted), Reached::Nothing)?);
        for (owner, objects) in &mut wanted {
            objects.retain(|_, wanted| {
                let reference = self.cluster.reference(&kinds, &wanted.desired);
                !reference.is_some_and(|reference| tally.spares(owner.as_ref(), &reference, wanted))
            });
        }
        let operator = self.operator(&wanted, set.as_deref())?;
        let (steps, refusals) = decide(wanted, &self.terms(operator.clone(), set.as_deref()));
        tally.refused(refusals);
        let mut planned = Planned { kinds, names, steps };
        let deciding = began.elapsed();
        self.apply(&mut planned, set.as_deref_mut(), &mut tally)?;
        if let Some(set) = set {
            // Only now it is known of some kinds whether they have namespaces.
            set.conclude(&planned.references(self.cluster), self, pruning, &mut tally)?;
        }
        Ok(Passed { kinds: planned.kinds, has_failed: tally.has_failed, operator, deciding })
    }

    /// Whether something of an owner may be wanted that can't be rendered: its own, or what belongs to several.
    fn is_unsure_of(&self, owner: Option<&Owner>) -> bool {
        let unrendered = self.unrendered.filter(|owners| !owners.is_empty());
        unrendered.is_some_and(|owners| owner.is_none_or(|owner| owners.contains(owner)))
    }

    /// Everything that is wanted and that the pass is about, as members of the set if there is one. Where the set's members were read,
    /// each object is looked for among these and compared at once, so that never more than a few are in memory whole.
    ///
    /// # Errors
    /// A template at fault.
    pub fn wanted(&self, set: Option<&Set>) -> Result<AllWanted, Trouble> {
        let make = |mut desired: Value| {
            let Some(set) = set else { return Wanted::new(desired) };
            inventory::mark(&mut desired, set.id());
            let found = set.member(self.cluster, &desired).map(|member| (member, member.read()));
            match found.filter(|(_, live)| live["apiVersion"] == desired["apiVersion"]) {
                Some((member, live)) if is_left_alone(&desired, &live, &self.settings.manager, Some(set.id())) => {
                    Wanted { live: Live::Settled(member.clone()), ..Wanted::new(name_of(&desired)) }
                }
                Some((_, live)) => Wanted { live: Live::Object(live), ..Wanted::new(desired) },
                None => Wanted::new(desired),
            }
        };
        let mut wanted = live::wanted_of(self.side, self.only, &make).map_err(|error| Trouble::Finding(error.0))?;
        if matches!(self.settings.workspaces, Workspaces::Included | Workspaces::IncludedIfKnown) {
            let is_meant = |owner: &Owner| self.only.is_none_or(|only| only.contains(&Some(owner.clone())));
            self.side.include_workspaces(&mut wanted, is_meant, make);
        }
        Ok(wanted)
    }

    /// Applies what was decided.
    fn apply(&self, planned: &mut Planned, set: Option<&mut Set>, tally: &mut Tally<'_>) -> Result<(), Trouble> {
        let cluster = self.cluster;
        let how = How {
            manager: self.settings.manager.clone(),
            dry_run: self.settings.dry_run,
            concurrency: self.settings.concurrency,
            patience: self.settings.patience,
            overrides: self.settings.overrides.clone(),
        };
        if let Some(set) = set {
            // What keeps the set may have to be put into a namespace that comes with it.
            let is_home = |step: &Step| step.reference.kind == "Namespace" && step.reference.name == set.parent().namespace;
            if how.dry_run == DryRun::None {
                let (home, rest) = std::mem::take(&mut planned.steps).into_iter().partition(|step| is_home(step) && step.is_new());
                planned.steps = rest;
                let done = cluster.apply(&mut planned.kinds, home, &how, &mut |done| tally.done(done));
                reached(done, Reached::Some)?;
            }
            set.prepare(&planned.references(cluster), cluster, how.dry_run)?;
        }
        let done = cluster.apply(&mut planned.kinds, std::mem::take(&mut planned.steps), &how, &mut |done| tally.done(done));
        reached(done, Reached::Some)
    }

    fn operator(&self, wanted: &AllWanted, set: Option<&Set>) -> Result<Option<Operator>, Trouble> {
        if !touches_operator(wanted, &self.settings.manager, set.map(Set::id)) {
            return Ok(None);
        }
        match &self.operator {
            Some(known) => Ok(Some(known.clone())),
            None => reached(self.cluster.operator(), Reached::Nothing).map(Some),
        }
    }

    fn terms<'t>(&'t self, operator: Option<Operator>, set: Option<&'t Set>) -> Terms<'t> {
        let Settings { manager, adopt, replace, force_conflicts, namespaces, honours_pauses, .. } = self.settings;
        Terms {
            manager,
            set: set.map(Set::id),
            parent: set.map(|set| set.parent().reference()),
            adopt: *adopt,
            operator: operator.unwrap_or_default(),
            replace: *replace,
            forced: self.forced(),
            force_conflicts: *force_conflicts,
            namespace: self.cluster.namespace(),
            namespaces: namespaces.clone(),
            honours_pauses: *honours_pauses,
        }
    }

    /// The Workspaces whose objects may be replaced, since they say so.
    fn forced(&self) -> BTreeSet<Owner> {
        let session = self.side.session;
        let workspaces = session.plans().map(|plan| ("Workspace", plan.key(), &plan.workspace.metadata));
        let engines = session.rag_engines().map(|planned| ("RAGEngine", planned.key(), &planned.engine.metadata));
        let forced = workspaces.chain(engines).filter(|(.., metadata)| is_forced(metadata));
        forced.map(|(kind, (namespace, name), _)| Owner { kind, namespace: namespace.into(), name: name.into() }).collect()
    }
}

impl Planned {
    fn references(&self, cluster: &Cluster) -> BTreeSet<ObjectRef> {
        self.names.iter().map(|(version, name)| cluster.placed(&self.kinds, version, name.clone())).collect()
    }
}

/// Passes on what becomes of objects, and keeps in mind what is to be known of it in the end.
struct Tally<'l> {
    listener: &'l mut dyn Listener,
    has_failed: bool,
    /// Whether something may be wanted in files that were not read, be where nobody may look, or is left otherwise for a while.
    is_unfinished: bool,
}

impl Tally<'_> {
    fn done(&mut self, done: Done) {
        self.has_failed |= matches!(done.outcome, Outcome::Failed(_) | Outcome::Skipped(_));
        self.listener.done(done);
    }

    fn spares(&mut self, owner: Option<&Owner>, reference: &ObjectRef, wanted: &Wanted) -> bool {
        let spares = self.listener.spares(owner, reference, wanted);
        self.is_unfinished |= spares;
        spares
    }

    fn refused(&mut self, refusals: Vec<Refusal>) {
        self.has_failed |= !refusals.is_empty();
        self.listener.refused(refusals);
    }

    fn kept(&mut self, kept: &Kept<'_>) {
        self.is_unfinished |= matches!(kept.reason, prune::Reason::Unread { .. });
        self.listener.kept(kept);
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        self.is_unfinished = true;
        self.listener.unlisted(unlisted);
    }

    fn pruned(&mut self, owner: Option<&Owner>, reference: &ObjectRef, deletion: &Deletion) {
        self.has_failed |= !matches!(deletion, Deletion::Deleted);
        self.listener.pruned(owner, reference, deletion);
    }

    fn prune_refused(&mut self, refusal: &prune::Refusal<'_>) {
        self.has_failed = true;
        self.listener.prune_refused(refusal);
    }
}

/// Leaves out the Workspaces themselves, if the cluster doesn't know what that is and doesn't learn it by the same input.
fn leave_unknown_workspaces(wanted: &mut AllWanted) {
    let (group, kind) = ("kaito.sh", "Workspace");
    if live::coming_kinds(wanted).contains(&(group.to_owned(), kind.to_owned())) {
        return;
    }
    for objects in wanted.values_mut() {
        objects.retain(|reference, wanted| {
            (reference.group.as_str(), reference.kind.as_str()) != (group, kind) || wanted.live != Live::UnknownKind
        });
    }
}

/// What a cluster answered, or how far a pass had come when it didn't.
fn reached<T>(answer: Result<T, ClusterError>, reached: Reached) -> Result<T, Trouble> {
    answer.map_err(|error| Trouble::Cluster { error: Box::new(error), reached })
}

/// The `apiVersion`s and names of everything that is wanted, as they are written.
fn names(wanted: &AllWanted) -> Vec<(String, ObjectRef)> {
    let name = |wanted: &Wanted| Some((wanted.desired["apiVersion"].as_str()?.to_owned(), ObjectRef::of(&wanted.desired).ok()?));
    wanted.values().flat_map(BTreeMap::values).filter_map(name).collect()
}

/// An object without all but its `apiVersion`, kind, namespace and name.
fn name_of(object: &Value) -> Value {
    let metadata = json!({"name": object["metadata"]["name"], "namespace": object["metadata"]["namespace"]});
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata})
}
