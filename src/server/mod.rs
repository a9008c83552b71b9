//! HTTP/1.1 that others ask: webhooks, health, metrics and artifacts. It knows no cluster and no source; what is heard and what is said are
//! closures of whoever starts it.
//!
//! ```text
//! listen (connections) -> connection (one: requests within limits) -> routes (path to answer) -> hook (who says what)
//! ```

mod artifacts;
mod connection;
mod error;
pub mod hook;
mod listen;
mod routes;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::body::Bytes;

pub use artifacts::Artifacts;
pub use error::ServerError;
pub use listen::{Limits, Server};
pub use routes::Routes;

/// What somebody asks, with the whole body as it came.
pub type Request = http::Request<Vec<u8>>;

/// What is answered.
pub type Response = http::Response<Bytes>;

/// An answer of one line of plain text.
pub fn answer(status: StatusCode, line: &str) -> Response {
    let mut response = text("text/plain; charset=utf-8", format!("{line}\n"));
    *response.status_mut() = status;
    response
}

/// A text of some type.
fn text(content_type: &'static str, body: String) -> Response {
    typed(content_type, Bytes::from(body))
}

/// Bytes of some type.
fn typed(content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
