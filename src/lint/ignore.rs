//! Objects that switch rules off for themselves: `kaito.sh/lint-ignore: rule,rule`.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, SourceFile};
use crate::rule::{self, Rule};
use crate::spec::names::LINT_IGNORE;
use crate::yaml::{self, Document, Kind, Node, Step};

/// The rules that one object switches off.
#[derive(Debug)]
pub(super) struct Ignored {
    file: Arc<SourceFile>,
    span: Range<usize>,
    rules: Vec<&'static Rule>,
}

impl Ignored {
    /// Whether a finding lies in the object and is of one of the rules.
    pub(super) fn covers(&self, finding: &Diagnostic) -> bool {
        let Some(place) = finding.place.as_ref().map(Place::outermost) else { return false };
        let lies_here = Arc::ptr_eq(&place.file, &self.file) && self.span.contains(&place.span.start);
        lies_here && self.rules.contains(&finding.rule())
    }
}

/// What the objects of some files switch off. A name that no rule has is added to `findings`.
///
/// Files are read once more for it, since an object that couldn't be read into its type may have the annotation too.
pub(super) fn ignored(files: &[Arc<SourceFile>], findings: &mut Vec<Diagnostic>) -> Vec<Ignored> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.text.contains(LINT_IGNORE)) {
        for part in yaml::split(file, yaml::Limits::default(), &mut Vec::new()) {
            for document in yaml::read_part(file, part, yaml::Limits::default(), &mut Vec::new()) {
                search(&document, &document.root, &mut found, findings);
            }
        }
    }
    found
}

/// An object may be an item of a list, and the template in a set has annotations of its own.
fn search(document: &Document, node: &Node, found: &mut Vec<Ignored>, findings: &mut Vec<Diagnostic>) {
    let annotation = node.get("metadata").and_then(|metadata| metadata.get("annotations")?.get(LINT_IGNORE));
    if let Some(names) = annotation.and_then(Node::as_str) {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let (known, unknown): (Vec<_>, Vec<_>) = names.map(|name| (name, Rule::by_id(name))).partition(|(_, rule)| rule.is_some());
        let object = Document::new(&document.file, node.clone());
        let at = [Step::Field("metadata"), Step::Field("annotations"), Step::Field(LINT_IGNORE)];
        findings.extend(unknown.into_iter().map(|(name, _)| {
            let rule = &rule::UNKNOWN_RULE;
            object.finding(Diagnostic { rule: Some(rule), severity: rule.level, ..rule::no_such_rule(name) }, &at)
        }));
        let rules = known.into_iter().filter_map(|(_, rule)| rule).collect();
        found.push(Ignored { file: Arc::clone(&document.file), span: node.span.clone(), rules });
    }
    match &node.kind {
        Kind::Mapping(entries) => entries.iter().for_each(|entry| search(document, &entry.value, found, findings)),
        Kind::Sequence(items) => items.iter().for_each(|item| search(document, item, found, findings)),
        _ => {}
    }
}
