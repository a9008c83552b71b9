//! What tools on cli-utils (kpt, Config Sync) are told to keep.
//!
//! Source: `sigs.k8s.io/cli-utils/pkg/common`.

use super::{Candidate, Context, Reason};
use crate::prune::candidate::Place;

const DELETION: &str = "client.lifecycle.config.k8s.io/deletion";
const ON_REMOVE: &str = "cli-utils.sigs.k8s.io/on-remove";

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    let detached = || candidate.marked(Place::Annotations, DELETION, "detach");
    detached().or_else(|| candidate.marked(Place::Annotations, ON_REMOVE, "keep"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn detached_objects_stay() {
        super::super::keeps(
            super::why_kept,
            [
                (json!({"annotations": {"client.lifecycle.config.k8s.io/deletion": "detach"}}), true),
                (json!({"annotations": {"client.lifecycle.config.k8s.io/deletion": "Detach"}}), true),
                (json!({"annotations": {"client.lifecycle.config.k8s.io/deletion": "keep"}}), false),
                (json!({"annotations": {"client.lifecycle.config.k8s.io/mutation": "ignore"}}), false),
                (json!({"annotations": {"cli-utils.sigs.k8s.io/on-remove": "keep"}}), true),
                (json!({"annotations": {"cli-utils.sigs.k8s.io/on-remove": "detach"}}), false),
                (json!({"labels": {"cli-utils.sigs.k8s.io/on-remove": "keep"}}), false),
                (json!({}), false),
            ],
        );
    }
}
