//! The object that keeps a set.

use std::fmt;

use serde_json::{Value, json};

use super::contents::{Contents, read_kinds, read_namespaces};
use super::history::{History, SUCCEEDED};
use super::progress::Progress;
use super::set_id;
use crate::manifest::ObjectRef;
use crate::spec::names;

/// The label of what keeps a set, with the set's id.
pub const ID: &str = "applyset.kubernetes.io/id";
const TOOLING: &str = "applyset.kubernetes.io/tooling";
const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// What older kubectls wrote: names of resources, whose kinds only a server can tell.
const GROUP_RESOURCES: &str = "applyset.kubernetes.io/contains-group-resources";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";
/// Not of ApplySets: the revision of git that was applied last.
const REVISION: &str = "kaito.sh/revision";
/// Not of ApplySets: the revision of git that was tried last, whatever came of it.
const ATTEMPTED: &str = "kaito.sh/last-attempted-revision";
/// Not of ApplySets: what was applied before.
const HISTORY: &str = "kaito.sh/history";
/// Not of ApplySets: the files and directories that were applied last.
const INPUTS: &str = "kaito.sh/inputs";
/// Not of ApplySets: what each of several processes has applied that share the set.
const PROGRESS: &str = "kaito.sh/shards";

/// The name under which sets are kept here; the version follows it.
const TOOL: &str = "kaito";

/// What may keep a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParentKind {
    /// A Secret.
    #[default]
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// Which object keeps a set. It is in the core group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its kind.
    pub kind: ParentKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What a parent keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where members are.
    pub contents: Contents,
    /// The revision of git that was applied last, if it came from git.
    pub revision: Option<String>,
    /// The files and directories that were applied last.
    pub inputs: Option<String>,
    /// The revision of git that was tried last, whatever came of it.
    pub attempted: Option<String>,
    /// What was applied before.
    pub history: History,
    /// How far each of several processes has come that share the set.
    pub progress: Progress,
}

impl Record {
    /// The revision that runs: the newest that was applied, at least in part. One that was refused or couldn't be rendered isn't.
    pub fn running(&self) -> Option<&str> {
        let newest = self.history.applied().filter(|newest| newest.last_reconciled_status != SUCCEEDED);
        // What was applied whole may be in commits since that change nothing of it.
        newest.and_then(|newest| newest.revision.as_deref()).or(self.revision.as_deref())
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference().fmt(out)
    }
}

impl ParentKind {
    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    /// The kind that kubectl's users mean, in any case; the group of core kinds is empty.
    fn of_resource(resource: &str) -> Option<Self> {
        match resource.to_lowercase().trim_end_matches('.') {
            "secret" | "secrets" => Some(Self::Secret),
            "configmap" | "configmaps" | "cm" => Some(Self::ConfigMap),
            _ => None,
        }
    }
}

