//! A file that holds a secret: a token, an address, a key. It is read whenever it is used, so that it may change.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::secrets::Secret;

/// The most bytes of one.
const MOST_BYTES: u64 = 1 << 20;

/// What a file holds, which is a text of at most 1 MiB.
///
/// # Errors
/// It can't be read, is longer, or isn't UTF-8. None of it is in the error.
pub fn read_secret(path: &Path) -> io::Result<Secret> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    // As much as there is, at once: what a buffer holds that has become too small is not overwritten.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(MOST_BYTES)).unwrap_or(0) + 1);
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    let bytes = Secret::new(bytes);
    if read? as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 1 MiB"));
    }
    bytes.into_text().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn texts_of_some_length() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        assert_eq!(read_secret(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let most = usize::try_from(MOST_BYTES).unwrap();
        let table: [(&[u8], Result<&str, &str>); 3] = [
            (b"hunter2\n", Ok("hunter2\n")),
            (b"hunter\xff", Err("it is not UTF-8")),
            (&vec![b'a'; most + 1], Err("it has more than 1 MiB")),
        ];
        for (bytes, want) in table {
            fs::write(&path, bytes).unwrap();
            let read = read_secret(&path).map_err(|error| error.to_string());
            assert_eq!(read.as_ref().map(|secret| secret.expose().as_str()).map_err(String::as_str), want);
        }
        fs::write(&path, vec![b'a'; most]).unwrap();
        assert!(read_secret(&path).is_ok());
    }
}
