//! A form of kaito's own, for scripts: described in docs/diff.md and kept as it is.

use serde::Serialize;
use serde_json::Value;

use crate::diff::report::{Change, Field, ObjectChange, OwnerChange};
use crate::diff::{Cost, Count, Disruption, FlagChange, Owner, Report, Summary, Totals};

/// The version of this form: fields may be added to it, and none taken away.
const API_VERSION: &str = "diff.kaito.sh/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root<'r> {
    api_version: &'static str,
    kind: &'static str,
    /// Whether everything was compared, and nothing is different.
    is_same: bool,
    disruption: Disruption,
    compared: usize,
    owners: Vec<OwnerView<'r>>,
    broken: Vec<&'r Owner>,
    totals: TotalsView<'r>,
}

#[derive(Serialize)]
struct OwnerView<'r> {
    owner: Option<&'r Owner>,
    words: &'r [String],
    disruption: Disruption,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'r Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'r Summary>,
    objects: Vec<ObjectView<'r>>,
}

#[derive(Serialize)]
struct ObjectView<'r> {
    group: &'r str,
    kind: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'r str>,
    name: &'r str,
    change: Change,
    disruption: Disruption,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    fields: Vec<FieldView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'r Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'r Value>,
}

#[derive(Serialize)]
struct FieldView<'r> {
    path: String,
    disruption: Disruption,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<&'r [FlagChange]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'r Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'r Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TotalsView<'r> {
    before: Count,
    after: Count,
    by_size: Vec<SizeView<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<&'r Cost>,
}

#[derive(Serialize)]
struct SizeView<'r> {
    size: &'r str,
    before: Count,
    after: Count,
}

/// Everything that the report holds.
pub fn json(report: &Report) -> String {
    let root = Root {
        api_version: API_VERSION,
        kind: "Report",
        is_same: report.is_empty() && report.broken.is_empty(),
        disruption: report.disruption(),
        compared: report.compared,
        owners: report.owners.iter().map(owner).collect(),
        broken: report.broken.iter().map(|broken| &broken.owner).collect(),
        totals: totals(&report.totals),
    };
    serde_json::to_string_pretty(&root).unwrap_or_default() + "\n"
}

fn owner(change: &OwnerChange) -> OwnerView<'_> {
    OwnerView {
        owner: change.owner.as_ref(),
        words: &change.words,
        disruption: change.disruption,
        before: change.before.as_ref(),
        after: change.after.as_ref(),
        objects: change.objects.iter().map(object).collect(),
    }
}

fn object(change: &ObjectChange) -> ObjectView<'_> {
    let reference = &change.reference;
    ObjectView {
        group: &reference.group,
        kind: &reference.kind,
        namespace: reference.namespace.as_deref(),
        name: &reference.name,
        change: change.change,
        disruption: change.disruption,
        notes: change.notes.iter().map(ToString::to_string).collect(),
        fields: change.fields.iter().map(field).collect(),
        before: change.before.as_ref(),
        after: change.after.as_ref(),
    }
}

fn field(field: &Field) -> FieldView<'_> {
    FieldView {
        path: field.change.path.to_string(),
        disruption: field.disruption,
        flags: field.flags.as_deref(),
        before: field.change.before.as_ref(),
        after: field.change.after.as_ref(),
    }
}

fn totals(totals: &Totals) -> TotalsView<'_> {
    let (before, after) = totals.all();
    let by_size = totals.by_size.iter().map(|(size, (before, after))| SizeView { size, before: *before, after: *after });
    TotalsView { before, after, by_size: by_size.collect(), cost: totals.cost.as_ref() }
}
