//! Text to trees, with every fault of the text in one run. The build reads presets with it, so nothing of kaito's but the trees is named here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use smol_str::{SmolStr, ToSmolStr};

use super::json::Readable;
use super::node::{Entry, Kind, Node, Size};
use super::scalar::{self, Scalar};

/// How much a document may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one file.
    pub bytes: usize,
    /// Documents of one file.
    pub documents: usize,
    /// Nesting of mappings and lists.
    pub depth: usize,
    /// Nodes of one document, aliases expanded.
    pub nodes: usize,
    /// Bytes of the texts that aliases and anchors of one document copy.
    pub copied: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, documents: 200_000, depth: 100, nodes: 500_000, copied: 16 << 20 }
    }
}

/// What is wrong with a text, and at which of its bytes.
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    /// Where it stands for the first time, if it stands here again.
    pub(super) first: Option<usize>,
}

/// The most faults of one document: nobody reads more.
const MOST_FAULTS: usize = 1000;

/// The documents in a stretch of a text, whatever their roots are; those that hold nothing are left out, and a broken one leaves the
/// others alone. One that has more than a document may have is not read to its end: with it, this ends, and says at which byte.
pub(super) fn read(text: &str, part: Range<usize>, limits: Limits, faults: &mut Vec<Fault>) -> (Vec<Node>, Option<usize>) {
    let options = granit_parser::options! {
        emit_comments: false,
        // As libyaml, and so Go, has it.
        block_scalar_eof_without_line_feed: true,
        // JSON knows no limit on keys; YAML's own is 1,024 characters.
        simple_key_max_lookahead: 1 << 16,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let readable = Readable::new(&text[part.clone()]);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(&readable.text, options),
        readable: &readable,
        text,
        base: part.start,
        limits,
        faults,
        anchors: HashMap::new(),
        items: Vec::new(),
        entries: Vec::new(),
        nodes: 0,
        copied: 0,
        faulty: 0,
        at: part.start,
        excess: None,
    };
    let mut documents = Vec::new();
    loop {
        match reader.document() {
            Ok(Some(root)) if root.is_null() => {}
            Ok(Some(root)) => documents.push(root),
            Ok(None) => return (documents, None),
            Err(Broken) if reader.excess.is_some() => return (documents, reader.excess),
            Err(Broken) => match reader.parser.proceed_next_document() {
                Ok(true) => {}
                _ => return (documents, None),
            },
        }
    }
}

/// The document can't be read further; the reason is among the faults.
struct Broken;

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// What the parser reads, of a stretch of this text.
    readable: &'a Readable<'a>,
    text: &'a str,
    /// Where the stretch starts that is read.
    base: usize,
    limits: Limits,
    faults: &'a mut Vec<Fault>,
    anchors: HashMap<usize, Node>,
    /// What is there so far of the lists and mappings that are open, one above the other.
    items: Vec<Node>,
    entries: Vec<Entry>,
    nodes: usize,
    copied: usize,
    /// The faults of documents before this one.
    faulty: usize,
    /// Where the last event was.
    at: usize,
    /// Where there was too much of something.
    excess: Option<usize>,
}

impl<'a> Reader<'a> {
    fn fault(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.faults.push(Fault { span: span.clone(), message: message.into(), first: None });
    }

