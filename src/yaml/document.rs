//! One document of a file, and where its fields stand.

use std::sync::Arc;

use super::node::{Node, Step, path_text};
use crate::diagnostic::{Diagnostic, Place, SourceFile};

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The root: a mapping, unless it was asked for whatever is there.
    pub root: Arc<Node>,
    /// Whether all of it could be read: no key stands in it twice, and the like. Such a document is looked at, and never rendered.
    pub is_whole: bool,
    /// For an object that was made from another: where its fields stand in the document of that.
    pub moves: Arc<[Move]>,
}

/// Where a field of an object that was made from another stands in the document of that.
#[derive(Clone, Debug)]
pub struct Move {
    from: Vec<&'static str>,
    to: Vec<Step<'static>>,
}

impl Move {
    /// The field `from`, and all below it, stands at `to`.
    pub fn new(from: &[&'static str], to: &[Step<'static>]) -> Self {
        Self { from: from.to_vec(), to: to.to_vec() }
    }

    /// The path in the document, if this is about it.
    fn apply<'a>(&self, path: &[Step<'a>]) -> Option<Vec<Step<'a>>> {
        let starts = path.len() >= self.from.len()
            && self.from.iter().zip(path).all(|(from, step)| matches!(step, Step::Field(name) if name == from));
        starts.then(|| self.to.iter().copied().chain(path[self.from.len()..].iter().copied()).collect())
    }
}

impl Document {
    /// A document that was read.
    pub fn new(file: &Arc<SourceFile>, root: Node) -> Self {
        Self { file: Arc::clone(file), root: Arc::new(root), is_whole: true, moves: Arc::default() }
    }

    /// A part of it as a document of its own.
    #[must_use]
    pub fn part(&self, root: Node) -> Self {
        Self { is_whole: self.is_whole, ..Self::new(&self.file, root) }
    }

    /// The string in a field, if the document has one there.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(&*self.root, |node, field| node.get(field)).and_then(Node::as_str)
    }

    /// Where a field stands; the nearest field above it if it is absent.
    pub fn place(&self, path: &[Step<'_>]) -> Place {
        Place { file: Arc::clone(&self.file), span: self.root.span_of(path).0 }
    }

    /// A finding about a field of this document.
    pub fn finding(&self, finding: Diagnostic, path: &[Step<'_>]) -> Diagnostic {
        let moved = self.moves.iter().find_map(|moved| moved.apply(path));
        let path = moved.as_deref().unwrap_or(path);
        let (span, is_exact) = self.root.span_of(path);
        Diagnostic { is_exact, ..finding.field(path_text(path)).at(&self.file, span) }
    }
}
