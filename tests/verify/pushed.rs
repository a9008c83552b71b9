//! What is pushed is signed, if a key is given: git takes the signatures for good, and so does what follows a branch here.

use std::fs;
use std::path::Path;
use std::process::Command;

use kaito::manifest::ObjectRef;
use kaito::rendered_branch::{DryCommit, Layout, Manifest};
use kaito::source::{Access, Destination, Mirror, Person, PushError, Pushed, SigningKey, Values, Verifier, Verify, VerifyMode};
use pgp::composed::ArmorOptions;
use rand::thread_rng;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{Cipher, Kdf, LineEnding};

use super::signing::{armored, pgp_key, public, ssh_key};
use crate::git::Repo;
use crate::support::{hides_secrets, plant};

fn push(repo: &Repo, key: SigningKey) -> Result<Pushed, PushError> {
    let to = Destination {
        branch: "rendered".to_owned(),
        directory: String::new(),
        layout: Layout::Manifest,
        access: Access::anonymous(),
        author: Person::default(),
        committer: Person::default(),
        key: Some(key),
        goes_back: false,
    };
    let manifests = vec![Manifest { reference: ObjectRef::new("", "ConfigMap", None, "c"), owner: None, text: "c\n".to_owned() }];
    let dry = DryCommit { sha: "1".repeat(40), message: "More\n\nof it\n".to_owned(), ..DryCommit::default() };
    let cache = tempfile::tempdir().unwrap();
    Mirror::open(cache.path(), repo.path.to_str().unwrap()).unwrap().push(&to, &to.rendering(manifests, "kaito render", dry))
}

/// Who has signed the branch, as those see it who follow it.
fn signer(repo: &Repo, directory: &Path, keys: &str) -> String {
    let (cache, allowed) = (directory.join("cache"), directory.join("allowed"));
    fs::create_dir_all(&allowed).unwrap();
    fs::write(allowed.join("keys"), keys).unwrap();
    let mirror = Mirror::open(&cache, repo.path.to_str().unwrap()).unwrap();
    let head = mirror.resolve(&kaito::source::Reference::Branch("rendered".to_owned()), &Access::anonymous()).unwrap();
    let mut verifier = Verifier::new(Verify { mode: VerifyMode::Head, keys: Values::Directory(allowed), since: None });
    verifier.fetch(&mirror, &head, &Access::anonymous()).unwrap().to_string()
}

/// A key with a passphrase.
fn locked_ssh(key: &PrivateKey) -> PrivateKey {
    let kdf = Kdf::Bcrypt { salt: vec![7; 16], rounds: 1 };
    key.encrypt_with(Cipher::Aes256Ctr, kdf, 7, "hunter-of-a-key").unwrap()
}

/// Whether ssh-keygen is there, which git verifies with.
fn has_ssh_keygen() -> bool {
    Command::new("ssh-keygen").arg("-?").output().is_ok()
}

#[test]
fn commits_are_signed() {
    let ssh = ssh_key(1);
    let locked = locked_ssh(&ssh);
    let (plain, subkeyed) = (pgp_key("Plain <p@x>", 60, false), pgp_key("Sub <s@x>", 60, true));
    let allowed = format!("* {}\n", public(&ssh));
    let secret = |key: &pgp::composed::SignedSecretKey| key.to_armored_string(ArmorOptions::default()).unwrap();
    let mut pgp_locked = pgp_key("Locked <l@x>", 60, false);
    pgp_locked.primary_key.set_password(thread_rng(), &"hunter-of-a-key".into()).unwrap();
    let table = [
        ("SSH", ssh.to_openssh(LineEnding::LF).unwrap().to_string(), None, allowed.clone(), "ED25519 key SHA256:"),
        (
            "SSH with a passphrase",
            locked.to_openssh(LineEnding::LF).unwrap().to_string(),
            Some("hunter-of-a-key\n"),
            allowed.clone(),
            "ED25519 key",
        ),
        ("OpenPGP", secret(&plain), None, armored(&plain), "Plain <p@x> (OpenPGP key "),
        ("OpenPGP with a subkey", secret(&subkeyed), None, armored(&subkeyed), "Sub <s@x> (OpenPGP key "),
        ("OpenPGP with a passphrase", secret(&pgp_locked), Some("hunter-of-a-key"), armored(&pgp_locked), "Locked <l@x> (OpenPGP key "),
    ];
    for (name, key, passphrase, keys, want) in table {
        let (repo, directory) = (Repo::new(), tempfile::tempdir().unwrap());
        let file = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).unwrap();
            if name == "key" {
                plant(text);
            }
            directory.path().join(name)
        };
        let key = SigningKey { file: file("key", &key), passphrase: passphrase.map(|text| file("passphrase", text)) };
        push(&repo, key).unwrap_or_else(|error| panic!("{name}: {error}"));
        let signer = signer(&repo, directory.path(), &keys);
        assert!(signer.contains(want), "{name}: {signer}");
        if name.starts_with("SSH") && has_ssh_keygen() {
            let signers = format!("gpg.ssh.allowedSignersFile={}", file("signers", &allowed).display());
            repo.git(&["-c", "gpg.format=ssh", "-c", &signers, "verify-commit", "rendered"]);
        }
    }
}

#[test]
fn keys_that_can_not_sign() {
    let locked = locked_ssh(&ssh_key(1)).to_openssh(LineEnding::LF).unwrap().to_string();
    let mut pgp_locked = pgp_key("Locked <l@x>", 60, false);
    pgp_locked.primary_key.set_password(thread_rng(), &"hunter-of-a-key".into()).unwrap();
    let pgp_locked = pgp_locked.to_armored_string(ArmorOptions::default()).unwrap();
    let table = [
        (Some("hunter-of-a-key"), None, "it is no private key of SSH or OpenPGP"),
        (Some(locked.as_str()), None, "it is encrypted, and there is no passphrase for it"),
        (Some(&locked), Some("hunter-of-another-key"), "the passphrase isn't the one for it"),
        (Some(&pgp_locked), Some("hunter-of-another-key"), "it can't be unlocked, or may not sign"),
        (Some("-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter-of-a-key\n"), None, "the signing key "),
        (None, None, "No such file"),
    ];
    for (key, passphrase, want) in table {
        let (repo, directory) = (Repo::new(), tempfile::tempdir().unwrap());
        let path = |name: &str| directory.path().join(name);
        key.into_iter().for_each(|text| fs::write(path("key"), text).unwrap());
        passphrase.into_iter().for_each(|text| fs::write(path("passphrase"), text).unwrap());
        let error = push(&repo, SigningKey { file: path("key"), passphrase: passphrase.map(|_| path("passphrase")) }).unwrap_err();
        let finding = error.finding();
        let shown = format!("{}; {}", finding.message, finding.help.join("; "));
        key.map(plant);
        hides_secrets("error", &format!("{shown} {error:?}"));
        assert!(shown.contains(want) && shown.contains("the signing key"), "{shown}");
        assert!(!finding.help.is_empty());
        assert_eq!(repo.git(&["for-each-ref"]), "", "{want}");
    }
}
