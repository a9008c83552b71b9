//! What others stand on: a Namespace that holds objects that stay, the definition of a kind of which objects stay.

use std::mem;

use super::allowed::is_name_of;
use super::{Kept, Plan, Reason};
use crate::manifest::ObjectRef;

/// Takes back what would take others along that stay. What is being deleted already needs nothing any more.
pub(super) fn keep(plan: &mut Plan<'_>, staying: &[&ObjectRef]) {
    let kept = plan.kept.iter().filter(|kept| kept.reason != Reason::BeingDeleted).map(|kept| kept.candidate.reference());
    let staying: Vec<ObjectRef> = staying.iter().copied().chain(kept).cloned().collect();
    for candidate in mem::take(&mut plan.prune) {
        match user(candidate.reference(), &staying) {
            Some(by) => plan.kept.push(Kept { candidate, filter: "in-use", reason: Reason::InUse { by: by.clone() } }),
            None => plan.prune.push(candidate),
        }
    }
    plan.kept.sort_by(|a, b| a.candidate.cmp_last_applied_first(&b.candidate));
}

/// Whether an object would go with this one, which it stands on.
pub fn would_take(ground: &ObjectRef, object: &ObjectRef) -> bool {
    user(ground, std::slice::from_ref(object)).is_some()
}

/// One of the objects that would go with this one.
fn user<'s>(ground: &ObjectRef, staying: &'s [ObjectRef]) -> Option<&'s ObjectRef> {
    match (ground.group.as_str(), ground.kind.as_str()) {
        ("", "Namespace") => staying.iter().find(|stays| stays.namespace.as_ref() == Some(&ground.name)),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let (plural, group) = ground.name.split_once('.')?;
            staying.iter().find(|stays| stays.group == group && is_name_of(plural, &stays.kind))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_and_definitions_carry_objects() {
        let namespace = ObjectRef::new("", "Namespace", None, "n");
        let definition = ObjectRef::new("apiextensions.k8s.io", "CustomResourceDefinition", None, "things.example.com");
        let table = [
            (ObjectRef::new("", "Service", Some("n"), "x"), true, false),
            (ObjectRef::new("", "Service", Some("m"), "x"), false, false),
            (ObjectRef::new("example.com", "Thing", None, "n"), false, true),
            (ObjectRef::new("example.com", "Thing", Some("n"), "x"), true, true),
            (ObjectRef::new("example.org", "Thing", None, "x"), false, false),
            (ObjectRef::new("example.com", "Other", None, "x"), false, false),
        ];
        let stands_on = would_take;
        for (object, in_namespace, of_definition) in table {
            assert_eq!(stands_on(&namespace, &object), in_namespace, "{object}");
            assert_eq!(stands_on(&definition, &object), of_definition, "{object}");
            assert!(!stands_on(&object, &namespace), "{object}");
        }
    }
}
