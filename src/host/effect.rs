//! Effects: what a plugin describes, the instances made of it, and the actions that concern one as a whole.

use super::clip::{Clip, Job};
use super::context::{Scope, Shared, accepted, complain};
use super::frames::Clips;
use super::handles::Handle;
use super::image::{Components, Depth, Format};
use super::library::Plugin;
use super::param::{Base, Param, Saved, Value};
use super::property::PropertySet;
use super::report::Kind;
use super::tables::{self, text_of};
use crate::error::{Error, Result};
use crate::openfx::*;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

/// Changes a plugin may cause by a change before the host takes it for endless.
const DEEPEST_CHANGE: u32 = 16;
/// Size of a project in which no clip is connected.
const EMPTY_PROJECT: (usize, usize) = (1920, 1080);

/// What a project file keeps of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The plugin's identifier.
    pub plugin: String,
    /// Values by the parameters' names.
    pub parameters: BTreeMap<String, Saved>,
}

/// The parameters of an effect.
pub(super) struct ParamSet {
    pub(super) handle: Handle,
    pub(super) properties: Arc<PropertySet>,
    pub(super) effect: Weak<Effect>,
    params: RwLock<Vec<Arc<Param>>>,
}

/// A description, or an instance.
pub(super) struct Effect {
    pub(super) handle: Handle,
    pub(super) properties: Arc<PropertySet>,
    pub(super) params: Arc<ParamSet>,
    pub(super) shared: Arc<Shared>,
    pub(super) is_instance: bool,
    /// Whether it has started to tell progress.
    pub(super) in_progress: AtomicBool,
    plugin: Arc<Plugin>,
    clips: RwLock<Vec<Arc<Clip>>>,
    is_created: AtomicBool,
    changing: AtomicU32,
}

impl ParamSet {
    fn new(effect: &Weak<Effect>) -> Arc<Self> {
        Arc::new_cyclic(|weak: &Weak<Self>| Self {
            handle: Handle::new(weak),
            properties: PropertySet::new("the parameter set", &[tables::PARAM_SET]),
            effect: effect.clone(),
            params: RwLock::default(),
        })
    }

    /// All parameters, in the order they were described.
    pub(super) fn all(&self) -> Vec<Arc<Param>> {
        self.params.read().clone()
    }

    pub(super) fn named(&self, name: &str) -> Option<Arc<Param>> {
        self.params.read().iter().find(|p| p.name == name).cloned()
    }

    /// The plugin describes one more.
    pub(super) fn define(&self, kind: &str, name: &str) -> Result<Arc<Param>, Status> {
        if self.effect.upgrade().is_none_or(|e| e.is_instance) {
            complain(Kind::BadDescription, format!("parameter {name} was defined on an instance"));
            return Err(Status::FAILED);
        }
        if self.named(name).is_some() {
            complain(Kind::BadName, format!("parameter {name} was defined twice"));
            return Err(Status::ERR_EXISTS);
        }
        let Some(param) = Param::described(kind, name, self.effect.clone()) else {
            complain(Kind::BadName, format!("parameter {name} is of kind {kind}, which does not exist"));
            return Err(Status::ERR_UNKNOWN);
        };
        self.params.write().push(Arc::clone(&param));
        Ok(param)
    }
}

impl Effect {
    /// What the plugin says of itself in its Describe action.
    pub(super) fn describe(plugin: &Arc<Plugin>, shared: &Arc<Shared>) -> Result<Arc<Self>> {
        let properties = PropertySet::new("the effect's description", &[tables::EFFECT]);
        properties.put(kOfxPluginPropFilePath, plugin.bundle.to_string_lossy().as_ref());
        properties.put(kOfxPropLabel, plugin.identifier.as_str());
        let effect = Self::with(properties, plugin, shared, false);
        effect.must(kOfxActionDescribe, None)?;
        Ok(effect)
    }

    /// The description in one context.
    pub(super) fn in_context(&self, context: &'static [u8]) -> Result<Arc<Self>> {
        let properties = self.properties.copy(format!("the description in {}", text_of(context)));
        properties.extend(tables::CONTEXT);
        properties.put(kOfxImageEffectPropContext, context);
        let effect = Self::with(properties, &self.plugin, &self.shared, false);
        let inputs = PropertySet::new("in arguments", &[tables::IN_CONTEXT]);
        inputs.put(kOfxImageEffectPropContext, context);
        effect.must(kOfxImageEffectActionDescribeInContext, Some(&inputs))?;
        effect.check_description()?;
        Ok(effect)
    }

