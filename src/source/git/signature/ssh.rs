//! SSH signatures (OpenSSH's PROTOCOL.sshsig).

use russh::keys::ssh_key::SshSig;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::allowed_signers::{Allowed, NAMESPACE};
use super::{Fault, Signed, Signer};

/// Who has signed this. As for git the key alone decides: the address of the committer is a text that anybody may write.
pub(super) fn verify(signed: &Signed, signature: &str, allowed: &[Allowed]) -> Result<Signer, Fault> {
    let signature = SshSig::from_pem(signature.trim_end()).map_err(|error| Fault::Unreadable(error.to_string()))?;
    let key = PublicKey::from(signature.public_key().clone());
    let shown = format!("{} key {}", kind(&key.algorithm()), key.fingerprint(HashAlg::Sha256));
    let lines: Vec<&Allowed> = allowed.iter().filter(|allowed| allowed.key == *key.key_data()).collect();
    let Some(first) = lines.first() else { return Err(Fault::Unknown(shown)) };
    let signer = |allowed: &Allowed| Signer { name: allowed.principals.clone(), key: shown.clone() };
    let refused = |why: String| Fault::Restricted { signer: signer(first), why };
    if signature.namespace() != NAMESPACE {
        return Err(refused(format!("signed it for {:?} rather than for git", signature.namespace())));
    }
    if matches!(signature.algorithm(), Algorithm::Rsa { hash: None }) {
        return Err(refused("signed it with SHA-1, which proves nothing any more".to_owned()));
    }
    key.verify(NAMESPACE, &signed.payload, &signature).map_err(|_| Fault::Wrong(signer(first)))?;
    match lines.iter().find(|allowed| allowed.restriction(signed.at).is_none()) {
        Some(allowed) => Ok(signer(allowed)),
        None => Err(refused(first.restriction(signed.at).unwrap_or_default())),
    }
}

/// A kind of key, as `ssh-keygen -l` writes it.
fn kind(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Dsa => "DSA",
        Algorithm::Ecdsa { .. } => "ECDSA",
        Algorithm::Ed25519 => "ED25519",
        Algorithm::Rsa { .. } => "RSA",
        Algorithm::SkEcdsaSha2NistP256 => "ECDSA-SK",
        Algorithm::SkEd25519 => "ED25519-SK",
        _ => "SSH",
    }
}
