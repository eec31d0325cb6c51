//! Tracking anew from frames that the user set right.
//!
//! From each key the surface is followed outward, forward and backward, as from the reference frame, until what is found
//! agrees with what was found before: up to there the key changes nothing. Only frames in between are solved again.

use super::align::{Alignment, Options, Pin, Template, align, align_pinned};
use super::appearance::Solution;
use super::canvas::{Canvas, Map};
use super::gaps::{ANCHORS, mend, mixed};
use super::homography::Homography;
use super::sequential::{FROM_FLOW, State, Tracked, Tracker};
use super::spline::Unbent;
use crate::error::Result;
use crate::frame::{Image, Vec2};
use crate::light::Light;
use crate::progress::Progress;
use std::collections::{BTreeMap, BTreeSet};

/// Mean distance in pixels up to which two maps agree …
const AGREE: f32 = 0.75;
/// … and distance at the points the user gave.
const AGREE_AT_POINTS: f32 = 1.5;
/// Share of the region that must show more where it was found before for that to be right.
const BETTER: f32 = 0.1;
/// Weight of a user's point that is meant to a pixel: the picture moves it where it is sure …
const LEANS: f32 = 1e3;
/// … and where the picture would move it too far: it is met.
const MET: f32 = 1e6;
/// Pixels within which a point is met that is meant exactly.
const EXACT: f32 = 0.1;
/// Stiffness of what bends between a user's points.
const BETWEEN: f64 = 17.0;

/// Where the user says one region is, in one frame.
#[derive(Debug, Clone)]
pub struct Key {
    /// The frame.
    pub frame: usize,
    /// Canvas positions and the frame positions, in working-size pixels, that show them.
    pub pins: Vec<(Vec2, Vec2)>,
    /// Pixels within which the frame positions are meant.
    pub within: f32,
}

/// What keys changed.
#[derive(Debug, Default)]
pub struct Retracked {
    /// Maps by frame, of the frames changed, in order.
    pub maps: BTreeMap<usize, Map>,
    /// Share of the region that was seen there.
    pub seen: BTreeMap<usize, f32>,
}

/// What was found going outward from a key, in one direction.
struct Walk {
    /// Towards the clip's end.
    later: bool,
    /// Frame by frame, each with the step from the one before it on the way; `None` for frames without evidence.
    found: Vec<(usize, Option<Tracked>)>,
    /// How many of them are found anew: what ends a walk stays as it was.
    anew: usize,
}

impl Key {
    /// The map that shows the user's points where they are, elsewhere as `map` does.
    pub fn pinned(&self, canvas: &Canvas, map: &Map) -> Option<Map> {
        let pairs: Vec<(Vec2, Vec2)> =
            self.pins.iter().map(|(u, p)| (canvas.position(map, *u), *p)).collect();
        let plane = through(&pairs)?;
        let moved = canvas.positions(map).map(|p| plane.apply32(*p));
        let (w, h) = canvas.size();
        let mut rest = Image::new(w, h, [0.0f32; 5]);
        for ((u, at), (from, _)) in self.pins.iter().zip(&pairs) {
            let cell = [u[0].clamp(0.0, (w - 1) as f32) as usize, u[1].clamp(0.0, (h - 1) as f32) as usize];
            let reached = plane.apply32(*from);
            rest[(cell[0], cell[1])] =
                [MET, 0.0, MET, MET * (at[0] - reached[0]), MET * (at[1] - reached[1])];
        }
        let bend = canvas.grid.evaluate(&canvas.grid.solve(&rest, BETWEEN, Unbent::Affine)?);
        canvas.map_of(&moved.zip(&bend, |p, d| [p[0] + d[0], p[1] + d[1]]))
    }

    /// Aligns the key's frame by picture and points together: by the picture as far as the points allow.
    pub(super) fn aligned(&self, canvas: &Canvas, align: impl Fn(&[Pin]) -> Alignment) -> Alignment {
        let pins =
            |weight: f32| -> Vec<Pin> { self.pins.iter().map(|&(on, at)| Pin { on, at, weight }).collect() };
        let slack = self.within.max(EXACT);
        let found = align(&pins(LEANS / (slack * slack)));
        if self.holds(canvas, &found.map) { found } else { align(&pins(MET / (slack * slack))) }
    }

    /// Whether a map shows the user's points where they are meant.
    fn holds(&self, canvas: &Canvas, map: &Map) -> bool {
        self.pins.iter().all(|(u, at)| {
            let p = canvas.position(map, *u);
            (p[0] - at[0]).hypot(p[1] - at[1]) <= self.within
        })
    }
}

