//! What is said of objects that were not applied or pruned as they should have been.

use crate::apply::{Failure, Refusal, Why};
use crate::cluster::{Deletion, Unlisted};
use crate::diagnostic::Diagnostic;
use crate::diff::Owner;
use crate::manifest::ObjectRef;
use crate::prune::{self, Kept};

/// An object was not applied.
pub fn failed(reference: &ObjectRef, failure: &Failure) -> Diagnostic {
    let message = match failure {
        Failure::Refused(_) | Failure::Immutable(_) if is_secret(reference) => unquoted(),
        failure => failure.to_string(),
    };
    Diagnostic::error(format!("{reference} was not applied: {message}")).help(failure.help())
}

/// Objects were not tried: once for all of a Workspace for which the reason is the same.
pub fn refused(refusals: Vec<Refusal>) -> Vec<(Option<Owner>, Diagnostic)> {
    let mut said: Vec<(Option<Owner>, Why, Vec<ObjectRef>)> = Vec::new();
    for Refusal { owner, reference, why } in refusals {
        match said.iter_mut().find(|(whose, reason, _)| owner.is_some() && *whose == owner && *reason == why) {
            Some((.., objects)) => objects.push(reference),
            None => said.push((owner, why, vec![reference])),
        }
    }
    let say = |(owner, why, objects): (Option<Owner>, Why, Vec<ObjectRef>)| {
        let objects = list(&objects);
        let message = match &owner {
            Some(owner) => format!("{owner} was not applied: {objects}: {why}"),
            None => format!("{objects} was not applied: {why}"),
        };
        (owner, Diagnostic::error(message).help(why.help()))
    };
    said.into_iter().map(say).collect()
}

/// Objects were not tried, since another one of the same Workspace was not applied.
pub fn skipped(culprit: &ObjectRef, objects: &[ObjectRef]) -> Diagnostic {
    let verb = if objects.len() == 1 { "was" } else { "were" };
    Diagnostic::error(format!("{} {verb} not applied, since {culprit} of the same Workspace was not", list(objects)))
        .help("it is applied with it the next time")
}

/// An object stays as Kaito's operator made it; none if there is no such field.
pub fn kept_as_made(reference: &ObjectRef, fields: &[String]) -> Option<Diagnostic> {
    let message = || format!("{reference} stays as Kaito's operator made it in {}, which can't be changed", fields.join(", "));
    let help = "annotate its Workspace with kaito.sh/force: enabled to have it deleted and made anew";
    (!fields.is_empty()).then(|| Diagnostic::warning(message()).help(help))
}

/// A member stays that is no longer wanted.
pub fn kept(kept: &Kept<'_>) -> Diagnostic {
    let message = format!("{} is not pruned: {}", kept.candidate.reference(), kept.reason);
    kept.reason.help().into_iter().fold(Diagnostic::warning(message), Diagnostic::help)
}

/// Members may be where nobody may look.
pub fn unlisted(unlisted: &Unlisted) -> Diagnostic {
    let Unlisted { kind, namespace, why } = unlisted;
    let place = namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
    Diagnostic::warning(format!("nothing of kind {kind}{place} is pruned, as it may not be listed: {why}"))
        .help("it stays in the set; `kaito rbac` prints the rights that are needed")
}

/// A member is still there that had to go; none if it is gone.
pub fn not_pruned(reference: &ObjectRef, deletion: &Deletion) -> Option<Diagnostic> {
    let message = match deletion {
        Deletion::Deleted => return None,
        Deletion::Kept(finalizers) if finalizers.is_empty() => format!("{reference} was deleted, and isn't gone yet"),
        Deletion::Kept(finalizers) => format!("{reference} was deleted, and isn't gone yet: it waits for {}", finalizers.join(", ")),
        Deletion::Refused(_) if is_secret(reference) => format!("{reference} was not pruned: {}", unquoted()),
        Deletion::Refused(message) => format!("{reference} was not pruned: the server refuses it: {message}"),
    };
    Some(Diagnostic::error(message).help("it stays in the set, and is pruned the next time"))
}

/// Nothing is pruned at all. Where something has gone wrong before, that is no further error.
pub fn prune_refused(refusal: &prune::Refusal<'_>) -> Diagnostic {
    let message = refusal.to_string();
    if follows(refusal) { Diagnostic::warning(message) } else { Diagnostic::error(message) }.help(refusal.help())
}

/// Whether nothing is pruned because something else has gone wrong, which has been said.
pub fn follows(refusal: &prune::Refusal<'_>) -> bool {
    matches!(refusal, prune::Refusal::RenderFailed | prune::Refusal::ApplyFailed)
}

fn is_secret(reference: &ObjectRef) -> bool {
    reference.kind == "Secret" && reference.group.is_empty()
}

/// What is said in the place of a server's words, which may quote what it refuses.
fn unquoted() -> String {
    "the server refuses it; `kubectl apply --server-side --dry-run=server` shows why".to_owned()
}

fn list(objects: &[ObjectRef]) -> String {
    objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
