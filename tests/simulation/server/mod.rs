//! An API server in memory, as far as kaito asks one: discovery, lists, watches, server-side apply, merge patches, deletion with
//! finalizers, leases that are written by whoever has seen the last version.

mod answer;
mod fields;
mod kinds;
mod watch;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use kaito::manifest::ObjectRef;
use serde_json::{Value, json};

pub(crate) use answer::{Answer, Question, refused};
pub(crate) use fields::{first_other, remove, set};
pub(crate) use kinds::{KINDS, Kind};
pub(crate) use watch::Stream;

use answer::{conflict, metadata_of};
use fields::Manager;
use kinds::{Target, resources, versions};
use watch::{Logged, Selector};

/// Where an object stands: its kind's place in the table, its namespace and its name.
pub(crate) type Key = (usize, String, String);

/// An object, without what is made up of who owns its fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub object: Value,
    managers: Vec<Manager>,
    /// As it is shown, which is written when somebody wants to see it.
    whole: OnceCell<String>,
    metadata: OnceCell<String>,
}

/// What a question did.
#[derive(Debug)]
pub(crate) enum Effect {
    /// An object is another one, or is there now.
    Written { reference: ObjectRef, before: Option<Rc<Stored>>, after: Rc<Stored> },
    /// An object was to be deleted, as it was then.
    Deleted { reference: ObjectRef },
}

/// The server.
#[derive(Default)]
pub(crate) struct Server {
    objects: BTreeMap<Key, Rc<Stored>>,
    log: Vec<Logged>,
    version: u64,
    /// Of what happened up to here nothing is known any more.
    compacted: u64,
    uids: u64,
}

impl Stored {
    fn new(object: Value, managers: Vec<Manager>) -> Self {
        Self { object, managers, ..Self::default() }
    }

    /// The same, to be changed.
    fn draft(&self) -> Self {
        Self::new(self.object.clone(), self.managers.clone())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.object == other.object && self.managers == other.managers
    }

    /// As it is shown: with who owns its fields, and with nothing but its metadata if nobody wants more.
    fn shown(&self, metadata_only: bool) -> &str {
        let with_managers = |mut object: Value| {
            let version = self.object["apiVersion"].as_str().unwrap_or_default();
            object["metadata"]["managedFields"] = fields::managed_fields(&self.managers, version);
            object.to_string()
        };
        if metadata_only {
            self.metadata.get_or_init(|| with_managers(metadata_of(&self.object)))
        } else {
            self.whole.get_or_init(|| with_managers(self.object.clone()))
        }
    }
}

/// What identifies an object.
pub(crate) fn reference(object: &Value) -> ObjectRef {
    ObjectRef::of(object).expect("what is stored has a kind and a name")
}

fn key_of(kind: &Kind, namespace: &str, name: &str) -> Key {
    let number = KINDS.iter().position(|other| other == kind).unwrap_or_default();
    (number, if kind.is_namespaced { namespace.to_owned() } else { String::new() }, name.to_owned())
}

/// Where an object stands.
pub(crate) fn key(object: &Value) -> Key {
    let kind = Kind::of(object).unwrap_or_else(|| panic!("the server has no such kind: {object}"));
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
    key_of(kind, text("namespace"), text("name"))
}

