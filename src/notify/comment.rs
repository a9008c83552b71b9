//! The one comment on a pull request, which is found again by its first line and replaced.
//!
//! Sources: the REST APIs of GitHub ("Issue comments"), GitLab ("Notes API", of merge requests) and Gitea ("issue").

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use super::channel::Provider;
use super::forge::{Forge, Refusal};
use super::request::segment;
use crate::secrets::Secret;
use crate::source::is_same_origin;

/// The most pages of comments that are searched.
const MOST_PAGES: usize = 100;

/// A pull request, or GitLab's merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Whose API it is: GitHub's, GitLab's or Gitea's.
    pub provider: Provider,
    /// The root of the API, without a slash at its end.
    pub api: String,
    /// The project as the API calls it: `owner/name`, or GitLab's number.
    pub project: String,
    /// Its number.
    pub number: u64,
}

/// What became of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commented {
    /// It is new.
    Added,
    /// It has another text now.
    Updated,
    /// It is there already.
    Same,
    /// There is none, and there need be none.
    Needless,
}

/// Why there is no comment.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Uncommented {
    /// In words, without secrets.
    why: String,
    /// Whether the token may not do this.
    pub is_forbidden: bool,
}

impl From<Refusal> for Uncommented {
    fn from(Refusal { status, why }: Refusal) -> Self {
        // GitHub and GitLab hide what may not be seen.
        Self { why, is_forbidden: status.is_some_and(|status| [401, 403, 404].contains(&status)) }
    }
}

impl Conversation {
    /// Makes the comment that begins with the marker have this text. If there is none yet, it is added if `is_needed`.
    ///
    /// # Errors
    /// The forge can't be reached, or refuses it.
    pub fn comment(
        &self,
        token: &Secret,
        authorities: Option<&Path>,
        marker: &str,
        text: &str,
        is_needed: bool,
    ) -> Result<Commented, Uncommented> {
        let forge = Forge::new(self.provider, token, authorities)?;
        let body = json!({"body": text});
        for (id, old) in self.found(&forge, marker)? {
            if old.trim_end().replace("\r\n", "\n") == text.trim_end() {
                return Ok(Commented::Same);
            }
            let method = if self.provider == Provider::GitLab { Method::PUT } else { Method::PATCH };
            match forge.ask(method, &self.one(id), Some(&body)) {
                Ok(_) => return Ok(Commented::Updated),
                // Somebody else's, who has copied the marker, or one that is gone by now.
                Err(Refusal { status: Some(403 | 404), .. }) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        if !is_needed {
            return Ok(Commented::Needless);
        }
        forge.ask(Method::POST, &self.all(), Some(&body))?;
        Ok(Commented::Added)
    }

    /// The comments that begin with a marker.
    fn found(&self, forge: &Forge<'_>, marker: &str) -> Result<Vec<(u64, String)>, Refusal> {
        let mut found = Vec::new();
        let mut page = Some(format!("{}?per_page=100", self.all()));
        for _ in 0..MOST_PAGES {
            let Some(url) = page else { break };
            let answer = forge.ask(Method::GET, &url, None)?;
            let comments = answer.body.as_array().into_iter().flatten().filter(|comment| comment["system"] != true);
            found.extend(comments.filter_map(|comment| marked(comment, marker)));
            // A token goes to the host that it is for.
            page = answer.next.filter(|next| is_same_origin(next, &self.api));
        }
        Ok(found)
    }

    /// Where comments are listed and added.
    fn all(&self) -> String {
        let Self { api, number, .. } = self;
        match self.provider {
            Provider::GitLab => format!("{api}/projects/{}/merge_requests/{number}/notes", segment(&self.project)),
            _ => format!("{api}/repos/{}/issues/{number}/comments", self.repository()),
        }
    }

    /// Where one of them is changed.
    fn one(&self, id: u64) -> String {
        match self.provider {
            Provider::GitLab => format!("{}/{id}", self.all()),
            _ => format!("{}/repos/{}/issues/comments/{id}", self.api, self.repository()),
        }
    }

    fn repository(&self) -> String {
        self.project.split('/').map(segment).collect::<Vec<_>>().join("/")
    }
}

fn marked(comment: &Value, marker: &str) -> Option<(u64, String)> {
    let text = comment["body"].as_str()?;
    text.lines().next().filter(|line| line.trim() == marker)?;
    Some((comment["id"].as_u64()?, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_comments_are() {
        let conversation =
            |provider, project: &str| Conversation { provider, api: "https://x/api".to_owned(), project: project.to_owned(), number: 7 };
        let github = conversation(Provider::GitHub, "org/my fleet");
        assert_eq!(github.all(), "https://x/api/repos/org/my%20fleet/issues/7/comments");
        assert_eq!(github.one(3), "https://x/api/repos/org/my%20fleet/issues/comments/3");
        let gitlab = conversation(Provider::GitLab, "g/p");
        assert_eq!(gitlab.all(), "https://x/api/projects/g%2Fp/merge_requests/7/notes");
        assert_eq!(gitlab.one(3), "https://x/api/projects/g%2Fp/merge_requests/7/notes/3");
        assert_eq!(conversation(Provider::Gitea, "org/fleet").one(3), "https://x/api/repos/org/fleet/issues/comments/3");
    }

    #[test]
    fn comments_are_known_by_their_first_line() {
        let marker = "<!-- kaito-diff:. -->";
        let table = [
            (json!({"id": 1, "body": "<!-- kaito-diff:. -->\r\ntext"}), true),
            (json!({"id": 1, "body": "<!-- kaito-diff:.. -->\ntext"}), false),
            (json!({"id": 1, "body": "> <!-- kaito-diff:. -->\ntext"}), false),
            (json!({"id": 1, "body": "text\n<!-- kaito-diff:. -->"}), false),
            (json!({"id": 1}), false),
            (json!({"body": marker}), false),
        ];
        for (comment, want) in table {
            assert_eq!(marked(&comment, marker).is_some(), want, "{comment}");
        }
    }
}
