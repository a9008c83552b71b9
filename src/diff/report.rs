//! Two sides to everything that is to be said about their differences.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::disruption::{self, Disruption};
use super::fields::{FieldChange, changes};
use super::flags::{FlagChange, flag_changes};
use super::live::Note;
use super::secrets;
use super::side::{Objects, Owner, Side};
use super::summary::{Summary, words, words_of_router};
use super::totals::{Prices, Totals};
use crate::diagnostic::Place;
use crate::manifest::ObjectRef;
use crate::render::TemplateError;

/// What is different.
#[derive(Debug)]
pub struct Report {
    /// By owner, the worst disruption first; what belongs to nobody after others that are as bad.
    pub owners: Vec<OwnerChange>,
    /// The Workspaces and RAGEngines that one side or both can't render; nothing is said about their objects.
    pub broken: Vec<Broken>,
    /// How many Workspaces and RAGEngines were compared.
    pub compared: usize,
    /// Nodes, GPUs and money of everything.
    pub totals: Totals,
}

/// What one side or both can't render.
#[derive(Debug)]
pub struct Broken {
    /// What it is.
    pub owner: Owner,
    /// Where it stands.
    pub place: Option<Place>,
}

/// What is different of one Workspace, or of what belongs to nobody.
#[derive(Debug)]
pub struct OwnerChange {
    /// Whose it is.
    pub owner: Option<Owner>,
    /// What it means, in words.
    pub words: Vec<String>,
    /// What it came to.
    pub before: Option<Summary>,
    /// What it comes to.
    pub after: Option<Summary>,
    /// The objects, as they are applied.
    pub objects: Vec<ObjectChange>,
    /// The worst of what its objects do.
    pub disruption: Disruption,
    /// Where its name stands, on the newer side if it is there; of what belongs to nobody, where the worst object does.
    pub place: Option<Place>,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is there now.
    Added,
    /// It is gone.
    Removed,
    /// It is different.
    Changed,
}

/// An object that is different.
#[derive(Debug)]
pub struct ObjectChange {
    /// The object.
    pub reference: ObjectRef,
    /// What happens to it.
    pub change: Change,
    /// What it was, with secrets hidden.
    pub before: Option<Value>,
    /// What it is, with secrets hidden.
    pub after: Option<Value>,
    /// The fields that are different.
    pub fields: Vec<Field>,
    /// The worst of what the fields do.
    pub disruption: Disruption,
    /// What the cluster says of it, if one was asked.
    pub notes: Vec<Note>,
}

/// A field that is different.
#[derive(Debug)]
pub struct Field {
    /// Where, and what it was and is.
    pub change: FieldChange,
    /// The flags that are different, if it is a command that is the same otherwise.
    pub flags: Option<Vec<FlagChange>>,
    /// What that does.
    pub disruption: Disruption,
}

impl Report {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// The worst that happens.
    pub fn disruption(&self) -> Disruption {
        self.owners.iter().map(|owner| owner.disruption).max().unwrap_or_default()
    }

    /// The worst that happens, for people.
    pub fn does(&self) -> &'static str {
        worst(self.owners.iter().flat_map(|owner| &owner.objects))
    }
}

impl OwnerChange {
    /// The worst that its objects do, for people.
    pub fn does(&self) -> &'static str {
        worst(self.objects.iter())
    }

    /// Where these objects come from on one of the sides, which are asked in turn.
    pub(super) fn place<'s>(
        owner: Option<&Owner>,
        objects: &[ObjectChange],
        sides: impl IntoIterator<Item = &'s Side<'s>>,
    ) -> Option<Place> {
        let worst = || objects.iter().rev().max_by_key(|object| object.disruption);
        sides.into_iter().find_map(|side| match owner {
            Some(owner) => side.place_of(owner),
            None => side.place_of_object(&worst()?.reference),
        })
    }
}

