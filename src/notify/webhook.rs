//! What webhooks are told. Programs get the events that Flux' notification-controller sends, so that what takes those takes these;
//! people get a message in the form that Slack has and others understand.
//!
//! Sources: `Event` of github.com/fluxcd/pkg/apis/event; "Incoming webhooks" and "Attachments" of Slack.

use serde_json::{Map, Value, json};

use super::channel::Channel;
use super::notice::{Event, Notice};
use super::request::{Request, shortened};

/// Who tells it.
const CONTROLLER: &str = "kaito";
/// The lines of details that a message has.
const MOST_LINES: usize = 20;
/// The characters of a line.
const MOST_LINE: usize = 500;

/// A notice as an event of Flux.
pub(super) fn generic(channel: &Channel, notice: &Notice) -> Request {
    let page = channel.page(notice);
    let metadata = [
        ("revision", notice.revision.as_deref()),
        ("commit", notice.commit()),
        ("source", Some(notice.source.as_str())),
        ("cluster", channel.cluster.as_deref()),
        ("url", page.as_deref()),
    ];
    let metadata: Map<String, Value> = metadata.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
    let body = json!({
        "involvedObject": {"apiVersion": "v1", "kind": notice.set.kind, "namespace": notice.set.namespace, "name": notice.set.name},
        "severity": if notice.event.is_bad() { "error" } else { "info" },
        "timestamp": notice.at.to_string(),
        "reason": notice.event.reason(),
        "message": lines(notice),
        "metadata": metadata,
        "reportingController": CONTROLLER,
    });
    Request { path: String::new(), headers: vec![("gotk-component", CONTROLLER)], body }
}

/// A notice as a message.
pub(super) fn slack(channel: &Channel, notice: &Notice) -> Request {
    let color = match notice.event {
        Event::Succeeded | Event::Pruned => "good",
        Event::Progressing | Event::DriftRepaired => "warning",
        Event::Failed | Event::HealthFailed => "danger",
    };
    let field = |title: &str, value: &str| json!({"title": title, "value": escaped(value), "short": true});
    let named =
        [("Cluster", channel.cluster.as_deref()), ("Source", Some(notice.source.as_str())), ("Revision", notice.revision.as_deref())];
    let fields: Vec<Value> = named.into_iter().filter_map(|(title, value)| Some(field(title, value?))).collect();
    let place = match &channel.cluster {
        Some(cluster) => format!("{cluster}: {}/{}", notice.set.namespace, notice.set.name),
        None => format!("{}/{}", notice.set.namespace, notice.set.name),
    };
    let text = escaped(&format!("{place}: {}", shortened(&notice.summary, MOST_LINE)));
    let page = channel.page(notice);
    let mut attachment = json!({
        "color": color,
        "fallback": text,
        "title": notice.event.reason(),
        "text": escaped(&details(notice)),
        "fields": fields,
        "ts": notice.at.as_second(),
    });
    if let Some(page) = page {
        attachment["title_link"] = page.into();
    }
    Request { path: String::new(), headers: Vec::new(), body: json!({"username": CONTROLLER, "text": text, "attachments": [attachment]}) }
}

/// All that a notice says.
fn lines(notice: &Notice) -> String {
    let details = details(notice);
    let summary = shortened(&notice.summary, MOST_LINE);
    if details.is_empty() { summary } else { format!("{summary}\n{details}") }
}

fn details(notice: &Notice) -> String {
    let shown = notice.details.iter().take(MOST_LINES).map(|line| shortened(line, MOST_LINE));
    let hidden = notice.details.len().saturating_sub(MOST_LINES);
    shown.chain((hidden > 0).then(|| format!("and {hidden} more"))).collect::<Vec<_>>().join("\n")
}

/// A text in which nothing is a link, a mention or markup of Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Provider, Repository};
    use super::super::notice::tests::notice;
    use super::*;

    fn channel(provider: Provider) -> Channel {
        Channel {
            cluster: Some("prod".to_owned()),
            repository: Some(Repository { site: "https://github.com".to_owned(), path: "org/models".to_owned() }),
            ..Channel::new(provider)
        }
    }

    #[test]
    fn programs_get_the_events_of_flux() {
        let request = channel(Provider::Generic).request(&notice(Event::Failed, "1 of 3 not applied")).unwrap();
        assert_eq!((request.path.as_str(), request.headers.as_slice()), ("", &[("gotk-component", "kaito")][..]));
        let want = json!({
            "involvedObject": {"apiVersion": "v1", "kind": "Secret", "namespace": "models", "name": "fleet"},
            "severity": "error",
            "timestamp": "2025-06-15T15:06:40Z",
            "reason": "Failed",
            "message": "1 of 3 not applied\nstatefulset.apps/phi-4 configured",
            "metadata": {
                "revision": "main@sha1:0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655",
                "commit": "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655",
                "source": "fleet",
                "cluster": "prod",
                "url": "https://github.com/org/models/commit/0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655",
            },
            "reportingController": "kaito",
        });
        assert_eq!(request.body, want);
    }

    #[test]
    fn people_get_a_message() {
        let told = Notice { details: vec!["<!channel> & more".to_owned(); 22], ..notice(Event::DriftRepaired, "2 objects put right") };
        let body = channel(Provider::Slack).request(&told).unwrap().body;
        assert_eq!(body["text"], "prod: models/fleet: 2 objects put right");
        let attachment = &body["attachments"][0];
        assert_eq!((&attachment["color"], &attachment["title"]), (&json!("warning"), &json!("DriftRepaired")));
        let text = attachment["text"].as_str().unwrap();
        assert!(text.starts_with("&lt;!channel&gt; &amp; more\n") && text.ends_with("\nand 2 more"), "{text}");
        assert_eq!(text.lines().count(), 21);
        let titles: Vec<&str> = attachment["fields"].as_array().unwrap().iter().map(|field| field["title"].as_str().unwrap()).collect();
        assert_eq!(titles, ["Cluster", "Source", "Revision"]);
    }

    #[test]
    fn people_are_told_news_only() {
        for provider in [Provider::Generic, Provider::GenericHmac, Provider::Slack] {
            let channel = channel(provider);
            assert_eq!(channel.request(&Notice { is_news: false, ..notice(Event::Succeeded, "as it was") }), None);
            assert_eq!(channel.request(&notice(Event::Progressing, "waiting")), None, "unless it is asked for");
            let asked = Channel { events: [Event::Progressing].into(), ..channel };
            assert!(asked.request(&notice(Event::Progressing, "waiting")).is_some());
        }
    }
}
