//! Whether a body is signed with a token, in each provider's way. All comparisons take the same time whatever differs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::receiver::Kind;
use crate::secrets::Secret;

/// How far a signed moment may be from now, in seconds, as Standard Webhooks' own libraries have it.
const TOLERANCE: u64 = 300;
/// What a token to sign with begins with: <https://www.standardwebhooks.com>. The key is base64 after that.
const SIGNING_TOKEN: &str = "whsec_";

/// Why a request is refused. Nothing here is secret, but it is for logs only.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// No receiver has this path. It may be a secret that somebody mistyped.
    #[error("no receiver has this path, which is /hook/ and the name of one; the path itself isn't logged, as it may be a secret")]
    UnknownReceiver,
    /// The receiver can't verify anything.
    #[error("the receiver has no token, so nothing can be verified: give it one")]
    NoToken,
    /// The receiver can't verify anything with its token.
    #[error("the receiver's token begins with whsec_, but isn't base64 after that")]
    BadToken,
    /// The header with the proof is missing.
    #[error("the header {0} is missing: set the receiver's token at the sender too")]
    Unsigned(&'static str),
    /// The header with the proof isn't written as it should be, or names another algorithm.
    #[error("the header {0} isn't in the form that is expected")]
    Malformed(&'static str),
    /// The proof is of another token or another body.
    #[error("the header {0} doesn't fit the body and the receiver's token")]
    Wrong(&'static str),
    /// It was signed too long ago, or a clock is wrong.
    #[error("the header webhook-timestamp is more than five minutes away from now: replayed, or a clock is wrong")]
    Stale,
}

/// Whether a body is signed with a token, at a moment in seconds since 1970.
pub(super) fn verify(kind: Kind, token: &Secret, headers: &HeaderMap, body: &[u8], now: u64) -> Result<(), Refusal> {
    let token = token.expose().as_str();
    match kind.of(headers) {
        Kind::GitHub => digest(headers, "x-hub-signature-256", &["sha256"], token, body),
        Kind::Bitbucket => digest(headers, "x-hub-signature", &["sha256"], token, body),
        Kind::GenericHmac => digest(headers, "x-signature", &["sha1", "sha256", "sha512"], token, body),
        Kind::Gitea => match ["x-forgejo-signature", "x-gitea-signature"].into_iter().find(|name| headers.contains_key(*name)) {
            Some(name) => bare_digest(headers, name, token, body),
            None => digest(headers, "x-hub-signature-256", &["sha256"], token, body),
        },
        // A token to sign with never travels itself.
        Kind::GitLab if token.starts_with(SIGNING_TOKEN) || headers.contains_key("webhook-signature") => {
            standard(headers, token, body, now)
        }
        Kind::GitLab => is_token(token, text(headers, "x-gitlab-token")?, "x-gitlab-token"),
        Kind::Generic | Kind::Auto => {
            let given = text(headers, "authorization")?.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let (_, given) = given.ok_or(Refusal::Malformed("authorization"))?;
            is_token(token, given.trim(), "authorization")
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refusal> {
    let value = headers.get(name).filter(|value| !value.is_empty()).ok_or(Refusal::Unsigned(name))?;
    value.to_str().map_err(|_| Refusal::Malformed(name))
}

/// `ALGORITHM=HEX`, with an algorithm that is allowed.
fn digest(headers: &HeaderMap, name: &'static str, allowed: &[&str], token: &str, body: &[u8]) -> Result<(), Refusal> {
    let (algorithm, hex) = text(headers, name)?.split_once('=').ok_or(Refusal::Malformed(name))?;
    if !allowed.contains(&algorithm) {
        return Err(Refusal::Malformed(name));
    }
    let tag = bytes(hex).ok_or(Refusal::Malformed(name))?;
    let is_right = match algorithm {
        "sha1" => is_mac::<Hmac<Sha1>>(token.as_bytes(), &[body], &tag),
        "sha256" => is_mac::<Hmac<Sha256>>(token.as_bytes(), &[body], &tag),
        _ => is_mac::<Hmac<Sha512>>(token.as_bytes(), &[body], &tag),
    };
    if is_right { Ok(()) } else { Err(Refusal::Wrong(name)) }
}

/// HEX alone, of SHA-256.
fn bare_digest(headers: &HeaderMap, name: &'static str, token: &str, body: &[u8]) -> Result<(), Refusal> {
    let tag = bytes(text(headers, name)?).ok_or(Refusal::Malformed(name))?;
    if is_mac::<Hmac<Sha256>>(token.as_bytes(), &[body], &tag) { Ok(()) } else { Err(Refusal::Wrong(name)) }
}

/// Standard Webhooks: an identifier, a moment and the body are signed, perhaps with several keys while one replaces another.
fn standard(headers: &HeaderMap, token: &str, body: &[u8], now: u64) -> Result<(), Refusal> {
    let signatures = text(headers, "webhook-signature")?;
    let (id, moment) = (text(headers, "webhook-id")?, text(headers, "webhook-timestamp")?);
    let signed_at: u64 = moment.parse().map_err(|_| Refusal::Malformed("webhook-timestamp"))?;
    if now.abs_diff(signed_at) > TOLERANCE {
        return Err(Refusal::Stale);
    }
    let key = match token.strip_prefix(SIGNING_TOKEN) {
        Some(key) => Secret::new(STANDARD.decode(key).ok().filter(|key| !key.is_empty()).ok_or(Refusal::BadToken)?),
        None => Secret::new(token.as_bytes().to_owned()),
    };
    let mut tags = signatures.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok()).peekable();
    if tags.peek().is_none() {
        return Err(Refusal::Malformed("webhook-signature"));
    }
    let signed = [id.as_bytes(), b".", moment.as_bytes(), b".", body];
    if tags.any(|tag| is_mac::<Hmac<Sha256>>(key.expose(), &signed, &tag)) { Ok(()) } else { Err(Refusal::Wrong("webhook-signature")) }
}

fn is_mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    M::new_from_slice(key).is_ok_and(|mut mac| {
        parts.iter().for_each(|part| mac.update(part));
        mac.verify_slice(tag).is_ok()
    })
}

/// Hashes are compared, so that not even the length of the token shows.
fn is_token(token: &str, given: &str, name: &'static str) -> Result<(), Refusal> {
    if Sha256::digest(token).ct_eq(&Sha256::digest(given)).into() { Ok(()) } else { Err(Refusal::Wrong(name)) }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const TOKEN: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    /// The example of <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>; so are the others, made by
    /// `openssl dgst -hmac`.
    const SHA256: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const SHA1: &str = "01dc10d0c83e72ed246219cdd91669667fe2ca59";
    const SHA512: &str = "11ed355a617e98134e842012a7944ccf59c10256cb182357bd7e3a42013ff07c\
        376f8c14cf5cc1923da20b51d64256b2fb8ebbf100aa67a61326f61fea8111bc";

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn check(kind: Kind, list: &[(&'static str, &str)]) -> Result<(), Refusal> {
        verify(kind, &TOKEN.into(), &headers(list), BODY, 0)
    }

    /// Every header with a digest of the body: the kind, the header, what is before the digest.
    const DIGESTS: [(Kind, &str, &str); 5] = [
        (Kind::GitHub, "x-hub-signature-256", "sha256="),
        (Kind::Bitbucket, "x-hub-signature", "sha256="),
        (Kind::GenericHmac, "x-signature", "sha256="),
        (Kind::Gitea, "x-gitea-signature", ""),
        (Kind::Gitea, "x-forgejo-signature", ""),
    ];

    #[test]
    fn digests() {
        for (kind, name, prefix) in DIGESTS {
            for kind in [kind, Kind::Auto] {
                let check = |digest: &str| check(kind, &[(name, &format!("{prefix}{digest}"))]);
                let table = [
                    (SHA256.to_owned(), Ok(())),
                    (SHA256.to_uppercase(), Ok(())),
                    (SHA256.replace('7', "8"), Err(Refusal::Wrong(name))),
                    (SHA256[..62].to_owned(), Err(Refusal::Wrong(name))),
                    (SHA256[..2].to_owned(), Err(Refusal::Wrong(name))),
                    (format!("{SHA256}00"), Err(Refusal::Wrong(name))),
                    (SHA1.to_owned(), Err(Refusal::Wrong(name))),
                    (SHA512.to_owned(), Err(Refusal::Wrong(name))),
                    (SHA256[..63].to_owned(), Err(Refusal::Malformed(name))),
                    (format!(" {SHA256}"), Err(Refusal::Malformed(name))),
                    (SHA256.replace('7', "x"), Err(Refusal::Malformed(name))),
                ];
                for (digest, want) in table {
                    assert_eq!(check(&digest), want, "{kind:?} {name}: {digest}");
                }
                for at in 0..BODY.len() {
                    let mut body = BODY.to_owned();
                    body[at] ^= 1;
                    let headers = headers(&[(name, &format!("{prefix}{SHA256}"))]);
                    assert_eq!(verify(kind, &TOKEN.into(), &headers, &body, 0), Err(Refusal::Wrong(name)), "{kind:?}, byte {at}");
                    assert_eq!(verify(kind, &"another".into(), &headers, BODY, 0), Err(Refusal::Wrong(name)), "{kind:?}");
                }
            }
            assert!(matches!(check(kind, &[]), Err(Refusal::Unsigned(_))), "{kind:?}");
            assert_eq!(check(kind, &[(name, "")]), Err(Refusal::Unsigned(name)), "{kind:?}");
        }
    }

    #[test]
    fn algorithms() {
        let table = [
            (Kind::GenericHmac, "x-signature", "sha1", SHA1, true),
            (Kind::GenericHmac, "x-signature", "sha512", SHA512, true),
            (Kind::GenericHmac, "x-signature", "sha512", SHA256, false),
            (Kind::GenericHmac, "x-signature", "md5", SHA256, false),
            (Kind::GenericHmac, "x-signature", "", SHA256, false),
            (Kind::GitHub, "x-hub-signature-256", "sha1", SHA1, false),
            (Kind::GitHub, "x-hub-signature-256", "SHA256", SHA256, false),
            (Kind::Bitbucket, "x-hub-signature", "sha1", SHA1, false),
            // What GitHub sends beside the header that counts.
            (Kind::GitHub, "x-hub-signature", "sha1", SHA1, false),
            (Kind::Gitea, "x-hub-signature-256", "sha256", SHA256, true),
            // What another provider would send.
            (Kind::GitLab, "x-hub-signature-256", "sha256", SHA256, false),
            (Kind::Generic, "x-signature", "sha256", SHA256, false),
        ];
        for (kind, name, algorithm, digest, want) in table {
            let result = check(kind, &[(name, &format!("{algorithm}={digest}"))]);
            assert_eq!(result.is_ok(), want, "{kind:?} {name}: {algorithm}: {result:?}");
        }
    }

    #[test]
    fn plain_tokens() {
        let table = [
            (Kind::GitLab, "x-gitlab-token", TOKEN, Ok(())),
            (Kind::Auto, "x-gitlab-token", TOKEN, Ok(())),
            (Kind::GitLab, "x-gitlab-token", "it's a secret to everybody", Err(Refusal::Wrong("x-gitlab-token"))),
            (Kind::GitLab, "x-gitlab-token", "It's a Secret to Everybod", Err(Refusal::Wrong("x-gitlab-token"))),
            (Kind::GitLab, "x-gitlab-token", "", Err(Refusal::Unsigned("x-gitlab-token"))),
            (Kind::GitLab, "authorization", TOKEN, Err(Refusal::Unsigned("x-gitlab-token"))),
            (Kind::Generic, "authorization", "Bearer It's a Secret to Everybody", Ok(())),
            (Kind::Auto, "authorization", "bearer It's a Secret to Everybody", Ok(())),
            (Kind::Generic, "authorization", "Bearer another", Err(Refusal::Wrong("authorization"))),
            (Kind::Generic, "authorization", "Basic It's a Secret to Everybody", Err(Refusal::Malformed("authorization"))),
            (Kind::Generic, "authorization", "Secret", Err(Refusal::Malformed("authorization"))),
            (Kind::GitHub, "authorization", "Bearer It's a Secret to Everybody", Err(Refusal::Unsigned("x-hub-signature-256"))),
        ];
        for (kind, name, value, want) in table {
            assert_eq!(check(kind, &[(name, value)]), want, "{kind:?} {name}: {value}");
        }
    }

    /// The example of <https://github.com/standard-webhooks/standard-webhooks>, and what may differ from it.
    #[test]
    fn standard_webhooks() {
        const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        const MOMENT: u64 = 1_614_265_330;
        const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        const BODY: &[u8] = br#"{"test": 2432232314}"#;
        let name = "webhook-signature";
        let check = |token: &str, id: &str, moment: &str, signature: &str, now: u64| {
            let headers = headers(&[("webhook-id", id), ("webhook-timestamp", moment), (name, signature)]);
            let result = verify(Kind::GitLab, &token.into(), &headers, BODY, now);
            assert_eq!(verify(Kind::Auto, &token.into(), &headers, BODY, now), result);
            result
        };
        let moment = MOMENT.to_string();
        let several = format!("v1a,AAAA v1,AAAA {SIGNATURE}");
        let table = [
            (KEY, ID, moment.as_str(), SIGNATURE, MOMENT, Ok(())),
            (KEY, ID, &moment, &several, MOMENT, Ok(())),
            (KEY, ID, &moment, SIGNATURE, MOMENT + 300, Ok(())),
            (KEY, ID, &moment, SIGNATURE, MOMENT - 300, Ok(())),
            (KEY, ID, &moment, SIGNATURE, MOMENT + 301, Err(Refusal::Stale)),
            (KEY, ID, &moment, SIGNATURE, MOMENT - 301, Err(Refusal::Stale)),
            (KEY, ID, "1614265331", SIGNATURE, MOMENT, Err(Refusal::Wrong(name))),
            (KEY, ID, "yesterday", SIGNATURE, MOMENT, Err(Refusal::Malformed("webhook-timestamp"))),
            (KEY, ID, "", SIGNATURE, MOMENT, Err(Refusal::Unsigned("webhook-timestamp"))),
            (KEY, "msg_other", &moment, SIGNATURE, MOMENT, Err(Refusal::Wrong(name))),
            (KEY, "", &moment, SIGNATURE, MOMENT, Err(Refusal::Unsigned("webhook-id"))),
            (KEY, ID, &moment, "", MOMENT, Err(Refusal::Unsigned(name))),
            (KEY, ID, &moment, &SIGNATURE[3..], MOMENT, Err(Refusal::Malformed(name))),
            (KEY, ID, &moment, "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", MOMENT, Err(Refusal::Malformed(name))),
            (KEY, ID, &moment, "v1,g0hM9SsE+OTPJTGt", MOMENT, Err(Refusal::Wrong(name))),
            ("whsec_AAAA", ID, &moment, SIGNATURE, MOMENT, Err(Refusal::Wrong(name))),
            ("whsec_not base64", ID, &moment, SIGNATURE, MOMENT, Err(Refusal::BadToken)),
            ("whsec_", ID, &moment, SIGNATURE, MOMENT, Err(Refusal::BadToken)),
        ];
        for (token, id, moment, signature, now, want) in table {
            assert_eq!(check(token, id, moment, signature, now), want, "{token} {id} {moment} {signature} {now}");
        }
        let plain = headers(&[("x-gitlab-token", KEY)]);
        assert_eq!(verify(Kind::GitLab, &KEY.into(), &plain, BODY, MOMENT), Err(Refusal::Unsigned(name)), "a signing token is never sent");
    }
}
