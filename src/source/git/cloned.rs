//! A clone that doesn't have everything: what it lacks, and who may fetch that from where it was cloned.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fluent_uri::Uri;

use super::Repository;
use super::mirror::Mirror;
use super::objects::Id;
use super::reference::Head;
use crate::diagnostic::Diagnostic;
use crate::secrets::Secret;

impl Repository {
    /// Whether a commit is here with all its files, as far as that can be told without reading them. Of a partial clone it can't.
    pub fn has(&self, commit: &str) -> bool {
        let is_partial = || {
            let promised = self.objects.configured(r"^remote\..*\.promisor$");
            promised.iter().any(|(_, value)| value == "true")
        };
        Id::from_str(commit).is_ok_and(|id| self.objects.root_of(id).is_some()) && !is_partial()
    }

    /// The commits that a commit names as its parents, be they here or not.
    pub fn parents(&self, commit: &str) -> Vec<String> {
        let text = Id::from_str(commit).ok().and_then(|id| self.objects.commit(id).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let header = text.lines().take_while(|line| !line.is_empty());
        header.filter_map(|line| line.strip_prefix("parent ")).map(ToOwned::to_owned).collect()
    }

    /// The commit where two commits parted, if enough of the history is here.
    pub fn parted(&self, one: &str, other: &str) -> Option<String> {
        let (one, other) = (Id::from_str(one).ok()?, Id::from_str(other).ok()?);
        self.objects.merge_bases(one, other).ok()?.first().map(ToString::to_string)
    }

    /// Reads what a mirror has fetched as if it were here, for as long as the mirror is there. Nothing is written.
    ///
    /// # Errors
    /// The mirror can't be read.
    pub fn borrow(&self, mirror: &Mirror) -> Result<(), Diagnostic> {
        let borrowed = self.objects.borrow(&mirror.objects());
        borrowed.map_err(|why| Diagnostic::error(format!("what was fetched can't be read: {why:?}")))
    }

    /// The name and password with which this clone was made over HTTP, if they are in its configuration: within the address of `origin`,
    /// or as the header that checkouts in CI leave there. They are for the host of this address alone.
    pub fn login(&self, url: &str) -> Option<(String, Secret)> {
        let headers = self.objects.configured(r"^http\..*\.extraheader$");
        let header = headers.iter().filter(|(key, _)| is_for(key, url)).find_map(|(_, header)| of_header(header));
        let origin = self.origin();
        let within = origin.as_deref().filter(|origin| super::shown_url(origin) == url).and_then(of_address);
        within.or(header)
    }
}

impl Mirror {
    /// The commit where two commits parted that were fetched with their history.
    pub fn parted(&self, one: &Head, other: &Head) -> Option<String> {
        let (one, other) = (Id::from_str(&one.commit).ok()?, Id::from_str(&other.commit).ok()?);
        self.objects().merge_bases(one, other).ok()?.first().map(ToString::to_string)
    }
}

/// Whether a key `http.URL.extraheader` is about an address.
fn is_for(key: &str, url: &str) -> bool {
    let known = key.strip_prefix("http.").and_then(|rest| rest.strip_suffix(".extraheader")).unwrap_or_default();
    let known = known.trim_end_matches('/');
    let rest = url.get(..known.len()).filter(|start| start.eq_ignore_ascii_case(known)).map(|_| &url[known.len()..]);
    known.contains("://") && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The login of `AUTHORIZATION: basic ...`.
fn of_header(header: &str) -> Option<(String, Secret)> {
    let (name, value) = header.split_once(':')?;
    let (scheme, encoded) = value.trim().split_once(' ')?;
    let is_basic = name.trim().eq_ignore_ascii_case("authorization") && scheme.eq_ignore_ascii_case("basic");
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok().map(Secret::new).filter(|_| is_basic)?.into_text()?;
    let (username, password) = decoded.expose().split_once(':')?;
    Some((username.to_owned(), password.into()))
}

/// The login within an address of HTTP.
fn of_address(url: &str) -> Option<(String, Secret)> {
    let uri = Uri::parse(url).ok().filter(|uri| ["http", "https"].contains(&uri.scheme().as_str()))?;
    let userinfo = uri.authority()?.userinfo()?;
    let (username, password) = userinfo.split_once(':').map_or((userinfo, None), |(username, password)| (username, Some(password)));
    let password = password.map(|password| password.decode().to_string_lossy().into_owned());
    Some((username.decode().to_string_lossy().into_owned(), password.unwrap_or_default().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_for_their_addresses() {
        let table = [
            ("http.https://github.com/.extraheader", "https://github.com/org/fleet", true),
            ("http.https://github.com/.extraheader", "https://github.com.evil/org/fleet", false),
            ("http.https://github.com.extraheader", "https://GitHub.com/org/fleet", true),
            ("http.https://github.com/org.extraheader", "https://github.com/organisation/fleet", false),
            ("http.https://github.com/.extraheader", "http://github.com/org/fleet", false),
            ("http..extraheader", "https://github.com/org/fleet", false),
            ("http.extraheader", "https://github.com/org/fleet", false),
        ];
        for (key, url, want) in table {
            assert_eq!(is_for(key, url), want, "{key} {url}");
        }
    }

    #[test]
    fn logins_of_clones() {
        let login = |(username, password): (&str, &str)| Some((username.to_owned(), Secret::from(password)));
        let table = [
            ("AUTHORIZATION: basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMg==", login(("x-access-token", "hunter2"))),
            ("Authorization: Basic bWU6YTpi", login(("me", "a:b"))),
            ("Authorization: Bearer bWU6YTpi", None),
            ("X-Other: basic bWU6YTpi", None),
            ("nothing", None),
        ];
        for (header, want) in table {
            assert_eq!(of_header(header), want, "{header}");
        }
        let table = [
            ("https://gitlab-ci-token:hunter%202@gitlab.com/g/p.git", login(("gitlab-ci-token", "hunter 2"))),
            ("https://token@gitlab.com/g/p.git", login(("token", ""))),
            ("https://gitlab.com/g/p.git", None),
            ("ssh://git:x@gitlab.com/g/p.git", None),
            ("git@gitlab.com:g/p.git", None),
        ];
        for (url, want) in table {
            assert_eq!(of_address(url), want, "{url}");
        }
    }
}
