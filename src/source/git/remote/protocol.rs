//! What is asked of git-upload-pack and what it answers, in version 2 of the protocol (gitprotocol-v2), or 0 where a server knows
//! no other (gitprotocol-pack). Requests are bytes, answers anything that can be read.
//!
//! libgit2 speaks version 0 alone, in which a server lists all its references before anything can be asked.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::pkt_line::{Packet, Packets, Request};
use crate::source::dir::limit;

pub(super) const AGENT: &str = concat!("agent=kaito/", env!("CARGO_PKG_VERSION"));

/// The most references that are read.
const MOST_REFERENCES: usize = 2_000_000;

/// Why an answer is of no use.
#[derive(Debug)]
pub(super) enum Fault {
    /// It broke off.
    Io(io::Error),
    /// The server says no, in these words.
    Said(String),
    /// It isn't what was asked for.
    Strange(String),
    /// What was received can't be kept.
    Keep(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { Self::Strange(error.to_string()) } else { Self::Io(error) }
    }
}

/// A reference that a server lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::git) struct Listed {
    /// Its full name, or `HEAD`.
    pub name: String,
    /// What it points to: a commit, or the object of an annotated tag.
    pub id: String,
    /// What an annotated tag is for.
    pub peeled: Option<String>,
    /// The full name that a symbolic reference stands for.
    pub target: Option<String>,
}

/// What a server can do, by name.
pub(super) type Capabilities = BTreeMap<String, String>;

/// How a server introduces itself.
#[derive(Debug)]
pub(super) enum Greeting {
    /// It waits for commands.
    V2(Capabilities),
    /// It has listed all its references.
    V0(Vec<Listed>, Capabilities),
}

/// What is wanted of a repository.
pub(in crate::source::git) struct Wanted<'a> {
    /// The commit.
    pub commit: &'a str,
    /// Commits that are here with all their files.
    pub haves: &'a [String],
    /// Those whose parents are not here.
    pub shallow: &'a [String],
    /// Without the history of the commit.
    pub newest_only: bool,
}

/// How the history that is here has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::source::git) struct Cuts {
    /// Commits whose parents are not here.
    pub shallow: Vec<String>,
    /// Commits whose parents are here now.
    pub unshallow: Vec<String>,
}

/// Reads how a server introduces itself.
pub(super) fn greeting(from: &mut Packets<impl Read>) -> Result<Greeting, Fault> {
    let mut first = text(from)?;
    // Over HTTP, a server says first what service this is.
    if first.as_deref().is_some_and(|line| line.starts_with("# service=")) {
        while text(from)?.is_some() {}
        first = text(from)?;
    }
    if first.as_deref() == Some("version 2") {
        let mut capabilities = Capabilities::new();
        while let Some(line) = text(from)? {
            let (name, value) = line.split_once('=').unwrap_or((&line, ""));
            capabilities.insert(name.to_owned(), value.to_owned());
        }
        return sha1(&capabilities).map(|()| Greeting::V2(capabilities));
    }
    let mut capabilities = Capabilities::new();
    let mut references: Vec<Listed> = Vec::new();
    let mut targets = BTreeMap::new();
    while let Some(line) = first {
        let (line, said) = line.split_once('\0').map_or((line.as_str(), None), |(line, said)| (line, Some(said)));
        for word in said.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            if let Some((symbolic, target)) = value.split_once(':').filter(|_| name == "symref") {
                targets.insert(symbolic.to_owned(), target.to_owned());
            }
            capabilities.insert(name.to_owned(), value.to_owned());
        }
        if let Some((id, name)) = line.split_once(' ').filter(|(id, _)| is_id(id)) {
            match (name.strip_suffix("^{}"), references.last_mut()) {
                (Some(tag), Some(last)) if last.name == tag => last.peeled = Some(id.to_owned()),
                // This stands for no reference at all, in an empty repository.
                (Some("capabilities"), _) => {}
                _ => references.push(Listed { name: name.to_owned(), id: id.to_owned(), peeled: None, target: None }),
            }
        } else if !line.starts_with("version ") && !line.starts_with("shallow ") {
            return Err(Fault::Strange(format!("it lists {line:?}")));
        }
        few(&references)?;
        first = text(from)?;
    }
    sha1(&capabilities)?;
    for listed in &mut references {
        listed.target = targets.remove(&listed.name);
    }
    Ok(Greeting::V0(references, capabilities))
}

