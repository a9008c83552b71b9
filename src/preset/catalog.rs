//! The catalog of one Kaito version: layers merged, entries looked up by name, each knowing where it came from.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::embedded::BuiltIn;
use super::hub::{self, is_id};
use super::merge::Merged;
use super::v0_3::Launchers;
use super::{ImagePreset, Images, Launcher, Layer, Model, NodeClasses, RagRules, Sizing, TransformersRules, TuningRules, VllmRules};
use crate::diagnostic::{Diagnostic, either, nearest};
use crate::options::Cloud;
use crate::rule;
use crate::sku::Sku;

/// An entry and where it came from, as `presets/0.12/models/qwen.yaml:3 (embedded)`.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The entry.
    pub value: T,
    /// Its file, line and layer; an overridden entry names each of its layers.
    pub origin: String,
}

/// An entry of a list: the user's own, or one that is built in and read when somebody first asks for it.
pub(super) enum Preset<T> {
    BuiltIn(BuiltIn, OnceLock<Found<T>>),
    Own(Found<T>),
}

impl<T: DeserializeOwned> Preset<T> {
    pub(super) fn built_in(built_in: BuiltIn) -> Self {
        Self::BuiltIn(built_in, OnceLock::new())
    }

    pub(super) fn own(found: Found<T>) -> Self {
        Self::Own(found)
    }

    fn get(&self) -> &Found<T> {
        match self {
            Self::BuiltIn(built_in, found) => found.get_or_init(|| Found { value: built_in.read(), origin: built_in.origin() }),
            Self::Own(found) => found,
        }
    }
}

impl Preset<Model> {
    fn aliases(&self) -> Vec<&str> {
        match self {
            Self::BuiltIn(built_in, _) => built_in.aliases().to_vec(),
            Self::Own(found) => found.value.aliases.iter().map(String::as_str).collect(),
        }
    }
}

/// Everything that `presets/` says about one Kaito version.
pub struct Catalog {
    /// The version, such as `0.12`.
    pub version: String,
    models: BTreeMap<String, Preset<Model>>,
    aliases: BTreeMap<String, String>,
    retired: BTreeMap<String, String>,
    /// The users' files that override one, by its name without the ending.
    files: BTreeMap<String, String>,
    skus: BTreeMap<(Cloud, String), Preset<Sku>>,
    node_classes: BTreeMap<String, NodeClasses>,
    mig_profiles: Vec<String>,
    /// The vLLM command.
    pub vllm: VllmRules,
    /// The transformers command.
    pub transformers: TransformersRules,
    /// The tuning command.
    pub tuning: TuningRules,
    /// Figures for nodes, disks and probes.
    pub sizing: Sizing,
    /// What a RAGEngine gets.
    pub rag_engine: RagRules,
    /// The images.
    pub images: Images,
    image_presets: BTreeMap<String, Preset<ImagePreset>>,
    launchers: BTreeMap<String, Launcher>,
}

/// A preset name that isn't in the catalog.
#[derive(Debug)]
pub struct Unknown<'a> {
    /// Why, where the name was known once.
    pub retired: Option<&'a str>,
    /// The names nearest to it.
    pub nearest: Vec<&'a str>,
    /// Whether the version takes any model of Hugging Face, once it is imported.
    pub importable: bool,
}

impl Unknown<'_> {
    /// What is said of the name.
    pub fn finding(&self, name: &str) -> Diagnostic {
        let mut finding = rule::UNKNOWN_PRESET.says(match self.retired {
            Some(why) => format!("the preset {name} is {why}"),
            None => format!("the preset {name:?} is unknown"),
        });
        if !self.nearest.is_empty() {
            finding = finding.help(format!("did you mean {}?", either(&self.nearest)));
        }
        finding = finding.help("`kaito preset list` shows all; a file in --presets DIR adds one");
        if self.importable {
            let id = if is_id(name) { name } else { "ORGANISATION/MODEL" };
            finding = finding.help(format!("`kaito preset import {id}` writes such a file for a model of Hugging Face"));
        }
        finding
    }
}

