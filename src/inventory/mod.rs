//! What was applied: an ApplySet in kubectl's form, so that other tools understand it and leave it alone.
//!
//! A [`Parent`], a Secret or a ConfigMap, tells which kinds and namespaces hold members ([`Contents`]); each member tells by a label,
//! or by an annotation ([`mark`]), whose it is. So nothing else has to be remembered to find what is no longer wanted.
//!
//! Source: kubectl, `pkg/cmd/apply/applyset.go`. The names in KEP-3659 are other ones, which nobody uses.

mod contents;
mod history;
mod member;
mod parent;
mod progress;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

pub use contents::{Contents, GroupKind};
pub use history::{Entry, History, SUCCEEDED};
pub use member::{Member, PART_OF, is_marked_by_annotation, mark, part_of, sorted};
pub use parent::{ID, Parent, ParentFault, ParentKind, Record, kept};
pub use progress::Progress;

/// The field manager by which the parent is applied.
pub const FIELD_MANAGER: &str = "kaito-applyset";

/// The name of the set that an object keeps. The group is empty for core kinds, the namespace for what is in none.
pub fn set_id(name: &str, namespace: &str, kind: &str, group: &str) -> String {
    let hash = Sha256::digest(format!("{name}.{namespace}.{kind}.{group}"));
    // A label's value begins and ends with a letter or a digit, which base64 may not.
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kubectls() {
        let table = [
            (["my-set", "test", "Secret", ""], "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"),
            (["my-set", "", "ApplySet", "company.com"], "applyset-rhp1a-HVAVT_dFgyEygyA1BEB82HPp2o10UiFTpqtAs-v1"),
        ];
        for ([name, namespace, kind, group], want) in table {
            assert_eq!(set_id(name, namespace, kind, group), want);
            assert!(crate::spec::names::is_label_value(want), "{want}");
        }
    }
}
