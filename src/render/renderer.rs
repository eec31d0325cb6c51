//! Frames with the edit in them.

use super::edit::{Edit, Paint};
use super::matte;
use super::sample::{Halvings, Picture};
use super::shade::{Job, background, whole};
use super::warp::{Exposure, Lines, Warp};
use crate::atlas::{Analysis, Layer};
use crate::error::{Error, Result};
use crate::frame::{Image, Rect, Rgba, Scale};
use crate::param::{RenderSettings, View};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::sync::Arc;

/// Prepared mattes kept, so that windows of one frame do not each prepare it anew.
const KEPT: usize = 8;

/// A prepared matte and whose it is: surface, frame.
type Kept = ((usize, usize), Arc<Image<f32>>);

/// The layers before and after a frame, and the number of frames between them.
type Around = (Arc<Layer>, Arc<Layer>, f32);

/// Renders frames of one analysis with one edit and one set of settings; from several threads at once if wished.
pub struct Renderer {
    analysis: Arc<dyn Analysis>,
    edit: Option<Arc<Edit>>,
    settings: RenderSettings,
    /// Of the atlases, per surface.
    halvings: Vec<Halvings>,
    mattes: Mutex<Vec<Kept>>,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A row's work, compiled once more for processors with wide vectors. (A closure would not do: its call is not
/// certain to be inlined into the code made for them.)
struct Row<'a> {
    job: &'a Job<'a>,
    y: usize,
    x0: usize,
    source: &'a [Rgba],
    out: &'a mut [Rgba],
    lines: &'a mut Lines,
}

impl pulp::NullaryFnOnce for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.job.row(self.y, self.x0, self.source, self.out, self.lines);
    }
}

impl Renderer {
    /// For an edit made with this analysis, or without any (then [`View::Result`] gives frames back as they came).
    ///
    /// Fails with [`Error::Mismatch`] when the edit was made for other atlases.
    pub fn new(
        analysis: Arc<dyn Analysis>,
        edit: Option<Arc<Edit>>,
        settings: RenderSettings,
    ) -> Result<Self> {
        if edit.as_ref().is_some_and(|e| !e.fits(analysis.surfaces())) {
            return Err(Error::Mismatch(
                "the edit was made for another analysis; load the edited picture again".into(),
            ));
        }
        let edit = match settings.view {
            View::Checker => {
                Some(Arc::new(Edit::checkerboard(analysis.surfaces(), analysis.header().encoding)))
            }
            _ => edit,
        };
        let halvings = analysis.surfaces().iter().map(|_| Halvings::new()).collect();
        Ok(Self { analysis, edit, settings, halvings, mattes: Mutex::default() })
    }

    /// The settings it renders with.
    pub fn settings(&self) -> &RenderSettings {
        &self.settings
    }

    /// Part `window` of frame `index` of the output; `input` is that frame of the clip, whole, in the values the
    /// analysis was made from. The source's alpha is kept.
    ///
    /// Any tiling of a frame gives the same pixels. Values are not clamped; that belongs where integers are written.
    ///
    /// Fails with [`Error::Mismatch`] when the frame is not of the analysed size, the window reaches beyond it, or the
    /// analysis has no such frame; and when its layers cannot be read.
    pub fn frame(&self, index: usize, input: &Image<Rgba>, window: Rect) -> Result<Image<Rgba>> {
        self.check(index, input, window)?;
        let mut out = input.crop(window);
        if window.is_empty() {
            return Ok(out);
        }
        if self.settings.view != View::Result {
            out.pixels_mut().iter_mut().for_each(|p| *p = background(self.settings.view, *p));
        }
        for k in 0..self.analysis.surfaces().len() {
            let Some(job) = self.job(k, index)? else { continue };
            let (x0, y0, width) = (window.x0 as usize, window.y0 as usize, window.width());
            let arch = pulp::Arch::new();
            out.pixels_mut().par_chunks_mut(width).enumerate().for_each_init(
                Lines::default,
                |lines, (r, row)| {
                    let y = y0 + r;
                    let source = &input.row(y)[x0..x0 + width];
                    arch.dispatch(Row { job: &job, y, x0, source, out: row, lines });
                },
            );
        }
        Ok(out)
    }

