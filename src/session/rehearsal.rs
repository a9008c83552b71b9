//! Rendering everything once before anything is written, where templates or patches of the user's own may be at fault.

use std::collections::{BTreeSet, HashSet};

use rayon::prelude::*;
use serde_json::Value;

use super::{Made, Session};
use crate::diagnostic::Diagnostic;
use crate::manifest::ObjectRef;
use crate::patch::Outcome;
use crate::render::{self, Engine};

/// A patch and an object that it has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// The number of the patch in the options.
    pub patch: usize,
    /// The object, by the name that it had.
    pub object: ObjectRef,
    /// The namespace and name of the Workspace or set that it belongs to.
    pub owner: Option<(String, String)>,
}

/// An object that was rendered to see that it can be.
struct Tried {
    reference: ObjectRef,
    /// What is left of it.
    made: Option<ObjectRef>,
    patches: BTreeSet<usize>,
    owner: Option<(String, String)>,
}

/// What became of everything.
#[derive(Default)]
struct Rehearsal {
    tried: Vec<Tried>,
    faults: Vec<Diagnostic>,
    /// Whether objects are missing because a template failed.
    is_partial: bool,
}

impl Session<'_> {
    /// Renders everything once, if that may fail: because of templates or patches of the user's own. Adds every fault, with
    /// objects that would be made twice and patches that are about nothing, and gives what patches have changed.
    pub fn rehearse(&self, engine: &Engine, findings: &mut Vec<Diagnostic>) -> Vec<Patched> {
        let patches = &self.context.options.patches;
        if !engine.has_overrides() && patches.is_empty() {
            return Vec::new();
        }
        let rehearsal = self.try_all(engine);
        // Where objects are missing, nothing follows from that.
        if !rehearsal.is_partial && !findings.iter().any(Diagnostic::is_error) {
            self.find_unused_patches(&rehearsal.tried, findings);
            if rehearsal.faults.is_empty() {
                self.find_repetitions(engine, &rehearsal.tried, findings);
                self.find_nothing_left(&rehearsal.tried, findings);
            }
        }
        findings.extend(rehearsal.faults);
        let patched = rehearsal.tried.into_iter().flat_map(|tried| {
            let Tried { reference, patches, owner, .. } = tried;
            patches.into_iter().map(move |patch| Patched { patch, object: reference.clone(), owner: owner.clone() })
        });
        patched.collect()
    }

    fn try_all(&self, engine: &Engine) -> Rehearsal {
        let mut all = Rehearsal::default();
        for passed in &self.context.input.passed {
            self.try_one(None, &passed.reference, || self.passed_value(passed), &mut all);
        }
        for (owner, objects) in self.shared(engine) {
            let owner = owner.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
            self.try_these(owner.as_ref(), objects, &mut all);
        }
        let of_plans = self.plans.par_iter().map(|plan| {
            let mut own = Rehearsal::default();
            let owner = (plan.namespace.to_owned(), plan.workspace.metadata.name.clone());
            self.try_these(Some(&owner), render::render(engine, plan, &self.context), &mut own);
            own
        });
        for own in of_plans.collect::<Vec<_>>() {
            all.tried.extend(own.tried);
            all.faults.extend(own.faults);
            all.is_partial |= own.is_partial;
        }
        all
    }

    fn try_these(&self, owner: Option<&(String, String)>, objects: Made, all: &mut Rehearsal) {
        match objects {
            Ok(objects) => {
                for object in objects {
                    self.try_one(owner, object.reference(), || object.to_value(), all);
                }
            }
            Err(error) => {
                all.faults.push(*error.0);
                all.is_partial = true;
            }
        }
    }

    fn try_one(&self, owner: Option<&(String, String)>, reference: &ObjectRef, object: impl Fn() -> Value, all: &mut Rehearsal) {
        let mut patches = BTreeSet::new();
        let made = match self.apply_patches(reference, object, &mut patches) {
            Ok(Outcome::Untouched) => Some(reference.clone()),
            Ok(Outcome::Changed(value)) => ObjectRef::of(&value).ok(),
            Ok(Outcome::Deleted) => None,
            Err(error) => {
                all.faults.push(*error.0);
                None
            }
        };
        all.tried.push(Tried { reference: reference.clone(), made, patches, owner: owner.cloned() });
    }

    fn find_unused_patches(&self, tried: &[Tried], findings: &mut Vec<Diagnostic>) {
        let options = self.context.options;
        let objects: Vec<ObjectRef> = tried.iter().map(|tried| tried.reference.clone()).collect();
        if objects.is_empty() {
            return;
        }
        let used: BTreeSet<usize> = tried.iter().flat_map(|tried| tried.patches.iter().copied()).collect();
        for (_, patch) in options.patches.iter().enumerate().filter(|(number, _)| !used.contains(number)) {
            let finding = patch.unused(&objects, &options.namespace);
            let is_partial = options.is_partial || options.selector.is_some();
            findings.push(if is_partial { finding.into_warning() } else { finding });
        }
    }

    fn find_repetitions(&self, engine: &Engine, tried: &[Tried], findings: &mut Vec<Diagnostic>) {
        let options = self.context.options;
        let who = match (engine.has_overrides(), options.patches.is_empty()) {
            (true, true) => "templates",
            (false, _) => "patches",
            (true, false) => "templates and patches",
        };
        let mut seen = HashSet::new();
        for (tried, made) in tried.iter().filter_map(|tried| Some((tried, tried.made.as_ref()?))) {
            if !seen.insert(made.clone().in_namespace(&options.namespace)) {
                let finding = Diagnostic::error(format!("the {who} make {made} twice"));
                let finding = finding.help("give objects of different Workspaces different names");
                let last = tried.patches.last().map(|number| &options.patches[*number]);
                findings.push(last.map_or(finding.clone(), |patch| patch.said(finding)));
            }
        }
    }

    /// What patches delete here is deleted in a cluster by those who apply the rest.
    fn find_nothing_left(&self, tried: &[Tried], findings: &mut Vec<Diagnostic>) {
        let last = tried.last().and_then(|tried| tried.patches.last());
        if let Some(number) = last.filter(|_| tried.iter().all(|tried| tried.made.is_none())) {
            let finding = Diagnostic::error("every object is deleted, and nothing is left to render");
            findings.push(self.context.options.patches[*number].said(finding.help("take the Workspaces out of the input instead")));
        }
    }
}
