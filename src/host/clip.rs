//! Clips of an effect, and the rules by which hosts give frames or refuse them.

use super::context::{Scope, complain, current};
use super::effect::Effect;
use super::frames::Frames;
use super::handles::Handle;
use super::image::{Components, Depth, Format, Maker, Picture, Shape, convert};
use super::profile::{Beyond, Buttons};
use super::property::PropertySet;
use super::report::{Fetch, Kind};
use super::tables;
use crate::frame::Rect;
use crate::openfx::*;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Weak};

/// One frame, or tile of one, that is being rendered.
pub(super) struct Job {
    pub(super) time: f64,
    pub(super) scale: [f64; 2],
    pub(super) output: Arc<Picture>,
    /// What was asked for of each input, in pixels, y up.
    pub(super) regions: BTreeMap<String, Rect>,
    /// Times that were asked for of each input.
    pub(super) needed: BTreeMap<String, Vec<f64>>,
    /// Calls of `abort` that are still answered with no; `None` when the user has patience.
    pub(super) patience: Option<AtomicI64>,
}

/// A clip of a description or an instance.
pub(super) struct Clip {
    pub(super) handle: Handle,
    pub(super) name: String,
    pub(super) properties: Arc<PropertySet>,
    effect: Weak<Effect>,
    source: RwLock<Option<Arc<dyn Frames>>>,
}

