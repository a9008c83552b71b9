//! What is live of a set: each object as small as it can be and still tell how it is doing, and whether it is as it was applied.
//!
//! An object is settled once a pass has left it as it is wanted; what counts of it then is kept as a hash. As long as what is seen of it
//! has the same hash, nobody has touched it, and nothing has to be asked or rendered to know that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::sighting::{Sighting, hash};
use crate::cluster::Subject;
use crate::diff::Owner;
use crate::inventory::{GroupKind, Member};
use crate::manifest::ObjectRef;
use crate::selector::Selector;

/// The number of the list of what was applied and not heard of since.
pub(super) const APPLIED: usize = usize::MAX;
/// The number of the list of what was applied and should have been listed since, unless the list is older.
const DOUBTFUL: usize = usize::MAX - 1;

/// The live objects of a set, and what belongs to its Workspaces besides.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Each with the number of the list that it is of.
    seen: BTreeMap<Arc<ObjectRef>, (usize, Sighting)>,
    /// What was seen of each owner.
    owned: BTreeMap<Owner, BTreeSet<Arc<ObjectRef>>>,
    /// The kinds of which it is known what isn't there.
    known: BTreeSet<GroupKind>,
    /// The hashes of what was left as it is wanted.
    settled: BTreeMap<Arc<ObjectRef>, (Option<Owner>, u64)>,
}

impl Ledger {
    /// Takes note of an object of a list; whether anything is new about it.
    pub fn see(&mut self, list: usize, mut sighting: Sighting) -> bool {
        if list != APPLIED && self.is_outdated(&sighting.reference, sighting.version) {
            return false;
        }
        let is_same = |(_, known): &(usize, Sighting)| (known.hash, &known.object) == (sighting.hash, &sighting.object);
        let is_new = !self.seen.get(&sighting.reference).is_some_and(is_same);
        sighting.reference = self.known_as(sighting.reference);
        let (reference, owner) = (Arc::clone(&sighting.reference), sighting.owner.clone());
        let before = self.seen.insert(Arc::clone(&reference), (list, sighting)).and_then(|(_, before)| before.owner);
        if before != owner {
            self.disown(&reference, before);
            owner.into_iter().for_each(|owner| _ = self.owned.entry(owner).or_default().insert(Arc::clone(&reference)));
        }
        is_new
    }

    /// All objects of a kind were seen, as far as the set has any.
    pub fn know(&mut self, kind: &GroupKind) {
        self.known.insert(kind.clone());
    }

    /// Of a list there is only this any more; what is gone.
    pub fn retain(&mut self, list: usize, there: &BTreeSet<ObjectRef>) -> Vec<ObjectRef> {
        let is_gone = |(reference, (of, _)): &(&Arc<ObjectRef>, &(usize, Sighting))| *of == list && !there.contains(*reference);
        let gone: Vec<ObjectRef> = self.seen.iter().filter(is_gone).map(|(reference, _)| ObjectRef::clone(reference)).collect();
        gone.iter().for_each(|reference| _ = self.lose(reference));
        gone
    }

    /// Of a subject there is only this; what was applied and may be gone. That counts as drifted, if it is wanted.
    pub fn doubt(&mut self, subject: &Subject, there: &BTreeSet<ObjectRef>) -> Vec<ObjectRef> {
        let Subject { kind, namespace, selector, name, .. } = subject;
        let selector: Option<Selector> = selector.as_ref().and_then(|selector| selector.parse().ok());
        let is_missing = |(_, (of, Sighting { reference, object, .. })): &(&Arc<ObjectRef>, &(usize, Sighting))| {
            let is_of_kind = *of >= DOUBTFUL && reference.kind == kind.kind && reference.group == kind.group;
            let is_here = namespace.is_none() || reference.namespace.as_deref() == namespace.as_deref();
            let is_called_so = name.as_ref().is_none_or(|name| *name == reference.name);
            let is_selected = || selector.as_ref().is_none_or(|selector| selector.matches(&labels(&object.read())));
            is_of_kind && is_here && is_called_so && !there.contains(reference) && is_selected()
        };
        let missing: Vec<ObjectRef> = self.seen.iter().filter(is_missing).map(|(reference, _)| ObjectRef::clone(reference)).collect();
        for reference in &missing {
            match self.seen.get_mut(reference).filter(|_| self.settled.contains_key(reference)) {
                Some((list, _)) => *list = DOUBTFUL,
                None => _ = self.lose(reference),
            }
        }
        missing
    }

