//! What is asked of git-receive-pack, which is pushed to, and what it answers (gitprotocol-pack). There is one version of it.

use std::io::Read;

use super::error::in_a_line;
use super::pkt_line::{Packet, Packets, Request};
use super::protocol::{AGENT, Capabilities, Fault, Greeting, text, words_of};

/// The id that stands for no object.
const NONE: &str = "0000000000000000000000000000000000000000";

/// The most bytes of a report, and of what is said beside it.
const MOST_BYTES: usize = 64 << 10;

/// A reference that is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::git) struct Move {
    /// Its full name.
    pub name: String,
    /// Where it is; none if it isn't there yet.
    pub old: Option<String>,
    /// Where it is to be.
    pub new: String,
}

/// What became of a push. What isn't in it is where it should be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::source::git) struct Report {
    /// The references that may be elsewhere by now, and the server's reasons, which are the same for other faults, too: whoever asks where
    /// they are knows.
    pub stale: Vec<(String, String)>,
    /// The references that the server doesn't move, and its reasons.
    pub refused: Vec<(String, String)>,
    /// What the server's hooks say.
    pub words: String,
}

/// How a server reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Beside what its hooks say.
    Banded,
    Plain,
}

/// What there is to be done.
#[derive(Debug)]
pub(super) enum Ready {
    /// This is to be asked, and the answer has this form.
    Request(Vec<u8>, Form),
    /// Nothing, as references are elsewhere.
    Stale(Report),
}

/// The moves and the pack as a request, for a server that has introduced itself.
pub(super) fn request(greeting: &Greeting, moves: &[Move], pack: &[u8]) -> Result<Ready, Fault> {
    let Greeting::V0(listed, capabilities) = greeting else {
        return Err(Fault::Strange("it speaks a version in which nothing can be pushed".to_owned()));
    };
    let now = |name: &str| listed.iter().find(|listed| listed.name == name).map(|listed| listed.id.clone());
    let stale = moves.iter().filter(|each| now(&each.name) != each.old);
    let stale: Vec<_> = stale.map(|each| (each.name.clone(), "it is elsewhere already".to_owned())).collect();
    if !stale.is_empty() {
        return Ok(Ready::Stale(Report { stale, ..Report::default() }));
    }
    if !capabilities.contains_key("report-status") {
        return Err(Fault::Strange("it doesn't tell what becomes of a push".to_owned()));
    }
    let form = if capabilities.contains_key("side-band-64k") { Form::Banded } else { Form::Plain };
    let mut request = Request::default();
    for (number, each) in moves.iter().enumerate() {
        let old = each.old.as_deref().unwrap_or(NONE);
        let said = if number == 0 { format!("\0{}", said(capabilities, moves.len() > 1)) } else { String::new() };
        request.bare_line(&format!("{old} {} {}{said}", each.new, each.name));
    }
    let mut bytes = request.flush().take();
    bytes.extend_from_slice(pack);
    Ok(Ready::Request(bytes, form))
}

fn said(capabilities: &Capabilities, are_several: bool) -> String {
    let has = |name: &str| capabilities.contains_key(name);
    let mut said = vec!["report-status"];
    said.extend(has("side-band-64k").then_some("side-band-64k"));
    said.extend((are_several && has("atomic")).then_some("atomic"));
    said.extend(has("object-format").then_some("object-format=sha1"));
    said.extend(has("agent").then_some(AGENT));
    said.join(" ")
}

/// Reads what became of a push.
pub(super) fn report(from: &mut Packets<impl Read>, form: Form) -> Result<Report, Fault> {
    if form == Form::Plain {
        return lines(from, String::new());
    }
    let (mut told, mut words) = (Vec::new(), Vec::new());
    loop {
        match from.next()? {
            Packet::Data([1, bytes @ ..]) if told.len() < MOST_BYTES => told.extend_from_slice(bytes),
            Packet::Data([2, bytes @ ..]) if words.len() < MOST_BYTES => words.extend_from_slice(bytes),
            Packet::Data([3, bytes @ ..]) => return Err(Fault::Said(in_a_line(&words_of(bytes)))),
            Packet::Data(_) | Packet::Delimiter => {}
            Packet::Flush | Packet::End => break,
        }
    }
    let words = in_a_line(&String::from_utf8_lossy(&words));
    lines(&mut Packets::new(&told[..]), words)
}

