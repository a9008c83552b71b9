//! git over HTTP: a request, an answer, each on its own (gitprotocol-http). Connections are kept for the next time.
//!
//! Credentials go to the server that the address names alone: never to another host, scheme or port that it redirects to.

use std::io::Read;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::access::{Credentials, Login, ProxyLogin, Tls};
use super::address::Address;
use super::error::{RemoteError, in_a_line};
use super::github_app::Tokens;
use super::{Service, proxy, tls};
use crate::secrets::{Secret, hide};
use crate::source::git::store::MOST_PACKED;
use crate::source::http::{cautious, is_private, origin, resolve};

/// The redirections that are followed.
const MOST_REDIRECTS: usize = 5;
/// The most bytes of an answer.
const MOST_BYTES: u64 = MOST_PACKED;
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);

/// A repository behind HTTP.
pub(super) struct Http {
    /// The repository's address, and where it redirects to.
    url: String,
    moved_to: Option<String>,
    /// The client, and what it was made for: other authorities or another proxy need another one.
    agent: Option<(Tls, Option<ProxyLogin>, Agent)>,
    tokens: Tokens,
}

/// What is asked.
enum Ask<'a> {
    Get(Service),
    Post(Service, &'a [u8]),
}

impl Http {
    pub(super) fn new(url: String) -> Self {
        Self { url, moved_to: None, agent: None, tokens: Tokens::default() }
    }

    /// What the server says first.
    pub(super) fn greeting(&mut self, address: &Address, who: &Credentials, service: Service) -> Result<impl Read + use<>, RemoteError> {
        self.moved_to = None;
        let response = self.ask(address, who, &Ask::Get(service))?;
        expect(address, &response, &format!("application/x-{}-advertisement", service.name()))?;
        Ok(body(response))
    }

    /// What the server answers to a request.
    pub(super) fn request(
        &mut self,
        address: &Address,
        who: &Credentials,
        service: Service,
        bytes: &[u8],
    ) -> Result<impl Read + use<>, RemoteError> {
        let response = self.ask(address, who, &Ask::Post(service, bytes))?;
        expect(address, &response, &format!("application/x-{}-result", service.name()))?;
        Ok(body(response))
    }

    fn ask(&mut self, address: &Address, who: &Credentials, ask: &Ask<'_>) -> Result<Response<Body>, RemoteError> {
        self.prepare(address, who)?;
        let response = self.follow(address, who, ask)?;
        // The token of an app may have been revoked before its time.
        let response = match &who.login {
            Some(Login::App(_)) if response.status() == StatusCode::UNAUTHORIZED && self.tokens.forget() => {
                self.follow(address, who, ask)?
            }
            _ => response,
        };
        judge(address, who, self.tokens.kept(), response)
    }

    fn prepare(&mut self, address: &Address, who: &Credentials) -> Result<(), RemoteError> {
        if self.agent.as_ref().is_some_and(|(tls, proxy, _)| *tls == who.tls && *proxy == who.proxy) {
            return Ok(());
        }
        let fault = |why| RemoteError::credentials(address, why, "see that the Secret or directory has it whole");
        // Servers answer as to git only who says so.
        let config = cautious(concat!("git/kaito-", env!("CARGO_PKG_VERSION")))
            .max_idle_age(IDLE)
            .proxy(proxy::for_url(&self.url, who.proxy.as_ref()).map_err(fault)?)
            .tls_config(tls::config(&who.tls).map_err(fault)?)
            .build();
        self.agent = Some((who.tls.clone(), who.proxy.clone(), config.into()));
        self.tokens.forget();
        Ok(())
    }

    fn follow(&mut self, address: &Address, who: &Credentials, ask: &Ask<'_>) -> Result<Response<Body>, RemoteError> {
        let Some((_, _, agent)) = &self.agent else { return Err(RemoteError::unreachable(address, "there is no client")) };
        let authorization = authorization(address, &self.url, who, agent, &mut self.tokens)?;
        let base = self.moved_to.as_deref().unwrap_or(&self.url);
        let path = match ask {
            Ask::Get(service) => format!("/info/refs?service={}", service.name()),
            Ask::Post(service, _) => format!("/{}", service.name()),
        };
        let mut url = format!("{base}{path}");
        for _ in 0..=MOST_REDIRECTS {
            let authorization = authorization.as_ref().filter(|_| origin(&url).is_some() && origin(&url) == origin(&self.url));
            let send = || send(agent, &url, ask, authorization);
            // A connection that was kept may have ended meanwhile.
            let sent = send().or_else(|error| if hung_up(&error) { send() } else { Err(error) });
            let response = sent.map_err(|error| unanswered(address, &error))?;
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            let Some(location) = location.filter(|_| response.status().is_redirection()) else {
                return Ok(response);
            };
            if matches!(ask, Ask::Post(..)) {
                return Err(RemoteError::answer(address, "it redirects what may not be redirected"));
            }
            let to = resolve(&url, location).filter(|to| to.ends_with(&path));
            url = to.ok_or_else(|| {
                RemoteError::answer(address, "its redirections aren't followed: they lead elsewhere, or from https to http")
            })?;
            self.moved_to = Some(url[..url.len() - path.len()].to_owned());
        }
        Err(RemoteError::answer(address, "it redirects in circles"))
    }
}

