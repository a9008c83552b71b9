//! The set of what was applied, from the first look at it to the last word in it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::{Pass, Reached, Tally, Trouble, Workspaces, reached};
use crate::apply::DryRun;
use crate::cluster::{Cluster, Extent, Kinds, Members, Unlisted, Unwritten};
use crate::conditions::Cause;
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::inventory::{self, Contents, Member, Parent, Record, SUCCEEDED};
use crate::manifest::ObjectRef;
use crate::prune::{self, AllowedKind, Candidate, Facts, MaxPrune};
use crate::raw_object::RawObject;
use crate::shard::Shard;

/// The status of what was not applied whole, as Flux calls it.
const FAILED: &str = "ReconciliationFailed";

/// How often to write a set that others write, too.
const TRIES: u32 = 5;

/// What is pruned after everything was applied, and what is written down then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pruning<'p> {
    /// Whether members that are no longer wanted are deleted.
    pub prune: bool,
    /// How many may be at once.
    pub max_prune: Option<MaxPrune>,
    /// Kinds that are deleted though their Workspace is still there, or they belong to none.
    pub allowed: &'p [AllowedKind],
    /// How long to wait until they are gone; `None` to go on at once.
    pub patience: Option<Duration>,
    /// The revision of git that is applied, as Flux writes revisions.
    pub revision: Option<&'p str>,
    /// What is read, in the same words on every machine that has the same repository.
    pub inputs: &'p str,
    /// Whether something that the pass isn't about is not as it is wanted, so that the revision isn't applied as a whole.
    pub others_failed: bool,
    /// What the set's history says of the pass, if it has one.
    pub rendering: Option<Rendering<'p>>,
}

/// What was rendered, for the history of a set.
#[derive(Clone, Copy, Debug)]
pub struct Rendering<'p> {
    /// The digest of what it was rendered from: `sha256:...`.
    pub digest: &'p str,
    /// This moment, as RFC 3339 has it.
    pub now: &'p str,
}

/// A set, as it was found.
pub struct Found {
    /// What keeps it.
    pub parent: Parent,
    /// The live object that keeps it, and what that says; `None` if it isn't there.
    pub live: Option<(Value, Record)>,
}

impl Found {
    /// Looks a set up.
    ///
    /// # Errors
    /// It belongs to somebody else, or the cluster can't be asked.
    pub fn look_up(cluster: &Cluster, parent: Parent) -> Result<Self, Trouble> {
        let live = reached(cluster.parent(&parent), Reached::Nothing)?;
        let read = |live: Value| {
            let record =
                parent.read(&live).map_err(|fault| Trouble::Finding(Box::new(Diagnostic::error(fault.to_string()).help(fault.help()))))?;
            Ok((live, record))
        };
        let live = live.map(read).transpose()?;
        Ok(Self { parent, live })
    }
}

/// A set that is applied to.
pub struct Set {
    /// What keeps it.
    parent: Parent,
    id: String,
    /// Which part of it is looked after here, if several processes share it.
    shard: Option<Shard>,
    /// What it keeps; `None` if it isn't there.
    record: Option<Record>,
    /// The `resourceVersion` of what keeps it.
    version: Option<String>,
    /// Its members before anything was applied, which alone may be pruned: what came since was applied by somebody.
    members: HashMap<ObjectRef, Member>,
    /// Whether they were read whole just now.
    are_whole: bool,
    /// Where there may be others, as that may not be read. They stay, and so does what they stand on.
    unlisted: Vec<Unlisted>,
    kinds: Kinds,
}

