//! Where a repository is, as git writes it: `https://`, `ssh://`, `git@host:path`, `file://` or a path.

use std::fmt;
use std::path::PathBuf;

use fluent_uri::Uri;
use fluent_uri::pct_enc::EStr;

use super::error::RemoteError;
use crate::source::http::origin;

/// Where a repository is. It holds no secret: an address with a password in it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `http://` or `https://`, without a slash at its end.
    Http(String),
    /// A host to log in at.
    Ssh(Ssh),
    /// A directory on this machine.
    Local(PathBuf),
}

/// A repository behind a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ssh {
    pub user: String,
    /// A name, or an IP address without brackets.
    pub host: String,
    pub port: u16,
    /// As the server is told it.
    pub path: String,
}

const ALLOWED: &str = "write https://host/path, ssh://git@host/path, git@host:path, file:///path or /path";

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// If it is none, or has a secret in it.
    pub(super) fn parse(text: &str) -> Result<Self, RemoteError> {
        let fault = |why: &str, help: &str| RemoteError::Address { url: masked(text), why: why.to_owned(), help: help.to_owned() };
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(fault("is no address of a git repository", ALLOWED));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return scp(text).map_or_else(|| Ok(Self::Local(PathBuf::from(text))), Ok);
        };
        let uri = Uri::parse(text).map_err(|_| fault("is no address of a git repository", ALLOWED))?;
        if uri.query().is_some() || uri.fragment().is_some() {
            return Err(fault("has more than a path", "leave out all from ? or # on"));
        }
        let authority = uri.authority();
        let (host, user) = authority.map_or(("", None), |known| (known.host(), known.userinfo().map(EStr::as_str)));
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" if user.is_some() => {
                Err(fault("has a user in it, which would be seen by many", "leave it out, and give username and password as credentials"))
            }
            "http" | "https" | "ssh" | "git+ssh" | "ssh+git" if host.is_empty() => Err(fault("names no host", ALLOWED)),
            "ssh" | "git+ssh" | "ssh+git" | "file" if matches!(uri.path().as_str(), "" | "/") => Err(fault("names no path", ALLOWED)),
            "http" | "https" => Ok(Self::Http(text.trim_end_matches('/').to_owned())),
            "ssh" | "git+ssh" | "ssh+git" => {
                let user = user.unwrap_or("git");
                if user.contains(':') {
                    return Err(fault("has a password in it", "leave it out, and give a key as identity"));
                }
                let port = authority.and_then(|known| known.port()).map(EStr::as_str).filter(|port| !port.is_empty());
                let port = port.map_or(Ok(22), |port| port.parse().map_err(|_| fault("has no port that there can be", ALLOWED)))?;
                let path = uri.path().decode().to_string_lossy();
                // As git does it: what begins with a tilde is below a home.
                let path = path.strip_prefix('/').filter(|rest| rest.starts_with('~')).unwrap_or(&path).to_owned();
                Ok(Self::Ssh(Ssh { user: user.to_owned(), host: host.trim_matches(['[', ']']).to_owned(), port, path }))
            }
            "file" if host.is_empty() || host == "localhost" => {
                Ok(Self::Local(PathBuf::from(uri.path().decode().to_string_lossy().into_owned())))
            }
            "git" => Err(fault("is read by anybody and answered by anybody on the way", "use https:// or ssh://")),
            _ => Err(fault("is of no known kind", ALLOWED)),
        }
    }
}

impl Address {
    /// Whether both are of one server: the same scheme, host and port, and for SSH the same user.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(this), Self::Http(other)) => origin(this).is_some() && origin(this) == origin(other),
            (Self::Ssh(this), Self::Ssh(other)) => {
                (&this.user, this.port) == (&other.user, other.port) && this.host.eq_ignore_ascii_case(&other.host)
            }
            (Self::Local(_), Self::Local(_)) => true,
            _ => false,
        }
    }
}

/// `git@host:path`, which has no slash before its colon.
fn scp(text: &str) -> Option<Address> {
    let (before, after) = match text.split_once("]:") {
        Some((before, after)) if before.contains('[') => (before, after),
        _ => text.split_once(':').filter(|(before, _)| !before.contains('/'))?,
    };
    let (user, host) = before.rsplit_once('@').unwrap_or(("git", before));
    let host = host.trim_start_matches('[').to_owned();
    let is_whole = !host.is_empty() && !after.is_empty() && !user.contains(':');
    is_whole.then(|| Address::Ssh(Ssh { user: user.to_owned(), host, port: 22, path: after.to_owned() }))
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => out.write_str(url),
            Self::Ssh(ssh) => {
                let host = if ssh.host.contains(':') { format!("[{}]", ssh.host) } else { ssh.host.clone() };
                let port = if ssh.port == 22 { String::new() } else { format!(":{}", ssh.port) };
                let slash = if ssh.path.starts_with('/') { "" } else { "/" };
                write!(out, "ssh://{}@{host}{port}{slash}{}", ssh.user, ssh.path)
            }
            Self::Local(path) => write!(out, "{}", path.display()),
        }
    }
}