    /// Says what no host could work with.
    fn check_description(&self) -> Result<()> {
        let output = text_of(kOfxImageEffectOutputClipName);
        if self.clip(output).is_none() {
            return Err(self.plugin.error("it describes no clip called Output"));
        }
        if self.properties.all::<String>(kOfxImageEffectPropSupportedPixelDepths).is_empty() {
            return Err(self.plugin.error("it describes no pixel depth it can work with"));
        }
        for clip in self.clips() {
            if clip.properties.all::<String>(kOfxImageEffectPropSupportedComponents).is_empty() {
                let text = format!("clip {} supports no components", clip.name);
                complain(Kind::BadDescription, text);
            }
        }
        let is_named = |name: &String| self.params.named(name).is_some();
        for param in self.params.all() {
            let mut names = param.properties.all::<String>(kOfxParamPropPageChild);
            names.extend(
                param.properties.all::<String>(kOfxParamPropParent).into_iter().filter(|n| !n.is_empty()),
            );
            // Spacers of a page are no parameters.
            for name in names.iter().filter(|n| !is_named(n) && !n.starts_with("OfxParamPageSkip")) {
                let text = format!("{} names the parameter {name}, which is not described", param.name);
                complain(Kind::BadDescription, text);
            }
        }
        Ok(())
    }

    /// An instance of this description, with values from a project when there are some.
    pub(super) fn create(&self, sources: &Clips, state: Option<&State>) -> Result<Arc<Self>> {
        let profile = &self.shared.profile;
        let properties = self.properties.copy("the effect instance");
        properties.extend(tables::INSTANCE);
        let effect = Self::with(properties, &self.plugin, &self.shared, true);
        let weak = Arc::downgrade(&effect);
        *effect.clips.write() = self.clips().iter().map(|c| c.instance(weak.clone())).collect();
        *effect.params.params.write() =
            self.params.all().iter().map(|p| p.instance(weak.clone(), profile.fixed_looks)).collect();
        for clip in effect.clips() {
            clip.connect(sources.get(&clip.name).cloned(), profile.claims_connected);
            let must = !clip.is_output() && !clip.properties.flag(kOfxImageClipPropOptional);
            if must && !clip.is_connected() {
                return Err(Error::setting("clip", format!("the plugin needs a clip called {}", clip.name)));
            }
        }
        effect.fill_properties();
        if let Some(state) = state {
            effect.restore(state);
        }
        let status = effect.act(kOfxActionCreateInstance, None, None);
        let expected = [Status::OK, Status::REPLY_DEFAULT];
        if !expected.contains(&status) {
            return Err(self.plugin.error(format!("creating an instance failed ({})", status.name())));
        }
        effect.is_created.store(true, Ordering::Relaxed);
        effect.agree_on_formats()?;
        effect.ask_domain();
        Ok(effect)
    }

    /// Asks for the times the effect has frames at, as hosts do in the general context. Frames are rendered at the times
    /// a script names, so that only the answer as such is checked.
    fn ask_domain(&self) {
        if self.properties.first::<String>(kOfxImageEffectPropContext)
            != text_of(kOfxImageEffectContextGeneral)
        {
            return;
        }
        let outputs = PropertySet::new("out arguments", &[tables::OUT_DOMAIN]);
        let status = self.act(kOfxImageEffectActionGetTimeDomain, None, Some(&outputs));
        let range = outputs.all::<f64>(kOfxImageEffectPropFrameRange);
        if accepted(status, "the question for a time domain") && range[0] > range[1] {
            complain(Kind::BadDescription, format!("the time domain {range:?} is none"));
        }
    }

    fn fill_properties(&self) {
        let (w, h) = self.project();
        let size = [w as f64, h as f64];
        let timeline = *self.shared.timeline.lock();
        self.properties
            .put(kOfxPropType, kOfxTypeImageEffectInstance)
            .put(kOfxImageEffectPropProjectSize, size)
            .put(kOfxImageEffectPropProjectExtent, size)
            .put(kOfxImageEffectInstancePropEffectDuration, timeline.last - timeline.first + 1.0);
    }

