//! `images` and `registryMirrors` of `kaito.yaml`: other names, tags and digests for images, and other registries.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{is_reference, normalise_name, split};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::yaml::{Document, Step};

/// One of `images`, as kustomize has them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageEntry {
    /// The image, without tag and digest.
    pub name: String,
    /// The name to use instead.
    pub new_name: Option<String>,
    /// The tag to use instead of tag and digest.
    pub new_tag: Option<String>,
    /// What is put behind the tag.
    pub tag_suffix: Option<String>,
    /// The digest to use instead of tag and digest; with `newTag`, both.
    pub digest: Option<String>,
}

/// One of `registryMirrors`, as containers-registries.conf has a prefix and its location.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryMirror {
    /// A registry, with or without the beginning of a path.
    pub prefix: String,
    /// What stands in its place.
    pub location: String,
}

/// How images are named other than Kaito has them.
#[derive(Clone, Debug, Default)]
pub struct ImageRules {
    images: Vec<ImageEntry>,
    mirrors: Vec<RegistryMirror>,
    document: Option<Document>,
}

impl ImageRules {
    /// The rules that `document` declares; what is wrong with them is added to `findings`.
    pub fn new(document: &Document, images: &[ImageEntry], mirrors: &[RegistryMirror], findings: &mut Vec<Diagnostic>) -> Self {
        let before = findings.clone();
        let mut say = |list: &'static str, number: usize, field: Option<&'static str>, finding: Diagnostic| {
            // Of an entry that doesn't fit its type that has been said.
            if before.iter().any(|finding| finding.is_about(&format!("{list}[{number}]"))) {
                return;
            }
            let path = [Step::Field(list), Step::Item(number)].into_iter().chain(field.map(Step::Field));
            findings.push(document.finding(finding, &path.collect::<Vec<_>>()));
        };
        for (number, entry) in images.iter().enumerate() {
            entry.faults(|field, finding| say("images", number, field, finding));
        }
        for (number, mirror) in mirrors.iter().enumerate() {
            let given = mirrors[..number].iter().any(|other| other.prefix == mirror.prefix);
            mirror.faults(given, |field, finding| say("registryMirrors", number, Some(field), finding));
        }
        Self { images: images.to_vec(), mirrors: mirrors.to_vec(), document: Some(document.clone()) }
    }

    /// Whether every image stays as it is.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.mirrors.is_empty()
    }

    /// The image to pull in the place of this one: as [`Self::chosen`], then as [`Self::mirrored`].
    pub fn rewrite(&self, image: &str) -> String {
        self.mirrored(&self.chosen(image))
    }

    /// What `images` makes of an image, one entry after the other.
    pub fn chosen(&self, image: &str) -> String {
        self.images.iter().fold(image.to_owned(), |image, entry| entry.apply(&image).unwrap_or(image))
    }

    /// Where `registryMirrors` has an image: the longest prefix that fits counts.
    pub fn mirrored(&self, image: &str) -> String {
        let (name, tag, digest) = split(image);
        let full = normalise_name(name);
        let fitting = self.mirrors.iter().filter_map(|mirror| Some((mirror, mirror.rest(&full)?)));
        let Some((mirror, rest)) = fitting.min_by_key(|(_, rest)| rest.len()) else { return image.to_owned() };
        join(&format!("{}{rest}", mirror.location.trim_end_matches('/')), tag, digest)
    }

    /// Rewrites the images of all pods in a value: those of containers, and of volumes.
    pub fn rewrite_pods(&self, value: &mut Value) {
        if !self.is_empty() {
            super::each_in_pods(value, "", &mut |_, image| *image = self.rewrite(image));
        }
    }

    /// Warnings for entries that fit none of these images, which are as Kaito or the input names them.
    pub fn unused(&self, images: &[String]) -> Vec<Diagnostic> {
        let Some(document) = &self.document else { return Vec::new() };
        let names = |images: &[String]| images.iter().map(|image| split(image).0.to_owned()).collect::<Vec<_>>();
        let mut findings = Vec::new();
        let mut images = images.to_vec();
        for (number, entry) in self.images.iter().enumerate() {
            // What an earlier entry has renamed is known by its new name.
            let made: Vec<_> = images.iter().map(|image| entry.apply(image)).collect();
            if made.iter().all(Option::is_none) {
                let mut finding = Diagnostic::warning(format!("no image is called {}", entry.name));
                finding.help.extend(did_you_mean(&entry.name, names(&images).iter().map(String::as_str)));
                let finding = finding.help("`kaito images` shows those of the input, `kaito images --all` all of Kaito's");
                findings.push(document.finding(finding, &[Step::Field("images"), Step::Item(number), Step::Field("name")]));
            }
            images = images.into_iter().zip(made).map(|(image, made)| made.unwrap_or(image)).collect();
        }
        for (number, mirror) in self.mirrors.iter().enumerate() {
            if !images.iter().any(|image| mirror.rest(&normalise_name(split(image).0)).is_some()) {
                let finding = Diagnostic::warning(format!("no image is below {}", mirror.prefix));
                let finding = finding.help("`kaito images` shows those of the input, `kaito images --all` all of Kaito's");
                findings.push(document.finding(finding, &[Step::Field("registryMirrors"), Step::Item(number), Step::Field("prefix")]));
            }
        }
        findings
    }
}

