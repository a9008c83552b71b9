//! A value that nobody may see.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

/// A password, a token or a key: a text, or bytes. Nothing prints it, neither its `Debug` nor that of what holds it, and it is overwritten when it
/// is no longer used. Unlike those of `secrecy` two can be compared, since a client is made anew when its credentials change.
///
/// Only what [`expose`](Self::expose) gives can be read, and `tests/architecture.rs` lists who asks for that.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a value. Copies that were made of it before are not this one's to overwrite.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value, for whom it is meant: a header, a signature, a decoder. It gets no further than that.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<Vec<u8>> {
    /// The value as a text, if it is one in UTF-8.
    pub fn into_text(mut self) -> Option<Secret> {
        match String::from_utf8(std::mem::take(&mut *self.0)) {
            Ok(text) => Some(Secret::new(text)),
            Err(error) => {
                drop(Self::new(error.into_bytes()));
                None
            }
        }
    }
}

impl Secret {
    /// The same without line feeds at the end, which editors and `echo` leave there.
    #[must_use]
    pub fn without_line_end(&self) -> Self {
        self.0.trim_end_matches(['\n', '\r']).into()
    }

    /// The same without white space around.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        self.0.trim().into()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        (*self.0).as_ref().ct_eq((*other.0).as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Vec<u8>> for Secret<Vec<u8>> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

/// A text, such as what a server answers, in which each of these is `***`.
pub fn hide<'s>(text: &str, secrets: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut secrets: Vec<&str> = secrets.into_iter().map(|secret| secret.0.as_str()).filter(|secret| !secret.is_empty()).collect();
    // What holds another one goes first.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "it is there to be shown")]
    struct Holder {
        name: &'static str,
        password: Secret,
        key: Option<Secret<Vec<u8>>>,
    }

    #[test]
    fn nothing_prints_one() {
        let holder = Holder { name: "me", password: "hunter2".into(), key: Some(b"hunter3".to_vec().into()) };
        assert_eq!(format!("{holder:?}"), r#"Holder { name: "me", password: ***, key: Some(***) }"#);
        assert!(!format!("{holder:#?}").contains("hunter"));
    }

    #[test]
    fn values() {
        let secret = Secret::from("hunter2\r\n");
        assert_eq!((secret.without_line_end().expose().as_str(), secret.is_empty()), ("hunter2", false));
        assert_eq!(Secret::from(" hunter2 \n").trimmed(), "hunter2".into());
        assert_ne!(secret, "hunter2".into());
        assert_ne!(Secret::from(""), "hunter2".into());
        assert_eq!(Secret::new(b"hunter2".to_vec()).into_text(), Some("hunter2".into()));
        assert_eq!(Secret::new(vec![0xff]).into_text(), None);
    }

    #[test]
    fn hidden_in_texts() {
        let secrets: Vec<Secret> = ["hunter2", "", "Bearer hunter2"].map(Secret::from).into();
        let table =
            [("your token hunter2 is wrong, as is Bearer hunter2", "your token *** is wrong, as is ***"), ("nothing", "nothing"), ("", "")];
        for (text, want) in table {
            assert_eq!(hide(text, &secrets), want, "{text}");
        }
    }
}
