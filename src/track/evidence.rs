//! What of a map the footage tells, and what was only drawn on from there.
//!
//! A plain sky looks alike wherever a map puts it: what it says of a map is noise and light. Texture tells, and in the
//! direction of its slopes alone.

use super::align::{Options, align};
use super::appearance::Solution;
use super::canvas::Map;
use super::homography::Homography;
use super::spline::{Quadric, Unbent};
use super::stiffness::polish;
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{Image, Rgba, Vec2, box_blur, gaussian, scharr};
use crate::progress::Progress;
use rayon::prelude::*;

/// Slope of the atlas, in levels a pixel, that locates it half surely.
const FAINT: f32 = 3.0;
/// Times a map is fitted anew, each from the plane found before and with less heed of what it left off.
const FITS: usize = 5;
/// Standard deviations in pixels between which texture is fine.
const FINE: [f32; 2] = [0.8, 2.5];
/// Pixels to each side over which texture is compared.
const AROUND: usize = 12;
/// Correlation up to which two textures may be alike by chance, and from which they certainly are.
const CHANCE: f32 = 0.1;
const CERTAIN: f32 = 0.3;

/// Squared slopes along x, mixed, and along y.
type Tensor = [f32; 3];

impl Solution {
    /// Structure tensor of the atlas, summed over the colours.
    pub(super) fn texture(&self) -> Image<Tensor> {
        let (dx, dy) = scharr(&self.atlas);
        let sum = |a: &Rgba, b: &Rgba| -> f32 { (0..3).map(|c| a[c] * b[c]).sum() };
        dx.zip(&dy, |a, b| [sum(&a, &a), sum(&a, &b), sum(&b, &b)])
    }

    /// How surely each control point was located, 0…1: what shows around it must have texture in both directions.
    pub(super) fn evidence(&self, texture: &Image<Tensor>, weight: &Image<f32>) -> Vec<f32> {
        let [xx, xy, yy] = [0, 1, 2].map(|i| self.canvas.grid.around(&texture.zip(weight, |s, k| s[i] * k)));
        let least = |((xx, xy), yy): ((f32, f32), f32)| {
            let weaker = 0.5 * (xx + yy) - (0.25 * (xx - yy).powi(2) + xy * xy).sqrt();
            weaker.max(0.0) / (weaker.max(0.0) + FAINT * FAINT)
        };
        xx.into_iter().zip(xy).zip(yy).map(least).collect()
    }

    /// Fits every map anew to where it puts what has texture and looks like the surface, as stiff as the surface was
    /// found to be: what hides half of it, or light on a plain half, has bent the rest while tracking.
    pub(super) fn hold_to_texture(
        &mut self,
        footage: &dyn Footage,
        reference: usize,
        progress: &Progress,
    ) -> Result<()> {
        let blurred = box_blur(&self.texture().map(|s| [s[0], s[1], s[2], 0.0]), 2);
        let told = blurred.map(|[xx, xy, yy, _]| told([*xx, *xy, *yy]));
        let one = |t: usize| -> Result<Map> {
            progress.check()?;
            let map = &self.maps[t];
            if t == reference {
                return Ok(map.clone());
            }
            let look = Options { iterations: 1, ..polish(self.stiffness) };
            let seen = align(&self.canvas, &footage.levels(t)?, &self.template(t), map, map, &look).weight;
            let sure = told.zip(&seen, |s, k| s.map(|v| v * k));
            let positions = self.canvas.positions(map);
            let fit = |held: Map, _| {
                let off =
                    self.canvas.positions(&held).zip(&positions, |p, q| (p[0] - q[0]).hypot(p[1] - q[1]));
                let agree = sure.zip(&off, |s, d| s.map(|v| v / (1.0 + d * d)));
                self.fitted(&held, &positions, &agree)
            };
            Ok((0..FITS).try_fold(map.clone(), fit).unwrap_or_else(|| map.clone()))
        };
        self.maps = (0..self.maps.len()).into_par_iter().map(one).collect::<Result<_>>()?;
        Ok(())
    }

