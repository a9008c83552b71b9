//! What to do so that a cluster holds what is rendered: object by object, from what is there.
//!
//! Everything here is decided before anything is sent. An object is left alone, applied, or replaced where a field that can't be
//! changed says so; or it is refused, and with it all of its Workspace, so that none is left half changed by something that
//! could be known before. What a server still refuses is said then.

mod adopt;
mod decide;
mod immutable;
mod outcome;
mod takeover;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::diff::Owner;
use crate::manifest::ObjectRef;
use crate::raw_object::RawObject;

pub use adopt::{Adopt, Holder, adopt_nodes, holder, is_mark_of_tool, is_operator, operator_name};
pub use decide::{decide, is_left_alone, is_of_operator, keep_what_was_made, touches_operator};
pub use immutable::{FORCE, is_about_immutable, is_forced};
pub use outcome::{Done, DryRun, Failure, Outcome};
pub use takeover::taken_over;

/// What decides what is done.
#[derive(Debug)]
pub struct Terms<'t> {
    /// The field manager.
    pub manager: &'t str,
    /// The id of the `ApplySet`, if there is one.
    pub set: Option<&'t str>,
    /// What keeps it.
    pub parent: Option<ObjectRef>,
    /// Which objects that are there already may be taken over.
    pub adopt: Adopt,
    /// Whether an operator of Kaito runs in the cluster.
    pub operator: Operator,
    /// Whether objects may be deleted and made anew where a change needs that.
    pub replace: bool,
    /// The Workspaces whose objects may be, in any case.
    pub forced: BTreeSet<Owner>,
    /// Whether fields are taken from other managers.
    pub force_conflicts: bool,
    /// The namespace of objects that name none.
    pub namespace: &'t str,
    /// The namespaces that may be touched; `None` for all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Whether objects are left alone that somebody has paused.
    pub honours_pauses: bool,
}

/// Whether an operator of Kaito runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Operator {
    /// None does.
    #[default]
    Gone,
    /// It does, in this Deployment.
    Runs {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// It can't be told.
    Unknown,
}

/// What is done with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing: an apply would change nothing.
    Leave,
    /// It is applied, and with `force` takes fields from other managers.
    Apply {
        /// Whether fields are taken from other managers.
        force: bool,
    },
    /// It is deleted, with all that belongs to it, and made anew.
    Replace,
}

/// One object, and what is done with it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Which it is.
    pub reference: ObjectRef,
    /// As it is wanted.
    pub desired: Value,
    /// As it is, if it is there.
    pub live: Option<Value>,
    /// As it is, if it is known already to be as it is wanted; then of `desired` only the name is there.
    pub settled: Option<RawObject>,
    /// What is done.
    pub action: Action,
    /// Whether it was somebody else's until now.
    pub is_adopted: bool,
    /// The `ownerReferences` that it keeps, where others must go: those by which it would be deleted with a Workspace.
    pub keeps_owners: Option<Vec<Value>>,
    /// Whether it may be deleted and made anew, if the server says that a field can't be changed.
    pub may_replace: bool,
    /// The fields in which it stays as Kaito's operator made it, since they can't be changed.
    pub kept_fields: Vec<String>,
}

impl Step {
    /// Whether nothing is there yet.
    pub fn is_new(&self) -> bool {
        self.live.is_none() && self.settled.is_none()
    }
}

/// Why an object isn't applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Which it is.
    pub reference: ObjectRef,
    /// Why.
    pub why: Why,
}

/// Why an object isn't applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// The server doesn't know its kind.
    UnknownKind,
    /// It may not be read, in the server's words.
    Unreadable(String),
    /// No object can be called so, or be in a namespace that is called so.
    Name {
        /// The name.
        name: String,
    },
    /// It is wanted twice.
    Twice,
    /// It keeps the set that it would be a member of.
    Parent,
    /// Its namespace isn't one that this apply is about.
    Namespace {
        /// The object's.
        namespace: String,
        /// Those that it is about.
        allowed: Vec<String>,
    },
    /// Its namespace isn't there.
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// It belongs to somebody else.
    Held(Holder),
    /// It is Kaito's, whose operator runs.
    Operator {
        /// The Workspace that it belongs to.
        holder: Holder,
        /// The operator.
        operator: Operator,
    },
    /// Fields are different that can't be changed.
    Immutable {
        /// These fields.
        fields: Vec<String>,
        /// What replacing it means.
        costs: &'static str,
    },
    /// It would lose data to be as it is wanted.
    DataLoss {
        /// The fields that are different.
        fields: Vec<String>,
    },
    /// It is being deleted.
    Terminating {
        /// What keeps it.
        finalizers: Vec<String>,
    },
}

