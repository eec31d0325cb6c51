//! What the surface would look like in a frame if nothing stood before it: light × atlas, seen through the map, with
//! the frame's own motion blur.

use super::appearance::Solution;
use super::canvas::Inverse;
use crate::frame::{EXPOSURE, Image, Rect, Rgba, Vec2, bilinear, bilinear_or, cubic};

/// Mean of the moments of an exposure.
pub(super) const MID_EXPOSURE: f32 = 0.25 * (EXPOSURE[0] + EXPOSURE[1] + EXPOSURE[2] + EXPOSURE[3]);
/// Canvas pixels of motion while the shutter is open, below which blur is not worth computing.
const LEAST_BLUR: f32 = 0.4;

/// Where the frames' pixels lie on the canvas, for all frames.
pub struct Inverses(Vec<Option<Inverse>>);

/// The surface as it should appear in one frame, over the part of the frame that can show it.
pub struct Predicted {
    /// The part, in working-size frame pixels.
    pub part: Rect,
    /// Canvas position of every pixel.
    pub at: Image<Vec2>,
    /// How far that position moves in one frame interval.
    pub motion: Image<Vec2>,
    /// Light × atlas, in shadow where there is one, levels.
    pub surface: Image<Rgba>,
    /// Gain, and as alpha a shadow's veil.
    pub gain: Image<Rgba>,
    /// Share of each pixel inside the region.
    pub coverage: Image<f32>,
}

/// Newton steps in which a canvas point is found.
const STEPS: usize = 3;

impl Predicted {
    /// Frame position where canvas point `u` lies, sought from a frame position not far from there; beyond the part, as
    /// its edge leads. `None` where the map folds.
    pub(crate) fn find(&self, u: Vec2, from: Vec2) -> Option<Vec2> {
        let (w, h) = self.at.size();
        let origin = [self.part.x0 as f32, self.part.y0 as f32];
        let mut p = [from[0] - origin[0], from[1] - origin[1]];
        for _ in 0..STEPS {
            let cell = |v: f32, n: usize| (v.max(0.0) as usize).min(n.saturating_sub(2));
            let (x, y) = (cell(p[0], w), cell(p[1], h));
            let a = self.at[(x, y)];
            let (b, c) = (self.at[((x + 1).min(w - 1), y)], self.at[(x, (y + 1).min(h - 1))]);
            let [xx, yx, xy, yy] = [b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]];
            let [du, dv] = [u[0] - a[0], u[1] - a[1]];
            let area = xx * yy - xy * yx;
            if !area.is_normal() {
                return None;
            }
            p = [x as f32 + (yy * du - xy * dv) / area, y as f32 + (xx * dv - yx * du) / area];
        }
        Some([p[0] + origin[0], p[1] + origin[1]])
    }
}

impl Inverses {
    /// Inverts all maps.
    pub fn of(solution: &Solution, frame: (usize, usize)) -> Self {
        Self(solution.maps.iter().map(|m| Inverse::of(&solution.canvas, m, frame)).collect())
    }

    /// One frame's, if its map can be inverted.
    pub fn get(&self, frame: usize) -> Option<&Inverse> {
        self.0.get(frame)?.as_ref()
    }

    /// Change of canvas position in one frame interval at frame positions of frame `t`, from the frames around it.
    pub fn motion(&self, t: usize, p: Vec2) -> Vec2 {
        let around = |k: usize| self.get(k).map(|i| (k, i.at(p)));
        let before = t.checked_sub(1).and_then(around).or_else(|| around(t));
        let after = around(t + 1).or_else(|| around(t));
        match (before, after) {
            (Some((a, u)), Some((b, v))) if b > a => [0, 1].map(|i| (v[i] - u[i]) / (b - a) as f32),
            _ => [0.0; 2],
        }
    }
}

/// A mean over an exposure, sampled at `moments` in frame intervals, of what `sample` gives at a moving position.
#[inline(always)]
pub(super) fn through_shutter<const N: usize>(
    at: Vec2,
    motion: Vec2,
    moments: [f32; 4],
    sample: impl Fn(Vec2) -> [f32; N],
) -> [f32; N] {
    let way = (moments[3] - moments[0]) * motion[0].abs().max(motion[1].abs());
    if way < LEAST_BLUR {
        return sample(at);
    }
    let mut sum = [0.0; N];
    for k in moments {
        let s = sample([at[0] + k * motion[0], at[1] + k * motion[1]]);
        (0..N).for_each(|c| sum[c] += s[c] / moments.len() as f32);
    }
    sum
}

