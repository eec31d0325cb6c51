//! One frame, ready to be drawn into a host's own buffers.

use super::grain::Grain;
use super::kernel::{Kernel, Plain};
use super::renderer::Renderer;
use super::sample::Picture;
use super::shade::{Job, background, replaces};
use super::warp::{Lines, Warp};
use crate::atlas::Layer;
use crate::frame::{Image, Rect, Rgba};
use crate::param::View;
use std::sync::Arc;

/// One frame, ready to be drawn a row at a time, from any thread; made by [`Renderer::prepare`].
#[derive(Debug)]
pub struct Frame<'a> {
    pub(super) renderer: &'a Renderer,
    pub(super) prepared: Arc<Prepared>,
}

/// Memory that drawing a row needs, to be used again for the next; one for each thread.
#[derive(Debug, Default)]
pub struct Scratch {
    lines: Lines,
    source: Vec<Rgba>,
}

/// What is made once for all rows of a frame.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) reach: Rect,
    pub(super) surfaces: Vec<PreparedSurface>,
}

/// One surface that shows in a frame.
#[derive(Debug)]
pub(super) struct PreparedSurface {
    /// Which.
    pub(super) index: usize,
    pub(super) layer: Arc<Layer>,
    pub(super) warp: Warp,
    pub(super) matte: Image<f32>,
}

/// A row's work, compiled once more for processors with wide vectors. (A closure would not do: its call is not
/// certain to be inlined into the code made for them.)
struct Row<'a, K> {
    kernel: K,
    job: &'a Job<'a>,
    /// Row, and the first column.
    at: (usize, usize),
    source: &'a [Rgba],
    out: &'a mut [Rgba],
    lines: &'a mut Lines,
}

impl<K: Kernel> pulp::NullaryFnOnce for Row<'_, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.job.row(self.kernel, self.at, self.source, self.out, self.lines);
    }
}

impl Row<'_, Plain> {
    /// Draws with the widest vectors the processor has.
    fn draw(self) {
        #[cfg(target_arch = "x86_64")]
        if let pulp::Arch::V3(kernel) = pulp::Arch::new() {
            let Row { job, at, source, out, lines, .. } = self;
            return pulp::Simd::vectorize(kernel, Row { kernel, job, at, source, out, lines });
        }
        pulp::NullaryFnOnce::call(self);
    }
}

impl Frame<'_> {
    /// The part of the frame that may change, empty where nothing does. A pixel outside stays as it came, so it need
    /// not be drawn.
    pub fn reach(&self) -> Rect {
        self.prepared.reach
    }

    /// Turns the pixels of row `y` from column `x0` on, given as the clip's frame has them, into the output's.
    ///
    /// Every division of a row into parts gives the same pixels, and what lies beyond [`Frame::reach`], or beyond the
    /// frame, is left alone. Values are not clamped; that belongs where integers are written.
    pub fn row(&self, y: usize, x0: usize, pixels: &mut [Rgba], scratch: &mut Scratch) {
        let reach = self.reach();
        if y < reach.y0 as usize || y >= reach.y1 as usize {
            return;
        }
        let from = (reach.x0 as usize).max(x0);
        let to = (reach.x1 as usize).min(x0 + pixels.len());
        if from >= to {
            return;
        }
        let out = &mut pixels[from - x0..to - x0];
        let Scratch { lines, source } = scratch;
        let view = self.renderer.settings().view;
        source.clear();
        if view == View::Difference {
            source.extend_from_slice(out);
        }
        if replaces(view) {
            out.iter_mut().for_each(|p| *p = background(view, *p));
        }
        for surface in &self.prepared.surfaces {
            let job = &self.job(surface);
            Row { kernel: Plain, job, at: (y, from), source, out, lines }.draw();
        }
    }

    fn job<'b>(&'b self, prepared: &'b PreparedSurface) -> Job<'b> {
        let renderer = self.renderer;
        let k = prepared.index;
        let surface = &renderer.analysis().surfaces()[k];
        Job {
            view: renderer.settings().view,
            warp: &prepared.warp,
            matte: &prepared.matte,
            light: &prepared.layer.light,
            atlas: Picture { full: &surface.picture, halvings: renderer.halvings(k) },
            placement: surface.placement,
            paint: renderer.paint(k),
            opacity: renderer.settings().opacity,
            grain: Grain::new(renderer.settings().grain, renderer.analysis().header()),
            ceiling: renderer.analysis().header().ceiling.unwrap_or(f32::MAX),
            scale: renderer.working_scale(),
            size: renderer.analysis().full_size(),
        }
    }
}
