//! Receivers: under which name and in which way somebody may say something.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::signature::{self, Refusal};
use crate::hex::hex;
use crate::secrets::Secret;
use crate::server::Request;

/// How requests prove where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As the headers of a request say.
    Auto,
    /// Bitbucket, Cloud and Data Center: `X-Hub-Signature` with SHA-256.
    Bitbucket,
    /// Flux's path that nobody else knows, or `Authorization: Bearer TOKEN`.
    Generic,
    /// `X-Signature` with SHA-1, SHA-256 or SHA-512, as Flux has it.
    GenericHmac,
    /// Gitea and Forgejo: `X-Gitea-Signature`, `X-Forgejo-Signature` or as GitHub.
    Gitea,
    /// GitHub: `X-Hub-Signature-256`.
    GitHub,
    /// GitLab: `X-Gitlab-Token`, or `webhook-signature` by the rules of Standard Webhooks.
    GitLab,
}

/// Every way by its name.
const KINDS: [(&str, Kind); 8] = [
    ("auto", Kind::Auto),
    ("bitbucket", Kind::Bitbucket),
    ("forgejo", Kind::Gitea),
    ("generic", Kind::Generic),
    ("generic-hmac", Kind::GenericHmac),
    ("gitea", Kind::Gitea),
    ("github", Kind::GitHub),
    ("gitlab", Kind::GitLab),
];

/// Headers that tell how a request is signed. Gitea signs as GitHub too, and GitHub as Bitbucket did first, so the order matters.
const SIGNED_BY: [(&str, Kind); 7] = [
    ("x-forgejo-signature", Kind::Gitea),
    ("x-gitea-signature", Kind::Gitea),
    ("x-hub-signature-256", Kind::GitHub),
    ("webhook-signature", Kind::GitLab),
    ("x-gitlab-token", Kind::GitLab),
    ("x-hub-signature", Kind::Bitbucket),
    ("x-signature", Kind::GenericHmac),
];

impl Kind {
    /// This one, or what the headers say if they are to decide.
    pub(super) fn of(self, headers: &HeaderMap) -> Self {
        let by_headers = || SIGNED_BY.iter().find(|(header, _)| headers.contains_key(*header)).map_or(Self::Generic, |(_, kind)| *kind);
        if self == Self::Auto { by_headers() } else { self }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = KINDS.iter().find(|(known, _)| *known == name);
        known.map(|(_, kind)| *kind).ok_or_else(|| format!("no kind of receiver: {}", KINDS.map(|(known, _)| known).join(", ")))
    }
}

/// The token as it is just now; none if there is none.
pub type Token = Arc<dyn Fn() -> Option<Secret> + Send + Sync>;

/// Somebody who may say something.
#[derive(Clone)]
pub struct Receiver {
    /// The name, which is the path too: `/hook/NAME`.
    pub name: String,
    /// The namespace, which only Flux's path needs.
    pub namespace: String,
    /// How requests prove where they come from.
    pub kind: Kind,
    /// What they prove it with. It is asked for at every request, so that it may change; without one, all requests are refused.
    pub token: Token,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Receiver {
    fn token(&self) -> Option<Secret> {
        (self.token)().filter(|token| !token.is_empty())
    }
}

/// The path that Flux's notification-controller gives a Receiver: `/hook/` and the SHA-256 of token, name and namespace.
pub fn flux_path(token: &Secret, name: &str, namespace: &str) -> String {
    let hash = Sha256::new().chain_update(token.expose()).chain_update(name).chain_update(namespace).finalize();
    format!("/hook/{}", hex(&hash))
}

/// The receiver of a path.
pub(super) struct Found<'a> {
    pub(super) receiver: &'a Receiver,
    /// Whether it was found by a path that only those know who know the token.
    is_by_secret: bool,
}

