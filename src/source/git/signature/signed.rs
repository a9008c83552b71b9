//! The text of a commit or a tag, and what of it is signed.

use super::Fault;

/// A commit or a tag, without its signature and with it.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Signed {
    /// What is signed: all of it but its signature.
    pub payload: Vec<u8>,
    /// The signature, if there is one.
    pub signature: Option<String>,
    /// When it was made, by its own account, in seconds since 1970.
    pub at: i64,
}

impl Signed {
    /// Takes the text of a commit apart, as git does: the lines of the header `gpgsig` are the signature, and all others are
    /// what is signed.
    pub(in super::super) fn commit(text: &[u8]) -> Result<Self, Fault> {
        let (mut payload, mut signature) = (Vec::with_capacity(text.len()), Vec::new());
        let (mut is_signature, mut signatures, mut at) = (false, 0, None);
        let mut rest = text;
        while let Some(line) = next_line(&mut rest) {
            if line == b"\n" {
                payload.extend(line);
                payload.extend(rest);
                break;
            }
            let of_signature = match line {
                [b' ', more @ ..] if is_signature => Some(more),
                _ => line.strip_prefix(b"gpgsig ").inspect(|_| signatures += 1),
            };
            is_signature = of_signature.is_some();
            match of_signature {
                Some(line) => signature.extend(line),
                None => payload.extend(line),
            }
            at = at.or_else(|| moment(line.strip_prefix(b"committer ")?));
        }
        if signatures > 1 {
            return Err(Fault::Unreadable(format!("there are {signatures} of them")));
        }
        let signature = String::from_utf8(signature).map_err(|_| Fault::Unreadable("it is no text".to_owned()))?;
        let at = at.ok_or_else(|| Fault::Unreadable("the commit doesn't say when it was made".to_owned()))?;
        Ok(Self { payload, signature: (signatures == 1).then_some(signature), at })
    }
}

/// What a tag says of itself, and what of it is signed.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct SignedTag {
    pub signed: Signed,
    /// The id of what it stands for.
    pub object: String,
    /// What that is: `commit`.
    pub kind: String,
    /// Its name, without `refs/tags/`.
    pub name: String,
}

impl SignedTag {
    /// Takes the text of a tag apart, as git does: the last line at which a signature begins ends what is signed.
    pub(in super::super) fn tag(text: &[u8]) -> Result<Self, Fault> {
        let (mut rest, mut begin) = (text, text.len());
        while let Some(line) = next_line(&mut rest) {
            if BEGINNINGS.iter().any(|beginning| line.starts_with(beginning.as_bytes())) {
                begin = text.len() - rest.len() - line.len();
            }
        }
        let (payload, signature) = text.split_at(begin);
        let signature = String::from_utf8(signature.to_vec()).map_err(|_| Fault::Unreadable("it is no text".to_owned()))?;
        let header = |key: &str| {
            let lines = payload.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
            let mut values = lines.filter_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b" "));
            values.next().ok_or_else(|| Fault::Unreadable(format!("the tag doesn't say its {key}")))
        };
        let text = |key: &str| header(key).map(|value| String::from_utf8_lossy(value).into_owned());
        let at = moment(header("tagger")?).ok_or_else(|| Fault::Unreadable("the tag doesn't say when it was made".to_owned()))?;
        let (object, kind, name) = (text("object")?, text("type")?, text("tag")?);
        let signed = Signed { payload: payload.to_vec(), signature: Some(signature).filter(|signature| !signature.is_empty()), at };
        Ok(Self { signed, object, kind, name })
    }
}

/// How signatures begin. Source: git, `gpg-interface.c`.
const BEGINNINGS: [&str; 4] =
    ["-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----", "-----BEGIN SIGNED MESSAGE-----", "-----BEGIN SSH SIGNATURE-----"];

