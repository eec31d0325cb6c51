//! Going back towards a gap from where the surface is plainly seen again.
//!
//! After a gap in which part of the surface was hidden, little of that shows at first, and where it was expected there may be
//! none of it: it, or what comes out of the gap of it, is then tracked beside its place, on what looks alike, until enough
//! shows to tell. From there it is tracked back through the gap. Each way is led astray where it comes to what hides the
//! surface, and they come to it from opposite sides: each place is taken from the way that shows more of it.

use super::align::{Options, Template, align};
use super::canvas::Map;
use super::gaps::{ANCHORS, outward};
use super::sequential::{FROM_FLOW, State, Tracked, Tracker};
use crate::error::Result;
use crate::frame::{Image, Rgba, gaussian};
use crate::light::Light;
use crate::progress::Progress;
use std::ops::RangeInclusive;

/// Share of the region that shows, against the most in any frame, below which it is taken to be in a gap.
const MOSTLY: f32 = 0.7;
/// Share of the region that shows, against the most after a gap, from which it is plainly seen, and the least of all.
const PLAINLY: f32 = 0.8;
const LEAST: f32 = 0.25;
/// Distance in pixels up to which both ways have found the same place.
const SAME: f32 = 1.0;
/// Share of the region that must show in addition, where they differ, for the way back to be heard.
const MORE: f32 = 0.01;
/// Canvas pixels about a place in which it is asked which way shows more of the surface …
const ABOUT: f32 = 16.0;
/// … and how much what shows anywhere counts, for places about which nothing does.
const ANYWHERE: f32 = 1e-3;
/// Share of the region that must be seen on the way back; below, the motion since the last frame must have led there,
/// within that many pixels: by chance, some of what hides the surface looks like it.
const SURE: f32 = 2.0 * ANCHORS;
const LED: f32 = 4.0;

impl Tracker<'_> {
    /// Tracks back through each gap in `found`, which are all frames of the clip, as far as the surface is seen.
    pub(super) fn retrace(
        &self,
        template: &Template,
        found: &mut [Option<Tracked>],
        progress: &Progress,
    ) -> Result<()> {
        for order in outward(self.reference, found.len()) {
            let seen: Vec<f32> = order.iter().map(|t| found[*t].as_ref().map_or(0.0, |f| f.seen)).collect();
            for way in seen_again(&seen) {
                self.walk_back(template, &order[way], found, progress)?;
            }
        }
        Ok(())
    }

    /// From the last frame of `way`.
    fn walk_back(
        &self,
        template: &Template,
        way: &[usize],
        found: &mut [Option<Tracked>],
        progress: &Progress,
    ) -> Result<()> {
        let Some((&start, before)) = way.split_last() else { return Ok(()) };
        let Some(map) = found[start].as_ref().map(|f| f.map.clone()) else { return Ok(()) };
        let mut state = self.state_at(start, template, &map)?;
        let mut last = map;
        for &t in before.iter().rev() {
            progress.check()?;
            let Some(back) = self.step(&mut state, self.footage.levels(t)?, template)? else { break };
            if back.seen < SURE && !(back.seen >= ANCHORS && self.led(&last, &back)) {
                break;
            }
            last = back.map.clone();
            found[t] = Some(match found[t].take() {
                Some(own) => self.both_ways(&state, template, own, &back),
                None => Tracked { step: None, ..back },
            });
        }
        Ok(())
    }

    /// A frame tracked on the way there, corrected by how it was found on the way back, `state`, if more of the surface
    /// shows so.
    fn both_ways(&self, state: &State, template: &Template, own: Tracked, back: &Tracked) -> Tracked {
        let lit = template.lit(&state.light);
        let Some(merged) = self.merged(&state.frame, &lit, [&own.map, &back.map]) else { return own };
        let map = self.coarse_to_fine(&state.frame, &lit, &merged, &FROM_FLOW).map;
        let [before, after] = self.shown_where_apart(&state.frame, &lit, [&own.map, &map]);
        if after < before + MORE {
            return own;
        }
        // The way there led from the other side, and still tells how the surface moved.
        Tracked { map, seen: own.seen + after - before, ..own }
    }

    /// Each place of the surface where that of two maps has it which shows more of it about there. What hides part of the
    /// surface misleads each way where it comes to hide it, and those are opposite sides.
    fn merged(&self, frame: &Image<Rgba>, lit: &Template, maps: [&Map; 2]) -> Option<Map> {
        let [a, b] = maps.map(|m| {
            let shown = self.shown(frame, lit, m);
            let anywhere = ANYWHERE * shown.pixels().iter().sum::<f32>() / shown.pixels().len() as f32;
            gaussian(&shown, ABOUT).map(|about| (about + anywhere).powi(4))
        });
        let share = a.zip(&b, |a, b| b / (a + b).max(f32::MIN_POSITIVE));
        let [p, q] = maps.map(|m| self.canvas.positions(m));
        let apart = p.zip(&q, |p, q| [q[0] - p[0], q[1] - p[1]]);
        let moved = apart.zip(&share, |d, s| [s * d[0], s * d[1]]);
        self.canvas.map_of(&p.zip(&moved, |p, d| [p[0] + d[0], p[1] + d[1]]))
    }

    /// How far each canvas pixel shows the surface where a map has it, 0…1; 0 outside the region.
    fn shown(&self, frame: &Image<Rgba>, lit: &Template, map: &Map) -> Image<f32> {
        let look = Options { iterations: 1, ..FROM_FLOW[1] };
        align(self.canvas, frame, lit, map, map, &look).weight.zip(&self.canvas.coverage, |w, c| w * c)
    }

    /// Whether the motion since the surface lay at `from` leads to where it was found.
    fn led(&self, from: &Map, to: &Tracked) -> bool {
        let Some(step) = to.step else { return false };
        let predicted = self.canvas.positions(from).map(|p| step.apply32(*p));
        self.apart(&predicted, &self.canvas.positions(&to.map)) < LED
    }

    /// Share of the region that shows the surface where each of two maps has it, of those places only that lie apart.
    fn shown_where_apart(&self, frame: &Image<Rgba>, lit: &Template, maps: [&Map; 2]) -> [f32; 2] {
        let [a, b] = maps.map(|m| self.shown(frame, lit, m));
        let [p, q] = maps.map(|m| self.canvas.positions(m));
        let apart = p.zip(&q, |p, q| f32::from((p[0] - q[0]).hypot(p[1] - q[1]) > SAME));
        let area: f32 = self.canvas.coverage.pixels().iter().sum();
        let share = |w: &Image<f32>| w.zip(&apart, |w, a| w * a).pixels().iter().sum::<f32>() / area.max(1.0);
        [share(&a), share(&b)]
    }

    /// What is carried on from frame `t`, in which the surface lies at `map`.
    fn state_at(&self, t: usize, template: &Template, map: &Map) -> Result<State> {
        let (frame, (w, h)) = (self.footage.levels(t)?, self.canvas.size());
        let all = Image::new(w, h, 1.0);
        let light = self.light(&frame, template, map, &Light::unit((w, h), 1), &all);
        let there = self.coarse_to_fine(&frame, &template.lit(&light), map, &FROM_FLOW);
        Ok(self.state(frame, there.map.clone(), &there, light))
    }
}

