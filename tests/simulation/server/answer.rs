//! What the server is asked, and what it says.

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::fields::Conflict;

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub method: String,
    pub path: String,
    parameters: Vec<(String, String)>,
    accepts: String,
    content_type: String,
    body: Bytes,
}

/// An answer: a status and what is said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub code: u16,
    /// In JSON.
    pub body: String,
}

impl Question {
    /// Reads a request, whose body is here.
    pub(crate) fn of(request: Request<kube::client::Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = futures_util::FutureExt::now_or_never(body.collect());
        let body = body.and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let parameter = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        };
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            parameters: query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect(),
            accepts: header("accept"),
            content_type: header("content-type"),
            body,
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is about a Lease.
    pub(crate) fn is_about_leases(&self) -> bool {
        self.path.starts_with("/apis/coordination.k8s.io/")
    }

    /// Whether it is about the status of an object alone.
    pub(crate) fn is_about_status(&self) -> bool {
        self.path.ends_with("/status")
    }

    /// Whether it writes an event.
    pub(crate) fn is_event(&self) -> bool {
        self.path.starts_with("/apis/events.k8s.io/")
    }

    pub(super) fn is_apply(&self) -> bool {
        self.content_type.contains("apply-patch")
    }

    pub(super) fn wants_metadata(&self) -> bool {
        self.accepts.contains("PartialObjectMetadata")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// In a line.
    pub(crate) fn line(&self) -> String {
        let parameters =
            self.parameters.iter().filter(|(name, _)| ["labelSelector", "watch", "fieldManager", "force"].contains(&name.as_str()));
        let parameters: Vec<String> = parameters.map(|(name, value)| format!("{name}={value}")).collect();
        // The names of events say when they were made, by the one clock that isn't simulated.
        let path = if self.is_event() { "events" } else { &self.path };
        format!("{} {path} {}", self.method, parameters.join(" ")).trim_end().to_owned()
    }
}

/// The metadata of an object, as a server gives them to those who want no more.
pub(super) fn metadata_of(object: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
}

impl Answer {
    pub(super) fn ok(json: impl Into<String>) -> Self {
        Self { code: 200, body: json.into() }
    }

    pub(super) fn or_unknown(json: Option<Value>) -> Self {
        json.map_or_else(|| refused(404, ""), |json| Self::ok(json.to_string()))
    }

    /// As a response.
    pub(crate) fn response(self) -> Response<http_body_util::combinators::UnsyncBoxBody<Bytes, tower::BoxError>> {
        let body = http_body_util::Full::new(Bytes::from(self.body)).map_err(|never| match never {});
        let response = Response::builder().status(self.code).header("content-type", "application/json");
        response.body(body.boxed_unsync()).expect("this is a response")
    }
}

/// A refusal.
pub(crate) fn refused(code: u16, reason: &str) -> Answer {
    refused_for(code, reason, &Value::Null)
}

fn refused_for(code: u16, reason: &str, details: &Value) -> Answer {
    let message = format!("simulated: {code} {reason}");
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message, "details": details});
    Answer { code, body: status.to_string() }
}

pub(super) fn conflict(conflicts: &[Conflict]) -> Answer {
    let cause = |conflict: &Conflict| {
        let field = conflict.field.replace('/', ".");
        json!({"reason": "FieldManagerConflict", "message": format!("conflict with {:?} using v1", conflict.manager), "field": field})
    };
    refused_for(409, "Conflict", &json!({"causes": conflicts.iter().map(cause).collect::<Vec<_>>()}))
}

/// A part of a query without percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(match byte {
            b'%' => digit(rest.next()).unwrap_or_default() * 16 + digit(rest.next()).unwrap_or_default(),
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