/// The receiver of what follows `/hook/`: by its name or by Flux's path.
pub(super) fn find<'a>(receivers: &'a [Receiver], path: &str) -> Option<Found<'a>> {
    if let Some(receiver) = receivers.iter().find(|receiver| receiver.name == path) {
        return Some(Found { receiver, is_by_secret: false });
    }
    let whole = format!("/hook/{path}");
    let is_path_of = |receiver: &&Receiver| {
        let flux = receiver.token().map(|token| flux_path(&token, &receiver.name, &receiver.namespace));
        flux.is_some_and(|flux| flux.as_bytes().ct_eq(whole.as_bytes()).into())
    };
    receivers.iter().find(is_path_of).map(|receiver| Found { receiver, is_by_secret: true })
}

impl Found<'_> {
    /// Whether a request proves where it comes from, at a moment in seconds since 1970.
    pub(super) fn verify(&self, request: &Request, now: u64) -> Result<(), Refusal> {
        let token = self.receiver.token().ok_or(Refusal::NoToken)?;
        let kind = self.receiver.kind.of(request.headers());
        if kind == Kind::Generic && self.is_by_secret {
            return Ok(());
        }
        signature::verify(kind, &token, request.headers(), request.body(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(name: &str, kind: Kind, token: Option<&str>) -> Receiver {
        let token = token.map(Secret::from);
        Receiver { name: name.to_owned(), namespace: "flux-system".to_owned(), kind, token: Arc::new(move || token.clone()) }
    }

    #[test]
    fn kinds_by_name() {
        assert_eq!("forgejo".parse(), Ok(Kind::Gitea));
        let error = "svn".parse::<Kind>().unwrap_err();
        assert!(error.contains("auto, bitbucket, forgejo, generic, generic-hmac, gitea, github, gitlab"), "{error}");
        assert!(KINDS.iter().all(|(name, kind)| name.parse() == Ok(*kind)));
    }

    #[test]
    fn receivers_by_path() {
        let receivers =
            [receiver("a", Kind::Generic, Some("t")), receiver("b", Kind::GitHub, Some("t")), receiver("none", Kind::Generic, None)];
        // printf %s taflux-system | sha256sum
        assert_eq!(flux_path(&"t".into(), "a", "flux-system"), "/hook/00c65e32deefa0a3efe65557e4ba294730c91eae311b6ef5b51f01ed6e4270e4");
        let path = flux_path(&"t".into(), "a", "flux-system");
        let path = path.strip_prefix("/hook/").unwrap();
        let other = flux_path(&"".into(), "none", "flux-system");
        let upper = path.to_uppercase();
        let table = [
            ("a", Some(("a", false))),
            ("b", Some(("b", false))),
            (path, Some(("a", true))),
            (&path[1..], None),
            (&upper, None),
            ("c", None),
            ("", None),
            ("a/", None),
            (other.strip_prefix("/hook/").unwrap(), None),
        ];
        for (path, want) in table {
            let found = find(&receivers, path).map(|found| (found.receiver.name.as_str(), found.is_by_secret));
            assert_eq!(found, want, "{path}");
        }
    }

    #[test]
    fn only_a_secret_path_is_a_proof() {
        let request = Request::default();
        for (kind, is_by_secret, token, want) in [
            (Kind::Generic, true, Some("t"), Ok(())),
            (Kind::Auto, true, Some("t"), Ok(())),
            (Kind::Generic, false, Some("t"), Err(Refusal::Unsigned("authorization"))),
            (Kind::GitHub, true, Some("t"), Err(Refusal::Unsigned("x-hub-signature-256"))),
            (Kind::Generic, true, Some(""), Err(Refusal::NoToken)),
            (Kind::GitHub, false, None, Err(Refusal::NoToken)),
        ] {
            let receiver = receiver("a", kind, token);
            assert_eq!(Found { receiver: &receiver, is_by_secret }.verify(&request, 0), want, "{kind:?} {token:?}");
        }
    }
}