/// The stiffest motion through all pairs: a shift through one, a similarity through two, an affine map through three, the
/// nearest homography through more.
fn through(pairs: &[(Vec2, Vec2)]) -> Option<Homography> {
    let turned = |a: Vec2, b: Vec2| [a[0] - (b[1] - a[1]), a[1] + (b[0] - a[0])];
    let fourth = |a: Vec2, b: Vec2, c: Vec2| [b[0] + c[0] - a[0], b[1] + c[1] - a[1]];
    let mut all = pairs.to_vec();
    if let [(p, q)] = pairs[..] {
        all.push(([p[0] + 100.0, p[1]], [q[0] + 100.0, q[1]]));
    }
    if let [(p, q), (r, s)] = all[..] {
        all.push((turned(p, r), turned(q, s)));
    }
    if let [(p, q), (r, s), (t, u)] = all[..] {
        all.push((fourth(p, r, t), fourth(q, s, u)));
    }
    let weighted: Vec<(Vec2, Vec2, f32)> = all.into_iter().map(|(p, q)| (p, q, 1.0)).collect();
    Homography::fit(&weighted)
}

/// Of all walks what each frame was seen best in.
fn best(walks: Vec<Walk>) -> BTreeMap<usize, Option<Tracked>> {
    let seen = |f: &Option<Tracked>| f.as_ref().map_or(-1.0, |f| f.seen);
    let mut best: BTreeMap<usize, Option<Tracked>> = BTreeMap::new();
    for (t, tracked) in walks.into_iter().flat_map(|w| w.found.into_iter().take(w.anew)) {
        let entry = best.entry(t).or_insert(None);
        if seen(&tracked) > seen(entry) {
            *entry = tracked;
        }
    }
    best
}

/// Motion to each frame from the one before it in the clip.
fn steps(walks: &[Walk]) -> BTreeMap<usize, Homography> {
    let mut steps = BTreeMap::new();
    for walk in walks {
        for (t, step) in walk.found.iter().filter_map(|(t, f)| Some((*t, f.as_ref()?.step?))) {
            if walk.later {
                steps.insert(t, step);
            } else if let Some(back) = step.inverse() {
                steps.entry(t + 1).or_insert(back);
            }
        }
    }
    steps
}

