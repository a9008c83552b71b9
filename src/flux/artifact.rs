//! Files as an archive, from which everything is left out that is not theirs: the same files are the same bytes.

use std::collections::BTreeMap;

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// Everybody may read a file, and its owner may change it.
const MODE: u32 = 0o644;

/// What Flux fetches of a source: files in a tar that is compressed by gzip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The archive.
    pub bytes: Vec<u8>,
    /// The digest of the archive: `sha256:...`.
    pub digest: String,
    /// The digest of what is compressed.
    pub uncompressed_digest: String,
}

impl Artifact {
    /// The artifact that holds these files, by their paths.
    ///
    /// # Errors
    /// A path that no archive may have, in words.
    pub fn of(files: &BTreeMap<String, String>) -> Result<Self, String> {
        // There is only one level of compression: others would be other bytes.
        let mut compressed = tar::Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()));
        let mut plain = tar::Builder::new(Vec::new());
        for (path, text) in files {
            // Its time is zero.
            let mut header = tar::Header::new_ustar();
            header.set_mode(MODE);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(text.len() as u64);
            let added = plain.append_data(&mut header.clone(), path, text.as_bytes());
            added.and_then(|()| compressed.append_data(&mut header, path, text.as_bytes())).map_err(|error| format!("{path}: {error}"))?;
        }
        let bytes = compressed.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(|error| error.to_string())?;
        let plain = plain.into_inner().map_err(|error| error.to_string())?;
        Ok(Self { digest: digest(&bytes), uncompressed_digest: digest(&plain), bytes })
    }
}

/// The digest of bytes, as registries write it.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    /// The bytes are the same on every machine, and as long as nobody changes them knowingly: whoever has them would fetch them anew.
    #[test]
    fn the_same_files_are_the_same_bytes() {
        let artifact = Artifact::of(&files(&[("manifest.yaml", &"kind: Workspace\n".repeat(1000))])).unwrap();
        assert_eq!(artifact.uncompressed_digest, "sha256:c8a92973963de6a888101fb27defbb5dc2735d61947ad533af1de9f766831866");
        assert_eq!(artifact.digest, "sha256:177182ad5dbba1a6fbe3fef8f55eceb23be1d9af61ee0b12cabd1ee58177b4bb");
    }

    #[test]
    fn paths_stay_below() {
        assert!(Artifact::of(&files(&[("../a.yaml", "")])).is_err());
    }
}