/// From the first frame of each gap to where the surface is plainly seen again, by how much of it each frame shows.
fn seen_again(seen: &[f32]) -> Vec<RangeInclusive<usize>> {
    let least = ANCHORS.max(MOSTLY * seen.iter().skip(1).copied().fold(0.0, f32::max));
    let in_gap = |i: usize| seen[i] < least;
    let mut ways = Vec::new();
    let mut next = 1;
    while let Some(gap) = (next..seen.len()).find(|&i| in_gap(i)) {
        let Some(after) = (gap..seen.len()).find(|&i| !in_gap(i)) else { break };
        let end = (after..seen.len()).find(|&i| in_gap(i)).unwrap_or(seen.len());
        let most = seen[after..end].iter().copied().fold(0.0, f32::max);
        if most >= LEAST {
            ways.extend((after..end).find(|&i| seen[i] >= PLAINLY * most).map(|start| gap..=start));
        }
        next = end;
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dis;
    use crate::track::Canvas;
    use crate::track::filmed::{Filmed, texture};
    use crate::track::homography::Homography;

    #[test]
    fn the_surface_is_plainly_seen_again_once_after_each_gap() {
        assert!(seen_again(&[1.0, 0.9, 0.7, 0.9]).is_empty());
        assert_eq!(seen_again(&[1.0, 0.02, 0.15, 0.3, 0.7, 0.8, 0.75]), [1..=4]);
        assert_eq!(seen_again(&[1.0, 0.6, 0.02, 0.5, 0.02, 0.15, 0.12, 0.02, 0.4, 0.6]), [2..=3, 4..=9]);
        // What hides a third makes a gap, too; the reference frame is no measure of what others can show.
        assert_eq!(seen_again(&[1.0, 0.75, 0.3, 0.16, 0.3, 0.5, 0.7]), [2..=6]);
        assert!(seen_again(&[1.0, 0.7, 0.3, 0.2]).is_empty());
    }

    const SIZE: (usize, usize) = (300, 160);
    const CORNERS: [[f64; 2]; 4] = [[80.0, 40.0], [180.0, 40.0], [180.0, 120.0], [80.0, 120.0]];

    /// A textured surface, still.
    fn still() -> Filmed {
        Filmed(vec![Image::from_fn(SIZE.0, SIZE.1, |x, y| texture(x as f32, y as f32))])
    }

    fn tracking<'a>(
        footage: &'a Filmed,
        canvas: &'a Canvas,
        (flow, fine_flow): &'a (Dis, Dis),
    ) -> (Tracker<'a>, Template) {
        let tracker = Tracker { footage, canvas, reference: 0, flow, fine_flow };
        let template = tracker.template().unwrap();
        (tracker, template)
    }

    /// Where it lies, but for the one or the other of two opposite corners.
    fn astray(canvas: &Canvas, opposite: bool) -> Map {
        let (w, h) = canvas.size();
        let positions = Image::from_fn(w, h, |x, y| {
            let p = canvas.to_reference([x as f32, y as f32]);
            let along = if opposite { w + h - x - y } else { x + y } as f32;
            let far = (along - 0.7 * (w + h) as f32).max(0.0);
            [p[0] + 0.05 * far * far, p[1]]
        });
        canvas.map_of(&positions).unwrap()
    }

    /// Two maps of a still surface that lie apart in one corner only: what shows there decides.
    #[test]
    fn only_where_two_ways_differ_counts_what_shows() {
        let (footage, canvas) = (still(), Canvas::new(&CORNERS, SIZE).unwrap());
        let engines = (Dis::default(), Dis::fine());
        let (tracker, template) = tracking(&footage, &canvas, &engines);
        let (right, astray) = (canvas.identity(), astray(&canvas, false));
        let shown = |maps: [&Map; 2]| tracker.shown_where_apart(&footage.0[0], &template, maps);
        assert_eq!(shown([&right, &right]), [0.0, 0.0]);
        let [own, other] = shown([&astray, &right]);
        assert!(other > 0.05 && other < 0.4 && other > 1.2 * own, "{own} {other}");
    }

    /// Each way goes wrong in a corner, and they are not the same.
    #[test]
    fn both_ways_are_right_where_one_is() {
        let (footage, canvas) = (still(), Canvas::new(&CORNERS, SIZE).unwrap());
        let engines = (Dis::default(), Dis::fine());
        let (tracker, template) = tracking(&footage, &canvas, &engines);
        let state = tracker.state_at(0, &template, &canvas.identity()).unwrap();
        let tracked = |opposite| {
            let map = astray(&canvas, opposite);
            let seen = tracker.shown(&footage.0[0], &template, &map).pixels().iter().sum::<f32>();
            Tracked {
                seen: seen / canvas.coverage.pixels().iter().sum::<f32>(),
                map,
                bridged: false,
                step: None,
            }
        };
        let off = |map: &Map| tracker.apart(&canvas.positions(map), &canvas.positions(&canvas.identity()));
        let (there, back) = (tracked(false), tracked(true));
        assert!(off(&there.map) > 1.0 && off(&back.map) > 1.0, "{} {}", off(&there.map), off(&back.map));
        let before = there.seen;
        let found = tracker.both_ways(&state, &template, there, &back);
        assert!(off(&found.map) < 0.1 && found.seen > before + 0.05, "{} {}", off(&found.map), found.seen);
        // A way back that is wrong everywhere tells nothing.
        let mut nowhere = tracked(true);
        nowhere.map.homography = Homography([[1.0, 0.0, 40.0], [0.0, 1.0, 25.0], [0.0, 0.0, 1.0]]);
        let own = Tracked { map: canvas.identity(), seen: 0.9, bridged: false, step: None };
        assert_eq!(tracker.both_ways(&state, &template, own, &nowhere).map, canvas.identity());
    }

    /// The surface moves 3 pixels a frame; something hides it wholly, then half of it, and then passes on.
    #[test]
    fn what_was_tracked_beside_its_place_after_a_gap_is_found() {
        let gone = |t: usize| t.saturating_sub(4) * 45;
        let film = |t: usize| {
            Image::from_fn(SIZE.0, SIZE.1, |x, y| {
                let hidden = (3..8).contains(&t) && x > 50 + gone(t);
                let v = 40.0 + ((x * 31 + y * 17 + t * 7) % 23) as f32;
                if hidden { [v, v, v, 0.0] } else { texture(x as f32 - 3.0 * t as f32, y as f32) }
            })
        };
        let footage = Filmed((0..10).map(film).collect());
        let canvas = Canvas::new(&CORNERS, SIZE).unwrap();
        let engines = (Dis::default(), Dis::fine());
        let (tracker, template) = tracking(&footage, &canvas, &engines);
        let at = |x: f64| Map {
            homography: Homography([[1.0, 0.0, x], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            ..canvas.identity()
        };
        let tracked = |t: usize| {
            let (beside, seen) = match t {
                3..=5 => (9.0, 0.03),
                6 | 7 => (14.0, 0.12),
                // By chance in its place again, before it is plainly seen.
                8 => (0.0, 0.6),
                _ => (0.0, 0.9),
            };
            Some(Tracked { map: at(3.0 * t as f64 + beside), seen, bridged: false, step: None })
        };
        let mut found: Vec<Option<Tracked>> = (0..10).map(tracked).collect();
        tracker.retrace(&template, &mut found, &Progress::silent()).unwrap();
        let off = |t: usize| {
            let map = &found[t].as_ref().unwrap().map;
            tracker.apart(&canvas.positions(map), &canvas.positions(&at(3.0 * t as f64)))
        };
        for t in [0, 1, 2, 6, 7, 8, 9] {
            assert!(off(t) < 0.5, "frame {t} is off by {}", off(t));
        }
        assert!(off(4) > 5.0, "nothing tells where the surface is in frame 4");
    }
}
