//! Statuses beside commits: what each forge calls them, and how many characters it takes.
//!
//! Sources: the REST APIs of GitHub ("Create a commit status"), GitLab ("Set commit pipeline status"), Gitea ("Create a commit
//! status") and Bitbucket Cloud ("Create a build status for a commit").

use serde_json::json;
use sha1::{Digest, Sha1};

use super::channel::{Channel, Provider};
use super::notice::{Event, Notice};
use super::request::{Request, segment, shortened};
use crate::hex::hex;

/// The characters of a description: GitHub refuses more.
const GITHUB_DESCRIPTION: usize = 140;
/// The same for others, who take any number or 255.
const DESCRIPTION: usize = 255;
/// The characters of a name or context.
const CONTEXT: usize = 255;

/// The request that shows a notice beside its commit; none if there is no commit, no repository or nothing to show.
pub(super) fn request(channel: &Channel, notice: &Notice) -> Option<Request> {
    let commit = notice.commit()?;
    let path = &channel.repository.as_ref()?.path;
    let state = state(channel.provider, notice.event)?;
    let context = shortened(&channel.context(notice), CONTEXT);
    let description = |most| shortened(&notice.summary, most);
    // What stands before the owner is where the forge itself is.
    let parts: Vec<String> = path.split('/').map(segment).collect();
    let by_owner = || parts[parts.len().saturating_sub(2)..].join("/");
    let (path, headers, body) = match channel.provider {
        Provider::GitHub => (
            format!("/repos/{}/statuses/{commit}", by_owner()),
            vec![("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
            json!({"state": state, "context": context, "description": description(GITHUB_DESCRIPTION)}),
        ),
        Provider::GitLab => (
            format!("/projects/{}/statuses/{commit}", segment(path)),
            Vec::new(),
            json!({"state": state, "name": context, "description": description(DESCRIPTION)}),
        ),
        Provider::Gitea => (
            format!("/repos/{}/statuses/{commit}", by_owner()),
            Vec::new(),
            json!({"state": state, "context": context, "description": description(DESCRIPTION)}),
        ),
        // Without an address it refuses a status, and a key may have 40 characters.
        Provider::Bitbucket => (
            format!("/repositories/{}/commit/{commit}/statuses/build", by_owner()),
            Vec::new(),
            json!({"state": state, "key": key(&context), "name": context, "description": description(DESCRIPTION), "url": channel.page(notice)}),
        ),
        _ => return None,
    };
    Some(Request { path, headers, body })
}

/// What a forge calls what has happened.
fn state(provider: Provider, event: Event) -> Option<&'static str> {
    let (waiting, good, bad) = match provider {
        Provider::GitHub | Provider::Gitea => ("pending", "success", "failure"),
        Provider::GitLab => ("running", "success", "failed"),
        Provider::Bitbucket => ("INPROGRESS", "SUCCESSFUL", "FAILED"),
        _ => return None,
    };
    match event {
        Event::Progressing => Some(waiting),
        Event::Succeeded => Some(good),
        Event::Failed | Event::HealthFailed => Some(bad),
        Event::DriftRepaired | Event::Pruned => None,
    }
}

fn key(context: &str) -> String {
    hex(&Sha1::digest(context))
}

#[cfg(test)]
mod tests {
    use super::super::channel::Repository;
    use super::super::notice::tests::notice;
    use super::*;

    fn channel(provider: Provider, site: &str, path: &str) -> Channel {
        Channel {
            cluster: Some("prod".to_owned()),
            repository: Some(Repository { site: site.to_owned(), path: path.to_owned() }),
            ..Channel::new(provider)
        }
    }

    #[test]
    fn what_each_forge_is_told() {
        let id = "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655";
        let github = channel(Provider::GitHub, "https://github.com", "org/models");
        let enterprise = channel(Provider::GitHub, "https://github.example.com", "org/models");
        let gitlab = channel(Provider::GitLab, "https://gitlab.com", "group/sub/models");
        let gitea = channel(Provider::Gitea, "http://gitea.git.svc:3000", "org/my models");
        let bitbucket = channel(Provider::Bitbucket, "https://bitbucket.org", "team/models");
        let context = "kaito/prod/models/fleet";
        let table = [
            (
                &github,
                Event::Progressing,
                format!("https://api.github.com/repos/org/models/statuses/{id}"),
                json!({"state": "pending", "context": context, "description": "so it is"}),
            ),
            (
                &enterprise,
                Event::HealthFailed,
                format!("https://github.example.com/api/v3/repos/org/models/statuses/{id}"),
                json!({"state": "failure", "context": context, "description": "so it is"}),
            ),
            (
                &gitlab,
                Event::Progressing,
                format!("https://gitlab.com/api/v4/projects/group%2Fsub%2Fmodels/statuses/{id}"),
                json!({"state": "running", "name": context, "description": "so it is"}),
            ),
            (
                &gitlab,
                Event::Failed,
                format!("https://gitlab.com/api/v4/projects/group%2Fsub%2Fmodels/statuses/{id}"),
                json!({"state": "failed", "name": context, "description": "so it is"}),
            ),
            (
                &gitea,
                Event::Succeeded,
                format!("http://gitea.git.svc:3000/api/v1/repos/org/my%20models/statuses/{id}"),
                json!({"state": "success", "context": context, "description": "so it is"}),
            ),
            (
                &bitbucket,
                Event::Succeeded,
                format!("https://api.bitbucket.org/2.0/repositories/team/models/commit/{id}/statuses/build"),
                json!({
                    "state": "SUCCESSFUL",
                    "key": key(context),
                    "name": context,
                    "description": "so it is",
                    "url": format!("https://bitbucket.org/team/models/commits/{id}"),
                }),
            ),
        ];
        for (channel, event, url, body) in table {
            let request = channel.request(&notice(event, "so it is")).unwrap();
            assert_eq!(format!("{}{}", channel.api().unwrap(), request.path), url);
            assert_eq!(request.body, body, "{url}");
        }
        assert_eq!(key(context).len(), 40);
    }

    #[test]
    fn what_no_forge_is_told() {
        let github = channel(Provider::GitHub, "https://github.com", "org/models");
        let told = notice(Event::Succeeded, "so it is");
        for event in [Event::DriftRepaired, Event::Pruned] {
            assert_eq!(github.request(&notice(event, "so it is")), None);
            assert_eq!(Channel { events: [event].into(), ..github.clone() }.request(&notice(event, "so it is")), None);
        }
        assert_eq!(github.request(&Notice { revision: None, ..told.clone() }), None);
        assert_eq!(Channel { repository: None, ..github.clone() }.request(&told), None);
        assert_eq!(Channel { sets: ["other".to_owned()].into(), ..github.clone() }.request(&told), None);
        assert_eq!(Channel { events: [Event::Failed].into(), ..github.clone() }.request(&told), None);
        assert!(github.request(&Notice { is_news: false, ..told }).is_some(), "a commit that changes nothing has its status too");
    }

    #[test]
    fn descriptions_are_as_long_as_they_may_be() {
        let long = "word ".repeat(200);
        for (provider, most) in [(Provider::GitHub, 140), (Provider::GitLab, 255), (Provider::Gitea, 255), (Provider::Bitbucket, 255)] {
            let request = channel(provider, "https://x.co", "a/b").request(&notice(Event::Failed, &long)).unwrap();
            let description = request.body["description"].as_str().unwrap();
            assert!(description.chars().count() <= most && description.ends_with('…'), "{provider:?}: {description}");
        }
    }
}
