//! What kaito is told to leave alone, in its own words.

use super::{Candidate, Context, Reason};
use crate::prune::candidate::Place;

const PRUNE: &str = "kaito.sh/prune";
const RECONCILE: &str = "kaito.sh/reconcile";

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
                (json!({"annotations": {"kaito.sh/prune": "disabled"}}), true),
                (json!({"annotations": {"kaito.sh/prune": " Disabled"}}), true),
                (json!({"labels": {"kaito.sh/prune": "disabled"}}), true),
                (json!({"annotations": {"kaito.sh/reconcile": "disabled"}}), true),
                (json!({"annotations": {"kaito.sh/prune": "enabled"}}), false),
                (json!({"annotations": {"prune": "disabled"}}), false),
                (json!({}), false),
            ],
        );
    }
}
