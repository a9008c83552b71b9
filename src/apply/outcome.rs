//! What becomes of objects.

use std::fmt;

use crate::diff::Owner;
use crate::diff::live::Conflict;
use crate::manifest::ObjectRef;
use crate::raw_object::RawObject;

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It is.
    #[default]
    None,
    /// Nothing is sent.
    Client,
    /// The server is asked what it would do.
    Server,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It is different now.
    Configured,
    /// It is as it was.
    Unchanged,
    /// It was deleted and made anew.
    Replaced,
    /// It was not applied.
    Failed(Failure),
    /// It was not tried, since something that it needs failed.
    Skipped(ObjectRef),
}

/// Why an object was not applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Fields belong to others.
    Conflicts(Vec<Conflict>),
    /// A field can't be changed, in the server's words.
    Immutable(String),
    /// The server refuses it, in its words.
    Refused(String),
    /// It can't be deleted, to be made anew: what keeps it.
    Stuck(Vec<String>),
}

/// An object, and what became of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Which it is.
    pub reference: ObjectRef,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it was somebody else's until now.
    pub is_adopted: bool,
    /// The fields in which it stays as Kaito's operator made it.
    pub kept_fields: Vec<String>,
    /// As it is now, as far as that is known.
    pub object: RawObject,
}

impl Outcome {
    /// The word that kubectl has for it; none for what was not applied.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Created => Some("created"),
            Self::Configured => Some("configured"),
            Self::Unchanged => Some("unchanged"),
            Self::Replaced => Some("replaced"),
            Self::Failed(_) | Self::Skipped(_) => None,
        }
    }
}

impl DryRun {
    /// What is said behind what would be done, as kubectl says it.
    pub fn remark(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}

impl Failure {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Conflicts(_) => {
                "--force-conflicts takes these fields; or leave them to their manager, by a patch that removes them from what is rendered"
            }
            Self::Immutable(_) => {
                "--replace deletes it and makes it anew, as does the annotation kaito.sh/force: enabled on the Workspace; or undo the change"
            }
            Self::Refused(_) => "put right what the server says, and apply again: what was applied stays, and is left alone then",
            Self::Stuck(_) => "find out why it isn't let go of (kubectl describe), and apply again",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflicts(conflicts) => {
                let all = conflicts.iter().map(|conflict| format!("{} belongs to {}", conflict.field, conflict.manager));
                write!(out, "{}, who wants it otherwise", all.collect::<Vec<_>>().join(", "))
            }
            Self::Immutable(message) | Self::Refused(message) => write!(out, "the server refuses it: {}", one_line(message)),
            Self::Stuck(finalizers) if finalizers.is_empty() => out.write_str("it was deleted to be made anew, and isn't gone yet"),
            Self::Stuck(finalizers) => {
                write!(out, "it was deleted to be made anew, and isn't gone yet: it waits for {}", finalizers.join(", "))
            }
        }
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
