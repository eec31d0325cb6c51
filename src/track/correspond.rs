//! The same surface point in two frames: what a fit by other means, such as a network, is to be taught.

use super::appearance::{Seen, Solution, Visible};
use super::canvas::{Inverse, Map};
use super::predict::Inverses;
use super::sequential::on_picture;
use crate::error::Result;
use crate::frame::{Vec2, bilinear_or};

/// Distance in frame pixels from which a position that is led to the canvas and back is not believed: there the map
/// folds, or ends at its horizon.
const ASTRAY: f32 = 0.25;

/// A surface point that one frame shows, and where it lies elsewhere. Working-size pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correspondence {
    /// Position in the frame that was asked about: a pixel's centre.
    pub from: Vec2,
    /// Position of the same surface point in the other frame.
    pub to: Vec2,
    /// How far the pair is to be believed, above 0 and up to 1: share of it that lies in the region and shows the
    /// surface. How well a frame was tracked at all is [`Solution::trust`].
    pub validity: f32,
}

/// Reads correspondences off a finished solution.
pub struct Correspondences<'a> {
    /// Where the surface is.
    pub solution: &'a Solution,
    /// The inverses of its maps.
    pub inverses: &'a Inverses,
    /// Where nothing passes in front of it.
    pub visible: &'a Visible<'a>,
    /// Size of the frames.
    pub frame: (usize, usize),
    /// Pixels between positions, across and down; at least 1.
    pub stride: usize,
}

/// A position in a frame, on the canvas, and its validity so far.
type Shown = (Vec2, Vec2, f32);

