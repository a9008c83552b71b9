//! Following over SSH: who logs in, and which host is believed.

use std::fs;

use kaito::source::{Mirror, Reference};
use serde_json::json;

use super::server::{Served, SshKey, access, values};
use super::{follow, read, shown};

const FILE: &str = "clusters/prod/phi.yaml";

/// A repository behind SSH, with the key of its host.
pub(crate) struct Behind {
    pub(crate) served: Served,
    host_key: SshKey,
    /// As `known_hosts` has it.
    host: String,
}

impl Behind {
    pub(crate) fn new(kind: &str) -> Self {
        let served = Served::new();
        let host_key = served.ssh_key(kind, "");
        fs::write(served.root().join("host_key"), &host_key.private).unwrap();
        let (host, port) = served.server.listens.ssh.rsplit_once(':').unwrap();
        let host = format!("[{host}]:{port}");
        Self { served, host_key, host }
    }

    pub(crate) fn url(&self) -> String {
        format!("ssh://git@{}/repo", self.served.server.listens.ssh)
    }

    fn mirror(&self) -> Mirror {
        Mirror::open(self.served.cache(), &self.url()).unwrap()
    }

    pub(crate) fn known_hosts(&self) -> String {
        format!("{} {}", self.host, self.host_key.public)
    }

    /// A key that may log in.
    pub(crate) fn key(&self, kind: &str, passphrase: &str) -> SshKey {
        let key = self.served.ssh_key(kind, passphrase);
        fs::write(self.served.root().join("authorized_keys"), &key.public).unwrap();
        key
    }
}

#[test]
fn keys_of_every_kind() {
    for (host_kind, kind, passphrase) in
        [("ed25519", "ed25519", ""), ("ecdsa", "ecdsa", "hunter-of-ssh"), ("rsa", "rsa", ""), ("rsa", "ed25519", "hunter-of-ssh")]
    {
        let behind = Behind::new(host_kind);
        let key = behind.key(kind, passphrase);
        let known_hosts = behind.known_hosts();
        let given = [("identity", key.private.as_str()), ("known_hosts", &known_hosts), ("password", passphrase)];
        for version0 in [false, true] {
            behind.served.rules(&json!({"Version0": version0}));
            let cache = tempfile::tempdir().unwrap();
            let mirror = Mirror::open(cache.path(), &behind.url()).unwrap();
            let head = follow(&mirror, &Reference::Default, &access(&given)).unwrap_or_else(|error| panic!("{kind}: {}", shown(&error)));
            assert_eq!(head.pointer.as_deref(), Some("main"));
            assert!(!read(&mirror, &head, FILE).is_empty());
            behind.served.repo.write(FILE, format!("{version0}")).commit("again");
            let head = follow(&mirror, &Reference::Default, &access(&given)).unwrap();
            assert_eq!(read(&mirror, &head, FILE), format!("{version0}"));
            // Four talks, one login.
            let logins = behind.served.asked().iter().filter(|asked| asked.what == "SSH git").count();
            assert_eq!(logins, 1, "{kind}");
        }
    }
}

