//! The pure colours of a clip's occluders, for where a frame shows too little of one: hair that just comes into the
//! region has no pixel that hides the surface wholly, yet frames later it has plenty.

use crate::frame::{Rgba, distance, opponent};
use crate::mask::Cut;
use std::borrow::Borrow;

/// Most parts the colours are told apart in.
const PARTS: usize = 8;
/// Least depth in pixels from which an occluder's pixels are pure.
const LEAST_DEPTH: f32 = 3.0;
/// About as many pure pixels of a frame are taken, evenly, however large it is.
const MOST_PIXELS: usize = 16_384;
/// Fewest pure pixels that tell the clip's colours.
const LEAST_PIXELS: usize = 300;
/// Variance along the widest axis, levels squared, below which a part is one colour.
const ONE_COLOUR: f32 = 25.0;

/// One part of a [`Palette`], along the axes of [`opponent`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Share of the pure pixels.
    pub(super) weight: f32,
    /// Mean colour, levels.
    pub(super) mean: Rgba,
    /// Variance, levels squared, at least [`super::foreground::LEAST_DEVIATION`]'s.
    pub(super) variance: Rgba,
}

/// A clip's pure colours as a mixture of Gaussians.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    pub(super) parts: Vec<Part>,
}

impl Palette {
    /// From the pixels that lie `depth` and more within the cuts; `None` without enough of them.
    pub(super) fn learn<C: Borrow<Cut>>(cuts: &[C], depth: f32) -> Option<Self> {
        let depth = depth.max(LEAST_DEPTH);
        let pure: Vec<Rgba> = cuts.iter().flat_map(|cut| deep(cut.borrow(), depth)).collect();
        (pure.len() >= LEAST_PIXELS).then(|| Self::of(pure))
    }

    /// The colours cut at the mean of their widest axis, and again (P. Heckbert, *Color Image Quantization for Frame
    /// Buffer Display*, 1982, splits at the median).
    fn of(colours: Vec<Rgba>) -> Self {
        let all = colours.len() as f32;
        let mut groups = vec![(Part::of(&colours, all), colours)];
        while groups.len() < PARTS {
            // How much is gained by cutting a part: its squared deviations along its widest axis.
            let spread = |p: &Part| p.weight * p.variance[p.widest()];
            let widest =
                (0..groups.len()).max_by(|a, b| spread(&groups[*a].0).total_cmp(&spread(&groups[*b].0)));
            let Some(k) = widest.filter(|k| {
                let part = &groups[*k].0;
                part.variance[part.widest()] >= ONE_COLOUR
            }) else {
                break;
            };
            let (part, colours) = groups.swap_remove(k);
            let axis = part.widest();
            let (low, high): (Vec<Rgba>, Vec<Rgba>) =
                colours.into_iter().partition(|c| c[axis] < part.mean[axis]);
            groups.extend([low, high].map(|side| (Part::of(&side, all), side)));
        }
        Self { parts: groups.into_iter().map(|(part, _)| part).collect() }
    }
}

impl Part {
    fn of(colours: &[Rgba], all: f32) -> Self {
        // In double precision: a sum of many equal colours in single precision would drift past the largest of them, and
        // a cut there would leave a side empty.
        let n = colours.len() as f64;
        let about = |k: usize, centre: f64, power: i32| {
            colours.iter().map(|c| (f64::from(c[k]) - centre).powi(power)).sum::<f64>() / n
        };
        let centre: [f64; 3] = std::array::from_fn(|k| about(k, 0.0, 1));
        let mean = std::array::from_fn(|k| centre.get(k).map_or(0.0, |m| *m as f32));
        let least = super::foreground::LEAST_DEVIATION.powi(2);
        let variance =
            std::array::from_fn(|k| centre.get(k).map_or(0.0, |m| (about(k, *m, 2) as f32).max(least)));
        let weight = n as f32 / all;
        Self { weight, mean, variance }
    }

    /// Axis along which the colours differ most.
    fn widest(&self) -> usize {
        (1..3).fold(0, |best, k| if self.variance[k] > self.variance[best] { k } else { best })
    }
}

/// Colours of a cut's pixels that lie `depth` and more within the occluder, every so-manieth.
fn deep(cut: &Cut, depth: f32) -> Vec<Rgba> {
    let inside = distance(&cut.surface, |s| s);
    let pixels = || inside.pixels().iter().zip(cut.predicted.coverage.pixels()).zip(cut.frame.pixels());
    let pure = || pixels().filter(|((d, k), _)| **d >= depth && **k > 0.5).map(|(_, c)| *c);
    pure().step_by(pure().count().div_ceil(MOST_PIXELS).max(1)).map(opponent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_colours_are_told_apart_with_their_shares() {
        let grain = |i: usize| ((i * 37) % 5) as f32 - 2.0;
        let colour = |i: usize| {
            let g = grain(i);
            if i.is_multiple_of(4) {
                [200.0 + g, 10.0 - g, 60.0, 0.0]
            } else {
                [90.0 - g, -40.0, 15.0 + g, 0.0]
            }
        };
        let palette = Palette::of((0..800).map(colour).collect());
        assert_eq!(palette.parts.len(), 2, "grain is no colour of its own: {:?}", palette.parts);
        let bright = palette.parts.iter().find(|p| p.mean[0] > 150.0).unwrap();
        assert!((bright.weight - 0.25).abs() < 1e-3 && (bright.mean[0] - 200.0).abs() < 1.0, "{bright:?}");
        assert!(palette.parts.iter().all(|p| (0..3).all(|k| (9.0..25.0).contains(&p.variance[k]))));
    }

    /// Added up in single precision, the mean of the many would lie above all of them.
    #[test]
    fn many_pixels_of_one_colour_keep_it() {
        let many = Palette::of(
            (0..3_000_000).map(|i| [if i < 1_500_000 { 301.3 } else { 317.7 }, 3.3, 0.1, 0.0]).collect(),
        );
        assert!(many.parts.iter().all(|p| p.mean.iter().chain(&p.variance).all(|v| v.is_finite())));
        let mean = many.parts.iter().map(|p| p.weight * p.mean[0]).sum::<f32>();
        assert!((mean - 309.5).abs() < 0.01, "{mean}: {:?}", many.parts);
    }

    #[test]
    fn no_more_parts_than_are_kept_and_all_pixels_in_one() {
        let palette =
            Palette::of((0..4000).map(|i| [(i % 97) as f32 * 2.0, (i % 31) as f32, 0.0, 0.0]).collect());
        assert_eq!(palette.parts.len(), PARTS);
        assert!((palette.parts.iter().map(|p| p.weight).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
