//! What Argo CD is told to leave alone, or to ask about first.
//!
//! Source: Argo CD's documentation of sync options.

use super::{Candidate, Context, Reason};

const OPTIONS: &str = "argocd.argoproj.io/sync-options";
const APPROVED: &str = "argocd.argoproj.io/deletion-approved";

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    let options = candidate.annotation(OPTIONS)?;
    let has = |want: &&str| options.split(',').any(|option| option.trim().eq_ignore_ascii_case(want));
    if let Some(value) = ["Prune=false", "Delete=false"].into_iter().find(has) {
        return Some(Reason::Protected { place: "annotation", key: OPTIONS, value });
    }
    let value = ["Prune=confirm", "Delete=confirm"].into_iter().find(has).filter(|_| !is_approved(candidate))?;
    Some(Reason::Unconfirmed { key: OPTIONS, value, approval: APPROVED })
}

/// Whether somebody has approved, which is done with a time as RFC 3339 has it.
fn is_approved(candidate: &Candidate<'_>) -> bool {
    let form = |time: &str| time.trim().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    candidate.annotation(APPROVED).is_some_and(|time| form(time).starts_with("0000-00-00T00:00:00"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn options_protect() {
        let options = |options: &str| json!({"annotations": {"argocd.argoproj.io/sync-options": options}});
        let approved = |options: &str, time: &str| {
            let annotations = json!({"argocd.argoproj.io/sync-options": options, "argocd.argoproj.io/deletion-approved": time});
            json!({"annotations": annotations})
        };
        super::super::keeps(
            super::why_kept,
            [
                (options("Prune=false"), true),
                (options("Delete=false"), true),
                (options("ServerSideApply=true, Prune=false"), true),
                (options("prune=False"), true),
                (options("Prune=true"), false),
                (options("PruneLast=true"), false),
                (options(""), false),
                (options("Prune=confirm"), true),
                (options("Validate=false,Delete=confirm"), true),
                (approved("Prune=confirm", "2026-01-31T12:00:00Z"), false),
                (approved("Delete=confirm", "2026-01-31T12:00:00+01:00"), false),
                (approved("Prune=confirm", "true"), true),
                (approved("Prune=confirm", ""), true),
                (approved("Prune=false", "2026-01-31T12:00:00Z"), true),
                (approved("Prune=confirm,Delete=false", "2026-01-31T12:00:00Z"), true),
                (json!({"labels": {"argocd.argoproj.io/sync-options": "Prune=false"}}), false),
                (json!({}), false),
            ],
        );
    }
}
