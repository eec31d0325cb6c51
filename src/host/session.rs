//! A session: one plugin in one host, and the script that is run on it.

use super::context::{Scope, Shared, Timeline, accepted};
use super::effect::{Effect, State};
use super::frames::Clips;
use super::image::Format;
use super::interact::Interact;
use super::library::{Bundle, Claim, Plugin, host_struct};
use super::profile::{Faults, Fresh, Profile, disordered};
use super::render::{self, Rendered, Sink};
use super::report::{Kind, Report};
use super::script::{Command, Outcome};
use super::stir::{Stirred, stir};
use super::tables::text_of;
use crate::error::{Error, Result};
use crate::openfx::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// More frames than any test or farm asks for at once: a range typed wrongly must not run for ever.
const MOST_FRAMES: f64 = 1e6;

/// One plugin in one host. Dropped, it ends as a host does that is closed.
pub struct Session {
    shared: Arc<Shared>,
    bundle: Bundle,
    identifier: Option<String>,
    clips: Clips,
    loaded: Option<Loaded>,
    instances: BTreeMap<String, Instance>,
    selected: String,
    saved: Option<State>,
    stirred: Vec<Stirred>,
    host: &'static OfxHost,
    _claim: Claim,
}

struct Loaded {
    plugin: Arc<Plugin>,
    /// The description in the context this host prefers.
    context: Arc<Effect>,
    /// What was described before any context; it lives as long as the plugin is loaded.
    _description: Arc<Effect>,
}

struct Instance {
    effect: Arc<Effect>,
    overlay: Option<Arc<Interact>>,
}

impl Session {
    /// Starts a host and loads the first image effect of a bundle into it. `clips` are connected by name.
    ///
    /// One thread has one session with a library at a time; another thread's waits, as a plugin has one host only.
    ///
    /// # Errors
    /// When the plugin refuses the host or describes itself badly.
    pub fn new(bundle: &Bundle, profile: Profile, faults: Faults, clips: Clips) -> Result<Session> {
        Self::with_plugin(bundle, None, profile, faults, clips)
    }