impl ImageEntry {
    /// The image that this one makes of another, if it is about that.
    fn apply(&self, image: &str) -> Option<String> {
        let (name, tag, digest) = split(image);
        if name != self.name && normalise_name(name) != normalise_name(&self.name) {
            return None;
        }
        let name = self.new_name.as_deref().unwrap_or(name);
        let suffixed = self.tag_suffix.as_ref().map(|suffix| format!("{}{suffix}", tag.unwrap_or_default()));
        Some(match (self.new_tag.as_deref(), self.digest.as_deref(), suffixed) {
            (None, None, None) => join(name, tag, digest),
            (None, None, Some(suffixed)) => join(name, Some(&suffixed), None),
            (tag, digest, _) => join(name, tag, digest),
        })
    }

    fn faults(&self, mut say: impl FnMut(Option<&'static str>, Diagnostic)) {
        let is_name = |text: &str| is_reference(text) && split(text) == (text, None, None);
        let names = [("name", Some(&self.name)), ("newName", self.new_name.as_ref())];
        for (field, name) in names.into_iter().filter_map(|(field, name)| Some((field, name?))).filter(|(_, name)| !is_name(name)) {
            let finding = Diagnostic::error(format!("{name:?} is no name of an image"));
            say(Some(field), finding.help("write it without tag and digest: registry.example.com/path/image"));
        }
        let tags = [("newTag", &self.new_tag), ("tagSuffix", &self.tag_suffix)];
        for (field, tag) in tags.into_iter().filter_map(|(field, tag)| Some((field, tag.as_ref()?))) {
            // A suffix may begin with what a tag may not.
            let whole = if field == "tagSuffix" { format!("image:x{tag}") } else { format!("image:{tag}") };
            if tag.is_empty() || !is_reference(&whole) {
                say(Some(field), Diagnostic::error(format!("{tag:?} is no tag of an image")));
            }
        }
        if let Some(digest) = self.digest.as_ref().filter(|digest| !is_reference(&format!("image@{digest}"))) {
            let finding = Diagnostic::error(format!("{digest:?} is no digest of an image"));
            say(Some("digest"), finding.help("write it as sha256: and 64 hexadecimal digits"));
        }
        if self.tag_suffix.is_some() && (self.new_tag.is_some() || self.digest.is_some()) {
            say(Some("tagSuffix"), Diagnostic::error("tagSuffix has no effect beside newTag or digest").help("take it out"));
        }
        if [&self.new_name, &self.new_tag, &self.tag_suffix, &self.digest].iter().all(|field| field.is_none()) {
            say(None, Diagnostic::error("this changes nothing").help("write newName, newTag, tagSuffix or digest"));
        }
    }
}

impl RegistryMirror {
    /// What is behind the prefix, if a full name is below it.
    fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.prefix.trim_end_matches('/')).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn faults(&self, given: bool, mut say: impl FnMut(&'static str, Diagnostic)) {
        let help = "write a host, or host and path, without a tag: registry.example.com/path";
        for (field, text) in [("prefix", &self.prefix), ("location", &self.location)] {
            let text = text.trim_end_matches('/');
            let host = text.split('/').next().unwrap_or_default();
            let is_host = host.contains(['.', ':']) || host == "localhost";
            if !is_host || !is_reference(&format!("{text}/image")) {
                say(field, Diagnostic::error(format!("{text:?} is no registry of images")).help(help));
            }
        }
        if given {
            say("prefix", Diagnostic::error(format!("{} stands here again", self.prefix)).help("take one out"));
        }
    }
}

fn join(name: &str, tag: Option<&str>, digest: Option<&str>) -> String {
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{name}{tag}{digest}")
}
