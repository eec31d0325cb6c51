//! What colours an occluder has near each pixel of its edge, told by those further in and by the clip's.

use super::palette::Palette;
use crate::frame::{Image, Rgba, bilinear, dilate, gaussian, opponent};
use crate::mask::Cut;

/// Distance in pixels into the occluder from which a hard edge's colours are pure.
pub(super) const CORE: f32 = 2.0;
/// Least standard deviation of the occluder's colour, levels.
pub(super) const LEAST_DEVIATION: f32 = 3.0;
/// Shares a pixel's likelihood is taken at, evenly from 0 to 1.
pub(super) const SHARES: usize = 33;
/// What is likely by chance, against the likeliest share.
const CHANCE: f32 = 1e-6;
/// Reaches, in pixels, over which the occluder's colour is looked for, with their weights: near if possible.
const REACHES: [(f32, f32); 3] = [(2.5, 1.0), (7.5, 1e-3), (30.0, 1e-6)];
/// Fewest pixels deep inside that tell an occluder's colours.
const LEAST_PIXELS: usize = 300;
/// Share of the clip's colours in an occluder's, the others being those nearby, …
const CLIPS: f32 = 0.3;
/// … and where nothing nearby is sure to be pure.
const CLIPS_ALONE: f32 = 0.95;
/// How much likelier a pixel is to be covered wholly, in any colour the clip's occluders were seen in, than to any one
/// other share: an eye amid the hair is no hole, though its colour is none of the hair's.
const WHOLE: f32 = 3.0;
/// (2π)^(3/2): the volume of a Gaussian of three channels.
const VOLUME: f32 = 15.749_61;
/// Density, per level³, of an occluder's colour that is none of those nearby: a twentieth of an even spread over all.
const UNTOLD: f32 = 0.05 / (256.0 * 256.0 * 256.0);
/// Log-odds from which a pixel away from the cut is mixed, whatever the cut took it for.
const MIXED: f32 = 5.0;
/// Shares at which a pixel is tried for a mixture.
const TRIED: usize = 16;

/// How likely a pixel is at each share of the occluder, the likeliest 1.
pub(super) type Likelihood = [f32; SHARES];

/// Sums over pure pixels near a pixel: colours, their squares, number.
type Sums = [f32; 8];

/// The occluder's pure colours near every pixel, along the axes of [`opponent`]: mean and variance, kept as weighted sums
/// at several reaches, and the clip's.
pub(super) struct Foreground<'a> {
    /// Coarse sums: pixels to a cell, and the sums on the cells; the nearest first.
    levels: Vec<(usize, Image<Sums>)>,
    /// The clip's colours and their share.
    palette: Option<(&'a Palette, f32)>,
}

/// A pixel's colour, the surface's there, and the surface's standard deviation, along the axes of [`opponent`].
struct Pixel {
    colour: Rgba,
    surface: Rgba,
    scatter: Rgba,
}

impl Pixel {
    fn of(cut: &Cut, at: (usize, usize)) -> Self {
        let (colour, surface) = (opponent(cut.frame[at]), opponent(cut.predicted.surface[at]));
        Self { colour, surface, scatter: cut.scatter[at] }
    }

    /// −ln of how likely the pixel is, if `share` of it shows an occluder of that mean and variance and the rest the
    /// surface: c = αF + (1−α)B, where F scatters about its mean and B about its own, so that the pixel scatters more the
    /// more of F it shows. [`VOLUME`] is left out.
    fn cost(&self, share: f32, (mean, variance): (Rgba, Rgba)) -> f32 {
        let (mut misfit, mut volume) = (0.0, 1.0);
        for k in 0..3 {
            let noise = self.scatter[k] * self.scatter[k] + variance[k] * share * share;
            let off = self.colour[k] - self.surface[k] - share * (mean[k] - self.surface[k]);
            misfit += off * off / noise;
            volume *= noise;
        }
        0.5 * (misfit + volume.ln())
    }
}

impl<'a> Foreground<'a> {
    /// From the pixels that lie `core` deep; around thin things, which are nowhere deep, from their ridges. A core deeper
    /// than [`CORE`] needs enough pixels; without, the ridges serve, too, but the clip's colours are believed before them.
    pub(super) fn around(
        cut: &Cut,
        occluder: &Image<bool>,
        inside: &Image<f32>,
        core: f32,
        palette: Option<&'a Palette>,
    ) -> Self {
        let deep = core > CORE;
        let lacking =
            deep && inside.pixels().iter().filter(|d| **d >= core && d.is_finite()).count() < LEAST_PIXELS;
        let (core, deep) = if lacking { (CORE, false) } else { (core, deep) };
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
        let palette = palette.map(|p| (p, if lacking { CLIPS_ALONE } else { CLIPS }));
        Self { levels: REACHES.iter().map(level).collect(), palette }
    }

    /// What a pixel says of the occluder's share.
    pub(super) fn likelihood(&self, cut: &Cut, at: (usize, usize)) -> Likelihood {
        let nearby = colours(&self.levels, at);
        let pixel = Pixel::of(cut, at);
        let cost = |i: usize| {
            let share = i as f32 / (SHARES - 1) as f32;
            let near = pixel.cost(share, nearby);
            let Some((palette, weight)) = self.palette else { return near };
            let parts = palette.parts.iter();
            let clips = parts.map(|p| p.weight * (-pixel.cost(share, (p.mean, p.variance))).exp());
            -((1.0 - weight) * (-near).exp() + weight * clips.sum::<f32>() + f32::MIN_POSITIVE).ln()
        };
        let mut costs: [f32; SHARES] = std::array::from_fn(cost);
        if self.palette.is_some() {
            let whole = &mut costs[SHARES - 1];
            let any = WHOLE * VOLUME * cut.occluders[at];
            *whole = -((-*whole).exp() + any + f32::MIN_POSITIVE).ln();
        }
        let least = costs.iter().copied().fold(f32::INFINITY, f32::min);
        costs.map(|cost| (least - cost).exp() + CHANCE)
    }

    /// Whether a pixel that was taken for the occluder, or for the surface, is none of it purely. It is not asked itself,
    /// nor are its neighbours: they would say that they are what they were taken for.
    pub(super) fn is_mixed(&self, cut: &Cut, at: (usize, usize), occluder: bool) -> bool {
        let beyond = colours(&self.levels[1..], at);
        let pixel = Pixel::of(cut, at);
        let cost = |i: usize| pixel.cost(i as f32 / TRIED as f32, beyond);
        let taken_for = if occluder { TRIED } else { 0 };
        let pure = cost(taken_for).min(-(UNTOLD * VOLUME).ln());
        // No share costs less than one that fits with the surface's scatter alone; most pixels are settled by that.
        let [x, y, z, _] = pixel.scatter;
        pure - (x * y * z).ln() > MIXED && (0..=TRIED).any(|i| i != taken_for && pure - cost(i) > MIXED)
    }
}

/// Mean colour and variance at a pixel.
fn colours(levels: &[(usize, Image<Sums>)], (x, y): (usize, usize)) -> (Rgba, Rgba) {
    let mut sum = [0.0f32; 8];
    for (cell, sums) in levels {
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
