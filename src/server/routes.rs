//! Which path is answered by what. Addresses that are the same share one table.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};

use super::hook::Hooks;
use super::{Artifacts, Request, Response, answer, text, typed};

/// The type of metrics, which Prometheus asks for first:
/// <https://prometheus.io/docs/specs/om/open_metrics_spec/#content-type>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The paths of a server.
#[derive(Default)]
pub struct Routes(Vec<Route>);

struct Route {
    path: &'static str,
    /// What the path is asked with.
    method: Method,
    answer: Box<dyn Fn(&Request) -> Response + Send + Sync>,
}

impl Routes {
    /// No path yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `/healthz`, whether this process can go on, and `/readyz`, whether it has done what others wait for. Both are 200, or 500
    /// with the reason, as controller-runtime has it.
    #[must_use]
    pub fn health(
        self,
        alive: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        ready: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let checked = |result: Result<(), String>| match result {
            Ok(()) => answer(StatusCode::OK, "ok"),
            Err(why) => answer(StatusCode::INTERNAL_SERVER_ERROR, &why),
        };
        self.get("/healthz", move |_| checked(alive())).get("/readyz", move |_| checked(ready()))
    }

    /// `/metrics`: a text in the format that Prometheus asks for first.
    #[must_use]
    pub fn metrics(self, metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.get("/metrics", move |_| text(OPEN_METRICS, metrics()))
    }

    /// `/artifacts/...`: what is published.
    #[must_use]
    pub fn artifacts(self, artifacts: Artifacts) -> Self {
        self.get("/artifacts/", move |request| {
            let path = request.uri().path().trim_start_matches("/artifacts/");
            artifacts.get(path).map_or_else(|| answer(StatusCode::NOT_FOUND, "not found"), |bytes| typed("application/gzip", bytes))
        })
    }

    /// `/hook/...`: webhooks.
    #[must_use]
    pub fn hooks(self, hooks: Arc<Hooks>) -> Self {
        self.with(Method::POST, "/hook/", move |request| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            hooks.answer(request, now)
        })
    }

    /// These paths and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// What is answered: 404 if nothing is there, 405 if it is asked otherwise.
    pub fn answer(&self, request: &Request) -> Response {
        let Some(route) = self.0.iter().find(|route| route.is_for(request.uri().path())) else {
            return answer(StatusCode::NOT_FOUND, "not found");
        };
        // hyper sends no body for HEAD.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        if *method == route.method {
            return (route.answer)(request);
        }
        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, &format!("ask with {}", route.method));
        let allowed = if route.method == Method::GET { "GET, HEAD" } else { "POST" };
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        response
    }

    fn get(self, path: &'static str, answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.with(Method::GET, path, answer)
    }

    fn with(mut self, method: Method, path: &'static str, answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        self.0.push(Route { path, method, answer: Box::new(answer) });
        self
    }
}

impl Route {
    /// Whether a path is this one, or below it if it ends with a slash.
    fn is_for(&self, path: &str) -> bool {
        path == self.path || self.path.ends_with('/') && path.starts_with(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        let routes = Routes::new().health(|| Ok(()), || Err("nothing has been listed yet".to_owned()));
        let artifacts = Artifacts::new();
        artifacts.publish("a", "n/a/1.tar.gz", b"gz".to_vec());
        let routes = routes
            .and(Routes::new().artifacts(artifacts))
            .and(Routes::new().metrics(|| "# EOF\n".to_owned()).hooks(Arc::new(Hooks::new(|_, _| {}))));
        let table = [
            ("GET", "/healthz", 200, "ok\n"),
            ("HEAD", "/healthz", 200, "ok\n"),
            ("GET", "/healthz?verbose", 200, "ok\n"),
            ("GET", "/readyz", 500, "nothing has been listed yet\n"),
            ("GET", "/metrics", 200, "# EOF\n"),
            ("POST", "/metrics", 405, "ask with GET\n"),
            ("GET", "/metrics/", 404, "not found\n"),
            ("GET", "/artifacts/n/a/1.tar.gz", 200, "gz"),
            ("GET", "/artifacts/n/a/2.tar.gz", 404, "not found\n"),
            ("POST", "/artifacts/n/a/1.tar.gz", 405, "ask with GET\n"),
            ("GET", "/hook/a", 405, "ask with POST\n"),
            ("POST", "/hook/a", 401, "unauthorized\n"),
            ("POST", "/hook", 404, "not found\n"),
            ("GET", "/", 404, "not found\n"),
        ];
        for (method, path, status, body) in table {
            let request = http::Request::builder().method(method).uri(path).body(Vec::new()).unwrap();
            let response = routes.answer(&request);
            assert_eq!((response.status().as_u16(), std::str::from_utf8(response.body()).unwrap()), (status, body), "{method} {path}");
            assert_eq!(response.headers().contains_key(ALLOW), status == 405, "{method} {path}");
        }
    }
}
