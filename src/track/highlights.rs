//! What is brighter than a frame can hold.
//!
//! Where the light makes a surface brighter than white, frames are clipped and say only that it is as bright or brighter.
//! Those under less light say how bright: under it the surface must not be taken for something else.

use super::appearance::{Solution, at_share, median};

/// Levels below the ceiling from which a channel counts as clipped: the surface is at least as bright.
const HEADROOM: f32 = 5.0;
/// Levels by which compression may darken a clipped one.
const COMPRESSED: f32 = 10.0;
/// How far a clipped view counts against one that is not.
const CLIPPED: f32 = 1e-3;
/// Share of the least brightnesses that clipped views tell of a point up to which they are taken for right.
const HIGH: f32 = 0.9;
/// Views of a point that is mostly clipped, not clipped themselves, that are believed.
const FEWEST_BRIGHTER: usize = 2;

impl Solution {
    /// Whether a channel at this level stands for any brighter one.
    fn clips(&self, level: f32) -> bool {
        level >= self.ceiling - HEADROOM
    }

    /// Whether it may: compression leaves some of what was clipped a little below white.
    pub(super) fn may_clip(&self, level: f32) -> bool {
        self.clips(level + COMPRESSED)
    }

    /// What a channel of a frame tells of the surface, under gain `g` and taken for `a` so far, and how far it counts, 0…1:
    /// a clipped view of what is brighter than that tells next to nothing of how bright it is.
    pub(super) fn told(&self, s: f32, g: f32, a: f32) -> (f32, f32) {
        if self.clips(s) || (self.clips(a * g) && self.may_clip(s)) {
            ((s / g).max(a), CLIPPED)
        } else {
            (s / g, 1.0)
        }
    }
}

/// The median, with what stands for as much or more taken for as much.
pub(super) fn absolute_median(values: &mut [f32]) -> Option<f32> {
    values.iter_mut().for_each(|v| *v = v.abs());
    median(values)
}

/// How bright a point is that most frames show clipped (as minus what it is at least): as those have it that do not and
/// show it brighter; where they are too few, as the clipped ones under the least light have it. What is darker is no view
/// of the surface.
pub(super) fn beyond_clipped(values: &mut Vec<f32>) -> Option<f32> {
    let mut least: Vec<f32> = values.iter().filter(|v| **v < 0.0).map(|v| -v).collect();
    let least = at_share(&mut least, HIGH)?;
    values.retain(|v| *v >= least);
    if values.len() >= FEWEST_BRIGHTER { median(values) } else { Some(least) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Image;
    use crate::track::Canvas;
    use crate::track::filmed::Filmed;

    /// Part of a surface is brighter than white in the light of most frames, and something dark passes before it.
    #[test]
    fn what_is_mostly_clipped_is_as_bright_as_darker_frames_show_it() {
        let (size, frames) = ((160, 120), 12);
        let gain = |t: usize| if t < 8 { 1.0 } else { 0.95 - 0.06 * (t - 8) as f32 };
        let bright = |x: usize| (60..100).contains(&x);
        let hidden = |x: usize, t: usize| (x + 10) / 40 == t && t < 4;
        let film = |t: usize| {
            Image::from_fn(size.0, size.1, |x, y| {
                let grey = 90.0 + 40.0 * ((x as f32) * 0.3).sin() * ((y as f32) * 0.2).cos();
                let v = if bright(x) { 300.0 } else { grey };
                // Compression leaves some of what was clipped just below white.
                let white = 255.0 - ((7 * x + 3 * y + t) % 9) as f32;
                let v = if hidden(x, t) { 20.0 } else { (v * gain(t)).min(white) };
                [v, v, v, 0.0]
            })
        };
        let footage = Filmed((0..frames).map(film).collect());
        let corners = [[20.0, 20.0], [140.0, 20.0], [140.0, 100.0], [20.0, 100.0]];
        let canvas = Canvas::new(&corners, size).unwrap();
        let mut solution = Solution::flat(&canvas, &footage, 5).unwrap();
        for t in 0..frames {
            let nodes = solution.light.nodes(t).map(|_| [gain(t), gain(t), gain(t), 1.0]);
            solution.light.set_nodes(t, nodes);
        }
        solution.median_atlas(&footage).unwrap();
        solution.mean_atlas(&footage, None, 0.0).unwrap();
        for (x, want) in [(80.0, 300.0), (66.0, 300.0)] {
            let at = |y: f32| canvas.to_canvas([x, y]).map(|v| v as usize);
            let [i, j] = at(60.0);
            let got = solution.atlas[(i, j)];
            assert!((0..3).all(|c| (got[c] - want).abs() < 6.0), "{got:?} for {want} at {x}");
        }
        let [i, j] = canvas.to_canvas([40.0, 60.0]).map(|v| v as usize);
        let want = 90.0 + 40.0 * (40.0f32 * 0.3).sin() * (60.0f32 * 0.2).cos();
        assert!((solution.atlas[(i, j)][0] - want).abs() < 2.0);
    }
}
