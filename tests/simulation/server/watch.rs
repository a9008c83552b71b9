//! What a watch is told.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Key, Server, Stored};

/// Something that has happened to an object, as it was and is.
pub(super) struct Logged {
    pub version: u64,
    pub key: Key,
    pub before: Option<Rc<Stored>>,
    pub after: Option<Rc<Stored>>,
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
    /// The place in the log up to which nothing is to be told any more.
    next: usize,
}

impl Stream {
    pub(super) fn new(selector: Selector, from: u64, metadata_only: bool) -> Self {
        Self { selector, metadata_only, told: from, next: 0 }
    }
}

impl Logged {
    /// What a watch is told of it: the word for it, and the object; none if it is none of those that are meant.
    fn told(&self, selector: &Selector) -> Option<(&'static str, &Rc<Stored>)> {
        let selected = |stored: &Option<Rc<Stored>>| stored.as_ref().is_some_and(|stored| selector.has(&self.key, &stored.object));
        match (selected(&self.before), selected(&self.after)) {
            (false, true) => Some("ADDED").zip(self.after.as_ref()),
            (true, true) => Some("MODIFIED").zip(self.after.as_ref()),
            (true, false) => Some("DELETED").zip(self.after.as_ref().or(self.before.as_ref())),
            (false, false) => None,
        }
    }
}

impl Server {
    /// The next line of a watch; none if nothing has happened.
    pub(crate) fn next_line(&self, stream: &mut Stream) -> Option<String> {
        if !self.has_news(stream) {
            return None;
        }
        if stream.told < self.compacted {
            stream.told = u64::MAX;
            return Some(format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", super::refused(410, "Expired").body));
        }
        let logged = self.log.get(stream.next)?;
        stream.next += 1;
        stream.told = logged.version;
        let (word, stored) = logged.told(&stream.selector)?;
        Some(format!("{{\"type\":\"{word}\",\"object\":{}}}\n", stored.shown(stream.metadata_only)))
    }

    /// Whether something has happened that a watch isn't told yet.
    pub(crate) fn has_news(&self, stream: &mut Stream) -> bool {
        let is_news = |logged: &Logged| logged.version > stream.told && logged.told(&stream.selector).is_some();
        while self.log.get(stream.next).is_some_and(|logged| !is_news(logged)) {
            stream.next += 1;
        }
        stream.told < self.compacted || stream.next < self.log.len()
    }

    /// A bookmark: up to here the watch was told everything.
    pub(crate) fn bookmark(&self, stream: &mut Stream) -> String {
        stream.told = stream.told.max(self.version);
        let metadata = json!({"resourceVersion": self.version.to_string()});
        format!("{}\n", json!({"type": "BOOKMARK", "object": {"kind": "Bookmark", "apiVersion": "v1", "metadata": metadata}}))
    }
}
