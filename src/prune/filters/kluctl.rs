//! What kluctl is told to leave alone.
//!
//! Source: kluctl's documentation of annotations on all resources.

use super::{Candidate, Context, Reason};
use crate::prune::candidate::Place;

const SKIP_DELETE: &str = "kluctl.io/skip-delete";

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    candidate.marked(Place::Annotations, SKIP_DELETE, "true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn skipped_objects_stay() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({"annotations": {"kluctl.io/skip-delete": "true"}}), true),
                (json!({"annotations": {"kluctl.io/skip-delete": "True"}}), true),
                (json!({"annotations": {"kluctl.io/skip-delete": "false"}}), false),
                (json!({"annotations": {"kluctl.io/skip-delete": ""}}), false),
                (json!({"labels": {"kluctl.io/skip-delete": "true"}}), false),
                (json!({}), false),
            ],
        );
    }
}
