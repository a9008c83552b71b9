//! Object by object: what is done, or why not.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use super::adopt::{holder, other_owners};
use super::immutable::{KEPT, Obstacle, finalizers, is_kept, keep, obstacle};
use super::{Action, Adopt, Holder, Operator, Refusal, Step, Terms, Why};
use crate::diff::live::{self, AllWanted, Live, Wanted, is_settled};
use crate::diff::{Owner, is_node};
use crate::inventory;
use crate::manifest::ObjectRef;
use crate::pause::pause_of;
use crate::status;

/// Whether a live object is ours and as it is wanted, whatever else may be decided: then nobody has to look at it again.
pub fn is_left_alone(desired: &Value, live: &Value, manager: &str, set: Option<&str>) -> bool {
    finalizers(live).is_none()
        && holder(live, manager, set) == Holder::Us
        && other_workspace(desired, live).is_none()
        && is_settled(desired, live, manager)
}

/// What is done with every object, in the order in which it is done, and what is refused. A Workspace of which one object is
/// refused is refused whole; an object that belongs to none is refused alone.
pub fn decide(wanted: AllWanted, terms: &Terms<'_>) -> (Vec<Step>, Vec<Refusal>) {
    let coming = live::coming_kinds(&wanted);
    // Most of it is comparing what is there with what is wanted. Of a few other threads would take longer to begin.
    let wanted: Vec<_> = wanted.into_iter().collect();
    let decide = |(owner, objects): (Option<Owner>, _)| of_owner(owner.as_ref(), objects, &coming, terms);
    let (steps, refusals): (Vec<_>, Vec<_>) = wanted.into_par_iter().with_min_len(2).map(decide).unzip();
    let (mut steps, refusals): (Vec<Step>, Vec<Refusal>) =
        (steps.into_iter().flatten().collect(), refusals.into_iter().flatten().collect());
    steps.sort_by(|a, b| (a.reference.stage(), &a.reference).cmp(&(b.reference.stage(), &b.reference)));
    (steps, refusals)
}

fn of_owner(
    owner: Option<&Owner>,
    objects: BTreeMap<ObjectRef, Wanted>,
    coming: &BTreeSet<(String, String)>,
    terms: &Terms<'_>,
) -> (Vec<Step>, Vec<Refusal>) {
    let (mut steps, mut refusals) = (Vec::new(), Vec::new());
    for (key, wanted) in objects {
        let reference = ObjectRef::of(&wanted.desired).unwrap_or(key);
        let is_coming = coming.contains(&(reference.group.to_string(), reference.kind.to_string()));
        match step(owner, &reference, wanted, is_coming, terms) {
            Ok(step) => steps.push(step),
            Err(why) => refusals.push(Refusal { owner: owner.cloned(), reference, why }),
        }
    }
    if owner.is_some() && !refusals.is_empty() {
        steps.clear();
    }
    (steps, refusals)
}

fn step(owner: Option<&Owner>, reference: &ObjectRef, wanted: Wanted, is_coming: bool, terms: &Terms<'_>) -> Result<Step, Why> {
    let Wanted { desired, live, .. } = wanted;
    if let Some(name) = reference.unfit_name() {
        return Err(Why::Name { name: name.to_owned() });
    }
    check_namespace(reference, terms)?;
    if terms.parent.as_ref().is_some_and(|parent| *parent == reference.clone().in_namespace(terms.namespace)) {
        return Err(Why::Parent);
    }
    if reference.kind == "Workspace" && reference.group == "kaito.sh" && terms.operator != Operator::Gone && terms.adopt != Adopt::All {
        return Err(Why::Operator { holder: Holder::Us, operator: terms.operator.clone() });
    }
    let (live, settled) = match live {
        Live::Object(live) => (Some(live), None),
        Live::Settled(live) => (None, Some(live)),
        Live::UnknownKind if !is_coming => return Err(Why::UnknownKind),
        Live::Unreadable(words) => return Err(Why::Unreadable(words)),
        Live::UnknownKind | Live::Absent => (None, None),
    };
    let mut step = Step {
        owner: owner.cloned(),
        reference: reference.clone(),
        desired,
        live,
        action: if settled.is_some() { Action::Leave } else { Action::Apply { force: terms.force_conflicts } },
        settled,
        is_adopted: false,
        keeps_owners: None,
        kept_fields: Vec::new(),
        may_replace: false,
    };
    let Some(live) = &step.live else { return Ok(step) };
    if let Some(finalizers) = finalizers(live) {
        return Err(Why::Terminating { finalizers });
    }
    let adoption = adoption(&step.desired, live, terms)?;
    if terms.honours_pauses && pause_of(live).is_some() {
        step.action = Action::Leave;
        return Ok(step);
    }
    let is_taken_over = adoption == Adoption::TakenOver;
    if !is_taken_over && is_settled(&step.desired, live, terms.manager) {
        step.action = Action::Leave;
        return Ok(step);
    }
    step.is_adopted = adoption != Adoption::Ours;
    step.keeps_owners = other_owners(live).filter(|_| is_taken_over);
    step.may_replace = terms.replace || owner.is_some_and(|owner| terms.forced.contains(owner));
    // Whoever made it no longer looks after it, so that its fields are nobody's.
    let force = terms.force_conflicts || is_taken_over;
    let keeps = is_taken_over || is_kept(live);
    let is_forced = owner.is_some_and(|owner| terms.forced.contains(owner));
    // A node that was taken over is not made again because something else is to be.
    let may_replace = is_forced || (terms.replace && !(keeps && is_node(reference)));
    step.action = match live::change(&step.desired, live, terms.manager).as_ref().and_then(|change| obstacle(change, live)) {
        None => Action::Apply { force },
        Some(Obstacle::Data(fields)) => return Err(Why::DataLoss { fields }),
        Some(Obstacle::Replace(..)) if may_replace => Action::Replace,
        Some(Obstacle::Replace(fields, _)) if keeps => {
            step.kept_fields = keep(&mut step.desired, live, &fields);
            if is_settled(&step.desired, live, terms.manager) { Action::Leave } else { Action::Apply { force } }
        }
        Some(Obstacle::Replace(fields, costs)) => {
            return Err(Why::Immutable { fields: fields.iter().map(ToString::to_string).collect(), costs });
        }
    };
    if step.action != Action::Replace {
        step.desired = live::spelled_as(&step.desired, live);
    }
    Ok(step)
}

