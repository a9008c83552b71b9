//! Why an object stays, in words.

use std::fmt;

use crate::diff::Owner;
use crate::manifest::ObjectRef;

/// Why an object stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody has deleted it; it waits for its finalizers.
    BeingDeleted,
    /// It belongs to another set, or to none.
    AnotherSet {
        /// The other set's id.
        set: Option<String>,
    },
    /// It is in a namespace that this run is not about.
    Namespace {
        /// The namespace.
        namespace: String,
    },
    /// It may be wanted in files that were not read.
    Unread {
        /// Whose it is, if that is known.
        owner: Option<Owner>,
        /// What was applied the last time.
        inputs: String,
    },
    /// Another object controls it.
    Controlled {
        /// Kind and name of that object.
        by: String,
    },
    /// A label or an annotation protects it.
    Protected {
        /// `label` or `annotation`.
        place: &'static str,
        /// The key.
        key: &'static str,
        /// The value, or the part of it that counts.
        value: &'static str,
    },
    /// It goes when somebody says so, and nobody has.
    Unconfirmed {
        /// The annotation by which it waits.
        key: &'static str,
        /// The part of it that counts.
        value: &'static str,
        /// The annotation by which it goes.
        approval: &'static str,
    },
    /// Too much would be lost with it.
    Precious {
        /// What would be lost.
        loss: &'static str,
        /// Whose it is, if that is known and still wanted.
        owner: Option<Owner>,
        /// Its kind, as `--prune-allow` takes it.
        kind: String,
    },
    /// Others that stay would go with it.
    InUse {
        /// One of them.
        by: ObjectRef,
    },
}

impl Reason {
    /// What to do if it is to go all the same.
    pub fn help(&self) -> Option<String> {
        self.help_for("pruned", "--prune-allow")
    }

    /// What to do if it is to be `done` all the same, where kinds are allowed by this flag.
    pub fn help_for(&self, done: &str, flag: &str) -> Option<String> {
        match self {
            Self::BeingDeleted | Self::Controlled { .. } | Self::AnotherSet { .. } => None,
            Self::Protected { place, key, value } => {
                Some(format!("take {place} {key}: {value} away from the live object to have it {done}"))
            }
            Self::Unconfirmed { approval, .. } => {
                Some(format!("set annotation {approval} to the time of the approval, such as 2026-01-31T12:00:00Z, to have it {done}"))
            }
            Self::Namespace { namespace } => Some(format!("say --namespaces {namespace} to have it {done}")),
            Self::Unread { .. } => {
                Some("apply what was applied the last time; or, if these are the files from now on, once without --prune".to_owned())
            }
            Self::Precious { kind, .. } => Some(format!("allow it with {flag}={kind}, or delete it yourself")),
            Self::InUse { .. } => Some("it can go when nothing stays that needs it".to_owned()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeingDeleted => out.write_str("it is being deleted already"),
            Self::AnotherSet { set: Some(set) } => write!(out, "it belongs to another ApplySet: {set}"),
            Self::AnotherSet { set: None } => out.write_str("it belongs to no ApplySet"),
            Self::Controlled { by } => write!(out, "{by} controls it, and it goes with that"),
            Self::Protected { place, key, value } => write!(out, "it is protected by {place} {key}: {value}"),
            Self::Namespace { namespace } => write!(out, "it is in namespace {namespace}, which nobody named"),
            Self::Unread { owner: Some(owner), inputs } => {
                write!(out, "{owner} may stand in what was applied the last time, and isn't now: {inputs}")
            }
            Self::Unread { owner: None, inputs } => {
                write!(out, "it may stand in what was applied the last time, and isn't now: {inputs}")
            }
            Self::Unconfirmed { key, value, .. } => write!(out, "it waits for approval, as annotation {key}: {value} asks"),
            Self::Precious { loss, owner: Some(owner), .. } => write!(out, "{loss}, and {owner} is still wanted"),
            Self::Precious { loss, owner: None, .. } => write!(out, "{loss}; that has to be allowed, as its labels name no Workspace"),
            Self::InUse { by } => write!(out, "{by} stays, and would go with it"),
        }
    }
}