impl Parent {
    /// Reads kubectl's `--applyset`: `[RESOURCE][.GROUP]/NAME`, or the NAME of a Secret.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn parse(text: &str, namespace: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (ParentKind::default(), text),
            Some((resource, name)) => (ParentKind::of_resource(resource).ok_or_else(|| refused(resource, name))?, name),
        };
        if !names::is_dns_subdomain(name) {
            return Err(format!("{name:?} is no name of a {}: it has lower-case letters, digits, dashes and dots", kind.name()));
        }
        Ok(Self { kind, namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// The name of the set.
    pub fn id(&self) -> String {
        set_id(&self.name, &self.namespace, self.kind.name(), "")
    }

    /// As `--applyset` names it.
    pub fn flag(&self) -> String {
        format!("{}s/{}", self.kind.name().to_lowercase(), self.name)
    }

    /// What identifies it.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new("", self.kind.name(), Some(&self.namespace), &self.name)
    }

    /// Reads what the live parent keeps. Its own namespace is always among those with members.
    ///
    /// # Errors
    /// Why it may not be used.
    pub fn read(&self, live: &Value) -> Result<Record, ParentFault> {
        let annotation = |key: &str| live["metadata"]["annotations"][key].as_str();
        let other = |missing| ParentFault::NoSet { parent: self.clone(), missing };
        let unreadable = |annotation, why| ParentFault::Unreadable { parent: self.clone(), annotation, why };

        let tooling = annotation(TOOLING).ok_or_else(|| other(TOOLING))?;
        let tool = tooling.rsplit_once('/').map_or(tooling, |(tool, _)| tool);
        if tool != TOOL {
            return Err(ParentFault::OtherTool { parent: self.clone(), tool: tool.to_owned() });
        }
        let id = live["metadata"]["labels"][ID].as_str().ok_or_else(|| other(ID))?;
        if id != self.id() {
            return Err(ParentFault::OtherId { parent: self.clone(), found: id.to_owned() });
        }
        let group_kinds = annotation(GROUP_KINDS).ok_or_else(|| match annotation(GROUP_RESOURCES) {
            Some(_) => unreadable(GROUP_RESOURCES, "this form is out of use, and names no kinds".to_owned()),
            None => unreadable(GROUP_KINDS, "it is missing".to_owned()),
        })?;
        let mut contents = Contents {
            group_kinds: read_kinds(group_kinds).map_err(|why| unreadable(GROUP_KINDS, why))?,
            namespaces: read_namespaces(annotation(NAMESPACES).unwrap_or_default()).map_err(|why| unreadable(NAMESPACES, why))?,
        };
        contents.namespaces.insert(self.namespace.clone());
        let text = |key| annotation(key).map(ToOwned::to_owned);
        let history = annotation(HISTORY).map(History::read).unwrap_or_default();
        let progress = annotation(PROGRESS).map(Progress::read).unwrap_or_default();
        Ok(Record { contents, revision: text(REVISION), inputs: text(INPUTS), attempted: text(ATTEMPTED), history, progress })
    }

    /// The parent that keeps this, whole, for a server-side apply by [`FIELD_MANAGER`](super::FIELD_MANAGER).
    pub fn object(&self, record: &Record) -> Value {
        let mut annotations = json!({
            TOOLING: concat!("kaito/v", env!("CARGO_PKG_VERSION")),
            GROUP_KINDS: record.contents.listed_kinds(),
            NAMESPACES: record.contents.listed_namespaces(&self.namespace),
        });
        let own = [
            (REVISION, record.revision.clone()),
            (INPUTS, record.inputs.clone()),
            (ATTEMPTED, record.attempted.clone()),
            (HISTORY, record.history.text()),
            (PROGRESS, record.progress.text()),
        ];
        own.into_iter().filter_map(|(key, text)| Some((key, text?))).for_each(|(key, text)| annotations[key] = text.into());
        json!({
            "apiVersion": "v1",
            "kind": self.kind.name(),
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {ID: self.id()},
                "annotations": annotations,
            },
        })
    }
}

/// The id of the set that a live object keeps, and the revision of git that was applied last; whichever tool keeps it.
pub fn kept(live: &Value) -> Option<(&str, Option<&str>)> {
    let metadata = &live["metadata"];
    Some((metadata["labels"][ID].as_str()?, metadata["annotations"][REVISION].as_str()))
}

fn refused(resource: &str, name: &str) -> String {
    format!("{resource:?} can't keep an ApplySet: take secrets/{name} or configmaps/{name}; a name alone is that of a Secret")
}

