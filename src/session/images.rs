//! The images that an input needs.

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use crate::diagnostic::Diagnostic;
use crate::image::{self, Use, UsedImages};
use crate::render::{Engine, TemplateError};

/// An image that is pulled.
#[derive(Clone, Debug)]
pub struct PulledImage {
    /// The image, as manifests name it.
    pub image: String,
    /// The image that `registryMirrors` has a copy of here.
    pub source: Option<String>,
    /// Where it is named.
    pub uses: BTreeSet<Use>,
}

impl Session<'_> {
    /// Every image that the rendered objects need, those of the input included, sorted: what pods name, what their scripts pull,
    /// and the charts. Where an adapter is pushed to is none of them.
    ///
    /// # Errors
    /// A template or patch at fault.
    pub fn images(&self, engine: &Engine) -> Result<Vec<PulledImage>, TemplateError> {
        let sources = self.sources();
        let mut used = UsedImages::new(sources.keys().cloned());
        for passed in &self.context.input.passed {
            if let Some((reference, value)) = self.pass(passed)? {
                used.look_into(&reference, &value);
            }
        }
        self.render_shared(engine, |_, object| {
            used.look_into(object.reference(), &object.to_value());
            Ok::<_, TemplateError>(())
        })?;
        self.render(
            engine,
            |_, objects| Ok::<_, TemplateError>(objects),
            |objects| {
                objects.iter().for_each(|object| used.look_into(object.reference(), &object.to_value()));
                Ok(())
            },
        )?;
        let pulled = used.into_found().into_iter().map(|(image, uses)| {
            // A chart may want a tag before a digest.
            let source = sources.get(&image).or_else(|| sources.get(&image::normalise(&image)));
            let source = source.filter(|source| **source != image).cloned();
            PulledImage { image, source, uses }
        });
        Ok(pulled.collect())
    }

    /// The images that are known before anything is rendered, as they are pulled, each with what it is a copy of.
    fn sources(&self) -> BTreeMap<String, String> {
        let rules = &self.context.options.images;
        let mut sources = BTreeMap::new();
        for original in self.originals() {
            let chosen = rules.chosen(&original);
            let pulled = rules.mirrored(&chosen);
            // What scripts pull is named in full.
            sources.insert(image::normalise(&pulled), image::normalise(&chosen));
            sources.insert(pulled, chosen);
        }
        sources
    }

    /// The images as Kaito and the input name them.
    fn originals(&self) -> Vec<String> {
        let mut images = self.context.catalog.all_images(self.context.options.registry.as_deref());
        for plan in &self.plans {
            let workspace = plan.workspace;
            images.extend(workspace.adapters().iter().filter_map(|adapter| adapter.source.as_ref()?.image.clone()));
            images.extend(workspace.tuning.as_ref().and_then(|tuning| tuning.input.image()).map(ToOwned::to_owned));
            let tuned = workspace.tuning.as_ref().and_then(|tuning| tuning.preset.as_ref());
            let presets = [workspace.preset(), tuned].into_iter().flatten();
            images.extend(presets.filter_map(|preset| preset.preset_options.as_ref()?.image.clone()));
            let template = workspace.inference.as_ref().and_then(|inference| inference.template.as_ref()?.get("spec"));
            images.extend(template.into_iter().flat_map(image::in_pods));
        }
        for passed in self.context.input.passed.iter().filter(|passed| passed.reference.kind != "CustomResourceDefinition") {
            images.extend(image::in_pods(&passed.document.root.to_value()));
        }
        images
    }

    /// Names and registries of `kaito.yaml` that no image has.
    pub(super) fn find_unused_image_rules(&self, findings: &mut Vec<Diagnostic>) {
        let rules = &self.context.options.images;
        if !rules.is_empty() {
            findings.extend(rules.unused(&self.originals()));
        }
    }
}