/// Asks for the references whose names begin so.
pub(super) fn list(capabilities: &Capabilities, prefixes: &[String]) -> Vec<u8> {
    let mut request = command("ls-refs", capabilities);
    request.line("peel").line("symrefs");
    prefixes.iter().for_each(|prefix| _ = request.line(&format!("ref-prefix {prefix}")));
    request.flush().take()
}

/// Reads the references that were asked for.
pub(super) fn listing(from: &mut Packets<impl Read>) -> Result<Vec<Listed>, Fault> {
    let mut references = Vec::new();
    while let Some(line) = text(from)? {
        let mut words = line.split(' ');
        let (Some(id), Some(name)) = (words.next().filter(|id| is_id(id)), words.next()) else {
            return Err(Fault::Strange(format!("it lists {line:?}")));
        };
        let mut listed = Listed { name: name.to_owned(), id: id.to_owned(), peeled: None, target: None };
        for word in words {
            match word.split_once(':') {
                Some(("peeled", id)) if is_id(id) => listed.peeled = Some(id.to_owned()),
                Some(("symref-target", target)) => listed.target = Some(target.to_owned()),
                _ => {}
            }
        }
        references.push(listed);
        few(&references)?;
    }
    Ok(references)
}

/// Asks for a commit in version 2.
pub(super) fn fetch(capabilities: &Capabilities, wanted: &Wanted<'_>) -> Vec<u8> {
    let mut request = command("fetch", capabilities);
    let knows = |name: &str| capabilities.get("fetch").is_some_and(|features| features.split(' ').any(|feature| feature == name));
    if !knows("filter") {
        request.line("thin-pack");
    }
    request.line("no-progress").line("ofs-delta");
    if knows("shallow") {
        cuts(&mut request, wanted);
    }
    if knows("filter") {
        // Nobody reads what is larger: it stays where it is. A thin pack might say what has changed in such a file, which isn't here.
        request.line(&format!("filter blob:limit={}", limit() + 1));
    }
    request.line(&format!("want {}", wanted.commit));
    wanted.haves.iter().for_each(|have| _ = request.line(&format!("have {have}")));
    request.line("done").flush().take()
}

/// Asks for a commit in version 0.
pub(super) fn fetch_v0(capabilities: &Capabilities, wanted: &Wanted<'_>) -> Vec<u8> {
    // Azure DevOps serves nobody who doesn't know multi_ack_detailed.
    let known = ["multi_ack_detailed", "side-band-64k", "thin-pack", "ofs-delta", "no-progress", "shallow"];
    let mut said: Vec<&str> = known.into_iter().filter(|name| capabilities.contains_key(*name)).collect();
    said.extend(capabilities.contains_key("agent").then_some(AGENT));
    let mut request = Request::default();
    request.line(&format!("want {} {}", wanted.commit, said.join(" ")));
    if capabilities.contains_key("shallow") {
        cuts(&mut request, wanted);
    }
    request.flush();
    wanted.haves.iter().for_each(|have| _ = request.line(&format!("have {have}")));
    request.line("done").take()
}

/// Reads a pack, in either version, and hands its bytes on.
pub(super) fn pack(from: &mut Packets<impl Read>, out: &mut dyn Write) -> Result<Cuts, Fault> {
    let mut cuts = Cuts::default();
    let mut has_pack = false;
    loop {
        let data = match from.next()? {
            Packet::Data(data) => data,
            Packet::Flush | Packet::End if has_pack => return Ok(cuts),
            // In version 0, these end the list of cuts.
            Packet::Flush | Packet::Delimiter => continue,
            Packet::End => return Err(Fault::Strange("it sends no pack".to_owned())),
        };
        match data {
            [1, bytes @ ..] => {
                has_pack = true;
                out.write_all(bytes).map_err(Fault::Keep)?;
            }
            [2, ..] => {}
            [3, words @ ..] => return Err(Fault::Said(words_of(words))),
            line => {
                let line = words_of(line);
                match line.split_once(' ') {
                    Some(("shallow", id)) if is_id(id) => cuts.shallow.push(id.to_owned()),
                    Some(("unshallow", id)) if is_id(id) => cuts.unshallow.push(id.to_owned()),
                    Some(("ERR", why)) => return Err(Fault::Said(why.to_owned())),
                    // Names of sections, and what is in common.
                    _ => {}
                }
            }
        }
    }
}

