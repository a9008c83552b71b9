//! The rights that a verb needs for an input, and no others: Roles for namespaces, a `ClusterRole` for what is in none, and bindings.
//!
//! What is asked of a server, and so what is needed, is decided in `cluster`; `tests/cluster/rbac.rs` tries with exactly these rights.

mod import;
mod installed;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::diff::Owner;
use crate::diff::live::AllWanted;
use crate::inventory::{GroupKind, Parent};
use crate::manifest::{ObjectRef, plural};
use crate::spec::names;
pub use import::import_rights;
pub use installed::{Installed, Rules, rendered_kinds};
use kinds::Known;
pub use kinds::{Resource, is_cluster_wide, known};

const GROUP: &str = "rbac.authorization.k8s.io";

/// What the rights are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// `kaito apply`.
    #[default]
    Apply,
    /// `kaito diff --live`.
    Diff,
    /// `kaito status`.
    Status,
    /// `kaito delete`.
    Delete,
    /// `kaito watch`.
    Watch,
    /// `kaito import --live`, for which there are no files: see [`import_rights`].
    Import,
}

/// How the verb is used.
#[derive(Clone, Debug, Default)]
pub struct Use {
    /// Which verb it is.
    pub purpose: Purpose,
    /// What keeps the set, if there is one.
    pub set: Option<Parent>,
    /// Whether an apply prunes.
    pub prunes: bool,
    /// Whether an apply replaces what can't be changed.
    pub replaces: bool,
    /// Whether an apply waits until everything is healthy.
    pub waits: bool,
    /// Whether an apply takes over what Kaito's operator has made.
    pub adopts: bool,
    /// The Leases by which several processes agree which one of them watches: one, or one for each shard.
    pub leases: Vec<ObjectRef>,
    /// The Secrets that are read for credentials.
    pub secrets: Vec<ObjectRef>,
    /// Who gets the rights; without, they are bound to nobody.
    pub account: Option<Account>,
}

/// A `ServiceAccount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What is needed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rights {
    /// The roles and their bindings.
    pub objects: Vec<Value>,
    /// What whoever grants them should know, each in a line.
    pub notes: Vec<String>,
    /// The kinds that nobody knows here, and how they are taken to be called.
    pub guessed: BTreeMap<GroupKind, Resource>,
}

/// What is said where nobody gets the rights.
const BOUND_TO_NOBODY: &str = "Bound to nobody: --service-account NAMESPACE:NAME binds it.";
/// The order in which verbs are written.
const VERBS: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];
/// What is done to see changes as they come.
const FOLLOWING: [&str; 2] = ["list", "watch"];

/// What a right is about: the namespace, if it is one's; group and resource, and the name of the one object, if there is only one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    namespace: Option<String>,
    group: String,
    plural: String,
    name: Option<String>,
}

