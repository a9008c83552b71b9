//! What is told beside manifests: `hydrator.metadata`, `README.md`, `.gitattributes`, and the note of the commit.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Rendering;
use super::changes::METADATA;
use super::dry::{DryCommit, Reference};

/// The reference that notes of commits are under.
pub const NOTES: &str = "refs/notes/hydrator.metadata";

/// The lines by which forges fold what nobody has written.
const ATTRIBUTES: [&str; 2] = ["**/README.md linguist-generated=true", "**/hydrator.metadata linguist-generated=true"];

/// The fields in the order in which Argo CD writes them.
#[derive(Serialize)]
struct Metadata<'m> {
    #[serde(rename = "repoURL", skip_serializing_if = "str::is_empty")]
    repo_url: &'m str,
    #[serde(rename = "drySha")]
    dry_sha: &'m str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<&'m str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'m str,
    #[serde(skip_serializing_if = "str::is_empty")]
    date: &'m str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'m str,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<Reference>,
}

/// What is read of the metadata that is there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Known {
    #[serde(rename = "repoURL")]
    repo_url: String,
    #[serde(rename = "drySha")]
    dry_sha: String,
    date: String,
}

impl DryCommit {
    /// The note of the commit that it is rendered to, by which others see whether it was rendered already.
    pub fn note(&self) -> String {
        format!("{}\n", serde_json::json!({"drySha": self.sha}))
    }
}

impl Rendering {
    /// The commit that the manifests on a branch were rendered from, if it is another one of the same repository, and newer by its date.
    /// `read` reads the files of the branch.
    pub fn newer_there(&self, read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let known = |path: &str| serde_json::from_str::<Known>(&read(path)?).ok();
        let own = known(&self.path(METADATA))?;
        // That at the root tells of the directory that was rendered last.
        let date = if own.date.is_empty() { known(METADATA).filter(|root| root.dry_sha == own.dry_sha)?.date } else { own.date };
        let is_newer = date.parse::<Timestamp>().ok()? > self.dry.date.parse().ok()?;
        (is_newer && own.repo_url == self.dry.repo_url && own.dry_sha != self.dry.sha).then_some(own.dry_sha)
    }

    /// The message of the commit.
    pub fn message(&self) -> String {
        self.dry.hydrated_message()
    }

    /// `hydrator.metadata` at the root, which tells of the commit that was rendered; with the command if the manifests are there, too.
    pub(super) fn root_metadata(&self) -> String {
        let (body, references) = self.dry.body();
        let dry = &self.dry;
        let commands = if self.directory.is_empty() { vec![self.command.as_str()] } else { Vec::new() };
        let metadata = Metadata { commands, author: &dry.author, subject: dry.subject(), body, references, ..self.metadata_of_directory() };
        json(&metadata)
    }

    /// `hydrator.metadata` beside the manifests.
    pub(super) fn metadata(&self) -> String {
        json(&self.metadata_of_directory())
    }

    fn metadata_of_directory(&self) -> Metadata<'_> {
        Metadata {
            repo_url: &self.dry.repo_url,
            dry_sha: &self.dry.sha,
            commands: vec![&self.command],
            author: "",
            date: &self.dry.date,
            subject: "",
            body: String::new(),
            references: Vec::new(),
        }
    }

    /// `README.md` beside the manifests.
    pub(super) fn readme(&self) -> String {
        let clone = match self.dry.repo_url.as_str() {
            "" => String::new(),
            url => format!("git clone {url}\n# change into what was cloned\n"),
        };
        format!(
            "# Rendered manifests\n\nThese files are written by kaito, and what else is written into them is lost. To render them yourself:\n\n\
            ```shell\n{clone}git checkout {}\n{}\n```\n",
            self.dry.sha, self.command
        )
    }
}

/// `.gitattributes` with what there is of it already.
pub(super) fn attributes(there: Option<&str>) -> String {
    let there = there.unwrap_or_default();
    let missing = ATTRIBUTES.iter().filter(|line| !there.lines().any(|known| known.trim() == **line));
    let mut text = there.to_owned();
    for line in missing {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn json(metadata: &Metadata<'_>) -> String {
    format!("{}\n", serde_json::to_string_pretty(metadata).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Layout;
    use super::*;

    #[test]
    fn what_is_newer_is_known_by_its_date() {
        let dry = |sha: &str, date: &str| DryCommit {
            repo_url: "https://a/b".to_owned(),
            sha: sha.to_owned(),
            date: date.to_owned(),
            ..DryCommit::default()
        };
        let rendering = Rendering {
            directory: "prod".to_owned(),
            layout: Layout::Manifest,
            manifests: Vec::new(),
            command: String::new(),
            dry: dry("a", "2026-01-02T00:00:00Z"),
        };
        let of = |sha: &str, date: &str| Rendering { dry: dry(sha, date), ..rendering.clone() }.metadata();
        let older = json!({"repoURL": "https://a/b", "drySha": "b"}).to_string();
        let table = [
            (None, None, None),
            (Some(of("b", "2026-01-03T00:00:00Z")), None, Some("b")),
            (Some(of("b", "2026-01-02T02:00:00+01:00")), None, Some("b")),
            (Some(of("b", "2026-01-02T00:00:00Z")), None, None),
            (Some(of("b", "2026-01-01T00:00:00Z")), None, None),
            (Some(of("a", "2026-01-03T00:00:00Z")), None, None),
            (Some(of("b", "2026-01-03T00:00:00Z").replace("a/b", "a/c")), None, None),
            // As others write it: the date is at the root.
            (Some(older.clone()), Some(of("b", "2026-01-03T00:00:00Z")), Some("b")),
            (Some(older.clone()), Some(of("c", "2026-01-03T00:00:00Z")), None),
            (Some(older), None, None),
            (Some("theirs".to_owned()), None, None),
        ];
        for (own, root, want) in table {
            let read = |path: &str| if path == METADATA { root.clone() } else { own.clone().filter(|_| path == "prod/hydrator.metadata") };
            assert_eq!(rendering.newer_there(&read).as_deref(), want, "{own:?} {root:?}");
        }
    }

    #[test]
    fn attributes_are_added_to() {
        let (one, two) = (ATTRIBUTES[0], ATTRIBUTES[1]);
        let table = [
            (None, format!("{one}\n{two}\n")),
            (Some("* text=auto".to_owned()), format!("* text=auto\n{one}\n{two}\n")),
            (Some(format!("{two}\n*.png binary\n")), format!("{two}\n*.png binary\n{one}\n")),
            // As Argo CD writes it.
            (Some(format!("{one}\n{two}")), format!("{one}\n{two}")),
        ];
        for (there, want) in table {
            assert_eq!(attributes(there.as_deref()), want);
        }
    }
}
