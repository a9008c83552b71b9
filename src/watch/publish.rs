//! Publishes what a set is rendered to as an `ExternalArtifact` for Flux, by a thread of its own: nothing that is applied waits for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::push::{broken, whole_manifests};
use super::{Backoff, Event, Planner, Snapshot, to_the_second};
use crate::cluster::{Cluster, ClusterError, Kinds, Written};
use crate::diagnostic::Diagnostic;
use crate::flux::{Artifact, Published, artifact_status, external_artifact};
use crate::heap;
use crate::manifest::ObjectRef;
use crate::rendered_branch::{Layout, Twice, files};
use crate::server::Artifacts;

/// How long to wait before what failed is tried again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// How often it is looked whether the object is still as it was written.
const LOOK: Duration = Duration::from_secs(600);

/// Which object tells Flux of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalArtifactConfig {
    /// Its name; it is in the namespace of the set.
    pub name: String,
    /// Whether the Workspaces are among the manifests.
    #[serde(default)]
    pub include_workspace: bool,
}

/// Publishes what a set is rendered to.
pub struct Publisher {
    /// What people call the set.
    pub name: String,
    /// What keeps it.
    pub parent: ObjectRef,
    /// The namespace of the object.
    pub namespace: String,
    /// The object.
    pub config: ExternalArtifactConfig,
    /// The address of the repository that files come from, without secrets, if they come from one.
    pub source: Option<String>,
    /// Reads and plans files.
    pub planner: Arc<dyn Planner>,
    /// The cluster in which the object is.
    pub cluster: Cluster,
    /// Who writes it.
    pub manager: String,
    /// Where artifacts are fetched from.
    pub artifacts: Artifacts,
    /// The address of that, up to the path of an artifact.
    pub url: String,
}

/// What was published last.
struct Last {
    /// By this the files are known that it was rendered from.
    key: Option<String>,
    published: Published,
}

impl Publisher {
    /// Publishes each snapshot that it is told of, until it is told to stop. One that can't be published is tried again, unless there is a
    /// newer one.
    pub fn run(self, inbox: &Receiver<Event>) {
        let (mut snapshot, mut due, mut backoff): (Option<Snapshot>, Instant, Backoff) = (None, Instant::now() + LOOK, RETRY);
        let (mut last, mut kinds): (Option<Last>, Kinds) = (None, Kinds::default());
        loop {
            match inbox.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Event::Snapshot(newer)) => snapshot = Some(newer),
                Ok(Event::Reconcile) => last = None,
                Ok(_) => continue,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let Some(current) = &snapshot else {
                due = Instant::now() + LOOK;
                continue;
            };
            let result = self.publish(current, &mut last, &mut kinds);
            due = match &result {
                Ok(_) => {
                    backoff.worked();
                    Instant::now() + LOOK
                }
                Err(_) => Instant::now() + backoff.failed(&self.name),
            };
            self.tell(current, &result);
            heap::give_back();
        }
        self.artifacts.forget(&self.name);
    }

    /// Whether anything was written.
    fn publish(&self, snapshot: &Snapshot, last: &mut Option<Last>, kinds: &mut Kinds) -> Result<bool, Diagnostic> {
        let key = self.planner.key(&snapshot.tree);
        let revision = snapshot.revision.clone();
        let made = match last.take().filter(|last| last.key.is_some() && last.key == key) {
            Some(last) => Ok(Published { revision, ..last.published }),
            None => self.make(snapshot),
        };
        // Whoever fetches must find it, before anybody is told of it.
        let written = self.write(made.as_ref().map_err(|finding| finding.message.as_str()), kinds);
        let published = made?;
        *last = Some(Last { key, published });
        written
    }

    /// Renders, and keeps the artifact where it can be fetched.
    fn make(&self, snapshot: &Snapshot) -> Result<Published, Diagnostic> {
        let mut rendered = Err(Diagnostic::error("there is nothing to publish"));
        let include = self.config.include_workspace;
        let planned = self.planner.plan(&snapshot.tree, &mut |planned| rendered = whole_manifests(planned, include));
        planned.map_err(|findings| broken(&findings))?;
        let twice = |Twice(path)| Diagnostic::error(format!("two objects would be written to {path}"));
        let artifact = Artifact::of(&files(&rendered?, Layout::Manifest).map_err(twice)?).map_err(Diagnostic::error)?;
        let hex = artifact.digest.trim_start_matches("sha256:");
        let path = format!("{}/{}/{hex}.tar.gz", self.namespace, self.config.name);
        let published = Published {
            digest: artifact.digest.clone(),
            size: artifact.bytes.len(),
            url: format!("{}/{path}", self.url),
            path,
            source: self.source.clone(),
            revision: snapshot.revision.clone(),
        };
        self.artifacts.publish(&self.name, &published.path, artifact.bytes);
        Ok(published)
    }

    fn write(&self, published: Result<&Published, &str>, kinds: &mut Kinds) -> Result<bool, Diagnostic> {
        let unanswered = |error: ClusterError| error.finding();
        let object = external_artifact(&self.namespace, &self.config.name, &self.parent);
        let refused = |why: String| {
            let finding =
                Diagnostic::error(format!("the ExternalArtifact {}/{} can't be written: {why}", self.namespace, self.config.name));
            finding.help("see docs/flux.md for what Flux must have, and for the rights that this takes")
        };
        let live = self.cluster.ensure(kinds, &object, &self.manager).map_err(unanswered)?.map_err(refused)?;
        let status = artifact_status(&live, published, &to_the_second(Timestamp::now()).to_string());
        match self.cluster.write_status(kinds, &live, &status, &self.manager).map_err(unanswered)? {
            Written::Unchanged => Ok(false),
            Written::Written(_) => Ok(true),
            Written::Absent => Err(refused("it isn't there any more".to_owned())),
            Written::Changed => Err(refused("somebody else writes it at the same time".to_owned())),
            Written::Refused(why) => Err(refused(why)),
        }
    }

    fn tell(&self, snapshot: &Snapshot, result: &Result<bool, Diagnostic>) {
        let (set, artifact) = (self.name.as_str(), self.config.name.as_str());
        let revision = snapshot.revision.as_deref().unwrap_or_default();
        match result {
            Ok(true) => tracing::info!(set, revision, artifact, "published"),
            Ok(false) => tracing::debug!(set, revision, artifact, "published already"),
            Err(finding) => {
                tracing::error!(set, revision, artifact, error = finding.message, help = finding.help.join("; "), "not published");
            }
        }
    }
}
