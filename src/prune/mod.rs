//! Which objects of a set that are no longer wanted are deleted, and why the others are not.
//!
//! First the run as a whole is looked at ([`Refusal`]), then each object by each [`Filter`] of a list. To add a filter is to add a file
//! and a line to [`FILTERS`]. Nothing is asked and nothing is deleted here.

mod allowed;
mod candidate;
mod filters;
mod guard;
mod in_use;

use std::collections::{BTreeSet, HashSet};

use crate::inventory::part_of;
use crate::manifest::ObjectRef;

pub use allowed::AllowedKind;
pub use candidate::Candidate;
pub use filters::{Context, FILTERS, Filter, Reason};
pub use guard::{Facts, MaxPrune, Refusal};
pub use in_use::would_take;

/// What is deleted, and what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan<'o> {
    /// What is deleted, in this order: the reverse of that in which objects are applied.
    pub prune: Vec<Candidate<'o>>,
    /// What is no longer wanted and stays, in the same order.
    pub kept: Vec<Kept<'o>>,
}

/// An object that stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept<'o> {
    /// The object.
    pub candidate: Candidate<'o>,
    /// The name of the filter that keeps it.
    pub filter: &'static str,
    /// Why it stays.
    pub reason: Reason,
}

/// What becomes of the members of a set after an apply. What is of another set, or of none, is nobody's business here: it is left
/// out, as some members can only be found by listing everything of their kind.
///
/// `wanted` are all objects that were rendered, as [`ObjectRef::in_namespace`] has them, and `staying` those members that are no
/// candidates, since it is plain that they are among these.
///
/// # Errors
/// Why nothing at all is deleted.
pub fn plan<'o>(
    candidates: Vec<Candidate<'o>>,
    staying: &[&ObjectRef],
    wanted: &BTreeSet<ObjectRef>,
    context: &Context<'_>,
    facts: &Facts,
) -> Result<Plan<'o>, Refusal<'o>> {
    let members: Vec<_> = candidates.into_iter().filter(|candidate| part_of(candidate.object()) == Some(context.set)).collect();
    let count = members.len() + staying.len();
    let wanted_anywhere: HashSet<_> = wanted.iter().map(ObjectRef::without_namespace).collect();
    let is_wanted = |candidate: &Candidate<'_>| match candidate.reference().namespace {
        Some(_) => wanted.contains(candidate.reference()),
        // It is in no namespace, whatever the manifest said.
        None => wanted_anywhere.contains(candidate.reference()),
    };
    let (wanted_too, unwanted): (Vec<_>, Vec<_>) = members.into_iter().partition(is_wanted);
    if unwanted.is_empty() {
        return Ok(Plan::default());
    }
    facts.check(wanted.is_empty(), count)?;
    let staying: Vec<_> = staying.iter().copied().chain(wanted_too.iter().map(Candidate::reference)).collect();
    facts.check_count(sift(unwanted, &staying, context), count)
}

/// Sorts what is to go into what is deleted and what stays. `staying` are the live objects that nobody wants to go.
///
/// This is all of it for a deletion that the user asked for: there nothing stays, and [`Context::owners`] are none.
pub fn sift<'o>(mut unwanted: Vec<Candidate<'o>>, staying: &[&ObjectRef], context: &Context<'_>) -> Plan<'o> {
    unwanted.sort_by(Candidate::cmp_last_applied_first);
    let mut plan = Plan::default();
    for candidate in unwanted {
        match why_kept(&candidate, context) {
            Some((filter, reason)) => plan.kept.push(Kept { candidate, filter, reason }),
            None => plan.prune.push(candidate),
        }
    }
    in_use::keep(&mut plan, staying);
    plan
}

/// The name of the first filter that keeps an object, and its reason.
pub fn why_kept(candidate: &Candidate<'_>, context: &Context<'_>) -> Option<(&'static str, Reason)> {
    FILTERS.iter().find_map(|filter| Some((filter.name, (filter.why_kept)(candidate, context)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::inventory::mark;

    fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, set: &str) -> Value {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}});
        mark(&mut object, set);
        object
    }

    fn names<'o>(candidates: impl IntoIterator<Item = &'o Candidate<'o>>) -> Vec<String> {
        candidates.into_iter().map(|candidate| candidate.reference().to_string()).collect()
    }

    fn context(allowed: &[AllowedKind]) -> Context<'_> {
        static NO_OWNERS: BTreeSet<crate::diff::Owner> = BTreeSet::new();
        Context { set: "one", owners: &NO_OWNERS, allowed, namespaces: None, other_inputs: None }
    }

    #[test]
    fn what_is_wanted_or_of_others_is_no_candidate() {
        let live = [
            object("v1", "Service", Some("n"), "wanted", "one"),
            object("v1", "Service", Some("m"), "wanted", "one"),
            object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "wanted", "one"),
            object("rbac.authorization.k8s.io/v1", "ClusterRole", None, "gone", "one"),
            object("v1", "Service", Some("n"), "of-another", "other"),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "of-none", "namespace": "n"}}),
        ];
        let wanted = [
            ObjectRef::new("", "Service", Some("n"), "wanted"),
            ObjectRef::new("rbac.authorization.k8s.io", "ClusterRole", Some("n"), "wanted"),
        ];
        let candidates = live.iter().map(|object| Candidate::of(object).unwrap()).collect();
        let plan = plan(candidates, &[], &wanted.into(), &context(&[]), &Facts::default()).unwrap();
        assert_eq!(names(&plan.prune), ["Service m/wanted", "ClusterRole gone"]);
        assert_eq!(plan.kept, []);
    }

    #[test]
    fn objects_go_in_the_reverse_of_the_order_in_which_they_come() {
        let mut live = [
            object("v1", "ConfigMap", Some("n"), "a", "one"),
            object("apps/v1", "StatefulSet", Some("n"), "a", "one"),
            object("v1", "Service", Some("n"), "a", "one"),
            object("v1", "Service", Some("n"), "b", "one"),
            object("karpenter.sh/v1alpha5", "Provisioner", None, "a", "one"),
            object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", None, "a", "one"),
            object("example.com/v1", "Thing", None, "a", "one"),
        ];
        for _ in 0..live.len() {
            live.rotate_left(1);
            let candidates = live.iter().map(|object| Candidate::of(object).unwrap()).collect();
            let plan = sift(candidates, &[], &context(&[]));
            let want = [
                "ValidatingWebhookConfiguration a",
                "StatefulSet n/a",
                "Thing a",
                "Provisioner a",
                "Service n/b",
                "Service n/a",
                "ConfigMap n/a",
            ];
            assert_eq!(names(&plan.prune), want);
        }
    }
}
