//! Keys, and commits that are signed with them, without any program but git.

use std::io::Write as _;
use std::process::{Command, Stdio};

use pgp::composed::{
    ArmorOptions, DetachedSignature, EncryptionCaps, KeyType, SecretKeyParamsBuilder, SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{Duration, KeyDetails as _, Password, SigningKey, Tag, Timestamp};
use rand::thread_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey};

use crate::git::Repo;

/// An SSH key of one's own for each number.
pub(crate) fn ssh_key(number: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[number; 32]))
}

/// Its public part, as a line of allowed signers without principals.
pub(crate) fn public(key: &PrivateKey) -> String {
    key.public_key().to_openssh().unwrap()
}

/// An SSH signature for a namespace; git's is `git`.
pub(crate) fn ssh(key: &PrivateKey, namespace: &str, payload: &[u8]) -> String {
    key.sign(namespace, HashAlg::Sha512, payload).unwrap().to_pem(LineEnding::LF).unwrap()
}

/// A key of OpenPGP that was made some seconds ago, with a subkey that may sign or not; the key itself may if the subkey may not.
pub(super) fn pgp_key(name: &str, seconds_ago: u32, subkey_signs: bool) -> SignedSecretKey {
    let made = Timestamp::from_secs(Timestamp::now().as_secs() - seconds_ago);
    let mut subkey = SubkeyParamsBuilder::default();
    subkey
        .key_type(KeyType::Ed25519Legacy)
        .can_sign(subkey_signs)
        .can_authenticate(true)
        .can_encrypt(EncryptionCaps::None)
        .created_at(made);
    let mut key = SecretKeyParamsBuilder::default();
    key.key_type(KeyType::Ed25519Legacy).can_certify(true).can_sign(!subkey_signs).can_encrypt(EncryptionCaps::None).created_at(made);
    key.primary_user_id(name.to_owned()).subkeys(vec![subkey.build().unwrap()]);
    key.build().unwrap().generate(thread_rng()).unwrap()
}

/// The public part of a key, as a file.
pub(super) fn armored(key: &SignedSecretKey) -> String {
    key.to_public_key().to_armored_string(ArmorOptions::default()).unwrap()
}

/// A key that says that it is valid for some seconds from when it was made.
pub(super) fn expiring(mut key: SignedSecretKey, seconds: u32) -> SignedSecretKey {
    let mut flags = KeyFlags::default();
    flags.set_sign(true);
    let also = [SubpacketData::KeyFlags(flags), SubpacketData::KeyExpirationTime(Duration::from_secs(seconds))];
    let config = config(&key, SignatureType::CertPositive, also);
    let id = key.details.users[0].id.clone();
    let signed = config.sign_certification(&key.primary_key, key.primary_key.public_key(), &Password::empty(), Tag::UserId, &id);
    key.details.users[0].signatures = vec![signed.unwrap()];
    key
}

/// A key that its owner has revoked.
pub(super) fn revoked(mut key: SignedSecretKey) -> SignedSecretKey {
    let config = config(&key, SignatureType::KeyRevocation, []);
    let revocation: Signature = config.sign_key(&key.primary_key, &Password::empty(), key.primary_key.public_key()).unwrap();
    key.details.revocation_signatures.push(revocation);
    key
}

/// A key of which a subkey is revoked.
pub(super) fn with_revoked_subkey(mut key: SignedSecretKey) -> SignedSecretKey {
    let config = config(&key, SignatureType::SubkeyRevocation, []);
    let primary = &key.primary_key;
    let subkey = key.secret_subkeys[0].key.public_key();
    let revocation = config.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &subkey).unwrap();
    key.secret_subkeys[0].signatures.push(revocation);
    key
}

fn config(key: &SignedSecretKey, typ: SignatureType, also: impl IntoIterator<Item = SubpacketData>) -> SignatureConfig {
    let mut config = SignatureConfig::from_key(thread_rng(), &key.primary_key, typ).unwrap();
    let told = [SubpacketData::SignatureCreationTime(Timestamp::now()), SubpacketData::IssuerFingerprint(key.primary_key.fingerprint())];
    config.hashed_subpackets = told.into_iter().chain(also).map(|data| Subpacket::regular(data).unwrap()).collect();
    config
}

/// A signature by the key itself.
pub(super) fn pgp(key: &SignedSecretKey, payload: &[u8]) -> String {
    by(&key.primary_key, payload)
}

/// A signature by the subkey.
pub(super) fn pgp_subkey(key: &SignedSecretKey, payload: &[u8]) -> String {
    by(&key.secret_subkeys[0].key, payload)
}

fn by(key: &impl SigningKey, payload: &[u8]) -> String {
    let signature = DetachedSignature::sign_binary_data(thread_rng(), key, &Password::empty(), HashAlgorithm::Sha256, payload).unwrap();
    signature.to_armored_string(ArmorOptions::default()).unwrap()
}

/// Runs git on bytes; what it says.
fn git(repo: &Repo, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("git");
    command.args(args).current_dir(&repo.path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    output.stdout
}

/// The text of a commit.
pub(super) fn text(repo: &Repo, commit: &str) -> Vec<u8> {
    git(repo, &["cat-file", "commit", commit], &[])
}

/// Makes a commit of a text, and the branch `main` stand for it; its id.
pub(super) fn put(repo: &Repo, text: &[u8]) -> String {
    let id = String::from_utf8(git(repo, &["hash-object", "-t", "commit", "-w", "--stdin"], text)).unwrap().trim().to_owned();
    repo.git(&["update-ref", "HEAD", &id]);
    id
}

/// The text of a commit with a signature.
pub(super) fn with_signature(text: &[u8], signature: &str) -> Vec<u8> {
    let end = text.windows(2).position(|pair| pair == b"\n\n").unwrap() + 1;
    let header = format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "));
    [&text[..end], header.as_bytes(), &text[end..]].concat()
}

/// Signs the commit that `HEAD` stands for, which becomes another one; its id.
pub(crate) fn sign(repo: &Repo, by: &dyn Fn(&[u8]) -> String) -> String {
    let text = text(repo, "HEAD");
    put(repo, &with_signature(&text, &by(&text)))
}

/// Makes a tag that calls itself by a name, of something of a kind, with a signature at its end; its id.
pub(super) fn tag(repo: &Repo, at: &str, name: &str, kind: &str, object: &str, by: &dyn Fn(&[u8]) -> String) -> String {
    let text = format!("object {object}\ntype {kind}\ntag {name}\ntagger A <a@example.com> 1700000000 +0000\n\nwhat is new\n");
    let text = [text.as_bytes(), by(text.as_bytes()).as_bytes()].concat();
    let id = String::from_utf8(git(repo, &["hash-object", "-t", "tag", "-w", "--stdin"], &text)).unwrap().trim().to_owned();
    repo.git(&["update-ref", &format!("refs/tags/{at}"), &id]);
    id
}
