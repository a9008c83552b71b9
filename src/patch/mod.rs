//! Patches of rendered objects, as kustomize's `patches` has them: strategic merge or JSON patch (RFC 6902), by target.

mod keys;
mod merge;
mod read;
mod target;

use std::collections::BTreeSet;

use serde_json::Value;

pub use keys::merge_keys;
pub use read::{PatchEntry, PatchOptions, read};
pub use target::PatchTarget;

use crate::diagnostic::Diagnostic;
use crate::manifest::ObjectRef;
use crate::yaml::{Document, Limits, Step};
use merge::At;
use target::Target;

/// One patch.
#[derive(Clone, Debug)]
pub struct Patch {
    target: Target,
    change: Change,
    /// The text of the patch.
    document: Document,
    /// Where it says what it is about; a finding that still lacks its words.
    asked: Diagnostic,
    /// Which entry of `patches` it comes from.
    number: usize,
}

/// What a patch does.
#[derive(Clone, Debug)]
enum Change {
    /// A strategic merge.
    Merge(Value),
    /// Operations, one after the other.
    Json(Vec<json_patch::PatchOperation>),
}

/// What patches have made of an object.
#[derive(Debug)]
pub enum Outcome {
    /// No patch is about it.
    Untouched,
    /// This.
    Changed(Value),
    /// A patch has deleted it.
    Deleted,
}

impl Patch {
    /// What it is and where it stands, for people: `a JSON patch`, `kaito.yaml:12, patches[0]`.
    pub fn origin(&self) -> (&'static str, String) {
        let kind = match self.change {
            Change::Merge(_) => "a strategic merge patch",
            Change::Json(_) => "a JSON patch",
        };
        let place = self.document.place(&[]);
        (kind, format!("{}:{}, patches[{}]", place.file.name, place.file.line_column(place.span.start).0, self.number))
    }

    fn apply(&self, object: Value, reference: &ObjectRef) -> Result<Option<Value>, Box<Diagnostic>> {
        match &self.change {
            Change::Merge(patch) => merge::merge(object, patch, reference).map_err(|fault| {
                let path: Vec<Step<'_>> = fault.path.iter().map(step).collect();
                let finding = self.document.finding(Diagnostic::error(fault.message).help(format!("the object is {reference}")), &path);
                let field = format!("patches[{}]: {}", self.number, finding.field);
                Box::new(finding.field(field))
            }),
            Change::Json(operations) => {
                let mut object = object;
                for (number, operation) in operations.iter().enumerate() {
                    json_patch::patch(&mut object, std::slice::from_ref(operation))
                        .map_err(|error| Box::new(self.refused(number, &error, reference)))?;
                    // Copies of copies grow without end.
                    if !is_within(&object, Limits::default()) {
                        let finding = Diagnostic::error(format!("{reference} becomes larger or deeper than any manifest may be"));
                        return Err(Box::new(self.of_operation(number, finding)));
                    }
                }
                Ok(Some(object))
            }
        }
    }

    /// A finding about an operation.
    fn of_operation(&self, number: usize, finding: Diagnostic) -> Diagnostic {
        let finding = self.document.finding(finding, &[Step::Item(number), Step::Field("path")]);
        finding.field(format!("patches[{}]", self.number))
    }

    /// What is said of an operation that an object doesn't allow.
    fn refused(&self, number: usize, error: &json_patch::PatchError, reference: &ObjectRef) -> Diagnostic {
        let (said, help) = match error.kind {
            json_patch::PatchErrorKind::TestFailed => ("another value is there", "`kaito render` without patches shows it"),
            json_patch::PatchErrorKind::InvalidFromPointer => {
                ("there is nothing at from", "`kaito render` without patches shows what there is")
            }
            _ => (
                "there is no such place",
                "`add` makes a field or, with a path that ends in /-, one more item of a list; what is above it must be there",
            ),
        };
        let finding = Diagnostic::error(format!("{said}: {}", error.path)).help(format!("the object is {reference}")).help(help);
        self.of_operation(number, finding)
    }

    /// What is said of a patch that was about none of these objects.
    pub fn unused(&self, objects: &[ObjectRef], namespace: &str) -> Diagnostic {
        self.said(self.target.finding(objects, namespace))
    }

    /// A finding where the patch says what it is about.
    pub fn said(&self, finding: Diagnostic) -> Diagnostic {
        Diagnostic { severity: finding.severity, message: finding.message, help: finding.help, ..self.asked.clone() }
    }
}

/// Whether a value is no larger and no deeper than one that could be read.
fn is_within(value: &Value, mut limits: Limits) -> bool {
    fn count(value: &Value, depth: usize, left: &mut Limits) -> bool {
        let bytes = match value {
            Value::String(text) => text.len(),
            Value::Object(fields) => fields.keys().map(String::len).sum(),
            _ => 0,
        };
        if depth == 0 || left.nodes == 0 || left.copied < bytes {
            return false;
        }
        (left.nodes, left.copied) = (left.nodes - 1, left.copied - bytes);
        match value {
            Value::Array(items) => items.iter().all(|item| count(item, depth - 1, left)),
            Value::Object(fields) => fields.values().all(|value| count(value, depth - 1, left)),
            _ => true,
        }
    }
    count(value, limits.depth, &mut limits)
}

fn step(at: &At) -> Step<'_> {
    match at {
        At::Field(name) => Step::Field(name),
        At::Item(number) => Step::Item(*number),
    }
}

/// Applies all patches that are about an object, in their order; the number of each in the list is added to `used`. An object
/// without a namespace stays out of targets that name one; `namespace` is that of patches that name none.
///
/// # Errors
/// The first patch that can't be applied, or leaves something that is no Kubernetes object.
pub fn apply(
    patches: &[Patch],
    reference: &ObjectRef,
    object: impl Fn() -> Value,
    namespace: &str,
    used: &mut BTreeSet<usize>,
) -> Result<Outcome, Box<Diagnostic>> {
    let mut changed: Option<(ObjectRef, Value)> = None;
    for (number, patch) in patches.iter().enumerate() {
        // As in kustomize, what was renamed is known by both names.
        let now = || changed.as_ref().map_or_else(&object, |(_, value)| value.clone());
        let is_meant = patch.target.matches(reference, now, namespace)
            || changed.as_ref().is_some_and(|(renamed, _)| renamed != reference && patch.target.matches(renamed, now, namespace));
        if !is_meant {
            continue;
        }
        used.insert(number);
        let value = changed.take().map_or_else(&object, |(_, value)| value);
        let Some(value) = patch.apply(value, reference)? else { return Ok(Outcome::Deleted) };
        let renamed = ObjectRef::of(&value).map_err(|message| {
            let finding = Diagnostic::error(format!("what is left of {reference} is no Kubernetes object: {message}"));
            Box::new(patch.document.finding(finding, &[]).field(format!("patches[{}]", patch.number)))
        })?;
        changed = Some((renamed, value));
    }
    Ok(changed.map_or(Outcome::Untouched, |(_, value)| Outcome::Changed(value)))
}
