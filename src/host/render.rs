//! Rendering: everything a host asks before a frame, the frame itself, whole or in tiles, and what came of it.

use super::clip::{Clip, Job, pixels, scaled};
use super::context::{accepted, complain};
use super::effect::Effect;
use super::image::{Format, Maker, Shape, convert, corners, unpack};
use super::profile::{Dice, Settings};
use super::property::PropertySet;
use super::report::Kind;
use super::tables::{self, text_of};
use crate::error::{Error, Result};
use crate::frame::{Encoding, Image, Rect, Rgba};
use crate::openfx::*;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// Pixels around a tile's window that are in its image and must stay untouched.
const MARGIN: i32 = 2;

/// One frame that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Its time.
    pub time: f64,
    /// The plugin's answer, by its name in the standard; of tiles the worst.
    pub status: String,
    /// The clip and time this frame is a plain copy of, when the plugin says so.
    pub identity: Option<(String, f64)>,
    /// The frame in the clip's own values; `None` when rendering failed.
    pub picture: Option<Image<Rgba>>,
    /// The bytes the plugin wrote, rows packed and top down.
    pub bytes: Vec<u8>,
    /// How to read the bytes.
    pub format: Format,
}

/// Takes frames as they are rendered.
pub(super) type Sink<'a> = dyn FnMut(Rendered) -> Result<()> + 'a;

/// Renders frames one after another within a begin and an end.
pub(super) fn sequence(effect: &Arc<Effect>, times: &[f64], sink: &mut Sink) -> Result<()> {
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return Ok(()) };
    let settings = *effect.shared.settings.lock();
    let inputs = PropertySet::new("in arguments", &[tables::IN_SEQUENCE, tables::IN_RENDER]);
    let step = if times.len() > 1 { times[1] - times[0] } else { 1.0 };
    inputs
        .put(kOfxImageEffectPropFrameRange, [first.min(last), first.max(last)])
        .put(kOfxImageEffectPropFrameStep, step)
        .put(kOfxImageEffectPropRenderScale, settings.scale);
    let bracket = |action| accepted(effect.act(action, Some(&inputs), None), text_of(action));
    bracket(kOfxImageEffectActionBeginSequenceRender);
    let done = times.iter().try_for_each(|&time| sink(Frame::new(effect, time, settings)?.render()?));
    bracket(kOfxImageEffectActionEndSequenceRender);
    done
}

/// A frame on its way.
struct Frame<'a> {
    effect: &'a Arc<Effect>,
    settings: Settings,
    time: f64,

    format: Format,
    /// What the output covers, in pixels, y up.
    whole: Rect,
    needed: BTreeMap<String, Vec<f64>>,
    /// Packed rows, top down.
    bytes: Mutex<Vec<u8>>,
}

impl<'a> Frame<'a> {
    fn new(effect: &'a Arc<Effect>, time: f64, settings: Settings) -> Result<Self> {
        let missing = || effect.plugin().error("its output has no pixel format");
        let output = effect.clip(text_of(kOfxImageEffectOutputClipName)).ok_or_else(missing)?;
        let format = output.format().ok_or_else(missing)?;
        effect.shared.timeline.lock().now = time;
        let mut frame = Self {
            effect,
            settings,
            time,
            format,
            whole: Rect::new(0, 0, 0, 0),
            needed: BTreeMap::new(),
            bytes: Mutex::default(),
        };
        frame.whole = frame.definition();
        frame.needed = frame.frames_needed();
        frame.bytes = Mutex::new(vec![0; frame.whole.area() * format.bytes()]);
        Ok(frame)
    }

    fn inputs(&self, more: &[&[tables::Spec]]) -> Arc<PropertySet> {
        let inputs = PropertySet::new("in arguments", &[tables::IN_TIME_SCALE]);
        more.iter().for_each(|table| inputs.extend(table));
        inputs.put(kOfxPropTime, self.time).put(kOfxImageEffectPropRenderScale, self.settings.scale);
        inputs
    }

    /// Asks; true when the plugin answered by itself.
    fn ask(&self, action: &'static [u8], inputs: &PropertySet, outputs: &PropertySet) -> bool {
        let status = self.effect.act(action, Some(inputs), Some(outputs));
        accepted(status, text_of(action)) && status == Status::OK
    }

    fn sources(&self) -> impl Iterator<Item = Arc<Clip>> + use<> {
        self.effect.clips().into_iter().filter(|c| !c.is_output())
    }

