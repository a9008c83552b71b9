//! The API server of a cluster: what it holds, and what it would make of an apply. What changes it is in `apply`, `set` and `delete`.
//!
//! The server is the one that kubectl would use: of the kubeconfig, or of the pod that this runs in.

mod apply;
mod ask;
mod client;
mod connection;
mod delete;
mod ensure;
mod error;
mod event;
mod few;
mod forward;
mod host;
mod items;
mod kinds;
mod lease;
mod look;
mod namespaces;
mod observe;
mod order;
mod pipeline;
mod secret;
mod set;
mod status;
mod survey;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::Client;
use kube::core::Status;
use serde_json::Value;

pub use apply::How;
pub use connection::{Connection, Service, User, contexts};
pub use error::ClusterError;
pub use event::{Event, EventType, Events};
pub use forward::ForwardError;
pub use host::{Host, Work};
pub use kinds::Kinds;
pub use lease::{Candidate, Election, Leadership};
pub use observe::{Asked, Observer};
pub use set::{Deletion, Extent, Members, Unlisted, Unwritten};
pub use status::Written;
pub use survey::{Seen, Survey, Unread};
pub use watch::{Change, Subject, Watch};

use items::Item;
use look::By;

use crate::apply::{Operator, Refusal, Why, adopt_nodes, is_operator, keep_what_was_made};
use crate::diff::live::{AllWanted, Live, keep_membership};
use crate::manifest::ObjectRef;

/// How long to wait for a whole answer, with all that the server wants to be waited for (429 and `Retry-After`).
const ANSWER: Duration = Duration::from_secs(120);

/// A cluster, as far as it can be asked.
pub struct Cluster {
    host: Arc<dyn Host>,
    client: Client,
    server: String,
    namespace: String,
}

impl Cluster {
    /// The cluster of a kubeconfig, of a context in it; without a file, of `KUBECONFIG` or `~/.kube/config`, or the one that
    /// this runs in. Nothing is asked yet. All is done as `user`, if there is one.
    ///
    /// # Errors
    /// There is no such configuration, or it can't be used.
    pub fn connect(kubeconfig: Option<&Path>, context: Option<&str>, user: User) -> Result<Self, ClusterError> {
        Connection::read(kubeconfig, context)?.acting_as(user).cluster()
    }

