//! Going back towards a gap from where the surface is plainly seen again.
//!
//! After a gap in which part of the surface was hidden, little of that shows at first, and where it was expected there may be
//! none of it: it, or what comes out of the gap of it, is then tracked beside its place, on what looks alike, until enough
//! shows to tell. From there it is tracked back through the gap.

use super::align::{Options, Template, align};
use super::canvas::Map;
use super::gaps::{ANCHORS, outward};
use super::sequential::{FROM_FLOW, State, Tracked, Tracker};
use crate::error::Result;
use crate::frame::{Image, Rgba};
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
/// Share of the region up to which they are taken to agree though they differ there.
const NOWHERE: f32 = 0.01;
/// How many times as much of the surface must be seen, where they differ, on the way back to be believed …
const MORE: f32 = 1.2;
/// … and how much at least in all; below, the motion since the last frame must have led there, within that many pixels: by
/// chance, some of what hides the surface looks like it.
const SURE: f32 = 2.0 * ANCHORS;
const LED: f32 = 4.0;

impl Tracker<'_> {
    /// Tracks back through each gap in `found`, which are all frames of the clip, as long as more of the surface is found so
    /// where the two ways differ, or they do not.
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
            let step = match &found[t] {
                Some(f) => {
                    let lit = template.lit(&state.light);
                    let [own, other] = self.shown_where_apart(&state.frame, &lit, [&f.map, &back.map]);
                    // Here both agree, but the way there may have come from beside its place.
                    if f.seen >= ANCHORS && own.max(other) < NOWHERE {
                        last = back.map;
                        continue;
                    }
                    if other < MORE * own {
                        break;
                    }
                    f.step
                }
                None => None,
            };
            if back.seen < SURE && !(back.seen >= ANCHORS && self.led(&last, &back)) {
                break;
            }
            last = back.map.clone();
            // The way there led from the other side, and still tells how the surface moved.
            found[t] = Some(Tracked { step, ..back });
        }
        Ok(())
    }

    /// Whether the motion since the surface lay at `from` leads to where it was found.
    fn led(&self, from: &Map, to: &Tracked) -> bool {
        let Some(step) = to.step else { return false };
        let predicted = self.canvas.positions(from).map(|p| step.apply32(*p));
        self.apart(&predicted, &self.canvas.positions(&to.map)) < LED
    }

    /// Share of the region that shows the surface where each of two maps has it, of those places only that lie apart.
    fn shown_where_apart(&self, frame: &Image<Rgba>, lit: &Template, maps: [&Map; 2]) -> [f32; 2] {
        let look = Options { iterations: 1, ..FROM_FLOW[1] };
        let [a, b] = maps.map(|m| align(self.canvas, frame, lit, m, m, &look).weight);
        let [p, q] = maps.map(|m| self.canvas.positions(m));
        let apart = p.zip(&q, |p, q| f32::from((p[0] - q[0]).hypot(p[1] - q[1]) > SAME));
        let apart = apart.zip(&self.canvas.coverage, |a, c| a * c);
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

    /// Two maps of a still surface that lie apart in one corner only: what shows there decides.
    #[test]
    fn only_where_two_ways_differ_counts_what_shows() {
        let size = (300, 160);
        let frame = Image::from_fn(size.0, size.1, |x, y| texture(x as f32, y as f32));
        let footage = Filmed(vec![frame.clone()]);
        let canvas =
            Canvas::new(&[[80.0, 40.0], [180.0, 40.0], [180.0, 120.0], [80.0, 120.0]], size).unwrap();
        let (flow, fine_flow) = (Dis::default(), Dis::fine());
        let tracker =
            Tracker { footage: &footage, canvas: &canvas, reference: 0, flow: &flow, fine_flow: &fine_flow };
        let template = tracker.template().unwrap();
        let (w, h) = canvas.size();
        let astray = Image::from_fn(w, h, |x, y| {
            let p = canvas.to_reference([x as f32, y as f32]);
            let far = (x as f32 + y as f32 - 0.7 * (w + h) as f32).max(0.0);
            [p[0] + 0.1 * far * far, p[1]]
        });
        let (right, astray) = (canvas.identity(), canvas.map_of(&astray).unwrap());
        let shown = |maps: [&Map; 2]| tracker.shown_where_apart(&frame, &template, maps);
        assert_eq!(shown([&right, &right]), [0.0, 0.0]);
        let [own, other] = shown([&astray, &right]);
        assert!(other > 0.05 && other < 0.4 && other > MORE * own, "{own} {other}");
    }

    /// The surface moves 3 pixels a frame; something hides it wholly, then half of it, and then passes on.
    #[test]
    fn what_was_tracked_beside_its_place_after_a_gap_is_found() {
        let size = (300, 160);
        let gone = |t: usize| t.saturating_sub(4) * 45;
        let film = |t: usize| {
            Image::from_fn(size.0, size.1, |x, y| {
                let hidden = (3..8).contains(&t) && x > 50 + gone(t);
                let v = 40.0 + ((x * 31 + y * 17 + t * 7) % 23) as f32;
                if hidden { [v, v, v, 0.0] } else { texture(x as f32 - 3.0 * t as f32, y as f32) }
            })
        };
        let footage = Filmed((0..10).map(film).collect());
        let canvas =
            Canvas::new(&[[80.0, 40.0], [180.0, 40.0], [180.0, 120.0], [80.0, 120.0]], size).unwrap();
        let (flow, fine_flow) = (Dis::default(), Dis::fine());
        let tracker =
            Tracker { footage: &footage, canvas: &canvas, reference: 0, flow: &flow, fine_flow: &fine_flow };
        let template = tracker.template().unwrap();
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
