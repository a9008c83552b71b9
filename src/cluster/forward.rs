//! A pod that is asked over HTTP, through the API server: the port-forward of `kubectl port-forward`, without a port on this machine.

use std::ops::ControlFlow;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::time::timeout;

use super::Cluster;
use super::error::{ClusterError, chain, words};
use crate::diagnostic::Diagnostic;
use crate::health::line;

/// How long to wait for the kubelet's words once the connection is gone.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a pod gave no answer, or none to the end.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The server can't be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The server doesn't forward to it.
    #[error("the server doesn't forward to pod {pod}: {why}")]
    Refused {
        /// The pod.
        pod: String,
        /// The server's words.
        why: String,
        /// Whether it is a matter of rights.
        is_forbidden: bool,
    },
    /// The connection has ended too soon.
    #[error("pod {pod} doesn't answer on port {port}: {why}")]
    Broken {
        /// The pod.
        pod: String,
        /// Its port.
        port: u16,
        /// What is known of it.
        why: String,
    },
}

impl ForwardError {
    /// The error as a finding, with what to do.
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::Cluster(error) => error.finding(),
            Self::Refused { is_forbidden: true, .. } => finding.help("it takes the verbs get and create on pods/portforward"),
            Self::Refused { .. } => {
                finding.help("the server must reach the kubelet of the pod's node; see whether `kubectl port-forward` does better")
            }
            Self::Broken { pod, .. } => finding.help(format!("`kubectl logs {pod}` tells what the model's server is doing")),
        }
    }
}

impl Cluster {
    /// Sends a request to a port of a pod, and passes on each piece of the answer's body as it comes, with the status of HTTP, until `take` breaks
    /// off or it ends. The status is returned in any case.
    ///
    /// # Errors
    /// The server doesn't forward to the pod, or the pod doesn't answer to the end.
    pub fn ask_pod(
        &self,
        (namespace, pod): (&str, &str),
        port: u16,
        request: Request<String>,
        take: &mut dyn FnMut(u16, &[u8]) -> ControlFlow<()>,
    ) -> Result<u16, ForwardError> {
        self.wait(async {
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| self.refused(pod, &error))?;
            let (stream, failed) = (forwarder.take_stream(port), forwarder.take_error(port));
            let broken = |why: String| ForwardError::Broken { pod: pod.to_owned(), port, why };
            let Some(stream) = stream else { return Err(broken("there is no stream".to_owned())) };
            let asked = exchange(stream, request, take).await;
            let Err(error) = asked else { return asked.map_err(|error| broken(chain(&error))) };
            // What the kubelet says tells more than that the connection is gone.
            let words = match failed {
                Some(failed) => timeout(LAST_WORDS, failed).await.ok().flatten(),
                None => None,
            };
            Err(broken(words.map_or_else(|| error.to_string(), |words| line(&words))))
        })
    }

    fn refused(&self, pod: &str, error: &kube::Error) -> ForwardError {
        match error {
            kube::Error::Api(status) if status.code != 401 => {
                ForwardError::Refused { pod: pod.to_owned(), why: words(status), is_forbidden: status.code == 403 }
            }
            kube::Error::UpgradeConnection(error) => {
                ForwardError::Refused { pod: pod.to_owned(), why: error.to_string(), is_forbidden: false }
            }
            error => ClusterError::unreachable(&self.server, &format!("port-forward to pod {pod}"), error).into(),
        }
    }
}

/// A request and its answer.
async fn exchange(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    request: Request<String>,
    take: &mut dyn FnMut(u16, &[u8]) -> ControlFlow<()>,
) -> hyper::Result<u16> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(piece) = frame?.data_ref()
            && take(status, piece).is_break()
        {
            break;
        }
    }
    driven.abort();
    Ok(status)
}
