//! The keys by which SSH hosts are known, as OpenSSH keeps them (sshd(8), under "known hosts file format").

use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, PublicKey};
use sha1::Sha1;

/// What is known of a host's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is this host's.
    Known,
    /// Nothing is known of the host.
    Unknown,
    /// The host has other keys.
    Changed,
    /// It must not be used any more.
    Revoked,
}

/// The lines that are about a host.
pub(super) struct KnownHosts(Vec<Entry>);

impl KnownHosts {
    /// Those of a host, of all that is known. Lines that say nothing of a key, or of authorities, are left out.
    pub(super) fn of(text: &str, host: &str, port: u16) -> Self {
        let host = host.to_lowercase();
        let mut names = vec![format!("[{host}]:{port}")];
        names.extend((port == 22).then_some(host));
        // A comment begins a line, and a key's comment may hold anything.
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let entries = lines.filter_map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").parse::<Entry>().ok());
        let is_about = |entry: &Entry| names.iter().any(|name| matches(entry.host_patterns(), name));
        Self(entries.filter(|entry| entry.marker() != Some(&Marker::CertAuthority) && is_about(entry)).collect())
    }

    /// What is known of a key that the host has shown.
    pub(super) fn judge(&self, key: &PublicKey) -> Verdict {
        let is_key = |entry: &&Entry| entry.public_key().key_data() == key.key_data();
        let (revoked, valid): (Vec<&Entry>, Vec<&Entry>) = self.0.iter().partition(|entry| entry.marker() == Some(&Marker::Revoked));
        if revoked.iter().any(is_key) {
            Verdict::Revoked
        } else if valid.iter().any(is_key) {
            Verdict::Known
        } else if valid.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Changed
        }
    }

    /// Algorithms, those first for which a key is known: a host that has several keys shall show that one.
    pub(super) fn known_first(&self, mut algorithms: Vec<Algorithm>) -> Vec<Algorithm> {
        let is_rsa = |algorithm: &Algorithm| matches!(algorithm, Algorithm::Rsa { .. });
        let is_known = |algorithm: &Algorithm| {
            let mut known = self.0.iter().map(|entry| entry.public_key().algorithm());
            known.any(|known| known == *algorithm || is_rsa(&known) && is_rsa(algorithm))
        };
        algorithms.sort_by_key(|algorithm| !is_known(algorithm));
        algorithms
    }
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let digest = Hmac::<Sha1>::new_from_slice(salt).map(|digest| digest.chain_update(name));
            digest.is_ok_and(|digest| digest.verify_slice(hash).is_ok())
        }
        HostPatterns::Patterns(patterns) => {
            let lower: Vec<String> = patterns.iter().map(|pattern| pattern.to_lowercase()).collect();
            let is_excluded = lower.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(|pattern| fits(pattern, name));
            !is_excluded && lower.iter().any(|pattern| fits(pattern, name))
        }
    }
}

/// Whether a name fits a pattern with `*` for anything and `?` for one character.
pub(in crate::source::git) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where to go on when it doesn't fit: behind the last star, with one character more for it.
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, read));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[read] => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                (at, read) = (after, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn verdicts() {
        let table = [
            (format!("git.example.com {KEY}"), 22, Verdict::Known),
            (format!("# who knows\n\n  GIT.example.com,10.0.0.1\t{KEY} a # comment"), 22, Verdict::Known),
            (format!("[git.example.com]:22 {KEY}"), 22, Verdict::Known),
            (format!("git.example.com {KEY}"), 2222, Verdict::Unknown),
            (format!("[git.example.com]:2222 {KEY}"), 2222, Verdict::Known),
            (format!("[*.example.com]:2222 {KEY}"), 2222, Verdict::Known),
            (format!("*.example.??? {KEY}"), 22, Verdict::Known),
            (format!("*.example.com,!git.* {KEY}"), 22, Verdict::Unknown),
            (format!("git.example.com {OTHER}"), 22, Verdict::Changed),
            (format!("git.example.com {OTHER}\ngit.example.com {KEY}"), 22, Verdict::Known),
            (format!("git.example.com {KEY}\n@revoked * {KEY}"), 22, Verdict::Revoked),
            (format!("@cert-authority * {KEY}"), 22, Verdict::Unknown),
            (format!("git.example.com.evil {KEY}\ngit.example.co {KEY}\nnonsense"), 22, Verdict::Unknown),
            (String::new(), 22, Verdict::Unknown),
        ];
        let key = KEY.parse().unwrap();
        for (text, port, want) in table {
            assert_eq!(KnownHosts::of(&text, "git.example.com", port).judge(&key), want, "{text}");
        }
    }

    #[test]
    fn a_host_shows_the_key_that_is_known() {
        let known = KnownHosts::of(&format!("a {KEY}"), "a", 22);
        let rsa = Algorithm::Rsa { hash: None };
        assert_eq!(known.known_first(vec![rsa.clone(), Algorithm::Ed25519]), [Algorithm::Ed25519, rsa]);
    }
}
