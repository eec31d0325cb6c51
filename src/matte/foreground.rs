//! What colours an occluder has near each pixel of its edge, told by those further in.

use crate::frame::{Image, Rgba, bilinear, dilate, gaussian, opponent};
use crate::mask::Cut;

/// Distance in pixels into the occluder from which a hard edge's colours are pure.
pub(super) const CORE: f32 = 2.0;
/// Least standard deviation of the occluder's colour, levels.
const LEAST_DEVIATION: f32 = 3.0;
/// Shares a pixel's likelihood is taken at.
const SHARES: usize = 33;
/// Least variance of a share that a single pixel tells.
const LEAST_VARIANCE: f32 = 1e-4;
/// Reaches, in pixels, over which the occluder's colour is looked for, with their weights: near if possible.
const REACHES: [(f32, f32); 3] = [(2.5, 1.0), (7.5, 1e-3), (30.0, 1e-6)];
/// Fewest pixels deep inside that tell an occluder's colours.
const LEAST_PIXELS: usize = 300;

/// Mean and variance of the occluder's pure colours near every pixel, along the axes of [`opponent`], kept as weighted sums at several reaches.
pub(super) struct Foreground {
    /// Coarse sums: pixels to a cell, and the sums on the cells.
    levels: Vec<(usize, Image<[f32; 8]>)>,
}

impl Foreground {
    /// From the pixels that lie `core` deep; around thin things, which are nowhere deep, from their ridges, unless the
    /// core is deeper than [`CORE`]: then `None` without enough pixels.
    pub(super) fn around(cut: &Cut, occluder: &Image<bool>, inside: &Image<f32>, core: f32) -> Option<Self> {
        let deep = core > CORE;
        if deep && inside.pixels().iter().filter(|d| **d >= core && d.is_finite()).count() < LEAST_PIXELS {
            return None;
        }
        let ridge = dilate(inside, 2);
        let (w, h) = occluder.size();
        let pure = Image::from_fn(w, h, |x, y| {
            let at = (x, y);
            let d = inside[at];
            let on_ridge = !deep && d >= ridge[at] - 0.3 && d >= 1.0;
            if occluder[at] && (d >= core || on_ridge) {
                let c = opponent(cut.frame[at]);
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
        Some(Self { levels: REACHES.iter().map(level).collect() })
    }

    /// What a pixel says of the occluder's share α in c = αF + (1−α)B, where F scatters about its mean and B about its
    /// own, so that the pixel scatters more the more of F it shows: `[weight · α, weight]` of the Gaussian that has the
    /// mean and the variance of the likelihood.
    pub(super) fn share(&self, cut: &Cut, (x, y): (usize, usize)) -> [f32; 2] {
        let (mean, variance) = self.at(x, y);
        let at = (x, y);
        let (c, b, s) = (opponent(cut.frame[at]), opponent(cut.predicted.surface[at]), cut.scatter[at]);
        let cost = |share: f32| {
            let (mut misfit, mut volume) = (0.0, 1.0);
            for k in 0..3 {
                let noise = s[k] * s[k] + variance[k] * share * share;
                let off = c[k] - b[k] - share * (mean[k] - b[k]);
                misfit += off * off / noise;
                volume *= noise;
            }
            0.5 * (misfit + volume.ln())
        };
        let costs: [f32; SHARES] = std::array::from_fn(|i| cost(i as f32 / (SHARES - 1) as f32));
        let least = costs.iter().copied().fold(f32::INFINITY, f32::min);
        let mut moments = [0.0f32; 3];
        for (i, cost) in costs.iter().enumerate() {
            let share = i as f32 / (SHARES - 1) as f32;
            let likely = (least - cost).exp() * if i == 0 || i == SHARES - 1 { 0.5 } else { 1.0 };
            moments = [moments[0] + likely, moments[1] + likely * share, moments[2] + likely * share * share];
        }
        let mean = moments[1] / moments[0];
        let variance = (moments[2] / moments[0] - mean * mean).max(LEAST_VARIANCE);
        // A flat likelihood says nothing: its own mean and variance are taken off.
        let weight = (1.0 / variance - 12.0).max(0.0);
        if weight == 0.0 { [0.0; 2] } else { [(mean / variance - 6.0).clamp(0.0, weight), weight] }
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
