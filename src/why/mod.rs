//! Where a field of a rendered object comes from: the line of the template, the figures of the plan, the lines of the user.

mod path;
mod values;

use serde_json::Value;

pub use path::{FieldPath, value_at};

use crate::diagnostic::{Diagnostic, Place};
use crate::plan::{Reason, Reasons};
use crate::render::{TemplateLine, Trace};
use crate::yaml::Document;

/// Where a field comes from.
#[derive(Debug, Default)]
pub struct Why<'a> {
    /// The lines of templates that leave it, from the outermost to the innermost.
    pub lines: Vec<TemplateLine>,
    /// The conditions and loops that these stand in.
    pub within: Vec<TemplateLine>,
    /// The figures of the plan that it is made of.
    pub figures: Vec<&'a Reason>,
    /// The fields of the user that it is made of, with their places.
    pub fields: Vec<(String, Place)>,
}

/// Traces a field of an object that was rendered for what a document declares; `None` if the object has no such field.
pub fn why<'a>(trace: &Trace, path: &FieldPath, object: &Value, document: Option<&Document>, reasons: &'a Reasons) -> Option<Why<'a>> {
    let steps = path.resolve(object)?;
    let (lines, below) = trace.find(&steps)?.split_first()?;
    let lines = lines.clone();
    let within: Vec<TemplateLine> = lines.iter().flat_map(TemplateLine::within).collect();
    let mut names = Vec::new();
    // Of the whole object everything would be a part.
    let below = below.iter().filter(|_| !steps.is_empty()).flatten();
    for line in lines.iter().chain(&within).chain(below) {
        values::names(line, &mut names);
    }
    let mut why = Why { lines, within, ..Why::default() };
    for name in names {
        let Some(origin) = values::origin(&name) else { continue };
        let is_new = |reason: &&Reason| !why.figures.iter().any(|other| std::ptr::eq(*other, *reason));
        let figures: Vec<&Reason> = reasons.iter().filter(|reason| origin.figures.contains(&reason.figure)).filter(is_new).collect();
        why.figures.extend(figures);
        for field in origin.fields {
            let Some(document) = document else { continue };
            let found = document.finding(Diagnostic::note(""), &FieldPath::steps(field));
            if let Some(place) = found.place.filter(|_| found.is_exact && !why.fields.iter().any(|(known, _)| *known == found.field)) {
                why.fields.push((found.field, place));
            }
        }
    }
    Some(why)
}