/// Where people find a remote repository: the site, such as `https://github.com`, and the path there without `.git`, such as `org/models`.
/// Who hosts repositories over SSH is taken to have a site at the same host; GitHub's host for SSH over port 443 is no site.
pub fn site_of(url: &str) -> Option<(String, String)> {
    let (site, path) = match Address::parse(url).ok()? {
        Address::Http(url) => {
            let at = url.find("://")? + 3;
            let slash = at + url[at..].find('/')?;
            (url[..slash].to_lowercase(), url[slash..].to_owned())
        }
        Address::Ssh(Ssh { host, path, .. }) => {
            let host = host.strip_prefix("ssh.").filter(|host| *host == "github.com").unwrap_or(&host).to_lowercase();
            (if host.contains(':') { format!("https://[{host}]") } else { format!("https://{host}") }, path)
        }
        Address::Local(_) => return None,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    (!path.is_empty()).then(|| (site, path.to_owned()))
}

/// An address without what may be secret in it, for people to clone from: who logs in over HTTPS stands nowhere.
pub fn shown_url(url: &str) -> String {
    let is_http = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    let Some((scheme, rest)) = url.split_once("://").filter(|_| is_http) else { return masked(url) };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

/// An address as it is written when it is compared: without a slash at its end, for instance.
///
/// # Errors
/// It is none, or has a secret in it.
pub fn normal_url(url: &str) -> Result<String, RemoteError> {
    Address::parse(url).map(|address| address.to_string())
}

/// Whether two addresses are of one repository, as far as can be told from them.
pub fn is_same_repository(one: &str, other: &str) -> bool {
    let plain = |address: Address| address.to_string().trim_end_matches('/').trim_end_matches(".git").to_owned();
    let known = (Address::parse(one).map(plain), Address::parse(other).map(plain));
    matches!(known, (Ok(one), Ok(other)) if one == other) || site_of(one).is_some_and(|one| site_of(other) == Some(one))
}

/// An address that may hold a secret, without it: what stands before an `@`, and all after a `?` or `#`.
pub(super) fn masked(text: &str) -> String {
    let text: String = text.chars().filter(|character| !character.is_control()).collect();
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.find("://").map_or(("", text), |at| text.split_at(at + 3));
    match rest.rfind('@') {
        // The user of an SSH login is no secret, its password is.
        Some(at) if scheme.is_empty() && !rest[..at].contains(':') => text.to_owned(),
        Some(at) => format!("{scheme}***{}", &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("https://example.com/a/b.git", "https://example.com/a/b.git"),
            ("http://127.0.0.1:8080/a/", "http://127.0.0.1:8080/a"),
            ("ssh://git@example.com/a.git", "ssh://git@example.com/a.git"),
            ("ssh://example.com:2222/~me/a", "ssh://git@example.com:2222/~me/a"),
            ("ssh://me@[::1]:22/a%20b", "ssh://me@[::1]/a b"),
            ("git@example.com:team/a.git", "ssh://git@example.com/team/a.git"),
            ("example.com:/srv/a.git", "ssh://git@example.com/srv/a.git"),
            ("git@[::1]:a", "ssh://git@[::1]/a"),
            ("file:///srv/a%20b", "/srv/a b"),
            ("/srv/a:b", "/srv/a:b"),
            ("./a", "./a"),
        ];
        for (text, want) in table {
            assert_eq!(Address::parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn sites() {
        let table = [
            ("https://github.com/org/models.git", Some(("https://github.com", "org/models"))),
            ("https://GitHub.com/Org/models/", Some(("https://github.com", "Org/models"))),
            ("http://gitea.git.svc:3000/org/models", Some(("http://gitea.git.svc:3000", "org/models"))),
            ("git@gitlab.com:group/sub/models.git", Some(("https://gitlab.com", "group/sub/models"))),
            ("ssh://git@git.example.com:2222/org/models.git", Some(("https://git.example.com", "org/models"))),
            ("ssh://git@ssh.github.com:443/org/models.git", Some(("https://github.com", "org/models"))),
            ("ssh://git@[::1]/org/models", Some(("https://[::1]", "org/models"))),
            ("https://github.com/", None),
            ("/srv/git/models.git", None),
            ("https://me:hunter2@example.com/a", None),
        ];
        for (url, want) in table {
            assert_eq!(site_of(url), want.map(|(site, path)| (site.to_owned(), path.to_owned())), "{url}");
        }
    }

    #[test]
    fn neighbours() {
        let table = [
            ("https://a.co/x", "https://A.co:443/y", true),
            ("https://a.co/x", "http://a.co/x", false),
            ("https://a.co/x", "https://b.co/x", false),
            ("git@a.co:x", "ssh://git@a.co/y", true),
            ("git@a.co:x", "ssh://root@a.co/x", false),
            ("git@a.co:x", "https://a.co/x", false),
        ];
        for (this, other, want) in table {
            assert_eq!(Address::parse(this).unwrap().is_beside(&Address::parse(other).unwrap()), want, "{this} {other}");
        }
    }

    #[test]
    fn secrets_are_refused_and_masked() {
        let table = [
            "https://me:hunter2@example.com/a",
            "https://hunter2@example.com/a",
            "https://example.com/a?token=hunter2",
            "https://example.com/a#hunter2",
            "ssh://git:hunter2@example.com/a",
            "ftp://me:hunter2@example.com/a",
            "https://me:hunter2@exam ple.com/a",
            "https://me:hunter2/x@@example.com/a",
            "git://example.com/a",
            "https:///a",
            "ssh://host:123456/a",
            "ssh://host",
            "file://",
            "file:///",
            "",
            "https://example.com/a\nb",
        ];
        for text in table {
            let finding = Address::parse(text).unwrap_err().finding();
            assert!(!finding.help.is_empty() && !format!("{finding:?}").contains("hunter2"), "{text}: {finding:?}");
        }
        assert_eq!(masked("git:hunter2@example.com:a"), "***@example.com:a");
    }
}
