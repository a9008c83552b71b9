//! Answers over HTTP, once and whole, within limits. This is the only file that speaks to a network.
//!
//! A token goes to the endpoint alone: never to another host, scheme or port that it redirects to.

use std::path::Path;
use std::thread;
use std::time::Duration;

use fluent_uri::{Uri, UriRef};
use ureq::config::ConfigBuilder;
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

use crate::diagnostic::Diagnostic;
use crate::pem;
use crate::secrets::Secret;

/// The bytes of the longest answer that is read.
const MOST_BYTES: u64 = 16 << 20;
/// The redirections that are followed.
const MOST_REDIRECTS: usize = 5;
/// How often a request is sent when the other side is busy.
const TRIES: u32 = 4;
/// The longest time to wait for somebody busy, in seconds.
const MOST_PATIENCE: u64 = 60;

/// How long nothing may come before the other side is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// The settings of an agent that asks where credentials go along: redirections are left to the caller, so that these go no further than
/// the port they are for, and nobody is waited for endlessly.
pub(super) fn cautious(user_agent: &str) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .user_agent(user_agent)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_resolve(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
}

/// Why there is no answer.
pub(super) type Failure = Box<Diagnostic>;

/// An endpoint and who asks it.
pub(super) struct Client {
    agent: ureq::Agent,
    /// The endpoint, without a slash at its end.
    pub(super) endpoint: String,
    pub(super) token: Option<Secret>,
}

/// What was answered.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// The whole body of a success; nothing of others.
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    pub(super) fn new(endpoint: &str, token: Option<Secret>, certificates: Option<&Path>) -> Result<Self, Failure> {
        let endpoint = endpoint.trim_end_matches('/');
        let parsed = Uri::parse(endpoint).ok().filter(|uri| {
            let has_host = uri.authority().is_some_and(|authority| !authority.host().is_empty() && authority.userinfo().is_none());
            matches!(uri.scheme().as_str(), "http" | "https") && has_host && uri.query().is_none() && uri.fragment().is_none()
        });
        let Some(uri) = parsed else {
            let finding = Diagnostic::error("the endpoint is no address of a hub");
            return Err(Box::new(finding.help("write it as https://huggingface.co, without a user name")));
        };
        if token.is_some() && uri.scheme().as_str() == "http" && !is_loopback(&uri) {
            let finding = Diagnostic::error(format!("the token isn't sent to {endpoint}, where anybody on the way could read it"));
            return Err(Box::new(finding.help("use https, or leave HF_TOKEN unset for this hub")));
        }
        if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Box::new(Diagnostic::error("the token in HF_TOKEN has characters that no token has").help("set it again")));
        }
        let mut tls = TlsConfig::builder();
        if let Some(path) = certificates {
            tls = tls.root_certs(authorities(path)?);
        }
        let agent = ureq::Agent::config_builder()
            .user_agent(concat!("kaito/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Redirections are followed here, so that the token goes no further than the port it is for.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_global(Some(Duration::from_secs(60)))
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: agent.into(), endpoint: endpoint.to_owned(), token })
    }

    /// Asks, and asks again for as long as the hub is busy or breaks off.
    pub(super) fn get(&self, url: &str) -> Result<Answer, Failure> {
        let mut attempt = 1;
        loop {
            let answer = self.follow(url);
            let wait = match &answer {
                Ok(answer) if is_busy(answer.status) => {
                    let asked = answer.header("retry-after").and_then(|text| text.trim().parse::<u64>().ok());
                    Duration::from_secs(asked.unwrap_or(1 << attempt))
                }
                Err(Broken::Off) => Duration::from_millis(500),
                _ => Duration::MAX,
            };
            if attempt == TRIES || wait.as_secs() > MOST_PATIENCE {
                return answer.map_err(|broken| Box::new(broken.finding(url)));
            }
            thread::sleep(wait);
            attempt += 1;
        }
    }

    fn follow(&self, url: &str) -> Result<Answer, Broken> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(token) = self.token.as_ref().filter(|_| origin(&url).is_some() && origin(&url) == origin(&self.endpoint)) {
                request = request.header("authorization", format!("Bearer {}", token.expose()));
            }
            let mut response = request.call().map_err(Broken::of)?;
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            if let Some(location) = location.filter(|_| response.status().is_redirection()) {
                url = resolve(&url, location).ok_or(Broken::Redirect)?;
                continue;
            }
            let (status, headers) = (response.status(), response.headers().clone());
            // What is said beside a failure is of no use, and could be of any length.
            let body = if status.is_success() {
                response.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(Broken::of)?
            } else {
                Vec::new()
            };
            return Ok(Answer { status, headers, body });
        }
        Err(Broken::Redirect)
    }
}

/// Why a request had no answer.
enum Broken {
    /// The answer broke off, or the hub hung up: worth another try.
    Off,
    /// The hub redirects to nowhere, in circles, or from https to http.
    Redirect,
    /// Anything else.
    Other(ureq::Error),
}

