//! Addresses of repositories, revisions, and what is followed.

use kaito::server::hook::same_repository;
use kaito::source::{Range, VersionRange, is_same_origin, is_same_repository, normal_url, shown_url, site_of};

/// What nobody may see of an address.
const CANARY: &str = "kaito-canary-fuzz";

/// An address is itself, is compared alike in both directions, and shows no login. A range is read as it is shown.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (one, other) = text.split_once('\n').unwrap_or((text, "https://example.com/org/models.git"));
    if let Ok(normal) = normal_url(one) {
        assert!(is_same_repository(one, one), "{one:?}");
        assert!(!normal.is_empty(), "{one:?}");
        _ = site_of(one);
    }
    assert_eq!(is_same_repository(one, other), is_same_repository(other, one), "{one:?} {other:?}");
    assert_eq!(is_same_origin(one, other), is_same_origin(other, one), "{one:?} {other:?}");
    assert!(same_repository(one, one), "{one:?}");
    assert_eq!(same_repository(one, other), same_repository(other, one), "{one:?} {other:?}");
    // What is shown has no control characters: without them, it may be spelled out in the input itself.
    if !one.chars().filter(|c| !c.is_control()).collect::<String>().contains(CANARY) {
        hides(one);
    }
    if let Ok(range) = one.parse::<Range>() {
        assert_eq!(range.to_string().parse(), Ok(range), "{one:?}");
    }
    if let Err(error) = one.parse::<VersionRange>() {
        assert!(error.to_string().contains("no range of versions"), "{one:?}");
    }
}

/// A login in an address is neither accepted nor shown, wherever else it leads.
fn hides(rest: &str) {
    for address in [
        format!("https://me:{CANARY}@{rest}"),
        format!("http://{CANARY}@{rest}"),
        format!("ssh://git:{CANARY}@{rest}"),
        format!("https://example.com/{rest}?token={CANARY}"),
        format!("https://example.com/{rest}#{CANARY}"),
    ] {
        assert!(!shown_url(&address).contains(CANARY), "{address:?} is shown as {:?}", shown_url(&address));
        match normal_url(&address) {
            Ok(normal) => assert!(!normal.contains(CANARY), "{address:?} is taken as {normal:?}"),
            Err(error) => assert!(!format!("{error} {error:?}").contains(CANARY), "{address:?}: {error:?}"),
        }
        assert_eq!(site_of(&address).filter(|(site, path)| site.contains(CANARY) || path.contains(CANARY)), None, "{address:?}");
    }
}
