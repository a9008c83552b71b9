//! One side of a comparison: an input that was planned, whose objects are rendered when they are asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;

use super::Summary;
use super::live::{AllWanted, Wanted};
use crate::diagnostic::{Diagnostic, Place, visible_in_a_line};
use crate::manifest::ObjectRef;
use crate::plan::Plan;
use crate::render::{Engine, Object, TemplateError};
use crate::session::Session;
use crate::spec::{Declarer, Input};
use crate::status::whose;
use crate::yaml::{Document, Step};

/// Whose objects are: a kind, a namespace and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Owner {
    /// `Workspace`, `RAGEngine`, `InferenceSet` or `MultiRoleInference`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: SmolStr,
    /// Its name.
    pub name: SmolStr,
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&visible_in_a_line(&format!("{} {}/{}", self.kind, self.namespace, self.name)))
    }
}

/// One side.
pub struct Side<'s> {
    /// What was planned.
    pub session: &'s Session<'s>,
    /// What it was read from.
    pub input: &'s Input,
    /// What is wrong with it.
    pub findings: &'s [Diagnostic],
    engine: &'s Engine,
    /// The namespace of objects that name none.
    namespace: &'s str,
    plans: HashMap<(&'s str, &'s str), &'s Plan<'s>>,
}

/// Where a name stands in an object.
const NAME: [&str; 2] = ["metadata", "name"];

/// The objects of one owner, or of nobody.
pub type Objects = BTreeMap<ObjectRef, Value>;

impl<'s> Side<'s> {
    /// A side that this engine renders.
    pub fn new(session: &'s Session<'s>, input: &'s Input, engine: &'s Engine, findings: &'s [Diagnostic]) -> Self {
        let plans = session.plans().map(|plan| (plan.key(), plan)).collect();
        let namespace = session.context().options.namespace.as_str();
        Self { session, input, findings, engine, namespace, plans }
    }

    /// Everything of the input that owns objects, be it sound or not.
    pub fn owners(&self) -> BTreeSet<Owner> {
        let input = self.input;
        let workspaces = input.workspaces.iter().map(|one| owner("Workspace", (&one.namespace, &one.value.metadata.name)));
        let engines = input.rag_engines.iter().map(|one| owner("RAGEngine", (&one.namespace, &one.value.metadata.name)));
        workspaces.chain(engines).chain(input.sets.iter().map(declarer)).collect()
    }

    /// The Workspaces and RAGEngines that could not be planned, those without a summary, and those that stand there twice.
    pub fn broken<'t>(&'t self, summaries: &'t BTreeMap<Owner, Summary>) -> impl Iterator<Item = Owner> + use<'t> {
        let workspaces = self.input.workspaces.iter();
        let workspaces = workspaces.map(|located| owner("Workspace", (&located.namespace, &located.value.metadata.name)));
        let engines = self.input.rag_engines.iter();
        let engines = engines.map(|located| owner("RAGEngine", (&located.namespace, &located.value.metadata.name)));
        let mut last = None;
        workspaces.chain(engines).filter(move |owner| {
            // They are sorted.
            let is_again = last.as_ref() == Some(owner);
            last = Some(owner.clone());
            is_again || !summaries.contains_key(owner)
        })
    }

    /// Whether something that stands in a file on the other side may be here, in a text that could not be read whole.
    pub fn may_hold(&self, file: Option<&str>) -> bool {
        self.findings.iter().filter(|finding| finding.is_error()).any(|finding| match (&finding.place, file) {
            // What is wrong with no text in particular may be wrong with any.
            (None, _) | (_, None) => true,
            (Some(place), Some(file)) => same_file(&place.file.name, file),
        })
    }

