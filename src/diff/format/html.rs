//! A page by itself: no script, nothing loaded from elsewhere.

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::lines::{self, Sign};
use super::{changed_sizes, differing, figure, mark, nothing, pair, restart, short_title, title, total, what};
use crate::diagnostic::visible;
use crate::diff::{Disruption, ObjectChange, OwnerChange, Report};

/// Its name ends in `.html`, so that every value is escaped.
const NAME: &str = "page.html";
const PAGE: &str = include_str!("page.html");

/// What the template is given.
#[derive(Serialize)]
struct Page {
    /// What is said if nothing is different.
    nothing: Option<&'static str>,
    differing: String,
    disruption: &'static str,
    class: &'static str,
    owners: Vec<OwnerView>,
    broken: Vec<String>,
    total: String,
    sizes: Vec<(String, String, String)>,
    without_price: Option<String>,
}

#[derive(Serialize)]
struct OwnerView {
    title: String,
    short_title: String,
    what: String,
    nodes: String,
    gpus: String,
    restart: String,
    class: &'static str,
    objects: Vec<ObjectView>,
}

#[derive(Serialize)]
struct ObjectView {
    mark: &'static str,
    name: String,
    disruption: &'static str,
    class: &'static str,
    lines: Vec<LineView>,
}

#[derive(Serialize)]
struct LineView {
    class: &'static str,
    sign: &'static str,
    text: String,
}

/// The page.
///
/// # Panics
/// If its template is at fault, which tests would show.
pub fn html(report: &Report) -> String {
    let sizes = changed_sizes(&report.totals)
        .map(|(size, before, after)| (size.to_owned(), pair(before.nodes, after.nodes), pair(before.gpus, after.gpus)));
    let page = Page {
        nothing: report.is_empty().then(|| nothing(report)),
        differing: differing(report),
        disruption: report.does(),
        class: class(report.disruption()),
        owners: report.owners.iter().map(owner).collect(),
        broken: report.broken.iter().map(|broken| broken.owner.to_string()).collect(),
        total: total(&report.totals),
        sizes: sizes.collect(),
        without_price: report.totals.cost.as_ref().map(|cost| cost.without_price.join(", ")),
    };
    Environment::new().render_named_str(NAME, PAGE, Value::from(Serde(page))).expect("the page's template fits what it is given") + "\n"
}

fn owner(change: &OwnerChange) -> OwnerView {
    OwnerView {
        title: title(change),
        short_title: short_title(change),
        what: visible(&what(change)),
        nodes: figure(change, |summary| summary.nodes),
        gpus: figure(change, |summary| summary.gpus),
        restart: restart(change).to_owned(),
        class: class(change.disruption),
        objects: change.objects.iter().map(object).collect(),
    }
}

fn object(change: &ObjectChange) -> ObjectView {
    let lines = lines::of_object(change).into_iter().map(|line| {
        let (class, sign) = match line.sign {
            Sign::Path => ("path", ""),
            // With a space, lest a figure look like one below zero.
            Sign::Same => ("same", "  "),
            Sign::Removed => ("removed", "- "),
            Sign::Added => ("added", "+ "),
        };
        LineView { class, sign, text: line.text }
    });
    ObjectView {
        mark: mark(change.change),
        name: change.reference.to_string(),
        disruption: change.does(),
        class: class(change.disruption),
        lines: lines.collect(),
    }
}

/// How much it stands out.
fn class(disruption: Disruption) -> &'static str {
    match disruption {
        Disruption::None | Disruption::InPlace => "quiet",
        Disruption::Rolling => "rolling",
        Disruption::Replace | Disruption::Node | Disruption::Data => "loud",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::{Totals, object_change};
    use crate::manifest::ObjectRef;

    #[test]
    fn everything_is_escaped() {
        let evil = "</span><script>alert(1)</script>\" '&";
        let object = |value: &str| Some(json!({"data": {evil: value}}));
        let objects = vec![object_change(ObjectRef::new("", "ConfigMap", None, evil), object("x"), object(evil)).unwrap()];
        let owner = OwnerChange {
            owner: None,
            words: vec![evil.to_owned()],
            before: None,
            after: None,
            objects,
            disruption: Disruption::InPlace,
            place: None,
        };
        let page = html(&Report { owners: vec![owner], broken: Vec::new(), compared: 1, totals: Totals::default() });
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    }
}
