//! What is told beside manifests: `hydrator.metadata`, `README.md`, `.gitattributes`, and the note of the commit.

use serde::Serialize;

use super::Rendering;
use super::dry::Reference;

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

impl Rendering {
    /// The message of the commit.
    pub fn message(&self) -> String {
        self.dry.hydrated_message()
    }

    /// The note of the commit, by which others see whether a commit was rendered already.
    pub fn note(&self) -> String {
        format!("{}\n", serde_json::json!({"drySha": self.dry.sha}))
    }

    /// `hydrator.metadata` at the root, which tells of the commit that was rendered; with the command if the manifests are there, too.
    pub(super) fn root_metadata(&self) -> String {
        let (body, references) = self.dry.body();
        let dry = &self.dry;
        let commands = if self.directory.is_empty() { vec![self.command.as_str()] } else { Vec::new() };
        let metadata = Metadata {
            commands,
            author: &dry.author,
            date: &dry.date,
            subject: dry.subject(),
            body,
            references,
            ..self.metadata_of_directory()
        };
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
            date: "",
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
    use super::*;

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
