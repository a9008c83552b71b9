//! Pushes an artifact: first its blobs, as far as they aren't there, then the manifest under each tag.
//!
//! Logins go to the registry, and to whom it names for giving out tokens: never to where an upload or an answer leads.

use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::address::RegistryAddress;
use super::challenge::Challenge;
use super::error::RegistryError;
use super::login::Login;
use crate::flux::{Blob, Image};
use crate::secrets::{Secret, hide};
use crate::source::git::remote::access::Tls;
use crate::source::git::remote::error::in_a_line;
use crate::source::git::remote::http::basic;
use crate::source::git::remote::{proxy, tls};
use crate::source::http::{cautious, is_private, origin, resolve};

/// How often it is tried when the registry is busy or breaks off.
const TRIES: u32 = 4;
/// The longest time to leave a registry alone that wants it.
const MOST_PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an answer that is read: tokens are the longest.
const MOST_BYTES: u64 = 1 << 20;

/// How a registry is reached, and as whom.
#[derive(Clone, Debug, Default)]
pub struct RegistryAccess {
    /// As whom it is asked.
    pub login: Option<Login>,
    /// Whether it is asked over HTTP without TLS.
    pub is_insecure: bool,
    /// The authorities by which it is known, in PEM, instead of the well-known ones.
    pub authorities: Option<Vec<u8>>,
}

/// A repository of a registry that is pushed to.
pub struct Registry {
    address: RegistryAddress,
    access: RegistryAccess,
    /// Its address, up to the path.
    base: String,
    agent: Agent,
    /// The header by which the registry knows who asks, once it is known what it wants.
    authorization: Option<Secret>,
}

/// A token that is given out, under either name.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

/// What is asked.
#[derive(Clone, Copy)]
enum Ask<'a> {
    Head,
    Post,
    Put(&'a str, &'a [u8]),
}

