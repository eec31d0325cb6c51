//! Frames with the edit in them.

use super::edit::Edit;
use super::frame::{Frame, Prepared, PreparedSurface, Scratch};
use super::matte::{Shape, prepare};
use super::recent::Recent;
use super::sample::{Halvings, Picture};
use super::shade::{replaces, whole};
use super::warp::{Exposure, Part, Warp};
use crate::atlas::{Analysis, Layer};
use crate::error::{Error, Result};
use crate::frame::{Image, Rect, Rgba, Scale};
use crate::param::{RenderSettings, View};
use rayon::prelude::*;
use std::sync::Arc;

/// Prepared frames kept, so that tiles of one frame do not each prepare it anew.
const KEPT: usize = 8;

/// The layers before and after a frame, and the number of frames between them.
type Around = (Arc<Layer>, Arc<Layer>, f32);

/// Renders frames of one analysis with one edit and one set of settings; from several threads at once if wished.
pub struct Renderer {
    analysis: Arc<dyn Analysis>,
    edit: Option<Arc<Edit>>,
    settings: RenderSettings,
    /// Of the atlases, per surface.
    halvings: Vec<Halvings>,
    prepared: Recent<usize, Arc<Prepared>>,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").field("settings", &self.settings).finish_non_exhaustive()
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
        Ok(Self { analysis, edit, settings, halvings, prepared: Recent::new(KEPT) })
    }

    /// The settings it renders with.
    pub fn settings(&self) -> &RenderSettings {
        &self.settings
    }

    pub(super) fn analysis(&self) -> &dyn Analysis {
        &*self.analysis
    }

    pub(super) fn halvings(&self, k: usize) -> &Halvings {
        &self.halvings[k]
    }

    /// Frame pixels over those the masks are kept at.
    pub(super) fn working_scale(&self) -> Scale {
        let header = self.analysis.header();
        let size = |[w, h]: [usize; 2]| (w, h);
        Scale::between(size(header.size), size(header.working_size))
    }

    /// Paint on surface `k`, and where on it; `None` without, and for views that show none.
    pub(super) fn paint(&self, k: usize) -> Option<(Picture<'_>, Part)> {
        let paint = self.edit.as_ref().filter(|_| self.edits()).map(|e| &e.layers[k])?;
        Some((paint.picture(), paint.bounds?))
    }

    /// Whether the view shows an edit.
    fn edits(&self) -> bool {
        matches!(self.settings.view, View::Result | View::Checker)
    }

    /// Frame `index`, ready to be drawn.
    ///
    /// The last few are kept: asking again, for another tile, costs and allocates nothing. Fails with
    /// [`Error::Mismatch`] when the analysis has no such frame, and when its layers cannot be read.
    pub fn prepare(&self, index: usize) -> Result<Frame<'_>> {
        let frames = self.analysis.header().frames;
        if index >= frames {
            return Err(Error::Mismatch(format!(
                "there is no frame {index} in the analysis, only 0 to {}; analyse the longer clip",
                frames - 1
            )));
        }
        let prepared = self.prepared.get(index, || self.make(index).map(Arc::new))?;
        Ok(Frame { renderer: self, prepared })
    }

    /// Whether frame `index` comes out as it goes in. Nothing is read to say so where nothing is painted, or shows at
    /// no opacity. Fails as [`Renderer::prepare`] does.
    pub fn is_identity(&self, index: usize) -> Result<bool> {
        Ok(self.prepare(index)?.reach().is_empty())
    }

    /// Part `window` of frame `index` of the output; `input` is that frame of the clip, whole, in the values the
    /// analysis was made from. The source's alpha is kept.
    ///
    /// Any tiling of a frame gives the same pixels. Values are not clamped; that belongs where integers are written.
    ///
    /// Fails with [`Error::Mismatch`] when the frame is not of the analysed size or the window reaches beyond it, and
    /// as [`Renderer::prepare`] does.
    pub fn frame(&self, index: usize, input: &Image<Rgba>, window: Rect) -> Result<Image<Rgba>> {
        self.check(index, input, window)?;
        let frame = self.prepare(index)?;
        let mut out = input.crop(window);
        if !window.is_empty() {
            let rows = out.pixels_mut().par_chunks_mut(window.width()).enumerate();
            rows.for_each_init(Scratch::default, |scratch, (r, row)| {
                frame.row(window.y0 as usize + r, window.x0 as usize, row, scratch);
            });
        }
        Ok(out)
    }

    fn check(&self, index: usize, input: &Image<Rgba>, window: Rect) -> Result<()> {
        let [w, h] = self.analysis.header().size;
        if input.size() != (w, h) {
            return Err(Error::Mismatch(format!(
                "frame {index} has {}×{} pixels, the analysis was made from {w}×{h}; render at full size, without proxy",
                input.width(),
                input.height()
            )));
        }
        if window != window.intersect(&input.bounds()) {
            return Err(Error::Mismatch(format!(
                "the window {window:?} reaches beyond the frame's {w}×{h} pixels"
            )));
        }
        Ok(())
    }

    fn make(&self, index: usize) -> Result<Prepared> {
        let [w, h] = self.analysis.header().size.map(|n| n as i32);
        let surfaces: Vec<_> = (0..self.analysis.surfaces().len())
            .map(|k| self.surface(k, index))
            .filter_map(Result::transpose)
            .collect::<Result<_>>()?;
        let whole = Rect::new(0, 0, w, h);
        let reach = if replaces(self.settings.view) {
            whole
        } else {
            let reached = surfaces.iter().map(|s| s.warp.extent());
            reached.reduce(|a, b| a.union(&b)).unwrap_or(Rect::new(0, 0, 0, 0)).intersect(&whole)
        };
        Ok(Prepared { reach, surfaces })
    }

    /// Surface `k` in frame `index`; `None` when it changes nothing.
    fn surface(&self, k: usize, index: usize) -> Result<Option<PreparedSurface>> {
        let (header, surface) = (self.analysis.header(), &self.analysis.surfaces()[k]);
        let part = if self.edits() {
            let Some((_, bounds)) = self.paint(k).filter(|_| self.settings.opacity > 0.0) else {
                return Ok(None);
            };
            bounds
        } else {
            whole(&surface.picture)
        };
        let layer = self.analysis.layer(k, index)?;
        let usual = self.settings.shutter.unwrap_or(header.shutter as f32);
        let shutter = usual * header.exposure(index) as f32;
        let around = if shutter > 0.0 { self.around(k, index, &layer)? } else { None };
        let exposure = around.as_ref().map(|(before, after, frames)| Exposure {
            before,
            after,
            frames: *frames,
            shutter,
        });
        let warp = Warp::new(&layer, &surface.placement, header, part, exposure.as_ref());
        if warp.extent().is_empty() {
            return Ok(None);
        }
        let [full, working] = [self.analysis.full_size(), header.working_size].map(|[w, h]| (w, h));
        let matte = prepare(&layer.mask, Scale::between(full, working), Shape::of(&self.settings));
        Ok(Some(PreparedSurface { index: k, layer, warp, matte }))
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
}
