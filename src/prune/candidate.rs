//! A live object that may have to go.

use std::cmp::Ordering;

use serde_json::Value;

use super::Reason;
use crate::manifest::ObjectRef;

/// A live object that may have to go. Its `apiVersion`, `kind` and `metadata` are all that is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<'o> {
    object: &'o Value,
    reference: ObjectRef,
}

/// Where a mark is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Annotations,
    LabelsAndAnnotations,
}

impl<'o> Candidate<'o> {
    /// A live object.
    ///
    /// # Errors
    /// What makes it no Kubernetes object.
    pub fn of(object: &'o Value) -> Result<Self, String> {
        Ok(Self { object, reference: ObjectRef::of(object)? })
    }

    /// The object.
    pub fn object(&self) -> &'o Value {
        self.object
    }

    /// What identifies it: with a namespace only if it is in one.
    pub fn reference(&self) -> &ObjectRef {
        &self.reference
    }

    /// Orders as objects are deleted: what is applied last goes first.
    pub(super) fn cmp_last_applied_first(&self, other: &Self) -> Ordering {
        (other.reference.stage(), &other.reference).cmp(&(self.reference.stage(), &self.reference))
    }

    pub(super) fn metadata(&self, field: &str) -> &'o Value {
        &self.object["metadata"][field]
    }

    pub(super) fn label(&self, key: &str) -> Option<&'o str> {
        self.metadata("labels")[key].as_str()
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'o str> {
        self.metadata("annotations")[key].as_str()
    }

    /// The reason to stay that this key is if it has this value, in whatever case.
    pub(super) fn marked(&self, place: Place, key: &'static str, value: &'static str) -> Option<Reason> {
        let is = |found: Option<&str>| found.is_some_and(|found| found.trim().eq_ignore_ascii_case(value));
        if is(self.annotation(key)) {
            return Some(Reason::Protected { place: "annotation", key, value });
        }
        let is_label = place == Place::LabelsAndAnnotations && is(self.label(key));
        is_label.then_some(Reason::Protected { place: "label", key, value })
    }
}
