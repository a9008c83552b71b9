//! How a registry wants to be told who asks: the header `WWW-Authenticate` (RFC 9110, 11.6.1).

use std::collections::BTreeMap;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password, with each request.
    Basic,
    /// A token, which is given out somewhere else.
    Bearer {
        /// Where.
        realm: String,
        /// For whom, in the words of the registry.
        service: Option<String>,
    },
}

impl Challenge {
    /// What the values of the header want; a token, if that is one of several ways.
    pub(super) fn read<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Self> {
        let mut all: Vec<Self> = headers.filter_map(Self::of).collect();
        let at = all.iter().position(|challenge| *challenge != Self::Basic).unwrap_or(0);
        (at < all.len()).then(|| all.swap_remove(at))
    }

    fn of(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let mut parameters = parameters(rest);
        let realm = parameters.remove("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        Some(Self::Bearer { realm, service: parameters.remove("service") })
    }
}

/// The parameters of a challenge: names, and values that may stand in quotes, between commas.
fn parameters(mut text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_lowercase();
        let (value, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => rest.split_once(',').map_or((rest.trim().to_owned(), ""), |(value, after)| (value.trim().to_owned(), after)),
        };
        all.insert(name, value);
        text = after;
    }
    all
}

/// A value up to its closing quote, and what follows.
fn quoted_value(text: &str) -> (String, &str) {
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return (value, &text[at + 1..]),
            character => {
                value.push(character);
                is_escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(ToOwned::to_owned) })
        };
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let table = [
            (&[hub][..], bearer("https://auth.docker.io/token", Some("registry.docker.io"))),
            (&[r#"Basic realm="x""#, r#"bearer  Realm = "a\"b" , service=c"#], bearer("a\"b", Some("c"))),
            (&[r#"Basic realm="x""#], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (&["Bearer service=x"], None),
            (&[r#"Negotiate realm="x""#, ""], None),
            (&[r#"Bearer realm="unfinished"#], bearer("unfinished", None)),
            (&[], None),
        ];
        for (headers, want) in table {
            assert_eq!(Challenge::read(headers.iter().copied()), want, "{headers:?}");
        }
    }
}
