//! Where the members of a set are: their kinds and their namespaces.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::manifest::ObjectRef;
use crate::spec::names;

/// A kind of a group, written `StatefulSet.apps`; of the core, `ConfigMap`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKind {
    /// The kind.
    pub kind: String,
    /// The API group; empty for the core.
    pub group: String,
}

/// The kinds and namespaces in which members are. There may be fewer; there are no others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The kinds.
    pub group_kinds: BTreeSet<GroupKind>,
    /// The namespaces.
    pub namespaces: BTreeSet<String>,
}

impl Contents {
    /// Where these objects are. One without a namespace belongs to none, or to that of the parent, which is always looked at.
    pub fn of<'r>(references: impl IntoIterator<Item = &'r ObjectRef>) -> Self {
        let mut contents = Self::default();
        for reference in references {
            contents.group_kinds.insert(GroupKind::of(reference));
            contents.namespaces.extend(reference.namespace.as_ref().map(ToString::to_string));
        }
        contents
    }

    /// Everything that either has: what a parent must say while members of both may be there.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        self.group_kinds.extend(other.group_kinds);
        self.namespaces.extend(other.namespaces);
        self
    }

    /// The kinds as an annotation lists them, sorted.
    pub(super) fn listed_kinds(&self) -> String {
        self.group_kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// The namespaces as an annotation lists them, sorted and without that of the parent.
    pub(super) fn listed_namespaces(&self, own: &str) -> String {
        self.namespaces.iter().map(String::as_str).filter(|name| *name != own).collect::<Vec<_>>().join(",")
    }
}

/// Reads the kinds that an annotation lists.
///
/// # Errors
/// What isn't a kind.
pub(super) fn read_kinds(list: &str) -> Result<BTreeSet<GroupKind>, String> {
    entries(list).map(str::parse).collect()
}

/// Reads the namespaces that an annotation lists.
///
/// # Errors
/// What isn't a namespace.
pub(super) fn read_namespaces(list: &str) -> Result<BTreeSet<String>, String> {
    let read = |name: &str| {
        let name = Some(name).filter(|name| names::is_dns_label(name)).ok_or_else(|| format!("{name:?} is no name of a namespace"))?;
        Ok(name.to_owned())
    };
    entries(list).map(read).collect()
}

/// The entries of a list with commas; none of an empty one.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(move |_| !list.is_empty())
}

impl GroupKind {
    /// A kind from its parts.
    pub fn new(group: &str, kind: &str) -> Self {
        Self { kind: kind.to_owned(), group: group.to_owned() }
    }

    /// The kind of an object.
    pub fn of(reference: &ObjectRef) -> Self {
        Self::new(&reference.group, &reference.kind)
    }
}

impl FromStr for GroupKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_group = !text.contains('.') || names::is_dns_subdomain(group);
        if is_kind && is_group { Ok(Self::new(group, kind)) } else { Err(format!("{text:?} is no kind, such as StatefulSet.apps")) }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.kind)?;
        if self.group.is_empty() { Ok(()) } else { write!(out, ".{}", self.group) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_listed_and_read_back() {
        let references = [
            ObjectRef::new("apps", "StatefulSet", Some("b"), "x"),
            ObjectRef::new("", "Service", Some("b"), "x"),
            ObjectRef::new("", "ConfigMap", Some("a"), "x"),
            ObjectRef::new("karpenter.sh", "NodeClaim", None, "x"),
            ObjectRef::new("apps", "StatefulSet", Some("c"), "y"),
        ];
        let contents = Contents::of(&references);
        assert_eq!(contents.listed_kinds(), "ConfigMap,NodeClaim.karpenter.sh,Service,StatefulSet.apps");
        let table = [("a", "b,c"), ("b", "a,c"), ("d", "a,b,c")];
        for (own, want) in table {
            assert_eq!(contents.listed_namespaces(own), want, "{own}");
        }
        assert_eq!(read_kinds(&contents.listed_kinds()), Ok(contents.group_kinds.clone()));
        assert_eq!(read_namespaces(&contents.listed_namespaces("d")), Ok(contents.namespaces));
    }

    #[test]
    fn a_union_has_what_either_has() {
        let read =
            |(kinds, namespaces)| Contents { group_kinds: read_kinds(kinds).unwrap(), namespaces: read_namespaces(namespaces).unwrap() };
        let table = [
            (("", ""), ("", ""), ("", "")),
            (("Service", "a"), ("", ""), ("Service", "a")),
            (("Service", "a"), ("Job.batch,Service", "a,b"), ("Job.batch,Service", "a,b")),
        ];
        for (one, other, want) in table {
            assert_eq!(read(one).union(read(other)), read(want), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let kinds = [
            ("", true),
            ("Service", true),
            ("Service, Job.batch", true),
            ("Service,", false),
            ("services", false),
            ("Service.", false),
            ("Service.Apps", false),
            ("Ser-vice", false),
        ];
        for (list, want) in kinds {
            assert_eq!(read_kinds(list).is_ok(), want, "{list:?}");
        }
        for (list, want) in [("", true), ("a, b", true), ("a,,b", false), ("A", false)] {
            assert_eq!(read_namespaces(list).is_ok(), want, "{list:?}");
        }
    }
}