/// What may be done with what.
#[derive(Default)]
struct Grants(BTreeMap<Subject, BTreeSet<&'static str>>);

impl Grants {
    fn add(&mut self, namespace: Option<&str>, (group, plural): (&str, &str), name: Option<&str>, verbs: &[&'static str]) {
        let own = |text: &str| text.to_owned();
        let subject = Subject { namespace: namespace.map(own), group: own(group), plural: own(plural), name: name.map(own) };
        self.0.entry(subject).or_default().extend(verbs);
    }

    /// What is done with what keeps the set.
    fn keeping(&mut self, how: &Use) {
        let Some(parent) = &how.set else { return };
        let of = ("", format!("{}s", parent.kind.name().to_lowercase()));
        let (named, any) = how.verbs_for_parent();
        self.add(Some(&parent.namespace), (of.0, &of.1), Some(&parent.name), named);
        self.add(Some(&parent.namespace), (of.0, &of.1), None, any);
    }

    /// What the loop needs besides: seeing pods and nodes, telling how Workspaces are, and that it is the one that does so.
    fn watching<'o>(&mut self, owners: impl Iterator<Item = &'o Owner>, namespaces: &BTreeSet<&str>, how: &Use) {
        namespaces.iter().for_each(|namespace| self.add(Some(namespace), ("", "pods"), None, &FOLLOWING));
        self.add(None, ("", "nodes"), None, &["list", "watch", "patch"]);
        let events = ("events.k8s.io", "events");
        how.set.iter().for_each(|parent| self.add(Some(&parent.namespace), events, None, &["create", "patch"]));
        for Owner { kind, namespace, .. } in owners {
            self.add(Some(namespace), events, None, &["create", "patch"]);
            let status = format!("{}/status", plural(kind));
            self.add(Some(namespace), ("kaito.sh", &status), None, &["patch"]);
        }
        for secret in &how.secrets {
            self.add(secret.namespace.as_deref(), ("", "secrets"), Some(&secret.name), &["get"]);
        }
        for lease in &how.leases {
            let leases = (lease.group.as_str(), "leases");
            self.add(lease.namespace.as_deref(), leases, Some(&lease.name), &["get", "update"]);
            self.add(lease.namespace.as_deref(), leases, None, &["create"]);
        }
    }

    /// What may be done in this place may be done in all others: there it needn't be allowed again.
    fn allowed_everywhere(&mut self, place: &str) {
        let everywhere: Vec<(Subject, BTreeSet<&str>)> =
            self.0.iter().filter(|(subject, _)| subject.namespace.as_deref() == Some(place)).map(|(s, v)| (s.clone(), v.clone())).collect();
        for (subject, verbs) in &mut self.0 {
            let is_same = |other: &Subject| (&other.group, &other.plural, None) == (&subject.group, &subject.plural, other.name.as_ref());
            let allowed = everywhere.iter().filter(|(other, _)| subject.namespace.as_deref() != Some(place) && is_same(other));
            allowed.for_each(|(_, allowed)| verbs.retain(|verb| !allowed.contains(verb)));
        }
    }

    /// The rules for each namespace, and for what is in none: resources of a group with the same verbs are one rule.
    fn rules(&self) -> BTreeMap<Option<String>, Vec<Value>> {
        type Key<'k> = (Option<&'k str>, &'k str, Vec<&'static str>, Option<&'k str>);
        let mut by_verbs: BTreeMap<Key<'_>, BTreeSet<&str>> = BTreeMap::new();
        for (subject, verbs) in &self.0 {
            // What may be done with all may be done with one.
            let all = subject.name.as_ref().and_then(|_| self.0.get(&Subject { name: None, ..subject.clone() }));
            let verbs: Vec<&str> =
                VERBS.into_iter().filter(|verb| verbs.contains(verb) && !all.is_some_and(|all| all.contains(verb))).collect();
            if !verbs.is_empty() {
                let key = (subject.namespace.as_deref(), subject.group.as_str(), verbs, subject.name.as_deref());
                by_verbs.entry(key).or_default().insert(&subject.plural);
            }
        }
        let mut rules: BTreeMap<Option<String>, Vec<Value>> = BTreeMap::new();
        for ((namespace, group, verbs, name), resources) in by_verbs {
            let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
            if let Some(name) = name {
                rule["resourceNames"] = json!([name]);
            }
            rules.entry(namespace.map(ToOwned::to_owned)).or_default().push(rule);
        }
        rules
    }
}

/// The rights that a verb needs for what is wanted.
pub fn rights(wanted: &AllWanted, how: &Use) -> Rights {
    let all = || wanted.values().flatten();
    let known = Known::with(all().map(|(_, wanted)| &wanted.desired));
    let (mut grants, mut guessed) = (Grants::default(), BTreeMap::new());
    let mut resources: BTreeMap<(String, String), bool> = BTreeMap::new();
    let mut namespaces: BTreeSet<&str> = how.set.iter().map(|parent| parent.namespace.as_str()).collect();
    for (reference, _) in all() {
        let kind = GroupKind::of(reference);
        let resource = known.find(&kind).unwrap_or_else(|guess| guessed.entry(kind).or_insert(guess).clone());
        let namespace = reference.namespace.as_deref().filter(|_| resource.is_namespaced);
        namespaces.extend(namespace);
        grants.add(namespace, (&resource.group, &resource.plural), None, &how.verbs());
        resources.insert((resource.group, resource.plural), resource.is_namespaced);
    }
    if how.seeks_members() {
        // A member may be in any namespace of the set.
        let verbs = if how.purpose == Purpose::Watch { &FOLLOWING[..] } else { &["list"] };
        for ((group, plural), is_namespaced) in &resources {
            let places = namespaces.iter().filter(|_| *is_namespaced).map(|namespace| Some(*namespace));
            places.for_each(|place| grants.add(place, (group, plural), None, verbs));
        }
    }
    grants.keeping(how);
    if how.purpose == Purpose::Status || how.waits {
        let owners = wanted.keys().flatten().map(|owner| owner.namespace.as_str());
        owners.for_each(|namespace| grants.add(Some(namespace), ("", "pods"), None, &["list"]));
    }
    if how.purpose == Purpose::Watch {
        grants.watching(wanted.keys().flatten(), &namespaces, how);
    }
    if how.adopts || how.purpose == Purpose::Watch {
        grants.add(None, ("apps", "deployments"), None, &["list"]);
    }
    let objects = grants.rules().into_iter().flat_map(|(namespace, rules)| how.role(namespace.as_deref(), &rules)).collect();
    let references: Vec<&ObjectRef> = all().map(|(reference, _)| reference).collect();
    Rights { objects, notes: notes(&references, &namespaces, how), guessed }
}

impl Use {
    /// What is done with each object.
    fn verbs(&self) -> Vec<&'static str> {
        let deletes = self.prunes || self.replaces;
        let applying = ["get", "list", "create", "patch"];
        match self.purpose {
            Purpose::Apply | Purpose::Watch => {
                let watching = FOLLOWING.into_iter().filter(|_| self.purpose == Purpose::Watch);
                applying.into_iter().chain(watching).chain(deletes.then_some("delete")).collect()
            }
            Purpose::Diff => applying.to_vec(),
            Purpose::Status | Purpose::Import => vec!["list"],
            Purpose::Delete => vec!["get", "list", "delete"],
        }
    }

    /// Whether members of the set are looked for.
    fn seeks_members(&self) -> bool {
        self.set.is_some() && (self.prunes || matches!(self.purpose, Purpose::Delete | Purpose::Watch))
    }

    /// What is done with what keeps the set, and what can't be allowed for one name alone.
    fn verbs_for_parent(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.purpose {
            Purpose::Apply => (&["get", "patch"], &["create"]),
            Purpose::Watch => (&["get", "list", "watch", "patch"], &["create"]),
            Purpose::Delete => (&["get", "patch", "delete"], &[]),
            Purpose::Diff | Purpose::Status | Purpose::Import => (&[], &[]),
        }
    }

    /// What the roles are called.
    fn name(&self) -> String {
        let set = self.set.as_ref().map(|parent| format!("-{}", parent.name)).unwrap_or_default();
        format!("kaito-{}{set}", self.purpose)
    }

    /// A role, and its binding if there is somebody to bind it to. Rights for all namespaces are called after the account, too, as
    /// there may be others.
    fn role(&self, namespace: Option<&str>, rules: &[Value]) -> Vec<Value> {
        let (kind, metadata) = match (namespace, &self.account) {
            (Some(namespace), _) => ("Role", json!({"name": self.name(), "namespace": namespace})),
            (None, Some(account)) => ("ClusterRole", json!({"name": format!("{}-{}-{}", self.name(), account.namespace, account.name)})),
            (None, None) => ("ClusterRole", json!({"name": self.name()})),
        };
        let api_version = format!("{GROUP}/v1");
        let role = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "rules": rules});
        let binding = self.account.as_ref().map(|account| {
            json!({
                "apiVersion": api_version,
                "kind": format!("{kind}Binding"),
                "metadata": metadata,
                "roleRef": {"apiGroup": GROUP, "kind": kind, "name": metadata["name"]},
                "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
            })
        });
        [role].into_iter().chain(binding).collect()
    }
}

