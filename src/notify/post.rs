//! A request is sent, once. Its token and address are read now, and nothing of them is in what is said about a failure.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fluent_uri::Uri;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use sha2::Sha256;
use ureq::http::Response;
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::channel::{Channel, Provider};
use super::request::{Request, shortened};
use crate::hex::hex;
use crate::pem;
use crate::secrets::{Secret, hide};
use crate::source::{is_private, read_secret};

/// How long a receiver has to be reached, and to have answered.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);
/// The bytes of an answer that are looked at, and the characters of it that are told.
const MOST_BYTES: u64 = 64 << 10;
const MOST_WORDS: usize = 200;

/// Why a request was not taken.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may be taken later; after so long, if the receiver has said.
    Later(String, Option<Duration>),
    /// It won't be taken as it is.
    Never(String),
}

/// Sends a request.
///
/// # Errors
/// Why it was not taken.
pub(super) fn send(channel: &Channel, request: &Request) -> Result<(), Failure> {
    let root = address(channel)?;
    let url = Secret::new(format!("{}{}", root.expose(), request.path));
    is_acceptable(url.expose()).map_err(|why| Failure::Never(format!("its address {why}")))?;
    let token = channel.token_file.as_deref().map(|path| read(path, "token")).transpose()?;
    let travels = token.is_some() && channel.provider != Provider::GenericHmac;
    if (travels || channel.address_file.is_some()) && !is_private(url.expose()) {
        let why = "over http, anybody on the way could read the token: use https; http is for this machine and for names that end in .svc";
        return Err(Failure::Never(why.to_owned()));
    }
    let body = request.body.to_string();
    let agent = agent(channel.ca_file.as_deref())?;
    let mut sending = agent.post(url.expose()).header("content-type", "application/json");
    for (name, value) in &request.headers {
        sending = sending.header(*name, *value);
    }
    let proof = token.as_ref().and_then(|token| proof(channel.provider, token, &body));
    if let Some((name, value)) = &proof {
        sending = sending.header(*name, value.expose());
    }
    let response = sending.send(body.as_bytes()).map_err(|error| unanswered(&error))?;
    let mut secrets = parts(&url);
    secrets.extend(token);
    secrets.extend(proof.map(|(_, value)| value));
    judge(channel.provider, response, &secrets)
}

/// Whether an address is one that can be told something; the error says what is wrong, and not the address, which may be a secret.
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub fn is_acceptable(address: &str) -> Result<(), &'static str> {
    let uri = Uri::parse(address).map_err(|_| "is none: write https://HOST/PATH")?;
    if !matches!(uri.scheme().as_str(), "http" | "https") {
        return Err("begins with neither https:// nor http://");
    }
    let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or("names no host")?;
    if authority.userinfo().is_some() {
        return Err("has a user in it: leave it out, and name a file with a token");
    }
    if uri.fragment().is_some() {
        return Err("has a part after #, which is never sent");
    }
    Ok(())
}

/// Where a channel's requests go.
fn address(channel: &Channel) -> Result<Secret, Failure> {
    let address = match (&channel.address_file, &channel.address) {
        (Some(path), _) => read(path, "address")?,
        (None, Some(address)) => address.as_str().into(),
        (None, None) => channel.api().ok_or_else(|| Failure::Never("it has no address".to_owned()))?.into(),
    };
    // The paths of requests begin with a slash; a webhook's own end is left as it is.
    Ok(if channel.provider.is_forge() { address.expose().trim_end_matches('/').into() } else { address })
}

/// An address and its parts, each of which may be a secret: those of Slack's addresses are.
fn parts(url: &Secret) -> Vec<Secret> {
    const SHORTEST: usize = 8;
    let parts = url.expose().split(['/', '?', '&', '=']).skip(3).filter(|part| part.len() >= SHORTEST);
    std::iter::once(url.clone()).chain(parts.map(Secret::from)).collect()
}

/// What a file says, which may be another one each time.
fn read(path: &Path, what: &str) -> Result<Secret, Failure> {
    let fault = |why: String| Failure::Later(format!("the {what} can't be read: {}: {why}", path.display()), None);
    let text = read_secret(path).map_err(|error| fault(error.to_string()))?.trimmed();
    if text.is_empty() || !text.expose().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(fault("it must hold one line, of ASCII's characters".to_owned()));
    }
    Ok(text)
}

/// The header that proves who tells it.
pub(super) fn proof(provider: Provider, token: &Secret, body: &str) -> Option<(&'static str, Secret)> {
    let token = token.expose();
    let (name, value) = match provider {
        Provider::Slack => return None,
        Provider::GenericHmac => ("x-signature", format!("sha256={}", signature(token, body))),
        Provider::GitLab => ("private-token", token.to_owned()),
        Provider::Gitea => ("authorization", format!("token {token}")),
        // An app password comes with the name of its user.
        Provider::Bitbucket if token.contains(':') => ("authorization", format!("Basic {}", BASE64_STANDARD.encode(token))),
        Provider::Generic | Provider::GitHub | Provider::Bitbucket => ("authorization", format!("Bearer {token}")),
    };
    Some((name, value.into()))
}

