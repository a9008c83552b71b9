//! Something that was declared, with where it stands.

use crate::diagnostic::Diagnostic;
use crate::yaml::Document;

/// A declared object and the document it stands in.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The object.
    pub value: T,
    /// Its namespace, the default filled in.
    pub namespace: String,
    /// The document.
    pub document: Document,
    /// The fields that don't fit the type. They have been reported, and the rest is only looked at for more.
    pub unfit: Vec<String>,
}

impl<T> Located<T> {
    /// Whether all of it could be read, and fits the type.
    pub fn is_whole(&self) -> bool {
        self.unfit.is_empty() && self.document.is_whole
    }

    /// Whether a finding holds whatever should stand in the fields that were left out, and isn't about one of them.
    pub fn is_certain(&self, finding: &Diagnostic) -> bool {
        let is_about = |unfit: &String| finding.field.starts_with(unfit.as_str());
        self.unfit.is_empty() || (finding.is_exact && !self.unfit.iter().any(is_about))
    }
}
