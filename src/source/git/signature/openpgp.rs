//! OpenPGP signatures (RFC 9580), by keys or subkeys that sign.

use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};

use super::{Fault, Signed, Signer, day};

/// How a block of keys begins.
const BLOCK: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Whether a file has keys of OpenPGP.
pub(super) fn holds_keys(text: &str) -> bool {
    text.contains(BLOCK)
}

/// Reads the keys of a file, which may have several blocks of them.
pub(super) fn read(text: &str) -> Result<Vec<SignedPublicKey>, String> {
    let mut certificates = Vec::new();
    for block in text.split(BLOCK).skip(1) {
        let block = format!("{BLOCK}{block}");
        let (keys, _) = SignedPublicKey::from_armor_many(block.as_bytes()).map_err(|error| error.to_string())?;
        certificates.extend(keys.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?);
    }
    Ok(certificates)
}

/// A key that may have signed: a certificate's own, or one of its subkeys.
struct Candidate<'c> {
    certificate: &'c SignedPublicKey,
    subkey: Option<&'c SignedPublicSubKey>,
}

/// Who has signed this. Whether a key had expired is asked of the moment of the signature, as for SSH: what was signed in time stays so.
/// Who has a key that was stolen revokes it or takes it away. `now` is in seconds since 1970.
pub(super) fn verify(signed: &Signed, signature: &str, certificates: &[SignedPublicKey], now: i64) -> Result<Signer, Fault> {
    let unreadable = |why: String| Fault::Unreadable(why);
    let (DetachedSignature { signature }, _) =
        DetachedSignature::from_armor_single(signature.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
    let (Some(created), Some(hash)) = (signature.created(), signature.hash_alg()) else {
        return Err(unreadable("it doesn't say when it was made, and how".to_owned()));
    };
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err(unreadable("it is not one of a document".to_owned()));
    }
    let candidates = candidates(&signature, certificates);
    let Some(first) = candidates.first() else { return Err(Fault::Unknown(issuer(&signature))) };
    let refused = |why: &str| Err(Fault::Restricted { signer: first.signer(), why: why.to_owned() });
    if is_weak(hash) {
        return refused(&format!("signed it with {hash}, which proves nothing any more"));
    }
    let Some(candidate) = candidates.iter().find(|candidate| candidate.has_signed(&signature, &signed.payload)) else {
        return Err(Fault::Wrong(first.signer()));
    };
    let at = i64::from(created.as_secs());
    let lifetime = signature.signature_expiration_time().map_or(0, |lifetime| i64::from(lifetime.as_secs()));
    if lifetime > 0 && at + lifetime < now {
        return refused(&format!("meant the signature to hold until {}", day(at + lifetime)));
    }
    candidate.restriction(at).map_or_else(|| Ok(candidate.signer()), |why| Err(Fault::Restricted { signer: candidate.signer(), why }))
}

/// The digests of which others can be made with the same value.
fn is_weak(hash: HashAlgorithm) -> bool {
    matches!(hash, HashAlgorithm::None | HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160)
}

/// The keys that a signature says it is of.
fn candidates<'c>(signature: &Signature, certificates: &'c [SignedPublicKey]) -> Vec<Candidate<'c>> {
    let is_issuer = |key: &dyn KeyDetails| {
        let (id, fingerprint) = (key.legacy_key_id(), key.fingerprint());
        let (ids, fingerprints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
        if fingerprints.is_empty() { ids.contains(&&id) } else { fingerprints.contains(&&fingerprint) }
    };
    let of = |certificate: &'c SignedPublicKey| {
        let own = is_issuer(&certificate.primary_key).then_some(Candidate { certificate, subkey: None });
        let subkeys = certificate.public_subkeys.iter().filter(|subkey| is_issuer(&subkey.key));
        own.into_iter().chain(subkeys.map(move |subkey| Candidate { certificate, subkey: Some(subkey) })).collect::<Vec<_>>()
    };
    certificates.iter().flat_map(of).collect()
}