impl Set {
    /// Looks up a set, and its members if some of them may be pruned.
    ///
    /// # Errors
    /// It belongs to somebody else, or the cluster can't be asked.
    pub fn open(cluster: &Cluster, parent: Parent, prune: bool) -> Result<Self, Trouble> {
        let Found { parent, live } = Found::look_up(cluster, parent)?;
        let version = live.as_ref().and_then(|(live, _)| version(live));
        let record = live.map(|(_, record)| record);
        let Members { members, kinds, unlisted } = match record.as_ref().filter(|_| prune) {
            Some(record) => reached(cluster.readable_members(&parent, &record.contents, Extent::Whole), Reached::Nothing)?,
            None => Members { members: Vec::new(), kinds: Kinds::default(), unlisted: Vec::new() },
        };
        Ok(Self { id: parent.id(), parent, shard: None, record, version, members: by_reference(members), are_whole: true, unlisted, kinds })
    }

    /// The same, of which this process looks after a part.
    #[must_use]
    pub fn shared_as(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        self
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What keeps it.
    pub fn parent(&self) -> &Parent {
        &self.parent
    }

    /// What it keeps, if it is there.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Whose its members are.
    pub fn owners(&self) -> BTreeSet<Option<Owner>> {
        self.members.values().map(|member| member.owner.clone()).collect()
    }

    /// Its members before anything was applied.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Where members may be that may not be read.
    pub fn unlisted(&self) -> &[Unlisted] {
        &self.unlisted
    }

    /// Writes that a revision is not applied, and why.
    ///
    /// # Errors
    /// It can't be written.
    pub fn note_failed(&mut self, cluster: &Cluster, revision: Option<&str>, why: Cause, now: &str) -> Result<(), Trouble> {
        if self.record.is_none() {
            return Ok(());
        }
        self.write(cluster, DryRun::None, |record| {
            record.attempted = revision.map(ToOwned::to_owned);
            record.history.note(revision, None, why.reason(), now);
        })
    }

    /// Writes that a revision was tried, of which something was not applied before and isn't now. The digest is that of what was rendered;
    /// none if that is the same as before.
    ///
    /// # Errors
    /// It can't be written.
    pub fn note_incomplete(&mut self, cluster: &Cluster, revision: &str, digest: Option<&str>, now: &str) -> Result<(), Trouble> {
        if self.record.is_none() {
            return Ok(());
        }
        self.write(cluster, DryRun::None, |record| {
            let before = record.history.entries().first().and_then(|newest| newest.digest.clone());
            record.attempted = Some(revision.to_owned());
            record.history.note(Some(revision), digest.or(before.as_deref()), FAILED, now);
        })
    }

    /// The live member that an object is, if members were read whole just now.
    pub(super) fn member(&self, cluster: &Cluster, object: &Value) -> Option<&RawObject> {
        let reference = cluster.reference(&self.kinds, object).filter(|_| self.are_whole)?;
        Some(&self.members.get(&reference)?.object)
    }

    /// These are the members now, as far as they are known.
    pub fn know_members(&mut self, members: Vec<Member>) {
        self.members = by_reference(members);
        self.are_whole = false;
    }

    /// Forgets the members, which take memory and may have changed when somebody asks for them again.
    pub fn forget_members(&mut self) {
        self.members = HashMap::new();
    }

    /// Writes that another revision was applied, which says the same as the one before.
    ///
    /// # Errors
    /// It can't be written.
    pub fn advance(&mut self, cluster: &Cluster, revision: &str) -> Result<(), Trouble> {
        if self.record.is_none() {
            return Ok(());
        }
        let shard = self.shard;
        self.write(cluster, DryRun::None, |record| {
            record.attempted = Some(revision.to_owned());
            if record.progress.note(shard, revision) {
                record.revision = Some(revision.to_owned());
                record.history.note_rest(revision);
            }
        })
    }

    /// Writes, before anything is applied, where members will be, and where they are.
    pub(super) fn prepare(&mut self, wanted: &BTreeSet<ObjectRef>, cluster: &Cluster, dry_run: DryRun) -> Result<(), Trouble> {
        let old = self.record.clone().unwrap_or_default();
        let contents = self.with_own_namespace(Contents::of(wanted).union(old.contents));
        self.write(cluster, dry_run, |record| record.contents = contents.clone())
    }

    /// Deletes what is no longer wanted, if that is asked for, and writes what is left.
    pub(super) fn conclude(
        &mut self,
        wanted: &BTreeSet<ObjectRef>,
        pass: &Pass<'_>,
        pruning: &Pruning<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<(), Trouble> {
        let before = self.record.clone().unwrap_or_default();
        let pruned = if pruning.prune { Some(self.prune(wanted, pass, pruning, tally)?) } else { None };
        // A pass about some owners doesn't know where everything else is.
        let left = match (pruned, pass.only) {
            (Some(left), None) => Contents::of(&left).union(self.unlisted_contents()),
            _ => before.contents,
        };
        let contents = self.with_own_namespace(Contents::of(wanted).union(left));
        // As long as something may stand where nobody has looked, that stays on record.
        let is_done = !pruning.others_failed && !pass.is_broken && !tally.has_failed && !tally.is_unfinished;
        let shard = self.shard;
        self.write(pass.cluster, pass.settings.dry_run, |record| {
            record.contents = contents.clone();
            let is_whole = is_done && record.progress.note(shard, pruning.revision.unwrap_or_default());
            if is_whole {
                record.revision = pruning.revision.map(ToOwned::to_owned);
                record.inputs = Some(pruning.inputs.to_owned());
            }
            let Some(Rendering { digest, now }) = pruning.rendering else { return };
            record.attempted = pruning.revision.map(ToOwned::to_owned);
            if is_done && !is_whole {
                return record.history.note_part(pruning.revision, digest, now);
            }
            let status = if is_done { SUCCEEDED } else { FAILED };
            record.history.note(pruning.revision, Some(digest), status, now);
        })
    }

    /// Deletes the members that are no longer wanted, and gives back those that are left of them.
    fn prune(
        &mut self,
        wanted: &BTreeSet<ObjectRef>,
        pass: &Pass<'_>,
        pruning: &Pruning<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<BTreeSet<ObjectRef>, Trouble> {
        let owners = pass.side.owners();
        self.unlisted.iter().for_each(|unlisted| tally.unlisted(unlisted));
        let last = self.record.as_ref().and_then(|record| record.inputs.as_deref());
        let context = prune::Context {
            set: &self.id,
            owners: &owners,
            allowed: pruning.allowed,
            namespaces: pass.settings.namespaces.as_ref(),
            other_inputs: last.filter(|last| *last != pruning.inputs),
        };
        let facts = Facts {
            has_render_failed: pass.is_broken && pass.unrendered.is_none(),
            has_apply_failed: tally.has_failed,
            may_want_nothing: pass.settings.workspaces == Workspaces::Declared,
            max_prune: pruning.max_prune,
        };
        // What a pass isn't about, or what something wants that can't be rendered, stays as if it were wanted, and so does what takes along
        // what nobody has seen.
        let is_others = |member: &Member| pass.only.is_some_and(|only| !only.contains(&member.owner));
        let is_unsure = |member: &Member| pass.is_unsure_of(member.owner.as_ref()) || self.may_take_unlisted(&member.reference);
        let others = self.members.values().filter(|member| is_others(member) || is_unsure(member));
        let wanted: BTreeSet<ObjectRef> = wanted.iter().cloned().chain(others.map(|member| member.reference.clone())).collect();
        let (staying, unwanted) = inventory::sorted(self.members.values(), &wanted);
        let candidates = unwanted.iter().filter_map(|member| Candidate::of(member).ok()).collect();
        let plan = match prune::plan(candidates, &staying, &wanted, &context, &facts) {
            Ok(plan) => plan,
            Err(refusal) => {
                tally.prune_refused(&refusal);
                // Where members are is no less true for it.
                return Ok(self.members.keys().cloned().collect());
            }
        };
        let mut left: BTreeSet<ObjectRef> = plan.kept.iter().map(|kept| kept.candidate.reference().clone()).collect();
        left.extend(self.members.values().filter(|member| is_unsure(member)).map(|member| member.reference.clone()));
        plan.kept.iter().for_each(|kept| tally.kept(kept));
        let doomed: Vec<Value> = plan.prune.iter().map(|candidate| candidate.object().clone()).collect();
        let deleted = pass.cluster.delete(&mut self.kinds, &doomed, pass.settings.dry_run, pruning.patience, &mut |object, deletion| {
            let Ok(reference) = ObjectRef::of(object) else { return };
            let owner = self.members.get(&reference).and_then(|member| member.owner.as_ref());
            tally.pruned(owner, &reference, &deletion);
            if !matches!(deletion, crate::cluster::Deletion::Deleted) {
                left.insert(reference);
            }
        });
        reached(deleted, Reached::Pruning)?;
        Ok(left)
    }

    /// The kinds and namespaces in which there may be members that may not be read.
    fn unlisted_contents(&self) -> Contents {
        let namespaces = self.unlisted.iter().filter_map(|unlisted| unlisted.namespace.clone()).collect();
        Contents { group_kinds: self.unlisted.iter().map(|unlisted| unlisted.kind.clone()).collect(), namespaces }
    }

    /// Whether members that may not be read would go with this one.
    fn may_take_unlisted(&self, member: &ObjectRef) -> bool {
        self.unlisted.iter().any(|Unlisted { kind, namespace, .. }| {
            prune::would_take(member, &ObjectRef::new(&kind.group, &kind.kind, namespace.as_deref(), ""))
        })
    }

    /// Writes what the set keeps after a change, unless it does already. What somebody else has written since is changed, and kept too.
    fn write(&mut self, cluster: &Cluster, dry_run: DryRun, change: impl Fn(&mut Record)) -> Result<(), Trouble> {
        let mut others = Contents::default();
        for _ in 0..TRIES {
            let mut record = self.record.clone().unwrap_or_default();
            change(&mut record);
            record.contents = record.contents.union(others.clone());
            if self.record.as_ref() == Some(&record) || dry_run != DryRun::None {
                return Ok(());
            }
            match reached(cluster.write_parent(&self.parent, &record, self.version.as_deref()), Reached::Nothing)? {
                Ok(live) => {
                    self.version = version(&live);
                    self.record = Some(record);
                    return Ok(());
                }
                Err(Unwritten::Changed) => {
                    let Found { live, .. } = Found::look_up(cluster, self.parent.clone())?;
                    self.version = live.as_ref().and_then(|(live, _)| version(live));
                    self.record = live.map(|(_, record)| record);
                    others = self.record.clone().unwrap_or_default().contents;
                }
                Err(why) => return Err(self.unwritten(&why)),
            }
        }
        Err(self.unwritten(&Unwritten::Changed))
    }

    fn unwritten(&self, why: &Unwritten) -> Trouble {
        let (message, help) = match why {
            Unwritten::Changed => ("somebody else goes on changing it", "apply again when they are done".to_owned()),
            Unwritten::NoNamespace => {
                ("its namespace isn't there", format!("make it first: kubectl create namespace {}", self.parent.namespace))
            }
            Unwritten::Refused(message) => {
                (message.as_str(), "without it nothing could be pruned later; name another one with --applyset".to_owned())
            }
        };
        Trouble::Finding(Box::new(Diagnostic::error(format!("{} can't be written: {message}", self.parent)).help(help)))
    }

    /// As it will be read: members may always be beside their parent.
    fn with_own_namespace(&self, mut contents: Contents) -> Contents {
        contents.namespaces.insert(self.parent.namespace.clone());
        contents
    }
}

fn by_reference(members: Vec<Member>) -> HashMap<ObjectRef, Member> {
    members.into_iter().map(|member| (member.reference.clone(), member)).collect()
}

fn version(live: &Value) -> Option<String> {
    live["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned)
}