    /// Which byte of the text it is that the parser says.
    fn place(&self, at: usize) -> usize {
        self.base + self.readable.original(at)
    }

    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Broken> {
        if self.faults.len() - self.faulty >= MOST_FAULTS {
            self.excess = Some(self.at);
            return Err(Broken);
        }
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let span = bytes(&span);
                self.at = self.place(span.start);
                Ok((event, self.at..self.place(span.end)))
            }
            Some(Err(error)) => {
                let at = self.place(error.marker().byte_offset().unwrap_or(0));
                let width = self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                self.fault(&(at..at + width), format!("this isn't well-formed YAML: {}", error.info()));
                Err(Broken)
            }
            None => Ok((Event::StreamEnd, 0..0)),
        }
    }

    /// The root of the next document, or `None` at the end of the file.
    fn document(&mut self) -> Result<Option<Node>, Broken> {
        self.faulty = self.faults.len();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {
                    self.anchors.clear();
                    self.items.clear();
                    self.entries.clear();
                    (self.nodes, self.copied) = (0, 0);
                }
                event => return self.node(event, span).map(Some),
            }
        }
    }

    fn count(&mut self, nodes: usize, span: &Range<usize>) -> Result<(), Broken> {
        self.nodes += nodes;
        if self.nodes <= self.limits.nodes {
            return Ok(());
        }
        self.fault(span, format!("the document has more than {} values once its aliases are expanded", self.limits.nodes));
        self.excess = Some(self.at);
        Err(Broken)
    }

    /// Counts a value of this size, which is there once more.
    fn copy(&mut self, size: Size, span: &Range<usize>) -> Result<(), Broken> {
        self.copied += size.bytes;
        if self.copied > self.limits.copied {
            self.fault(span, format!("the document has more than {} bytes more once its aliases are expanded", self.limits.copied));
            self.excess = Some(self.at);
            return Err(Broken);
        }
        self.count(size.nodes, span)
    }

    fn node(&mut self, event: Event<'a>, span: Range<usize>) -> Result<Node, Broken> {
        self.count(1, &span)?;
        let (anchor, node) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(text, style, tag.as_deref(), span)),
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", &span);
                (anchor, self.sequence(span)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", &span);
                (anchor, self.mapping(span)?)
            }
            _ => {
                self.fault(&span, "a value is missing here");
                return Err(Broken);
            }
        };
        if anchor > 0 {
            self.copy(node.size(), &node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> Result<Node, Broken> {
        let Some(size) = self.anchors.get(&id).map(Node::size) else {
            self.fault(&span, "this alias refers to a value that contains it");
            return Err(Broken);
        };
        self.copy(size, &span)?;
        Ok(self.anchors[&id].clone())
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>, span: Range<usize>) -> Node {
        let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| core_tag(tag).is_some_and(|name| name != "str"));
        if let Some(tag) = tag
            && core_tag(tag).is_none()
        {
            self.fault(&span, format!("the tag {}{} has no meaning in a Kubernetes object", tag.original_handle(), tag.suffix()));
        }
        let resolved = if plain { scalar::resolve(&text) } else { Scalar::Text };
        let kind = match resolved {
            Scalar::Text => Kind::String(text.into()),
            Scalar::Other(kind) => kind,
            Scalar::NotFinite => {
                self.fault(&span, format!("{text} is not a finite number"));
                Kind::Null
            }
        };
        Node { span, kind }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, want: &str, span: &Range<usize>) {
        if let Some(tag) = tag
            && core_tag(tag) != Some(want)
        {
            self.fault(span, format!("the tag {}{} has no meaning in a Kubernetes object", tag.original_handle(), tag.suffix()));
        }
    }

    fn sequence(&mut self, mut span: Range<usize>) -> Result<Node, Broken> {
        let start = self.items.len();
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                span.end = at.end.max(span.end);
                return Ok(Node { span, kind: Kind::Sequence(self.items.drain(start..).collect()) });
            }
            let item = self.node(event, at)?;
            self.items.push(item);
        }
    }

    fn mapping(&mut self, mut span: Range<usize>) -> Result<Node, Broken> {
        let start = self.entries.len();
        let mut keys = Keys::default();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                span.end = at.end.max(span.end);
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.node(event, at)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at)?;
            if is_merge {
                self.merge(value, &mut merged);
                continue;
            }
            let key_span = key.span.clone();
            let Some(key) = self.key(key) else { continue };
            if let Some(first) = keys.find(&self.entries[start..], &key) {
                let first = Some(self.entries[start + first].key_span.start);
                self.faults.push(Fault { span: key_span, message: format!("the key {key:?} stands here again"), first });
                continue;
            }
            self.entries.push(Entry { key, key_span, value });
        }
        for entry in merged {
            if keys.find(&self.entries[start..], &entry.key).is_none() {
                self.entries.push(entry);
            }
        }
        Ok(Node { span, kind: Kind::Mapping(self.entries.drain(start..).collect()) })
    }

    /// The key as JSON has it: Go turns booleans and numbers into their text.
    fn key(&mut self, key: Node) -> Option<SmolStr> {
        match key.kind {
            Kind::String(text) => Some(text),
            Kind::Bool(value) => Some(value.to_smolstr()),
            Kind::Number(value) => Some(value.to_smolstr()),
            _ => {
                self.fault(&key.span, format!("a key must be a string; found {}", key.describe()));
                None
            }
        }
    }

    fn merge(&mut self, value: Node, merged: &mut Vec<Entry>) {
        match value.kind {
            Kind::Mapping(entries) => merged.extend(entries),
            Kind::Sequence(items) => items.into_iter().for_each(|item| self.merge(item, merged)),
            _ => self.fault(&value.span, format!("<< merges mappings; found {}", value.describe())),
        }
    }
}

/// Finds the keys of a mapping: by looking at each as long as they are few, as they are nearly always.
#[derive(Default)]
struct Keys(HashMap<SmolStr, usize>);

impl Keys {
    const FEW: usize = 16;

    /// Which of the entries has this key. No two of them have the same.
    fn find(&mut self, entries: &[Entry], key: &str) -> Option<usize> {
        if entries.len() <= Self::FEW {
            return entries.iter().position(|entry| entry.key == key);
        }
        let unknown = entries.iter().enumerate().skip(self.0.len());
        self.0.extend(unknown.map(|(index, entry)| (entry.key.clone(), index)));
        self.0.get(key).copied()
    }
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}

/// The name of a tag of YAML's core schema, such as `str`.
fn core_tag(tag: &Tag) -> Option<&str> {
    let known = ["str", "int", "float", "bool", "null", "seq", "map"];
    (tag.handle() == "tag:yaml.org,2002:" && known.contains(&tag.suffix())).then(|| tag.suffix())
}
