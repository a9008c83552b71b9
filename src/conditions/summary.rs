//! The conditions that everybody knows: `Ready`, `Reconciling`, `Stalled`; and Flux' `SourceVerified`, as long as something newer isn't followed.
//!
//! `Reconciling` and `Stalled` are there only while they hold, and never together. What is in trouble and tried again says so in
//! the way of Flux: it is `Reconciling` with the reason `ProgressingWithRetry`, and `Ready` tells why it isn't.

use super::Cause;
use super::part::{Outlook, Part};
use crate::health::line;

/// The types of these conditions.
pub(super) const KINDS: [&str; 4] = ["Ready", "Reconciling", "SourceVerified", "Stalled"];

/// What a verdict comes to. What is suspended is not worked on, and nobody should wait for it. That there is a commit which is `unverified`,
/// and why, makes nothing worse of what runs.
pub(super) fn summary(verdict: &Part, is_suspended: bool, unverified: Option<&str>) -> Vec<Part> {
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
    let verified = unverified.map(|why| Part::new("SourceVerified", Outlook::Failed, Cause::Unverified.reason(), line(why)));
    [Some(ready), other, verified].into_iter().flatten().collect()
}