    /// The errors in the document in which a Workspace or RAGEngine stands.
    pub fn findings_about(&self, owner: &Owner) -> impl Iterator<Item = &Diagnostic> {
        let document = self.document_of(owner);
        let is_about = move |finding: &&Diagnostic| match (&finding.place, document) {
            (Some(place), Some(document)) => Arc::ptr_eq(&place.file, &document.file) && document.root.span.contains(&place.span.start),
            _ => false,
        };
        self.findings.iter().filter(|finding| finding.is_error()).filter(is_about)
    }

    /// The file in which a Workspace or RAGEngine stands.
    pub fn file_of(&self, owner: &Owner) -> Option<&str> {
        let key = (owner.namespace.as_str(), owner.name.as_str());
        let plan = self.plans.get(&key).filter(|_| owner.kind == "Workspace").map(|plan| plan.document);
        let engine = || self.session.rag_engines().find(|planned| planned.key() == key).map(|planned| planned.document);
        plan.or_else(engine).map(|document| document.file.name.as_str())
    }

    /// Where the name of a Workspace, a RAGEngine or a set of Workspaces stands.
    pub(super) fn place_of(&self, owner: &Owner) -> Option<Place> {
        Some(self.document_of(owner)?.place(&NAME.map(Step::Field)))
    }