fn command(name: &str, capabilities: &Capabilities) -> Request {
    let mut request = Request::default();
    request.line(&format!("command={name}"));
    if capabilities.contains_key("agent") {
        request.line(AGENT);
    }
    if capabilities.contains_key("object-format") {
        request.line("object-format=sha1");
    }
    request.delimiter();
    request
}

fn cuts(request: &mut Request, wanted: &Wanted<'_>) {
    wanted.shallow.iter().for_each(|id| _ = request.line(&format!("shallow {id}")));
    if wanted.newest_only {
        request.line("deepen 1");
    }
}

/// A line of text, or nothing at the end of a list.
pub(super) fn text(from: &mut Packets<impl Read>) -> Result<Option<String>, Fault> {
    let Packet::Data(data) = from.next()? else { return Ok(None) };
    let line = words_of(data);
    match line.strip_prefix("ERR ") {
        Some(why) => Err(Fault::Said(why.to_owned())),
        None => Ok(Some(line)),
    }
}

/// What is said, without the end of its line.
pub(super) fn words_of(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.trim_end_matches('\n').to_owned()
}

fn sha1(capabilities: &Capabilities) -> Result<(), Fault> {
    match capabilities.get("object-format").map(String::as_str) {
        None | Some("sha1") => Ok(()),
        Some(other) => Err(Fault::Strange(format!("its objects have {other} ids, and only sha1 is known"))),
    }
}

fn few(references: &[Listed]) -> Result<(), Fault> {
    if references.len() <= MOST_REFERENCES {
        return Ok(());
    }
    Err(Fault::Strange(format!("it lists more than {MOST_REFERENCES} references")))
}

