//! The conditions that everybody knows: `Ready`, `Reconciling`, `Stalled`.
//!
//! `Reconciling` and `Stalled` are there only while they hold, and never together. What is in trouble and tried again says so in
//! the way of Flux: it is `Reconciling` with the reason `ProgressingWithRetry`, and `Ready` tells why it isn't.

use super::part::{Outlook, Part};

/// The types of these conditions.
pub(super) const KINDS: [&str; 3] = ["Ready", "Reconciling", "Stalled"];

/// What a verdict comes to. What is suspended is not worked on, and nobody should wait for it.
pub(super) fn summary(verdict: &Part, is_suspended: bool) -> Vec<Part> {
    let holds = |kind, reason: &str| Part { kind, outlook: Outlook::There, reason: reason.to_owned(), message: verdict.message.clone() };
    let reason = if is_suspended { "Suspended" } else { &verdict.reason };
    let message = if is_suspended { format!("suspended: {}", verdict.message) } else { verdict.message.clone() };
    let ready = Part::new("Ready", verdict.outlook, reason, message);
    let other = match verdict.outlook {
        Outlook::Failed => Some(holds("Stalled", &verdict.reason)),
        Outlook::There => None,
        _ if is_suspended => None,
        Outlook::Coming => Some(holds("Reconciling", "Progressing")),
        Outlook::Stuck => Some(holds("Reconciling", "ProgressingWithRetry")),
    };
    [Some(ready), other].into_iter().flatten().collect()
}