fn check_namespace(reference: &ObjectRef, terms: &Terms<'_>) -> Result<(), Why> {
    let Some(allowed) = &terms.namespaces else { return Ok(()) };
    let namespace =
        if reference.kind == "Namespace" && reference.group.is_empty() { Some(&reference.name) } else { reference.namespace.as_ref() };
    match namespace {
        Some(namespace) if !allowed.contains(namespace.as_str()) => {
            Err(Why::Namespace { namespace: namespace.to_string(), allowed: allowed.iter().cloned().collect() })
        }
        _ => Ok(()),
    }
}

/// How an object comes to be ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Adoption {
    /// It is already.
    Ours,
    /// It was nobody's: whose its fields are, the server says.
    Found,
    /// It was somebody's, who no longer looks after it or must give way.
    TakenOver,
}

/// How an object comes to be ours, as far as that is allowed.
fn adoption(desired: &Value, live: &Value, terms: &Terms<'_>) -> Result<Adoption, Why> {
    let holder = match holder(live, terms.manager, terms.set) {
        Holder::Us | Holder::Nobody if other_workspace(desired, live).is_some() => {
            other_workspace(desired, live).map_or(Holder::Nobody, Holder::Other)
        }
        holder => holder,
    };
    match (holder, terms.adopt) {
        (Holder::Us, _) => Ok(Adoption::Ours),
        (Holder::Nobody, Adopt::IfNoOwner | Adopt::All) => Ok(Adoption::Found),
        (_, Adopt::All) => Ok(Adoption::TakenOver),
        (Holder::Operator(_), Adopt::IfNoOwner) if terms.operator == Operator::Gone => Ok(Adoption::TakenOver),
        (holder @ Holder::Operator(_), Adopt::IfNoOwner) => Err(Why::Operator { holder, operator: terms.operator.clone() }),
        (holder, Adopt::Never | Adopt::IfNoOwner) => Err(Why::Held(holder)),
    }
}

/// The Workspace or RAGEngine that a live object is of, if it is another one than it is wanted for.
fn other_workspace(desired: &Value, live: &Value) -> Option<Owner> {
    let (is, was) = (status::owner_of(desired)?, status::owner_of(live)?);
    (is != was).then_some(was)
}

/// Whether something that is wanted is Kaito's, or would be as soon as it is there, so that it matters whether its operator runs.
pub fn touches_operator(wanted: &AllWanted, manager: &str, set: Option<&str>) -> bool {
    let is_workspace = |wanted: &Wanted| {
        wanted.desired["kind"] == "Workspace"
            && wanted.desired["apiVersion"].as_str().is_some_and(|version| version.starts_with("kaito.sh/"))
    };
    if wanted.values().flat_map(BTreeMap::values).any(is_workspace) {
        return true;
    }
    let live = wanted.values().flat_map(BTreeMap::values).filter_map(|wanted| match &wanted.live {
        Live::Object(live) => Some(live),
        // What is settled is ours.
        Live::Settled(_) | Live::Absent | Live::UnknownKind | Live::Unreadable(_) => None,
    });
    live.into_iter().any(|live| matches!(holder(live, manager, set), Holder::Operator(_)))
}

/// By what kaito knows its objects, and those of a Workspace: labels, or annotations where labels become those of nodes.
const MARKS: [&str; 6] = [
    "app.kubernetes.io/managed-by",
    "kaito.sh/workspace",
    "kaito.sh/workspacenamespace",
    "kaito.sh/ragengine",
    "kaito.sh/ragenginenamespace",
    KEPT,
];

/// Leaves what Kaito's operator made as it is where it can't be changed, as an apply would. That an apply marks it is no difference.
pub fn keep_what_was_made(wanted: &mut AllWanted, manager: &str) {
    for Wanted { desired, live, .. } in wanted.values_mut().flat_map(BTreeMap::values_mut) {
        let Live::Object(live) = live else { continue };
        let is_operators = is_of_operator(live, manager);
        let change = if is_operators || is_kept(live) { live::change(desired, live, manager) } else { None };
        if let Some(Obstacle::Replace(fields, _)) = change.as_ref().and_then(|change| obstacle(change, live)) {
            keep(desired, live, &fields);
        }
        if is_operators {
            drop_new_marks(desired, live);
        }
    }
}

/// Whether a live object is Kaito's operator's, so that an apply takes it over by force.
pub fn is_of_operator(live: &Value, manager: &str) -> bool {
    matches!(holder(live, manager, inventory::part_of(live)), Holder::Operator(_))
}

fn drop_new_marks(desired: &mut Value, live: &Value) {
    let Some(metadata) = desired.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for place in ["labels", "annotations"] {
        if let Some(marks) = metadata.get_mut(place).and_then(Value::as_object_mut) {
            marks.retain(|mark, _| !MARKS.contains(&mark.as_str()) || !live["metadata"][place][mark].is_null());
            if marks.is_empty() {
                metadata.remove(place);
            }
        }
    }
}
