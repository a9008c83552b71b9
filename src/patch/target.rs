//! Which objects a patch is about.
//!
//! Source: kustomize's `types.Selector`.

use std::collections::BTreeMap;

use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::manifest::ObjectRef;
use crate::selector::Selector;
use crate::yaml::{Document, Step};

/// `target` of a patch. All that is given must hold; the first five are regular expressions for the whole of a text.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchTarget {
    /// The API group, such as `apps`.
    pub group: Option<String>,
    /// The API version, such as `v1`.
    pub version: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// Labels, as kubectl's `-l` takes them.
    pub label_selector: Option<String>,
    /// Annotations, in the same form.
    pub annotation_selector: Option<String>,
}

/// The objects that a patch is about.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Every one that matches.
    Matching(Box<Matching>),
    /// The one that a strategic merge patch names itself.
    Named { api_version: String, reference: ObjectRef },
}

/// A [`PatchTarget`], ready to use.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: Option<Selector>,
    annotations: Option<Selector>,
    declared: PatchTarget,
}

impl Matching {
    /// Reads what `path` of `document` declares; what is wrong is added to `findings`.
    pub(super) fn new(declared: &PatchTarget, document: &Document, path: &[Step<'_>], findings: &mut Vec<Diagnostic>) -> Self {
        let mut say = |field: &'static str, finding: Diagnostic| {
            let path: Vec<_> = path.iter().copied().chain([Step::Field(field)]).collect();
            findings.push(document.finding(finding, &path));
        };
        let mut regex = |field: &'static str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty())?;
            let read = Regex::new(&format!("^(?:{text})$"));
            read.map_err(|error| say(field, Diagnostic::error(format!("this is no regular expression: {error}")))).ok()
        };
        let (group, version, kind) = (regex("group", &declared.group), regex("version", &declared.version), regex("kind", &declared.kind));
        let (name, namespace) = (regex("name", &declared.name), regex("namespace", &declared.namespace));
        let mut selector = |field: &'static str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty())?;
            text.parse::<Selector>().map_err(|message| say(field, Diagnostic::error(message))).ok()
        };
        let labels = selector("labelSelector", &declared.label_selector);
        let annotations = selector("annotationSelector", &declared.annotation_selector);
        Self { group, version, kind, name, namespace, labels, annotations, declared: declared.clone() }
    }

    /// What a reference alone tells.
    fn may_match(&self, reference: &ObjectRef) -> bool {
        let fits = |regex: &Option<Regex>, text: &str| regex.as_ref().is_none_or(|regex| regex.is_match(text));
        fits(&self.group, &reference.group)
            && fits(&self.kind, &reference.kind)
            && fits(&self.name, &reference.name)
            && self.namespace.as_ref().is_none_or(|regex| reference.namespace.as_deref().is_some_and(|name| regex.is_match(name)))
    }

    fn matches_content(&self, object: &Value) -> bool {
        let version = object["apiVersion"].as_str().map_or("", version_of);
        let texts =
            |field: &str| -> BTreeMap<String, String> { serde_json::from_value(object["metadata"][field].clone()).unwrap_or_default() };
        self.version.as_ref().is_none_or(|regex| regex.is_match(version))
            && self.labels.as_ref().is_none_or(|selector| selector.matches(&texts("labels")))
            && self.annotations.as_ref().is_none_or(|selector| selector.matches(&texts("annotations")))
    }

    fn looks_inside(&self) -> bool {
        self.version.is_some() || self.labels.is_some() || self.annotations.is_some()
    }

    /// The names that may have been meant, of objects that were there.
    fn nearest(&self, objects: &[ObjectRef]) -> Option<String> {
        let declared = &self.declared;
        let of_kind = |object: &&ObjectRef| self.kind.as_ref().is_none_or(|regex| regex.is_match(&object.kind));
        if !objects.iter().any(|object| of_kind(&object)) {
            return did_you_mean(declared.kind.as_deref()?, sorted(objects.iter().map(|object| object.kind.as_str())));
        }
        let name = declared.name.as_deref().filter(|name| !name.is_empty())?;
        did_you_mean(name, sorted(objects.iter().filter(of_kind).map(|object| object.name.as_str())))
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> std::collections::BTreeSet<&'a str> {
    names.collect()
}

fn version_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or(api_version, |(_, version)| version)
}

impl Target {
    /// Whether an object is meant, which is only read where its reference doesn't tell. One without a namespace is of none, and
    /// a patch that names none means the default one.
    pub(super) fn matches(&self, reference: &ObjectRef, object: impl FnOnce() -> Value, namespace: &str) -> bool {
        match self {
            Self::Matching(target) => target.may_match(reference) && (!target.looks_inside() || target.matches_content(&object())),
            Self::Named { api_version, reference: named } => {
                let of_namespace = reference.namespace.as_deref();
                (&named.group, &named.kind, &named.name) == (&reference.group, &reference.kind, &reference.name)
                    && of_namespace.is_none_or(|of| of == named.namespace.as_deref().unwrap_or(namespace))
                    && object()["apiVersion"] == api_version.as_str()
            }
        }
    }

    /// What is said of a patch that is about nothing.
    pub(super) fn finding(&self, objects: &[ObjectRef], namespace: &str) -> Diagnostic {
        let (mut finding, near) = match self {
            Self::Matching(target) => (Diagnostic::error("this matches none of the objects"), target.nearest(objects)),
            Self::Named { api_version, reference } => {
                let wanted = reference.clone().in_namespace(namespace);
                let kinds: Vec<&ObjectRef> = objects.iter().filter(|object| object.kind == reference.kind).collect();
                let near = if kinds.is_empty() {
                    did_you_mean(&reference.kind, sorted(objects.iter().map(|object| object.kind.as_str())))
                } else if let Some(same) = kinds.iter().find(|object| object.name == reference.name) {
                    Some(match &same.namespace {
                        Some(of) if *of != wanted.namespace.clone().unwrap_or_default() => {
                            format!("there is one in the namespace {of}: write metadata.namespace")
                        }
                        _ if same.group == reference.group => "there is one of another version".to_owned(),
                        _ if same.group.is_empty() => "there is one of the core, without a group".to_owned(),
                        _ => format!("there is one of the group {}", same.group),
                    })
                } else {
                    did_you_mean(&reference.name, sorted(kinds.iter().map(|object| object.name.as_str())))
                };
                (Diagnostic::error(format!("there is no {wanted} of {api_version} to patch")), near)
            }
        };
        finding.help.extend(near);
        finding.help("`kaito render -o name` without patches shows the objects")
    }
}
