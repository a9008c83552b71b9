//! What is sent to a receiver of webhooks: a line with its kind, headers, an empty line, and a body.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use kaito::server::hook::{Heard, Hooks, Kind, Receiver};
use sha2::Sha256;

const TOKEN: &str = "kaito-canary-fuzz of a webhook";

/// Headers by which a request proves where it comes from.
const PROOFS: [&str; 8] = [
    "authorization",
    "webhook-signature",
    "x-forgejo-signature",
    "x-gitea-signature",
    "x-gitlab-token",
    "x-hub-signature",
    "x-hub-signature-256",
    "x-signature",
];

/// Without a proof it is refused, whatever it says. With one it is heard or can't be read, the same whenever it comes, and the token is
/// nowhere.
pub fn holds(bytes: &[u8]) {
    let at = bytes.windows(2).position(|two| two == b"\n\n").unwrap_or(bytes.len());
    // Who knows the token may say it.
    if bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()) {
        return;
    }
    let (head, body) = (&bytes[..at], bytes.get(at + 2..).unwrap_or_default());
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let Ok(kind) = lines.next().unwrap_or_default().parse::<Kind>() else { return };
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    let mut headers: HeaderMap = lines.filter_map(header).collect();
    let (status, heard) = sent(kind, &headers, body);
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{heard:?}");
    assert!(matches!(heard, Heard::Refused(_)), "{heard:?}");
    prove(kind, &mut headers, body);
    let (status, heard) = sent(kind, &headers, body);
    assert_eq!((status, &heard), (sent(kind, &headers, body).0, &sent(kind, &headers, body).1));
    match heard {
        Heard::Push(_) | Heard::Other => assert_eq!(status, StatusCode::ACCEPTED),
        Heard::Ping => assert_eq!(status, StatusCode::OK),
        Heard::Unreadable => assert_eq!(status, StatusCode::BAD_REQUEST),
        heard => panic!("{kind:?} {headers:?}: {heard:?}"),
    }
}

fn sent(kind: Kind, headers: &HeaderMap, body: &[u8]) -> (StatusCode, Heard) {
    let heard = Arc::new(Mutex::new(None));
    let hooks = Hooks::new({
        let heard = Arc::clone(&heard);
        move |_, what| *heard.lock().expect("nobody panics with it") = Some(what.clone())
    });
    let token = Arc::new(|| Some(TOKEN.into()));
    hooks.set_receivers(vec![Receiver { name: "a".to_owned(), namespace: "kaito".to_owned(), kind, token }]);
    let mut request = Request::post("/hook/a").body(body.to_vec()).expect("a request");
    request.headers_mut().clone_from(headers);
    let answer = hooks.answer(&request, 0);
    let heard = heard.lock().expect("nobody panics with it").take().expect("something was heard");
    assert!(!format!("{heard:?}").contains(TOKEN) && !String::from_utf8_lossy(answer.body()).contains(TOKEN), "{heard:?}");
    (answer.status(), heard)
}

/// Puts the right proof into the headers, in the way of this kind, in the place of all others. A receiver of any kind gets that of the sender
/// whose header is there, and one of GitLab with an identifier a signature.
fn prove(kind: Kind, headers: &mut HeaderMap, body: &[u8]) {
    let has = |name: &str| headers.contains_key(name);
    let kind = match kind {
        Kind::Auto if has("x-gitea-signature") => Kind::Gitea,
        Kind::Auto if has("x-hub-signature-256") => Kind::GitHub,
        Kind::Auto if has("x-gitlab-token") || has("webhook-signature") => Kind::GitLab,
        Kind::Auto if has("x-hub-signature") => Kind::Bitbucket,
        Kind::Auto if has("x-signature") => Kind::GenericHmac,
        kind => kind,
    };
    PROOFS.iter().for_each(|name| _ = headers.remove(*name));
    if let Some(id) = headers.get("webhook-id").cloned().filter(|id| kind == Kind::GitLab && !id.is_empty() && id.to_str().is_ok()) {
        headers.insert("webhook-timestamp", "7".parse().expect("a header"));
        let tag = STANDARD.encode(mac(&[id.as_bytes(), b".7.", body]));
        headers.insert("webhook-signature", format!("v1,{tag}").parse().expect("a header"));
        return;
    }
    let digest = mac(&[body]).iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    });
    let (name, value) = match kind {
        Kind::GitHub => ("x-hub-signature-256", format!("sha256={digest}")),
        Kind::Bitbucket => ("x-hub-signature", format!("sha256={digest}")),
        Kind::GenericHmac => ("x-signature", format!("sha256={digest}")),
        Kind::Gitea => ("x-gitea-signature", digest),
        Kind::GitLab => ("x-gitlab-token", TOKEN.to_owned()),
        Kind::Generic | Kind::Auto => ("authorization", format!("Bearer {TOKEN}")),
    };
    headers.insert(name, value.parse().expect("a header"));
}

fn mac(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).expect("any length is a key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
