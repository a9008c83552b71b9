//! What keeps a single object: one file for each whose word counts.

mod another_set;
mod argo_cd;
mod being_deleted;
mod cli_utils;
mod controlled;
mod flux;
mod helm;
mod kaito;
mod kapp;
mod kluctl;
mod namespace;
mod precious;
mod reason;
mod unread;

use std::collections::BTreeSet;

use super::{AllowedKind, Candidate};
use crate::diff::Owner;

pub(super) use precious::kinds as precious_kinds;
pub use reason::Reason;

/// A reason to keep objects.
pub struct Filter {
    /// Its name, for programs that read what was kept.
    pub name: &'static str,
    /// Why it keeps an object, if it does.
    pub why_kept: fn(&Candidate<'_>, &Context<'_>) -> Option<Reason>,
}

/// What filters go by, besides the object.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The id of the set.
    pub set: &'c str,
    /// The Workspaces, RAGEngines, InferenceSets and MultiRoleInferences of the input.
    pub owners: &'c BTreeSet<Owner>,
    /// The kinds that the user allows to go.
    pub allowed: &'c [AllowedKind],
    /// The namespaces that may be touched; `None` for all.
    pub namespaces: Option<&'c BTreeSet<String>>,
    /// What was applied the last time, if that isn't what is applied now: what isn't there may only not have been read.
    pub other_inputs: Option<&'c str>,
}

/// Every filter. The first that keeps an object gives the reason.
pub const FILTERS: [Filter; 13] = [
    Filter { name: "being-deleted", why_kept: being_deleted::why_kept },
    Filter { name: "another-set", why_kept: another_set::why_kept },
    Filter { name: "namespace", why_kept: namespace::why_kept },
    Filter { name: "controlled", why_kept: controlled::why_kept },
    Filter { name: "kaito", why_kept: kaito::why_kept },
    Filter { name: "flux", why_kept: flux::why_kept },
    Filter { name: "argo-cd", why_kept: argo_cd::why_kept },
    Filter { name: "helm", why_kept: helm::why_kept },
    Filter { name: "cli-utils", why_kept: cli_utils::why_kept },
    Filter { name: "kluctl", why_kept: kluctl::why_kept },
    Filter { name: "kapp", why_kept: kapp::why_kept },
    Filter { name: "unread", why_kept: unread::why_kept },
    Filter { name: "precious", why_kept: precious::why_kept },
];

/// Whether filters keep objects with such metadata.
#[cfg(test)]
fn keeps<const N: usize>(why_kept: fn(&Candidate<'_>, &Context<'_>) -> Option<Reason>, table: [(serde_json::Value, bool); N]) {
    for (metadata, want) in table {
        let mut object = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        object["metadata"]["name"] = "x".into();
        let context = Context { set: "one", owners: &BTreeSet::new(), allowed: &[], namespaces: None, other_inputs: None };
        assert_eq!(why_kept(&Candidate::of(&object).unwrap(), &context).is_some(), want, "{metadata}");
    }
}
