//! Signing what is committed here: with a private key of SSH or OpenPGP, read anew whenever it is used.

use std::path::{Path, PathBuf};

use pgp::composed::{ArmorOptions, Deserializable as _, DetachedSignature, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::types::Password;
use rand::rngs::OsRng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{self, HashAlg};

use super::allowed_signers::NAMESPACE;
use crate::secrets::Secret;
use crate::source::read_secret;

/// A key that signs commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The file with the private key, as ssh-keygen or `gpg --armor --export-secret-keys` writes it.
    pub file: PathBuf,
    /// The file with its passphrase, if it has one.
    pub passphrase: Option<PathBuf>,
}

/// What is wrong, and what to do.
type Unusable = (String, String);

impl SigningKey {
    pub(in crate::source::git) fn file(&self) -> String {
        self.file.display().to_string()
    }

    /// The signature of the text of a commit, as it stands in the commit.
    pub(in crate::source::git) fn sign(&self, text: &[u8]) -> Result<String, Unusable> {
        let key = read(&self.file)?;
        let passphrase = self.passphrase.as_deref().map(read).transpose()?.map(|text| text.without_line_end());
        let (key, passphrase) = (key.expose(), passphrase.as_ref().map(|passphrase| passphrase.expose().as_str()));
        if key.contains("BEGIN PGP PRIVATE KEY") { openpgp(key, passphrase, text) } else { ssh(key, passphrase, text) }
    }
}

fn read(file: &Path) -> Result<Secret, Unusable> {
    let help = || "see that the Secret or directory has it whole".to_owned();
    read_secret(file).map_err(|error| (format!("{}: {error}", file.display()), help()))
}

fn ssh(key: &str, passphrase: Option<&str>, text: &[u8]) -> Result<String, Unusable> {
    let key = keys::decode_secret_key(key, passphrase).map_err(|error| {
        let why = match error {
            keys::Error::KeyIsEncrypted => "it is encrypted, and there is no passphrase for it",
            _ if passphrase.is_some() => "it is no private key, or the passphrase isn't the one for it",
            _ => "it is no private key of SSH or OpenPGP",
        };
        (why.to_owned(), "give a private key as ssh-keygen makes it, whole, and its passphrase in a file of its own".to_owned())
    })?;
    let failed = |error: String| (error, "sign with another kind of key, such as ed25519".to_owned());
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, text).map_err(|error| failed(error.to_string()))?;
    signature.to_pem(LineEnding::LF).map_err(|error| failed(error.to_string()))
}

fn openpgp(key: &str, passphrase: Option<&str>, text: &[u8]) -> Result<String, Unusable> {
    let help = || "give what `gpg --armor --export-secret-keys` prints of one key, and its passphrase in a file of its own".to_owned();
    let (key, _) = SignedSecretKey::from_string(key).map_err(|error| (error.to_string(), help()))?;
    let password = passphrase.map_or_else(Password::empty, Password::from);
    // As gpg does it: a subkey that is there for signing signs, and otherwise the key itself.
    let signs = |signature: &pgp::packet::Signature| signature.key_flags().sign();
    let subkey = key.secret_subkeys.iter().rev().find(|subkey| subkey.signatures.iter().any(signs));
    let signature = match subkey {
        Some(subkey) => DetachedSignature::sign_binary_data(OsRng, &subkey.key, &password, HashAlgorithm::Sha256, text),
        None => DetachedSignature::sign_binary_data(OsRng, &key.primary_key, &password, HashAlgorithm::Sha256, text),
    };
    // What is wrong is most often the passphrase, and the crate's words may be long.
    let signature = signature.map_err(|_| ("it can't be unlocked, or may not sign".to_owned(), help()))?;
    signature.to_armored_string(ArmorOptions::default()).map_err(|error| (error.to_string(), help()))
}
