//! The first pass: outward from the reference frame, one frame after the other.
//!
//! A long flow is never measured. Each frame is first brought close to the atlas by the motion since the last frame,
//! and only what is left is measured, against the reference itself, so that errors do not add up.

use super::align::{Alignment, Options, Rest, Template, align};
use super::canvas::{Canvas, Map};
use super::context::{Context, Step};
use super::gaps::bridge;
use super::homography::Homography;
use super::residual::follow_flow;
use crate::clip::Footage;
use crate::error::Result;
use crate::flow::{Dis, OpticalFlow};
use crate::frame::{Image, Rgba, Vec2, box_blur, cubic, luminance};
use crate::light::Light;
use crate::progress::Progress;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Stiffness of the map while tracking, before the footage's own is known.
const STIFFNESS: f64 = 17.0;
/// Robust scale in levels while the light is known only from the frame itself.
const SIGMA: f32 = 8.0;
/// Pull towards the prediction, per pixel.
const PULL: f32 = 1e-2;
/// Mean move in pixels beyond which an alignment is taken to have run away from its prediction …
const RUNAWAY: f32 = 8.0;
/// … unless it costs less than this much of what the prediction does: then the prediction was lost, and this is found.
const FOUND: f32 = 0.85;
/// Share of the region that must be seen for flow on the canvas to be tried.
const FLOW_NEEDS: f32 = 0.3;
/// Seen share below which a frame without any supported motion is lost.
const LOST: f32 = 0.1;

/// Where the surface is in one frame.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Tracked {
    /// The map found, or bridged from its neighbours.
    pub map: Map,
    /// Share of the region that is seen and fits; 0 for a bridged frame.
    pub seen: f32,
    /// Whether there was no evidence, and the map was taken from the neighbours.
    pub bridged: bool,
    /// The motion of the surface and what moves with it from the next frame towards the reference to this one, if
    /// anything told of it.
    pub step: Option<Homography>,
}

/// What tracking reads.
pub struct Tracker<'a> {
    /// Working-size frames.
    pub footage: &'a dyn Footage,
    /// The region's canvas.
    pub canvas: &'a Canvas,
    /// The frame it was drawn on.
    pub reference: usize,
    /// Flow between whole frames.
    pub flow: &'a dyn OpticalFlow,
    /// Flow between canvas-sized, nearly aligned pictures.
    pub fine_flow: &'a Dis,
}

/// What is carried from frame to frame.
#[derive(Clone)]
pub(super) struct State {
    pub(super) frame: Image<Rgba>,
    grey: Image<f32>,
    map: Map,
    pub(super) visible: Image<f32>,
    seen: f32,
    pub(super) light: Light,
    context: Context,
    /// The motion that led here, if anything told of it.
    step: Option<Homography>,
}

