//! What a git server lists: a line with what is followed, and lines that it sends as packets.

use kaito::diagnostic::Diagnostic;
use kaito::source::{Head, Reference, head_in};

use super::world::is_said_well;

/// Where they come from.
const URL: &str = "https://example.com/org/models.git";

/// The same commit is found twice, by its whole id and by the name that is followed; or it is said what the server did wrong.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (first, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let Some(reference) = followed(first) else { return };
    let sent = packets(lines);
    let found = head_in(URL, &sent, &reference);
    match &found {
        Ok(Some(head)) => is_meant(head, &reference, lines),
        Ok(None) => {}
        Err(error) => is_said_well(&[error.finding()]),
    }
    let say = |found: Result<Option<Head>, _>| found.map_err(|error| Diagnostic::error(format!("{error}")).message);
    assert_eq!(say(found), say(head_in(URL, &sent, &reference)), "{reference}");
    // What breaks off is never taken for the whole, unless nothing of it is missing.
    let part = sent.len() / 2;
    if let (Reference::Branch(name), Ok(Some(head))) = (&reference, head_in(URL, &sent[..part], &reference)) {
        is_meant(&head, &Reference::Branch(name.clone()), lines);
    }
}

/// What is followed: `branch main`, `tag v1`, `semver 1.x`, `commit 3f9c...`, or a full name.
fn followed(line: &str) -> Option<Reference> {
    Some(match line.split_once(' ') {
        None if line == "HEAD" => Reference::Default,
        None => Reference::Name(line.to_owned()),
        Some(("branch", name)) => Reference::Branch(name.to_owned()),
        Some(("tag", name)) => Reference::Tag(name.to_owned()),
        Some(("semver", range)) => Reference::SemVer(range.parse().ok()?),
        Some(_) => return None,
    })
}

/// Lines as packets. An empty line ends a list, `--` ends a section, and what stands behind a `!` is sent as it is.
fn packets(lines: &str) -> Vec<u8> {
    let packet = |line: &str| match line {
        "" => "0000".to_owned(),
        "--" => "0001".to_owned(),
        line => line.strip_prefix('!').map_or_else(|| format!("{:04x}{line}\n", line.len() + 5), ToOwned::to_owned),
    };
    lines.split('\n').map(packet).collect::<String>().into_bytes()
}

fn is_meant(head: &Head, reference: &Reference, lines: &str) {
    let is_id = head.commit.len() == 40 && head.commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_id && lines.contains(&head.commit), "{head:?}");
    let pointer = head.pointer.as_deref();
    // What is followed is one's own to name; what the server says goes into logs and statuses.
    assert!(*reference != Reference::Default || !head.to_string().contains(char::is_control), "{head:?}");
    match reference {
        Reference::Branch(name) | Reference::Tag(name) => assert_eq!(pointer, Some(name.as_str()), "{reference}"),
        Reference::Name(name) => assert!(pointer.is_some_and(|pointer| name.ends_with(pointer)), "{reference}: {head:?}"),
        _ => {}
    }
}