    /// The map nearest to `positions` as far as each direction on the surface is `sure`, counted from the plane of `map`.
    fn fitted(&self, map: &Map, positions: &Image<Vec2>, sure: &Image<Tensor>) -> Option<Map> {
        let canvas = &self.canvas;
        let back = map.homography.inverse()?;
        let (w, h) = canvas.size();
        let data: Image<Quadric> = Image::from_rows(w, h, [0.0; 5], |y, row| {
            for (x, out) in row.iter_mut().enumerate() {
                let (p, q) = (back.apply32(positions[(x, y)]), canvas.to_reference([x as f32, y as f32]));
                let off = [p[0] - q[0], p[1] - q[1]];
                let [a, b, c] = sure[(x, y)];
                *out = [a, b, c, a * off[0] + b * off[1], b * off[0] + c * off[1]];
            }
        });
        let tilts = canvas.tilts(&Homography::IDENTITY)?;
        let field = canvas.grid.solve(&data, self.stiffness, Unbent::Mixture(&tilts))?;
        canvas.displaced(map, &field)
    }
}

/// How far slopes tell of each direction: S (S + f²)⁻¹, f being [`FAINT`]; its eigenvalues are λ / (λ + f²).
fn told([xx, xy, yy]: Tensor) -> Tensor {
    let faint = FAINT * FAINT;
    let (a, c) = (xx + faint, yy + faint);
    // 1 − f² (S + f²)⁻¹, which is the same.
    let share = faint / (a * c - xy * xy);
    [1.0 - share * c, share * xy, 1.0 - share * a]
}