impl Clip {
    /// A clip the plugin describes.
    pub(super) fn described(name: &str, effect: Weak<Effect>) -> Arc<Self> {
        let properties = PropertySet::new(format!("the clip {name}"), &[tables::CLIP]);
        let named: [&'static [u8]; 4] = [kOfxPropName, kOfxPropLabel, kOfxPropShortLabel, kOfxPropLongLabel];
        for property in named {
            properties.put(property, name);
        }
        Self::with(name, properties, effect)
    }

    /// The same clip in an instance.
    pub(super) fn instance(&self, effect: Weak<Effect>) -> Arc<Self> {
        let properties = self.properties.copy(format!("the clip {}", self.name));
        properties.extend(tables::CLIP_INSTANCE);
        Self::with(&self.name, properties, effect)
    }

    fn with(name: &str, properties: Arc<PropertySet>, effect: Weak<Effect>) -> Arc<Self> {
        Arc::new_cyclic(|weak: &Weak<Self>| Self {
            handle: Handle::new(weak),
            name: name.to_string(),
            properties,
            effect,
            source: RwLock::new(None),
        })
    }

    pub(super) fn is_output(&self) -> bool {
        self.name == tables::text_of(kOfxImageEffectOutputClipName)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.source.read().is_some()
    }

    pub(super) fn source(&self) -> Option<Arc<dyn Frames>> {
        self.source.read().clone()
    }

    /// Connects a source, or takes it away, and tells so in the properties.
    pub(super) fn connect(&self, source: Option<Arc<dyn Frames>>, claims: bool) {
        let (first, last) = source.as_ref().map_or((0.0, 0.0), |s| s.range());
        let connected = i32::from(source.is_some() || self.is_output() || claims);
        self.properties
            .put(kOfxImageClipPropConnected, connected)
            .put(kOfxImageEffectPropFrameRange, [first, last])
            .put(kOfxImageEffectPropUnmappedFrameRange, [first, last]);
        *self.source.write() = source;
    }

    /// The pixel format its images have, as agreed with the plugin.
    pub(super) fn format(&self) -> Option<Format> {
        let depth = Depth::named(&self.properties.first::<String>(kOfxImageEffectPropPixelDepth))?;
        let components = Components::named(&self.properties.first::<String>(kOfxImageEffectPropComponents))?;
        Some(Format { depth, components })
    }

    /// Agrees on a format.
    pub(super) fn set_format(&self, format: Format) {
        let (depth, components) = (format.depth.name(), format.components.name());
        self.properties
            .put(kOfxImageEffectPropPixelDepth, depth)
            .put(kOfxImageEffectPropComponents, components)
            .put(kOfxImageClipPropUnmappedPixelDepth, depth)
            .put(kOfxImageClipPropUnmappedComponents, components);
    }

    /// Width and height of the frames; of the output, those of the project.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        match self.source() {
            Some(source) => Some(source.size()),
            None if self.is_output() => self.effect.upgrade().map(|e| e.project()),
            None => None,
        }
    }

    /// The plugin asks for an image: its handle, or `None` for a null image with a good status.
    pub(super) fn fetch(&self, time: f64, region: Option<[f64; 4]>) -> Result<Option<usize>, Status> {
        let Some(scope) = current() else {
            complain(
                Kind::OutsideAction,
                format!("an image of {} was fetched outside any action", self.name),
            );
            return Err(Status::FAILED);
        };
        let given = self.decide(&scope, time).and_then(|time| match time {
            None => Ok(None),
            Some(time) => self.give(&scope, time, region).map(Some),
        });
        scope.shared.report.lock().fetches.push(Fetch {
            action: scope.name().to_string(),
            clip: self.name.clone(),
            time,
            given: matches!(given, Ok(Some(_))),
        });
        given
    }

    /// Which frame is given, if any.
    fn decide(&self, scope: &Scope, time: f64) -> Result<Option<f64>, Status> {
        let profile = &scope.shared.profile;
        let now = scope.job.as_ref().map_or(scope.shared.timeline.lock().now, |job| job.time);
        if scope.is(kOfxImageEffectActionRender) {
            self.check_declared(scope, time, now);
        } else if self.is_output() || !is_button(scope) {
            let text = format!("{} was fetched where hosts give no images", self.name);
            complain(Kind::ForbiddenFetch, text);
            return Err(Status::FAILED);
        } else if profile.buttons == Buttons::Current && time != now {
            return Err(Status::FAILED);
        }
        if self.is_output() {
            return Ok(Some(now));
        }
        let Some(source) = self.source() else {
            return if profile.claims_connected { Ok(None) } else { Err(Status::FAILED) };
        };
        let (first, last) = source.range();
        let inside = (first..=last).contains(&time);
        match profile.beyond {
            Beyond::Current => Ok(Some(now.clamp(first, last))),
            Beyond::Nearest => Ok(Some(time.clamp(first, last))),
            Beyond::Nothing if inside => Ok(Some(time)),
            Beyond::Nothing => Err(Status::FAILED),
        }
    }

    /// Complains about a frame that the plugin had not said it would need.
    fn check_declared(&self, scope: &Scope, time: f64, now: f64) {
        let declared = scope.job.as_ref().and_then(|job| job.needed.get(&self.name));
        let is_declared = declared.map_or(time == now, |times| {
            times.chunks_exact(2).any(|range| (range[0]..=range[1]).contains(&time))
        });
        if !is_declared {
            let text =
                format!("{} at {time} was fetched, but not among the frames needed for {now}", self.name);
            complain(Kind::UndeclaredFetch, text);
        }
        if time != now && !self.properties.flag(kOfxImageEffectPropTemporalClipAccess) {
            let text = format!("{} was fetched at another time without temporal access declared", self.name);
            complain(Kind::UndeclaredFetch, text);
        }
    }

    fn give(&self, scope: &Scope, time: f64, region: Option<[f64; 4]>) -> Result<usize, Status> {
        let picture = match (&scope.job, self.is_output()) {
            (Some(job), true) => Arc::clone(&job.output),
            (job, _) => self.picture(scope, time, job.as_deref(), region)?,
        };
        let number = picture.properties.handle.number();
        scope.shared.images.lock().insert(number, picture);
        Ok(number)
    }

    /// An input's frame as an image.
    fn picture(
        &self,
        scope: &Scope,
        time: f64,
        job: Option<&Job>,
        region: Option<[f64; 4]>,
    ) -> Result<Arc<Picture>, Status> {
        let source = self.source().ok_or(Status::FAILED)?;
        let format = self.format().ok_or(Status::FAILED)?;
        if scope.shared.allocation_fails() {
            return Err(Status::FAILED);
        }
        let frame = source.frame(time).map_err(|_| Status::FAILED)?;
        let scale = job.map_or([1.0; 2], |j| j.scale);
        let size = scaled(source.size(), scale);
        let (profile, settings) = (&scope.shared.profile, *scope.shared.settings.lock());
        let frame = convert(&frame, source.encoding(), profile.encoding, size);
        let whole = Rect::new(0, 0, size.0 as i32, size.1 as i32);
        let asked = region.map(|r| pixels(r, scale)).or_else(|| job?.regions.get(&self.name).copied());
        let bounds = asked.filter(|_| profile.tiles).map_or(whole, |a| a.intersect(&whole));
        let shape = Shape { format, bounds, negative: settings.negative_rows, padding: settings.padding };
        let stamp = format!("{}@{time}", self.name);
        let maker = Maker { shape, stamp, scope: scope.id, scale, whole, pixels: Some(&frame) };
        maker.make().ok_or(Status::ERR_MEMORY)
    }
}

/// Whether this is the action of a button or another edit by the user.
fn is_button(scope: &Scope) -> bool {
    let changes: [&[u8]; 3] =
        [kOfxActionInstanceChanged, kOfxActionBeginInstanceChanged, kOfxActionEndInstanceChanged];
    changes.iter().any(|c| scope.is(c)) && scope.reason == Some(tables::text_of(kOfxChangeUserEdited))
}

/// A size at a render scale.
pub(super) fn scaled(size: (usize, usize), scale: [f64; 2]) -> (usize, usize) {
    let one = |length: usize, scale: f64| ((length as f64 * scale).round() as usize).max(1);
    (one(size.0, scale[0]), one(size.1, scale[1]))
}

/// The pixels a canonical rectangle touches.
pub(super) fn pixels(r: [f64; 4], scale: [f64; 2]) -> Rect {
    // What lies beyond any picture is cut off, so that infinite regions stay numbers.
    let one = |v: f64, s: f64| (v * s).clamp(-1e8, 1e8);
    Rect::new(
        one(r[0], scale[0]).floor() as i32,
        one(r[1], scale[1]).floor() as i32,
        one(r[2], scale[0]).ceil() as i32,
        one(r[3], scale[1]).ceil() as i32,
    )
}
