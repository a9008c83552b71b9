//! What was read from a cluster, and what its server says, to the same report as of two directories.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::merge::merged;
use super::same::is_same_duration;
use super::{AllWanted, Answer, Live, Note, Wanted};
use crate::diff::disruption::{Disruption, is_node};
use crate::diff::report::{Broken, Change, ObjectChange, OwnerChange, Report, object_change, sort, words_of};
use crate::diff::secrets;
use crate::diff::summary::Summary;
use crate::diff::{Owner, Prices, Side, Totals};
use crate::manifest::ObjectRef;
use crate::plan::drop_what_servers_write;
use crate::secrets::in_text;
use crate::status;

/// What Kaito's operator writes down for itself.
const BOOKKEEPING: [&str; 3] = ["workspace.kaito.io/hash", "workspace.kaito.io/revision", "ragengine.kaito.io/revision"];

/// What an apply as this field manager would change, where `gone` are the live objects that would be pruned.
pub fn report(side: &Side<'_>, wanted: AllWanted, gone: Vec<Value>, manager: &str, show_secrets: bool, prices: Option<&Prices>) -> Report {
    let after = side.summaries();
    let mut before = after.clone();
    let mut owners = Vec::new();
    let mut gone = removed(gone, show_secrets);
    // What comes with the same apply need not be there yet.
    let coming = coming_kinds(&wanted);
    for (owner, objects) in wanted {
        let is_new = !objects.values().any(|wanted| matches!(wanted.live, Live::Object(_)));
        let live_nodes = owner.as_ref().and_then(|owner| nodes(&objects, after.get(owner)?.nodes));
        let mut objects: Vec<ObjectChange> = objects
            .into_iter()
            .filter_map(|(reference, wanted)| {
                let mut change = changed(reference, wanted, manager, show_secrets)?;
                let is_coming = coming.contains(&(change.reference.group.to_string(), change.reference.kind.to_string()));
                change.notes.retain(|note| !(is_coming && *note == Note::UnknownKind));
                Some(change)
            })
            .collect();
        objects.extend(gone.remove(&owner).unwrap_or_default());
        if objects.is_empty() {
            continue;
        }
        let disruption = objects.iter().map(|object| object.disruption).max().unwrap_or_default();
        let is = owner.as_ref().and_then(|owner| after.get(owner));
        let was = is.filter(|_| !is_new).map(|is| with_nodes(is, live_nodes));
        if let Some(owner) = &owner {
            match &was {
                Some(was) => before.insert(owner.clone(), was.clone()),
                None => before.remove(owner),
            };
        }
        owners.push(OwnerChange {
            place: OwnerChange::place(owner.as_ref(), &objects, [side]),
            words: words_of(owner.as_ref(), &objects, was.as_ref(), is),
            before: was,
            after: is.cloned(),
            owner,
            objects,
            disruption,
        });
    }
    for (owner, objects) in gone {
        let was = owner.as_ref().map(|_| what_was(&objects, side));
        if let (Some(owner), Some(was)) = (&owner, &was) {
            before.insert(owner.clone(), was.clone());
        }
        owners.push(OwnerChange {
            place: None,
            words: words_of(owner.as_ref(), &objects, was.as_ref(), None),
            before: was,
            after: None,
            disruption: objects.iter().map(|object| object.disruption).max().unwrap_or_default(),
            owner,
            objects,
        });
    }
    sort(&mut owners);
    let broken: BTreeSet<Owner> = side.broken(&after).collect();
    let broken = broken.into_iter().map(|owner| Broken { place: OwnerChange::place(Some(&owner), &[], [side]), owner });
    let totals = Totals::new(before.values(), after.values(), prices);
    let compared = before.keys().chain(after.keys()).collect::<BTreeSet<_>>().len();
    Report { owners, broken: broken.collect(), compared, totals }
}