impl Server {
    /// The objects.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.values().map(|stored| &stored.object)
    }

    /// The objects of a kind, each with where it stands.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<(Key, Rc<Stored>)> {
        let number = KINDS.iter().position(|known| known.name == kind).unwrap_or_default();
        let all = self.objects.range((number, String::new(), String::new())..).take_while(|((of, ..), _)| *of == number);
        all.map(|(key, stored)| (key.clone(), Rc::clone(stored))).collect()
    }

    /// An object.
    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key).map(|stored| &stored.object)
    }

    /// Nobody can be told any more of what has happened until now.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.version;
    }

    /// Somebody else makes or changes an object, or its status.
    pub(crate) fn change(&mut self, key: &Key, (manager, part): (&str, &'static str), change: impl FnOnce(&mut Value)) {
        let Some(before) = self.objects.get(key).cloned() else { return };
        let mut stored = before.draft();
        change(&mut stored.object);
        if stored.object != before.object {
            fields::update(&before.object, &stored.object, &mut stored.managers, (manager, part));
            self.store(key, stored);
        }
    }

    /// Somebody no longer wants anything of any object.
    pub(crate) fn give_up(&mut self, manager: &str) {
        for (key, stored) in self.objects.clone() {
            if stored.managers.iter().any(|other| other.name == manager) {
                let mut stored = stored.draft();
                stored.managers.retain(|other| other.name != manager);
                self.store(&key, stored);
            }
        }
    }

    /// Somebody else makes an object.
    pub(crate) fn create(&mut self, manager: &str, object: Value) {
        let (key, mut managers) = (key(&object), Vec::new());
        if KINDS[key.0].is_managed() {
            fields::update(&json!({}), &object, &mut managers, (manager, ""));
        }
        self.store(&key, Stored::new(object, managers));
    }

    /// Deletes an object, unless finalizers keep it.
    pub(crate) fn delete(&mut self, key: &Key) {
        let Some(stored) = self.objects.get(key) else { return };
        if stored.object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty()) {
            if stored.object["metadata"]["deletionTimestamp"].is_null() {
                let mut stored = stored.draft();
                stored.object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
                self.store(key, stored);
            }
            return;
        }
        self.version += 1;
        if let Some(gone) = self.objects.remove(key) {
            let mut gone = gone.draft();
            gone.object["metadata"]["resourceVersion"] = self.version.to_string().into();
            self.log.push(Logged { version: self.version, key: key.clone(), before: Some(Rc::new(gone)), after: None });
        }
    }

    /// Takes a finalizer away, and the object with the last one if it is to go.
    pub(crate) fn finalize(&mut self, key: &Key) {
        let Some(mut stored) = self.objects.get(key).map(|stored| stored.draft()) else { return };
        if stored.object["metadata"]["deletionTimestamp"].is_null() {
            return;
        }
        remove(&mut stored.object, "/metadata/finalizers");
        self.objects.insert(key.clone(), Rc::new(stored));
        self.delete(key);
    }

    /// Stores an object, unless it is as it was.
    fn store(&mut self, key: &Key, mut stored: Stored) {
        let before = self.objects.get(key).cloned();
        if before.as_ref().is_some_and(|before| before.is_same(&stored)) {
            return;
        }
        self.version += 1;
        let metadata = &mut stored.object["metadata"];
        metadata["resourceVersion"] = self.version.to_string().into();
        if before.is_none() {
            self.uids += 1;
            metadata["uid"] = format!("uid-{}", self.uids).into();
            metadata["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
            metadata["generation"] = 1.into();
        }
        if let Some(before) = before.as_ref().filter(|before| !is_same_content(&before.object, &stored.object)) {
            let generation = before.object["metadata"]["generation"].as_i64().unwrap_or_default();
            stored.object["metadata"]["generation"] = (generation + 1).into();
        }
        let stored = Rc::new(stored);
        self.log.push(Logged { version: self.version, key: key.clone(), before, after: Some(Rc::clone(&stored)) });
        self.objects.insert(key.clone(), stored);
    }

    /// Answers a question, and says what it did.
    pub(crate) fn answer(&mut self, question: &Question) -> (Answer, Option<Effect>) {
        let nothing = |answer: Answer| (answer, None);
        match Target::of(&question.path) {
            Some(Target::Group(group)) => nothing(Answer::or_unknown(versions(group))),
            Some(Target::Version(group, version)) => nothing(Answer::or_unknown(resources(group, version))),
            Some(Target::Objects { kind, namespace, name: None, .. }) if question.method == "POST" => {
                self.create_asked(kind, namespace, question)
            }
            Some(Target::Objects { kind, namespace, name: None, .. }) => nothing(self.list(kind, namespace, question)),
            Some(Target::Objects { kind, namespace, name: Some(name), part }) => {
                let key = key_of(kind, namespace, name);
                match question.method.as_str() {
                    "GET" => {
                        nothing(self.objects.get(&key).map_or_else(|| refused(404, "NotFound"), |found| Answer::ok(found.shown(false))))
                    }
                    "DELETE" => self.delete_asked(&key, question),
                    "PUT" => self.replace(&key, question),
                    _ if question.is_apply() => self.apply(&key, part, question),
                    _ => self.merge(&key, part, question),
                }
            }
            None => nothing(refused(404, "")),
        }
    }

    fn selector(kind: &Kind, namespace: &str, question: &Question) -> Selector {
        let (kind, namespace, _) = key_of(kind, namespace, "");
        Selector::new(kind, namespace, question.parameter("labelSelector"), question.parameter("fieldSelector"))
    }

    fn list(&self, kind: &Kind, namespace: &str, question: &Question) -> Answer {
        let selector = Self::selector(kind, namespace, question);
        let found = self.objects.iter().filter(|(key, stored)| selector.has(key, &stored.object));
        let items: Vec<&str> = found.map(|(_, stored)| stored.shown(question.wants_metadata())).collect();
        let (kind, version, items) = (kind.name, self.version, items.join(","));
        Answer::ok(format!(r#"{{"kind":"{kind}List","metadata":{{"resourceVersion":"{version}"}},"items":[{items}]}}"#))
    }

    /// What a watch is told, from where it begins; none if too much was missed.
    pub(crate) fn watch(question: &Question) -> Option<Stream> {
        let Some(Target::Objects { kind, namespace, name: None, .. }) = Target::of(&question.path) else { return None };
        question.parameter("watch").filter(|watch| *watch == "true" || *watch == "1")?;
        let from = question.parameter("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
        Some(Stream::new(Self::selector(kind, namespace, question), from, question.wants_metadata()))
    }

    fn create_asked(&mut self, kind: &Kind, namespace: &str, question: &Question) -> (Answer, Option<Effect>) {
        let mut object = question.json();
        object["metadata"]["namespace"] = namespace.into();
        object["kind"] = kind.name.into();
        object["apiVersion"] = kind.api_version().into();
        let key = key(&object);
        if self.objects.contains_key(&key) {
            return (refused(409, "AlreadyExists"), None);
        }
        self.create("kaito", object);
        self.written(&key, None)
    }

    /// What was written, if it is another one than before.
    fn written(&self, key: &Key, before: Option<Rc<Stored>>) -> (Answer, Option<Effect>) {
        let after = Rc::clone(&self.objects[key]);
        let answer = Answer::ok(after.shown(false));
        let is_same = before.as_ref().is_some_and(|before| Rc::ptr_eq(before, &after));
        (answer, (!is_same).then(|| Effect::Written { reference: reference(&after.object), before, after }))
    }

    fn replace(&mut self, key: &Key, question: &Question) -> (Answer, Option<Effect>) {
        let Some(stored) = self.objects.get(key).cloned() else { return (refused(404, "NotFound"), None) };
        let wanted = question.json();
        if wanted["metadata"]["resourceVersion"] != stored.object["metadata"]["resourceVersion"] {
            return (refused(409, "Conflict"), None);
        }
        let mut changed = stored.draft();
        changed.object["spec"] = wanted["spec"].clone();
        if KINDS[key.0].is_managed() {
            fields::update(&stored.object, &changed.object, &mut changed.managers, ("kaito", ""));
        }
        self.store(key, changed);
        self.written(key, Some(stored))
    }

    fn apply(&mut self, key: &Key, part: Option<&str>, question: &Question) -> (Answer, Option<Effect>) {
        let mut wanted = question.json();
        let has_status = KINDS[key.0].has_status;
        let before = self.objects.get(key).cloned();
        let is_outdated = |name: &str| {
            let named = &wanted["metadata"][name];
            !named.is_null() && before.as_ref().is_none_or(|before| before.object["metadata"][name] != *named)
        };
        if part.is_some() && before.is_none() {
            return (refused(404, "NotFound"), None);
        }
        if is_outdated("resourceVersion") || is_outdated("uid") {
            return (refused(409, "Conflict"), None);
        }
        if part.is_some() {
            wanted = json!({"status": wanted["status"]});
        } else if has_status {
            remove(&mut wanted, "/status");
            wanted.as_object_mut().map(|wanted| wanted.remove("status"));
        }
        let new = || {
            let mut object = json!({"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": {"name": key.2}});
            if !key.1.is_empty() {
                object["metadata"]["namespace"] = key.1.clone().into();
            }
            Stored::new(object, Vec::new())
        };
        let mut stored = before.as_ref().map_or_else(new, |before| before.draft());
        let manager = question.parameter("fieldManager").unwrap_or_default();
        let force = question.parameter("force") == Some("true");
        let subresource = if part.is_some() { "status" } else { "" };
        match fields::apply(&mut stored.object, &mut stored.managers, &wanted, (manager, subresource, force)) {
            Err(conflicts) => (conflict(&conflicts), None),
            Ok(()) if question.parameter("dryRun").is_some() => (Answer::ok(stored.shown(false)), None),
            Ok(()) => {
                self.store(key, stored);
                self.written(key, before)
            }
        }
    }

    fn merge(&mut self, key: &Key, part: Option<&str>, question: &Question) -> (Answer, Option<Effect>) {
        let Some(before) = self.objects.get(key).cloned() else { return (refused(404, "NotFound"), None) };
        let mut patch = question.json();
        for name in ["resourceVersion", "uid"] {
            let named = &patch["metadata"][name];
            if !named.is_null() && *named != before.object["metadata"][name] {
                return (refused(409, "Conflict"), None);
            }
        }
        let managers = patch.pointer_mut("/metadata").and_then(Value::as_object_mut).and_then(|metadata| metadata.remove("managedFields"));
        let mut stored = before.draft();
        if let Some(managers) = managers {
            stored.managers = fields::managers(&managers);
        }
        json_patch::merge(&mut stored.object, &patch);
        let subresource = if part.is_some() { "status" } else { "" };
        let manager = question.parameter("fieldManager").unwrap_or("unknown");
        fields::update(&before.object, &stored.object, &mut stored.managers, (manager, subresource));
        self.store(key, stored);
        self.written(key, Some(before))
    }

    fn delete_asked(&mut self, key: &Key, question: &Question) -> (Answer, Option<Effect>) {
        let Some(before) = self.objects.get(key).cloned() else { return (refused(404, "NotFound"), None) };
        let uid = &question.json()["preconditions"]["uid"];
        if !uid.is_null() && *uid != before.object["metadata"]["uid"] {
            return (refused(409, "Conflict"), None);
        }
        self.delete(key);
        (Answer::ok(r#"{"kind":"Status","status":"Success"}"#), Some(Effect::Deleted { reference: reference(&before.object) }))
    }
}

/// Whether two objects are the same but for their metadata and status.
fn is_same_content(one: &Value, other: &Value) -> bool {
    fn content(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
        object.as_object().into_iter().flatten().filter(|(name, _)| *name != "metadata" && *name != "status")
    }
    content(one).eq(content(other))
}