impl Broken {
    fn of(error: ureq::Error) -> Self {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match &error {
            ureq::Error::Io(io) if matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof) => Self::Off,
            ureq::Error::Protocol(_) => Self::Off,
            _ => Self::Other(error),
        }
    }

    fn finding(self, url: &str) -> Diagnostic {
        let host = Uri::parse(url).ok().and_then(|uri| Some(format!("{}://{}", uri.scheme(), uri.authority()?.as_str())));
        let host = host.unwrap_or_else(|| url.to_owned());
        let offline = "without a network, `--from DIR` reads config.json and the files from a folder; a proxy is named by HTTPS_PROXY";
        let error = match self {
            Self::Off => return Diagnostic::error(format!("the answer of {url} broke off, several times")).help("try again later"),
            Self::Redirect => return Diagnostic::error(format!("{url} leads to no answer: its redirections aren't followed")),
            Self::Other(error) => error,
        };
        let is_tls = matches!(&error, ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_))
            || matches!(&error, ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData);
        let why = match &error {
            ureq::Error::Io(io) => io.to_string(),
            other => other.to_string(),
        };
        match &error {
            ureq::Error::HostNotFound => Diagnostic::error(format!("{host} isn't found")).help(offline),
            ureq::Error::Timeout(_) => Diagnostic::error(format!("{host} doesn't answer in time")).help(offline),
            ureq::Error::BodyExceedsLimit(_) => {
                Diagnostic::error(format!("the answer of {url} has more than {} MiB, which is the limit", MOST_BYTES >> 20))
            }
            _ if is_tls => Diagnostic::error(format!("{host} can't be trusted: {why}"))
                .help("if a proxy of your own stands between, name its authority's PEM file with SSL_CERT_FILE"),
            _ => Diagnostic::error(format!("{host} can't be reached: {why}")).help(offline),
        }
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// The scheme, host and port of an address.
pub(super) fn origin(url: &str) -> Option<(String, String, String)> {
    let uri = Uri::parse(url).ok()?;
    let scheme = uri.scheme().as_str().to_lowercase();
    let authority = uri.authority()?;
    let port = authority.port().map(|port| port.as_str().to_owned()).filter(|port| !port.is_empty());
    let usual = if scheme == "https" { "443" } else { "80" };
    Some((scheme, authority.host().to_lowercase(), port.unwrap_or_else(|| usual.to_owned())))
}

/// Whether nobody on the way can read what goes to an address: over https, to this machine, or to a name of a cluster, which ends in
/// `.svc` or `.svc.cluster.local`.
pub fn is_private(url: &str) -> bool {
    let Some((scheme, host, _)) = origin(url) else { return false };
    let host = host.trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_in_cluster = host.strip_suffix(".cluster.local").unwrap_or(host).rsplit('.').next() == Some("svc");
    scheme == "https" || is_loopback || is_in_cluster
}

/// Whether two addresses are of the same scheme, host and port.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

fn is_loopback(uri: &Uri<&str>) -> bool {
    let host = uri.authority().map(|authority| authority.host().trim_matches(['[', ']']).to_lowercase()).unwrap_or_default();
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where a redirection leads; never from https to http.
pub(super) fn resolve(from: &str, location: &str) -> Option<String> {
    let base = Uri::parse(from).ok()?;
    let to = UriRef::parse(location).ok()?.resolve_against(&base).ok()?;
    let (before, after) = (base.scheme().as_str(), to.scheme().as_str().to_lowercase());
    (after == "https" || after == "http" && before == "http").then(|| to.to_string())
}

fn authorities(path: &Path) -> Result<RootCerts, Failure> {
    let fail = |why: String| Box::new(Diagnostic::error(format!("SSL_CERT_FILE: {}: {why}", path.display())));
    let pem = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    pem::authorities(&pem).ok_or_else(|| fail("it holds no certificate in PEM".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_never_lose_https() {
        let table = [
            ("https://a.co/x/y", "/z", Some("https://a.co/z")),
            ("https://a.co/x/y", "z?q=1", Some("https://a.co/x/z?q=1")),
            ("https://a.co/x", "https://b.co/z", Some("https://b.co/z")),
            ("https://a.co/x", "http://a.co/z", None),
            ("https://a.co/x", "file:///etc/passwd", None),
            ("http://a.co/x", "HTTP://b.co:8/z", Some("HTTP://b.co:8/z")),
            ("http://a.co/x", "//b.co/z", Some("http://b.co/z")),
        ];
        for (from, location, want) in table {
            assert_eq!(resolve(from, location).as_deref(), want, "{from} to {location}");
        }
    }

    #[test]
    fn tokens_are_for_one_origin() {
        let same = |a: &str, b: &str| origin(a) == origin(b);
        assert!(same("https://Hub.co/x", "https://hub.co:443"));
        for other in ["http://hub.co/x", "https://hub.co:444", "https://hub.co.evil", "https://x.hub.co"] {
            assert!(!same("https://hub.co", other), "{other}");
        }
        let with_token = |endpoint| Client::new(endpoint, Some("hf_x".into()), None).is_ok();
        assert!(with_token("https://mirror.example") && with_token("http://127.0.0.1:80") && with_token("http://[::1]:80"));
        assert!(!with_token("http://mirror.example") && !with_token("https://me:secret@hub.co") && !with_token("hub.co"));
    }

    #[test]
    fn credentials_go_where_nobody_listens() {
        for url in ["https://a.co/x", "http://127.0.0.1:3/x", "http://[::1]/x", "http://localhost/x", "http://gitea.git.svc:3000/x"] {
            assert!(is_private(url), "{url}");
        }
        for url in ["http://a.co/x", "http://10.0.0.1/x", "http://localhost.evil/x", "http://a.svc.evil/x"] {
            assert!(!is_private(url), "{url}");
        }
    }
}
