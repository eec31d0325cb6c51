//! What colours an occluder has near each pixel of its edge, told by those further in and by the clip's.

use super::follow::Asked;
use super::near::Near;
use super::palette::Palette;
use super::point::{Look, Mixture, Point};
use crate::frame::{Image, Rgba, dilate, opponent};
use crate::mask::Cut;

/// Distance in pixels into the occluder from which a hard edge's colours are pure.
pub(super) const CORE: f32 = 2.0;
/// Least standard deviation of the occluder's colour, levels.
pub(super) const LEAST_DEVIATION: f32 = 3.0;
/// Shares a pixel's likelihood is taken at, evenly from 0 to 1.
pub(super) const SHARES: usize = 33;
/// What is likely by chance, against the likeliest share.
const CHANCE: f32 = 1e-6;
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
/// Colours of which nothing is known: the middle, and anything about it.
const UNKNOWN: (Rgba, Rgba) = ([220.0, 0.0, 0.0, 0.0], [1e4, 1e4, 1e4, 0.0]);

/// How likely a pixel is at each share of the occluder, the likeliest 1.
pub(super) type Likelihood = [f32; SHARES];

/// Sums over pure pixels near a pixel: colours, their squares, number.
type Sums = [f32; 8];

/// The occluder's pure colours near every pixel, along the axes of [`opponent`]: mean and variance, kept as weighted sums
/// at several reaches, and the clip's.
pub(super) struct Foreground<'a> {
    pure: Near<Sums>,
    /// The clip's colours and their share.
    palette: Option<(&'a Palette, f32)>,
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
        let palette = palette.map(|p| (p, if lacking { CLIPS_ALONE } else { CLIPS }));
        Self { pure: Near::of(&pure), palette }
    }

    /// Mean and variance of the occluder's colours near a pixel; `None` where none are near.
    pub(super) fn near(&self, at: (usize, usize)) -> Option<(Rgba, Rgba)> {
        colours(self.pure.at(at))
    }

    /// A pixel of the cut, to be asked for its share.
    pub(super) fn asked(&self, cut: &Cut, at: (usize, usize)) -> Asked {
        let nearby = self.near(at).unwrap_or(UNKNOWN);
        Asked { at, nearby, point: Point::of(&Look::at(cut, at)) }
    }

    /// What a point says of the occluder's share, the pixel's colour being of density `seen` among those of the clip's
    /// occluders.
    pub(super) fn likelihood(&self, asked: &Asked, seen: f32) -> Likelihood {
        let Asked { nearby, point, .. } = asked;
        let mut mixture = Mixture::<SHARES>::new();
        match self.palette {
            None => mixture.add(1.0, &point.tries(*nearby)),
            Some((palette, weight)) => {
                mixture.add(1.0 - weight, &point.tries(*nearby));
                for part in &palette.parts {
                    mixture.add(weight * part.weight, &point.tries((part.mean, part.variance)));
                }
                mixture.add_hidden(WHOLE * VOLUME * seen, point.hidden());
            }
        }
        mixture.likely().map(|l| l + CHANCE)
    }

    /// Whether a pixel that was taken for the occluder, or for the surface, is none of it purely. It is not asked itself,
    /// nor are its neighbours: they would say that they are what they were taken for.
    pub(super) fn is_mixed(&self, cut: &Cut, at: (usize, usize), occluder: bool) -> bool {
        let Some(beyond) = colours(self.pure.beyond(at)) else { return false };
        let point = Point::of(&Look::at(cut, at));
        let cost = |i: usize| point.cost(i as f32 / TRIED as f32, beyond);
        let taken_for = if occluder { TRIED } else { 0 };
        let pure = cost(taken_for).min(-(UNTOLD * VOLUME).ln());
        // No share costs less than one that fits with the surface's scatter alone; most pixels are settled by that.
        let [x, y, z, _] = cut.scatter[at];
        pure - (x * y * z).ln() > MIXED && (0..=TRIED).any(|i| i != taken_for && pure - cost(i) > MIXED)
    }
}

/// Mean colour and variance; `None` of no pixel.
fn colours(sum: Sums) -> Option<(Rgba, Rgba)> {
    let n = sum[6];
    if n < 1e-12 {
        return None;
    }
    let mean = [sum[0] / n, sum[1] / n, sum[2] / n, 0.0];
    let least = LEAST_DEVIATION * LEAST_DEVIATION;
    let variance =
        [0, 1, 2, 3].map(|k| if k < 3 { (sum[3 + k] / n - mean[k] * mean[k]).max(least) } else { 0.0 });
    Some((mean, variance))
}