impl ObjectChange {
    /// What its change does, for people; empty if that is nothing.
    pub fn does(&self) -> &'static str {
        match (self.change, self.disruption) {
            (Change::Removed, disruption) => disruption.words_of_deletion(),
            (_, Disruption::None) => "",
            (_, disruption) => disruption.words(),
        }
    }
}

/// The worst of what objects do: one that is replaced rather than one that is only deleted.
fn worst<'o>(objects: impl Iterator<Item = &'o ObjectChange>) -> &'static str {
    let worst = objects.max_by_key(|object| (object.disruption, object.change != Change::Removed));
    worst.map(ObjectChange::does).filter(|does| !does.is_empty()).unwrap_or(Disruption::None.words())
}

/// Compares two sides. `is_same_world` says that everything but their inputs is the same: options, catalog, templates and patches.
///
/// # Errors
/// A template at fault.
pub fn compare(
    before: &Side<'_>,
    after: &Side<'_>,
    is_same_world: bool,
    show_secrets: bool,
    prices: Option<&Prices>,
) -> Result<Report, TemplateError> {
    let (old, new) = (before.summaries(), after.summaries());
    let broken = broken(before, after, &old, &new);
    let owners: BTreeSet<&Owner> = old.keys().chain(new.keys()).filter(|owner| !broken.contains(*owner)).collect();
    let same_facts = is_same_world && before.input.has_same_facts(after.input);
    let wanted: HashSet<&Owner> = owners.iter().copied().filter(|owner| !(same_facts && is_unchanged(owner, before, after))).collect();
    let (mut rendered_before, mut rendered_after) = (before.render(&wanted)?, after.render(&wanted)?);
    let (mut shared_before, mut shared_after) = (before.shared()?, after.shared()?);
    let mut found = Vec::new();
    let mut add = |owner: Option<Owner>, was: Objects, is: Objects| {
        let objects = compare_objects(&was, &is, show_secrets);
        let (was, is) = (owner.as_ref().and_then(|owner| old.get(owner)), owner.as_ref().and_then(|owner| new.get(owner)));
        // A ConfigMap that is another one changes what a Workspace comes to, and none of its objects.
        if objects.is_empty() && was == is {
            return;
        }
        let disruption = objects.iter().map(|object| object.disruption).max().unwrap_or_default();
        let place = OwnerChange::place(owner.as_ref(), &objects, [after, before]);
        let words = words_of(owner.as_ref(), &objects, was, is);
        found.push(OwnerChange { words, before: was.cloned(), after: is.cloned(), owner, objects, disruption, place });
    };
    for owner in &owners {
        let owner = *owner;
        let objects_of = |rendered: &mut BTreeMap<Owner, Objects>, shared: &mut BTreeMap<Option<Owner>, Objects>| {
            let mut objects = rendered.remove(owner).unwrap_or_default();
            objects.extend(shared.remove(&Some(owner.clone())).unwrap_or_default());
            objects
        };
        let was = objects_of(&mut rendered_before, &mut shared_before);
        let is = objects_of(&mut rendered_after, &mut shared_after);
        add(Some(owner.clone()), was, is);
    }
    for owner in &broken {
        shared_before.remove(&Some(owner.clone()));
        shared_after.remove(&Some(owner.clone()));
    }
    let rest: BTreeSet<Option<Owner>> = shared_before.keys().chain(shared_after.keys()).cloned().collect();
    for owner in rest {
        let (was, is) = (shared_before.remove(&owner).unwrap_or_default(), shared_after.remove(&owner).unwrap_or_default());
        add(owner, was, is);
    }
    sort(&mut found);
    let compared = owners.len();
    let known = |summaries: &BTreeMap<Owner, Summary>| {
        summaries.iter().filter(|(owner, _)| !broken.contains(*owner)).map(|(_, summary)| summary.clone()).collect::<Vec<_>>()
    };
    let totals = Totals::new(known(&old).iter(), known(&new).iter(), prices);
    let broken = broken.into_iter().map(|owner| Broken { place: OwnerChange::place(Some(&owner), &[], [after, before]), owner });
    Ok(Report { owners: found, broken: broken.collect(), compared, totals })
}