impl Solution {
    /// The surface as frame `t` of size `frame` should show it; `None` where it cannot be seen at all.
    pub fn predict(&self, inverses: &Inverses, t: usize, frame: (usize, usize)) -> Option<Predicted> {
        self.predict_with(inverses, t, frame, EXPOSURE.map(|k| k * self.shutter * self.exposure(t)), |v| v)
    }

    /// As [`Solution::predict`], with an exposure sampled at other `moments`, in frame intervals, and smeared along what
    /// `way` makes of the motion.
    pub(crate) fn predict_with(
        &self,
        inverses: &Inverses,
        t: usize,
        frame: (usize, usize),
        moments: [f32; 4],
        way: impl Fn(Vec2) -> Vec2 + Sync,
    ) -> Option<Predicted> {
        let inverse = inverses.get(t)?;
        let part = inverse.reach(&self.canvas, frame);
        if part.is_empty() {
            return None;
        }
        let (w, h) = (part.width(), part.height());
        let place = |x: usize, y: usize| [(part.x0 + x as i32) as f32, (part.y0 + y as i32) as f32];
        let at = Image::from_rows(w, h, [0.0; 2], |y, row| {
            row.iter_mut().enumerate().for_each(|(x, u)| *u = inverse.at(place(x, y)));
        });
        let still = Image::new(w, h, [0.0; 2]);
        let motion = if moments != [0.0; 4] {
            Image::from_rows(w, h, [0.0; 2], |y, row| {
                row.iter_mut().enumerate().for_each(|(x, v)| *v = way(inverses.motion(t, place(x, y))));
            })
        } else {
            still
        };
        let gain = Image::from_rows(w, h, [1.0; 4], |y, row| {
            row.iter_mut().zip(at.row(y)).for_each(|(g, u)| *g = self.light.at(t, *u));
        });
        let surface = Image::from_rows(w, h, [0.0; 4], |y, row| {
            let places = at.row(y).iter().zip(motion.row(y)).zip(gain.row(y));
            for (out, ((u, v), g)) in row.iter_mut().zip(places) {
                *out = through_shutter(*u, *v, moments, |u| {
                    let a = cubic(&self.atlas, u);
                    [0, 1, 2, 3]
                        .map(|c| if c < 3 { (a[c] * g[c] + g[3]).clamp(0.0, self.ceiling) } else { 0.0 })
                });
            }
        });
        let coverage = Image::from_rows(w, h, 0.0, |y, row| {
            for (out, (u, v)) in row.iter_mut().zip(at.row(y).iter().zip(motion.row(y))) {
                *out = through_shutter(*u, *v, moments, |u| [bilinear_or(&self.canvas.coverage, u, 0.0)])[0];
            }
        });
        Some(Predicted { part, at, motion, surface, gain, coverage })
    }
}

/// Reads a field over a part of a frame at a frame position; `None` outside it or within a pixel of its edge.
#[inline]
pub(crate) fn read_part<const N: usize>(field: &Image<[f32; N]>, part: Rect, p: Vec2) -> Option<[f32; N]> {
    let q = [p[0] - part.x0 as f32, p[1] - part.y0 as f32];
    let inside =
        q[0] > 1.0 && q[1] > 1.0 && q[0] < field.width() as f32 - 2.0 && q[1] < field.height() as f32 - 2.0;
    inside.then(|| bilinear(field, q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canvas_point_is_found_in_the_frame() {
        let part = Rect::new(30, 20, 90, 70);
        let (w, h) = (part.width(), part.height());
        // A plane seen askew.
        let at = |x: f32, y: f32| {
            let d = 1.0 + 0.002 * x - 0.001 * y;
            [(1.3 * x + 0.4 * y - 7.0) / d, (0.9 * y - 0.3 * x + 5.0) / d]
        };
        let empty = Image::new(w, h, [0.0; 4]);
        let predicted = Predicted {
            part,
            at: Image::from_fn(w, h, |x, y| at(x as f32 + 30.0, y as f32 + 20.0)),
            motion: Image::new(w, h, [0.0; 2]),
            surface: empty.clone(),
            gain: empty,
            coverage: Image::new(w, h, 1.0),
        };
        for p in [[40.25f32, 31.5], [70.0, 60.75], [31.0, 68.0], [85.5, 22.25]] {
            let found = predicted.find(at(p[0], p[1]), [p[0] + 6.0, p[1] - 4.0]).unwrap();
            assert!((found[0] - p[0]).abs() < 0.02 && (found[1] - p[1]).abs() < 0.02, "{found:?} for {p:?}");
        }
        let folded = Predicted { at: Image::new(w, h, [3.0; 2]), ..predicted };
        assert_eq!(folded.find([4.0, 4.0], [40.0, 40.0]), None);
    }
}