fn send(agent: &Agent, url: &str, ask: &Ask<'_>, authorization: Option<&Secret>) -> Result<Response<Body>, ureq::Error> {
    let (Ask::Get(service) | Ask::Post(service, _)) = ask;
    // Pushing is the same in every version.
    let headers = authorization.map(|value| ("authorization", value.expose().as_str())).into_iter().chain(service.version());
    match ask {
        Ask::Get(_) => {
            let request = agent.get(url).header("cache-control", "no-cache");
            headers.fold(request, |request, (name, value)| request.header(name, value)).call()
        }
        Ask::Post(service, bytes) => {
            let request = agent.post(url).header("content-type", format!("application/x-{}-request", service.name()));
            let request = request.header("accept", format!("application/x-{}-result", service.name()));
            headers.fold(request, |request, (name, value)| request.header(name, value)).send(*bytes)
        }
    }
}

/// The header that says who asks.
fn authorization(
    address: &Address,
    url: &str,
    who: &Credentials,
    agent: &Agent,
    tokens: &mut Tokens,
) -> Result<Option<Secret>, RemoteError> {
    let Some(login) = &who.login else { return Ok(None) };
    if !is_private(url) {
        let help = "use https; over http, they only go to this machine and to names of a cluster, which end in .svc or .svc.cluster.local";
        return Err(RemoteError::credentials(address, "over http, anybody on the way could read them", help));
    }
    Ok(Some(match login {
        Login::Basic { username, password } => basic(username, password),
        Login::Bearer(token) => format!("Bearer {}", token.expose()).into(),
        Login::App(app) => basic("x-access-token", tokens.for_app(address, app, agent)?),
    }))
}

/// The header of a name and a password.
pub(in crate::source) fn basic(username: &str, password: &Secret) -> Secret {
    let both = Secret::new(format!("{username}:{}", password.expose()));
    format!("Basic {}", BASE64_STANDARD.encode(both.expose())).into()
}

fn hung_up(error: &ureq::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error, ureq::Error::Io(io) if matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

/// Why there is no answer.
pub(super) fn unanswered(address: &Address, error: &ureq::Error) -> RemoteError {
    let is_tls = matches!(error, ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_))
        || matches!(error, ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData);
    let why = match error {
        ureq::Error::HostNotFound => "its host isn't found".to_owned(),
        ureq::Error::Timeout(_) => "it doesn't answer in time".to_owned(),
        ureq::Error::Io(io) => io.to_string(),
        other => other.to_string(),
    };
    if is_tls { RemoteError::Untrusted { url: address.to_string(), why } } else { RemoteError::unreachable(address, why) }
}

/// What an answer's status means. A server's words are told without the credentials, which it may repeat.
fn judge(
    address: &Address,
    who: &Credentials,
    token: Option<&Secret>,
    mut response: Response<Body>,
) -> Result<Response<Body>, RemoteError> {
    const MOST_WORDS: u64 = 2000;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let is_text = response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let body = if is_text { response.body_mut().with_config().limit(MOST_WORDS).read_to_vec().unwrap_or_default() } else { Vec::new() };
    let words = in_a_line(&hide(&String::from_utf8_lossy(&body), who.secrets().iter().chain(token)));
    let why = if words.is_empty() { format!("status {status}") } else { format!("status {status}: {words}") };
    let url = address.to_string();
    Err(match status.as_u16() {
        401 | 403 => RemoteError::Refused { url, why, is_known: who.login.is_some() },
        407 => RemoteError::Refused { url, why: "the proxy wants another login".to_owned(), is_known: true },
        404 | 410 => RemoteError::NoRepository { url, why },
        429 | 500..=599 => RemoteError::Unreachable { url, why },
        _ => RemoteError::answer(address, why),
    })
}

fn expect(address: &Address, response: &Response<Body>, wanted: &str) -> Result<(), RemoteError> {
    let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() == wanted {
        return Ok(());
    }
    let url = address.to_string();
    Err(RemoteError::NoRepository { url, why: format!("what is there is {}", if kind.is_empty() { "of no kind" } else { kind }) })
}

fn body(response: Response<Body>) -> impl Read + use<> {
    response.into_body().into_with_config().limit(MOST_BYTES).reader()
}