fn lines(from: &mut Packets<impl Read>, words: String) -> Result<Report, Fault> {
    let mut report = Report { words, ..Report::default() };
    let mut is_unpacked = false;
    while let Some(line) = text(from)? {
        match line.split_once(' ') {
            Some(("unpack", "ok")) => is_unpacked = true,
            Some(("unpack", why)) => {
                return Err(Fault::Said(in_a_line(&format!("it can't unpack what it is sent: {why} {}", report.words))));
            }
            Some(("ng", refused)) => {
                let (name, why) = refused.split_once(' ').unwrap_or((refused, "it doesn't say why"));
                let list = if is_stale(why) { &mut report.stale } else { &mut report.refused };
                list.push((name.to_owned(), in_a_line(why)));
            }
            _ => {}
        }
    }
    // Of several moves that are made at once, one is refused and the others follow it; if all do, git says why beside the report.
    let follows = |(_, why): &(String, String)| why.contains("atomic");
    if report.refused.iter().all(follows) && is_stale(&report.words) {
        report.stale.append(&mut report.refused);
    } else if !report.stale.is_empty() || !report.refused.iter().all(follows) {
        report.refused.retain(|refused| !follows(refused));
    }
    if is_unpacked { Ok(report) } else { Err(Fault::Strange("it doesn't tell what became of a push".to_owned())) }
}

