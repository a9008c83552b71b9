//! What a watch is told.

use serde_json::{Value, json};

use super::answer::metadata_of;
use super::{Key, Server};

/// Something that has happened to an object, as it was and is.
pub(super) struct Logged {
    pub version: u64,
    pub key: Key,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Which objects are meant.
pub(super) struct Selector {
    kind: usize,
    namespace: String,
    labels: Vec<(String, Option<String>)>,
    name: Option<String>,
}

impl Selector {
    pub(super) fn new(kind: usize, namespace: String, labels: Option<&str>, fields: Option<&str>) -> Self {
        let label = |text: &str| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.trim_start_matches('=').to_owned())),
            None => (text.to_owned(), None),
        };
        Self {
            kind,
            namespace,
            labels: labels.into_iter().flat_map(|labels| labels.split(',')).filter(|text| !text.is_empty()).map(label).collect(),
            name: fields.and_then(|fields| fields.strip_prefix("metadata.name=")).map(ToOwned::to_owned),
        }
    }

    pub(super) fn has(&self, (kind, namespace, name): &Key, object: &Value) -> bool {
        let is_label = |(label, value): &(String, Option<String>)| match (&object["metadata"]["labels"][label], value) {
            (Value::String(live), Some(value)) => live == value,
            (live, None) => live.is_string(),
            _ => false,
        };
        *kind == self.kind
            && (self.namespace.is_empty() || *namespace == self.namespace)
            && self.name.as_ref().is_none_or(|wanted| wanted == name)
            && self.labels.iter().all(is_label)
    }
}

/// A watch, as far as it has been told.
pub(crate) struct Stream {
    selector: Selector,
    metadata_only: bool,
    /// Up to which version it has been told.
    told: u64,
    /// The place in the log behind that.
    next: usize,
}

impl Stream {
    pub(super) fn new(selector: Selector, from: u64, metadata_only: bool) -> Self {
        Self { selector, metadata_only, told: from, next: 0 }
    }
}

impl Server {
    /// The next line of a watch; none if nothing has happened.
    pub(crate) fn next_line(&self, stream: &mut Stream) -> Option<Value> {
        if stream.told < self.compacted {
            stream.told = u64::MAX;
            return Some(json!({"type": "ERROR", "object": super::refused(410, "Expired").json}));
        }
        while let Some(logged) = self.log.get(stream.next) {
            stream.next += 1;
            if logged.version <= stream.told {
                continue;
            }
            stream.told = logged.version;
            let selected = |object: &Option<Value>| object.as_ref().is_some_and(|object| stream.selector.has(&logged.key, object));
            let (kind, object) = match (selected(&logged.before), selected(&logged.after)) {
                (false, true) => ("ADDED", &logged.after),
                (true, true) => ("MODIFIED", &logged.after),
                (true, false) => ("DELETED", if logged.after.is_some() { &logged.after } else { &logged.before }),
                (false, false) => continue,
            };
            let object = object.clone().unwrap_or_default();
            return Some(json!({"type": kind, "object": if stream.metadata_only { metadata_of(&object) } else { object }}));
        }
        None
    }

    /// Whether something has happened that a watch isn't told yet.
    pub(crate) fn has_news(&self, stream: &Stream) -> bool {
        let is_selected = |object: &Option<Value>, key: &Key| object.as_ref().is_some_and(|object| stream.selector.has(key, object));
        let rest = self.log.get(stream.next..).unwrap_or_default().iter().filter(|logged| logged.version > stream.told);
        let mut news = rest.filter(|logged| is_selected(&logged.before, &logged.key) || is_selected(&logged.after, &logged.key));
        stream.told < self.compacted || news.next().is_some()
    }

    /// A bookmark: up to here the watch was told everything.
    pub(crate) fn bookmark(&self, stream: &mut Stream) -> Value {
        stream.told = stream.told.max(self.version);
        json!({"type": "BOOKMARK", "object": {"kind": "Bookmark", "apiVersion": "v1", "metadata": {"resourceVersion": self.version.to_string()}}})
    }
}
