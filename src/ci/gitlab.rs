//! GitLab CI: everything is in variables.
//!
//! Source: GitLab's "Predefined CI/CD variables reference".

use super::{Base, Job, Platform, PullRequest, Variables, commit};

/// The job of a pipeline, of a merge request or of a branch.
pub(super) fn job(variables: Variables<'_>) -> Job {
    let id = |name: &str| variables(name).as_deref().and_then(commit);
    let request = || {
        let project = variables("CI_MERGE_REQUEST_PROJECT_ID")?;
        let source = variables("CI_MERGE_REQUEST_SOURCE_PROJECT_ID");
        Some(PullRequest {
            api: variables("CI_API_V4_URL")?.trim_end_matches('/').to_owned(),
            number: variables("CI_MERGE_REQUEST_IID")?.parse().ok()?,
            is_from_fork: source.is_none_or(|source| source != project),
            project,
        })
    };
    let request = request();
    let merge_base = id("CI_MERGE_REQUEST_DIFF_BASE_SHA");
    Job {
        platform: Platform::GitLab,
        // Only a pipeline of merged results, in which something else is checked out, has a variable for it.
        head: request.as_ref().and_then(|_| id("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| id("CI_COMMIT_SHA"))),
        base: merge_base.or_else(|| id("CI_COMMIT_BEFORE_SHA").filter(|_| request.is_none())).map(Base::Commit),
        request,
        repository: variables("CI_PROJECT_URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";
    const THREE: &str = "3333333333333333333333333333333333333333";
    const ZEROS: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn what_pipelines_are_about() {
        let common = [("GITLAB_CI", "true"), ("CI_API_V4_URL", "https://gitlab.com/api/v4"), ("CI_PROJECT_URL", "https://gitlab.com/g/p")];
        let request = [("CI_MERGE_REQUEST_IID", "7"), ("CI_MERGE_REQUEST_PROJECT_ID", "42"), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", ONE)];
        let own = ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "42");
        let table = [
            ([&request[..], &[own, ("CI_COMMIT_SHA", TWO), ("CI_COMMIT_BEFORE_SHA", ZEROS)]].concat(), Some(TWO), Some(ONE), Some(false)),
            // Merged results.
            (
                [&request[..], &[own, ("CI_COMMIT_SHA", THREE), ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", TWO)]].concat(),
                Some(TWO),
                Some(ONE),
                Some(false),
            ),
            (
                [&request[..], &[("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "43"), ("CI_COMMIT_SHA", TWO)]].concat(),
                Some(TWO),
                Some(ONE),
                Some(true),
            ),
            (vec![("CI_COMMIT_SHA", TWO), ("CI_COMMIT_BEFORE_SHA", ONE)], None, Some(ONE), None),
            (vec![("CI_COMMIT_SHA", TWO), ("CI_COMMIT_BEFORE_SHA", ZEROS)], None, None, None),
        ];
        for (own, head, base, is_from_fork) in table {
            let set = [&common[..], &own].concat();
            let variables = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let job = Job::of(&variables, None).unwrap();
            assert_eq!((job.platform, job.head.as_deref()), (Platform::GitLab, head), "{own:?}");
            assert_eq!(job.base, base.map(|id| Base::Commit(id.to_owned())), "{own:?}");
            let told = job.request.map(|told| (told.api, told.project, told.number, told.is_from_fork));
            let want = is_from_fork.map(|fork| ("https://gitlab.com/api/v4".to_owned(), "42".to_owned(), 7, fork));
            assert_eq!(told, want, "{own:?}");
            assert_eq!(job.repository.as_deref(), Some("https://gitlab.com/g/p"));
        }
    }
}
