//! A forge that is asked over its API, and waited for. Its token goes to the host of the API alone, and is in nothing that is said about a
//! failure.

use std::path::Path;

use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body};

use super::channel::Provider;
use super::post::{Failure, agent, is_acceptable, proof, unanswered, words};
use crate::secrets::Secret;
use crate::source::is_private;

/// The most bytes of an answer: a hundred comments of the longest there are.
const MOST_BYTES: u64 = 64 << 20;

/// A forge, and who asks it.
pub(super) struct Forge<'f> {
    agent: Agent,
    provider: Provider,
    token: &'f Secret,
}

/// What a forge has answered.
pub(super) struct Answer {
    /// What it says.
    pub body: Value,
    /// Where its next page is.
    pub next: Option<String>,
}

/// Why a forge has not answered, or not as it was asked to.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status of its answer, if there was one.
    pub status: Option<u16>,
    /// In words.
    pub why: String,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let (Failure::Later(why, _) | Failure::Never(why)) = failure;
        Self { status: None, why }
    }
}

impl<'f> Forge<'f> {
    /// A forge whose certificate is of these authorities, if they aren't those that browsers trust.
    pub(super) fn new(provider: Provider, token: &'f Secret, authorities: Option<&Path>) -> Result<Self, Refusal> {
        if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal { status: None, why: "the token has characters that no token has".to_owned() });
        }
        Ok(Self { agent: agent(authorities)?, provider, token })
    }

    /// Asks.
    pub(super) fn ask(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Answer, Refusal> {
        let refusal = |why: &str| Refusal { status: None, why: why.to_owned() };
        is_acceptable(url).map_err(|why| refusal(&format!("the address of the API {why}")))?;
        if !is_private(url) {
            return Err(refusal("over http, anybody on the way could read the token"));
        }
        let proof = proof(self.provider, self.token, "");
        let mut request = Request::builder().method(method).uri(url).header("content-type", "application/json");
        if self.provider == Provider::GitHub {
            request = request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
        }
        if let Some((name, value)) = &proof {
            request = request.header(*name, value.expose());
        }
        let asked = match body {
            Some(body) => request.body(body.to_string()).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let asked = asked.map_err(|_| refusal("it can't be asked so"))?;
        let mut response = asked.map_err(|error| Refusal::from(unanswered(&error)))?;
        let (status, next) = (response.status(), next(&response));
        let text =
            response.body_mut().with_config().limit(MOST_BYTES).read_to_string().map_err(|error| Refusal::from(unanswered(&error)))?;
        if !status.is_success() {
            let said = words(&text, std::slice::from_ref(self.token));
            let why = if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") };
            return Err(Refusal { status: Some(status.as_u16()), why });
        }
        let body = serde_json::from_str(&text).map_err(|_| refusal("it answers without JSON"))?;
        Ok(Answer { body, next })
    }
}

/// Where the next page is: `Link: <URL>; rel="next"`, as in RFC 8288.
fn next(response: &Response<Body>) -> Option<String> {
    let links = response.headers().get_all("link").iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|links| links.split(',')).find_map(following)
}

fn following(link: &str) -> Option<String> {
    let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
    is_next.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::following;

    #[test]
    fn pages_follow_one_another() {
        let table = [
            (r#"<https://api.github.com/x?page=2>; rel="next""#, Some("https://api.github.com/x?page=2")),
            (" <https://x/y>; foo=bar; rel=next", Some("https://x/y")),
            (r#"<https://x/y>; rel="prev""#, None),
            ("nothing", None),
        ];
        for (link, want) in table {
            assert_eq!(following(link).as_deref(), want, "{link}");
        }
    }
}