impl Tracker<'_> {
    /// Tracks anew from `keys`, of which there is one a frame and none on the reference; `before` is what was found
    /// without them.
    pub fn retrack(&self, before: &Solution, keys: &[Key], progress: &Progress) -> Result<Retracked> {
        let template = Template { picture: before.atlas.clone(), weight: before.known.clone() };
        let mut set = BTreeMap::new();
        let mut walks = Vec::new();
        let fixed: BTreeSet<usize> = keys.iter().map(|k| k.frame).chain([self.reference]).collect();
        for (i, key) in keys.iter().enumerate() {
            let (map, state) = self.settle(before, &template, key)?;
            set.insert(key.frame, map);
            let later: Vec<usize> = (key.frame + 1..before.maps.len()).collect();
            let earlier: Vec<usize> = (0..key.frame).rev().collect();
            let walk = |order: &[usize]| {
                let from = (key, state.clone());
                self.walk(order, from, &template, before, &fixed, progress)
            };
            let (later, earlier) = rayon::join(|| walk(&later), || walk(&earlier));
            walks.push(Walk { later: true, ..later? });
            walks.push(earlier?);
            progress.step(i + 1)?;
        }
        let steps = steps(&walks);
        Ok(self.mended(before, set, best(walks), &steps))
    }

    /// The key's own frame: the user's points, then the picture as far as it agrees with them.
    fn settle(&self, before: &Solution, template: &Template, key: &Key) -> Result<(Map, State)> {
        let frame = self.footage.levels(key.frame)?;
        let old = &before.maps[key.frame];
        let pinned = key.pinned(self.canvas, old).unwrap_or_else(|| old.clone());
        let (w, h) = self.canvas.size();
        let (unknown, all) = (Light::unit((w, h), 1), Image::new(w, h, 1.0));
        let light = self.light(&frame, template, &pinned, &unknown, &all);
        let lit = template.lit(&light);
        let found = key.aligned(self.canvas, |pins| {
            let first = align_pinned(self.canvas, &frame, &lit, pins, (&pinned, &pinned), &FROM_FLOW[0]);
            align_pinned(self.canvas, &frame, &lit, pins, (&first.map, &pinned), &FROM_FLOW[1])
        });
        let map = found.map.clone();
        Ok((map.clone(), self.state(frame, map, &found, light)))
    }

    /// Follows the surface until it is where it was found before, or looks more like itself there, or to a frame that is
    /// `fixed`.
    fn walk(
        &self,
        order: &[usize],
        (key, mut state): (&Key, State),
        template: &Template,
        before: &Solution,
        fixed: &BTreeSet<usize>,
        progress: &Progress,
    ) -> Result<Walk> {
        let mut found = Vec::new();
        for &t in order {
            progress.check()?;
            let frame = self.footage.levels(t)?;
            let lit =
                template.lit(&self.light(&frame, template, &before.maps[t], &state.light, &state.visible));
            let tracked = self.step(&mut state, frame.clone(), template)?;
            let agrees = |f: &Tracked| f.seen >= ANCHORS && self.agree(key, &f.map, &before.maps[t]);
            let old = &before.maps[t];
            let look = Options { iterations: 1, ..FROM_FLOW[1] };
            let seen_before = align(self.canvas, &frame, &lit, old, old, &look).seen(self.canvas);
            let better_before = seen_before >= ANCHORS.max(tracked.as_ref().map_or(0.0, |f| f.seen) + BETTER);
            let ends = fixed.contains(&t) || better_before || tracked.as_ref().is_some_and(agrees);
            found.push((t, tracked.filter(|_| !better_before)));
            if ends {
                return Ok(Walk { later: false, anew: found.len() - 1, found });
            }
        }
        Ok(Walk { later: false, anew: found.len(), found })
    }

    /// Whether two maps show the surface in the same place.
    fn agree(&self, key: &Key, a: &Map, b: &Map) -> bool {
        let apart = |p: Vec2, q: Vec2| (p[0] - q[0]).hypot(p[1] - q[1]);
        let at_point = |u: &Vec2| apart(self.canvas.position(a, *u), self.canvas.position(b, *u));
        let (p, q) = (self.canvas.positions(a), self.canvas.positions(b));
        let all = p.pixels().iter().zip(q.pixels()).zip(self.canvas.coverage.pixels());
        let sum = all.fold([0.0f32; 2], |s, ((p, q), k)| [s[0] + k * apart(*p, *q), s[1] + k]);
        sum[0] < AGREE * sum[1] && key.pins.iter().all(|(u, _)| at_point(u) < AGREE_AT_POINTS)
    }

    /// The maps of all frames found anew; those without evidence are mended between those that have some.
    fn mended(
        &self,
        before: &Solution,
        set: BTreeMap<usize, Map>,
        found: BTreeMap<usize, Option<Tracked>>,
        steps: &BTreeMap<usize, Homography>,
    ) -> Retracked {
        let mut maps = before.maps.clone();
        let mut seen: BTreeMap<usize, f32> = set.keys().map(|t| (*t, 1.0)).collect();
        for (t, map) in set {
            maps[t] = map;
        }
        for (t, tracked) in &found {
            seen.insert(*t, tracked.as_ref().map_or(0.0, |f| f.seen));
            if let Some(f) = tracked {
                maps[*t] = f.map.clone();
            }
        }
        let weak = |t: usize| seen.get(&t).is_some_and(|s| *s < ANCHORS);
        let anchors: Vec<usize> = (0..maps.len()).filter(|t| !weak(*t)).collect();
        for ends in anchors.windows(2).filter(|a| a[1] > a[0] + 1) {
            let gap: Vec<usize> = (ends[0]..=ends[1]).collect();
            let mended = mend(self.canvas, |t| steps.get(&t).copied(), &maps, &gap)
                .unwrap_or_else(|| self.between(&maps, &gap));
            for (t, map) in mended {
                maps[t] = map;
            }
        }
        let changed = seen.keys().map(|t| (*t, maps[*t].clone())).collect();
        Retracked { maps: changed, seen }
    }

    /// Maps between the two ends of a gap of which nothing is known.
    fn between(&self, maps: &[Map], gap: &[usize]) -> Vec<(usize, Map)> {
        let last = gap.len() - 1;
        let (a, b) = (self.canvas.positions(&maps[gap[0]]), self.canvas.positions(&maps[gap[last]]));
        let one = |k: usize| Some((gap[k], self.canvas.map_of(&mixed(&a, &b, k as f32 / last as f32))?));
        (1..last).filter_map(one).collect()
    }
}