/// Whether a text is the whole id of an object.
pub(in crate::source::git) fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// Packets of lines; an empty one is a flush, `--` a delimiter.
    fn packets(lines: &[&str]) -> Vec<u8> {
        let mut request = Request::default();
        for line in lines {
            match *line {
                "" => request.flush(),
                "--" => request.delimiter(),
                line => request.line(line),
            };
        }
        request.take()
    }

    fn capabilities(names: &[(&str, &str)]) -> Capabilities {
        names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn greet(lines: &[&str]) -> Result<Greeting, Fault> {
        greeting(&mut Packets::new(&packets(lines)[..]))
    }

    #[test]
    fn servers_introduce_themselves() {
        for before in [&[][..], &["# service=git-upload-pack", ""]] {
            let v2 = greet(&[before, &["version 2", "agent=git/2.47", "fetch=shallow filter", "object-format=sha1", ""]].concat());
            assert!(matches!(v2, Ok(Greeting::V2(known)) if known["fetch"] == "shallow filter"));
            let head = format!("{A} HEAD\0multi_ack shallow symref=HEAD:refs/heads/main agent=git/2.47");
            let lines = [&head, &format!("{A} refs/heads/main"), &format!("{B} refs/tags/v1"), &format!("{A} refs/tags/v1^{{}}"), ""];
            let Ok(Greeting::V0(listed, known)) = greet(&[before, &lines[..]].concat()) else { panic!("it isn't read") };
            assert_eq!(listed.iter().map(|listed| &*listed.name).collect::<Vec<_>>(), ["HEAD", "refs/heads/main", "refs/tags/v1"]);
            assert_eq!((listed[0].target.as_deref(), listed[2].peeled.as_deref()), (Some("refs/heads/main"), Some(A)));
            assert!(known.contains_key("shallow"));
        }
        let zero = "0".repeat(40);
        let empty = greet(&[&format!("{zero} capabilities^{{}}\0shallow"), ""]);
        assert!(matches!(empty, Ok(Greeting::V0(listed, _)) if listed.is_empty()));
        assert!(matches!(greet(&["version 2", "object-format=sha256", ""]), Err(Fault::Strange(_))));
        assert!(matches!(greet(&["ERR no such repository"]), Err(Fault::Said(why)) if why == "no such repository"));
        assert!(matches!(greet(&["hello"]), Err(Fault::Strange(_))));
        assert!(matches!(greet(&["version 2"]), Err(Fault::Io(_))));
    }

    #[test]
    fn references_are_listed() {
        let lines = [format!("{A} HEAD symref-target:refs/heads/main"), format!("{B} refs/tags/v1 peeled:{A} new:thing"), String::new()];
        let bytes = packets(&lines.each_ref().map(String::as_str));
        let listed = listing(&mut Packets::new(&bytes[..])).unwrap();
        assert_eq!((listed[0].target.as_deref(), listed[1].peeled.as_deref()), (Some("refs/heads/main"), Some(A)));
        assert!(matches!(listing(&mut Packets::new(&packets(&["unborn HEAD", ""])[..])), Err(Fault::Strange(_))));
        let known = capabilities(&[("agent", "git"), ("object-format", "sha1")]);
        let want = ["command=ls-refs", AGENT, "object-format=sha1", "--", "peel", "symrefs", "ref-prefix HEAD", ""];
        assert_eq!(list(&known, &["HEAD".to_owned()]), packets(&want));
    }

    #[test]
    fn commits_are_asked_for() {
        let (haves, shallow) = ([B.to_owned()], [B.to_owned()]);
        let wanted = Wanted { commit: A, haves: &haves, shallow: &shallow, newest_only: true };
        let (want, have, cut) = (format!("want {A}"), format!("have {B}"), format!("shallow {B}"));
        let v2 = ["command=fetch", "--", "thin-pack", "no-progress", "ofs-delta", &cut, "deepen 1", &want, &have, "done", ""];
        assert_eq!(fetch(&capabilities(&[("fetch", "shallow wait-for-done")]), &wanted), packets(&v2));
        let small = ["command=fetch", "--", "no-progress", "ofs-delta", "filter blob:limit=67108865", &want, &have, "done", ""];
        assert_eq!(fetch(&capabilities(&[("fetch", "filter")]), &wanted), packets(&small));
        // Who knows no shallow history sends all of it.
        let all = ["command=fetch", "--", "thin-pack", "no-progress", "ofs-delta", &want, &have, "done", ""];
        assert_eq!(fetch(&capabilities(&[("fetch", "")]), &wanted), packets(&all));
        let v0 = [&*format!("{want} side-band-64k shallow"), &cut, "deepen 1", "", &have, "done"];
        assert_eq!(fetch_v0(&capabilities(&[("side-band-64k", ""), ("shallow", ""), ("filter", "")]), &wanted), packets(&v0));
    }

    #[test]
    fn packs_are_handed_on() {
        let cut = format!("shallow {A}");
        let take = |lines: &[&str]| {
            let mut out = Vec::new();
            pack(&mut Packets::new(&packets(lines)[..]), &mut out).map(|cuts| (cuts, String::from_utf8(out).unwrap()))
        };
        let v2 = take(&["shallow-info", &cut, "--", "packfile", "\u{2}counting", "\u{1}PA", "\u{1}CK", ""]);
        let v0 = take(&[&cut, "", "NAK", "\u{1}PA", "\u{2}counting", "\u{1}CK", ""]);
        for taken in [v2, v0] {
            let (cuts, bytes) = taken.unwrap();
            assert_eq!((cuts.shallow.as_slice(), bytes.as_str()), (&[A.to_owned()][..], "PA\nCK\n"));
        }
        assert!(matches!(take(&["ERR upload-pack: not our ref"]), Err(Fault::Said(_))));
        assert!(matches!(take(&["packfile", "\u{1}PA", "\u{3}out of memory"]), Err(Fault::Said(why)) if why == "out of memory"));
        assert!(matches!(take(&["packfile", "\u{1}PA"]), Err(Fault::Io(_))));
    }
}