    /// Whether it isn't known of an object whether it is there, though it was.
    pub fn is_doubtful(&self, reference: &ObjectRef) -> bool {
        self.seen.get(reference).is_none_or(|(list, _)| *list == DOUBTFUL)
    }

    /// Takes note that an object was deleted, in this version; whose it was, if it was there and is no more.
    pub fn deleted(&mut self, reference: &ObjectRef, version: u64) -> Option<Option<Owner>> {
        if self.is_outdated(reference, version) { None } else { self.lose(reference) }
    }

    /// Whether an object was applied after what is told of this version: what is heard late may be about another one of its name, which was
    /// deleted before.
    fn is_outdated(&self, reference: &ObjectRef, version: u64) -> bool {
        self.seen.get(reference).is_some_and(|(list, known)| *list == APPLIED && 0 < version && version < known.version)
    }

    /// Takes note that an object is gone; whose it was, if it was there.
    pub fn lose(&mut self, reference: &ObjectRef) -> Option<Option<Owner>> {
        let (_, Sighting { owner, .. }) = self.seen.remove(reference)?;
        self.disown(reference, owner.clone());
        Some(owner)
    }

    /// An object is not an owner's any more.
    fn disown(&mut self, reference: &ObjectRef, owner: Option<Owner>) {
        let Some(owner) = owner else { return };
        let Some(owned) = self.owned.get_mut(&owner) else { return };
        owned.remove(reference);
        if owned.is_empty() {
            self.owned.remove(&owner);
        }
    }

    /// An object is as it is wanted by an owner.
    pub fn settle(&mut self, object: &Value, owner: Option<Owner>, manager: &str) {
        if let Ok(reference) = ObjectRef::of(object) {
            let reference = self.known_as(reference.into());
            self.settled.insert(reference, (owner, hash(object, manager)));
        }
    }

    /// The one copy of what is kept in several places, and of many objects.
    fn known_as(&self, reference: Arc<ObjectRef>) -> Arc<ObjectRef> {
        let known = self.seen.get_key_value(&reference).map(|(known, _)| known);
        let known = known.or_else(|| self.settled.get_key_value(&reference).map(|(known, _)| known));
        known.map_or(reference, Arc::clone)
    }

    /// An object is no longer wanted.
    pub fn unsettle(&mut self, reference: &ObjectRef) {
        self.settled.remove(reference);
    }

    /// What an owner wants is just this from now on.
    pub fn keep_settled(&mut self, owner: &Option<Owner>, wanted: &[ObjectRef]) {
        self.settled.retain(|reference, (whose, _)| whose != owner || wanted.contains(&**reference));
    }

    /// Whether an object is other than it was left, or gone.
    pub fn has_drifted(&self, reference: &ObjectRef) -> bool {
        let Some((_, left)) = self.settled.get(reference) else { return false };
        match self.seen.get(reference) {
            Some((list, seen)) => *list == DOUBTFUL || seen.hash != *left,
            None => self.known.contains(&GroupKind::of(reference)),
        }
    }

    /// The owners that want an object.
    pub fn owner_wanting(&self, reference: &ObjectRef) -> Option<&Option<Owner>> {
        self.settled.get(reference).map(|(owner, _)| owner)
    }

    /// What is there of what an owner wants.
    pub fn wanted_by(&self, owner: &Owner) -> Vec<Value> {
        let wanted = self.settled.iter().filter(|(_, (whose, _))| whose.as_ref() == Some(owner));
        wanted.filter_map(|(reference, _)| self.get(reference)).collect()
    }

