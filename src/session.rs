//! The whole line for a set of files: what to render, with every finding, before anything is written.

mod images;
mod rehearsal;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

pub use images::PulledImage;
pub use rehearsal::Patched;

use crate::admission;
use crate::diagnostic::Diagnostic;
use crate::flux;
use crate::manifest::{Identity, ObjectRef};
use crate::options::{NodeProvisioner, Options};
use crate::parallel;
use crate::patch::{self, Outcome};
use crate::plan::{self, Context, InferencePool, Mirror, Nodes, Plan, RagPlan};
use crate::preset::{Catalog, DefaultTraining, GuardrailsPolicy, NodeClass, NodeClasses};
use crate::render::{self, Engine, Object, TemplateError};
use crate::rule;
use crate::spec::{Input, Located, Passed, RagEngine};
use crate::yaml::{Document, Step};

/// The Workspaces of an input that can be rendered, planned.
pub struct Session<'a> {
    context: Context<'a>,
    plans: Vec<Plan<'a>>,
    pools: Vec<InferencePool<'a>>,
    rag_engines: Vec<RagPlan<'a>>,
}

/// The namespace and name of the set or RAGEngine that objects belong to, if they belong to one.
type Key<'a> = Option<(&'a str, &'a str)>;

/// What templates have made, or which of them is at fault.
type Made = Result<Vec<Object>, TemplateError>;

impl<'a> Session<'a> {
    /// Admits and plans every Workspace; faults of one leave the others alone.
    pub fn new(input: &'a Input, catalog: &'a Catalog, options: &'a Options, explain: bool, findings: &mut Vec<Diagnostic>) -> Self {
        let context = Context::new(catalog, options, input);
        let planned = parallel::map(&input.workspaces, |located| {
            let mut findings = Vec::new();
            let configs = admission::check(located, &context, &mut findings);
            // What is said of a field that is missing or was left out may only follow from that.
            findings.retain(|finding| located.is_certain(finding));
            let admitted = located.is_whole() && !findings.iter().any(Diagnostic::is_error);
            let plan = admitted.then(|| plan::plan(located, &configs, &context, explain, &mut findings)).flatten();
            if admitted && plan.is_none() && !findings.iter().any(Diagnostic::is_error) {
                // Never leave a Workspace out in silence: what is not rendered is deleted by those who apply.
                let finding = Diagnostic::error("kaito can't plan this Workspace, and doesn't know why");
                findings.push(located.document.finding(finding.help("please report it, with the input"), &[]));
            }
            (plan, findings)
        });
        for mirror in &input.mirrors {
            let mut own_findings = Vec::new();
            admission::check_mirror(mirror, &context, &mut own_findings);
            own_findings.retain(|finding| mirror.is_certain(finding));
            findings.append(&mut own_findings);
        }
        let mut plans = Vec::new();
        for (plan, own_findings) in planned {
            findings.extend(own_findings);
            plans.extend(plan);
        }
        plan::within_limit_of_all(&mut plans, findings);
        let pools = input.sets.iter().filter_map(|set| plan::inference_pool(set, &context, findings)).collect();
        let rag_engines = input.rag_engines.iter().filter_map(|located| plan_rag_engine(located, &context, explain, findings)).collect();
        let session = Self { context, plans, pools, rag_engines };
        session.find_clashes(findings);
        session.find_unused_image_rules(findings);
        session
    }

