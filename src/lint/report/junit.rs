//! JUnit XML, as GitLab and Jenkins read it: a suite for each file, a case for each finding.

use std::collections::HashMap;

use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::writer::Writer;

use super::{Report, message};
use crate::diagnostic::{self, Diagnostic};

/// Where findings stand that are about no file.
const NO_FILE: &str = "kaito";

impl Report<'_> {
    /// For GitLab, Jenkins and other readers of JUnit's XML. What is no reason to fail is a case that passed, with its message
    /// as output; a file with nothing to say is one case.
    pub fn junit(&self) -> String {
        let suites = self.suites();
        let cases: usize = suites.iter().map(|(_, findings)| findings.len().max(1)).sum();
        let mut xml = Xml(Writer::new_with_indent(Vec::new(), b' ', 2));
        xml.put(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        let counts = [("tests", &*cases.to_string()), ("failures", &*self.failures(self.findings.iter()).to_string())];
        xml.open("testsuites", &[&[("name", "kaito lint")], counts.as_slice()].concat());
        for (file, findings) in &suites {
            let (cases, failures) = (findings.len().max(1).to_string(), self.failures(findings.iter().copied()).to_string());
            xml.open("testsuite", &[("name", file), ("tests", &cases), ("failures", &failures), ("errors", "0")]);
            if findings.is_empty() {
                xml.open("testcase", &[("name", "lint"), ("classname", file)]);
                xml.close("testcase");
            }
            findings.iter().for_each(|finding| self.case(file, finding, &mut xml));
            xml.close("testsuite");
        }
        xml.close("testsuites");
        String::from_utf8_lossy(&xml.0.into_inner()).into_owned() + "\n"
    }

    /// The files, each with what was found in it.
    fn suites(&self) -> Vec<(String, Vec<&Diagnostic>)> {
        let mut suites: Vec<(String, Vec<&Diagnostic>)> = self.files.iter().map(|file| (self.path(file), Vec::new())).collect();
        let mut numbers: HashMap<String, usize> = suites.iter().map(|(file, _)| file.clone()).zip(0..).collect();
        for finding in self.findings {
            let file = self.location(finding).map_or_else(|| NO_FILE.to_owned(), |(file, _)| file);
            let number = *numbers.entry(file.clone()).or_insert(suites.len());
            if number == suites.len() {
                suites.push((file, Vec::new()));
            }
            suites[number].1.push(finding);
        }
        suites
    }

    fn failures<'f>(&self, findings: impl Iterator<Item = &'f Diagnostic>) -> usize {
        findings.filter(|finding| self.is_failure(finding)).count()
    }

    fn case(&self, file: &str, finding: &Diagnostic, xml: &mut Xml) {
        let line = self.location(finding).map_or(1, |(_, region)| region.start.0);
        let (rule, title) = (finding.rule().id, finding.title());
        let name = format!("{rule} on line {line}: {title}");
        xml.open("testcase", &[("name", &name), ("classname", file), ("file", file), ("line", &line.to_string())]);
        let (element, attributes) = if self.is_failure(finding) {
            ("failure", [("type", rule), ("message", &*title)].to_vec())
        } else {
            ("system-out", Vec::new())
        };
        xml.open(element, &attributes);
        xml.put(Event::Text(BytesText::new(&visible(&format!("{file}:{line}: {}", message(finding))))));
        xml.close(element);
        xml.close("testcase");
    }
}

/// XML in memory, where writing doesn't fail.
struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn put(&mut self, event: Event<'_>) {
        _ = self.0.write_event(event);
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let visible: Vec<(&str, String)> = attributes.iter().map(|(name, value)| (*name, visible(value))).collect();
        let attributes = visible.iter().map(|(name, value)| (*name, value.as_str()));
        self.put(Event::Start(BytesStart::new(name).with_attributes(attributes)));
    }

    fn close(&mut self, name: &str) {
        self.put(Event::End(BytesEnd::new(name)));
    }
}

/// A text in which nothing turns the direction of reading, without the characters that XML 1.0 has no way to write.
fn visible(text: &str) -> String {
    let is_xml = |c: &char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    diagnostic::visible(text).chars().filter(is_xml).collect()
}

#[cfg(test)]
mod tests {
    use super::{Xml, visible};

    #[test]
    fn no_value_leaves_its_attribute() {
        let mut xml = Xml(quick_xml::Writer::new(Vec::new()));
        xml.open("a", &[("b", "\"/><c d='&\u{0}\u{1b}")]);
        assert_eq!(String::from_utf8(xml.0.into_inner()).unwrap(), "<a b=\"&quot;/&gt;&lt;c d=&apos;&amp;\\u{0}\\u{1b}\">");
        assert_eq!(visible("a\u{7}\n\u{ffff}b\u{202e}\u{10ffff}"), "a\\u{7}\nb\\u{202e}\u{10ffff}");
    }
}
