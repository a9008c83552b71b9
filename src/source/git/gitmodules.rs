//! Where the submodules of a commit are, as its `.gitmodules` says (gitmodules(5)).

use std::collections::BTreeMap;

/// The file that says it.
pub(super) const FILE: &str = ".gitmodules";

/// A submodule, as far as it is said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Its place in the repository.
    pub path: String,
    /// Where its repository is; it may be relative.
    pub url: String,
}

/// The submodules that a `.gitmodules` is about. What isn't about one is passed over; nothing is included.
pub(super) fn read(text: &str) -> Vec<Submodule> {
    let mut all: BTreeMap<String, Submodule> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            let name = line.strip_prefix("[submodule \"").and_then(|rest| rest.strip_suffix("\"]"));
            current = name.map(ToOwned::to_owned);
        } else if let (Some(name), Some((key, value))) = (&current, line.split_once('=')) {
            let submodule = all.entry(name.clone()).or_default();
            let value = value.trim().trim_matches('"').to_owned();
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => submodule.path = value,
                "url" => submodule.url = value,
                _ => {}
            }
        }
    }
    all.into_values().filter(|submodule| !submodule.path.is_empty() && !submodule.url.is_empty()).collect()
}

/// The address of a submodule: a relative one starts at that of the repository it is in.
pub(super) fn resolve(base: &str, url: &str) -> Option<String> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Some(url.to_owned());
    }
    let mut base = base.trim_end_matches('/');
    let mut rest = url;
    loop {
        if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else if let Some(next) = rest.strip_prefix("../") {
            rest = next;
            base = &base[..base.rfind('/').filter(|at| !base[..*at].ends_with('/'))?];
        } else {
            return (!rest.is_empty()).then(|| format!("{base}/{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_submodules() {
        let text = "# a comment\n[submodule \"a\"]\n\tpath = lib/a\n\turl = ../a.git\n\tbranch = main\n[core]\n\tpath = x\n\turl = y\n\
            [submodule \"b\"]\n\turl=\"https://example.com/b\"\n\tpath=b\n[submodule \"c\"]\n\tpath = c\n[include]\n\tpath = /etc/passwd\n";
        let submodule = |path: &str, url: &str| Submodule { path: path.to_owned(), url: url.to_owned() };
        assert_eq!(read(text), [submodule("lib/a", "../a.git"), submodule("b", "https://example.com/b")]);
    }

    #[test]
    fn relative_addresses() {
        let table = [
            ("https://a.co/x/y.git", "../z.git", Some("https://a.co/x/z.git")),
            ("https://a.co/x/y.git", "../../w/z", Some("https://a.co/w/z")),
            ("https://a.co/x/y/", "./z", Some("https://a.co/x/y/z")),
            ("https://a.co/x", "../../../z", None),
            ("ssh://git@a.co/x/y", "../z", Some("ssh://git@a.co/x/z")),
            ("/srv/x", "../z", Some("/srv/z")),
            ("https://a.co/x", "https://b.co/z", Some("https://b.co/z")),
            ("https://a.co/x", "..", Some("..")),
            ("https://a.co/x", "./", None),
        ];
        for (base, url, want) in table {
            assert_eq!(resolve(base, url).as_deref(), want, "{url} in {base}");
        }
    }
}