    /// The document in which a Workspace, a RAGEngine or a set of Workspaces stands.
    fn document_of(&self, owner: &Owner) -> Option<&'s Document> {
        let key = (owner.namespace.as_str(), owner.name.as_str());
        let workspaces = &self.input.workspaces;
        match owner.kind {
            "Workspace" => {
                let found = workspaces.binary_search_by_key(&key, |located| (&located.namespace, &located.value.metadata.name));
                Some(&workspaces[found.ok()?].document)
            }
            "RAGEngine" => {
                let engines = &mut self.input.rag_engines.iter();
                engines
                    .find(|located| (located.namespace.as_str(), located.value.metadata.name.as_str()) == key)
                    .map(|located| &located.document)
            }
            // Its Workspaces have the set's own document.
            kind => {
                let is_set = |document: &Document| document.text(&["kind"]) == Some(kind) && document.text(&NAME) == Some(&owner.name);
                workspaces
                    .iter()
                    .find(|located| located.namespace == owner.namespace && is_set(&located.document))
                    .map(|located| &located.document)
            }
        }
    }

    /// Where the name of an object stands that passes through.
    pub(super) fn place_of_object(&self, reference: &ObjectRef) -> Option<Place> {
        let own = reference.clone().in_namespace(self.namespace);
        let found = self.input.passed.iter().find(|passed| passed.reference.clone().in_namespace(self.namespace) == own);
        Some(found?.document.place(&NAME.map(Step::Field)))
    }

    /// What everything comes to, by its owner.
    pub fn summaries(&self) -> BTreeMap<Owner, Summary> {
        let context = self.session.context();
        let plans = self.session.plans().map(|plan| (owner("Workspace", plan.key()), Summary::of_plan(plan, context)));
        let engines =
            self.session.rag_engines().map(|planned| (owner("RAGEngine", planned.key()), Summary::of_rag_engine(planned, context)));
        plans.chain(engines).collect()
    }

    /// The Workspaces as they were declared, to what is rendered of them, as far as they are meant.
    pub fn include_workspaces(&self, wanted: &mut AllWanted, is_meant: impl Fn(&Owner) -> bool, make: impl Fn(Value) -> Wanted) {
        for plan in self.session.plans().filter(|plan| is_meant(&owner("Workspace", plan.key()))) {
            let (namespace, name) = plan.key();
            let reference = ObjectRef::new("kaito.sh", "Workspace", Some(namespace), name);
            wanted.entry(Some(owner("Workspace", plan.key()))).or_default().insert(reference, make(self.session.declared(plan)));
        }
    }

    /// The plan of a Workspace.
    pub fn plan(&self, owner: &Owner) -> Option<&'s Plan<'s>> {
        self.plans.get(&(owner.namespace.as_str(), owner.name.as_str())).copied().filter(|_| owner.kind == "Workspace")
    }

    /// What a Workspace is planned by that is its own: itself, and the ConfigMap that it names.
    pub fn declared(&self, owner: &Owner) -> Option<(Value, Option<Value>)> {
        let workspace = self.plan(owner)?.workspace;
        let name = workspace.config().or_else(|| workspace.tuning.as_ref()?.config());
        let config = name.and_then(|name| self.session.context().config_map(&owner.namespace, name));
        Some((serde_json::to_value(workspace).unwrap_or_default(), config.map(|document| document.root.to_value())))
    }

    /// Renders the objects of these Workspaces.
    ///
    /// # Errors
    /// A template at fault.
    pub fn render(&self, wanted: &HashSet<&Owner>) -> Result<BTreeMap<Owner, Objects>, TemplateError> {
        self.render_each(|owner| wanted.contains(owner), &|object| object)
    }

    /// Renders the objects of these Workspaces, and makes something else of each at once, on several threads.
    ///
    /// # Errors
    /// A template at fault.
    pub fn render_each<T: Send>(
        &self,
        is_wanted: impl Fn(&Owner) -> bool,
        make: &(impl Fn(Value) -> T + Sync),
    ) -> Result<BTreeMap<Owner, BTreeMap<ObjectRef, T>>, TemplateError> {
        let mut all = BTreeMap::new();
        let of_workspace = |plan: &Plan<'_>| owner("Workspace", plan.key());
        let made = |objects: Vec<Object>| objects.into_iter().map(|object| (self.key(&object), make(object.to_value()))).collect();
        self.session.render_some(
            self.engine,
            |plan| is_wanted(&of_workspace(plan)),
            |plan, objects| Ok((of_workspace(plan), made(objects))),
            |(owner, objects)| {
                all.insert(owner, objects);
                Ok::<_, TemplateError>(())
            },
        )?;
        Ok(all)
    }

    /// What is rendered beside Workspaces, by whose it is. What passes through, and what several share, is nobody's, unless it says so by its
    /// labels: whose the live object is, is told by these.
    ///
    /// # Errors
    /// A template at fault.
    pub fn shared(&self) -> Result<BTreeMap<Option<Owner>, Objects>, TemplateError> {
        let mut all: BTreeMap<Option<Owner>, Objects> = BTreeMap::new();
        for passed in &self.input.passed {
            if let Some((reference, value)) = self.session.pass(passed)? {
                let reference = reference.in_namespace(self.namespace);
                all.entry(whose(&value, reference.namespace.as_deref())).or_default().insert(reference, value);
            }
        }
        self.session.render_shared(self.engine, |key, object| {
            let is_engine = |key: &_| self.session.rag_engines().any(|planned| planned.key() == *key);
            let (reference, value) = (self.key(&object), object.to_value());
            let owner =
                key.filter(is_engine).map_or_else(|| whose(&value, reference.namespace.as_deref()), |key| Some(owner("RAGEngine", key)));
            all.entry(owner).or_default().insert(reference, value);
            Ok::<_, TemplateError>(())
        })?;
        Ok(all)
    }

    fn key(&self, object: &Object) -> ObjectRef {
        object.reference().clone().in_namespace(self.namespace)
    }
}

/// Whether two sides mean the same file: their names end alike, whatever directory or revision they begin with.
fn same_file(one: &str, other: &str) -> bool {
    let name = |path: &str| path.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
    name(one) == name(other)
}

fn owner(kind: &'static str, (namespace, name): (&str, &str)) -> Owner {
    Owner { kind, namespace: namespace.into(), name: name.into() }
}

fn declarer(set: &Declarer) -> Owner {
    match set {
        Declarer::Set(set) => owner("InferenceSet", (&set.namespace, &set.value.metadata.name)),
        Declarer::Roles(roles) => owner("MultiRoleInference", (&roles.namespace, &roles.value.metadata.name)),
    }
}
