//! From a hard cut to a soft mask.
//!
//! Matting is hard in general because neither layer is known. Here one is: the surface behind is light × atlas. Given
//! the occluder's colour nearby, its share of a mixed pixel follows in closed form.

#[cfg(feature = "onnx")]
mod vitmatte;

#[cfg(feature = "onnx")]
pub use vitmatte::VitMatte;

use crate::error::Result;
use crate::frame::{Image, Rgba, bilinear, dilate, distance, gaussian};
use crate::mask::Cut;

/// Turns cuts into soft masks.
pub trait Matting: Send + Sync {
    /// Frames it is best given at once, at least 1.
    fn batch(&self) -> usize {
        1
    }

    /// Of each cut, the share of the surface that shows, 0…1, over its part of the frame; exactly 0 and 1 where that is
    /// certain.
    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>>;
}

/// Matting against the known surface; no model needed.
#[derive(Debug, Clone, Copy)]
pub struct KnownSurface {
    /// Pixels on either side of the cut that may be mixed.
    pub band: f32,
    /// Weight of the cut's own edge against the colours.
    pub edge_weight: f32,
    /// Blur of the cut's edge in pixels: how soft an edge is taken to be when colours say nothing.
    pub edge_blur: f32,
    /// Shares nearer to 0 or 1 than this become exactly 0 or 1, so that no trace of the old surface is kept.
    pub snap: f32,
}

impl Default for KnownSurface {
    fn default() -> Self {
        Self { band: 3.0, edge_weight: 30.0, edge_blur: 0.8, snap: 0.03 }
    }
}

/// Distance in pixels into the occluder from which its colours are pure.
const CORE: f32 = 2.0;
/// Least standard deviation of the occluder's colour, levels.
const LEAST_DEVIATION: f32 = 4.0;
/// Reaches, in pixels, over which the occluder's colour is looked for, with their weights: near if possible.
const REACHES: [(f32, f32); 3] = [(2.5, 1.0), (7.5, 1e-3), (30.0, 1e-6)];

impl Matting for KnownSurface {
    fn mattes(&self, cuts: &[Cut]) -> Result<Vec<Image<f32>>> {
        Ok(cuts.iter().map(|cut| self.matte(cut)).collect())
    }
}

impl KnownSurface {
    fn matte(&self, cut: &Cut) -> Image<f32> {
        let mut occluder = cut.surface.map(|s| !s);
        if !occluder.pixels().contains(&true) {
            return occluder.map(|_| 1.0);
        }
        let outside = distance(&occluder, |o| o);
        let mut share = occluder.map(|&o| f32::from(o));
        // The second round knows the edge to a fraction of a pixel from the first.
        for _ in 0..2 {
            share = self.solve(cut, &occluder, &outside);
            occluder = share.map(|a| *a > 0.5);
            if !occluder.pixels().contains(&true) {
                break;
            }
        }
        share.map(|a| 1.0 - ((a - self.snap) / (1.0 - 2.0 * self.snap)).clamp(0.0, 1.0))
    }

    /// The occluder's share α of every pixel within the band: least squares of c = αF + (1−α)B over the channels, each
    /// weighted by its variance, with a prior at the cut's blurred edge.
    fn solve(&self, cut: &Cut, occluder: &Image<bool>, outside: &Image<f32>) -> Image<f32> {
        let inside = distance(occluder, |o| !o);
        let foreground = Foreground::around(cut, occluder, &inside);
        let edge = gaussian(&occluder.map(|&o| f32::from(o)), self.edge_blur);
        let (w, h) = occluder.size();
        Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            if inside[at] > self.band {
                return 1.0;
            }
            if outside[at] > self.band {
                return 0.0;
            }
            let (mean, variance) = foreground.at(x, y);
            let (c, b, s) = (cut.frame[at], cut.predicted.surface[at], cut.scatter[at]);
            let prior = edge[at];
            let (mut num, mut den) = (self.edge_weight * prior, self.edge_weight);
            for k in 0..3 {
                let d = mean[k] - b[k];
                let noise = s[k] * s[k] + variance[k] * prior.max(0.2).powi(2);
                num += (c[k] - b[k]) * d / noise;
                den += d * d / noise;
            }
            (num / den).clamp(0.0, 1.0)
        })
    }
}

/// Mean and variance of the occluder's pure colours near every pixel, kept as weighted sums at several reaches.
struct Foreground {
    /// Coarse sums: pixels to a cell, and the sums on the cells.
    levels: Vec<(usize, Image<[f32; 8]>)>,
}

impl Foreground {
    fn around(cut: &Cut, occluder: &Image<bool>, inside: &Image<f32>) -> Self {
        // Pure: well inside, or on the ridge of something thin.
        let ridge = dilate(inside, 2);
        let (w, h) = occluder.size();
        let pure = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let d = inside[at];
            if occluder[at] && (d >= CORE || (d >= ridge[at] - 0.3 && d >= 1.0)) {
                let c = cut.frame[at];
                return [c[0], c[1], c[2], c[0] * c[0], c[1] * c[1], c[2] * c[2], 1.0, 0.0];
            }
            [0.0; 8]
        });
        let level = |&(reach, weight): &(f32, f32)| {
            // A cell of a third of the reach loses nothing and makes wide blurs as cheap as narrow ones.
            let cell = ((reach / 3.0) as usize).max(1);
            let sums = gaussian(&cells(&pure, cell), reach / cell as f32);
            let scale = weight / (cell * cell) as f32;
            (cell, sums.map(|v| v.map(|v| v * scale)))
        };
        Self { levels: REACHES.iter().map(level).collect() }
    }

    /// Mean colour and variance at a pixel.
    fn at(&self, x: usize, y: usize) -> (Rgba, Rgba) {
        let mut sum = [0.0f32; 8];
        for (cell, sums) in &self.levels {
            let place = |v: usize| (v as f32 + 0.5) / *cell as f32 - 0.5;
            let part = bilinear(sums, [place(x), place(y)]);
            (0..8).for_each(|k| sum[k] += part[k]);
        }
        let n = sum[6].max(1e-12);
        let mean = [sum[0] / n, sum[1] / n, sum[2] / n, 0.0];
        let least = LEAST_DEVIATION * LEAST_DEVIATION;
        let variance =
            [0, 1, 2, 3].map(|k| if k < 3 { (sum[3 + k] / n - mean[k] * mean[k]).max(least) } else { 0.0 });
        (mean, variance)
    }
}

/// Sums over square cells of pixels.
fn cells(picture: &Image<[f32; 8]>, cell: usize) -> Image<[f32; 8]> {
    if cell == 1 {
        return picture.clone();
    }
    let (w, h) = picture.size();
    let mut sums = Image::new(w.div_ceil(cell), h.div_ceil(cell), [0.0f32; 8]);
    for y in 0..h {
        for (x, p) in picture.row(y).iter().enumerate() {
            let s = &mut sums[(x / cell, y / cell)];
            (0..8).for_each(|k| s[k] += p[k]);
        }
    }
    sums
}
