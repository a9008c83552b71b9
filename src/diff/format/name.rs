//! The names of what is different, as kubectl prints them with `-o name`.

use crate::diff::Report;

/// A line for each object.
pub fn name(report: &Report) -> String {
    let objects = report.owners.iter().flat_map(|owner| &owner.objects);
    objects.map(|object| object.reference.resource_name() + "\n").collect()
}