impl Correspondences<'_> {
    /// Where the pixels of frame `t` lie on the reference frame. A position may lie outside the reference's picture,
    /// where the region was drawn across its edge.
    pub fn to_reference(&self, t: usize) -> Result<Vec<Correspondence>> {
        let canvas = &self.solution.canvas;
        let lead = |(from, u, validity): Shown| Correspondence { from, to: canvas.to_reference(u), validity };
        Ok(self.shown(t)?.into_iter().map(lead).collect())
    }

    /// Where the pixels of frame `t` lie in frame `other`, usually one next to it: those that both frames show. None
    /// when there is no such frame.
    pub fn to_frame(&self, t: usize, other: usize) -> Result<Vec<Correspondence>> {
        let Some(map) = self.solution.maps.get(other) else { return Ok(Vec::new()) };
        let seen = Seen::of(Some(self.visible), other, self.frame)?;
        let lead = |(from, u, validity): Shown| {
            let to = self.solution.canvas.position(map, u);
            let both = if on_picture(to, self.frame) { validity * seen.at(to) } else { 0.0 };
            (both > 0.0).then_some(Correspondence { from, to, validity: both })
        };
        Ok(self.shown(t)?.into_iter().filter_map(lead).collect())
    }

    /// Positions of frame `t` that show the region's surface.
    fn shown(&self, t: usize) -> Result<Vec<Shown>> {
        let (Some(inverse), Some(map)) = (self.inverses.get(t), self.solution.maps.get(t)) else {
            return Ok(Vec::new());
        };
        let seen = Seen::of(Some(self.visible), t, self.frame)?;
        let part = inverse.reach(&self.solution.canvas, self.frame);
        let stride = self.stride.max(1);
        let on_grid =
            |from: i32, to: i32| ((from as usize).next_multiple_of(stride)..to as usize).step_by(stride);
        let mut shown = Vec::new();
        for y in on_grid(part.y0, part.y1) {
            for x in on_grid(part.x0, part.x1) {
                let p = [x as f32, y as f32];
                if let Some((u, inside)) = self.inside(inverse, map, p) {
                    let validity = inside * seen.at(p);
                    if validity > 0.0 {
                        shown.push((p, u, validity));
                    }
                }
            }
        }
        Ok(shown)
    }

    /// Canvas position of a frame position, and the region's coverage of it, where there is any.
    fn inside(&self, inverse: &Inverse, map: &Map, p: Vec2) -> Option<(Vec2, f32)> {
        let canvas = &self.solution.canvas;
        let u = inverse.at(p);
        let inside = bilinear_or(&canvas.coverage, u, 0.0);
        let back = canvas.position(map, u);
        (inside > 0.0 && (back[0] - p[0]).hypot(back[1] - p[1]) < ASTRAY).then_some((u, inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Image;
    use crate::light::Light;
    use crate::track::{Canvas, Homography};

    const FRAME: (usize, usize) = (160, 120);

    /// Frame position of a reference position: the camera pans by 9 pixels a frame and zooms in.
    fn truth(t: usize, [x, y]: Vec2) -> Vec2 {
        let (zoom, pan) = (1.0 + 0.1 * t as f32, 9.0 * t as f32);
        [zoom * x + pan, zoom * y + 0.5 * pan + 0.8 * t as f32 * (x / 25.0).sin()]
    }

    /// Three frames of [`truth`], the reference first.
    fn solution() -> Solution {
        let polygon = [[40.0, 30.0], [130.0, 30.0], [130.0, 90.0], [40.0, 90.0]];
        let canvas = Canvas::new(&polygon, FRAME).unwrap();
        let (w, h) = canvas.size();
        let map = |t: usize| {
            let place = |x: usize, y: usize| truth(t, canvas.to_reference([x as f32, y as f32]));
            canvas.map_of(&Image::from_fn(w, h, place)).unwrap()
        };
        Solution {
            maps: (0..3).map(map).collect(),
            light: Light::unit((w, h), 3),
            atlas: Image::new(w, h, [0.0; 4]),
            known: Image::new(w, h, 1.0),
            clarity: vec![1.0; 3],
            trust: vec![1.0; 3],
            shutter: 0.0,
            short_exposures: std::collections::BTreeMap::new(),
            stiffness: 0.0,
            ceiling: 255.0,
            canvas,
        }
    }

    fn apart(a: Vec2, b: Vec2) -> f32 {
        (a[0] - b[0]).hypot(a[1] - b[1])
    }

    /// Something stands before columns 60 to 79 of frame 1; known at half size.
    fn visible(t: usize) -> Result<Image<f32>> {
        let (w, h) = (FRAME.0 / 2, FRAME.1 / 2);
        Ok(Image::from_fn(w, h, |x, _| f32::from(t != 1 || !(30..40).contains(&x))))
    }

    #[test]
    fn pixels_lie_where_the_map_says() {
        let solution = solution();
        let inverses = Inverses::of(&solution, FRAME);
        let all = Correspondences {
            solution: &solution,
            inverses: &inverses,
            visible: &visible,
            frame: FRAME,
            stride: 3,
        };
        let found = all.to_reference(1).unwrap();
        assert!(found.len() > 400, "{}", found.len());
        for c in &found {
            assert!(apart(truth(1, c.to), c.from) < 0.05, "{c:?}");
            assert!((0.0..=1.0).contains(&c.validity) && c.from.iter().all(|v| v % 3.0 == 0.0), "{c:?}");
            assert!(!(60.0..80.0).contains(&c.from[0]), "hidden: {c:?}");
            assert!(c.to[0] > 39.0 && c.to[0] < 131.0 && c.to[1] > 29.0 && c.to[1] < 91.0, "outside: {c:?}");
            let deep = c.to[0] > 42.0 && c.to[0] < 128.0 && c.to[1] > 32.0 && c.to[1] < 88.0;
            let clear = !(57.0..83.0).contains(&c.from[0]);
            assert!(!deep || !clear || c.validity > 0.999, "{c:?}");
        }
        let reference = all.to_reference(0).unwrap();
        assert!(reference.iter().all(|c| apart(c.from, c.to) < 0.02));
    }

    #[test]
    fn neighbours_share_what_both_show() {
        let solution = solution();
        let inverses = Inverses::of(&solution, FRAME);
        let all = Correspondences {
            solution: &solution,
            inverses: &inverses,
            visible: &visible,
            frame: FRAME,
            stride: 2,
        };
        for (t, other) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            let to_reference = all.to_reference(t).unwrap();
            let found = all.to_frame(t, other).unwrap();
            assert!(
                found.len() > 500 && found.len() <= to_reference.len(),
                "{t} to {other}: {}",
                found.len()
            );
            let hidden = |k: usize, p: Vec2| k == 1 && (61.0..79.0).contains(&p[0]);
            for c in found {
                let r = to_reference.iter().find(|r| r.from == c.from).unwrap();
                assert!(apart(truth(other, r.to), c.to) < 0.05, "{t} to {other}: {c:?}");
                assert!(c.validity > 0.0 && c.validity <= r.validity, "{t} to {other}: {c:?}");
                assert!(on_picture(c.to, FRAME) && !hidden(other, c.to) && !hidden(t, c.from), "{c:?}");
            }
        }
        assert!(all.to_frame(2, 3).unwrap().is_empty() && all.to_frame(3, 2).unwrap().is_empty());
    }

    /// A plane seen so steeply that its horizon crosses the picture: nothing beyond it is taken for surface.
    #[test]
    fn nothing_beyond_the_horizon() {
        let mut solution = solution();
        let steep = Homography([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.03, 0.0, 1.0]]);
        solution.maps[2] = Map { homography: steep, ..solution.canvas.identity() };
        let inverses = Inverses::of(&solution, FRAME);
        let everywhere = |_: usize| Ok(Image::new(1, 1, 1.0));
        let all = Correspondences {
            solution: &solution,
            inverses: &inverses,
            visible: &everywhere,
            frame: FRAME,
            stride: 1,
        };
        let found = all.to_reference(2).unwrap();
        assert!(!found.is_empty());
        for c in found {
            assert!(
                apart(solution.canvas.position(&solution.maps[2], solution.canvas.to_canvas(c.to)), c.from)
                    < 0.3
            );
            assert!(c.from[0] < 33.4, "beyond the horizon: {c:?}");
        }
    }
}
