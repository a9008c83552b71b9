//! `--prune-allow`: kinds that are deleted though much is lost with them.

use std::str::FromStr;

use super::filters::precious_kinds;
use crate::diagnostic::did_you_mean;
use crate::manifest::{ObjectRef, plural};

/// A kind that may be deleted though much is lost with it: `NodeClaim`, `nodeclaims.karpenter.sh`, `pvc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedKind {
    kind: &'static str,
    group: Option<String>,
}

/// kubectl's short names.
const SHORT: [(&str, &str); 5] = [
    ("ns", "Namespace"),
    ("pvc", "PersistentVolumeClaim"),
    ("pv", "PersistentVolume"),
    ("crd", "CustomResourceDefinition"),
    ("crds", "CustomResourceDefinition"),
];

impl AllowedKind {
    /// Whether it is the kind of this object.
    pub fn is_of(&self, reference: &ObjectRef) -> bool {
        self.kind == reference.kind && self.group.as_ref().is_none_or(|group| *group == reference.group)
    }
}

impl FromStr for AllowedKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_lowercase();
        let (word, group) = lower.split_once('.').map_or((lower.as_str(), None), |(word, group)| (word, Some(group.to_owned())));
        let short = SHORT.into_iter().find(|(short, _)| *short == word).map(|(_, kind)| kind);
        let kind = short.or_else(|| precious_kinds().find(|kind| is_name_of(word, kind)));
        kind.map(|kind| Self { kind, group }).ok_or_else(|| {
            let near = did_you_mean(text, precious_kinds()).map(|near| format!("; {near}")).unwrap_or_default();
            let kinds = precious_kinds().collect::<Vec<_>>().join(", ");
            format!("{text:?} is none of the kinds that have to be allowed: {kinds}{near}")
        })
    }
}

/// Whether a word in lower case is a kind, or the plural of it as its resource is called.
pub(super) fn is_name_of(word: &str, kind: &str) -> bool {
    word == kind.to_lowercase() || word == plural(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_allowed_as_people_type_them() {
        let claim = ObjectRef::new("", "PersistentVolumeClaim", Some("n"), "x");
        let node = ObjectRef::new("karpenter.sh", "NodeClaim", None, "x");
        let definition = ObjectRef::new("apiextensions.k8s.io", "CustomResourceDefinition", None, "x");
        let table = [
            ("NodeClaim", Some(&node)),
            ("nodeclaim", Some(&node)),
            ("nodeclaims", Some(&node)),
            ("NodeClaim.karpenter.sh", Some(&node)),
            ("nodeclaims.Karpenter.sh", Some(&node)),
            ("nodeclaims.example.com", None),
            ("PersistentVolumeClaim", Some(&claim)),
            (" persistentvolumeclaims", Some(&claim)),
            ("pvc", Some(&claim)),
            ("PVC", Some(&claim)),
            ("crds", Some(&definition)),
            ("customresourcedefinitions.apiextensions.k8s.io", Some(&definition)),
        ];
        for (text, want) in table {
            let allowed: AllowedKind = text.parse().unwrap();
            let is_of: Vec<_> = [&claim, &node, &definition].into_iter().filter(|reference| allowed.is_of(reference)).collect();
            assert_eq!(is_of, want.into_iter().collect::<Vec<_>>(), "{text}");
        }
        for wrong in ["", "Deployment", "NodeClam", ".karpenter.sh", "nodeclaimss"] {
            assert!(wrong.parse::<AllowedKind>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn plurals_are_those_of_kubernetes() {
        let table = [("Service", "services"), ("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses"), ("Gateway", "gateways")];
        for (kind, plural) in table {
            assert!(is_name_of(plural, kind), "{kind}");
        }
    }
}