/// Whether `read` shows the fine texture of `want` around each pixel, 0…1: correlation of what is finer than light and
/// shadows, over places with a `weight`. Noise does not correlate.
pub(super) fn same_texture(want: &Image<f32>, read: &Image<f32>, weight: &Image<f32>) -> Image<f32> {
    let fine = |v: &Image<f32>| gaussian(v, FINE[0]).zip(&gaussian(v, FINE[1]), |a, b| a - b);
    let products = fine(want).zip(&fine(read), |a, b| [a * b, a * a, b * b, 0.0]);
    let around = box_blur(&products.zip(weight, |p, k| p.map(|v| v * k)), AROUND);
    around.map(|[ab, aa, bb, _]| {
        let correlation = ab / (aa * bb).max(1e-12).sqrt();
        ((correlation - CHANCE) / (CERTAIN - CHANCE)).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::cubic;
    use crate::track::Canvas;
    use crate::track::filmed::{Filmed, noise};

    fn wall(x: f32, y: f32) -> f32 {
        128.0 + 30.0 * (0.31 * x).sin() * (0.23 * y).cos() + 25.0 * (0.27 * x - 0.4 * y).sin()
    }

    /// A wall before a plain sky, `shift` pixels to the right.
    fn film(t: usize, shift: f32) -> Image<Rgba> {
        Image::from_fn(320, 200, |x, y| {
            let u = x as f32 - shift;
            let v = if u < 150.0 { wall(u, y as f32) } else { 200.0 };
            let v = v + 2.0 * noise(x, y, t);
            [v, v, v, 1.0]
        })
    }

    fn off(canvas: &Canvas, map: &Map, at: Vec2, shift: f32) -> f32 {
        let (p, q) = (canvas.position(map, at), canvas.to_reference(at));
        (p[0] - q[0] - shift).hypot(p[1] - q[1])
    }

    #[test]
    fn a_plain_half_follows_the_half_that_tells() {
        let canvas =
            Canvas::new(&[[60.0, 40.0], [240.0, 40.0], [240.0, 150.0], [60.0, 150.0]], (320, 200)).unwrap();
        let footage = Filmed(vec![film(0, 0.0), film(1, 6.0)]);
        let mut solution = Solution::flat(&canvas, &footage, 0).unwrap();
        let (w, h) = canvas.size();
        let bent = Image::from_fn(w, h, |x, y| {
            let [x, y] = canvas.to_reference([x as f32, y as f32]);
            let far = (x - 150.0).max(0.0);
            [x + 6.0 - 0.002 * far * far, y + 0.001 * far * far]
        });
        solution.maps[1] = canvas.map_of(&bent).unwrap();
        let sky = [w as f32 - 20.0, h as f32 / 2.0];
        assert!(off(&canvas, &solution.maps[1], sky, 6.0) > 10.0);
        solution.stiffness = 17_000.0;
        solution.hold_to_texture(&footage, 0, &Progress::silent()).unwrap();
        for at in [[20.0, 20.0], [60.0, 90.0], sky] {
            let off = off(&canvas, &solution.maps[1], at, 6.0);
            assert!(off < if at[0] < 90.0 { 0.2 } else { 2.0 }, "off by {off} at {at:?}");
        }
    }

    #[test]
    fn a_bend_that_texture_shows_stays() {
        let canvas =
            Canvas::new(&[[40.0, 40.0], [140.0, 40.0], [140.0, 150.0], [40.0, 150.0]], (320, 200)).unwrap();
        let bend = |x: f32, y: f32| [2.0 * (0.06 * y).sin(), 1.5 * (0.07 * x).sin()];
        let (w, h) = canvas.size();
        let first = film(0, 40.0);
        // Small bends, so that reading where they lead to is as good as inverting them.
        let second = Image::from_fn(320, 200, |x, y| {
            let d = bend(x as f32, y as f32);
            cubic(&first, [x as f32 - d[0], y as f32 - d[1]])
        });
        let footage = Filmed(vec![first, second]);
        let bent = Image::from_fn(w, h, |x, y| {
            let p = canvas.to_reference([x as f32, y as f32]);
            let d = bend(p[0], p[1]);
            let d = bend(p[0] + d[0], p[1] + d[1]);
            [p[0] + d[0], p[1] + d[1]]
        });
        let mut solution = Solution::flat(&canvas, &footage, 0).unwrap();
        solution.maps[1] = canvas.map_of(&bent).unwrap();
        let before = canvas.positions(&solution.maps[1]);
        solution.stiffness = 1.7;
        solution.hold_to_texture(&footage, 0, &Progress::silent()).unwrap();
        let after = canvas.positions(&solution.maps[1]);
        for at in [(30, 30), (60, 60), (100, 90)] {
            let moved = (before[at][0] - after[at][0]).hypot(before[at][1] - after[at][1]);
            assert!(moved < 0.05, "moved {moved} at {at:?}");
        }
    }

    #[test]
    fn texture_is_alike_in_any_light_and_noise_never_is() {
        let of = |f: &dyn Fn(usize, usize) -> f32| Image::from_fn(120, 80, f);
        let weight = Image::new(120, 80, 1.0);
        let at = |x: usize, y: usize| wall(3.0 * x as f32, 3.0 * y as f32);
        let want = of(&at);
        let lit = of(&|x, y| (0.5 + 0.005 * x as f32) * at(x, y) + 3.0 * noise(x, y, 5));
        let middle = |a: &Image<f32>| a[(60, 40)];
        assert!(middle(&same_texture(&want, &lit, &weight)) > 0.99);
        let other = of(&|x, y| wall(2.2 * y as f32, 4.1 * x as f32));
        assert!(middle(&same_texture(&want, &other, &weight)) < 0.2);
        let (one, two) = (of(&|x, y| noise(x, y, 1)), of(&|x, y| noise(x, y, 2)));
        let chance = same_texture(&one, &two, &weight);
        let mean = chance.pixels().iter().sum::<f32>() / chance.pixels().len() as f32;
        assert!(mean < 0.1, "{mean}");
    }
}
