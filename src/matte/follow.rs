//! An occluder's points followed to the frames about a frame.

use super::motion::{Layer, Motion};
use super::point::{Look, Point};
use super::recall;
use crate::frame::{Image, Rect, Rgba, Vec2, bilinear, gaussian};
use crate::mask::Cut;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Frames from a frame at which its occluders are looked at again. The farther, the more has the surface behind moved, but
/// the less sure is the way.
const DISTANCES: [usize; 4] = [1, 2, 4, REACH];
/// Frames before and after a frame whose cuts, followed, help with its own.
pub const REACH: usize = 6;
/// Pixels over which it is judged whether looks are at the same points: motion goes wrong for whole places.
const JUDGED: f32 = 3.0;
/// Side in pixels of the cells in which that is kept.
const CELL: usize = 2;
/// Bounds of what one pixel says of it, natural log-odds.
const SAYS: [f32; 2] = [-8.0, 3.0];
/// Mean log-odds over a place that are a doubt.
const DOUBT: f32 = 0.1;
/// Least probability, so that 1/probability stays finite.
const LEAST: f32 = 1e-4;

/// The cuts of some frames, and how their occluders move from each to the next.
#[derive(Default)]
pub struct Stretch {
    cuts: BTreeMap<usize, Cut>,
    /// Motions from a frame to the one before or after, `None` where they could not be found.
    motions: BTreeMap<(usize, usize), Option<Motion>>,
}

impl Stretch {
    /// One frame's cut.
    #[must_use]
    pub fn cut(&self, t: usize) -> Option<&Cut> {
        self.cuts.get(&t)
    }

    /// All cuts, in frame order.
    pub(super) fn cuts(&self) -> impl Iterator<Item = &Cut> {
        self.cuts.values()
    }

    /// Adds the cuts of frames.
    pub fn extend(&mut self, cuts: impl IntoIterator<Item = (usize, Cut)>) {
        self.cuts.extend(cuts);
    }

    /// Forgets all frames but these.
    pub fn retain(&mut self, frames: impl Fn(usize) -> bool) {
        self.cuts.retain(|t, _| frames(*t));
        self.motions.retain(|(from, to), _| frames(*from) && frames(*to));
    }

    /// Finds the motions between frames that lie next to each other and were not yet followed.
    pub fn follow(&mut self) {
        let new = |t: &usize| self.cuts.contains_key(&(t + 1)) && !self.motions.contains_key(&(*t, t + 1));
        let pairs: Vec<usize> = self.cuts.keys().copied().filter(new).collect();
        let frames: BTreeSet<usize> = pairs.iter().flat_map(|t| [*t, t + 1]).collect();
        let layers: BTreeMap<usize, Layer> =
            frames.par_iter().filter_map(|t| Some((*t, Layer::of(&self.cuts[t])?))).collect();
        let both = |&t: &usize| {
            let layers = layers.get(&t).zip(layers.get(&(t + 1)));
            let [on, back] = layers.map_or([None, None], |(a, b)| Motion::both_ways(a, b));
            [((t, t + 1), on), ((t + 1, t), back)]
        };
        let found: Vec<_> = pairs.par_iter().map(both).collect();
        self.motions.extend(found.into_iter().flatten());
    }

    /// Cuts frames anew in the light of those about them, which all go by what they showed by themselves.
    pub fn recall(&mut self, frames: &[usize]) {
        let anew = |t: &usize| Some((*t, recall::anew(self.cut(*t)?, &self.neighbours(*t))?));
        let found: Vec<(usize, Image<bool>)> = frames.par_iter().filter_map(anew).collect();
        for (t, surface) in found {
            if let Some(cut) = self.cuts.get_mut(&t) {
                cut.surface = surface;
            }
        }
    }

    /// Frames about frame `t` that its occluders can be followed to, the nearest first.
    pub(super) fn neighbours(&self, t: usize) -> Vec<Neighbour<'_>> {
        let mut found = Vec::new();
        for step in [-1isize, 1] {
            let (mut at, mut way) = (t, Vec::new());
            for distance in 1..=REACH {
                let next = at.wrapping_add_signed(step);
                let motion = self.motions.get(&(at, next)).and_then(Option::as_ref);
                let Some((motion, cut)) = motion.zip(self.cuts.get(&next)) else { break };
                way.push(motion);
                if DISTANCES.contains(&distance) {
                    found.push(Neighbour { cut, way: way.clone() });
                }
                at = next;
            }
        }
        found.sort_by_key(|n| n.way.len());
        found
    }
}

/// Another frame, and the way an occluder's points take there.
pub(super) struct Neighbour<'a> {
    pub(super) cut: &'a Cut,
    /// From frame to frame.
    pub(super) way: Vec<&'a Motion>,
}

impl Neighbour<'_> {
    /// Where an occluder's point that lies at a frame position in the frame where the way begins has come to.
    pub(super) fn follow(&self, p: Vec2) -> Vec2 {
        self.way.iter().fold(p, |p, motion| {
            let moved = motion.at(p);
            [p[0] + moved[0], p[1] + moved[1]]
        })
    }

    /// At that point.
    pub(super) fn look(&self, p: Vec2) -> Option<Look> {
        Look::between(self.cut, self.follow(p), self.way.len())
    }
}

/// A pixel that is asked for its share.
pub(super) struct Asked {
    pub(super) at: (usize, usize),
    /// Mean and variance of the occluder's colour nearby, along the axes of [`crate::frame::opponent`].
    pub(super) nearby: (Rgba, Rgba),
    pub(super) point: Point,
}

/// Adds another frame's looks at the points of pixels over a part of a frame, as far as they are found to be at the same.
pub(super) fn add_looks(asked: &mut [Asked], part: Rect, neighbour: &Neighbour) {
    let position = |(x, y): (usize, usize)| [(x as i32 + part.x0) as f32, (y as i32 + part.y0) as f32];
    let looks: Vec<Option<Look>> = asked.iter().map(|a| neighbour.look(position(a.at))).collect();
    let mut said = Image::new(part.width().div_ceil(CELL), part.height().div_ceil(CELL), [0.0f32; 2]);
    for (Asked { at: (x, y), nearby, point }, look) in asked.iter().zip(&looks) {
        if let Some(look) = look {
            let sum = &mut said[(x / CELL, y / CELL)];
            *sum = [sum[0] + point.same(look, *nearby).clamp(SAYS[0], SAYS[1]), sum[1] + 1.0];
        }
    }
    let said = gaussian(&said, JUDGED / CELL as f32);
    let place = |v: usize| (v as f32 + 0.5) / CELL as f32 - 0.5;
    for (Asked { at: (x, y), point, .. }, look) in asked.iter_mut().zip(&looks) {
        if let Some(look) = look {
            let [sum, looks] = bilinear(&said, [place(*x), place(*y)]);
            let odds = sum / looks.max(f32::MIN_POSITIVE) / DOUBT;
            point.add(look, (1.0 / (1.0 + (-odds).exp())).max(LEAST));
        }
    }
}