#[test]
fn hosts_are_known_or_refused() {
    let behind = Behind::new("ed25519");
    let key = behind.key("ed25519", "");
    let other = behind.served.ssh_key("ed25519", "");
    let host = &behind.host;
    let hashed = behind.served.hashed(&behind.served.server.listens.ssh);
    let public = &behind.host_key.public;
    let table = [
        (format!("{host} {public}"), ""),
        (format!("{hashed} {public}"), ""),
        (format!("{host} {}\n{host} {public}", other.public), ""),
        (format!("127.0.0.1 {public}"), "known_hosts has no key of"),
        (format!("{host} {}", other.public), "known_hosts has another one"),
        (format!("{hashed} {}", other.public), "known_hosts has another one"),
        (format!("@revoked {host} {public}"), "is revoked"),
        ("nonsense".to_owned(), "add what `ssh-keyscan -p"),
        (String::new(), "there is no known_hosts"),
    ];
    let mirror = behind.mirror();
    for (known_hosts, want) in table {
        let given = [("identity", key.private.as_str()), ("known_hosts", &known_hosts)];
        match mirror.resolve(&Reference::Default, &access(&given)) {
            Ok(_) => assert_eq!(want, "", "{known_hosts}"),
            Err(error) => assert!(!want.is_empty() && shown(&error).contains(want) && !error.is_transient(), "{}", shown(&error)),
        }
    }
    // A host that shows another key than it did.
    let known_hosts = behind.known_hosts();
    let given = [("identity", key.private.as_str()), ("known_hosts", &known_hosts)];
    fs::write(behind.served.root().join("host_key"), &other.private).unwrap();
    let again = Mirror::open(tempfile::tempdir().unwrap().path(), &behind.url()).unwrap();
    let error = again.resolve(&Reference::Default, &access(&given)).unwrap_err();
    assert!(shown(&error).contains("somebody may stand between"), "{}", shown(&error));
}

#[test]
fn logins_that_are_refused() {
    let behind = Behind::new("ed25519");
    let key = behind.key("ed25519", "hunter-of-ssh");
    let stranger = behind.served.ssh_key("ed25519", "");
    let known_hosts = behind.known_hosts();
    let mirror = behind.mirror();
    let table = [
        (vec![("identity", key.private.as_str())], "identity is encrypted"),
        (vec![("identity", key.private.as_str()), ("password", "hunter-of-ssh-2")], "password isn't the one for it"),
        (vec![("identity", "hunter-of-ssh")], "identity is no private key"),
        (vec![("identity", stranger.private.as_str())], "doesn't know the identity's key as one of git"),
        (vec![], "there is no identity"),
    ];
    for (mut given, want) in table {
        given.push(("known_hosts", &known_hosts));
        let shown = shown(&mirror.resolve(&Reference::Default, &access(&given)).unwrap_err());
        assert!(shown.contains(want) && !shown.contains("hunter"), "{shown}");
    }
    let given = [("identity", key.private.as_str()), ("known_hosts", &known_hosts), ("password", "hunter-of-ssh")];
    mirror.resolve(&Reference::Default, &access(&given)).unwrap();
    let proxied = access(&given).over_proxy(values(&[("address", "http://127.0.0.1:1")]));
    assert!(shown(&mirror.resolve(&Reference::Default, &proxied).unwrap_err()).contains("goes over no proxy"));
    let missing = Mirror::open(behind.served.cache(), &format!("{}-2", behind.url())).unwrap();
    let error = missing.resolve(&Reference::Default, &access(&given)).unwrap_err();
    assert!(error.to_string().starts_with("there is no git repository at ssh://git@"), "{error}");
}

#[test]
fn an_interrupted_fetch_leaves_what_was_there() {
    let behind = Behind::new("ed25519");
    let key = behind.key("ed25519", "");
    let known_hosts = behind.known_hosts();
    let access = access(&[("identity", key.private.as_str()), ("known_hosts", &known_hosts)]);
    let mirror = behind.mirror();
    let before = follow(&mirror, &Reference::Default, &access).unwrap();
    behind.served.repo.write(FILE, "after").write("big.txt", "0123456789\n".repeat(100_000)).commit("after");
    let after = mirror.resolve(&Reference::Default, &access).unwrap();
    behind.served.rules(&json!({"Cut": 700}));
    let error = mirror.fetch(&after, &access).unwrap_err();
    assert!(error.is_transient(), "{}", shown(&error));
    assert_eq!(read(&mirror, &before, FILE), "kind: Workspace\n");
    behind.served.rules(&json!({}));
    mirror.fetch(&after, &access).unwrap();
    assert_eq!(read(&mirror, &after, FILE), "after");
}
