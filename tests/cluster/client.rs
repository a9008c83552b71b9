//! What the tests ask of the API server.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::sync::Mutex;

use serde_json::Value;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::manifest::Manifest;
use crate::support::hides_secrets;

/// Somebody who talks to an API server.
pub(super) struct Client {
    agent: ureq::Agent,
    url: String,
    authorization: String,
    served: Mutex<HashMap<String, Value>>,
}

impl Client {
    /// A client that trusts only these certificates.
    pub(super) fn new(url: &str, token: &str, certificates: &[u8]) -> Result<Self, ureq::Error> {
        let trusted = parse_pem(certificates).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        let trusted: Vec<Certificate<'static>> = trusted.collect::<Result<_, _>>()?;
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&trusted)).build();
        let config = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).tls_config(tls).build();
        Ok(Self { agent: config.into(), url: url.to_owned(), authorization: format!("Bearer {token}"), served: Mutex::default() })
    }

    /// Whether the server can be used. It makes the namespace `default` only after it says that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.get("/readyz").and_then(|_| self.get("/api/v1/namespaces/default")).is_ok()
    }

    /// What stands at a path.
    ///
    /// # Errors
    /// The server's message.
    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        self.get_as(path, "application/json")
    }

    /// An object as it is.
    ///
    /// # Errors
    /// The server's message, or that it doesn't know the kind.
    pub(super) fn find(&self, object: &Manifest) -> Result<Value, String> {
        self.get(&self.path(object)?)
    }

    fn get_as(&self, path: &str, form: &str) -> Result<Value, String> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let found = answer(request.header("Authorization", &self.authorization).header("Accept", form).call());
        // Secrets hold what they hold. Events, statuses and whatever else there is may be read by others.
        if let Ok(object) = &found
            && !path.contains("/secrets")
        {
            hides_secrets("object", &object.to_string());
        }
        found
    }

    /// The line of `kubectl get` for an object: the name of each column and what stands in it.
    ///
    /// # Errors
    /// The server's message.
    pub(super) fn row(&self, object: &Manifest) -> Result<Vec<(String, Value)>, String> {
        let table = self.get_as(&self.path(object)?, "application/json;as=Table;v=v1;g=meta.k8s.io")?;
        let (Some(columns), Some(cells)) = (table["columnDefinitions"].as_array(), table["rows"][0]["cells"].as_array()) else {
            return Err(format!("this is no table: {table}"));
        };
        let name = |column: &Value| column["name"].as_str().unwrap_or_default().to_owned();
        Ok(columns.iter().map(name).zip(cells.iter().cloned()).collect())
    }

    /// Applies an object on the server's side as `fieldManager=kaito`, with every field known; `query` is for further parameters.
    ///
    /// # Errors
    /// The server's message, or that it doesn't know the kind.
    pub(super) fn apply(&self, object: &Manifest, query: &str) -> Result<Value, String> {
        self.apply_at(&self.path(object)?, object, query)
    }

    /// Makes an object as somebody who applies nothing.
    ///
    /// # Errors
    /// The server's message, or that it doesn't know the kind.
    pub(super) fn make(&self, object: &Manifest, manager: &str) -> Result<Value, String> {
        let path = self.path(object)?;
        let kind = path.rsplit_once('/').map_or(path.as_str(), |(kind, _)| kind);
        let request = self.agent.post(format!("{}{kind}?fieldManager={manager}", self.url)).header("Authorization", &self.authorization);
        answer(request.header("Content-Type", "application/json").send(object.value.to_string()))
    }

    /// Applies an object by force as somebody else.
    ///
    /// # Errors
    /// The server's message, or that it doesn't know the kind.
    pub(super) fn take_over(&self, object: &Manifest, manager: &str) -> Result<Value, String> {
        let path = format!("{}{}?fieldManager={manager}&force=true", self.url, self.path(object)?);
        let request = self.agent.patch(path).header("Authorization", &self.authorization);
        answer(request.header("Content-Type", "application/apply-patch+yaml").send(&object.text))
    }

    /// Removes an object, if it is there, and what belongs to it.
    pub(super) fn remove(&self, object: &Manifest) {
        let url = self.path(object).map(|path| format!("{}{path}?propagationPolicy=Background", self.url)).unwrap();
        answer(self.agent.delete(url).header("Authorization", &self.authorization).call()).ok();
    }

    /// Makes an object in the collection at a path.
    ///
    /// # Errors
    /// The server's message.
    pub(super) fn create(&self, path: &str, object: &Value) -> Result<Value, String> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("Authorization", &self.authorization);
        answer(request.header("Content-Type", "application/json").send(object.to_string()))
    }

    /// Merges a change into what stands at a path.
    ///
    /// # Errors
    /// The server's message.
    pub(super) fn merge(&self, path: &str, change: &Value) -> Result<Value, String> {
        let request = self.agent.patch(format!("{}{path}", self.url)).header("Authorization", &self.authorization);
        answer(request.header("Content-Type", "application/merge-patch+json").send(change.to_string()))
    }

    /// Deletes what stands at a path.
    ///
    /// # Errors
    /// The server's message.
    pub(super) fn delete(&self, path: &str) -> Result<(), String> {
        answer(self.agent.delete(format!("{}{path}", self.url)).header("Authorization", &self.authorization).call()).map(drop)
    }

    /// Passes a request on to the server: the status and the text of its answer.
    pub(super) fn pass(&self, method: &str, path: &str, form: &str, body: Vec<u8>) -> Result<(u16, String), ureq::Error> {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request =
            request.header("Authorization", &self.authorization).header("Content-Type", form).header("Accept", "application/json");
        let mut answer = self.agent.run(request.body(body)?)?;
        Ok((answer.status().as_u16(), answer.body_mut().with_config().limit(64 << 20).read_to_string()?))
    }

    /// What the server tells at a path for as long as it tells something.
    pub(super) fn stream(&self, path: &str) -> Result<impl BufRead + use<>, ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("Authorization", &self.authorization);
        let told = request.header("Accept", "application/json").call()?;
        Ok(BufReader::new(told.into_body().into_reader()))
    }

    /// Applies the status of an object, and nothing else.
    ///
    /// # Errors
    /// The server's message, or that it doesn't know the kind.
    pub(super) fn apply_status(&self, object: &Manifest) -> Result<Value, String> {
        self.apply_at(&format!("{}/status", self.path(object)?), object, "")
    }

    fn apply_at(&self, path: &str, object: &Manifest, query: &str) -> Result<Value, String> {
        let url = format!("{}{path}?fieldManager=kaito&fieldValidation=Strict{query}", self.url);
        let request = self.agent.patch(url).header("Authorization", &self.authorization);
        answer(request.header("Content-Type", "application/apply-patch+yaml").send(&object.text))
    }

    /// Where an object stands, as the server's discovery has it.
    ///
    /// # Errors
    /// The server doesn't know the kind.
    pub(super) fn path(&self, object: &Manifest) -> Result<String, String> {
        let root = if object.api_version().contains('/') { "apis" } else { "api" };
        let group = format!("/{root}/{}", object.api_version());
        let known = self.served.lock().unwrap().get(&group).cloned();
        let resources = match known {
            Some(known) => known,
            None => self.get(&group).map_err(|_| format!("the server knows no {}", object.api_version()))?,
        };
        let is_kind =
            |resource: &&Value| resource["kind"] == object.kind() && !resource["name"].as_str().is_some_and(|name| name.contains('/'));
        let found = resources["resources"].as_array().and_then(|all| all.iter().find(is_kind));
        let resource = found.ok_or_else(|| format!("the server knows no {} of {}", object.kind(), object.api_version()))?.clone();
        self.served.lock().unwrap().insert(group.clone(), resources);
        let plural = resource["name"].as_str().unwrap_or_default();
        let place =
            if resource["namespaced"] == true { format!("/namespaces/{}", object.namespace().unwrap_or("default")) } else { String::new() };
        Ok(format!("{group}{place}/{plural}/{}", object.name()))
    }
}

fn answer(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let mut answer = answer.map_err(|error| error.to_string())?;
    let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().map_err(|error| error.to_string())?;
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
    if answer.status().is_success() {
        return Ok(body);
    }
    Err(body["message"].as_str().map_or_else(|| format!("{}: {text}", answer.status()), ToOwned::to_owned))
}