/// The objects that would be pruned, by the Workspace or RAGEngine that they belong to.
fn removed(gone: Vec<Value>, show_secrets: bool) -> BTreeMap<Option<Owner>, Vec<ObjectChange>> {
    let mut all: BTreeMap<Option<Owner>, Vec<ObjectChange>> = BTreeMap::new();
    for object in gone {
        let (owner, Ok(reference)) = (status::whose(&object, None), ObjectRef::of(&object)) else { continue };
        let object = Some(cleaned(object));
        let before = if show_secrets { object } else { secrets::mask(object.as_ref(), None).0 };
        all.entry(owner).or_default().extend(object_change(reference, before, None));
    }
    all.values_mut().for_each(|objects| objects.sort_by(|a, b| a.reference.cmp(&b.reference)));
    all
}

/// What something comes to that is only known by its objects.
fn what_was(objects: &[ObjectChange], side: &Side<'_>) -> Summary {
    let context = side.session.context();
    let live: Vec<&Value> = objects.iter().filter_map(|object| object.before.as_ref()).collect();
    let instance_type = live.iter().find_map(|object| status::instance_type(object));
    let of_nodes = objects.iter().filter(|object| is_node(&object.reference));
    let nodes = of_nodes.filter_map(|object| count(&object.reference, object.before.as_ref()?)).sum();
    let sku = instance_type.as_deref().and_then(|name| context.catalog.sku(context.options.cloud, name));
    Summary {
        does: "what it ran".to_owned(),
        model: None,
        weights: 0,
        instance_type,
        nodes,
        gpus: sku.map_or(0, |found| found.value.gpus) * nodes,
        max_model_len: None,
        adapters: Vec::new(),
    }
}

/// The groups and kinds that come with what is wanted, so that a server need not know them yet.
pub fn coming_kinds(wanted: &AllWanted) -> BTreeSet<(String, String)> {
    let all = wanted.values().flat_map(BTreeMap::values);
    all.filter_map(|one| defines(&one.desired)).map(|(group, kind)| (group.to_owned(), kind.to_owned())).collect()
}

/// What an apply would change of a live object, as far as that can be told without the server; `None` if nothing. Secrets are not
/// hidden in it.
pub fn change(desired: &Value, live: &Value, manager: &str) -> Option<ObjectChange> {
    let reference = ObjectRef::of(desired).ok()?;
    object_change(reference, Some(cleaned(live.clone())), Some(cleaned(merged(desired, live, manager))))
}

/// The same with secrets hidden.
pub fn change_without_secrets(desired: &Value, live: &Value, manager: &str) -> Option<ObjectChange> {
    let change = change(desired, live, manager)?;
    let (before, after) = secrets::mask(change.before.as_ref(), change.after.as_ref());
    object_change(change.reference, before, after)
}

/// The group and kind that a `CustomResourceDefinition` defines.
pub fn defines(object: &Value) -> Option<(&str, &str)> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    (object["kind"] == "CustomResourceDefinition").then_some(())?;
    Some((text("/spec/group")?, text("/spec/names/kind")?))
}

/// Whether two states of an object are the same, but for what servers and Kaito write down for themselves.
pub fn is_same(one: &Value, other: &Value) -> bool {
    cleaned(one.clone()) == cleaned(other.clone())
}

