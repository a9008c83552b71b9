//! Container images: references as Docker reads them, other names for them, and which of them objects need.
//!
//! Source: `github.com/distribution/reference`.

mod rewrite;
mod used;

use serde_json::Value;

pub use rewrite::{ImageEntry, ImageRules, RegistryMirror};
pub use used::{Use, UsedImages};

/// Whether this is a reference of an image: `[registry/]repository[:tag][@digest]`, the repository in lower case.
pub fn is_reference(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let (name, tag) = split_tag(name);
    let tag_fits = tag.is_none_or(|tag| {
        (1..=128).contains(&tag.len())
            && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
            && !tag.starts_with(['.', '-'])
    });
    let digest_fits = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty()
                && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'_' | b'-'))
                && hex.len() >= 32
                && hex.bytes().all(|b| b.is_ascii_hexdigit())
        })
    });
    let (domain, path) = split_domain(name);
    let domain_fits =
        domain.is_none_or(|domain| domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']')));
    tag_fits && digest_fits && domain_fits && !path.is_empty() && name.len() <= 255 && path.split('/').all(is_path_component)
}

/// The full form of a reference: registry, `library/`, and `latest` filled in.
pub fn normalise(text: &str) -> String {
    let (name, tag, digest) = split(text);
    let name = normalise_name(name);
    match (digest, tag) {
        // A digest says more than a tag, and skopeo takes only one of them.
        (Some(digest), _) => format!("{name}@{digest}"),
        (None, tag) => format!("{name}:{}", tag.unwrap_or("latest")),
    }
}

/// The full form of a name: registry and `library/` filled in.
fn normalise_name(name: &str) -> String {
    let (domain, path) = split_domain(name);
    let domain = match domain {
        None | Some("index.docker.io") => "docker.io",
        Some(domain) => domain,
    };
    let library = if domain == "docker.io" && !path.contains('/') { "library/" } else { "" };
    format!("{domain}/{library}{path}")
}

/// A reference in its parts: name, tag and digest.
pub fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let (name, tag) = split_tag(name);
    (name, tag, digest)
}

/// Visits the images of all pods in a value, those of containers and of volumes, each with its path below `at`.
fn each_in_pods(value: &mut Value, at: &str, visit: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::Array(items) => {
            items.iter_mut().enumerate().for_each(|(number, item)| each_in_pods(item, &format!("{at}[{number}]"), visit));
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                let image = match name.as_str() {
                    "containers" | "initContainers" | "ephemeralContainers" => "image",
                    "volumes" => "image/reference",
                    _ => "",
                };
                for (number, item) in value.as_array_mut().filter(|_| !image.is_empty()).into_iter().flatten().enumerate() {
                    if let Some(Value::String(text)) = item.pointer_mut(&format!("/{image}")) {
                        visit(&format!("{at}[{number}].{}", image.replace('/', ".")), text);
                    }
                }
                each_in_pods(value, &at, visit);
            }
        }
        _ => {}
    }
}

/// The images of all pods in a value.
pub fn in_pods(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    each_in_pods(&mut value.clone(), "", &mut |_, image| found.push(image.clone()));
    found
}

fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => (before, Some(tag)),
        _ => (name, None),
    }
}

/// The registry is the first part if it looks like a host.
fn split_domain(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    let separators_fit = part
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    ends && separators_fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_full() {
        let table = [
            ("busybox", Some("docker.io/library/busybox:latest")),
            ("acr.io/adapters/phi:0.0.1", Some("acr.io/adapters/phi:0.0.1")),
            ("user/image", Some("docker.io/user/image:latest")),
            ("localhost:5000/a:1", Some("localhost:5000/a:1")),
            ("r.io/a:1@sha256:00000000000000000000000000000000", Some("r.io/a@sha256:00000000000000000000000000000000")),
            ("IMAGE", None),
            ("r.io/Upper:1", None),
            ("a b", None),
            ("", None),
            ("r.io/a:", None),
            ("r.io/a';rm -rf /", None),
            ("r.io/a..b:1", None),
            ("r.io/a__b--c:1", Some("r.io/a__b--c:1")),
        ];
        for (text, want) in table {
            assert_eq!(is_reference(text), want.is_some(), "{text}");
            if let Some(want) = want {
                assert_eq!(normalise(text), want, "{text}");
            }
        }
    }
}
