//! Which CI a process runs in, and what it is run about: from the variables and the event that CI systems give their jobs. And what it has
//! found, as one text for a summary and a comment.

mod actions;
mod gitlab;
mod summary;

pub use summary::{Outdated, Summary, marker};

/// A variable of the environment; none if it isn't set.
pub type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

/// Whose CI it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// GitHub Actions.
    GitHub,
    /// The Actions of Gitea or Forgejo, which look like GitHub's.
    Gitea,
    /// GitLab CI.
    GitLab,
    /// Any other, or none.
    Plain,
}

/// What a job is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Whose CI it runs in.
    pub platform: Platform,
    /// The newest commit of the change, by its id; what is checked out without one.
    pub head: Option<String>,
    /// What the change is compared with; nothing if the job is about no change.
    pub base: Option<Base>,
    /// The pull or merge request that it is about.
    pub request: Option<PullRequest>,
    /// The address of the repository over HTTP.
    pub repository: Option<String>,
}

/// What a change is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// This very commit, by its id.
    Commit(String),
    /// The commit where the change has left this one, or this branch or tag.
    MergeBase(String),
}

/// A pull request of GitHub, Gitea or Forgejo, or a merge request of GitLab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// The root of the API, without a slash at its end.
    pub api: String,
    /// The project as the API calls it: `owner/name`, or GitLab's number.
    pub project: String,
    /// Its number.
    pub number: u64,
    /// Whether its commits come from another project.
    pub is_from_fork: bool,
}

impl Platform {
    /// Whose variables these are.
    pub fn of(variables: Variables<'_>) -> Self {
        let is_set = |name: &str| variables(name).is_some_and(|value| value == "true");
        let is_gitea = || {
            is_set("GITEA_ACTIONS")
                || is_set("FORGEJO_ACTIONS")
                || variables("GITHUB_API_URL").is_some_and(|url| url.trim_end_matches('/').ends_with("/api/v1"))
        };
        match () {
            () if is_set("GITLAB_CI") => Self::GitLab,
            () if !["GITHUB_ACTIONS", "GITEA_ACTIONS", "FORGEJO_ACTIONS"].into_iter().any(is_set) => Self::Plain,
            () if is_gitea() => Self::Gitea,
            () => Self::GitHub,
        }
    }

    /// The variables that may hold a token with which comments can be written, the best one first.
    pub fn tokens(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &["GITHUB_TOKEN"],
            Self::Gitea => &["GITEA_TOKEN", "FORGEJO_TOKEN", "GITHUB_TOKEN"],
            Self::GitLab => &["GITLAB_TOKEN"],
            Self::Plain => &[],
        }
    }

    /// Whether commands in the log become annotations.
    pub fn has_commands(self) -> bool {
        matches!(self, Self::GitHub | Self::Gitea)
    }
}

impl Job {
    /// What the job with these variables is about. `event` is the text of the file that `GITHUB_EVENT_PATH` names.
    ///
    /// # Errors
    /// The event is no JSON.
    pub fn of(variables: Variables<'_>, event: Option<&str>) -> Result<Self, serde_json::Error> {
        Ok(match Platform::of(variables) {
            Platform::GitLab => gitlab::job(variables),
            Platform::Plain => Self { platform: Platform::Plain, head: None, base: None, request: None, repository: None },
            platform => actions::job(platform, variables, &event.map_or(Ok(serde_json::Value::Null), serde_json::from_str)?),
        })
    }
}

/// The id of a commit. What isn't there is told as zeros.
fn commit(id: &str) -> Option<String> {
    let is_id = [40, 64].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && id.bytes().any(|byte| byte != b'0')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_ci_it_is() {
        let table: [(&[(&str, &str)], Platform); 8] = [
            (&[], Platform::Plain),
            (&[("CI", "true")], Platform::Plain),
            (&[("GITHUB_ACTIONS", "true")], Platform::GitHub),
            (&[("GITHUB_ACTIONS", "true"), ("GITHUB_API_URL", "https://github.example.com/api/v3")], Platform::GitHub),
            (&[("GITHUB_ACTIONS", "true"), ("GITHUB_API_URL", "https://git.example.com/api/v1/")], Platform::Gitea),
            (&[("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")], Platform::Gitea),
            (&[("FORGEJO_ACTIONS", "true")], Platform::Gitea),
            (&[("GITLAB_CI", "true")], Platform::GitLab),
        ];
        for (set, want) in table {
            let variables = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Platform::of(&variables), want, "{set:?}");
        }
    }

    #[test]
    fn ids_of_commits() {
        assert!(commit("0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655").is_some());
        for none in ["", "main", "0000000000000000000000000000000000000000", "0f3c5a1"] {
            assert_eq!(commit(none), None, "{none}");
        }
    }
}
