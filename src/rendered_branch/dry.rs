//! The commit that manifests were rendered from, and the commit that it names in turn: that of the code, which its trailers tell of.

use std::fmt::Write as _;

use serde::Serialize;

/// What the names of the trailers begin with that tell of another commit.
const TRAILER: &str = "Argocd-reference-commit-";

/// A commit that manifests were rendered from. Argo CD calls it dry, and what is rendered hydrated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryCommit {
    /// The repository, without secrets; empty if that isn't known.
    pub repo_url: String,
    /// Its id.
    pub sha: String,
    /// Who has written it: `Name <address>`.
    pub author: String,
    /// When it was made, as in RFC 3339.
    pub date: String,
    /// Its message.
    pub message: String,
}

/// A commit that another one tells of.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    commit: ReferenceCommit,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceCommit {
    #[serde(skip_serializing_if = "String::is_empty")]
    author: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    date: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    sha: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    repo_url: String,
}

impl ReferenceCommit {
    /// Takes a trailer; whether it is one that tells of the commit.
    fn take(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.strip_prefix(TRAILER).and_then(|rest| rest.split_once(": ")) else { return false };
        let is_id = |value: &str| {
            (5..=40).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let (field, value) = match key {
            "author" if value.contains('@') => (&mut self.author, value.to_owned()),
            "date" if value.parse::<jiff::Timestamp>().is_ok() => (&mut self.date, value.to_owned()),
            "subject" => (&mut self.subject, value.to_owned()),
            "sha" if is_id(value) => (&mut self.sha, value.to_owned()),
            "repourl" => (&mut self.repo_url, value.to_owned()),
            "body" => match serde_json::from_str(value) {
                Ok(body) => (&mut self.body, body),
                Err(_) => return false,
            },
            _ => return false,
        };
        *field = value;
        true
    }
}

impl DryCommit {
    /// The first line of its message.
    pub(super) fn subject(&self) -> &str {
        self.message.split("\n\n").next().unwrap_or_default().trim().lines().next().unwrap_or_default()
    }

    /// The rest of its message, and the commit that its trailers tell of, which are left out of the rest.
    pub(super) fn body(&self) -> (String, Vec<Reference>) {
        let body = self.message.split_once("\n\n").map_or("", |(_, body)| body);
        let mut commit = ReferenceCommit::default();
        let lines: Vec<&str> = body.lines().filter(|line| !commit.take(line)).collect();
        let references = if commit == ReferenceCommit::default() { Vec::new() } else { vec![Reference { commit }] };
        (lines.join("\n").trim().to_owned(), references)
    }

    /// The first digits of its id.
    pub(super) fn short(&self) -> &str {
        const SHORT: usize = 7;
        self.sha.get(..SHORT).unwrap_or(&self.sha)
    }

    /// The message of the commit that holds what was rendered: as Argo CD's Source Hydrator writes it, with trailers by which Argo CD
    /// shows what it comes from.
    pub(super) fn hydrated_message(&self) -> String {
        let (body, references) = self.body();
        let mut message = format!("{}: {}\n", self.short(), self.subject());
        if !body.is_empty() {
            _ = write!(message, "\n{body}\n");
        }
        let authors = references.iter().map(|reference| reference.commit.author.as_str()).chain([self.author.as_str()]);
        let authors = authors.filter(|author| !author.is_empty()).map(|author| ("Co-authored-by".to_owned(), author.to_owned()));
        let body = if body.is_empty() { String::new() } else { serde_json::to_string(&body).unwrap_or_default() };
        let own = [
            ("author", address(&self.author)),
            ("date", self.date.clone()),
            ("sha", self.sha.clone()),
            ("subject", self.subject().to_owned()),
            ("body", body),
            ("repourl", self.repo_url.clone()),
        ];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (format!("{TRAILER}{key}"), value));
        message.push('\n');
        authors.chain(own).for_each(|(key, value)| _ = writeln!(message, "{key}: {value}"));
        message
    }
}

/// A name and address as RFC 5322 has them: with quotes around a name that has more than letters, digits and spaces.
fn address(author: &str) -> String {
    let Some((name, rest)) = author.split_once(" <") else { return author.to_owned() };
    let is_plain = name.chars().all(|character| character.is_ascii_alphanumeric() || " -_'".contains(character));
    if is_plain { author.to_owned() } else { format!("\"{}\" <{rest}", name.replace(['"', '\\'], "")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let own = "Argocd-reference-commit-author: \"A. B\" <a@b>\nArgocd-reference-commit-date: 2026-01-01T00:00:00Z\n\
            Argocd-reference-commit-sha: aaaaaaaaaa\nArgocd-reference-commit-subject: More replicas\n";
        let trailers = "Argocd-reference-commit-sha: 12345\nArgocd-reference-commit-author: C <c@d>\nArgocd-reference-commit-date: soon\n";
        let table = [
            ("More replicas\n".to_owned(), format!("aaaaaaa: More replicas\n\nCo-authored-by: A. B <a@b>\n{own}"), 0),
            (
                "More replicas\n\nFor the \"fair\".\n\nSigned-off-by: A <a@b>\n".to_owned(),
                format!(
                    "aaaaaaa: More replicas\n\nFor the \"fair\".\n\nSigned-off-by: A <a@b>\n\nCo-authored-by: A. B <a@b>\n{own}\
                    Argocd-reference-commit-body: \"For the \\\"fair\\\".\\n\\nSigned-off-by: A <a@b>\"\n"
                ),
                0,
            ),
            (
                format!("More replicas\n\n{trailers}"),
                format!(
                    "aaaaaaa: More replicas\n\nArgocd-reference-commit-date: soon\n\nCo-authored-by: C <c@d>\nCo-authored-by: A. B <a@b>\n{own}\
                    Argocd-reference-commit-body: \"Argocd-reference-commit-date: soon\"\n"
                ),
                1,
            ),
        ];
        for (message, want, references) in table {
            let dry = DryCommit {
                repo_url: String::new(),
                sha: "aaaaaaaaaa".to_owned(),
                author: "A. B <a@b>".to_owned(),
                date: "2026-01-01T00:00:00Z".to_owned(),
                message,
            };
            assert_eq!(dry.hydrated_message(), want);
            assert_eq!(dry.body().1.len(), references);
        }
    }
}
