//! What must hold, whatever happens: after every request, and when there is nothing more to do.

use std::collections::{BTreeMap, BTreeSet};

use kaito::inventory::{self, Parent};
use kaito::manifest::ObjectRef;
use serde_json::{Value, json};

use crate::process::{Process, SET};
use crate::repository::{Content, NAMESPACE, content_of, contents};
use crate::server::{Effect, Key, Question, Server, first_other, key, reference};

/// The revision that a set says is applied.
const REVISION: &str = "kaito.sh/revision";
/// Whose a node is.
const WORKSPACE: &str = "kaito.sh/workspace";
/// What others have written down on objects of the set.
pub(crate) const NOTE: &str = "example.com/note";

/// What is watched over.
pub(crate) struct Checks {
    id: String,
    parent: ObjectRef,
    /// The objects of others, as they were.
    others: BTreeMap<Key, Value>,
    /// Everything that any revision stands for.
    known: BTreeSet<ObjectRef>,
    /// What others have touched since kaito wrote it last.
    touched: BTreeSet<ObjectRef>,
    /// The notes of others, as long as their objects are the same.
    notes: BTreeMap<ObjectRef, (Value, String)>,
    /// How many requests there were which were neither about a lease nor a watch.
    pub questions: usize,
    /// What didn't hold.
    pub violation: Option<String>,
}

impl Default for Checks {
    fn default() -> Self {
        let parent = Parent::parse(SET, NAMESPACE).expect("this is a name");
        Self {
            id: parent.id(),
            parent: parent.reference(),
            others: BTreeMap::new(),
            known: contents().iter().flat_map(|content| content.objects.keys().cloned()).collect(),
            touched: BTreeSet::new(),
            notes: BTreeMap::new(),
            questions: 0,
            violation: None,
        }
    }
}

