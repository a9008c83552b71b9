//! The way to a collector of traces.

use std::fs;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::pem;

/// How long a collector has to be reached, and to have answered.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// The bytes of an answer that are read.
const MOST_BYTES: u64 = 64 << 10;

/// A client that blocks: what is sent is sent from a thread of its own.
#[derive(Debug)]
pub(super) struct Otlp {
    agent: Agent,
    /// Whether the last was not taken, which is logged once.
    has_failed: AtomicBool,
}

impl Otlp {
    /// A client that knows the collector by these authorities, a file in PEM, or by the well-known ones.
    ///
    /// # Errors
    /// The authorities can't be read.
    pub(super) fn new(authorities: Option<String>) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = authorities {
            let fault = |why: &str| format!("the collector's authorities can't be read: {path}: {why}");
            let pem = fs::read(&path).map_err(|error| fault(&error.to_string()))?;
            tls = tls.root_certs(pem::authorities(&pem).ok_or_else(|| fault("it holds no certificate in PEM"))?);
        }
        let agent = Agent::config_builder()
            .user_agent(concat!("kaito/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Headers may hold a token, which is for this collector alone.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: agent.into(), has_failed: AtomicBool::new(false) })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, body.to_vec()))?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(MOST_BYTES).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }

    /// Logs that traces aren't taken, when that begins.
    fn judge(&self, answer: &Result<Response<Bytes>, ureq::Error>) {
        let why = match answer {
            Ok(answer) if answer.status().is_success() => return self.has_failed.store(false, Ordering::Relaxed),
            Ok(answer) => format!("the collector answers {}", answer.status()),
            // It would quote the address, which may have a login in it.
            Err(ureq::Error::BadUri(_)) => "its address is none".to_owned(),
            Err(error) => error.to_string(),
        };
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "traces are not taken");
        }
    }
}

impl HttpClient for Otlp {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let answer = self.send(request);
            self.judge(&answer);
            Ok(answer?)
        })
    }
}