    /// The namespace of objects that name none: that of the context, as for kubectl.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same cluster, where objects that name no namespace are in this one.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    /// From now on objects that name no namespace are in this one.
    pub fn use_namespace(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.namespace);
    }

    /// Finds out what is there of everything that is wanted, and what a server-side apply as this field manager would do with
    /// it. The server is asked only where that can't be told from what is there; or, if `really_all`, about everything.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn compare(&self, wanted: &mut AllWanted, manager: &str, really_all: bool) -> Result<Kinds, ClusterError> {
        let kinds = self.find(wanted, false)?;
        keep_membership(wanted);
        keep_what_was_made(wanted, manager);
        self.wait(self.ask(&kinds, wanted, manager, really_all))?;
        Ok(kinds)
    }

    /// Finds out what is there of everything that is wanted. A node that is there under another name for the same Workspace is
    /// the one that is wanted. What may not be read is an error, or `lenient` marks it as such. What is known already of some, as it
    /// was read just now, isn't asked for again.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn find(&self, wanted: &mut AllWanted, lenient: bool) -> Result<Kinds, ClusterError> {
        let mut kinds = Kinds::default();
        self.find_by(By::List, &mut kinds, wanted, lenient)?;
        Ok(kinds)
    }

    /// The same for somebody who looks often: only kinds that aren't known yet are asked for, and a few objects by their names, so that
    /// it costs no more where there are a thousand others.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn find_with(&self, kinds: &mut Kinds, wanted: &mut AllWanted, lenient: bool) -> Result<(), ClusterError> {
        let how = if few::are_few(wanted) { By::Name } else { By::List };
        self.find_by(how, kinds, wanted, lenient)
    }

    fn find_by(&self, how: By, kinds: &mut Kinds, wanted: &mut AllWanted, lenient: bool) -> Result<(), ClusterError> {
        self.wait(async {
            self.learn(kinds, look::all(wanted).map(|wanted| &wanted.desired)).await?;
            let others = self.look(kinds, wanted, (how, lenient)).await?;
            // The definition of one that was known may have gone since.
            look::all(wanted).filter(|wanted| wanted.live == Live::UnknownKind).for_each(|wanted| kinds.forget(&wanted.desired));
            adopt_nodes(wanted, others);
            Ok(())
        })
    }

    /// Looks again at what is there, of kinds that are known.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn refresh(&self, kinds: &Kinds, wanted: &mut AllWanted) -> Result<(), ClusterError> {
        wanted.values_mut().flat_map(BTreeMap::values_mut).for_each(|wanted| wanted.live = Live::Absent);
        self.wait(self.look(kinds, wanted, (By::List, false))).map(drop)
    }

    /// The pods of Workspaces and RAGEngines in these namespaces; none if they may not be read.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn pods(&self, namespaces: &BTreeSet<String>) -> Result<Vec<Value>, ClusterError> {
        let namespaces = namespaces.iter().map(String::as_str).collect();
        match self.wait(self.pods_in(&namespaces)) {
            Err(ClusterError::Refused { .. }) => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// Whether an operator of Kaito runs in the cluster.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn operator(&self) -> Result<Operator, ClusterError> {
        let Ok(request) = Request::get("/apis/apps/v1/deployments").body(Vec::new()) else { return Ok(Operator::Unknown) };
        let Ok(answer) = self.wait(self.request(request))? else { return Ok(Operator::Unknown) };
        let found = answer["items"].as_array().into_iter().flatten().find(|deployment| is_operator(deployment));
        let text = |found: &Value, name: &str| found["metadata"][name].as_str().unwrap_or_default().to_owned();
        Ok(found.map_or(Operator::Gone, |found| Operator::Runs { namespace: text(found, "namespace"), name: text(found, "name") }))
    }

    /// Takes out what is wanted twice, since its kind has no namespaces, whatever the manifests say.
    pub fn twice(&self, kinds: &Kinds, wanted: &mut AllWanted) -> Vec<Refusal> {
        let mut seen: HashSet<ObjectRef> = HashSet::new();
        let mut refusals = Vec::new();
        for (owner, objects) in wanted {
            objects.retain(|_, wanted| {
                let Some(reference) = self.reference(kinds, &wanted.desired) else { return true };
                let is_new = seen.insert(reference.clone());
                if !is_new {
                    refusals.push(Refusal { owner: owner.clone(), reference, why: Why::Twice });
                }
                is_new
            });
        }
        refusals
    }

    /// What identifies an object in this cluster: with the usual namespace if it names none and its kind has them, and with none if
    /// its kind has none.
    pub fn reference(&self, kinds: &Kinds, object: &Value) -> Option<ObjectRef> {
        Some(self.placed(kinds, object["apiVersion"].as_str()?, ObjectRef::of(object).ok()?))
    }

    /// The same, of an object of this `apiVersion` that is called so.
    pub fn placed(&self, kinds: &Kinds, api_version: &str, reference: ObjectRef) -> ObjectRef {
        match kinds.get(api_version, &reference.kind) {
            Some(kind) if kind.is_namespaced => reference.in_namespace(&self.namespace),
            Some(_) => ObjectRef { namespace: None, ..reference },
            None => reference,
        }
    }

    /// Waits for something to be done.
    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        host::wait_for(&*self.host, work)
    }

    /// Asks, and waits for an answer as long as is reasonable. `Err` within `Ok` is the server's refusal.
    async fn request(&self, request: Request<Vec<u8>>) -> Result<Result<Value, Status>, ClusterError> {
        let what = what(&request);
        self.answer(&what, self.client.request(request)).await
    }

    /// The same, for a list: its items, which are read on other threads while further answers come.
    async fn request_list<T: Item>(&self, request: Request<Vec<u8>>) -> Result<Result<Vec<T>, Status>, ClusterError> {
        let what = what(&request);
        let answer = async { items::read(self.client.request_text(request).await?).await.map_err(kube::Error::SerdeError) };
        self.answer(&what, answer).await
    }

    async fn answer<T>(&self, what: &str, answer: impl Future<Output = kube::Result<T>>) -> Result<Result<T, Status>, ClusterError> {
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(kube::Error::Api(status))) if status.code != 401 => Ok(Err(*status)),
            Ok(Err(error)) => Err(ClusterError::unreachable(&self.server, what, &error)),
            Err(_) => Err(ClusterError::slow(&self.server, what, ANSWER)),
        }
    }
}

/// What is asked, for messages.
fn what(request: &Request<Vec<u8>>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}
