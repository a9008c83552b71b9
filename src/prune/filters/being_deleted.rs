//! What is being deleted need not be deleted again.

use super::{Candidate, Context, Reason};

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    candidate.metadata("deletionTimestamp").is_string().then_some(Reason::BeingDeleted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_being_deleted_is_left_alone() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({}), false),
                (json!({"creationTimestamp": "2026-01-31T12:00:00Z"}), false),
                (json!({"deletionTimestamp": null}), false),
                (json!({"deletionTimestamp": "2026-01-31T12:00:00Z", "finalizers": ["a/b"]}), true),
            ],
        );
    }
}