impl Why {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownKind => "install its CustomResourceDefinition first, or add it to the input".to_owned(),
            Self::Unreadable(_) => {
                "`kaito rbac` prints the rights that are needed; `kubectl auth can-i --list` tells which there are".to_owned()
            }
            Self::Name { .. } => "use lower-case letters, digits, dashes and dots".to_owned(),
            Self::Twice => "its kind has no namespaces: leave metadata.namespace out, and one of the two".to_owned(),
            Self::Parent => "name another one with --applyset, or give this one another name".to_owned(),
            Self::Namespace { namespace, .. } => {
                format!("say --namespaces {namespace} if it is meant to be there, or --namespaces '*' for any")
            }
            Self::NoNamespace { namespace } => {
                format!("make it first (kubectl create namespace {namespace}) or add it to the input; -n chooses another one")
            }
            Self::Held(Holder::Set(id)) => format!(
                "name that set with --applyset: `kubectl get secrets,configmaps -A -l applyset.kubernetes.io/id={id}` tells which it is; or take it over with --adopt=all"
            ),
            Self::Held(Holder::Nobody) => "--adopt=if-no-owner takes over what belongs to nobody".to_owned(),
            Self::Held(_) => "remove it from there first, or take it over with --adopt=all".to_owned(),
            Self::Operator { operator: Operator::Runs { namespace, name }, .. } => format!(
                "stop the operator first, which leaves everything running (kubectl -n {namespace} scale deployment {name} --replicas=0), or leave this one to it; --adopt=all goes on all the same"
            ),
            Self::Operator { .. } => "see whether it runs, and go on with --adopt=all if it doesn't".to_owned(),
            Self::Immutable { .. } => {
                format!(
                    "--replace deletes it and makes it anew, as does the annotation {FORCE}: enabled on the Workspace; or undo the change"
                )
            }
            Self::DataLoss { .. } => "copy the data, delete the claim yourself and apply again; or undo the change".to_owned(),
            Self::Terminating { .. } => "apply again when it is gone".to_owned(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind => out.write_str("the cluster doesn't know this kind"),
            Self::Unreadable(words) => write!(out, "it may not be read: {words}"),
            Self::Name { name } => write!(out, "{name:?} is no name: an API server couldn't be asked for it"),
            Self::Twice => out.write_str("it is there twice"),
            Self::Parent => out.write_str("it keeps the ApplySet that it would be a member of"),
            Self::Namespace { namespace, allowed } => {
                write!(out, "it is in namespace {namespace}, and this apply is about {}", allowed.join(", "))
            }
            Self::NoNamespace { namespace } => write!(out, "there is no namespace {namespace}"),
            Self::Held(holder) => write!(out, "it is there already, and belongs to {holder}"),
            Self::Operator { holder: Holder::Us, operator: Operator::Runs { namespace, name } } => {
                write!(out, "the operator of Kaito runs (Deployment {namespace}/{name}), and would make once more what it stands for")
            }
            Self::Operator { holder: Holder::Us, .. } => out.write_str(
                "whether the operator of Kaito runs, and would make once more what it stands for, can't be told: Deployments can't be read",
            ),
            Self::Operator { holder, operator: Operator::Runs { namespace, name } } => {
                write!(
                    out,
                    "it belongs to {holder}, and the operator of Kaito runs (Deployment {namespace}/{name}): two would fight over it"
                )
            }
            Self::Operator { holder, .. } => {
                write!(out, "it belongs to {holder}, and whether the operator of Kaito runs can't be told: Deployments can't be read")
            }
            Self::Immutable { fields, costs } => {
                write!(out, "{} can't be changed in place; replacing it means that {costs}", fields.join(", "))
            }
            Self::DataLoss { fields } => write!(out, "{} can't be changed without losing the data in it", fields.join(", ")),
            Self::Terminating { finalizers } if finalizers.is_empty() => out.write_str("it is being deleted"),
            Self::Terminating { finalizers } => {
                write!(out, "it is being deleted, and waits for {}", finalizers.join(", "))
            }
        }
    }
}