fn signature(token: &str, body: &str) -> String {
    // A key of HMAC may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.as_bytes()) else { return String::new() };
    mac.update(body.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// A client. Each request has its own: there are few, and the authorities may be others the next time.
pub(super) fn agent(authorities: Option<&Path>) -> Result<Agent, Failure> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = authorities {
        let fault = |why: &str| Failure::Later(format!("the authorities can't be read: {}: {why}", path.display()), None);
        let pem = fs::read(path).map_err(|error| fault(&error.to_string()))?;
        tls = tls.root_certs(pem::authorities(&pem).ok_or_else(|| fault("it holds no certificate in PEM"))?);
    }
    let config = Agent::config_builder()
        .user_agent(concat!("kaito/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // A token goes no further than the address that it is for.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(ANSWER))
        .tls_config(tls.build());
    Ok(config.build().into())
}

/// Why there is no answer.
pub(super) fn unanswered(error: &ureq::Error) -> Failure {
    // Other errors may quote the address.
    let why = match error {
        ureq::Error::HostNotFound => "its host isn't found".to_owned(),
        ureq::Error::Timeout(_) => "it doesn't answer in time".to_owned(),
        ureq::Error::Io(io) => io.to_string(),
        ureq::Error::Rustls(error) => format!("it can't be trusted: {error}"),
        ureq::Error::Tls(why) => format!("it can't be trusted: {why}"),
        ureq::Error::ConnectionFailed => "there is no connection".to_owned(),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => "the proxy doesn't lead there".to_owned(),
        _ => "it doesn't speak HTTP as it should".to_owned(),
    };
    Failure::Later(why, None)
}

/// What an answer means.
fn judge(provider: Provider, mut response: Response<Body>, secrets: &[Secret]) -> Result<(), Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        return Err(Failure::Never(format!("status {status}: it redirects, and that isn't followed: name the address that it leads to")));
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let after = header("retry-after").and_then(|text| wait(text, Timestamp::now()));
    let is_used_up = header("x-ratelimit-remaining") == Some("0");
    let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_string().unwrap_or_default();
    // GitLab refuses to be told what it shows already.
    if provider == Provider::GitLab && status == 400 && body.contains("Cannot transition status") {
        return Ok(());
    }
    let words = words(&body, secrets);
    let why = if words.is_empty() { format!("status {status}") } else { format!("status {status}: {words}") };
    Err(match status.as_u16() {
        408 | 425 | 429 | 500..=599 => Failure::Later(why, after),
        403 if after.is_some() || is_used_up => Failure::Later(why, after),
        _ => Failure::Never(why),
    })
}

/// How long `Retry-After` says to wait: so many seconds, or until a moment.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

/// What an answer says for people: the message of a forge, or the text of a webhook.
pub(super) fn words(body: &str, secrets: &[Secret]) -> String {
    let said = match serde_json::from_str::<serde_json::Value>(body) {
        Ok(json) => ["message", "error"].iter().find_map(|name| json[name].as_str()).unwrap_or_default().to_owned(),
        Err(_) if body.trim_start().starts_with('<') => String::new(),
        Err(_) => body.to_owned(),
    };
    shortened(&hide(&said, secrets), MOST_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for address in ["https://hooks.example.com/T/B/x", "http://127.0.0.1:80", "https://api.github.com/", "https://[::1]:3/x?wait=true"]
        {
            assert_eq!(is_acceptable(address), Ok(()), "{address}");
        }
        let table = ["", "hooks.example.com/x", "ftp://a/b", "https:///x", "https://me:hunter2@a/b", "https://a/b#hunter2", "https://a b/"];
        for address in table {
            assert!(!is_acceptable(address).unwrap_err().contains("hunter2"), "{address}");
        }
    }

    #[test]
    fn who_tells_it() {
        let table = [
            (Provider::Generic, "t", Some(("authorization", "Bearer t"))),
            (Provider::Slack, "t", None),
            (Provider::GitHub, "t", Some(("authorization", "Bearer t"))),
            (Provider::GitLab, "t", Some(("private-token", "t"))),
            (Provider::Gitea, "t", Some(("authorization", "token t"))),
            (Provider::Bitbucket, "t", Some(("authorization", "Bearer t"))),
            (Provider::Bitbucket, "me:t", Some(("authorization", "Basic bWU6dA=="))),
            // The example of GitHub's documentation on validating deliveries.
            (
                Provider::GenericHmac,
                "It's a Secret to Everybody",
                Some(("x-signature", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")),
            ),
        ];
        for (provider, token, want) in table {
            let proof = proof(provider, &token.into(), "Hello, World!");
            assert_eq!(proof.as_ref().map(|(name, value)| (*name, value.expose().as_str())), want, "{provider:?}");
        }
    }

    #[test]
    fn how_long_to_wait() {
        let now = Timestamp::from_second(1_750_000_000).unwrap();
        let table = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 15 Jun 2025 15:07:40 GMT", Some(60)),
            ("Sun, 15 Jun 2025 15:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ];
        for (text, want) in table {
            assert_eq!(wait(text, now), want.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn what_an_answer_says() {
        let table = [
            (r#"{"message": "Validation Failed", "errors": []}"#, "Validation Failed"),
            (r#"{"error": "no such project"}"#, "no such project"),
            (r#"{"message": {"name": ["is too long"]}}"#, ""),
            ("no_service\n", "no_service"),
            ("<html>Bad Gateway</html>", ""),
            ("your token hunter2 is wrong, as is Bearer hunter2", "your token *** is wrong, as is ***"),
        ];
        for (body, want) in table {
            assert_eq!(words(body, &["hunter2", "Bearer hunter2"].map(Secret::from)), want);
        }
    }
}
