//! How a cluster is reached. Any number of threads can be given a [`Cluster`] of their own from one configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;
use kube::Config;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use tower::BoxError;
use tower::util::BoxCloneSyncService;

use super::error::ClusterError;
use super::host::{Host, Threads};
use super::observe::Observer;
use super::{Cluster, client};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long to wait for the next bytes of an answer.
const READ: Duration = Duration::from_secs(30);
/// How long to wait for the next bytes of a watch, which may have nothing to say: longer than the server keeps one open.
const READ_WATCH: Duration = Duration::from_secs(300);

/// Whom to act as instead of the user of the kubeconfig, who must be allowed to.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// The user; the one of the kubeconfig if there is none.
    pub name: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
}

/// The configuration of a connection. Tokens that come from files or programs are read anew when they expire.
#[derive(Clone)]
pub struct Connection {
    config: Config,
    server: Server,
    may_write: MayWrite,
    observer: Option<Observer>,
}

/// Whatever answers as an API server does.
pub type Service = BoxCloneSyncService<Request<Body>, Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

/// Who is asked, and where that is waited for.
#[derive(Clone)]
enum Server {
    /// The server that the configuration names, over the network.
    Remote,
    /// This.
    Service(Service, Arc<dyn Host>),
}

/// Whether something may be written at this moment.
pub(super) type MayWrite = Arc<dyn Fn() -> bool + Send + Sync>;

impl Connection {
    /// That of a kubeconfig, of a context in it; without a file, of `KUBECONFIG` or `~/.kube/config`, or of the cluster that this runs
    /// in. Nothing is asked yet.
    ///
    /// # Errors
    /// There is no such configuration, or it can't be used.
    pub fn read(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Self, ClusterError> {
        let mut config = threads()?.runtime().block_on(config(kubeconfig, context))?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(READ);
        Ok(Self { config, server: Server::Remote, may_write: Arc::new(|| true), observer: None })
    }

    /// That to a server which isn't reached over the network, with the usual namespace. All that waits for its answers does so in `host`.
    pub fn to(service: Service, host: Arc<dyn Host>, namespace: &str) -> Self {
        let mut config = Config::new(http::Uri::from_static("http://localhost"));
        namespace.clone_into(&mut config.default_namespace);
        Self { config, server: Server::Service(service, host), may_write: Arc::new(|| true), observer: None }
    }

    /// The same, where nothing is written unless `may` says at that moment that it may be. It is asked in another thread, for every
    /// request but those that only read.
    #[must_use]
    pub fn writing_while(self, may: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { may_write: Arc::new(may), ..self }
    }

    /// What says whether anything may be written at this moment, also elsewhere than in the cluster.
    pub fn may_write(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        Arc::clone(&self.may_write)
    }

    /// The same, where all is done as `user`, if it names one.
    #[must_use]
    pub fn acting_as(mut self, user: User) -> Self {
        if let Some(name) = user.name {
            self.config.auth_info.impersonate = Some(name);
            self.config.auth_info.impersonate_groups = Some(user.groups).filter(|groups| !groups.is_empty());
        }
        self
    }

    /// The same, where somebody is told of each request.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The cluster, with connections of its own. Nothing is asked yet.
    ///
    /// # Errors
    /// The configuration can't be used.
    pub fn cluster(&self) -> Result<Cluster, ClusterError> {
        let config = self.config.clone();
        let (server, namespace) = (config.cluster_url.to_string(), config.default_namespace.clone());
        let server = server.trim_end_matches('/').to_owned();
        let (may_write, observer) = (Arc::clone(&self.may_write), self.observer.clone());
        if let Server::Service(service, host) = &self.server {
            let client = client::over(service.clone(), &config, may_write, observer);
            return Ok(Cluster { host: Arc::clone(host), client, server, namespace });
        }
        let threads = threads()?;
        let made = {
            let _inside = threads.runtime().enter();
            client::client(config, may_write, observer)
        };
        let client = made.map_err(|error| ClusterError::unusable(&server, &error))?;
        Ok(Cluster { host: Arc::new(threads), client, server, namespace })
    }

    /// The same, for connections on which nothing may come for minutes.
    #[must_use]
    pub fn for_watching(&self) -> Self {
        let mut connection = self.clone();
        connection.config.read_timeout = Some(READ_WATCH);
        connection
    }
}

fn threads() -> Result<Threads, ClusterError> {
    Threads::new().map_err(ClusterError::Runtime)
}

async fn config(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Config, ClusterError> {
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let read = match read {
        Ok(read) => read,
        Err(error) if kubeconfig.is_none() && context.is_none() && is_missing(&error) => {
            return Config::incluster().map_err(|_| ClusterError::no_config(&error));
        }
        Err(error) => return Err(ClusterError::config(kubeconfig, &error)),
    };
    let options = KubeConfigOptions { context: context.map(ToOwned::to_owned), ..KubeConfigOptions::default() };
    let known: Vec<String> = read.contexts.iter().map(|context| context.name.clone()).collect();
    let authority = authority(&read, context);
    let mut config =
        Config::from_custom_kubeconfig(read, &options).await.map_err(|error| ClusterError::context(context, &known, &error))?;
    config.root_cert_file = authority;
    Ok(config)
}

/// The file with the authorities of a context's cluster, which is read anew from time to time: they may be others by then.
fn authority(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<PathBuf> {
    let name = context.or(kubeconfig.current_context.as_deref())?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == name)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster)?.cluster.as_ref()?;
    cluster.certificate_authority.as_ref().filter(|_| cluster.certificate_authority_data.is_none()).map(PathBuf::from)
}

/// The contexts of a kubeconfig; without a file, of `KUBECONFIG` or `~/.kube/config`. None if it can't be read.
pub fn contexts(kubeconfig: Option<&Path>) -> Vec<String> {
    let read = kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
    read.map(|read| read.contexts.into_iter().map(|context| context.name).collect()).unwrap_or_default()
}

fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
