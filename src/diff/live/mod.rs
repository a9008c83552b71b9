//! What is rendered against what is in a cluster: what a server-side apply would change.
//!
//! The live objects are read once. Of most of them it can be told here that an apply would leave them alone ([`is_settled`]); only
//! about the others the server is asked. What it says, [`Answer`], and what was read, [`Live`], come to the same
//! [`Report`](super::Report) as two directories do.

mod command;
mod managers;
mod merge;
mod owned;
mod report;
mod same;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::side::Objects;
use super::{Owner, Side};
use crate::inventory;
use crate::manifest::ObjectRef;
use crate::raw_object::RawObject;
use crate::render::TemplateError;

pub use managers::{Manager, managers};
pub use owned::{is_settled, is_status_settled};
pub use report::{change, change_without_secrets, coming_kinds, defines, is_same, report};
pub use same::spelled_as;

/// What a cluster holds of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Live {
    /// The object, with its `managedFields`.
    Object(Value),
    /// It is ours, and is known to be as it is wanted: an apply would leave it alone. Of what is desired only the name is kept.
    Settled(RawObject),
    /// It isn't there.
    Absent,
    /// The server doesn't know its kind.
    UnknownKind,
    /// The server doesn't let it be read, in its words.
    Unreadable(String),
}

/// What a server says that a server-side apply would do, asked with `dryRun=All`.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The object as it would be then.
    Applied(Value),
    /// Fields belong to others, who want them otherwise.
    Conflicts {
        /// These fields.
        conflicts: Vec<Conflict>,
        /// The object as it would be if they were taken by force, or why that would be refused.
        forced: Result<Value, String>,
    },
    /// It would be refused, in the server's words.
    Refused(String),
}

/// A field that belongs to somebody else, who wants it otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field, as the server writes it: `.spec.replicas`.
    pub field: String,
    /// Whose it is: the name of a field manager.
    pub manager: String,
}

/// What a cluster says of an object, besides what would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An apply would be refused unless it takes this field by force.
    Conflict(Conflict),
    /// The server doesn't know its kind.
    UnknownKind,
    /// The server would refuse it.
    Refused(String),
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(Conflict { field, manager }) => write!(out, "conflict: {field} belongs to {manager}, who wants it otherwise"),
            Self::UnknownKind => out.write_str("the cluster doesn't know this kind: install its CustomResourceDefinition first"),
            Self::Refused(message) => {
                write!(out, "the server would refuse it: {}", message.split_whitespace().collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// An object that is wanted, what is there of it, and what the server says, if it was asked.
#[derive(Debug)]
pub struct Wanted {
    /// As it is rendered.
    pub desired: Value,
    /// As it is.
    pub live: Live,
    /// What the server says of it; `None` if it didn't have to be asked.
    pub answer: Option<Answer>,
}

/// Everything that is wanted, by its owner.
pub type AllWanted = BTreeMap<Option<Owner>, BTreeMap<ObjectRef, Wanted>>;

/// Renders everything of a side, as something that is in no cluster yet.
///
/// # Errors
/// A template at fault.
pub fn wanted(side: &Side<'_>) -> Result<AllWanted, TemplateError> {
    wanted_of(side, None, &Wanted::new)
}

/// Renders what belongs to these owners alone, or everything, and makes what is wanted out of each object at once, on several threads.
///
/// # Errors
/// A template at fault.
pub fn wanted_of(
    side: &Side<'_>,
    owners: Option<&BTreeSet<Option<Owner>>>,
    make: &(impl Fn(Value) -> Wanted + Sync),
) -> Result<AllWanted, TemplateError> {
    let mut shared = side.shared()?;
    shared.retain(|owner, _| owners.is_none_or(|owners| owners.contains(owner)));
    let is_meant = |owner: &Owner| owners.is_none_or(|owners| owners.contains(&Some(owner.clone())));
    let rendered = side.render_each(is_meant, make)?;
    let made = |objects: Objects| objects.into_iter().map(|(reference, desired)| (reference, make(desired))).collect();
    let mut all: AllWanted = shared.into_iter().map(|(owner, objects)| (owner, made(objects))).collect();
    for (owner, objects) in rendered {
        all.entry(Some(owner)).or_default().extend(objects);
    }
    Ok(all)
}

/// Leaves every object in the set that it is a member of: which one that is, is no part of what is rendered.
pub fn keep_membership(wanted: &mut AllWanted) {
    for Wanted { desired, live, .. } in wanted.values_mut().flat_map(BTreeMap::values_mut) {
        if let Live::Object(live) = live
            && let Some(id) = inventory::part_of(live)
        {
            inventory::mark(desired, id);
        }
    }
}

impl Wanted {
    /// An object as it is rendered, of which nobody has looked yet whether it is there.
    pub fn new(desired: Value) -> Self {
        Self { desired, live: Live::Absent, answer: None }
    }

    /// Whether only the server knows what an apply as this field manager would do.
    pub fn must_be_asked(&self, manager: &str) -> bool {
        match &self.live {
            Live::Object(live) => !is_settled(&self.desired, live, manager),
            Live::Absent => true,
            Live::Settled(_) | Live::UnknownKind | Live::Unreadable(_) => false,
        }
    }
}