/// How an object would change; `None` if it wouldn't.
fn changed(key: ObjectRef, wanted: Wanted, manager: &str, show_secrets: bool) -> Option<ObjectChange> {
    let Wanted { desired, live, answer } = wanted;
    // The server may quote what it refuses.
    let refused = |message: String| {
        let is_secret = desired["kind"] == "Secret" || !in_text(&message).is_empty();
        Note::Refused(if is_secret && !show_secrets { "--show-secrets shows why".to_owned() } else { message })
    };
    let reference = ObjectRef::of(&desired).unwrap_or(key);
    let mut notes = Vec::new();
    if live == Live::UnknownKind {
        notes.push(Note::UnknownKind);
    }
    let before = match live {
        Live::Object(live) => Some(live),
        Live::Settled(_) | Live::Absent | Live::UnknownKind | Live::Unreadable(_) => None,
    };
    let told = match answer {
        None => None,
        Some(Answer::Applied(after)) => Some(after),
        Some(Answer::Refused(message)) => {
            notes.push(refused(message));
            None
        }
        Some(Answer::Conflicts { conflicts, forced }) => {
            notes.extend(conflicts.into_iter().map(Note::Conflict));
            forced.map_err(|message| notes.push(refused(message))).ok()
        }
    };
    let after = match (&before, told) {
        (None, _) => desired,
        (Some(_), Some(told)) => told,
        // The server had not to be asked, since nothing would change.
        (Some(_), None) if notes.is_empty() => return None,
        (Some(live), None) => merged(&desired, live, manager),
    };
    let (before, mut after) = (before.map(cleaned), cleaned(after));
    if let Some(before) = before.as_ref().filter(|_| reference.group.contains('.') && !reference.group.ends_with(".k8s.io")) {
        keep_durations(before, &mut after);
    }
    let (before, after) = if show_secrets { (before, Some(after)) } else { secrets::mask(before.as_ref(), Some(&after)) };
    let change = object_change(reference.clone(), before.clone(), after.clone());
    let silent = || ObjectChange {
        reference,
        change: Change::Changed,
        before,
        after,
        fields: Vec::new(),
        disruption: Disruption::None,
        notes: Vec::new(),
    };
    // Who else wants a value that is the same, written otherwise, is no news.
    let change = change.or_else(|| notes.iter().any(|note| !matches!(note, Note::Conflict(_))).then(silent))?;
    Some(ObjectChange { notes, ..change })
}

/// An object without what servers and Kaito write down for themselves.
fn cleaned(mut object: Value) -> Value {
    drop_what_servers_write(&mut object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
        let is_empty = annotations.is_some_and(|annotations| {
            annotations.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
            annotations.is_empty()
        });
        if is_empty {
            metadata.remove("annotations");
        }
    }
    object
}

/// Durations that are the same and written otherwise stay as they are. Only custom resources have them, below `spec`.
fn keep_durations(before: &Value, after: &mut Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, before) in before.iter().filter(|(name, _)| *name != "metadata") {
                _ = after.get_mut(name).map(|after| keep_durations(before, after));
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).for_each(|(before, after)| keep_durations(before, after));
        }
        (Value::String(before), Value::String(after)) if is_same_duration(before, after) => after.clone_from(before),
        _ => {}
    }
}

/// How many of the nodes that are wanted are there, as far as the live objects say; `None` if no object is a node or a pool.
fn nodes(objects: &BTreeMap<ObjectRef, Wanted>, wanted: u64) -> Option<u64> {
    let mut of_nodes = objects.iter().filter(|(reference, _)| is_node(reference)).peekable();
    of_nodes.peek()?;
    let live: Vec<(&ObjectRef, &Value)> = of_nodes
        .filter_map(|(reference, found)| match &found.live {
            Live::Object(live) => Some((reference, live)),
            Live::Settled(_) | Live::Absent | Live::UnknownKind | Live::Unreadable(_) => None,
        })
        .collect();
    let counts: Vec<u64> = live.iter().filter_map(|(reference, live)| count(reference, live)).collect();
    // Pools that say no number have as many nodes as their pods need.
    Some(if counts.is_empty() && !live.is_empty() { wanted } else { counts.iter().sum() })
}

/// The nodes of one object: a NodeClaim and a Machine are one, a pool has as many as it says.
fn count(reference: &ObjectRef, live: &Value) -> Option<u64> {
    match reference.kind.as_str() {
        "NodeClaim" | "Machine" => Some(1),
        _ => ["/spec/replicas", "/spec/count"].into_iter().find_map(|path| live.pointer(path)?.as_u64()),
    }
}

fn with_nodes(summary: &Summary, nodes: Option<u64>) -> Summary {
    let mut summary = summary.clone();
    if let Some(nodes) = nodes {
        summary.gpus = summary.gpus.checked_div(summary.nodes).map_or(0, |each| each * nodes);
        summary.nodes = nodes;
    }
    summary
}