/// The worst first; what restarts nothing is all alike, a Workspace before the ConfigMap that it reads.
pub(super) fn sort(owners: &mut [OwnerChange]) {
    let rank = |owner: &OwnerChange| owner.disruption.max(Disruption::InPlace);
    owners.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| (a.owner.is_none(), &a.owner).cmp(&(b.owner.is_none(), &b.owner))));
}

/// What can't be compared: what a side could not plan, and what is missing on one side from a file that it could not read whole.
fn broken(before: &Side<'_>, after: &Side<'_>, old: &BTreeMap<Owner, Summary>, new: &BTreeMap<Owner, Summary>) -> BTreeSet<Owner> {
    let mut broken: BTreeSet<Owner> = before.broken(old).chain(after.broken(new)).collect();
    let mut missing = |owners: &BTreeMap<Owner, Summary>, others: &BTreeMap<Owner, Summary>, side: &Side<'_>, other: &Side<'_>| {
        let gone = owners.keys().filter(|owner| !others.contains_key(*owner));
        broken.extend(gone.filter(|owner| other.may_hold(side.file_of(owner))).cloned());
    };
    missing(old, new, before, after);
    missing(new, old, after, before);
    broken
}

/// Whether a Workspace, and what it refers to, is the same on both sides.
fn is_unchanged(owner: &Owner, before: &Side<'_>, after: &Side<'_>) -> bool {
    before.plan(owner).is_some() && before.declared(owner) == after.declared(owner)
}

/// What has changed, in words: of a Workspace, or of a set, whose objects are its router.
pub(super) fn words_of(owner: Option<&Owner>, objects: &[ObjectChange], was: Option<&Summary>, is: Option<&Summary>) -> Vec<String> {
    let disruption = objects.iter().map(|object| object.disruption).max().unwrap_or_default();
    if owner.is_none() || was.is_some() || is.is_some() {
        return words(was, is, disruption);
    }
    words_of_router(&objects.iter().map(|object| object.change).collect::<Vec<_>>(), disruption)
}

fn compare_objects(before: &Objects, after: &Objects, show_secrets: bool) -> Vec<ObjectChange> {
    let references: BTreeSet<&ObjectRef> = before.keys().chain(after.keys()).collect();
    let found = references.into_iter().filter_map(|reference| {
        let (was, is) = (before.get(reference), after.get(reference));
        if was == is {
            return None;
        }
        let (was, is) = if show_secrets { (was.cloned(), is.cloned()) } else { secrets::mask(was, is) };
        // By their own words: what belongs to no namespace was given one to be compared.
        let own = [&is, &was].into_iter().flatten().find_map(|object| ObjectRef::of(object).ok());
        object_change(own.unwrap_or_else(|| reference.clone()), was, is)
    });
    found.collect()
}

fn field(reference: &ObjectRef, change: FieldChange) -> Field {
    let flags = change.before.as_ref().zip(change.after.as_ref()).and_then(|(before, after)| flag_changes(before, after));
    Field { disruption: disruption::of_change(reference, &change), flags, change }
}

/// How an object differs; `None` if it doesn't after all.
pub fn object_change(reference: ObjectRef, before: Option<Value>, after: Option<Value>) -> Option<ObjectChange> {
    let (change, fields, disruption) = match (&before, &after) {
        (Some(was), Some(is)) => {
            let fields: Vec<Field> = changes(was, is).into_iter().map(|change| field(&reference, change)).collect();
            let worst = fields.iter().map(|field| field.disruption).max()?;
            (Change::Changed, fields, worst)
        }
        (None, Some(_)) => (Change::Added, Vec::new(), Disruption::None),
        (Some(_), None) => (Change::Removed, Vec::new(), disruption::of_removed(&reference)),
        (None, None) => return None,
    };
    Some(ObjectChange { reference, change, before, after, fields, disruption, notes: Vec::new() })
}
