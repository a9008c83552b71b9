//! Which addresses lead to the same repository.

use fluent_uri::Uri;
use fluent_uri::pct_enc::EStr;

/// Whether two addresses lead to the same repository, as far as can be told without asking: `git@host:a/b.git`,
/// `https://host/a/b` and `ssh://git@host:22/a/b.git` do. Upper and lower case are the same, users and `.git` make no difference.
/// Ports do only where both speak the same protocol, as the one of SSH tells nothing about the one of HTTP.
pub fn same_repository(a: &str, b: &str) -> bool {
    match (Place::of(a), Place::of(b)) {
        (Some(a), Some(b)) => {
            let same_port = a.protocol != b.protocol || a.port == b.port;
            a.host.eq_ignore_ascii_case(b.host) && same_port && a.path.eq_ignore_ascii_case(b.path)
        }
        _ => a == b,
    }
}

#[derive(PartialEq)]
enum Protocol {
    File,
    Git,
    Http,
    Https,
    Ssh,
}

struct Place<'a> {
    protocol: Protocol,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Place<'a> {
    fn of(address: &'a str) -> Option<Self> {
        let address = address.trim();
        if !address.contains("://") {
            return Self::of_path(address);
        }
        let uri = Uri::parse(address).ok()?;
        let (protocol, usual) = match uri.scheme().as_str().to_ascii_lowercase().as_str() {
            "file" => (Protocol::File, 0),
            "git" => (Protocol::Git, 9418),
            "http" => (Protocol::Http, 80),
            "https" => (Protocol::Https, 443),
            "ssh" | "git+ssh" | "ssh+git" => (Protocol::Ssh, 22),
            _ => return None,
        };
        let authority = uri.authority()?;
        let port = match authority.port().map(EStr::as_str).filter(|port| !port.is_empty()) {
            Some(port) => port.parse().ok()?,
            None => usual,
        };
        Some(Self { protocol, host: authority.host(), port, path: bare(uri.path().as_str()) })
    }

    /// What git takes for SSH, `[USER@]HOST:PATH`, or a path of this machine.
    fn of_path(address: &'a str) -> Option<Self> {
        if address.starts_with('/') {
            return Some(Self { protocol: Protocol::File, host: "", port: 0, path: bare(address) });
        }
        let (authority, path) = match address.find("]:") {
            Some(end) => (&address[..=end], &address[end + 2..]),
            None => address.split_once(':').filter(|(authority, _)| !authority.contains('/'))?,
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Some(Self { protocol: Protocol::Ssh, host, port: 22, path: bare(path) })
    }
}

fn bare(path: &str) -> &str {
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same() {
        let table: [&[&str]; 6] = [
            &[
                "https://github.com/Org/models",
                "https://github.com/org/models.git",
                "https://GitHub.com:443/org/models/",
                "https://x-access-token:secret@github.com/org/models.git",
                "git@github.com:org/models.git",
                "github.com:org/models",
                "git@github.com:/org/models.git",
                "ssh://git@github.com/org/models.git",
                "SSH://git@github.com:22/org/models",
                "git+ssh://git@github.com/org/models",
                "git://github.com/org/models.git",
                "http://github.com/org/models",
                " https://github.com/org/models?tab=code#readme ",
            ],
            &["https://git.example:8443/a/b", "ssh://git@git.example:2222/a/b.git", "git@git.example:a/b"],
            &["http://[::1]:3000/a/b.git", "git@[::1]:a/b.git", "ssh://git@[::1]:2222/a/b"],
            &["https://gitlab.com/group/sub/project", "git@gitlab.com:group/sub/project.git"],
            &["/srv/git/models.git", "file:///srv/git/models"],
            &["no address", "no address"],
        ];
        for same in table {
            for other in same {
                assert!(same_repository(same[0], other) && same_repository(other, same[0]), "{} and {other}", same[0]);
            }
        }
    }

    #[test]
    fn others() {
        let table = [
            ("https://github.com/org/models", "https://github.com/org/model"),
            ("https://github.com/org/models", "https://gitlab.com/org/models"),
            ("https://github.com/org/models", "https://github.com.evil.example/org/models"),
            ("https://github.com/org/models", "https://evil.example/github.com/org/models"),
            ("https://github.com/org/models", "https://github.com@evil.example/org/models"),
            ("https://git.example/a/b", "https://git.example:8443/a/b"),
            ("ssh://git@git.example:2222/a/b", "git@git.example:a/b"),
            ("git@git.example:a/b", "git@git.example:x/a/b"),
            ("https://git.example/a/b.git.git", "https://git.example/a/b"),
            ("/srv/git/a", "/srv/git/b"),
            ("ftp://git.example/a/b", "https://git.example/a/b"),
            ("no address", "another"),
            ("", "https://git.example/a/b"),
        ];
        for (a, b) in table {
            assert!(!same_repository(a, b) && !same_repository(b, a), "{a} and {b}");
        }
    }
}
