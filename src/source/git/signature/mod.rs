//! Who has signed a commit or a tag, and whether that is somebody who may: SSH signatures against allowed signers, and OpenPGP's against
//! public keys.
//!
//! Sources: gitformat-signature(5), ssh-keygen(1) under "allowed signers", RFC 9580.

mod allowed_signers;
mod keys;
mod openpgp;
mod sign;
mod signed;
mod ssh;

use std::fmt;

use thiserror::Error;

pub(super) use keys::Keys;
pub use sign::SigningKey;
pub(super) use signed::{Signed, SignedTag, parents};

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Whom the key is said to belong to, by who allows it: principals, user ids; empty if that isn't said.
    pub name: String,
    /// The key, by its kind and fingerprint.
    pub key: String,
}

impl fmt::Display for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { out.write_str(&self.key) } else { write!(out, "{} ({})", self.name, self.key) }
    }
}

/// Why a commit or a tag isn't taken for signed by somebody who may.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// There is no signature.
    #[error("is not signed")]
    Unsigned,
    /// There is one of a kind that isn't known here.
    #[error("is signed with {0}, which can't be verified here")]
    Unsupported(String),
    /// There is something that should be a signature.
    #[error("has a signature that can't be read: {0}")]
    Unreadable(String),
    /// Nobody allows this key.
    #[error("is signed by {0}, which is not among the keys that may")]
    Unknown(String),
    /// The key may, and the signature is of something else.
    #[error("has a signature of {0} that is not of this commit: one of them was changed or is another's")]
    Wrong(Signer),
    /// It is the signed text of another tag, or of one for something else.
    #[error("{0}")]
    OfAnother(String),
    /// The key may, but not for this.
    #[error("is signed by {signer}, which {why}")]
    Restricted {
        /// Whose key it is.
        signer: Signer,
        /// What keeps it.
        why: String,
    },
}

impl Fault {
    /// What to do.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Unsigned => "sign it with `git commit --amend -S`, and push it again",
            Self::Unsupported(_) => "sign with SSH or OpenPGP: `git config gpg.format ssh`",
            Self::Unreadable(_) | Self::Wrong(_) => "find out who changed it; then sign it anew with `git commit --amend -S`",
            Self::OfAnother(_) => "find out who moved it, and tag the commit that is meant",
            Self::Unknown(_) => "if it is somebody who may, put the public key beside the others; else find out who pushed it",
            Self::Restricted { .. } => "sign it with a key that is valid, or change what is allowed",
        }
    }
}

/// Who has signed this, if it is somebody who may. `now` is in seconds since 1970.
pub(super) fn verify(signed: &Signed, keys: &Keys, now: i64) -> Result<Signer, Fault> {
    let Some(signature) = &signed.signature else { return Err(Fault::Unsigned) };
    let begins = |label: &str| signature.starts_with(&format!("-----BEGIN {label}-----"));
    if begins("SSH SIGNATURE") {
        ssh::verify(signed, signature, &keys.allowed)
    } else if begins("PGP SIGNATURE") {
        openpgp::verify(signed, signature, &keys.certificates, now)
    } else if begins("SIGNED MESSAGE") {
        Err(Fault::Unsupported("X.509".to_owned()))
    } else {
        Err(Fault::Unsupported("something that is neither of SSH nor of OpenPGP".to_owned()))
    }
}

/// A moment as people read it.
fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |moment| moment.to_string())
}