    /// What everything was planned from.
    pub fn context(&self) -> &Context<'a> {
        &self.context
    }

    /// The plans, by namespace and name.
    pub fn plans(&self) -> impl Iterator<Item = &Plan<'a>> {
        self.plans.iter()
    }

    /// The RAGEngines, planned, by namespace and name.
    pub fn rag_engines(&self) -> impl Iterator<Item = &RagPlan<'a>> {
        self.rag_engines.iter()
    }

    /// The mirrors that can be rendered, by name.
    pub fn mirrors(&self) -> impl Iterator<Item = &Mirror<'a>> {
        self.context.mirrors.iter().filter(|mirror| mirror.is_whole)
    }

    /// The declared mirrors as they were declared, by name.
    pub fn declared_mirrors(&self) -> impl Iterator<Item = (ObjectRef, Value)> {
        self.context.input.mirrors.iter().map(|located| {
            let mut value = located.document.root.to_value();
            plan::drop_what_servers_write(&mut value);
            (ObjectRef::new("kaito.sh", "ModelMirror", None, &located.value.metadata.name), self.for_flux(value))
        })
    }

    /// A Workspace as it was declared.
    pub fn declared(&self, plan: &Plan<'_>) -> Value {
        self.for_flux(plan.declared())
    }

    /// A declared object as Flux wants it, if Flux applies it.
    fn for_flux(&self, mut object: Value) -> Value {
        if self.context.options.flux {
            flux::keep_from_substitution(&mut object);
        }
        object
    }

    /// Whether nothing of Kaito's is rendered.
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty() && self.rag_engines.is_empty() && self.mirrors().next().is_none()
    }

    /// Renders what belongs to no single Workspace: mirrors, what those of a namespace share, RAGEngines, and the routers of sets. Each
    /// object is passed to `take`, with the namespace and name of the RAGEngine or set that it belongs to.
    ///
    /// # Errors
    /// A template at fault, or what `take` says.
    pub fn render_shared<E: From<TemplateError>>(
        &self,
        engine: &Engine,
        mut take: impl FnMut(Key<'_>, Object) -> Result<(), E>,
    ) -> Result<(), E> {
        for (owner, objects) in self.shared(engine) {
            self.all_patched(objects?)?.into_iter().try_for_each(|object| take(owner, object))?;
        }
        Ok(())
    }

    /// What belongs to no single Workspace, as templates have it, with the set that it belongs to.
    fn shared(&self, engine: &Engine) -> impl Iterator<Item = (Key<'_>, Made)> {
        let one = |object: Result<Object, TemplateError>| (None, object.map(|object| vec![object]));
        let mirrors = self.mirrors().map(|mirror| (None, render::render_mirror(engine, mirror, &self.context)));
        let configs = self.training_configs().into_iter();
        let configs = configs.map(move |(namespace, default)| one(render::render_training_config(engine, default, namespace)));
        // Those of Kaito's chart are made as it is installed, and by no Workspace.
        let classes = self
            .context
            .options
            .node_classes
            .iter()
            .flat_map(|classes| self.node_classes(classes).into_iter().map(move |class| (classes, class)));
        let classes = classes.map(move |(classes, class)| one(render::render_node_class(engine, classes, class)));
        let guardrails = self.guardrails().into_iter();
        let guardrails = guardrails.map(move |(namespace, policy)| one(render::render_guardrails(engine, policy, namespace)));
        let rag_engines = self.rag_engines.iter();
        let rag_engines = rag_engines.map(|planned| (Some(planned.key()), render::render_rag_engine(engine, planned, &self.context)));
        let pools = self.pools.iter().map(|pool| (Some((pool.namespace, pool.name)), render::render_pool(engine, pool, &self.context)));
        mirrors.chain(configs).chain(classes).chain(guardrails).chain(rag_engines).chain(pools)
    }

    /// An object that passes through, with the images and patches that the user wants; `None` if a patch deletes it.
    ///
    /// # Errors
    /// A patch that can't be applied.
    pub fn pass(&self, passed: &Passed) -> Result<Option<(ObjectRef, Value)>, TemplateError> {
        let value = self.passed_value(passed);
        match self.apply_patches(&passed.reference, || value.clone(), &mut BTreeSet::new())? {
            Outcome::Untouched => Ok(Some((passed.reference.clone(), value))),
            Outcome::Changed(value) => Ok(Some((ObjectRef::of(&value).unwrap_or_else(|_| passed.reference.clone()), value))),
            Outcome::Deleted => Ok(None),
        }
    }

    /// An object that passes through, with the images that the user wants.
    fn passed_value(&self, passed: &Passed) -> Value {
        let mut value = passed.document.root.to_value();
        // A definition's schema has fields of these names too.
        if passed.reference.kind != "CustomResourceDefinition" {
            self.context.options.images.rewrite_pods(&mut value);
        }
        value
    }

    fn all_patched(&self, objects: Vec<Object>) -> Result<Vec<Object>, TemplateError> {
        objects.into_iter().filter_map(|object| self.patched(object).transpose()).collect()
    }

    /// An object with the patches that are about it.
    fn patched(&self, object: Object) -> Result<Option<Object>, TemplateError> {
        match self.apply_patches(object.reference(), || object.to_value(), &mut BTreeSet::new())? {
            Outcome::Untouched => Ok(Some(object)),
            Outcome::Changed(value) => Object::of(value).map(Some).map_err(|message| TemplateError(Box::new(Diagnostic::error(message)))),
            Outcome::Deleted => Ok(None),
        }
    }

    fn apply_patches(
        &self,
        reference: &ObjectRef,
        object: impl Fn() -> Value,
        used: &mut BTreeSet<usize>,
    ) -> Result<Outcome, TemplateError> {
        let options = self.context.options;
        let mut outcome = patch::apply(&options.patches, reference, &object, &options.namespace, used).map_err(TemplateError)?;
        if options.flux {
            match &mut outcome {
                Outcome::Untouched => {
                    let mut value = object();
                    if flux::keep_from_substitution(&mut value) {
                        outcome = Outcome::Changed(value);
                    }
                }
                Outcome::Changed(value) => _ = flux::keep_from_substitution(value),
                Outcome::Deleted => {}
            }
        }
        Ok(outcome)
    }

    /// The default training configurations in use, each with its namespace.
    fn training_configs(&self) -> Vec<(&str, &'a DefaultTraining)> {
        let defaults = self.plans.iter().filter_map(|plan| Some((plan.namespace, plan.workload.default_training()?)));
        let by_name: BTreeMap<_, _> = defaults.map(|(namespace, default)| ((namespace, default.name.as_str()), default)).collect();
        by_name.into_iter().map(|((namespace, _), default)| (namespace, default)).collect()
    }

    /// The default rules for answers in use, each with its namespace.
    fn guardrails(&self) -> BTreeMap<&str, &'a GuardrailsPolicy> {
        self.rag_engines.iter().filter_map(|planned| Some((planned.namespace, planned.default_guardrails?))).collect()
    }

    /// The NodeClasses in use that are declared with a `spec` and that the input itself doesn't hold, by name.
    fn node_classes(&self, classes: &'a NodeClasses) -> Vec<&'a NodeClass> {
        let used = self.plans.iter().filter(|plan| plan.nodes.count > 0).filter_map(|plan| plan.nodes.node_class);
        let by_name: BTreeMap<_, _> = used.filter(|class| !class.spec.is_empty()).map(|class| (class.name.as_str(), class)).collect();
        let is_given = |name: &str| {
            let same = |other: &ObjectRef| other.group == classes.group && other.kind == classes.kind && other.name == name;
            self.context.input.passed.iter().any(|passed| same(&passed.reference))
        };
        by_name.into_values().filter(|class| !is_given(&class.name)).collect()
    }

    /// Renders the Workspaces in order, some at a time, so that few are in memory: `prepare` is called in parallel with each
    /// one's objects, and what it gives is passed to `take` one by one.
    ///
    /// # Errors
    /// A template at fault, or what `prepare` and `take` say.
    pub fn render<T: Send, E: From<TemplateError> + Send>(
        &self,
        engine: &Engine,
        prepare: impl Fn(&Plan<'a>, Vec<Object>) -> Result<T, E> + Sync,
        take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.render_some(engine, |_| true, prepare, take)
    }

    /// Renders as [`Session::render`] does the Workspaces that are wanted.
    ///
    /// # Errors
    /// A template at fault, or what `prepare` and `take` say.
    pub fn render_some<T: Send, E: From<TemplateError> + Send>(
        &self,
        engine: &Engine,
        is_wanted: impl Fn(&Plan<'a>) -> bool,
        prepare: impl Fn(&Plan<'a>, Vec<Object>) -> Result<T, E> + Sync,
        mut take: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        const AT_ONCE: usize = 64;
        let wanted: Vec<&Plan<'a>> = self.plans.iter().filter(|plan| is_wanted(plan)).collect();
        for some in wanted.chunks(AT_ONCE) {
            let prepared = parallel::map(some, |plan| prepare(plan, self.all_patched(render::render(engine, plan, &self.context)?)?));
            prepared.into_iter().try_for_each(|prepared| take(prepared?))?;
        }
        Ok(())
    }

    /// Two objects of one name: a Workspace `a-headless` beside `a`, or a Service in the input that a Workspace makes too.
    fn find_clashes(&self, findings: &mut Vec<Diagnostic>) {
        let namespace = &self.context.options.namespace;
        let mut made: Vec<(Owner<'_>, &Document, Vec<ObjectRef>)> =
            parallel::map(&self.plans, |plan| (("Workspace", plan.key()), plan.document, references(plan, &self.context)));
        let rag_engines = self
            .rag_engines
            .iter()
            .map(|planned| (("RAGEngine", planned.key()), planned.document, planned.references(self.context.options.node_provisioner)));
        let mirrors = self.mirrors().map(|mirror| {
            let job = ObjectRef::new("batch", "Job", Some(mirror.namespace), &mirror.job_name());
            (("ModelMirror", (mirror.namespace, mirror.name.as_ref())), mirror.document, vec![job])
        });
        made.extend(rag_engines.chain(mirrors));
        let passed = self.context.input.passed.iter().map(|passed| (passed.reference.identity(namespace), None));
        let count = passed.len() + made.iter().map(|(_, _, references)| references.len()).sum::<usize>();
        // At its full size from the start: a table that grows is there twice.
        let mut owners: HashMap<Identity<'_>, Option<&Owner<'_>>, foldhash::fast::RandomState> =
            HashMap::with_capacity_and_hasher(count, foldhash::fast::RandomState::default());
        owners.extend(passed);
        for pool in &self.pools {
            let name = format!("{}-inferencepool", pool.name);
            let kinds = [("source.toolkit.fluxcd.io", "OCIRepository"), ("helm.toolkit.fluxcd.io", "HelmRelease")];
            for reference in kinds.map(|(group, kind)| ObjectRef::new(group, kind, Some(pool.namespace), &name)) {
                if owners.contains_key(&reference.identity(namespace)) {
                    findings.push(clash(pool.document, &reference, "the input itself"));
                }
            }
        }
        for (owner, document, references) in &made {
            for reference in references {
                let Some(other) = owners.insert(reference.identity(namespace), Some(owner)) else { continue };
                let whose = match other {
                    None => "the input itself".to_owned(),
                    // The same Workspace twice has been reported as such.
                    Some(other) if other == owner => continue,
                    Some((kind, (namespace, name))) => format!("the {kind} {namespace}/{name}"),
                };
                findings.push(clash(document, reference, &whose));
            }
        }
    }
}

/// Whose an object is: the kind, and namespace and name.
type Owner<'p> = (&'static str, (&'p str, &'p str));

/// Admits and plans a RAGEngine.
fn plan_rag_engine<'a>(
    located: &'a Located<RagEngine>,
    context: &Context<'a>,
    explain: bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<RagPlan<'a>> {
    let mut own_findings = Vec::new();
    admission::check_rag_engine(located, context, &mut own_findings);
    own_findings.retain(|finding| located.is_certain(finding));
    let admitted = located.is_whole() && !own_findings.iter().any(Diagnostic::is_error);
    findings.append(&mut own_findings);
    admitted.then(|| plan::rag_engine(located, context, explain))
}

/// What is said of a document whose object another one has too.
fn clash(document: &Document, reference: &ObjectRef, whose: &str) -> Diagnostic {
    let finding = rule::OBJECT_CLASH.says(format!("its {reference} is already there, from {whose}")).help("give one of them another name");
    document.finding(finding, &[Step::Field("metadata"), Step::Field("name")])
}

/// What a plan will be rendered to, without rendering it.
fn references(plan: &Plan<'_>, context: &Context<'_>) -> Vec<ObjectRef> {
    let name = plan.workspace.metadata.name.as_str();
    let namespaced =
        |(group, kind, suffix): &(&str, &str, &str)| ObjectRef::new(group, kind, Some(plan.namespace), &format!("{name}{suffix}"));
    let mut references: Vec<_> = plan.workload.objects().iter().map(namespaced).collect();
    let claims = |kind| {
        (0..plan.nodes.count)
            .map(move |ordinal| ObjectRef::new("karpenter.sh", kind, None, &Nodes::claim_name(plan.namespace, name, ordinal)))
    };
    let options = context.options;
    let pool = Nodes::pool_name(plan.namespace, name);
    let in_pool_namespace = |group, kind| ObjectRef::new(group, kind, Some(options.pool_namespace(plan.namespace)), &pool);
    match options.node_provisioner {
        NodeProvisioner::Karpenter if context.catalog.is_v0_3() => references.extend(claims("NodeClaim")),
        NodeProvisioner::GpuProvisioner => references.extend(claims("NodeClaim")),
        NodeProvisioner::Machine => references.extend(claims("Machine")),
        // There is no pool of nothing.
        _ if plan.nodes.count == 0 => {}
        NodeProvisioner::Karpenter => references.push(ObjectRef::new("karpenter.sh", "NodePool", None, &pool)),
        NodeProvisioner::Aso => references.push(in_pool_namespace("containerservice.azure.com", "ManagedClustersAgentPool")),
        NodeProvisioner::Capi => {
            let kind = options.machine_pools.as_ref().map(|pools| pools.infrastructure(options.cloud).0);
            references.extend(kind.map(|kind| in_pool_namespace("infrastructure.cluster.x-k8s.io", kind)));
            references.push(in_pool_namespace("cluster.x-k8s.io", "MachinePool"));
        }
        NodeProvisioner::Byo => {}
    }
    references
}
