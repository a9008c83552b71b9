//! GitHub Actions, and those of Gitea and Forgejo: the event that a workflow was started by.
//!
//! Sources: GitHub's "Default environment variables", and "Webhook events and payloads" for the events.

use serde_json::Value;

use super::{Base, Job, Platform, PullRequest, Variables, commit};

/// The job that an event has started.
pub(super) fn job(platform: Platform, variables: Variables<'_>, event: &Value) -> Job {
    let id = |value: &Value| value.as_str().and_then(commit);
    let (server, project) = (variables("GITHUB_SERVER_URL"), variables("GITHUB_REPOSITORY"));
    let repository = server.zip(project.clone()).map(|(server, project)| format!("{}/{project}", server.trim_end_matches('/')));
    let job = Job { platform, head: None, base: None, request: None, repository };
    let pull = &event["pull_request"];
    if pull.is_object() {
        let (base, head) = (&pull["base"], &pull["head"]);
        let request = variables("GITHUB_API_URL").zip(project).zip(pull["number"].as_u64().or_else(|| event["number"].as_u64()));
        return Job {
            head: id(&head["sha"]),
            // Gitea knows where the branches parted.
            base: id(&pull["merge_base"]).map(Base::Commit).or_else(|| id(&base["sha"]).map(Base::MergeBase)),
            request: request.map(|((api, project), number)| PullRequest {
                api: api.trim_end_matches('/').to_owned(),
                project,
                number,
                // The fork may be gone by now.
                is_from_fork: head["repo"]["full_name"] != base["repo"]["full_name"],
            }),
            ..job
        };
    }
    let group = &event["merge_group"];
    if group.is_object() {
        return Job { head: id(&group["head_sha"]), base: id(&group["base_sha"]).map(Base::Commit), ..job };
    }
    // A push; a branch that is new was nowhere before.
    Job { base: id(&event["before"]).map(Base::Commit), ..job }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";
    const ZEROS: &str = "0000000000000000000000000000000000000000";

    fn of(event: &Value) -> Job {
        let set = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", "https://api.github.com/"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "org/fleet"),
        ];
        let variables = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Job::of(&variables, Some(&event.to_string())).unwrap()
    }

    #[test]
    fn what_events_are_about() {
        let (commit, merge_base) = (|id: &str| Some(Base::Commit(id.to_owned())), |id: &str| Some(Base::MergeBase(id.to_owned())));
        let fleet = json!({"full_name": "org/fleet"});
        let pull = json!({"number": 7, "pull_request": {
            "number": 7, "head": {"sha": TWO, "repo": fleet}, "base": {"sha": ONE, "repo": fleet},
        }});
        let mut of_gitea = pull.clone();
        of_gitea["pull_request"]["merge_base"] = json!(ONE);
        let mut from_fork = pull.clone();
        from_fork["pull_request"]["head"]["repo"] = json!({"full_name": "somebody/fleet"});
        let mut from_nowhere = pull.clone();
        from_nowhere["pull_request"]["head"]["repo"] = Value::Null;
        let table = [
            (&pull, Some(TWO), merge_base(ONE), Some((7, false))),
            (&of_gitea, Some(TWO), commit(ONE), Some((7, false))),
            (&from_fork, Some(TWO), merge_base(ONE), Some((7, true))),
            (&from_nowhere, Some(TWO), merge_base(ONE), Some((7, true))),
            (&json!({"before": ONE, "after": TWO}), None, commit(ONE), None),
            (&json!({"before": ZEROS, "after": TWO}), None, None, None),
            (&json!({"merge_group": {"head_sha": TWO, "base_sha": ONE}}), Some(TWO), commit(ONE), None),
            (&json!({"schedule": "0 0 * * *"}), None, None, None),
            (&json!({"pull_request": {"number": 7}}), None, None, Some((7, false))),
            (&Value::Null, None, None, None),
        ];
        for (event, head, base, request) in table {
            let job = of(event);
            assert_eq!((job.head.as_deref(), &job.base), (head, &base), "{event}");
            let told = job.request.map(|told| (told.api, told.project, told.number, told.is_from_fork));
            let want = request.map(|(number, fork)| ("https://api.github.com".to_owned(), "org/fleet".to_owned(), number, fork));
            assert_eq!(told, want, "{event}");
            assert_eq!(job.repository.as_deref(), Some("https://github.com/org/fleet"));
        }
        assert!(Job::of(&|name| (name == "GITHUB_ACTIONS").then(|| "true".to_owned()), Some("no JSON")).is_err());
    }
}