impl Registry {
    /// The repository at an address. Nothing is asked yet.
    ///
    /// # Errors
    /// The authorities are none, or the proxy that the environment names.
    pub fn new(address: RegistryAddress, access: RegistryAccess) -> Result<Self, RegistryError> {
        let base = format!("{}://{}", if access.is_insecure { "http" } else { "https" }, address.host);
        let fault = |why: &str| RegistryError::Access(why.to_owned());
        let trusted = Tls { authorities: access.authorities.clone(), client: None };
        let config = cautious(concat!("kaito/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy::for_url(&base, None).map_err(fault)?)
            .tls_config(tls::config(&trusted).map_err(|_| fault("--ca-file holds no certificate in PEM"))?)
            .build();
        Ok(Self { address, access, base, agent: config.into(), authorization: None })
    }

    /// Pushes an image under all of these tags.
    ///
    /// # Errors
    /// Why it can't be pushed, after several tries if that may help. What was pushed until then is there, and is no hindrance.
    pub fn push(&mut self, image: &Image, tags: &[String]) -> Result<(), RegistryError> {
        let mut attempt = 1;
        loop {
            let pushed = self.try_to_push(image, tags);
            let Some(error) = pushed.as_ref().err().filter(|error| error.is_transient() && attempt < TRIES) else { return pushed };
            let wait = error.after().unwrap_or(Duration::from_millis(500 << attempt));
            if wait > MOST_PATIENCE {
                return pushed;
            }
            thread::sleep(wait);
            attempt += 1;
        }
    }

    fn try_to_push(&mut self, image: &Image, tags: &[String]) -> Result<(), RegistryError> {
        for blob in [&image.layer, &image.config] {
            self.push_blob(blob)?;
        }
        let Blob { media_type, digest, bytes } = &image.manifest;
        for tag in tags {
            let url = self.url(&format!("manifests/{tag}"));
            let response = self.ask(&url, Ask::Put(media_type, bytes))?;
            let kept = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
            if let Some(other) = kept.filter(|kept| kept != digest) {
                return Err(self.strange(format!("it has kept {} in the place of {digest}", in_a_line(other))));
            }
        }
        Ok(())
    }

    fn push_blob(&mut self, blob: &Blob) -> Result<(), RegistryError> {
        let url = self.url(&format!("blobs/{}", blob.digest));
        let response = self.answer(&url, Ask::Head)?;
        // A registry may keep blobs somewhere else, and lead there.
        if response.status().is_success() || response.status().is_redirection() {
            return Ok(());
        }
        if response.status() != StatusCode::NOT_FOUND {
            self.judge(response)?;
        }
        let begin = self.url("blobs/uploads/");
        let response = self.ask(&begin, Ask::Post)?;
        let location = response.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.and_then(|location| resolve(&begin, location));
        let location = location.ok_or_else(|| self.strange("it doesn't say where to upload".to_owned()))?;
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={}", encoded(&blob.digest));
        self.ask(&url, Ask::Put("application/octet-stream", &blob.bytes)).map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.base, self.address.repository)
    }

    /// Asks, and takes nothing but a success.
    fn ask(&mut self, url: &str, ask: Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let response = self.answer(url, ask)?;
        self.judge(response)
    }

    /// Asks, and if the registry wants to know who does, says it and asks again.
    fn answer(&mut self, url: &str, ask: Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let response = self.send(url, ask)?;
        if response.status() != StatusCode::UNAUTHORIZED || origin(url) != origin(&self.base) {
            return Ok(response);
        }
        let wanted = response.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = Challenge::read(wanted) else { return Ok(response) };
        match self.authorize(&challenge)? {
            Some(authorization) if self.authorization.as_ref() != Some(&authorization) => {
                self.authorization = Some(authorization);
                self.send(url, ask)
            }
            _ => Ok(response),
        }
    }

    fn send(&self, url: &str, ask: Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let authorization = self.authorization.as_ref().filter(|_| origin(url).is_some() && origin(url) == origin(&self.base));
        let headers = authorization.map(|value| ("authorization", value.expose().as_str()));
        let sent = match ask {
            Ask::Head => headers.into_iter().fold(self.agent.head(url), |request, (name, value)| request.header(name, value)).call(),
            Ask::Post => headers.into_iter().fold(self.agent.post(url), |request, (name, value)| request.header(name, value)).send_empty(),
            Ask::Put(kind, bytes) => {
                let request = self.agent.put(url).header("content-type", kind);
                headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)).send(bytes)
            }
        };
        sent.map_err(|error| self.unanswered(&error))
    }

    /// The header that says who asks; none if nobody in particular does.
    fn authorize(&self, challenge: &Challenge) -> Result<Option<Secret>, RegistryError> {
        let bearer = |token: &Secret| Secret::new(format!("Bearer {}", token.expose()));
        match (challenge, &self.access.login) {
            (_, Some(Login::Bearer(token))) => Ok(Some(bearer(token))),
            (Challenge::Basic, Some(Login::Basic { username, password })) => Ok(Some(basic(username, password))),
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { realm, service }, login) => {
                if login.is_some() && !is_private(realm) && !self.access.is_insecure {
                    let why = "it wants the login to be sent over http, where anybody on the way could read it";
                    return Err(self.strange(why.to_owned()));
                }
                let scope = format!("repository:{}:pull,push", self.address.repository);
                let asked = [("service", service.as_deref()), ("scope", Some(scope.as_str()))];
                let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?)));
                let sent = match login {
                    Some(Login::Identity(token)) => {
                        let more = [("grant_type", "refresh_token"), ("client_id", "kaito"), ("refresh_token", token.expose().as_str())];
                        self.agent.post(realm).send_form(asked.chain(more))
                    }
                    login => {
                        let request = asked.fold(self.agent.get(realm), |request, (name, value)| request.query(name, value));
                        match login {
                            Some(Login::Basic { username, password }) => {
                                request.header("authorization", basic(username, password).expose()).call()
                            }
                            _ => request.call(),
                        }
                    }
                };
                let response = self.judge(sent.map_err(|error| self.unanswered(&error))?)?;
                let token = self.token(response)?.filter(|token| !token.is_empty());
                token.map(|token| Some(bearer(&token))).ok_or_else(|| self.strange("it gives out no token".to_owned()))
            }
        }
    }

    /// The token that is given out.
    fn token(&self, response: Response<Body>) -> Result<Option<Secret>, RegistryError> {
        let bytes = response.into_body().into_with_config().limit(MOST_BYTES).read_to_vec().map_err(|error| self.unanswered(&error))?;
        let given: Given =
            serde_json::from_slice(Secret::new(bytes).expose()).map_err(|_| self.strange("its token is no JSON".to_owned()))?;
        Ok(given.token.or(given.access_token).map(Secret::new))
    }

    /// Why there is no answer.
    fn unanswered(&self, error: &ureq::Error) -> RegistryError {
        let registry = self.address.host.clone();
        let is_tls = matches!(error, ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_))
            || matches!(error, ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData);
        let why = match error {
            ureq::Error::HostNotFound => "it isn't found".to_owned(),
            ureq::Error::Timeout(_) => "it doesn't answer in time".to_owned(),
            ureq::Error::Io(io) => io.to_string(),
            other => other.to_string(),
        };
        if is_tls {
            return RegistryError::Untrusted { registry, why };
        }
        let is_lasting = matches!(error, ureq::Error::HostNotFound)
            || matches!(error, ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused);
        RegistryError::Unreachable { registry, why, after: None, is_transient: !is_lasting }
    }

    /// What an answer's status means.
    fn judge(&self, mut response: Response<Body>) -> Result<Response<Body>, RegistryError> {
        const MOST_WORDS: u64 = 4000;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let registry = self.address.host.clone();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = response.body_mut().with_config().limit(MOST_WORDS).read_to_vec().unwrap_or_default();
        let words = said(&hide(&String::from_utf8_lossy(&body), &self.secrets()));
        let why = if words.is_empty() { format!("status {status}") } else { format!("status {status}: {words}") };
        Err(match status.as_u16() {
            401 | 403 => RegistryError::Refused { registry, why, is_known: self.access.login.is_some() },
            404 => RegistryError::NoRepository { repository: self.address.name(), why },
            408 | 429 | 500..=599 => {
                RegistryError::Unreachable { registry, why, after: after.map(Duration::from_secs), is_transient: true }
            }
            _ => self.strange(why),
        })
    }

    /// What the registry is told, and might repeat in what it says.
    fn secrets(&self) -> Vec<Secret> {
        let login = self.access.login.iter().flat_map(|login| match login {
            Login::Basic { username, password } => vec![password.clone(), basic(username, password)],
            Login::Identity(token) | Login::Bearer(token) => vec![token.clone()],
        });
        login.chain(self.authorization.clone()).collect()
    }

    fn strange(&self, why: String) -> RegistryError {
        RegistryError::Answer { registry: self.address.host.clone(), why }
    }
}

/// What a registry says of an error, in a line.
fn said(body: &str) -> String {
    let errors: Value = serde_json::from_str(body).unwrap_or_default();
    let each = errors["errors"].as_array().into_iter().flatten().map(|error| {
        let words = [error["code"].as_str(), error["message"].as_str()].into_iter().flatten().filter(|words| !words.is_empty());
        words.collect::<Vec<_>>().join(": ")
    });
    in_a_line(&each.collect::<Vec<_>>().join("; "))
}

/// A value as it stands in the query of an address.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_registries() {
        let table = [
            (r#"{"errors": [{"code": "DENIED", "message": "not\nyours", "detail": {}}, {"code": "X"}]}"#, "DENIED: not yours; X"),
            (r#"{"errors": []}"#, ""),
            ("<html>", ""),
        ];
        for (body, want) in table {
            assert_eq!(said(body), want);
        }
        assert_eq!(encoded("sha256:a+b"), "sha256%3Aa%2Bb");
    }
}
