//! Each request to an API server is told to somebody who counts.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use tower::{Layer, Service};

/// A request that was answered, or not. What is asked again after an error is another one.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method of HTTP.
    pub method: &'a str,
    /// The server's host, with the port if its address names one.
    pub host: &'a str,
    /// The status of the answer, if there was one.
    pub code: Option<u16>,
    /// How long it took until the answer began.
    pub took: Duration,
}

/// Who is told of each request.
pub type Observer = Arc<dyn Fn(&Asked<'_>) + Send + Sync>;

/// Tells an observer of what passes; nobody without one.
#[derive(Clone)]
pub(super) struct Observe {
    pub observer: Option<Observer>,
    pub host: Arc<str>,
}

/// A service that is observed.
#[derive(Clone)]
pub(super) struct Observed<S> {
    inner: S,
    observe: Observe,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, observe: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Observe { observer: Some(observer), host } = self.observe.clone() else { return Box::pin(self.inner.call(request)) };
        let (method, began) = (request.method().clone(), Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            observer(&Asked { method: method.as_str(), host: &host, code, took: began.elapsed() });
            answer
        })
    }
}
