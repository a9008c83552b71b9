//! Tokens of a GitHub App: its key signs who it is, and GitHub gives a token for an hour.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use ureq::Agent;

use super::access::App;
use super::address::Address;
use super::error::RemoteError;
use super::http::unanswered;
use super::tls;
use crate::secrets::Secret;

/// How long before its end a token isn't used any more.
const MARGIN: Duration = Duration::from_secs(300);
/// How long the app's own words are valid; GitHub takes ten minutes at most.
const SIGNED_FOR: u64 = 540;
/// How far clocks may be apart, in seconds.
const SKEW: u64 = 60;
/// The most bytes of an answer.
const MOST_BYTES: u64 = 1 << 20;

/// The token that is valid now.
#[derive(Default)]
pub(super) struct Tokens(Option<Token>);

struct Token {
    app: App,
    text: Secret,
    until: SystemTime,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
    expires_at: Timestamp,
}

impl Tokens {
    /// Lets go of the token; whether there was one.
    pub(super) fn forget(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// The token that there is.
    pub(super) fn kept(&self) -> Option<&Secret> {
        self.0.as_ref().map(|token| &token.text)
    }

    /// A token for an app, a new one if need be.
    pub(super) fn for_app(&mut self, address: &Address, app: &App, agent: &Agent) -> Result<&Secret, RemoteError> {
        let now = SystemTime::now();
        let kept = self.0.take().filter(|token| token.app == *app && now + MARGIN < token.until);
        let token = kept.map_or_else(|| ask(address, app, agent, now), Ok)?;
        Ok(&self.0.insert(token).text)
    }
}

fn ask(address: &Address, app: &App, agent: &Agent, now: SystemTime) -> Result<Token, RemoteError> {
    let fault = |why: String| RemoteError::credentials(address, why, "see the app's page in GitHub's settings for its IDs and keys");
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let signed = sign(app, seconds).ok_or_else(|| fault("githubAppPrivateKey is no RSA key in PEM".to_owned()))?;
    let api = app.api.trim_end_matches('/');
    if !crate::source::is_private(api) {
        return Err(fault(format!("githubAppBaseURL is {api}, where anybody on the way could read the token")));
    }
    let request = agent.post(format!("{api}/app/installations/{}/access_tokens", app.installation));
    let request = request.header("accept", "application/vnd.github+json").header("authorization", format!("Bearer {}", signed.expose()));
    let mut response = request.send_empty().map_err(|error| unanswered(address, &error))?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(RemoteError::unreachable(address, format!("{api} answers the app with status {status}")));
    }
    if !status.is_success() {
        return Err(fault(format!("{api} gives the app no token: status {status}")));
    }
    let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(|error| unanswered(address, &error))?;
    let body = Secret::new(body);
    let answer: Answer =
        serde_json::from_slice(body.expose()).map_err(|_| fault(format!("{api} answers the app with something else than a token")))?;
    Ok(Token { app: app.clone(), text: answer.token.into(), until: answer.expires_at.into() })
}

/// Who the app is, as a JSON Web Token (RFC 7519) signed with RS256.
fn sign(app: &App, now: u64) -> Option<Secret> {
    let der = tls::key(app.key.expose().as_bytes())?;
    // GitHub gives keys in PKCS #1; who keeps them elsewhere may have PKCS #8.
    let key = RsaKeyPair::from_der(der.expose()).or_else(|_| RsaKeyPair::from_pkcs8(der.expose())).ok()?;
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iat": now.saturating_sub(SKEW), "exp": now + SIGNED_FOR, "iss": app.id});
    let text = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
    Some(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)).into())
}