    /// The pixels the plugin's output has: by default those of its inputs.
    fn definition(&self) -> Rect {
        let project = scaled(self.effect.project(), self.settings.scale);
        let project = Rect::new(0, 0, project.0 as i32, project.1 as i32);
        if !self.effect.shared.profile.asks_definition {
            return project;
        }
        let outputs = PropertySet::new("out arguments", &[tables::OUT_DEFINITION]);
        if !self.ask(kOfxImageEffectActionGetRegionOfDefinition, &self.inputs(&[]), &outputs) {
            return project;
        }
        let said = outputs.all::<f64>(kOfxImageEffectPropRegionOfDefinition);
        let rect = <[f64; 4]>::try_from(said).map(|r| pixels(r, self.settings.scale)).unwrap_or(project);
        // A frame of a file has a size of its own; an infinite region is cut to it as any other.
        let rect = rect.intersect(&project);
        if rect.is_empty() { project } else { rect }
    }

    fn frames_needed(&self) -> BTreeMap<String, Vec<f64>> {
        if !self.effect.properties.flag(kOfxImageEffectPropTemporalClipAccess) {
            return BTreeMap::new();
        }
        let outputs = PropertySet::new("out arguments", &[]);
        let property = |clip: &Clip| format!("OfxImageClipPropFrameRange_{}", clip.name);
        for clip in self.sources() {
            outputs.declare_list(property(&clip), [self.time, self.time]);
        }
        let inputs = PropertySet::new("in arguments", &[tables::IN_TIME]);
        inputs.put(kOfxPropTime, self.time);
        self.ask(kOfxImageEffectActionGetFramesNeeded, &inputs, &outputs);
        self.sources().map(|clip| (clip.name.clone(), outputs.named(&property(&clip)))).collect()
    }

