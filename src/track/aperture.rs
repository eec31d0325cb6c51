//! How much of the surface a pixel of the footage averages.
//!
//! Where the surface is seen smaller than on the atlas, several atlas pixels fall into one of the frame. A sensor averages
//! them; footage that was scaled, or rendered by a computer, may take less, and keeps more of what is fine. Paint must be
//! as sharp as the surface it lies on.

use super::appearance::{MAD, Seen, Solution, Visible, square_mean};
use super::canvas::Inverse;
use super::predict::{Inverses, through_shutter};
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{EXPOSURE, Rgba, SHARP, Vec2, averaged, cubic};
use rayon::prelude::*;

/// Atlas pixels to a frame pixel, along each side, from which a frame tells.
const REDUCED: f32 = SHARP + 0.05;
/// Frames that are asked at most, and pixels of each.
const MOST_FRAMES: usize = 12;
const MOST_PIXELS: f32 = 10_000.0;
/// Apertures tried, the usual one first.
const APERTURES: [f32; 3] = [1.0, 0.75, 0.5];
/// Samples along a side of a pixel.
const SAMPLES: usize = 4;
/// How much better than the usual one another aperture must explain the frames.
const EXPLAINED: f64 = 0.005;
/// Misfit in levels that counts half.
const SIGMA: f32 = 2.0 * MAD;

impl Solution {
    /// Side of the square that a frame's pixels average, in pixels, as far as the frames that show the surface smaller
    /// than the atlas tell: 1, or less where less explains them better. `None` when no frame does.
    pub(crate) fn find_pixel_aperture(
        &self,
        footage: &dyn Footage,
        visible: &Visible,
    ) -> Result<Option<f32>> {
        let reduced = |t: usize| 1.0 / self.canvas.magnification(&self.maps[t]).max(1e-3);
        let mut frames: Vec<usize> =
            (0..footage.len()).filter(|t| reduced(*t) > REDUCED && self.trust[*t] > 0.9).collect();
        frames.sort_by(|a, b| reduced(*b).total_cmp(&reduced(*a)));
        frames.truncate(MOST_FRAMES);
        let inverses = Inverses::of(self, footage.size());
        let one = |t: &usize| self.misfits(&inverses, *t, footage, visible);
        let misfits: Vec<[f64; APERTURES.len()]> = frames.par_iter().map(one).collect::<Result<_>>()?;
        let total = misfits.iter().fold([0.0; APERTURES.len()], |s, m| std::array::from_fn(|i| s[i] + m[i]));
        if total[0] <= 0.0 {
            return Ok(None);
        }
        let best = (0..total.len()).min_by(|&a, &b| total[a].total_cmp(&total[b])).unwrap_or(0);
        Ok(Some(if total[best] < (1.0 - EXPLAINED) * total[0] { APERTURES[best] } else { APERTURES[0] }))
    }

    /// Mean robust misfit of frame `t` for each aperture, over what shows of the surface.
    fn misfits(
        &self,
        inverses: &Inverses,
        t: usize,
        footage: &dyn Footage,
        visible: &Visible,
    ) -> Result<[f64; APERTURES.len()]> {
        let Some(inverse) = inverses.get(t) else { return Ok([0.0; APERTURES.len()]) };
        let (frame, seen) = (footage.levels(t)?, Seen::of(Some(visible), t, footage.size())?);
        let part = inverse.reach(&self.canvas, footage.size());
        let stride = (part.area() as f32 / MOST_PIXELS).sqrt().ceil().max(1.0) as usize;
        let (w, h) = self.canvas.size();
        let inside = |u: Vec2| u[0] > 4.0 && u[1] > 4.0 && u[0] < w as f32 - 5.0 && u[1] < h as f32 - 5.0;
        let mut sums = [0.0; APERTURES.len()];
        let mut shown = 0.0;
        for y in (part.y0..part.y1).step_by(stride) {
            for x in (part.x0..part.x1).step_by(stride) {
                let p = [x as f32, y as f32];
                let u = inverse.at(p);
                if !inside(u) || seen.at(p) < 1.0 {
                    continue;
                }
                let pixel = Pixel { at: u, slope: slope(inverse, p), motion: inverses.motion(t, p) };
                let colour = frame[(x as usize, y as usize)];
                for (sum, aperture) in sums.iter_mut().zip(APERTURES) {
                    let m = square_mean(colour, self.averaged(t, &pixel, aperture)) / (SIGMA * SIGMA);
                    *sum += f64::from(m / (1.0 + m));
                }
                shown += 1.0;
            }
        }
        Ok(sums.map(|s| if shown > 0.0 { s / shown } else { 0.0 }))
    }

