//! The HTTP client by which the server is asked.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use thiserror::Error;
use tower::filter::FilterLayer;
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

use super::connection::{MayWrite, Service};
use super::observe::{Observe, Observer};

/// How long nothing comes before the system asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How many bytes a connection reads ahead, or has to write, at most. Each of those that watch keeps as many as it ever needed.
const MOST_BUFFERED: usize = 64 << 10;

/// Why a request isn't sent.
#[derive(Debug, Error)]
#[error("another process may lead by now, so this one writes nothing any more")]
struct LeadsNoMore;

/// The client that kube makes, with two differences. Before everything that may change something it is asked whether that may be. And what is
/// sent is sent at once (`TCP_NODELAY`).
///
/// kube leaves it to the system to wait for more, so that the first request over each connection waits until the server has
/// acknowledged the end of the handshake: some 40 ms on the same machine, where a small question takes 30 ms otherwise.
pub(super) fn client(config: Config, may_write: MayWrite, observer: Option<Observer>) -> kube::Result<Client> {
    let unless_forbidden = FilterLayer::new(unless_forbidden(may_write));
    let observe = Observe { observer, host: host(&config) };
    // Through a proxy it is kube's own.
    if config.proxy_url.is_some() {
        return Ok(ClientBuilder::try_from(config)?.with_layer(&observe).with_layer(&unless_forbidden).build());
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // Of a watch nothing may come for minutes, so that only this tells whether the other side is still there.
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE / 3));
    tcp.set_keepalive_retries(Some(3));
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry())))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .layer(unless_forbidden)
        .map_err(BoxError::from)
        .layer(observe)
        .service(HttpClient::builder(TokioExecutor::new()).http1_max_buf_size(MOST_BUFFERED).build(connector));
    Ok(Client::new(service, config.default_namespace))
}

/// The client of a service, with the same two differences; what a server asks to be tried again later isn't.
pub(super) fn over(service: Service, config: &Config, may_write: MayWrite, observer: Option<Observer>) -> Client {
    let layers = ServiceBuilder::new().layer(FilterLayer::new(unless_forbidden(may_write)));
    let service = layers.layer(Observe { observer, host: host(config) }).service(service);
    Client::new(service, config.default_namespace.clone())
}

/// Lets pass what only reads, and what may be written.
fn unless_forbidden(may_write: MayWrite) -> impl Fn(Request<Body>) -> Result<Request<Body>, BoxError> + Clone + Send + Sync {
    move |request| if request.method().is_safe() || may_write() { Ok(request) } else { Err(LeadsNoMore.into()) }
}

/// The host and port that the server's address names, without what may be a login before them.
fn host(config: &Config) -> Arc<str> {
    let url = &config.cluster_url;
    let host = url.host().unwrap_or_default();
    url.port_u16().map_or_else(|| host.into(), |port| format!("{host}:{port}").into())
}