/// The ids of the parents that the text of a commit names. libgit2 hides those that aren't here.
pub(in super::super) fn parents(text: &[u8]) -> Vec<String> {
    let header = text.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let ids = header.filter_map(|line| line.strip_prefix(b"parent "));
    ids.map(|id| String::from_utf8_lossy(id).into_owned()).collect()
}

fn next_line<'t>(rest: &mut &'t [u8]) -> Option<&'t [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    let (line, after) = rest.split_at(end);
    *rest = after;
    Some(line)
}

/// The seconds in `Name <address> 1700000000 +0100`.
fn moment(committer: &[u8]) -> Option<i64> {
    let after = committer.rsplit(|byte| *byte == b'>').next()?;
    str::from_utf8(after).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "tree 1\nparent 2\nparent 3\nauthor A <a@b> 1 +0000\ncommitter C > D <c@d> 1700000000 +0100\n";
    const TAG: &str = "mergetag object 4\n type commit\n -----BEGIN PGP SIGNATURE-----\n x\n";

    #[test]
    fn what_is_signed_of_a_tag() {
        let head = "object 1\ntype commit\ntag v1\ntagger A <a@b> 1700000000 +0100\n\nwhat is new\n";
        let signature = "-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n";
        let table = [
            (head.to_owned(), Ok((head.to_owned(), None))),
            (format!("{head}{signature}"), Ok((head.to_owned(), Some(signature)))),
            // One that stands in the message is signed with it.
            (format!("{head}{signature}more\n{signature}"), Ok((format!("{head}{signature}more\n"), Some(signature)))),
            (head.replace("tagger", "no-tagger"), Err("doesn't say its tagger")),
            (head.replace("1700000000 +0100", ""), Err("doesn't say when")),
        ];
        for (text, want) in table {
            match (SignedTag::tag(text.as_bytes()), want) {
                (Ok(tag), Ok((payload, signature))) => {
                    assert_eq!(String::from_utf8(tag.signed.payload).unwrap(), payload, "{text}");
                    assert_eq!((tag.signed.signature.as_deref(), tag.signed.at), (signature, 1_700_000_000), "{text}");
                    assert_eq!((tag.object.as_str(), tag.kind.as_str(), tag.name.as_str()), ("1", "commit", "v1"));
                }
                (Err(fault), Err(want)) => assert!(fault.to_string().contains(want), "{text}: {fault}"),
                (have, want) => panic!("{text}: {have:?}, not {want:?}"),
            }
        }
    }

    #[test]
    fn what_is_signed() {
        let message = "\nparent 5\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n";
        let table = [
            (format!("{HEAD}{message}"), format!("{HEAD}{message}"), Ok(None)),
            (format!("{HEAD}gpgsig a\n b\n \n c\n{message}"), format!("{HEAD}{message}"), Ok(Some("a\nb\n\nc\n"))),
            (format!("{HEAD}{TAG}gpgsig a\n{message}"), format!("{HEAD}{TAG}{message}"), Ok(Some("a\n"))),
            (format!("{HEAD}gpgsig a\nencoding x\n b\n{message}"), format!("{HEAD}encoding x\n b\n{message}"), Ok(Some("a\n"))),
            (format!("{HEAD}gpgsig a\ngpgsig b\n{message}"), String::new(), Err("there are 2 of them")),
            (message.to_owned(), String::new(), Err("doesn't say when")),
        ];
        for (text, payload, want) in table {
            match (Signed::commit(text.as_bytes()), want) {
                (Ok(signed), Ok(signature)) => {
                    assert_eq!(String::from_utf8(signed.payload).unwrap(), payload, "{text}");
                    assert_eq!((signed.signature.as_deref(), signed.at), (signature, 1_700_000_000), "{text}");
                }
                (Err(fault), Err(want)) => assert!(fault.to_string().contains(want), "{text}: {fault}"),
                (have, want) => panic!("{text}: {have:?}, not {want:?}"),
            }
            assert_eq!(parents(text.as_bytes()), if text.starts_with("tree") { vec!["2", "3"] } else { vec![] }, "{text}");
        }
    }
}