    fn check(&self, index: usize, input: &Image<Rgba>, window: Rect) -> Result<()> {
        let header = self.analysis.header();
        let [w, h] = header.size;
        if input.size() != (w, h) {
            return Err(Error::Mismatch(format!(
                "frame {index} has {}×{} pixels, the analysis was made from {w}×{h}; render at full size, without proxy",
                input.width(),
                input.height()
            )));
        }
        if index >= header.frames {
            return Err(Error::Mismatch(format!(
                "there is no frame {index} in the analysis, only 0 to {}; analyse the longer clip",
                header.frames - 1
            )));
        }
        if window != window.intersect(&input.bounds()) {
            return Err(Error::Mismatch(format!(
                "the window {window:?} reaches beyond the frame's {w}×{h} pixels"
            )));
        }
        Ok(())
    }

    /// Surface `k` in frame `index`, ready to be drawn; `None` when it changes nothing.
    fn job(&self, k: usize, index: usize) -> Result<Option<Job<'_>>> {
        let (header, surface) = (self.analysis.header(), &self.analysis.surfaces()[k]);
        let edits = matches!(self.settings.view, View::Result | View::Checker);
        let paint: Option<&Paint> = self.edit.as_ref().filter(|_| edits).map(|e| &e.layers[k]);
        let paint = paint.and_then(|p| p.bounds.map(|bounds| (p.picture(), bounds)));
        if edits && (paint.is_none() || self.settings.opacity <= 0.0) {
            return Ok(None);
        }
        let layer = self.analysis.layer(k, index)?;
        let part = paint.map_or_else(|| whole(&surface.picture), |(_, bounds)| bounds);
        let shutter = self.settings.shutter.unwrap_or(header.shutter as f32);
        let around = if shutter > 0.0 { self.around(k, index, &layer)? } else { None };
        let exposure = around.as_ref().map(|(before, after, frames)| Exposure {
            before,
            after,
            frames: *frames,
            shutter,
        });
        let warp =
            Warp::new(&layer, &surface.placement, (header.size, header.map_step), part, exposure.as_ref());
        let full = (header.size[0], header.size[1]);
        let scale = Scale::between(full, (header.working_size[0], header.working_size[1]));
        Ok(Some(Job {
            view: self.settings.view,
            warp,
            matte: self.matte(k, index, &layer, scale),
            layer,
            atlas: Picture { full: &surface.picture, halvings: &self.halvings[k] },
            placement: surface.placement,
            paint,
            opacity: self.settings.opacity,
            scale,
            size: header.size,
        }))
    }

    /// The layers before and after a frame and the frames between them: two, or one at the clip's ends.
    fn around(&self, k: usize, index: usize, own: &Arc<Layer>) -> Result<Option<Around>> {
        let last = self.analysis.header().frames - 1;
        let (from, to) = (index.saturating_sub(1), (index + 1).min(last));
        if from == to {
            return Ok(None);
        }
        let get = |t: usize| if t == index { Ok(Arc::clone(own)) } else { self.analysis.layer(k, t) };
        Ok(Some((get(from)?, get(to)?, (to - from) as f32)))
    }

    fn matte(&self, k: usize, index: usize, layer: &Layer, scale: Scale) -> Arc<Image<f32>> {
        let found =
            |list: &[Kept]| list.iter().find(|(key, _)| *key == (k, index)).map(|(_, m)| Arc::clone(m));
        if let Some(matte) = found(&self.mattes.lock()) {
            return matte;
        }
        let matte = Arc::new(matte::prepare(&layer.mask, scale, self.settings.grow, self.settings.soften));
        let mut list = self.mattes.lock();
        if list.len() >= KEPT {
            list.remove(0);
        }
        list.push(((k, index), Arc::clone(&matte)));
        matte
    }
}
