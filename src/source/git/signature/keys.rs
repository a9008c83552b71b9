//! The keys that may sign, in the files of a directory or the values of a Secret: public keys and allowed signers of SSH, public keys of OpenPGP.

use std::fs;
use std::path::{Path, PathBuf};

use pgp::composed::SignedPublicKey;

use super::super::remote::Values;
use super::allowed_signers::{self, Allowed};
use super::openpgp;

/// The most bytes of a file.
const MOST_BYTES: u64 = 1 << 20;

/// The keys that may sign.
#[derive(Debug, Default)]
pub(in super::super) struct Keys {
    pub(super) allowed: Vec<Allowed>,
    pub(super) certificates: Vec<SignedPublicKey>,
}

impl Keys {
    /// Reads keys as they are now. Of which kind a file or a value is is told by what is in it: Flux' Secrets have any names.
    ///
    /// # Errors
    ///
    /// If something can't be read or holds no keys, or there is no key at all; what and where.
    pub(in super::super) fn read(values: &Values) -> Result<Self, String> {
        let mut keys = Self::default();
        if let Values::Directory(directory) = values {
            keys.add_directory(directory)?;
        } else {
            for (name, text) in values.now()? {
                let text = text.into_text().ok_or_else(|| format!("{name}: it is no text"))?;
                keys.add(text.expose()).map_err(|why| format!("{name}: {why}"))?;
            }
        }
        if keys.allowed.is_empty() && keys.certificates.is_empty() {
            return Err(format!("{}: there is no key", values.place()));
        }
        Ok(keys)
    }

    /// Adds those of the files of a directory, such as a mounted Secret.
    fn add_directory(&mut self, directory: &Path) -> Result<(), String> {
        // The kubelet changes all files of a Secret at once, by another link called `..data`: what is read is of one state.
        let state = fs::canonicalize(directory.join("..data")).unwrap_or_else(|_| directory.to_owned());
        let entries = fs::read_dir(&state).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') || path.is_dir() {
                continue;
            }
            let fault = |why: String| format!("{}: {why}", directory.join(&name).display());
            if fs::metadata(&path).is_ok_and(|known| known.len() > MOST_BYTES) {
                return Err(fault("it has more than 1 MiB".to_owned()));
            }
            self.add(&fs::read_to_string(&path).map_err(|error| fault(error.to_string()))?).map_err(fault)?;
        }
        Ok(())
    }

    /// Adds those of a file.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        if text.contains("PRIVATE KEY") {
            return Err("it holds a private key, and only public ones belong here".to_owned());
        }
        if openpgp::holds_keys(text) {
            self.certificates.extend(openpgp::read(text)?);
        } else {
            self.allowed.extend(allowed_signers::read(text)?);
        }
        Ok(())
    }
}