    /// As [`Session::new`], for the plugin of an identifier.
    ///
    /// # Errors
    /// As there, and when the bundle has no such plugin.
    pub fn with_plugin(
        bundle: &Bundle,
        identifier: Option<&str>,
        profile: Profile,
        faults: Faults,
        clips: Clips,
    ) -> Result<Session> {
        let claim = Claim::wait(bundle)?;
        let ranges = clips.values().map(|c| c.range());
        let (first, last) = ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0.0, 0.0));
        let shared = Shared::new(profile, faults, Timeline { now: first, first, last });
        let host = host_struct(&shared);
        let mut session = Session {
            shared,
            bundle: bundle.clone(),
            identifier: identifier.map(str::to_string),
            clips,
            loaded: None,
            instances: BTreeMap::new(),
            selected: String::new(),
            saved: None,
            stirred: Vec::new(),
            host,
            _claim: claim,
        };
        session.load()?;
        Ok(session)
    }

    /// Runs commands in order, and says what came of each.
    ///
    /// # Errors
    /// On the first command that cannot be carried out: a name that does not exist, no instance, a plugin that cannot be
    /// created. What a plugin does wrong meanwhile is in the [`Session::report`], and a frame that fails is in its
    /// outcome.
    pub fn run(&mut self, script: &[Command]) -> Result<Vec<Outcome>> {
        let one = |command: &Command| {
            let mut frames = Vec::new();
            let outcome = self.run_one(command, |frame| {
                frames.push(frame);
                Ok(())
            })?;
            Ok(if matches!(command, Command::Render { .. }) { Outcome::Frames(frames) } else { outcome })
        };
        script.iter().map(one).collect()
    }

    /// Runs one command, and hands frames over one by one as they are rendered, so that a long range needs no more
    /// memory than a short one.
    ///
    /// # Errors
    /// As [`Session::run`], and what `frame` fails with.
    pub fn run_one(
        &mut self,
        command: &Command,
        mut frame: impl FnMut(Rendered) -> Result<()>,
    ) -> Result<Outcome> {
        match command {
            Command::Render { first, last, step } => {
                self.render(*first, last.unwrap_or(*first), *step, &mut frame)?;
            }
            other => return self.step(other),
        }
        Ok(Outcome::Done)
    }

    /// What is on record so far.
    pub fn report(&self) -> Report {
        self.shared.report.lock().clone()
    }

    /// Ends the session as its drop does, and gives the whole record, with what was left behind.
    pub fn finish(mut self) -> Report {
        self.unload();
        self.report()
    }

    /// A parameter's value in the selected instance, at a time.
    ///
    /// # Errors
    /// When there is no such parameter, or no instance.
    pub fn value(&self, param: &str, time: f64) -> Result<super::Value> {
        Ok(self.param(param)?.value(time))
    }

    /// Whether the user can see and use a parameter of the selected instance.
    ///
    /// # Errors
    /// When there is no such parameter, or no instance.
    pub fn is_shown(&self, param: &str) -> Result<bool> {
        let properties = &self.param(param)?.properties;
        Ok(!properties.flag(kOfxParamPropSecret) && properties.flag(kOfxParamPropEnabled))
    }

    /// The values of a property of a parameter of the selected instance, as text.
    ///
    /// # Errors
    /// When there is no such parameter, or no instance. A property it does not have has no values.
    pub fn property(&self, param: &str, property: &str) -> Result<Vec<String>> {
        Ok(self.param(param)?.properties.texts(property))
    }

    /// Names of the selected instance's parameters, in the order they were described.
    ///
    /// # Errors
    /// When there is no instance.
    pub fn params(&self) -> Result<Vec<String>> {
        Ok(self.instance()?.effect.params.all().iter().map(|p| p.name.clone()).collect())
    }

    fn step(&mut self, command: &Command) -> Result<Outcome> {
        match command {
            Command::Create { instance } => self.create(instance, None)?,
            Command::Select { instance } => {
                self.selected.clone_from(instance);
                self.instance()?;
            }
            Command::Set { param, value } => return self.set(param, value, None),
            Command::Key { param, time, value } => return self.set(param, value, Some(*time)),
            Command::Press { param } => return self.press(param),
            Command::Stir { param, values } => self.stir(param, values)?,
            Command::Time { time } => self.go_to(*time),
            Command::Connect { clip, source } => self.connect(clip, source.as_deref())?,
            Command::Draw => return self.overlay()?.draw().map(Outcome::Drawing),
            Command::Pen { pen, at } => return Ok(Outcome::Taken(self.overlay()?.pen(*pen, *at))),
            Command::Strike { symbol, text } => {
                return Ok(Outcome::Taken(self.overlay()?.key(*symbol, text)));
            }
            Command::Purge => {
                let status = self.instance()?.effect.act(kOfxActionPurgeCaches, None, None);
                accepted(status, "purging caches");
            }
            Command::Save { file } => return self.save(file.as_deref()),
            Command::Restore { file } => self.restore(file.as_deref())?,
            Command::Destroy => self.destroy(&self.selected.clone()),
            settings => self.change_settings(settings)?,
        }
        Ok(Outcome::Done)
    }

    fn change_settings(&mut self, command: &Command) -> Result<()> {
        let mut settings = self.shared.settings.lock();
        let positive = |v: f64| v.is_finite() && v > 0.0;
        match *command {
            Command::Tiles { columns, rows } => settings.tiles = [columns.max(1), rows.max(1)],
            Command::Threads { count } => settings.threads = count.max(1),
            Command::Scale { x, y } if positive(x) && positive(y) => settings.scale = [x, y],
            Command::Scale { .. } => return Err(Error::setting("scale", "both sides must be above 0")),
            Command::Rows { negative, padding } => {
                (settings.negative_rows, settings.padding) = (negative, padding);
            }
            Command::Depth { depth, components } => {
                settings.format = Some(Format { depth, components });
                drop(settings);
                for instance in self.instances.values() {
                    instance.effect.agree_on_formats()?;
                }
            }
            // All others were carried out before.
            _ => {}
        }
        Ok(())
    }

    fn load(&mut self) -> Result<()> {
        let plugin = Arc::new(self.bundle.plugin(self.identifier.as_deref(), self.host)?);
        let scope = Scope::new(&self.shared, name(kOfxActionLoad));
        let none = std::ptr::null_mut();
        let status = scope.call(plugin.entry, std::ptr::null(), none, none);
        if ![Status::OK, Status::REPLY_DEFAULT].contains(&status) {
            return Err(plugin.error(format!("loading it failed ({})", status.name())));
        }
        let described = Effect::describe(&plugin, &self.shared).and_then(|description| {
            let supported = description.properties.all::<String>(kOfxImageEffectPropSupportedContexts);
            let contexts = self.shared.profile.contexts;
            let context = contexts.iter().find(|c| supported.iter().any(|s| s == text_of(c)));
            let context = context.ok_or_else(|| {
                let host = self.shared.profile.name;
                plugin.error(format!("it has no context that {host} offers, only [{}]", supported.join(", ")))
            })?;
            Ok((description.in_context(context)?, description))
        });
        match described {
            Ok((context, description)) => {
                self.loaded = Some(Loaded { plugin, context, _description: description });
                Ok(())
            }
            Err(error) => {
                let scope = Scope::new(&self.shared, name(kOfxActionUnload));
                let _ = scope.call(plugin.entry, std::ptr::null(), none, none);
                Err(error)
            }
        }
    }

    /// Destroys all instances and unloads the plugin; complains about what it leaves behind.
    fn unload(&mut self) {
        let names: Vec<String> = self.instances.keys().cloned().collect();
        names.iter().for_each(|name| self.destroy(name));
        let Some(loaded) = self.loaded.take() else { return };
        let scope = Scope::new(&self.shared, name(kOfxActionUnload));
        let none = std::ptr::null_mut();
        let _ = scope.clone().call(loaded.plugin.entry, std::ptr::null(), none, none);
        for left in self.shared.take_what_is_left() {
            self.shared.report.lock().add(Kind::Memory, scope.name(), left);
        }
    }

    fn create(&mut self, instance: &str, state: Option<&State>) -> Result<()> {
        self.destroy(instance);
        let loaded = self.loaded.as_ref().ok_or_else(|| Error::setting("create", "no plugin is loaded"))?;
        let effect = loaded.context.create(&self.clips, state)?;
        self.instances.insert(instance.to_string(), Instance { effect, overlay: None });
        self.selected = instance.to_string();
        Ok(())
    }

    fn destroy(&mut self, instance: &str) {
        if let Some(instance) = self.instances.remove(instance) {
            if let Some(overlay) = instance.overlay {
                overlay.destroy();
            }
            instance.effect.destroy();
        }
    }

    fn instance(&self) -> Result<&Instance> {
        self.instances.get(&self.selected).ok_or_else(|| {
            let which =
                if self.selected.is_empty() { String::new() } else { format!(" called {}", self.selected) };
            Error::setting("instance", format!("there is none{which}; create it first"))
        })
    }

    fn param(&self, param: &str) -> Result<Arc<super::param::Param>> {
        let effect = &self.instance()?.effect;
        effect.params.named(param).ok_or_else(|| {
            let names: Vec<_> = effect.params.all().iter().map(|p| p.name.clone()).collect();
            Error::setting(param, format!("the plugin has no such parameter, only {}", names.join(", ")))
        })
    }

    fn set(&mut self, param: &str, value: &serde_json::Value, time: Option<f64>) -> Result<Outcome> {
        let found = self.param(param)?;
        let value = found.parse(value)?;
        found.write(value, time, self.shared.timeline.lock().now);
        self.tell(kOfxTypeParameter, param, kOfxChangeUserEdited)
    }

    fn stir(&mut self, param: &str, values: &[serde_json::Value]) -> Result<()> {
        let found = self.param(param)?;
        let values = values.iter().map(|v| found.parse(v)).collect::<Result<Vec<_>>>()?;
        self.stirred.retain(|(p, _)| p.name != param);
        if !values.is_empty() {
            self.stirred.push((found, values));
        }
        Ok(())
    }

    fn press(&mut self, param: &str) -> Result<Outcome> {
        if !self.param(param)?.is_button() {
            return Err(Error::setting(param, "it is no button; set it instead"));
        }
        self.tell(kOfxTypeParameter, param, kOfxChangeUserEdited)
    }

    fn tell(&self, of: &'static [u8], which: &str, reason: &'static [u8]) -> Result<Outcome> {
        let status = self.instance()?.effect.changed(of, which, reason);
        Ok(Outcome::Answered(status.name().to_string()))
    }

    /// Moves the playhead, and tells of parameters whose value this changes.
    fn go_to(&mut self, time: f64) {
        self.shared.timeline.lock().now = time;
        let Some(instance) = self.instances.get(&self.selected) else { return };
        for param in instance.effect.params.all().iter().filter(|p| !p.keys().is_empty()) {
            let _ = instance.effect.changed(kOfxTypeParameter, &param.name, kOfxChangeTime);
        }
    }

    fn connect(&mut self, clip: &str, source: Option<&str>) -> Result<()> {
        let effect = &self.instance()?.effect;
        let missing = |what: &str| Error::setting("connect", format!("there is no {what}"));
        let found = effect.clip(clip).ok_or_else(|| missing(&format!("clip {clip}")))?;
        let source = match source {
            Some(name) => {
                Some(self.clips.get(name).cloned().ok_or_else(|| missing(&format!("source {name}")))?)
            }
            None => None,
        };
        found.connect(source, self.shared.profile.claims_connected);
        effect.agree_on_formats()?;
        let _ = effect.changed(kOfxTypeClip, clip, kOfxChangeUserEdited);
        Ok(())
    }

    fn render(&mut self, first: f64, last: f64, step: f64, sink: &mut Sink) -> Result<()> {
        let count = ((last - first) / step).floor();
        if !(0.0..MOST_FRAMES).contains(&count) {
            return Err(Error::setting(
                "render",
                format!("{first} to {last} by {step} is no range of frames"),
            ));
        }
        let times: Vec<f64> = (0..=count as usize).map(|i| first + i as f64 * step).collect();
        let times = self.shared.faults.disorder.map_or(times.clone(), |seed| disordered(&times, seed));
        match self.shared.profile.fresh {
            Fresh::Never => {
                let effect = &self.instance()?.effect;
                stir(effect, &self.stirred, || render::sequence(effect, &times, sink))
            }
            Fresh::Range => {
                let state = self.instance()?.effect.save();
                let loaded =
                    self.loaded.as_ref().ok_or_else(|| Error::setting("render", "no plugin is loaded"))?;
                let effect = loaded.context.create(&self.clips, Some(&state))?;
                let done = render::sequence(&effect, &times, sink);
                effect.destroy();
                done
            }
            Fresh::Frame => {
                for time in times {
                    self.begin_anew()?;
                    render::sequence(&self.instance()?.effect, &[time], sink)?;
                }
                Ok(())
            }
        }
    }

    /// Unloads the plugin and loads it again, with instances of the same values.
    fn begin_anew(&mut self) -> Result<()> {
        let selected = self.selected.clone();
        self.instance()?;
        let states: Vec<_> = self.instances.iter().map(|(k, i)| (k.clone(), i.effect.values())).collect();
        self.unload();
        self.load()?;
        for (name, state) in &states {
            self.create(name, Some(state))?;
        }
        self.selected = selected;
        Ok(())
    }

    fn overlay(&mut self) -> Result<Arc<Interact>> {
        self.instance()?;
        match self.instances.get_mut(&self.selected) {
            Some(Instance { overlay: Some(overlay), .. }) => Ok(Arc::clone(overlay)),
            Some(instance) => {
                let overlay = Interact::create(&instance.effect)?;
                instance.overlay = Some(Arc::clone(&overlay));
                Ok(overlay)
            }
            None => Err(Error::setting("overlay", "there is no instance; create one first")),
        }
    }

    fn save(&mut self, file: Option<&Path>) -> Result<Outcome> {
        let state = self.instance()?.effect.save();
        if let Some(file) = file {
            let text = serde_json::to_string_pretty(&state)
                .map_err(|e| Error::setting("save", format!("the values cannot be written: {e}")))?;
            std::fs::write(file, text).map_err(Error::io("write", file))?;
        }
        self.saved = Some(state.clone());
        Ok(Outcome::Saved(state))
    }

    fn restore(&mut self, file: Option<&Path>) -> Result<()> {
        let state = match file {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
                serde_json::from_str(&text).map_err(|e| {
                    Error::setting("restore", format!("{} is no saved project: {e}", file.display()))
                })?
            }
            None => self
                .saved
                .clone()
                .ok_or_else(|| Error::setting("restore", "nothing was saved; save first or name a file"))?,
        };
        self.create(&self.selected.clone(), Some(&state))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.unload();
    }
}