/// Why a live object may not be used as the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParentFault {
    /// It keeps no set: it is some other object.
    NoSet {
        /// The object.
        parent: Parent,
        /// The label or annotation that every parent has.
        missing: &'static str,
    },
    /// Another tool keeps its set.
    OtherTool {
        /// The object.
        parent: Parent,
        /// The tool.
        tool: String,
    },
    /// It keeps the set of an object of another name.
    OtherId {
        /// The object.
        parent: Parent,
        /// The id that it has.
        found: String,
    },
    /// It doesn't tell where its members are.
    Unreadable {
        /// The object.
        parent: Parent,
        /// The annotation at fault.
        annotation: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl ParentFault {
    /// What to do.
    pub fn help(&self) -> String {
        match self {
            Self::NoSet { parent, .. } => format!("name another one with --applyset; {parent} belongs to something else"),
            Self::OtherTool { tool, .. } => {
                format!("name another one with --applyset, or go on with {tool}; what two tools keep, each would prune")
            }
            Self::OtherId { .. } => {
                "it may be a copy: name another one with --applyset, or delete this one, which deletes no member".to_owned()
            }
            Self::Unreadable { parent, annotation, .. } => {
                let list =
                    if *annotation == NAMESPACES { format!("{NAMESPACES}=NAMESPACE,...") } else { format!("{GROUP_KINDS}=KIND.GROUP,...") };
                let (namespace, name) = (&parent.namespace, parent.reference().resource_name());
                format!("list those of its members: kubectl annotate -n {namespace} {name} --overwrite {list}")
            }
        }
    }
}

impl fmt::Display for ParentFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSet { parent, missing } => write!(out, "{parent} is there, and keeps no ApplySet: it has no {missing}"),
            Self::OtherTool { parent, tool } => write!(out, "{parent} keeps the ApplySet of another tool: {tool}"),
            Self::OtherId { parent, found } => {
                write!(
                    out,
                    "{parent} keeps the ApplySet of an object of another name: its label {ID} is {found} instead of {}",
                    parent.id()
                )
            }
            Self::Unreadable { parent, annotation, why } => {
                write!(out, "{parent} doesn't tell where the members of its ApplySet are: annotation {annotation}: {why}")
            }
        }
    }
}

