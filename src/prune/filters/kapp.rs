//! What kapp is told to leave behind.
//!
//! Source: kapp's documentation of apply options.

use super::{Candidate, Context, Reason};
use crate::prune::candidate::Place;

const STRATEGY: &str = "kapp.k14s.io/delete-strategy";

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    candidate.marked(Place::Annotations, STRATEGY, "orphan")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn orphans_stay() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({"annotations": {"kapp.k14s.io/delete-strategy": "orphan"}}), true),
                (json!({"annotations": {"kapp.k14s.io/delete-strategy": "Orphan"}}), true),
                (json!({"annotations": {"kapp.k14s.io/delete-strategy": "delete"}}), false),
                (json!({"annotations": {"kapp.k14s.io/update-strategy": "orphan"}}), false),
                (json!({"labels": {"kapp.k14s.io/delete-strategy": "orphan"}}), false),
                (json!({}), false),
            ],
        );
    }
}
