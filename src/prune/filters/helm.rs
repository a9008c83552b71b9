//! What Helm is told to keep.
//!
//! Source: Helm's documentation of charts.

use super::{Candidate, Context, Reason};
use crate::prune::candidate::Place;

const POLICY: &str = "helm.sh/resource-policy";

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    candidate.marked(Place::Annotations, POLICY, "keep")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn kept_objects_stay() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({"annotations": {"helm.sh/resource-policy": "keep"}}), true),
                (json!({"annotations": {"helm.sh/resource-policy": " Keep "}}), true),
                (json!({"annotations": {"helm.sh/resource-policy": "delete"}}), false),
                (json!({"labels": {"helm.sh/resource-policy": "keep"}}), false),
                (json!({}), false),
            ],
        );
    }
}