    /// What has drifted, by the owners that want it.
    pub fn drifted(&self) -> BTreeMap<Option<Owner>, Vec<ObjectRef>> {
        let mut all: BTreeMap<Option<Owner>, Vec<ObjectRef>> = BTreeMap::new();
        for (reference, (owner, _)) in &self.settled {
            if self.has_drifted(reference) {
                all.entry(owner.clone()).or_default().push(ObjectRef::clone(reference));
            }
        }
        all
    }

    /// The objects of an owner, and those that belong to it besides: its pods and nodes.
    pub fn objects_of(&self, owner: &Owner) -> Vec<Value> {
        self.owned.get(owner).into_iter().flatten().filter_map(|reference| self.get(reference)).collect()
    }

    /// An object, if it was seen.
    pub fn get(&self, reference: &ObjectRef) -> Option<Value> {
        self.seen.get(reference).map(|(_, sighting)| sighting.object())
    }

    /// The Workspace, RAGEngine or set of Workspaces itself, if it is there.
    pub fn declared(&self, owner: &Owner) -> Option<Value> {
        let reference = ObjectRef::new("kaito.sh", owner.kind, Some(&owner.namespace), &owner.name);
        self.get(&reference)
    }

    /// The nodes.
    pub fn nodes(&self) -> impl Iterator<Item = Value> {
        self.of_kind("", "Node").map(Sighting::object)
    }

    /// What was seen of a group of kinds.
    pub fn references(&self, group: &str) -> impl Iterator<Item = &ObjectRef> {
        self.seen.keys().map(|reference| &**reference).filter(move |reference| reference.group == group)
    }

    /// What was seen of a kind.
    pub fn of_kind(&self, group: &'static str, kind: &'static str) -> impl Iterator<Item = &Sighting> {
        // They stand beside each other, first those in no namespace.
        let from = self.seen.range(ObjectRef::new(group, kind, None, "")..);
        from.take_while(move |(reference, _)| reference.kind == kind && reference.group == group).map(|(_, (_, sighting))| sighting)
    }

    /// The live members of a set, with their metadata.
    pub fn members(&self, set: &str) -> Vec<Member> {
        let member = |seen: &Sighting| Member {
            reference: ObjectRef::clone(&seen.reference),
            owner: seen.owner.clone(),
            object: seen.object.clone(),
        };
        self.sightings().filter(|seen| seen.set() == Some(set)).map(member).collect()
    }

    /// Whose a seen object is.
    pub fn owner_of(&self, reference: &ObjectRef) -> Option<&Owner> {
        self.seen.get(reference)?.1.owner()
    }

    fn sightings(&self) -> impl Iterator<Item = &Sighting> {
        self.seen.values().map(|(_, sighting)| sighting)
    }
}