/// The key that a signature says it is of, as people look for it.
fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(|fingerprint| format!("{fingerprint:X}"));
    let id = || signature.issuer_key_id().first().map(|id| id.to_string().to_uppercase());
    fingerprint.or_else(id).map_or_else(|| "an OpenPGP key that it doesn't name".to_owned(), |key| format!("OpenPGP key {key}"))
}

impl Candidate<'_> {
    fn has_signed(&self, signature: &Signature, payload: &[u8]) -> bool {
        match self.subkey {
            None => signature.verify(&self.certificate.primary_key, payload).is_ok(),
            Some(subkey) => signature.verify(&subkey.key, payload).is_ok(),
        }
    }

    fn signer(&self) -> Signer {
        let names = self.certificate.details.users.iter().filter_map(|user| user.id.as_str());
        let name = names.collect::<Vec<_>>().join(", ");
        let fingerprint = self.subkey.map_or_else(|| self.certificate.primary_key.fingerprint(), |subkey| subkey.key.fingerprint());
        Signer { name, key: format!("OpenPGP key {fingerprint:X}") }
    }

    /// What keeps it from signing at a moment, in seconds since 1970.
    fn restriction(&self, at: i64) -> Option<String> {
        let SignedPublicKey { primary_key, details, .. } = self.certificate;
        if details.revocation_signatures.iter().any(|revocation| revocation.verify_key(primary_key).is_ok()) {
            return Some("is revoked".to_owned());
        }
        let Some(own) = own_signature(self.certificate) else { return Some("says nothing of itself that can be verified".to_owned()) };
        if let Some(why) = out_of_time(primary_key, own, at) {
            return Some(why);
        }
        let Some(subkey) = self.subkey else {
            return (!own.key_flags().sign()).then(|| "is not for signing".to_owned());
        };
        let (revocations, bindings): (Vec<&Signature>, Vec<&Signature>) = subkey
            .signatures
            .iter()
            .filter(|signature| signature.verify_subkey_binding(primary_key, &subkey.key).is_ok())
            .partition(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation));
        if !revocations.is_empty() {
            return Some("is a subkey that is revoked".to_owned());
        }
        let Some(binding) = bindings.into_iter().max_by_key(|binding| binding.created()) else {
            return Some("is a subkey that doesn't belong to its key".to_owned());
        };
        // The subkey too must say that it belongs there, or anybody could take another's for his own.
        let agrees = binding.embedded_signature().is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary_key).is_ok());
        if !binding.key_flags().sign() || !agrees {
            return Some("is a subkey that is not for signing".to_owned());
        }
        out_of_time(&subkey.key, binding, at)
    }
}

/// The newest that a certificate says of itself, and that it has signed.
fn own_signature(certificate: &SignedPublicKey) -> Option<&Signature> {
    let SignedPublicKey { primary_key, details, .. } = certificate;
    let is_revocation = |signature: &Signature| signature.typ() == Some(SignatureType::CertRevocation);
    let of_users = details.users.iter().flat_map(|user| {
        let valid = |signature: &&Signature| signature.verify_certification(primary_key, Tag::UserId, &user.id).is_ok();
        let signatures: Vec<&Signature> = user.signatures.iter().filter(valid).collect();
        let is_revoked = signatures.iter().any(|signature| is_revocation(signature));
        signatures.into_iter().filter(move |_| !is_revoked)
    });
    let direct = details.direct_signatures.iter().filter(|signature| signature.verify_key(primary_key).is_ok());
    of_users.chain(direct).max_by_key(|signature| signature.created())
}

/// Why a key was not valid at a moment, by the signature that says how long it is.
fn out_of_time(key: &dyn KeyDetails, own: &Signature, at: i64) -> Option<String> {
    let made = i64::from(key.created_at().as_secs());
    if at < made {
        return Some(format!("was made at {}, and the signature is of {}", day(made), day(at)));
    }
    let lifetime = own.key_expiration_time().map_or(0, |lifetime| i64::from(lifetime.as_secs()));
    (lifetime > 0 && at > made + lifetime).then(|| format!("was valid until {}, and the signature is of {}", day(made + lifetime), day(at)))
}