    fn render(self) -> Result<Rendered> {
        if let Some(identity) = self.identity() {
            return self.copy_of(identity);
        }
        let tiles = self.tiles();
        let safety = self.effect.properties.first::<String>(kOfxImageEffectPluginRenderThreadSafety);
        let fully = safety == text_of(kOfxImageEffectRenderFullySafe);
        let threads = if fully { self.settings.threads.max(1) as usize } else { 1 };
        let (waiting, worst) = (Mutex::new(tiles.into_iter()), Mutex::new(Ok(Status::OK)));
        let work = || {
            loop {
                let Some(window) = waiting.lock().next() else { break };
                let status = self.tile(window);
                let mut worst = worst.lock();
                // The first tile that is not good decides.
                if matches!(*worst, Ok(Status::OK)) {
                    *worst = status;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let status = worst.into_inner()?;
        let bytes = self.bytes.into_inner();
        let size = (self.whole.width(), self.whole.height());
        let host = self.effect.shared.profile.encoding;
        let clip = self.effect.clips().iter().find_map(|c| c.source()).map_or(host, |s| s.encoding());
        let picture = (status == Status::OK).then(|| to_clip(&unpack(size, self.format, &bytes), host, clip));
        Ok(Rendered {
            time: self.time,
            status: status.name().to_string(),
            identity: None,
            picture,
            bytes,
            format: self.format,
        })
    }

    /// The clip and time the frame is a copy of.
    fn identity(&self) -> Option<(Arc<Clip>, f64)> {
        let inputs = self.inputs(&[tables::IN_WINDOW]);
        inputs.put(kOfxImageEffectPropRenderWindow, corners(self.whole));
        let outputs = PropertySet::new("out arguments", &[tables::OUT_IDENTITY]);
        outputs.put(kOfxPropTime, self.time);
        if !self.ask(kOfxImageEffectActionIsIdentity, &inputs, &outputs) {
            return None;
        }
        let name = outputs.first::<String>(kOfxPropName);
        let clip = self.effect.clip(&name).filter(|c| c.is_connected());
        if clip.is_none() {
            complain(
                Kind::BadName,
                format!("the frame is said to be that of clip {name:?}, which gives none"),
            );
        }
        clip.map(|clip| (clip, outputs.first(kOfxPropTime)))
    }

    fn copy_of(self, (clip, time): (Arc<Clip>, f64)) -> Result<Rendered> {
        let source = clip.source().ok_or_else(|| Error::setting("clip", "the clip has gone"))?;
        let size = (self.whole.width(), self.whole.height());
        let frame = source.frame(time)?;
        let picture = convert(&frame, Encoding::Display, Encoding::Display, size);
        let identity = Some((clip.name.clone(), time));
        let (status, format) = (Status::OK.name().to_string(), self.format);
        Ok(Rendered { time: self.time, status, identity, picture: Some(picture), bytes: Vec::new(), format })
    }

    /// The windows the frame is rendered in.
    fn tiles(&self) -> Vec<Rect> {
        let able =
            self.effect.shared.profile.tiles && self.effect.properties.flag(kOfxImageEffectPropSupportsTiles);
        let [columns, rows] = if able { self.settings.tiles } else { [1, 1] };
        let edge = |from: i32, length: usize, i: usize, count: usize| from + (length * i / count) as i32;
        let (columns, rows) = (columns.clamp(1, self.whole.width()), rows.clamp(1, self.whole.height()));
        let rect = |c: usize, r: usize| {
            let (x, y) = (
                |c| edge(self.whole.x0, self.whole.width(), c, columns),
                |r| edge(self.whole.y0, self.whole.height(), r, rows),
            );
            Rect::new(x(c), y(r), x(c + 1), y(r + 1))
        };
        (0..rows).flat_map(|r| (0..columns).map(move |c| (c, r))).map(|(c, r)| rect(c, r)).collect()
    }

    /// Renders one window and keeps what was written there.
    fn tile(&self, window: Rect) -> Result<Status> {
        let bounds = window.grow(MARGIN).intersect(&self.whole);
        let Settings { negative_rows: negative, padding, scale, .. } = self.settings;
        let shape = Shape { format: self.format, bounds, negative, padding };
        let stamp = format!("Output@{}", self.time);
        let maker = Maker { shape, stamp, scope: 0, scale, whole: self.whole, pixels: None };
        let output =
            maker.make().ok_or_else(|| self.effect.plugin().error("there is no memory for its output"))?;
        let patience = self.effect.shared.faults.abort.map(|seed| {
            // Another moment for every frame and tile.
            let seed = seed ^ self.time.to_bits() ^ u64::from(window.y0.unsigned_abs());
            AtomicI64::new(Dice(seed).below(20) as i64)
        });
        let job = Arc::new(Job {
            time: self.time,
            scale,
            output: Arc::clone(&output),
            regions: self.regions(window),
            needed: self.needed.clone(),
            patience,
        });
        let inputs = self.inputs(&[tables::IN_WINDOW, tables::IN_RENDER]);
        inputs.put(kOfxImageEffectPropRenderWindow, corners(window));
        let status = self.effect.act_on(kOfxImageEffectActionRender, &job, &inputs);
        output.check();
        output.check_window(window);
        let bytes = self.format.bytes();
        let mut all = self.bytes.lock();
        for y in window.y0..window.y1 {
            let line = (self.whole.y1 - 1 - y) as usize * self.whole.width();
            let at = (line + (window.x0 - self.whole.x0) as usize) * bytes;
            let row = output.row(y, window);
            all[at..at + row.len()].copy_from_slice(&row);
        }
        Ok(status)
    }

    /// What the plugin needs of each input for a window, in pixels.
    fn regions(&self, window: Rect) -> BTreeMap<String, Rect> {
        let [sx, sy] = self.settings.scale;
        let interest = [
            f64::from(window.x0) / sx,
            f64::from(window.y0) / sy,
            f64::from(window.x1) / sx,
            f64::from(window.y1) / sy,
        ];
        let inputs = self.inputs(&[tables::IN_INTEREST]);
        inputs.put(kOfxImageEffectPropRegionOfInterest, interest);
        let outputs = PropertySet::new("out arguments", &[]);
        let property = |clip: &Clip| format!("OfxImageClipPropRoI_{}", clip.name);
        for clip in self.sources() {
            outputs.declare(property(&clip), false, interest);
        }
        self.ask(kOfxImageEffectActionGetRegionsOfInterest, &inputs, &outputs);
        let region = |clip: &Clip| <[f64; 4]>::try_from(outputs.named::<f64>(&property(clip))).ok();
        self.sources()
            .filter_map(|clip| Some((clip.name.clone(), pixels(region(&clip)?, self.settings.scale))))
            .collect()
    }
}

/// A host's values as the clip's.
fn to_clip(picture: &Image<Rgba>, host: Encoding, clip: Encoding) -> Image<Rgba> {
    convert(picture, host, clip, picture.size())
}