    fn with(
        properties: Arc<PropertySet>,
        plugin: &Arc<Plugin>,
        shared: &Arc<Shared>,
        is_instance: bool,
    ) -> Arc<Self> {
        Arc::new_cyclic(|weak: &Weak<Self>| Self {
            handle: Handle::new(weak),
            properties,
            params: ParamSet::new(weak),
            shared: Arc::clone(shared),
            is_instance,
            in_progress: AtomicBool::new(false),
            plugin: Arc::clone(plugin),
            clips: RwLock::default(),
            is_created: AtomicBool::new(false),
            changing: AtomicU32::new(0),
        })
    }

    pub(super) fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    pub(super) fn clips(&self) -> Vec<Arc<Clip>> {
        self.clips.read().clone()
    }

    pub(super) fn clip(&self, name: &str) -> Option<Arc<Clip>> {
        self.clips.read().iter().find(|c| c.name == name).cloned()
    }

    /// The plugin describes a clip.
    pub(super) fn define_clip(self: &Arc<Self>, name: &str) -> Result<Arc<Clip>, Status> {
        if self.is_instance || self.clip(name).is_some() {
            complain(Kind::BadName, format!("clip {name} cannot be defined here, or exists already"));
            return Err(Status::ERR_EXISTS);
        }
        let clip = Clip::described(name, Arc::downgrade(self));
        self.clips.write().push(Arc::clone(&clip));
        Ok(clip)
    }

    /// The size of the project: that of the first clip that is connected.
    pub(super) fn project(&self) -> (usize, usize) {
        self.clips().iter().find_map(|c| c.source()).map_or(EMPTY_PROJECT, |s| s.size())
    }

    /// Calls an action of this effect.
    pub(super) fn act(
        &self,
        action: &'static [u8],
        inputs: Option<&PropertySet>,
        outputs: Option<&PropertySet>,
    ) -> Status {
        self.act_in(Scope::new(&self.shared, name(action)), inputs, outputs)
    }

    /// As `act`, rendering a frame.
    pub(super) fn act_on(&self, action: &'static [u8], job: &Arc<Job>, inputs: &PropertySet) -> Status {
        let mut scope = Scope::new(&self.shared, name(action));
        scope.job = Some(Arc::clone(job));
        self.act_in(scope, Some(inputs), None)
    }

    fn act_in(&self, scope: Scope, inputs: Option<&PropertySet>, outputs: Option<&PropertySet>) -> Status {
        let raw = |set: Option<&PropertySet>| set.map_or(std::ptr::null_mut(), |s| s.handle.raw());
        scope.call(self.plugin.entry, self.handle.raw(), raw(inputs), raw(outputs))
    }

    /// Calls an action that must not fail.
    fn must(&self, action: &'static [u8], inputs: Option<&PropertySet>) -> Result<()> {
        match self.act(action, inputs, None) {
            Status::OK | Status::REPLY_DEFAULT => Ok(()),
            status => Err(self.plugin.error(format!("{} failed ({})", text_of(action), status.name()))),
        }
    }