/// The labels of an object.
fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(change: impl Fn(&mut Value)) -> Value {
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "phi",
                "namespace": "n",
                "uid": "1",
                "resourceVersion": "5",
                "labels": {"kaito.sh/workspace": "phi", "applyset.kubernetes.io/part-of": "one"},
                "managedFields": [
                    {"manager": "kaito", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:ports": {}}}},
                ],
            },
            "spec": {"ports": [{"port": 80}]},
        });
        change(&mut object);
        object
    }

    #[test]
    fn what_counts_as_drift() {
        type Case = (&'static str, fn(&mut Value), bool);
        let table: [Case; 10] = [
            ("nothing", |_| {}, false),
            ("a new resourceVersion", |object| object["metadata"]["resourceVersion"] = "6".into(), false),
            ("its status", |object| object["status"] = json!({"loadBalancer": {}}), false),
            ("when it was applied", |object| object["metadata"]["managedFields"][0]["time"] = "2026-01-02T00:00:00Z".into(), false),
            (
                "somebody else's notes",
                |object| {
                    let other = json!({"manager": "x", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}});
                    object["metadata"]["managedFields"].as_array_mut().unwrap().push(other);
                },
                false,
            ),
            ("a field", |object| object["spec"]["ports"][0]["port"] = 81.into(), true),
            ("a label", |object| object["metadata"]["labels"]["x"] = "y".into(), true),
            ("a field is somebody else's", |object| object["metadata"]["managedFields"][0]["fieldsV1"] = json!({}), true),
            ("it is being deleted", |object| object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(), true),
            ("it is another one of its name", |object| object["metadata"]["uid"] = "2".into(), true),
        ];
        for (what, change, want) in table {
            let mut ledger = Ledger::default();
            let before = service(|_| {});
            ledger.settle(&before, None, "kaito");
            let reference = ObjectRef::of(&before).unwrap();
            assert!(!ledger.has_drifted(&reference), "nobody has looked yet");
            ledger.know(&GroupKind::new("", "Service"));
            assert!(ledger.has_drifted(&reference), "what isn't there has gone");
            ledger.see(0, Sighting::of(service(change), "kaito").unwrap());
            assert_eq!(ledger.has_drifted(&reference), want, "{what}");
            assert_eq!(ledger.drifted().len(), usize::from(want), "{what}");
        }
    }

    /// What was made anew is there, though it is heard late that the one before it was deleted.
    #[test]
    fn what_is_heard_late_is_about_another_one() {
        let of_version = |version: &str, uid: &str| {
            let object = service(|object| {
                object["metadata"]["resourceVersion"] = version.into();
                object["metadata"]["uid"] = uid.into();
            });
            Sighting::of(object, "kaito").unwrap()
        };
        let reference = ObjectRef::new("", "Service", Some("n"), "phi");
        let uid = |ledger: &Ledger| ledger.get(&reference).map(|object| object["metadata"]["uid"].clone());
        let mut ledger = Ledger::default();
        assert!(ledger.see(0, of_version("5", "1")));
        ledger.see(APPLIED, of_version("12", "2"));
        assert!(!ledger.see(0, of_version("9", "1")), "it is being deleted");
        assert_eq!(ledger.deleted(&reference, 10), None);
        assert_eq!(uid(&ledger).unwrap(), "2");
        ledger.see(0, of_version("12", "2"));
        // What was heard of is as it is heard of, whatever the number.
        assert!(ledger.see(0, of_version("7", "3")));
        assert!(ledger.deleted(&reference, 8).is_some());
        ledger.see(APPLIED, of_version("20", "4"));
        assert!(ledger.deleted(&reference, 21).is_some());
        assert_eq!(uid(&ledger), None);
    }

    #[test]
    fn what_an_object_is_called_is_there_once() {
        let reference = |ledger: &Ledger| Arc::clone(ledger.seen.keys().next().unwrap());
        for settled_first in [true, false] {
            let (mut ledger, object) = (Ledger::default(), service(|_| {}));
            if settled_first {
                ledger.settle(&object, None, "kaito");
            }
            ledger.see(0, Sighting::of(object.clone(), "kaito").unwrap());
            ledger.settle(&object, None, "kaito");
            ledger.see(0, Sighting::of(object, "kaito").unwrap());
            // The map of all, the object itself, those of its owner, what is settled, and this test.
            assert_eq!(Arc::strong_count(&reference(&ledger)), 5, "{settled_first}");
        }
    }

    #[test]
    fn nodes_are_found_among_others() {
        let mut ledger = Ledger::default();
        let kinds = [("v1", "Namespace", "a"), ("v1", "Node", "b"), ("v1", "Node", "a"), ("x.io/v1", "Node", "c"), ("v1", "Pod", "a")];
        for (api_version, kind, name) in kinds {
            let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
            assert!(ledger.see(0, Sighting::of(object, "kaito").unwrap()));
        }
        let names: Vec<Value> = ledger.nodes().map(|node| node["metadata"]["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn what_was_applied_may_be_gone_before_it_is_listed() {
        let reference = ObjectRef::new("", "Service", Some("n"), "phi");
        let (there, nothing) = (BTreeSet::from([reference.clone()]), BTreeSet::new());
        let subject = |kind: &str, namespace: Option<&str>, selector: Option<&str>| Subject {
            kind: GroupKind::new("", kind),
            namespace: namespace.map(ToOwned::to_owned),
            selector: selector.map(ToOwned::to_owned),
            name: None,
            metadata_only: false,
        };
        let table = [
            (APPLIED, subject("Service", None, None), &nothing, true),
            (APPLIED, subject("Service", Some("n"), None), &nothing, true),
            (APPLIED, subject("Service", Some("m"), None), &nothing, false),
            (APPLIED, subject("Service", None, Some("kaito.sh/workspace")), &nothing, true),
            (APPLIED, subject("Service", None, Some("kaito.sh/ragengine")), &nothing, false),
            (APPLIED, subject("Service", None, Some("kaito.sh/workspace=other")), &nothing, false),
            (APPLIED, Subject { name: Some("other".to_owned()), ..subject("Service", None, None) }, &nothing, false),
            (APPLIED, subject("Secret", None, None), &nothing, false),
            (APPLIED, subject("Service", None, None), &there, false),
            (0, subject("Service", None, None), &nothing, false),
        ];
        for (list, subject, there, is_gone) in table {
            for is_wanted in [false, true] {
                let mut ledger = Ledger::default();
                if is_wanted {
                    ledger.settle(&service(|_| {}), None, "kaito");
                }
                ledger.see(list, Sighting::of(service(|_| {}), "kaito").unwrap());
                let missing = ledger.doubt(&subject, there);
                assert_eq!(
                    (missing.len(), ledger.is_doubtful(&reference)),
                    (usize::from(is_gone), is_gone),
                    "{list} {subject:?} {there:?}"
                );
                // What is wanted is looked for; whether it is a member isn't forgotten, should the list be older.
                let known = (ledger.has_drifted(&reference), ledger.get(&reference).is_some());
                assert_eq!(known, (is_wanted && is_gone, is_wanted || !is_gone), "{list} {subject:?} {there:?}");
                ledger.see(APPLIED, Sighting::of(service(|_| {}), "kaito").unwrap());
                assert!(!ledger.has_drifted(&reference) && !ledger.is_doubtful(&reference));
            }
        }
    }

    #[test]
    fn what_is_kept() {
        let mut ledger = Ledger::default();
        let owner = Owner { kind: "Workspace", namespace: "n".into(), name: "phi".into() };
        assert!(ledger.see(0, Sighting::of(service(|_| {}), "kaito").unwrap()));
        assert!(!ledger.see(0, Sighting::of(service(|object| object["metadata"]["resourceVersion"] = "9".into()), "kaito").unwrap()));
        assert_eq!(ledger.members("one").len(), 1);
        assert_eq!(ledger.members("other").len(), 0);
        let [object] = ledger.objects_of(&owner).try_into().unwrap();
        assert_eq!(object["spec"]["ports"][0]["port"], 80);
        assert_eq!(object["metadata"]["managedFields"], Value::Null);
        let reference = ObjectRef::of(&object).unwrap();
        assert_eq!(ledger.retain(1, &BTreeSet::new()), []);
        assert_eq!(ledger.retain(0, &[reference.clone()].into()), []);
        assert_eq!(ledger.lose(&reference), Some(Some(owner.clone())));
        assert_eq!(ledger.lose(&reference), None);
        assert!(ledger.objects_of(&owner).is_empty() && ledger.get(&reference).is_none());
        // What somebody labels otherwise is somebody else's.
        let other = Owner { name: "other".into(), ..owner.clone() };
        ledger.see(0, Sighting::of(service(|_| {}), "kaito").unwrap());
        ledger
            .see(0, Sighting::of(service(|object| object["metadata"]["labels"]["kaito.sh/workspace"] = "other".into()), "kaito").unwrap());
        assert_eq!((ledger.objects_of(&owner).len(), ledger.objects_of(&other).len()), (0, 1));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"HF_TOKEN": "aGY="}});
        assert!(!Sighting::of(secret, "kaito").unwrap().object().to_string().contains("aGY="));
    }
}