fn notes(references: &[&ObjectRef], namespaces: &BTreeSet<&str>, how: &Use) -> Vec<String> {
    let mut notes = vec![format!("What `kaito {}` of these files needs, and no more.", how.purpose.command())];
    if how.account.is_none() {
        notes.push(BOUND_TO_NOBODY.to_owned());
    }
    let list = |of: &dyn Fn(&ObjectRef) -> bool| {
        let found = references.iter().filter(|reference| of(reference));
        found.map(|reference| format!("{} {}", reference.kind, reference.name)).collect::<Vec<_>>().join(", ")
    };
    if how.purpose == Purpose::Watch {
        let all: Vec<&str> = namespaces.iter().copied().collect();
        notes.push(format!("They are for these namespaces: --namespaces {}.", all.join(",")));
    }
    let writes = matches!(how.purpose, Purpose::Apply | Purpose::Diff | Purpose::Watch);
    let coming = list(&|reference| reference.kind == "Namespace" && namespaces.contains(reference.name.as_str()));
    if writes && !coming.is_empty() {
        notes.push(format!("{coming} must be there before its Role: make it first."));
    }
    let roles = list(&|reference| reference.group == GROUP && reference.kind.ends_with("Role"));
    if writes && !roles.is_empty() {
        notes.push(format!(
            "{roles}: nobody grants what they don't have, so give every right in it too, or the verb escalate for roles and clusterroles."
        ));
    }
    let bindings = list(&|reference| reference.group == GROUP && reference.kind.ends_with("RoleBinding"));
    if writes && !bindings.is_empty() {
        notes.push(format!("{bindings}: give every right of the role that it binds too, or the verb bind for that role."));
    }
    if how.seeks_members() {
        notes.push("Kinds that the set has and these files haven't are not among them: name the older files, too.".to_owned());
    }
    notes
}

impl Purpose {
    fn command(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Diff => "diff --live",
            Self::Status => "status",
            Self::Delete => "delete",
            Self::Watch => "watch",
            Self::Import => "import --live",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.command().split(' ').next().unwrap_or_default())
    }
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').filter(|(namespace, name)| names::is_dns_label(namespace) && names::is_dns_subdomain(name));
        let (namespace, name) = parts.ok_or_else(|| format!("{text:?} is no ServiceAccount: write NAMESPACE:NAME"))?;
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}