impl std::error::Error for ParentFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_named_as_for_kubectl() {
        use ParentKind::{ConfigMap, Secret};
        let table = [
            ("x", Some((Secret, "x"))),
            ("secret/x", Some((Secret, "x"))),
            ("secrets/x.y", Some((Secret, "x.y"))),
            ("Secrets./x", Some((Secret, "x"))),
            ("configmaps/x", Some((ConfigMap, "x"))),
            ("ConfigMap/x", Some((ConfigMap, "x"))),
            ("cm/x", Some((ConfigMap, "x"))),
            ("", None),
            ("/x", None),
            ("secrets/", None),
            ("secrets/x/y", None),
            ("secrets/X", None),
            ("secrets.example.com/x", None),
            ("deployments.apps/x", None),
        ];
        for (text, want) in table {
            let parsed = Parent::parse(text, "n").ok();
            assert_eq!(parsed.as_ref().map(|parent| (parent.kind, parent.name.as_str())), want, "{text:?}");
        }
        let refusal = Parent::parse("deployments/x", "n").unwrap_err();
        assert!(refusal.contains("secrets/x or configmaps/x"), "{refusal}");
    }

    #[test]
    fn the_revision_that_runs() {
        /// What is noted of a pass: revision, digest, status.
        type Note<'n> = (Option<&'n str>, Option<&'n str>, &'n str);
        const FAILED: &str = "ReconciliationFailed";
        let (a, b, c) = (Some("a"), Some("b"), Some("c"));
        // What was applied whole last; what is noted, the newest last; what runs.
        let table: [(Option<&str>, &[Note<'_>], Option<&str>); 8] = [
            (None, &[], None),
            (a, &[], a),
            (a, &[(a, Some("1"), SUCCEEDED)], a),
            (b, &[(a, Some("1"), SUCCEEDED)], b),
            (a, &[(a, Some("1"), SUCCEEDED), (b, Some("2"), FAILED)], b),
            (None, &[(a, Some("1"), FAILED)], a),
            (a, &[(a, Some("1"), SUCCEEDED), (b, None, "VerificationFailed"), (c, None, "BuildFailed")], a),
            (a, &[(a, Some("1"), SUCCEEDED), (b, Some("2"), FAILED), (c, None, "VerificationFailed")], b),
        ];
        for (whole, noted, want) in table {
            let mut record = Record { revision: whole.map(ToOwned::to_owned), ..Record::default() };
            for (revision, digest, status) in noted {
                record.history.note(*revision, *digest, status, "2026-03-02T08:00:00Z");
            }
            assert_eq!(record.running(), want, "{whole:?} {noted:?}");
        }
    }

    #[test]
    fn a_parent_is_written_as_kubectl_writes_it() {
        let parent = Parent::parse("my-set", "test").unwrap();
        let contents =
            Contents { group_kinds: read_kinds("StatefulSet.apps,ConfigMap").unwrap(), namespaces: read_namespaces("test,b,a").unwrap() };
        let mut history = History::default();
        assert!(history.note(Some("main@sha1:0123"), Some("sha256:abc"), "ReconciliationSucceeded", "2026-03-02T08:00:00Z"));
        let text = |text: &str| Some(text.to_owned());
        let (revision, attempted) = (text("main@sha1:0123"), text("main@sha1:4567"));
        let record = Record { contents, revision, inputs: text("clusters/prod"), attempted, history, progress: Progress::default() };
        let want = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "my-set",
                "namespace": "test",
                "labels": {"applyset.kubernetes.io/id": "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"},
                "annotations": {
                    "applyset.kubernetes.io/tooling": format!("kaito/v{}", env!("CARGO_PKG_VERSION")),
                    "applyset.kubernetes.io/contains-group-kinds": "ConfigMap,StatefulSet.apps",
                    "applyset.kubernetes.io/additional-namespaces": "a,b",
                    "kaito.sh/history": r#"[{"revision":"main@sha1:0123","digest":"sha256:abc","firstReconciled":"2026-03-02T08:00:00Z","lastReconciled":"2026-03-02T08:00:00Z","lastReconciledStatus":"ReconciliationSucceeded"}]"#,
                    "kaito.sh/inputs": "clusters/prod",
                    "kaito.sh/last-attempted-revision": "main@sha1:4567",
                    "kaito.sh/revision": "main@sha1:0123",
                },
            },
        });
        assert_eq!(parent.object(&record), want);
        assert_eq!(parent.read(&want), Ok(record));
        let empty = parent.object(&Record::default());
        assert_eq!(empty["metadata"]["annotations"][NAMESPACES], "");
        assert_eq!(empty["metadata"]["annotations"].get(REVISION), None);
    }

    #[test]
    fn only_ones_own_parent_is_used() {
        let parent = Parent::parse("cm/x", "n").unwrap();
        let with = |pointer: &str, value: Value| {
            let mut live = parent.object(&Record::default());
            let (at, key) = pointer.split_once(' ').unwrap();
            live["metadata"][at][key] = value;
            live
        };
        let table = [
            (parent.object(&Record::default()), "used"),
            (with("annotations applyset.kubernetes.io/tooling", json!("kaito/v0.0.1")), "used"),
            (with("annotations kaito.sh/history", json!("[{")), "used"),
            (with("annotations applyset.kubernetes.io/tooling", json!("kubectl/v1.34.1")), "another tool: kubectl"),
            (with("annotations applyset.kubernetes.io/tooling", json!("example.com/kaito/v1")), "another tool: example.com/kaito"),
            (with("annotations applyset.kubernetes.io/tooling", Value::Null), "keeps no ApplySet"),
            (with("labels applyset.kubernetes.io/id", Value::Null), "keeps no ApplySet"),
            (with("labels applyset.kubernetes.io/id", json!("applyset-x-v1")), "another name"),
            (with("annotations applyset.kubernetes.io/contains-group-kinds", Value::Null), "it is missing"),
            (with("annotations applyset.kubernetes.io/contains-group-kinds", json!("services")), "\"services\" is no kind"),
            (with("annotations applyset.kubernetes.io/additional-namespaces", json!("a b")), "\"a b\" is no name of a namespace"),
            (with("annotations applyset.kubernetes.io/additional-namespaces", Value::Null), "used"),
            (json!({"metadata": {"name": "x"}, "data": {"a": "b"}}), "keeps no ApplySet"),
        ];
        for (live, want) in table {
            let said = parent.read(&live).map_or_else(|fault| fault.to_string(), |_| "used".to_owned());
            assert!(said.contains(want), "{said}: {want} was expected");
        }
    }
}