impl Checks {
    /// What is there before there is any kaito, and is none of its business.
    pub(crate) fn furnish(&mut self, server: &mut Server) {
        server.create("admin", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
        let labels = json!({"kaito.sh/workspace": "three", "kaito.sh/workspacenamespace": "others"});
        let of_other_set = json!({"applyset.kubernetes.io/part-of": "applyset-of-another-tool-v1"});
        let all = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": NAMESPACE}, "data": {"a": "b"}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs", "namespace": NAMESPACE, "labels": of_other_set}, "spec": {"type": "ClusterIP"}}),
            json!({"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": {"name": "theirs", "labels": labels}, "spec": {"expireAfter": "Never"}}),
        ];
        for object in all {
            let key = key(&object);
            server.create("others", object);
            self.others.insert(key.clone(), server.get(&key).cloned().unwrap_or_default());
        }
    }

    pub(crate) fn violated(&mut self, why: impl Into<String>) {
        self.violation.get_or_insert(why.into());
    }

    /// Counts a question that a loop which has nothing to do doesn't ask.
    pub(crate) fn count(&mut self, question: &Question) {
        if !question.is_about_leases() && question.parameter("watch").is_none() {
            self.questions += 1;
        }
    }

    /// Somebody else does something to an object.
    pub(crate) fn touch(&mut self, reference: ObjectRef) {
        self.touched.insert(reference);
    }

    /// Somebody else notes something on an object.
    pub(crate) fn noted(&mut self, object: &Value, note: &str) {
        self.notes.insert(reference(object), (object["metadata"]["uid"].clone(), note.to_owned()));
    }

    /// A request has changed something.
    pub(crate) fn see(&mut self, server: &Server, process: Option<&Process>, (life, question): (usize, &Question), effect: &Effect) {
        if question.is_event() || question.is_about_leases() {
            return;
        }
        let (Effect::Written { reference, .. } | Effect::Deleted { reference, .. }) = effect;
        let holder = server.of_kind("Lease").first().map(|(_, lease)| lease.object["spec"]["holderIdentity"].clone());
        let name = format!("kaito-{life}");
        if holder.as_ref().is_none_or(|holder| *holder != name) {
            return self.violated(format!("{name} has written {reference}, while the lease is {holder:?}'s"));
        }
        if reference.kind == "Node" && is_labelled_only(effect) {
            return;
        }
        if *reference != self.parent && !self.known.contains(reference) {
            return self.violated(format!("{name} has touched {reference}, which is none of its business"));
        }
        match effect {
            Effect::Deleted { .. } => self.see_deleted(process, reference),
            Effect::Written { before, after, .. } => {
                // What others have changed of the object itself is as it was when only its status is written, and what they delete goes on to go.
                if !question.is_about_status() && after.object["metadata"]["deletionTimestamp"].is_null() {
                    self.touched.remove(reference);
                }
                if *reference == self.parent {
                    self.see_record(server, before.as_ref().map(|before| &before.object), &after.object);
                }
            }
        }
        self.see_nodes(server);
    }

    /// Nothing goes that is wanted by what the process follows, or may be.
    fn see_deleted(&mut self, process: Option<&Process>, reference: &ObjectRef) {
        // A process that was killed may have asked for it before.
        let Some(process) = process else { return };
        let Some(content) = process.in_hand.filter(|content| !contents()[*content].is_unreadable).or(process.readable) else {
            return self.violated(format!("{} deletes {reference} though it has read nothing", process.name));
        };
        let content = &contents()[content];
        let owner = contents().iter().find_map(|content| content.objects.get(reference)).and_then(|(owner, _)| owner.clone());
        if content.objects.contains_key(reference) {
            self.violated(format!("{} deletes {reference}, which its revision has", process.name));
        } else if owner.is_some_and(|owner| content.broken.contains(&owner)) {
            self.violated(format!("{} deletes {reference}, of which it can't know whether it is wanted", process.name));
        }
    }

    /// What a set says to be applied is.
    fn see_record(&mut self, server: &Server, before: Option<&Value>, after: &Value) {
        let revision = |object: &Value| object["metadata"]["annotations"][REVISION].as_str().map(ToOwned::to_owned);
        let Some(says) = revision(after).filter(|says| before.and_then(revision).as_ref() != Some(says)) else { return };
        let Some(content) = content_of(&says) else {
            return self.violated(format!("the set says that {says} is applied, which never was"));
        };
        let lacks = lacks(server, &contents()[content], |reference| self.touched.contains(reference));
        if let Some(why) = lacks {
            self.violated(format!("the set says that {says} is applied, but {why}"));
        }
    }

    /// No Workspace has two nodes.
    fn see_nodes(&mut self, server: &Server) {
        let mut owners = BTreeSet::new();
        let claims = server.of_kind("NodeClaim");
        let owner = |claim: &Value| claim["metadata"]["labels"][WORKSPACE].to_string();
        let twice = claims.iter().map(|(_, claim)| owner(&claim.object)).find(|owner| !owners.insert(owner.clone()));
        if let Some(owner) = twice {
            self.violated(format!("there are two NodeClaims for Workspace {owner}"));
        }
    }

    /// What must hold when there is nothing more to do, and isn't yet.
    pub(crate) fn lacking(&self, server: &Server, head: &str, content: &Content) -> Option<String> {
        if !content.is_good() {
            return None;
        }
        if let Some(why) = lacks(server, content, |_| false) {
            return Some(why);
        }
        // Who is to finalize what is being deleted may be away.
        let is_going = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
        let is_member = |object: &&Value| inventory::part_of(object) == Some(self.id.as_str()) && !is_going(object);
        if let Some(left) = server.objects().filter(is_member).find(|object| !content.objects.contains_key(&reference(object))) {
            return Some(format!("{} is left over", reference(left)));
        }
        let parent = server.objects().find(|object| reference(object) == self.parent)?;
        let says = &parent["metadata"]["annotations"][REVISION];
        if *says != *head {
            return Some(format!("the set says that {says} is applied"));
        }
        for (reference, (uid, note)) in &self.notes {
            let live = server.objects().find(|object| crate::server::reference(object) == *reference && object["metadata"]["uid"] == *uid);
            if live.is_some_and(|live| live["metadata"]["annotations"][NOTE] != *note) {
                return Some(format!("somebody else's note on {reference} is gone"));
            }
        }
        Self::status_that_lies(server)
    }

    /// What must hold at any moment.
    pub(crate) fn see_all(&mut self, server: &Server) {
        for (key, was) in &self.others {
            if server.get(key) != Some(was) {
                let why = format!("{} of somebody else is another one", reference(was));
                self.violation.get_or_insert(why);
            }
        }
    }

    /// The status of a Workspace that says something else than what is so.
    fn status_that_lies(server: &Server) -> Option<String> {
        for workspace in server.objects().filter(|object| object["kind"] == "Workspace") {
            let name = &workspace["metadata"]["name"];
            let conditions = workspace["status"]["conditions"].as_array().into_iter().flatten();
            let Some(ready) = conditions.into_iter().find(|condition| condition["type"] == "Ready") else {
                return Some(format!("Workspace {name} doesn't say whether it is ready"));
            };
            let set = server.objects().find(|object| object["kind"] == "StatefulSet" && object["metadata"]["name"] == *name);
            let has_node = server.objects().any(|object| object["kind"] == "Node" && object["metadata"]["labels"][WORKSPACE] == *name);
            let is_ready = has_node && set.is_some_and(is_rolled_out);
            if (ready["status"] == "True") != is_ready {
                return Some(format!("Workspace {name} says Ready={} ({}), and it is {is_ready}", ready["status"], ready["message"]));
            }
            if ready["observedGeneration"] != workspace["metadata"]["generation"] {
                return Some(format!("Workspace {name} tells of another generation"));
            }
        }
        None
    }
}

/// Whether a node has got a label, and nothing else.
fn is_labelled_only(effect: &Effect) -> bool {
    let Effect::Written { before: Some(before), after, .. } = effect else { return false };
    let (before, after) = (&before.object, &after.object);
    before["spec"] == after["spec"] && before["status"] == after["status"] && after["metadata"]["labels"]["accelerator"] == "nvidia"
}

/// Whether the pods of a StatefulSet are there as it wants them.
fn is_rolled_out(set: &Value) -> bool {
    let status = &set["status"];
    status["observedGeneration"] == set["metadata"]["generation"] && status["readyReplicas"] == set["spec"]["replicas"]
}

/// What a cluster lacks of a revision, but for what is excused.
fn lacks(server: &Server, content: &Content, is_excused: impl Fn(&ObjectRef) -> bool) -> Option<String> {
    for (reference, (_, wanted)) in content.objects.iter().filter(|(reference, _)| !is_excused(reference)) {
        let Some(live) = server.get(&key(wanted)) else { return Some(format!("{reference} isn't there")) };
        if !live["metadata"]["deletionTimestamp"].is_null() {
            return Some(format!("{reference} is being deleted"));
        }
        if let Some(field) = first_other(live, wanted) {
            return Some(format!("{reference} has another {field}"));
        }
    }
    None
}