    /// What a pixel of frame `t` shows of the surface if it averages a square of side `aperture`, levels.
    pub(super) fn averaged(&self, t: usize, pixel: &Pixel, aperture: f32) -> Rgba {
        let gain = self.light.at(t, pixel.at);
        let moments = EXPOSURE.map(|k| k * self.shutter * self.exposure(t));
        // As the renderer does.
        let share = |[x, y]: Vec2| averaged(aperture * x.hypot(y)) / x.hypot(y).max(1e-6);
        let sharp = pixel.slope.iter().all(|side| share(*side) <= 0.0);
        let samples = if sharp { 1 } else { SAMPLES };
        let offset = |i: usize| (i as f32 + 0.5) / samples as f32 - 0.5;
        let mut sum = [0.0; 4];
        for (i, j) in (0..samples).flat_map(|j| (0..samples).map(move |i| (i, j))) {
            let (dx, dy) = (offset(i) * share(pixel.slope[0]), offset(j) * share(pixel.slope[1]));
            let u = [0, 1].map(|c| pixel.at[c] + pixel.slope[0][c] * dx + pixel.slope[1][c] * dy);
            let lit = through_shutter(u, pixel.motion, moments, |u| {
                let a = cubic(&self.atlas, u);
                [0, 1, 2].map(|c| (a[c] * gain[c] + gain[3]).clamp(0.0, self.ceiling))
            });
            (0..3).for_each(|c| sum[c] += lit[c] / (samples * samples) as f32);
        }
        sum
    }
}

/// Where a frame's pixel lies on the canvas.
pub(super) struct Pixel {
    pub(super) at: Vec2,
    /// Change from a pixel to the next, along x and y.
    pub(super) slope: [Vec2; 2],
    /// Change in one frame interval.
    pub(super) motion: Vec2,
}

/// Change of the canvas position from a frame's pixel to the next, along x and y.
pub(super) fn slope(inverse: &Inverse, [x, y]: Vec2) -> [Vec2; 2] {
    let half = |a: Vec2, b: Vec2| [0, 1].map(|c| 0.5 * (b[c] - a[c]));
    [
        half(inverse.at([x - 1.0, y]), inverse.at([x + 1.0, y])),
        half(inverse.at([x, y - 1.0]), inverse.at([x, y + 1.0])),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::canvas::{Canvas, Map};
    use super::super::filmed::Filmed;
    use super::super::homography::Homography;
    use super::*;
    use crate::frame::Image;

    fn texture(x: f32, y: f32) -> Rgba {
        let v = |a: f32, b: f32| 128.0 + 60.0 * (a * x).sin() * (b * y).cos() + 40.0 * (b * x + a * y).sin();
        [v(0.9, 0.7), v(0.8, 1.1), v(1.0, 0.6), 0.0]
    }

    /// Footage of a surface seen ever smaller, by pixels that average a square of side `aperture`.
    fn found(aperture: f32, smallest: f32) -> Option<f32> {
        let (size, frames) = ((240, 160), 6);
        let zoom = |t: usize| 1.0 - (1.0 - smallest) * t as f32 / (frames - 1) as f32;
        let film = |t: usize| {
            let side = averaged(aperture / zoom(t));
            Image::from_fn(size.0, size.1, |x, y| {
                let (u, v) = (x as f32 / zoom(t), y as f32 / zoom(t));
                let step = |i: usize| side * ((i as f32 + 0.5) / 8.0 - 0.5);
                let all = (0..64).map(|k| texture(u + step(k % 8), v + step(k / 8)));
                all.fold([0.0; 4], |s, a| [0, 1, 2, 3].map(|c| s[c] + a[c] / 64.0))
            })
        };
        let footage = Filmed((0..frames).map(film).collect());
        let corners = [[20.0, 20.0], [200.0, 20.0], [200.0, 140.0], [20.0, 140.0]];
        let canvas = Canvas::new(&corners, size).unwrap();
        let mut solution = Solution::flat(&canvas, &footage, 0).unwrap();
        let map = |t: usize| {
            let z = f64::from(zoom(t));
            Map {
                homography: Homography([[z, 0.0, 0.0], [0.0, z, 0.0], [0.0, 0.0, 1.0]]),
                ..canvas.identity()
            }
        };
        solution.maps = (0..frames).map(map).collect();
        let visible = |_: usize| Ok(Image::new(size.0, size.1, 1.0));
        solution.find_pixel_aperture(&footage, &visible).unwrap()
    }

    #[test]
    fn what_a_pixel_averages_is_found() {
        for aperture in [1.0, 0.75, 0.5] {
            assert_eq!(found(aperture, 0.45), Some(aperture));
        }
    }

    #[test]
    fn frames_that_show_the_surface_as_large_as_the_atlas_tell_nothing() {
        assert_eq!(found(0.5, 0.9), None);
    }
}
