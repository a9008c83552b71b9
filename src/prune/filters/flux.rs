//! What Flux is told to leave alone.
//!
//! Source: Flux's documentation of Kustomizations. What it doesn't reconcile it doesn't prune either.

use super::{Candidate, Context, Reason};
use crate::prune::candidate::Place;

const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    [PRUNE, RECONCILE].into_iter().find_map(|key| candidate.marked(Place::LabelsAndAnnotations, key, "disabled"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn disabled_objects_stay() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({"annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}), true),
                (json!({"annotations": {"kustomize.toolkit.fluxcd.io/prune": "Disabled"}}), true),
                (json!({"labels": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}), true),
                (json!({"labels": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}), true),
                (json!({"annotations": {"kustomize.toolkit.fluxcd.io/prune": "enabled"}}), false),
                (json!({"annotations": {"kustomize.toolkit.fluxcd.io/force": "disabled"}}), false),
                (json!({}), false),
            ],
        );
    }
}
