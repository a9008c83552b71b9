//! One connection: requests are read within limits, one after the other, and answered.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Response as HttpResponse, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::{Limits, Request, Response, answer};

/// How long a request that is being answered has when its connection is to end.
const GRACE: Duration = Duration::from_millis(500);
/// The bytes of the longest head of a request, and of what is read ahead of a body.
const BUFFER: usize = 64 << 10;

/// What all connections share.
pub(super) struct Service {
    pub(super) answer: Box<dyn Fn(&Request) -> Response + Send + Sync>,
    pub(super) limits: Limits,
    /// The bytes of bodies that may still be held.
    pub(super) bodies: Semaphore,
}

/// Answers until the client goes, the connection has been used for long enough, or the server stops.
pub(super) async fn serve(stream: TcpStream, service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    _ = stream.set_nodelay(true);
    let limits = service.limits;
    let answers = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.respond(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_time).max_buf_size(BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answers));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => {}
        () = sleep(limits.connection_time) => {}
    }
    connection.as_mut().graceful_shutdown();
    _ = timeout(GRACE, connection).await;
}

impl Service {
    async fn respond(&self, request: http::Request<Incoming>) -> HttpResponse<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let read = timeout(self.limits.body_time, self.read(body)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT));
        let response = match read {
            Ok((body, _held)) => (self.answer)(&Request::from_parts(head, body)),
            Err(status) => answer(status, status.canonical_reason().unwrap_or_default()),
        };
        response.map(Full::new)
    }

    /// The whole body, and its share of what all may hold.
    async fn read(&self, mut body: Incoming) -> Result<(Vec<u8>, SemaphorePermit<'_>), StatusCode> {
        let most = self.limits.body;
        // What is known to be too long isn't even begun.
        if usize::try_from(body.size_hint().lower()).map_or(true, |bytes| bytes > most) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut held = self.hold(0)?;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            held.merge(self.hold(data.len())?);
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, held))
    }

    fn hold(&self, bytes: usize) -> Result<SemaphorePermit<'_>, StatusCode> {
        let bytes = u32::try_from(bytes).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        self.bodies.try_acquire_many(bytes).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }
}