/// Whether a reference may have been moved by somebody else at the same time, in the words of git and other servers.
fn is_stale(why: &str) -> bool {
    const WORDS: [&str; 9] = [
        "fetch first",
        "non-fast-forward",
        "stale info",
        "failed to update ref",
        "failed to lock",
        "cannot lock ref",
        "incorrect old value",
        "reference already exists",
        "remote ref updated since",
    ];
    let why = why.to_lowercase();
    WORDS.iter().any(|words| why.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn greeting(references: &[(&str, &str)], capabilities: &str) -> Greeting {
        let mut request = Request::default();
        let none = [(NONE, "capabilities^{}")];
        for (number, (id, name)) in (if references.is_empty() { &none[..] } else { references }).iter().enumerate() {
            request.line(&if number == 0 { format!("{id} {name}\0{capabilities}") } else { format!("{id} {name}") });
        }
        let bytes = request.flush().take();
        super::super::protocol::greeting(&mut Packets::new(&bytes[..])).unwrap()
    }

    fn moved(name: &str, old: Option<&str>) -> Move {
        Move { name: name.to_owned(), old: old.map(ToOwned::to_owned), new: B.to_owned() }
    }

    #[test]
    fn moves_are_asked_for() {
        let all = "report-status side-band-64k atomic agent=x";
        let table = [
            (vec![], "report-status", vec![moved("m", None)], Form::Plain, format!("{NONE} {B} m\0report-status")),
            (vec![(A, "m")], all, vec![moved("m", Some(A))], Form::Banded, format!("{A} {B} m\0report-status side-band-64k {AGENT}")),
            (
                vec![(A, "m")],
                all,
                vec![moved("m", Some(A)), moved("n", None)],
                Form::Banded,
                format!("{A} {B} m\0report-status side-band-64k atomic {AGENT}|{NONE} {B} n"),
            ),
        ];
        for (references, capabilities, moves, form, want) in table {
            let Ready::Request(bytes, as_said) = request(&greeting(&references, capabilities), &moves, b"PACK").unwrap() else {
                panic!("{want} is stale")
            };
            let mut wanted = Request::default();
            want.split('|').for_each(|line| _ = wanted.bare_line(line));
            let wanted = [wanted.flush().take(), b"PACK".to_vec()].concat();
            assert_eq!((String::from_utf8_lossy(&bytes), as_said), (String::from_utf8_lossy(&wanted), form));
        }
    }

    #[test]
    fn what_has_moved_is_not_asked_for() {
        for (there, old) in [(vec![(A, "m")], None), (vec![(A, "m")], Some(B)), (vec![], Some(A))] {
            let ready = request(&greeting(&there, "report-status"), &[moved("m", old)], b"").unwrap();
            assert!(matches!(ready, Ready::Stale(report) if report.stale[0].0 == "m"), "{there:?} {old:?}");
        }
        assert!(matches!(request(&greeting(&[], "atomic"), &[moved("m", None)], b""), Err(Fault::Strange(_))));
    }

    fn told(lines: &[&str]) -> Vec<u8> {
        let mut request = Request::default();
        lines.iter().for_each(|line| _ = request.line(line));
        request.flush().take()
    }

    #[test]
    fn a_move_of_several_that_git_explains_beside_the_report() {
        for (words, is_stale) in [("error: cannot lock ref 'm': is at a but expected b", true), ("error: no space left", false)] {
            let lines = ["unpack ok", "ng m atomic transaction failed", "ng n atomic transaction failed"];
            let report = lines_of(&told(&lines), words.to_owned());
            assert_eq!((report.stale.len(), report.refused.len()), if is_stale { (2, 0) } else { (0, 2) }, "{words}");
        }
    }

    fn lines_of(bytes: &[u8], words: String) -> Report {
        super::lines(&mut Packets::new(bytes), words).unwrap()
    }

    #[test]
    fn reports() {
        let refused = |name: &str, why: &str| Report { refused: vec![(name.to_owned(), why.to_owned())], ..Report::default() };
        let stale = |name: &str, why: &str| Report { stale: vec![(name.to_owned(), why.to_owned())], ..Report::default() };
        let table = [
            (vec!["unpack ok", "ok m"], Ok(Report::default())),
            (vec!["unpack ok", "ng m protected branch hook declined"], Ok(refused("m", "protected branch hook declined"))),
            (vec!["unpack ok", "ng m failed to update ref"], Ok(stale("m", "failed to update ref"))),
            (vec!["unpack ok", "ng m fetch first", "ng n atomic push failure"], Ok(stale("m", "fetch first"))),
            (
                vec!["unpack ok", "ng m pre-receive hook declined", "ng n atomic transaction failed"],
                Ok(refused("m", "pre-receive hook declined")),
            ),
            (vec!["unpack ok", "ng m atomic transaction failed"], Ok(refused("m", "atomic transaction failed"))),
            (vec!["unpack index-pack abnormal exit"], Err("index-pack abnormal exit")),
            (vec!["ok m"], Err("doesn't tell")),
        ];
        for (said, want) in table {
            let plain = told(&said);
            let banded = [format!("{:04x}\u{2}no,\n", 9).into_bytes(), format!("{:04x}\u{1}", plain.len() + 5).into_bytes(), plain.clone()];
            let banded = [banded.concat(), b"0000".to_vec()].concat();
            for (bytes, form) in [(plain, Form::Plain), (banded, Form::Banded)] {
                match (report(&mut Packets::new(&bytes[..]), form), &want) {
                    (Ok(report), Ok(want)) => {
                        assert_eq!((&report.stale, &report.refused), (&want.stale, &want.refused), "{said:?}");
                        assert_eq!(report.words, if form == Form::Banded { "no," } else { "" });
                    }
                    (Err(Fault::Said(why) | Fault::Strange(why)), Err(want)) => assert!(why.contains(want), "{said:?}: {why}"),
                    (have, want) => panic!("{said:?}: {have:?}, not {want:?}"),
                }
            }
        }
    }
}