impl Catalog {
    /// Merges layers, lowest first; an entry of a higher layer overrides the fields it names.
    ///
    /// # Errors
    /// Every fault of the files.
    pub fn load(version: &str, layers: &[Layer]) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let mut merged = Merged::of(layers, |is_embedded, stem| !is_embedded || stem != hub::STEM, &mut findings);
        let models = merged.models(&mut findings);
        let image_presets = merged.presets(&mut findings);
        let aliases = aliases(&models, &mut findings);
        let files = merged.overriding_files();
        let catalog = (|findings: &mut Vec<Diagnostic>| {
            Some(Self {
                version: version.to_owned(),
                aliases,
                files,
                retired: merged.file::<Retired>("retired", findings)?.retired,
                skus: merged.skus(findings),
                node_classes: merged.file("karpenter", findings)?,
                mig_profiles: merged.file::<Mig>("mig", findings)?.profiles,
                vllm: merged.file("vllm", findings)?,
                transformers: merged.file("transformers", findings)?,
                tuning: merged.file("tuning", findings)?,
                sizing: merged.file("sizing", findings)?,
                rag_engine: merged.file("ragengine", findings)?,
                images: merged.file("images", findings)?,
                launchers: merged.file::<Launchers>("launchers", findings)?.launchers,
                image_presets,
                models,
            })
        })(&mut findings);
        findings.extend(catalog.iter().flat_map(Self::unknown_launchers));
        match catalog {
            Some(catalog) if findings.is_empty() => Ok(catalog),
            _ => Err(findings),
        }
    }

    /// The model that a preset name means: an alias or a Hugging Face id, in any case.
    ///
    /// # Errors
    /// The nearest names, or why a name is gone.
    pub fn model(&self, name: &str) -> Result<&Found<Model>, Unknown<'_>> {
        let lower = name.to_lowercase();
        let id = self.aliases.get(&lower).unwrap_or(&lower);
        self.models.get(id).map(Preset::get).ok_or_else(|| Unknown {
            retired: self.retired.get(&lower).map(String::as_str),
            nearest: nearest(name, self.preset_names()),
            importable: true,
        })
    }

    /// Whether this is Kaito 0.3, whose presets are images with the weights inside.
    pub fn is_v0_3(&self) -> bool {
        self.version == "0.3"
    }

    /// The preset of Kaito 0.3 of exactly that name.
    ///
    /// # Errors
    /// The nearest names.
    pub fn image_preset(&self, name: &str) -> Result<&Found<ImagePreset>, Unknown<'_>> {
        let names = self.image_presets.keys().map(String::as_str);
        self.image_presets.get(name).map(Preset::get).ok_or_else(|| Unknown {
            retired: None,
            nearest: nearest(name, names),
            importable: false,
        })
    }

    /// Every preset of Kaito 0.3, by name.
    pub fn image_presets(&self) -> impl Iterator<Item = &Found<ImagePreset>> {
        self.image_presets.values().map(Preset::get)
    }

    /// What starts a preset of Kaito 0.3.
    pub fn launcher(&self, preset: &ImagePreset) -> Option<&Launcher> {
        self.launchers.get(&preset.launcher)
    }

    fn unknown_launchers(&self) -> impl Iterator<Item = Diagnostic> {
        // Presets of Kaito 0.3 in a directory that serves other versions too say nothing here.
        let presets = self.image_presets.values().filter(|_| self.is_v0_3()).map(Preset::get);
        let unknown = presets.filter(|found| self.launcher(&found.value).is_none());
        unknown.map(|found| {
            let message = format!("{}: {} has the launcher {:?}", found.origin, found.value.name, found.value.launcher);
            let known: Vec<&str> = self.launchers.keys().map(String::as_str).collect();
            Diagnostic::error(message).help(format!("launchers.yaml has {}", known.join(", ")))
        })
    }

    /// Every model, by id.
    pub fn models(&self) -> impl Iterator<Item = &Found<Model>> {
        self.models.values().map(Preset::get)
    }

    /// Every image of this version, in full: those of pods and charts, and those with weights.
    pub fn all_images(&self, registry: Option<&str>) -> Vec<String> {
        let images = self.images.resolved(registry, ToOwned::to_owned);
        let weights = self.models().filter_map(|model| model.value.tuning.as_ref());
        let weights = weights.map(|tuning| format!("{}/{}", images.registry, tuning.weights_image));
        let presets = self.image_presets().filter_map(|preset| preset.value.image(&images.registry));
        images.all().into_iter().chain(weights).chain(presets).collect()
    }

    /// Every name that means a preset: ids and aliases.
    pub fn preset_names(&self) -> impl Iterator<Item = &str> {
        self.models().map(|model| model.value.id.as_str()).chain(self.aliases.keys().map(String::as_str))
    }

    /// The size of that name, in any case.
    pub fn sku(&self, cloud: Cloud, name: &str) -> Option<&Found<Sku>> {
        self.skus.get(&(cloud, name.to_lowercase())).map(Preset::get)
    }

    /// Every size of a cloud.
    pub fn skus(&self, cloud: Cloud) -> impl Iterator<Item = &Found<Sku>> {
        self.skus.iter().filter(move |((of, _), _)| *of == cloud).map(|(_, sku)| sku.get())
    }

    /// The NodeClasses of a cloud that has any.
    pub fn node_classes(&self, cloud: Cloud) -> Option<&NodeClasses> {
        self.node_classes.get(cloud.name())
    }

    /// The MIG profiles that are admitted.
    pub fn mig_profiles(&self) -> &[String] {
        &self.mig_profiles
    }

    /// The path of a file of this version, for people: `presets/0.12/sizing.yaml`, and what overrides it.
    pub fn file_name(&self, stem: &str) -> String {
        let over = self.files.get(stem).map(|over| format!(", overridden by {over}")).unwrap_or_default();
        format!("presets/{}/{stem}.yaml{over}", self.version)
    }
}

/// Short names, each of which means one model.
fn aliases(models: &BTreeMap<String, Preset<Model>>, findings: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    for (id, model) in models {
        for alias in model.aliases() {
            let alias = alias.to_lowercase();
            let other = aliases.insert(alias.clone(), id.clone()).or_else(|| models.contains_key(&alias).then(|| alias.clone()));
            if let Some(other) = other.filter(|other| other != id).and_then(|other| models.get(&other)) {
                let (model, other) = (model.get(), other.get());
                let finding = Diagnostic::error(format!("{alias:?} means two models: {} and {}", other.value.id, model.value.id));
                findings
                    .push(finding.help(format!("take it out of the aliases of one; they are in {} and {}", other.origin, model.origin)));
            }
        }
    }
    aliases
}

#[derive(Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retired {
    retired: BTreeMap<String, String>,
}

#[derive(Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mig {
    profiles: Vec<String>,
}