    /// Tells of a change of a parameter or clip, within a begin and an end.
    pub(super) fn changed(&self, of: &'static [u8], which: &str, reason: &'static [u8]) -> Status {
        let is_created = self.is_created.load(Ordering::Relaxed);
        if !self.shared.profile.tells_changes || !is_created {
            return Status::REPLY_DEFAULT;
        }
        let brackets = PropertySet::new("in arguments", &[tables::IN_REASON]);
        brackets.put(kOfxPropChangeReason, reason);
        let inputs = PropertySet::new("in arguments", &[tables::IN_CHANGED]);
        inputs
            .put(kOfxPropType, of)
            .put(kOfxPropName, which)
            .put(kOfxPropChangeReason, reason)
            .put(kOfxPropTime, self.shared.timeline.lock().now)
            .put(kOfxImageEffectPropRenderScale, self.shared.settings.lock().scale);
        let act = |action: &'static [u8], inputs: &PropertySet| {
            let mut scope = Scope::new(&self.shared, name(action));
            scope.reason = Some(text_of(reason));
            self.act_in(scope, Some(inputs), None)
        };
        accepted(act(kOfxActionBeginInstanceChanged, &brackets), "the beginning of a change");
        let status = act(kOfxActionInstanceChanged, &inputs);
        accepted(status, format_args!("the change of {which}"));
        accepted(act(kOfxActionEndInstanceChanged, &brackets), "the end of a change");
        let slaves = self.properties.all::<String>(kOfxImageEffectPropClipPreferencesSlaveParam);
        if slaves.iter().any(|s| s == which) && self.agree_on_formats().is_err() {
            complain(Kind::BadStatus, format!("no common pixel format after the change of {which}"));
        }
        status
    }

    /// Tells the plugin of a parameter it wrote itself, unless it does so without end.
    pub(super) fn changed_by_plugin(&self, param: &str) {
        let rendering = super::context::current().is_some_and(|s| s.job.is_some());
        if rendering {
            return;
        }
        if self.changing.fetch_add(1, Ordering::Relaxed) < DEEPEST_CHANGE {
            let _ = self.changed(kOfxTypeParameter, param, kOfxChangePluginEdited);
        } else {
            complain(Kind::BadStatus, format!("changes of {param} cause each other without end"));
        }
        self.changing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Finds a pixel format host and plugin share, and lets the plugin choose among what its clips support.
    pub(super) fn agree_on_formats(&self) -> Result<()> {
        let depths = self.properties.all::<String>(kOfxImageEffectPropSupportedPixelDepths);
        let wished = self.shared.settings.lock().format;
        let known = self.shared.profile.formats;
        let depth =
            wished.iter().chain(known).map(|f| f.depth).find(|d| depths.iter().any(|n| n == d.name()));
        let depth = depth.ok_or_else(|| {
            let host = self.shared.profile.name;
            self.plugin.error(format!("{host} offers none of its pixel depths [{}]", depths.join(", ")))
        })?;
        let outputs = PropertySet::new("out arguments", &[tables::OUT_PREFERENCES]);
        let clips = self.clips();
        for clip in &clips {
            let supported = clip.properties.all::<String>(kOfxImageEffectPropSupportedComponents);
            let order = [Components::Rgba, Components::Rgb, Components::Alpha];
            let wished = wished.map(|f| f.components);
            let found = wished.into_iter().chain(order).find(|c| supported.iter().any(|s| s == c.name()));
            let components = found.unwrap_or(Components::Rgba);
            clip.set_format(Format { depth, components });
            let of = |what: &str| format!("OfxImageClipProp{what}_{}", clip.name);
            outputs.declare(of("Components"), false, components.name());
            outputs.declare(of("Depth"), false, depth.name());
            outputs.declare(of("PAR"), false, 1.0);
        }
        match self.act(kOfxImageEffectActionGetClipPreferences, None, Some(&outputs)) {
            Status::OK => {}
            Status::REPLY_DEFAULT => return Ok(()),
            status => {
                return Err(self.plugin.error(format!("its clip preferences failed ({})", status.name())));
            }
        }
        for clip in &clips {
            let said = |what: &str| {
                let said = outputs.named::<String>(&format!("OfxImageClipProp{what}_{}", clip.name));
                said.into_iter().next().unwrap_or_default()
            };
            match (Depth::named(&said("Depth")), Components::named(&said("Components"))) {
                (Some(depth), Some(components)) => clip.set_format(Format { depth, components }),
                _ => complain(Kind::BadDescription, format!("clip {} prefers an unknown format", clip.name)),
            }
        }
        Ok(())
    }

    /// What a project file keeps, after the plugin has put its private data into parameters.
    pub(super) fn save(&self) -> State {
        accepted(self.act(kOfxActionSyncPrivateData, None, None), "bringing private data in line");
        self.values()
    }

    /// What a project file keeps, as it is.
    pub(super) fn values(&self) -> State {
        let saved = |p: &Arc<Param>| p.save().map(|s| (p.name.clone(), s));
        let parameters = self.params.all().iter().filter_map(saved).collect();
        State { plugin: self.plugin.identifier.clone(), parameters }
    }

    fn restore(&self, state: &State) {
        for param in self.params.all() {
            let fits = |s: &&Saved| match (&s.value, param.kind.base) {
                (Value::Ints(v), Base::Int) => v.len() == param.kind.count,
                (Value::Doubles(v), Base::Double) => v.len() == param.kind.count,
                (Value::Text(_), Base::Text) => true,
                _ => false,
            };
            // A value of another kind is from another version of the plugin, and hosts pass over it.
            if let Some(saved) = state.parameters.get(&param.name).filter(fits) {
                param.restore(saved);
            }
        }
    }

    /// Ends the instance.
    pub(super) fn destroy(&self) {
        accepted(self.act(kOfxActionDestroyInstance, None, None), "destroying the instance");
        if self.in_progress.load(Ordering::Relaxed) {
            complain(Kind::Progress, "progress was started and never ended");
        }
    }
}
