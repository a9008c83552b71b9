//! What a request says that is known to come from the right one. Providers' events have much in common, so one reader takes all,
//! and tables tell their headers and fields.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;

use super::receiver::Kind;
use crate::server::Request;

/// Something was pushed to a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// The addresses of the repository, for whoever clones it and for browsers. None if the event says nothing about it, as a
    /// generic one may: then it is about all that the receiver is for.
    pub repositories: Vec<String>,
    /// What was pushed, as `refs/heads/main`; none if it isn't said, or it was several.
    pub reference: Option<String>,
    /// The commit that it is at now; none if it isn't said, or it was deleted.
    pub commit: Option<String>,
    /// The provider's identifier of this delivery, which is the same if it is delivered again.
    pub delivery: Option<String>,
}

/// What an event means here.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    Push(Push),
    Ping,
    Other,
}

/// How a provider names events and deliveries.
struct Provider {
    event: &'static str,
    pushes: &'static [&'static str],
    pings: &'static [&'static str],
    /// The first of these that is there.
    deliveries: &'static [&'static str],
}

/// Forgejo and Gitea send the headers of those before them too.
const PROVIDERS: [Provider; 5] = [
    Provider { event: "x-forgejo-event", pushes: &["push"], pings: &[], deliveries: &["x-forgejo-delivery"] },
    Provider { event: "x-gitea-event", pushes: &["push"], pings: &[], deliveries: &["x-gitea-delivery"] },
    Provider { event: "x-github-event", pushes: &["push"], pings: &["ping"], deliveries: &["x-github-delivery"] },
    Provider {
        event: "x-gitlab-event",
        pushes: &["Push Hook", "Tag Push Hook", "System Hook"],
        pings: &[],
        deliveries: &["webhook-id", "idempotency-key"],
    },
    Provider {
        event: "x-event-key",
        pushes: &["repo:push", "repo:refs_changed", "mirror:repo_synchronized"],
        pings: &["diagnostics:ping"],
        deliveries: &["x-request-uuid", "x-request-id"],
    },
];

/// The events of GitLab's system hooks that are about commits. Other hooks of it have none but these.
const GITLAB_PUSHES: [&str; 3] = ["push", "tag_push", "repository_update"];

/// Where addresses of a repository are, in `repository` and `project`.
const ADDRESSES: [&str; 13] = [
    "/clone_url",
    "/ssh_url",
    "/git_url",
    "/html_url",
    "/git_http_url",
    "/git_ssh_url",
    "/http_url",
    "/web_url",
    "/homepage",
    "/url",
    "/links/html/href",
    "/links/clone",
    "/links/self",
];

/// What matters of an event; the rest, commits above all, is read over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    r#ref: Value,
    after: Value,
    checkout_sha: Value,
    repository: Value,
    project: Value,
    push: Value,
    changes: Value,
    object_kind: Value,
    event_name: Value,
}

/// What a request means; nothing if its body can't be read.
pub(super) fn read(kind: Kind, request: &Request) -> Option<Meaning> {
    let headers = request.headers();
    let provider = PROVIDERS.iter().find(|provider| headers.contains_key(provider.event));
    let event = provider.and_then(|provider| text(headers, provider.event));
    let is_one_of = |names: fn(&Provider) -> &'static [&'static str]| {
        provider.zip(event).is_some_and(|(provider, event)| names(provider).contains(&event))
    };
    if is_one_of(|provider| provider.pings) {
        return Some(Meaning::Ping);
    }
    // A generic sender has no names for events, and its body may be anything.
    let is_generic = provider.is_none() && matches!(kind, Kind::Auto | Kind::Generic | Kind::GenericHmac);
    if !is_generic && !is_one_of(|provider| provider.pushes) {
        return Some(Meaning::Other);
    }
    let payload = match payload(request) {
        None if is_generic => Payload::default(),
        payload => payload?,
    };
    let gitlab = payload.object_kind.as_str().or(payload.event_name.as_str());
    if event == Some("System Hook") && !gitlab.is_some_and(|event| GITLAB_PUSHES.contains(&event)) {
        return Some(Meaning::Other);
    }
    let deliveries = provider.map_or(&["webhook-id"][..], |provider| provider.deliveries);
    let delivery = deliveries.iter().find_map(|name| text(headers, name)).map(ToOwned::to_owned);
    let (reference, commit) = payload.pushed();
    Some(Meaning::Push(Push { repositories: payload.addresses(), reference, commit, delivery }))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// The JSON of a body, which is in a form's field `payload` if GitHub's default is left as it is.
