//! What may be wanted in files that were not read this time: something is gone if it isn't where it was, not if nobody has looked there.

use super::{Candidate, Context, Reason, precious};

pub(super) fn why_kept(candidate: &Candidate<'_>, context: &Context<'_>) -> Option<Reason> {
    let inputs = context.other_inputs?;
    let owner = precious::owner(candidate);
    // Of a Workspace that was read everything is known.
    let is_known = owner.as_ref().is_some_and(|owner| context.owners.contains(owner));
    let is_allowed = context.allowed.iter().any(|kind| kind.is_of(candidate.reference()));
    (!is_known && !is_allowed).then(|| Reason::Unread { owner, inputs: inputs.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::diff::Owner;

    #[test]
    fn what_nobody_has_looked_for_stays() {
        let owners: BTreeSet<Owner> = [Owner { kind: "Workspace", namespace: "n".into(), name: "here".into() }].into();
        let table = [
            (Some("elsewhere"), Some("here"), "", false),
            (Some("elsewhere"), Some("gone"), "", true),
            (Some("elsewhere"), None, "", true),
            (None, Some("gone"), "", false),
            (None, None, "", false),
            (Some("elsewhere"), Some("gone"), "nodeclaims", false),
            (Some("elsewhere"), Some("gone"), "pvc", true),
        ];
        for (other_inputs, workspace, allowed, want) in table {
            let labels = json!({"kaito.sh/workspace": workspace, "kaito.sh/workspacenamespace": "n"});
            let object = json!({"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": {"name": "x", "labels": labels}});
            let allowed: Vec<_> = allowed.parse().into_iter().collect();
            let context = Context { set: "one", owners: &owners, allowed: &allowed, namespaces: None, other_inputs };
            assert_eq!(why_kept(&Candidate::of(&object).unwrap(), &context).is_some(), want, "{other_inputs:?} {workspace:?}");
        }
    }
}
