//! Events for users: what `kubectl describe` shows below an object. What happens again is one event that counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{self, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::error::{ClusterError, words};
use super::{Cluster, Connection};

/// How long an event goes on when it happens again, and how many are known at most. Source: client-go's `tools/events`.
const SERIES: Duration = Duration::from_secs(6 * 60);
const MOST_KNOWN: usize = 4096;
/// How many may wait for a server that doesn't answer. More are lost.
const MOST_WAITING: usize = 1024;
/// The longest note, in bytes, and the longest name that leaves room for what makes it one of its own. Source: the API server's validation.
const LONGEST_NOTE: usize = 1024;
const LONGEST_NAME: usize = 200;

/// Whether an event is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// It is.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Whether it is good news.
    pub kind: EventType,
    /// Why, in a word for machines: `DriftRepaired`.
    pub reason: &'static str,
    /// What was being done, in a word for machines: `Apply`.
    pub action: &'static str,
    /// What people should know. It is cut at 1 KiB. Everybody who may see events sees it.
    pub note: String,
}

/// Writes events from a thread of its own, so that nobody has to wait for them. They are lost if the server doesn't take them.
pub struct Events(mpsc::Sender<(ObjectReference, Event)>);

impl Events {
    /// Events of a controller, by its name (`kaito.sh/watch`) and that of this process.
    ///
    /// # Errors
    /// The cluster's configuration can't be used, or there can't be another thread.
    pub fn start(connection: &Connection, controller: &str, instance: &str) -> Result<Self, ClusterError> {
        let (sender, mut receiver) = mpsc::channel(MOST_WAITING);
        let cluster = connection.cluster()?;
        let (controller, instance) = (controller.to_owned(), instance.to_owned());
        let host = Arc::clone(&cluster.host);
        let write = async move {
            let mut writer = Writer { cluster: &cluster, controller, instance, known: HashMap::new() };
            while let Some((regarding, event)) = receiver.recv().await {
                writer.write(regarding, event).await;
            }
        };
        host.spawn("events", Box::pin(write)).map_err(ClusterError::Runtime)?;
        Ok(Self(sender))
    }

    /// Something has happened to a live object.
    pub fn publish(&self, regarding: &Value, event: Event) {
        if let Err(error) = self.0.try_send((reference(regarding), event)) {
            tracing::warn!(%error, "an event is lost");
        }
    }
}

/// Writes events one after the other.
struct Writer<'c> {
    cluster: &'c Cluster,
    controller: String,
    instance: String,
    known: HashMap<(Option<String>, Event), Series>,
}

/// An event that was written.
struct Series {
    name: String,
    count: i32,
    last: Instant,
}

impl Writer<'_> {
    async fn write(&mut self, regarding: ObjectReference, mut event: Event) {
        event.note = cut(&event.note);
        self.known.retain(|_, series| series.last.elapsed() < SERIES);
        if let Err(why) = self.try_write(&regarding, event).await {
            let (kind, name) = (regarding.kind.as_deref(), regarding.name.as_deref());
            tracing::warn!(kind, name, why, "an event can't be written");
        }
    }

    async fn try_write(&mut self, regarding: &ObjectReference, event: Event) -> Result<(), String> {
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let request = kube::core::Request::new(path);
        // Another object of the same name has another uid.
        let key = (regarding.uid.clone().or_else(|| regarding.name.clone()), event);
        if let Some(series) = self.known.get_mut(&key) {
            series.count = series.count.saturating_add(1);
            series.last = Instant::now();
            let observed = EventSeries { count: series.count, last_observed_time: MicroTime(Timestamp::now()) };
            let patch = Patch::Merge(json!({"series": observed}));
            let patch = request.patch(&series.name, &PatchParams::default(), &patch).map_err(|error| error.to_string())?;
            match self.cluster.request(patch).await.map_err(|error| error.to_string())? {
                // Gone after a time, as all events are. It is written anew.
                Err(status) if status.code == 404 => {}
                answer => return answer.map(drop).map_err(|status| words(&status)),
            }
        }
        let new = self.new_event(regarding, namespace, &key.1);
        let body = serde_json::to_vec(&new).map_err(|error| error.to_string())?;
        let create = request.create(&PostParams::default(), body).map_err(|error| error.to_string())?;
        self.cluster.request(create).await.map_err(|error| error.to_string())?.map_err(|status| words(&status))?;
        if self.known.len() < MOST_KNOWN {
            let name = new.metadata.name.unwrap_or_default();
            self.known.insert(key, Series { name, count: 1, last: Instant::now() });
        }
        Ok(())
    }

    fn new_event(&self, regarding: &ObjectReference, namespace: &str, event: &Event) -> v1::Event {
        let now = Timestamp::now();
        let mut new = v1::Event {
            regarding: Some(regarding.clone()),
            type_: Some(format!("{:?}", event.kind)),
            reason: Some(event.reason.to_owned()),
            action: Some(event.action.to_owned()),
            note: Some(event.note.clone()),
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            ..v1::Event::default()
        };
        let name = shortened(regarding.name.as_deref().unwrap_or_default(), LONGEST_NAME);
        new.metadata.name = Some(format!("{name}.{:x}", now.as_nanosecond()));
        new.metadata.namespace = Some(namespace.to_owned());
        new
    }
}

fn reference(object: &Value) -> ObjectReference {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    let metadata = &object["metadata"];
    ObjectReference {
        api_version: text(&object["apiVersion"]),
        kind: text(&object["kind"]),
        namespace: text(&metadata["namespace"]),
        name: text(&metadata["name"]),
        uid: text(&metadata["uid"]),
        resource_version: text(&metadata["resourceVersion"]),
        field_path: None,
    }
}

/// A note that the server takes.
fn cut(note: &str) -> String {
    const MORE: &str = "...";
    if note.len() <= LONGEST_NOTE { note.to_owned() } else { format!("{}{MORE}", shortened(note, LONGEST_NOTE - MORE.len())) }
}

/// As much of a text as fits into this many bytes.
fn shortened(text: &str, most: usize) -> &str {
    &text[..(0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_between_letters() {
        for (note, length, end) in [("short".to_owned(), 5, "short"), ("a".repeat(1024), 1024, "a"), ("ü".repeat(600), 1023, "ü...")] {
            let cut = cut(&note);
            assert!(cut.len() == length && cut.ends_with(end), "{cut}");
        }
    }
}