impl Tracker<'_> {
    /// Tracks the whole clip. `done` counts finished frames for the progress of all regions together.
    pub fn run(&self, progress: &Progress, done: &AtomicUsize) -> Result<Vec<Tracked>> {
        let (n, r) = (self.footage.len(), self.reference);
        let (reference, template) = (self.footage.levels(r)?, self.template()?);
        let later: Vec<usize> = (r + 1..n).collect();
        let earlier: Vec<usize> = (0..r).rev().collect();
        let pass = |order: &[usize]| self.pass(order, &reference, &template, progress, done);
        let (later, earlier) = rayon::join(|| pass(&later), || pass(&earlier));
        let mut all: Vec<Option<Tracked>> = earlier?.into_iter().rev().collect();
        all.push(Some(Tracked { map: self.canvas.identity(), seen: 1.0, bridged: false, step: None }));
        all.extend(later?);
        self.retrace(&template, &mut all, progress)?;
        self.refind(&template, &mut all, progress)?;
        Ok(bridge(self.canvas, all))
    }

    /// What the reference frame shows of the region.
    pub(super) fn template(&self) -> Result<Template> {
        let reference = self.footage.levels(self.reference)?;
        let (w, h) = self.canvas.size();
        let place = |x: usize, y: usize| self.canvas.to_reference([x as f32, y as f32]);
        Ok(Template {
            picture: Image::from_fn(w, h, |x, y| cubic(&reference, place(x, y))),
            weight: Image::from_fn(w, h, |x, y| f32::from(on_picture(place(x, y), self.footage.size()))),
        })
    }

    /// One direction; `None` for frames without evidence.
    fn pass(
        &self,
        order: &[usize],
        reference: &Image<Rgba>,
        template: &Template,
        progress: &Progress,
        done: &AtomicUsize,
    ) -> Result<Vec<Option<Tracked>>> {
        let (w, h) = self.canvas.size();
        let mut state = State {
            frame: reference.clone(),
            grey: luminance(reference),
            map: self.canvas.identity(),
            visible: Image::new(w, h, 1.0),
            seen: 1.0,
            light: Light::unit(self.canvas.size(), 1),
            context: Context::new(self.footage.size()),
            step: None,
        };
        let mut found = Vec::with_capacity(order.len());
        for &t in order {
            let frame = self.footage.levels(t)?;
            found.push(self.step(&mut state, frame, template)?);
            progress.step(done.fetch_add(1, Ordering::Relaxed) + 1)?;
        }
        Ok(found)
    }

    /// From the last good frame to this one; leaves the state untouched when the frame is lost.
    pub(super) fn step(
        &self,
        state: &mut State,
        frame: Image<Rgba>,
        template: &Template,
    ) -> Result<Option<Tracked>> {
        let grey = luminance(&frame);
        let (forward, backward) = self.flow.both_ways(&state.frame, &frame)?;
        let step = Step { from: &state.grey, to: &grey, forward: &forward, backward: &backward };
        let motion = state.context.predict(self.canvas, &state.map, &state.visible, &step);
        // Where nothing tells of the motion, it is most likely to go on as before.
        let predicted = match motion.or(state.step) {
            Some(h) => {
                let moved = self.canvas.positions(&state.map).map(|p| h.apply32(*p));
                self.canvas.map_of(&moved).unwrap_or_else(|| state.map.clone())
            }
            None => state.map.clone(),
        };
        let light = self.light(&frame, template, &predicted, &state.light, &state.visible);
        let lit = template.lit(&light);
        let cost = |a: &Alignment| a.cost(self.canvas, self.footage.size());
        // Flow on the canvas follows bends that the prediction missed; where little is seen it would follow the occluder.
        let flow_helps = state.seen >= FLOW_NEEDS;
        let (plain, flowed) = rayon::join(
            || self.coarse_to_fine(&frame, &lit, &predicted, &FROM_PREDICTION),
            || -> Result<Option<Alignment>> {
                let map = if flow_helps {
                    follow_flow(self.canvas, self.fine_flow, &frame, &lit, &predicted, 2.0 * STIFFNESS)?
                } else {
                    None
                };
                Ok(map.map(|m| self.coarse_to_fine(&frame, &lit, &m, &FROM_FLOW)))
            },
        );
        let best = match flowed? {
            Some(f) if cost(&f) < 1.03 * cost(&plain) => f,
            _ => plain,
        };
        let seen = best.seen(self.canvas);
        if motion.is_none() && seen < LOST {
            return Ok(None);
        }
        let look = Options { iterations: 1, ..FROM_FLOW[1] };
        let as_predicted = || cost(&align(self.canvas, &frame, &lit, &predicted, &predicted, &look));
        let astray = self.ran_away(&best, &predicted) && cost(&best) > FOUND * as_predicted();
        let map = if astray { predicted } else { best.map.clone() };
        let context = state.context.clone();
        *state = State { context, step: motion, ..self.state(frame, map.clone(), &best, light) };
        Ok(Some(Tracked { map, seen, bridged: false, step: motion }))
    }

    /// What is carried on from a frame aligned like this.
    pub(super) fn state(&self, frame: Image<Rgba>, map: Map, found: &Alignment, light: Light) -> State {
        let fits = found.weight.map(|w| if *w > 0.35 { 1.0 } else { 0.0 });
        let (grey, context) = (luminance(&frame), Context::new(self.footage.size()));
        let (visible, seen) = (box_blur(&fits, 2), found.seen(self.canvas));
        State { grey, map, visible, seen, light, context, frame, step: None }
    }

    pub(super) fn coarse_to_fine(
        &self,
        frame: &Image<Rgba>,
        lit: &Template,
        home: &Map,
        levels: &[Options],
    ) -> Alignment {
        let mut found: Option<Alignment> = None;
        for options in levels {
            let start = found.as_ref().map_or(home, |f| &f.map);
            found = Some(align(self.canvas, frame, lit, start, home, options));
        }
        found.unwrap_or_else(|| align(self.canvas, frame, lit, home, home, &FROM_FLOW[1]))
    }

    fn ran_away(&self, found: &Alignment, predicted: &Map) -> bool {
        self.apart(&found.positions, &self.canvas.positions(predicted)) > RUNAWAY
    }

    /// Mean distance between two sets of the region's positions, pixels.
    pub(super) fn apart(&self, a: &Image<Vec2>, b: &Image<Vec2>) -> f32 {
        let all = a.pixels().iter().zip(b.pixels()).zip(self.canvas.coverage.pixels());
        let inside = all.filter(|(_, c)| **c > 0.5);
        let sum =
            inside.fold([0.0f32; 2], |s, ((p, q), _)| [s[0] + (p[0] - q[0]).hypot(p[1] - q[1]), s[1] + 1.0]);
        sum[0] / sum[1].max(1.0)
    }
}

