//! What the watches of the API server tell, made small before anybody waits with it.

use std::collections::BTreeSet;

use super::sighting::{Sighting, version};
use crate::cluster::{Change, Subject};
use crate::diff::Owner;
use crate::inventory::{Contents, GroupKind, Parent};
use crate::manifest::ObjectRef;
use crate::rbac::is_cluster_wide;

/// The labels of what belongs to a Workspace or a RAGEngine without being a member of a set: pods.
const OWNERS: [&str; 2] = ["kaito.sh/workspace", "kaito.sh/ragengine"];

/// The kinds of `kaito.sh` whose status is written.
const DECLARED: [&str; 4] = ["InferenceSet", "MultiRoleInference", "RAGEngine", "Workspace"];

/// What has happened in a cluster.
pub enum Sight {
    /// An object of a subject, by its number, is as it is.
    Seen(usize, Box<Sighting>),
    /// An object is gone, in this version.
    Gone(ObjectRef, u64),
    /// These are all objects of a subject, by its number.
    Listed(usize, BTreeSet<ObjectRef>),
    /// Nothing is heard of a subject, by its number.
    Unheard(usize, String),
}

/// What to watch for a set: its parent, its members by their mark, and what belongs to its Workspaces besides.
///
/// Members that are marked by an annotation, and pods and nodes, are found by the labels of Workspaces; whose they are is looked at then.
///
/// What is `declared` in the cluster itself, of these kinds of `kaito.sh`, has no mark.
pub(super) fn subjects(parent: &Parent, contents: &Contents, namespaces: Option<&BTreeSet<String>>, declared: &[&str]) -> Vec<Subject> {
    let id = parent.id();
    let part_of = Some(format!("{}={id}", crate::inventory::PART_OF));
    let mut kinds: Vec<(GroupKind, Option<String>)> = Vec::new();
    for kind in &contents.group_kinds {
        if crate::inventory::is_marked_by_annotation(kind) {
            kinds.extend(OWNERS.map(|label| (kind.clone(), Some(label.to_owned()))));
        } else {
            kinds.push((kind.clone(), part_of.clone()));
        }
    }
    kinds.extend(OWNERS.map(|label| (GroupKind::new("", "Pod"), Some(label.to_owned()))));
    kinds.extend(declared.iter().map(|kind| (GroupKind::new("kaito.sh", kind), None)));
    let places: Vec<Option<String>> = match namespaces {
        Some(namespaces) => namespaces.iter().cloned().map(Some).collect(),
        None => vec![None],
    };
    // Nodes of one's own have no label of Kaito's.
    let nodes = Subject { kind: GroupKind::new("", "Node"), namespace: None, selector: None, name: None, metadata_only: false };
    let members = kinds.into_iter().flat_map(|(kind, selector)| {
        let places = if is_cluster_wide(&kind) { vec![None] } else { places.clone() };
        let subject = Subject { kind, namespace: None, selector, name: None, metadata_only: false };
        places.into_iter().map(move |namespace| Subject { namespace, ..subject.clone() })
    });
    // What people tell the set stands in annotations of its parent.
    let parent = Subject {
        kind: GroupKind::new("", parent.kind.name()),
        namespace: Some(parent.namespace.clone()),
        selector: None,
        name: Some(parent.name.clone()),
        metadata_only: true,
    };
    members.chain([nodes, parent]).collect()
}

/// What a change comes to for a set; none if it is about somebody else's objects.
pub(super) fn sight(number: usize, change: Change, id: &str, manager: &str) -> Option<Sight> {
    match change {
        Change::Listing => None,
        Change::Applied(object) => {
            let sighting = Sighting::of(object, manager)?;
            is_about(&sighting, id).then(|| Sight::Seen(number, Box::new(sighting)))
        }
        Change::Deleted(object) => {
            let reference = ObjectRef::of(&object).ok()?;
            Some(Sight::Gone(reference, version(&object)))
        }
        Change::Listed(all) => Some(Sight::Listed(number, all)),
        Change::UnknownKind => Some(Sight::Unheard(number, "the server doesn't know this kind".to_owned())),
        Change::Unreadable(why) | Change::Silent(why) => Some(Sight::Unheard(number, why)),
    }
}

/// What is declared by an object whose status is written.
pub(super) fn declared(reference: &ObjectRef) -> Option<Owner> {
    let kind = DECLARED.into_iter().find(|kind| reference.group == "kaito.sh" && reference.kind == *kind)?;
    Some(Owner { kind, namespace: reference.namespace.clone()?, name: reference.name.clone() })
}

/// Whether an object is a member of the set, something declared, or a pod or node of some Workspace, of which its labels tell more.
fn is_about(sighting: &Sighting, id: &str) -> bool {
    let kind = sighting.reference().kind.as_str();
    let is_core = sighting.reference().group.is_empty();
    let is_member = sighting.set() == Some(id) || sighting.keeps() == Some(id);
    let is_declared = declared(sighting.reference()).is_some();
    is_member || is_declared || (is_core && (kind == "Node" || (kind == "Pod" && sighting.owner().is_some())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched() {
        let contents = Contents {
            group_kinds: [GroupKind::new("apps", "StatefulSet"), GroupKind::new("karpenter.sh", "NodeClaim")].into(),
            namespaces: BTreeSet::new(),
        };
        let parent = Parent::parse("one", "home").unwrap();
        let id = parent.id();
        let tell = |namespaces: Option<BTreeSet<String>>, declared: &[&str]| {
            let tell = |subject: Subject| {
                let namespace = subject.namespace.map_or_else(String::new, |namespace| format!("{namespace}: "));
                format!("{namespace}{} {}", subject.kind, subject.selector.or(subject.name).unwrap_or_default())
            };
            subjects(&parent, &contents, namespaces.as_ref(), declared).into_iter().map(tell).collect::<Vec<_>>()
        };
        let claims = ["NodeClaim.karpenter.sh kaito.sh/workspace", "NodeClaim.karpenter.sh kaito.sh/ragengine"];
        let everywhere = tell(None, &[]);
        assert!(everywhere.contains(&format!("StatefulSet.apps applyset.kubernetes.io/part-of={id}")), "{everywhere:?}");
        assert!(everywhere.contains(&"home: Secret one".to_owned()), "{everywhere:?}");
        assert!(everywhere.contains(&"Pod kaito.sh/workspace".to_owned()), "{everywhere:?}");
        let some = tell(Some(["a".to_owned(), "b".to_owned()].into()), &["Workspace"]);
        assert!(some.contains(&format!("a: StatefulSet.apps applyset.kubernetes.io/part-of={id}")), "{some:?}");
        assert!(some.contains(&"b: Pod kaito.sh/ragengine".to_owned()), "{some:?}");
        let workspaces = |all: &[String]| all.iter().filter(|subject| subject.contains("Workspace")).cloned().collect::<Vec<_>>();
        assert_eq!(workspaces(&everywhere), [] as [String; 0]);
        assert_eq!(workspaces(&some), ["a: Workspace.kaito.sh ", "b: Workspace.kaito.sh "]);
        for claim in claims {
            assert!(everywhere.contains(&claim.to_owned()) && some.contains(&claim.to_owned()), "{some:?}");
        }
    }
}
