//! What belongs to others.

use super::{Candidate, Context, Reason};
use crate::inventory::part_of;

pub(super) fn why_kept(candidate: &Candidate<'_>, context: &Context<'_>) -> Option<Reason> {
    let set = part_of(candidate.object());
    (set != Some(context.set)).then(|| Reason::AnotherSet { set: set.map(ToOwned::to_owned) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_of_other_sets_or_of_none_stays() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({"labels": {"applyset.kubernetes.io/part-of": "one"}}), false),
                (json!({"labels": {"applyset.kubernetes.io/part-of": "other"}}), true),
                (json!({"labels": {"applyset.kubernetes.io/part-of": "ONE"}}), true),
                (json!({"annotations": {"applyset.kubernetes.io/part-of": "one"}}), true),
                (json!({}), true),
            ],
        );
    }
}