/// Wide, stiff and blurred first, keeping the prediction's shape; then free.
pub(super) const FROM_PREDICTION: [Options; 3] = [
    Options { stiffness: 5600.0, rest: Rest::Home, iterations: 2, sigma: 10.0, pull: PULL, blur: 3.0 },
    Options { stiffness: 560.0, rest: Rest::Home, iterations: 2, sigma: SIGMA, pull: PULL, blur: 1.0 },
    Options { stiffness: STIFFNESS, rest: Rest::Plane, iterations: 3, sigma: SIGMA, pull: PULL, blur: 0.0 },
];

/// The flow, or the user, has already come close.
pub(super) const FROM_FLOW: [Options; 2] = [
    Options { stiffness: 170.0, rest: Rest::Home, iterations: 2, sigma: SIGMA, pull: PULL, blur: 1.5 },
    Options { stiffness: STIFFNESS, rest: Rest::Plane, iterations: 3, sigma: SIGMA, pull: PULL, blur: 0.0 },
];

/// Whether a position lies on a picture of this size.
#[inline]
pub(crate) fn on_picture([x, y]: Vec2, (w, h): (usize, usize)) -> bool {
    x >= 0.0 && y >= 0.0 && x <= (w - 1) as f32 && y <= (h - 1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::filmed::Filmed;

    /// Half of the region is empty sky. While the other half is hidden the camera turns back, which nothing tells of.
    #[test]
    fn a_surface_is_found_far_from_where_it_was_going() {
        let place = |t: usize| if t < 5 { 4.0 * t as f32 } else { 16.0 - 5.0 * (t - 4) as f32 };
        let wall = |x: f32, y: f32| {
            90.0 + 40.0 * ((0.11 * x).sin() * (0.13 * y).cos() + (0.05 * x + 0.07 * y).sin())
                + 12.0 * (0.6 * x).sin() * (0.5 * y + 0.2 * x).cos()
        };
        let film = |t: usize| {
            Image::from_fn(260, 160, |x, y| {
                let u = x as f32 - place(t);
                let v = if (5..8).contains(&t) && x < 150 {
                    60.0 + ((x * 31 + y * 17 + t * 53) % 23) as f32
                } else if u > 100.0 {
                    200.0
                } else {
                    wall(u, y as f32)
                };
                [v, 0.9 * v, 0.8 * v, 0.0]
            })
        };
        let footage = Filmed((0..12).map(film).collect());
        let canvas =
            Canvas::new(&[[60.0, 40.0], [180.0, 40.0], [180.0, 120.0], [60.0, 120.0]], (260, 160)).unwrap();
        let (flow, fine_flow) = (Dis::default(), Dis::default());
        let tracker =
            Tracker { footage: &footage, canvas: &canvas, reference: 0, flow: &flow, fine_flow: &fine_flow };
        let found = tracker.run(&Progress::silent(), &AtomicUsize::new(0)).unwrap();
        let at = [40.0, 60.0];
        for (t, f) in found.iter().enumerate() {
            let (p, q) = (canvas.position(&f.map, at), canvas.to_reference(at));
            let off = [p[0] - q[0] - place(t), p[1] - q[1]];
            println!("frame {t}: off by {off:.2?}, seen {:.2}", f.seen);
            assert!((5..8).contains(&t) || off[0].hypot(off[1]) < 0.5, "frame {t} is off by {off:?}");
        }
    }
}