fn payload(request: &Request) -> Option<Payload> {
    let body = request.body();
    if !text(request.headers(), CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return serde_json::from_slice(body).ok();
    }
    let form = std::str::from_utf8(body).ok()?;
    let field = form.split('&').find_map(|field| field.strip_prefix("payload="))?;
    serde_json::from_slice(&unescaped(field)?).ok()
}

/// The value of a form's field: <https://url.spec.whatwg.org/#urlencoded-parsing>.
fn unescaped(field: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

impl Payload {
    fn addresses(&self) -> Vec<String> {
        let places = [&self.repository, &self.project];
        let values = places.into_iter().flat_map(|place| ADDRESSES.iter().filter_map(|pointer| place.pointer(pointer)));
        let mut addresses: Vec<String> = Vec::new();
        for value in values {
            // Bitbucket Data Center has lists of links.
            let links = value.as_array().into_iter().flatten().filter_map(|link| link["href"].as_str());
            for address in value.as_str().into_iter().chain(links).filter(|address| !address.is_empty()) {
                if !addresses.iter().any(|known| known == address) {
                    addresses.push(address.to_owned());
                }
            }
        }
        addresses
    }

    /// The one reference that was pushed, and its commit.
    fn pushed(&self) -> (Option<String>, Option<String>) {
        let first = |values: [&Value; 2]| values.into_iter().find_map(Value::as_str).map(ToOwned::to_owned);
        let cloud = self.push["changes"].as_array();
        let (reference, commit) = match cloud.or(self.changes.as_array()).map(Vec::as_slice) {
            Some([change]) if cloud.is_some() => (bitbucket_cloud(change), first([&change["new"]["target"]["hash"], &Value::Null])),
            // Data Center's, or those of a system hook of GitLab.
            Some([change]) => (first([&change["ref"]["id"], &change["ref"]]), first([&change["toHash"], &change["after"]])),
            Some(_) => (None, None),
            None => (first([&self.r#ref, &Value::Null]), first([&self.checkout_sha, &self.after])),
        };
        (reference, commit.filter(|commit| !commit.bytes().all(|byte| byte == b'0')))
    }
}

/// The branch or tag of a change, which is in `old` if it was deleted.
fn bitbucket_cloud(change: &Value) -> Option<String> {
    let target = if change["new"].is_object() { &change["new"] } else { &change["old"] };
    let folder = match target["type"].as_str()? {
        "branch" | "named_branch" => "heads",
        "tag" | "annotated_tag" => "tags",
        _ => return None,
    };
    Some(format!("refs/{folder}/{}", target["name"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn request(headers: &[(&str, &str)], body: &str) -> Request {
        let builder = headers.iter().fold(http::Request::post("/hook/x"), |builder, (name, value)| builder.header(*name, *value));
        builder.body(body.replace("COMMIT", COMMIT).replace("ZERO", ZERO).into_bytes()).unwrap()
    }

    fn push(headers: &[(&str, &str)], body: &str) -> Push {
        match read(Kind::Auto, &request(headers, body)) {
            Some(Meaning::Push(push)) => push,
            other => panic!("{other:?}: {body}"),
        }
    }

    type Headers<'a> = &'a [(&'a str, &'a str)];

    /// Headers, a body, and what it says: one of the addresses, the reference, the commit, the delivery.
    type Case<'a> = (Headers<'a>, &'a str, &'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>);

    fn check(table: &[Case]) {
        for (headers, body, address, reference, commit, delivery) in table {
            let push = push(headers, body);
            assert!(push.repositories.iter().any(|found| found == address), "{:?} lack {address}", push.repositories);
            let found = (push.reference.as_deref(), push.commit.as_deref(), push.delivery.as_deref());
            assert_eq!(found, (*reference, *commit, *delivery), "{body}");
        }
    }

    /// Each provider's push, as its documentation shows it.
    #[test]
    fn pushes() {
        check(&[
            (
                &[("x-github-event", "push"), ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")],
                r#"{"ref": "refs/heads/main", "before": "ZERO", "after": "COMMIT", "deleted": false, "commits": [{"id": "COMMIT"}],
                    "repository": {"id": 1, "full_name": "org/models", "html_url": "https://github.com/org/models",
                    "clone_url": "https://github.com/org/models.git", "ssh_url": "git@github.com:org/models.git",
                    "owner": {"url": "https://api.github.com/users/org"}}, "sender": {"url": "https://api.github.com/users/me"}}"#,
                "git@github.com:org/models.git",
                Some("refs/heads/main"),
                Some(COMMIT),
                Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ),
            (
                &[("x-github-event", "push"), ("content-type", "application/x-www-form-urlencoded")],
                "payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fold%22%2C%22after%22:%22ZERO%22,%22repository%22:%7B%22url%22:%22https://x/y%22%7D%7D",
                "https://x/y",
                Some("refs/heads/old"),
                None,
                None,
            ),
            (
                &[("x-gitlab-event", "Push Hook"), ("webhook-id", "w1"), ("idempotency-key", "w1")],
                r#"{"object_kind": "push", "ref": "refs/heads/main", "after": "COMMIT", "checkout_sha": "COMMIT",
                    "project": {"git_ssh_url": "git@gitlab.com:g/s/p.git", "git_http_url": "https://gitlab.com/g/s/p.git", "namespace": "g"},
                    "repository": {"url": "git@gitlab.com:g/s/p.git", "homepage": "https://gitlab.com/g/s/p"}}"#,
                "https://gitlab.com/g/s/p.git",
                Some("refs/heads/main"),
                Some(COMMIT),
                Some("w1"),
            ),
            (
                &[("x-gitlab-event", "Tag Push Hook"), ("idempotency-key", "k")],
                r#"{"object_kind": "tag_push", "ref": "refs/tags/v1", "after": "1111111111111111111111111111111111111111",
                    "checkout_sha": "COMMIT", "project": {"web_url": "https://gitlab.com/g/p"}}"#,
                "https://gitlab.com/g/p",
                Some("refs/tags/v1"),
                Some(COMMIT),
                Some("k"),
            ),
            (
                &[("x-gitlab-event", "System Hook")],
                r#"{"event_name": "repository_update", "project": {"web_url": "https://gitlab.com/g/p"},
                    "changes": [{"before": "ZERO", "after": "COMMIT", "ref": "refs/heads/main"}], "refs": ["refs/heads/main"]}"#,
                "https://gitlab.com/g/p",
                Some("refs/heads/main"),
                Some(COMMIT),
                None,
            ),
            (
                &[("x-forgejo-event", "push"), ("x-gitea-event", "push"), ("x-github-event", "push"), ("x-forgejo-delivery", "f")],
                r#"{"ref": "refs/heads/main", "after": "COMMIT", "repository": {"clone_url": "http://git.example:3000/a/b.git",
                    "ssh_url": "ssh://git@git.example:2222/a/b.git"}}"#,
                "ssh://git@git.example:2222/a/b.git",
                Some("refs/heads/main"),
                Some(COMMIT),
                Some("f"),
            ),
        ]);
    }

    #[test]
    fn pushes_of_bitbucket() {
        check(&[
            (
                &[("x-event-key", "repo:push"), ("x-request-uuid", "u")],
                r#"{"repository": {"full_name": "t/r", "links": {"html": {"href": "https://bitbucket.org/t/r"}}},
                    "push": {"changes": [{"new": {"type": "branch", "name": "main", "target": {"hash": "COMMIT"}}, "old": null}]}}"#,
                "https://bitbucket.org/t/r",
                Some("refs/heads/main"),
                Some(COMMIT),
                Some("u"),
            ),
            (
                &[("x-event-key", "repo:push")],
                r#"{"repository": {"links": {"html": {"href": "https://bitbucket.org/t/r"}}},
                    "push": {"changes": [{"new": null, "old": {"type": "tag", "name": "v1", "target": {"hash": "COMMIT"}}}]}}"#,
                "https://bitbucket.org/t/r",
                Some("refs/tags/v1"),
                None,
                None,
            ),
            (
                &[("x-event-key", "repo:refs_changed"), ("x-request-id", "r")],
                r#"{"eventKey": "repo:refs_changed", "changes": [{"ref": {"id": "refs/heads/main", "type": "BRANCH"}, "toHash": "COMMIT",
                    "type": "UPDATE"}], "repository": {"slug": "r", "links": {"clone": [{"href": "https://bb.example/scm/p/r.git", "name": "http"},
                    {"href": "ssh://git@bb.example:7999/p/r.git", "name": "ssh"}]}}}"#,
                "ssh://git@bb.example:7999/p/r.git",
                Some("refs/heads/main"),
                Some(COMMIT),
                Some("r"),
            ),
            (
                &[("x-event-key", "repo:push")],
                r#"{"repository": {"links": {"html": {"href": "https://bitbucket.org/t/r"}}},
                    "push": {"changes": [{"new": {"type": "branch", "name": "a"}}, {"new": {"type": "branch", "name": "b"}}]}}"#,
                "https://bitbucket.org/t/r",
                None,
                None,
                None,
            ),
        ]);
    }

    #[test]
    fn addresses_are_the_repositorys_alone_and_each_once() {
        let body = r#"{"repository": {"clone_url": "https://x/a", "url": "https://x/a", "owner": {"html_url": "https://x"}, "homepage": ""},
            "project": {"web_url": "https://x/b", "url": 7}, "sender": {"url": "https://x/me"}}"#;
        assert_eq!(push(&[("x-github-event", "push")], body).repositories, ["https://x/a", "https://x/b"]);
    }

    #[test]
    fn what_is_no_push() {
        let ping = |headers: &[(&str, &str)]| read(Kind::Auto, &request(headers, "{}"));
        for ping in [ping(&[("x-github-event", "ping")]), ping(&[("x-event-key", "diagnostics:ping")])] {
            assert_eq!(ping, Some(Meaning::Ping));
        }
        let others: [(Kind, Headers, &str); 7] = [
            (Kind::GitHub, &[("x-github-event", "pull_request")], "{}"),
            (Kind::GitHub, &[("x-github-event", "Push")], "{}"),
            (Kind::GitHub, &[("x-github-event", "issues")], "no JSON"),
            (Kind::GitHub, &[], r#"{"ref": "refs/heads/main"}"#),
            (Kind::GitLab, &[("x-gitlab-event", "System Hook")], r#"{"event_name": "user_create"}"#),
            (Kind::GitLab, &[("x-gitlab-event", "Merge Request Hook")], r#"{"object_kind": "merge_request"}"#),
            (Kind::Bitbucket, &[("x-event-key", "pr:opened")], "{}"),
        ];
        for (kind, headers, body) in others {
            assert_eq!(read(kind, &request(headers, body)), Some(Meaning::Other), "{headers:?} {body}");
        }
    }

    #[test]
    fn bodies_of_any_kind() {
        for body in ["", "{", "[]x", "null null", "payload={}", "\u{0}"] {
            assert_eq!(read(Kind::GitHub, &request(&[("x-github-event", "push")], body)), None, "{body}");
            let push = Meaning::Push(Push::default());
            assert_eq!(read(Kind::Generic, &request(&[], body)), Some(push), "{body}: a generic one needs none");
        }
        for body in [r#"{"ref": {}, "repository": [1], "changes": 3, "push": "x"}"#, r#"{"push": {"changes": [7]}}"#, r#"{"changes": []}"#]
        {
            assert_eq!(push(&[("x-github-event", "push")], body), Push::default(), "{body}");
        }
        let form = [("x-github-event", "push"), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        for body in ["payload=%", "payload=%7", "payload=%zz", "other=%7B%7D", ""] {
            assert_eq!(read(Kind::GitHub, &request(&form, body)), None, "{body}");
        }
        let generic =
            request(&[("webhook-id", "1")], r#"{"ref": "refs/heads/main", "after": "COMMIT", "repository": {"url": "https://x/a"}}"#);
        let Some(Meaning::Push(push)) = read(Kind::GenericHmac, &generic) else { panic!("it is a push") };
        assert_eq!((push.repositories.as_slice(), push.delivery.as_deref()), (&["https://x/a".to_owned()][..], Some("1")));
    }
}
