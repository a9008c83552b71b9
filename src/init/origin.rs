//! Where kaito's own repository is, with the action and the template that CI takes from it.

use std::str::FromStr;

/// A repository on GitHub, at a commit or tag that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its owner and its name: `acme/kaito`.
    pub repository: String,
    /// The commit or tag.
    pub revision: String,
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_word = |word: &str| {
            let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !word.is_empty() && !word.starts_with(['-', '.']) && !word.contains("..") && word.chars().all(is_letter)
        };
        let parts = text.split_once('@').filter(|(repository, revision)| {
            repository.split('/').count() == 2 && repository.split('/').all(is_word) && revision.split('/').all(is_word)
        });
        let (repository, revision) = parts.ok_or("write OWNER/REPOSITORY@REVISION, such as acme/kaito@v0.1.0")?;
        Ok(Self { repository: repository.to_owned(), revision: revision.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_repository() {
        for text in ["acme/kaito@v0.1.0", "a-b/c.d_e@1e5f0c2", "acme/kaito@releases/0.1"] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(format!("{}@{}", origin.repository, origin.revision), text);
        }
        for text in
            ["", "acme/kaito", "kaito@v1", "acme/kaito@", "a/b/c@v1", "acme/kaito@../x", "acme/kaito@-x", "acme/kaito@v1 # x", "a: b/c@v1"]
        {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
