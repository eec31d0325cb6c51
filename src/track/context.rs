//! How the surface moved from one frame to the next, told by the region and by what moves with it around it.
//!
//! When something hides the region, the wall around it still tells where it went. Which surroundings belong to the
//! surface is learnt from the frames before: a point's *belonging* is how well it has followed the surface's motion.

use super::canvas::{Canvas, Map};
use super::homography::Homography;
use crate::frame::{Image, Vec2, bilinear, bilinear_or};

/// Frame pixels between the points that vote.
const STRIDE: usize = 4;
/// Largest forward-backward error, in pixels, of flow that is believed.
const CYCLE: f32 = 1.0;
/// Largest change of brightness along the flow, in levels: beyond it the flow matched something else.
const CHANGE: f32 = 40.0;
/// Pixels within which a point agrees with a motion.
const AGREES: f32 = 1.5;
/// Width of the ring of surroundings, as a share of the region's longer side.
const RING: f32 = 0.6;
/// Least share of region and ring that must agree for a motion to count as supported.
const LEAST_SUPPORT: f32 = 0.08;

/// Flow between two frames and the frames' luminance, in levels.
pub(super) struct Step<'a> {
    /// Luminance of the earlier frame in tracking order.
    pub from: &'a Image<f32>,
    /// Luminance of the frame to be reached.
    pub to: &'a Image<f32>,
    /// Flow from → to.
    pub forward: &'a Image<Vec2>,
    /// Flow to → from.
    pub backward: &'a Image<Vec2>,
}

/// What has been learnt of the surroundings, carried from frame to frame.
#[derive(Debug, Clone)]
pub(super) struct Context {
    belonging: Image<f32>,
}

/// One voting point of the earlier frame.
struct Vote {
    from: Vec2,
    to: Vec2,
    reliable: bool,
    /// On the part of the region that was visible.
    region: bool,
    /// In the ring around it.
    ring: bool,
}

impl Context {
    /// Nothing learnt yet: all surroundings are given the benefit of the doubt.
    pub(super) fn new((w, h): (usize, usize)) -> Self {
        Self { belonging: Image::new(w.div_ceil(STRIDE), h.div_ceil(STRIDE), 1.0) }
    }

    /// The surface's motion over one step, from the frame where it lies at `map`, with `visible` (canvas) of it seen;
    /// `None` when too little agrees on any motion.
    pub(super) fn predict(
        &mut self,
        canvas: &Canvas,
        map: &Map,
        visible: &Image<f32>,
        step: &Step,
    ) -> Option<Homography> {
        let votes = self.votes(canvas, map, visible, step)?;
        let pairs = |chosen: &dyn Fn(&Vote, f32) -> bool| -> Vec<(Vec2, Vec2)> {
            let all = votes.iter().zip(self.belonging.pixels());
            all.filter(|(v, b)| v.reliable && chosen(v, **b)).map(|(v, _)| (v.from, v.to)).collect()
        };
        let region = pairs(&|v, _| v.region);
        let both = pairs(&|v, b| v.region || (v.ring && b > 0.5));
        let area = votes.iter().filter(|v| v.region || v.ring).count().max(1);
        let motion = choose(&region, &both, votes.iter().filter(|v| v.region).count());
        let agreeing = motion.map_or(0, |h| both.iter().filter(|p| error(&h, p) < AGREES).count());
        let supported = motion.filter(|_| agreeing as f32 >= LEAST_SUPPORT * area as f32);
        if let Some(h) = supported {
            self.learn(&votes, &h, step.forward);
        }
        supported
    }

    fn votes(&self, canvas: &Canvas, map: &Map, visible: &Image<f32>, step: &Step) -> Option<Vec<Vote>> {
        let back = map.homography.inverse()?;
        let (w, h) = canvas.size();
        let reach = RING * (w.max(h) as f32 - 2.0 * super::MARGIN as f32);
        let (fw, fh) = step.from.size();
        let mut votes = Vec::with_capacity(self.belonging.pixels().len());
        for y in (0..fh).step_by(STRIDE) {
            for x in (0..fw).step_by(STRIDE) {
                let from = [x as f32, y as f32];
                let f = step.forward[(x, y)];
                let to = [from[0] + f[0], from[1] + f[1]];
                let on = to[0] >= 0.0 && to[1] >= 0.0 && to[0] <= (fw - 1) as f32 && to[1] <= (fh - 1) as f32;
                let b = bilinear(step.backward, to);
                let cycle = (f[0] + b[0]).hypot(f[1] + b[1]);
                let change = (bilinear(step.to, to) - step.from[(x, y)]).abs();
                let u = canvas.to_canvas(back.apply32(from));
                let covered = bilinear_or(&canvas.coverage, u, 0.0);
                let seen = covered * bilinear_or(visible, u, 0.0);
                let near = |v: f32, side: usize| {
                    v > super::MARGIN as f32 - reach && v < (side as f32 - super::MARGIN as f32) + reach
                };
                votes.push(Vote {
                    from,
                    to,
                    reliable: on && cycle < CYCLE && change < CHANGE,
                    region: seen > 0.3,
                    ring: near(u[0], w) && near(u[1], h) && covered <= 0.5,
                });
            }
        }
        Some(votes)
    }

    /// Points that followed the motion gain, others lose; then everything moves along with the flow.
    fn learn(&mut self, votes: &[Vote], motion: &Homography, flow: &Image<Vec2>) {
        let (w, h) = self.belonging.size();
        let updated = Image::from_vec(
            w,
            h,
            votes
                .iter()
                .zip(self.belonging.pixels())
                .map(|(v, b)| {
                    let follows = error(motion, &(v.from, v.to)) < AGREES;
                    0.6 * b + if follows { 0.4 } else { 0.0 }
                })
                .collect(),
        );
        let step = STRIDE as f32;
        self.belonging = Image::from_fn(w, h, |i, j| {
            let f = flow[(i * STRIDE, j * STRIDE)];
            bilinear(&updated, [i as f32 - f[0] / step, j as f32 - f[1] / step]).clamp(0.0, 1.0)
        });
    }
}

fn error(h: &Homography, &(p, q): &(Vec2, Vec2)) -> f32 {
    let r = h.apply32(p);
    (r[0] - q[0]).hypot(r[1] - q[1])
}

/// The region with its surroundings decides, unless enough of the region itself clearly disagrees with them.
fn choose(region: &[(Vec2, Vec2)], both: &[(Vec2, Vec2)], region_area: usize) -> Option<Homography> {
    let wide = Homography::ransac(both, AGREES);
    if region.len() < 60 || region.len() * 4 < region_area {
        return wide.or_else(|| Homography::ransac(region, AGREES));
    }
    let own = Homography::ransac(region, AGREES);
    let (Some(wide), Some(own)) = (wide, own) else { return wide.or(own) };
    let agree = |h: &Homography| region.iter().filter(|p| error(h, p) < AGREES).count() as f32;
    Some(if agree(&wide) < 0.8 * agree(&own) { own } else { wide })
}
