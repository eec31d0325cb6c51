//! How wide an occluder's edge is: an outline's pixel or two, or hair.

use super::Tuned;
use crate::frame::{Image, Rgba, distance};
use crate::mask::Cut;
use rayon::prelude::*;
use std::borrow::Borrow;
use std::f64::consts::FRAC_PI_4;

/// Where, about a cut, pixels may be mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edges {
    /// Pixels on the surface's side of the cut that may be.
    pub(super) band: f32,
    /// Pixels on the occluder's side that may be.
    pub(super) depth: f32,
    /// Weight of the cut's own edge against the colours.
    pub(super) weight: f32,
    /// Blur of the cut's edge in pixels: how soft an edge is taken to be when colours say nothing.
    pub(super) blur: f32,
    /// How far a pixel's place is believed to tell its share, 0…1.
    pub(super) trust: f32,
}

/// What suits an outline.
const HARD: Edges = Edges { band: 2.0, depth: 3.0, weight: 60.0, blur: 0.5, trust: 0.65 };
/// What suits hair: it mixes far on both sides of the cut, whose own edge says little there, and its many colours make a
/// pixel look surer than it is.
pub(super) const SOFTEST: Edges = Edges { band: 8.0, depth: 20.0, weight: 5.0, blur: 0.5, trust: 0.25 };
/// How much of the surface's texture shows through just inside the cut up to which its edge is hard, and from which on it
/// is softest.
const THROUGH: [f64; 2] = [0.1, 0.3];
/// Squared differences of the surface's texture, levels, from which a frame tells it.
const LEAST_TOLD: f64 = 2e4;
/// Fewest frames that are believed.
const FEWEST: usize = 3;
/// Depths in pixels over which that is taken.
const RIM: [f32; 2] = [1.0, 4.0];
/// Weight of the cut's own edge while the width of edges is measured.
const MEASURING: f32 = 10.0;
/// Widths of edges, as standard deviations of the profile across them in pixels: those of thin things that are as sharp as pixels can
/// be, and those from which an edge is as soft as a photographed outline's …
const WIDTHS: [f64; 2] = [0.55, 0.65];
/// … and the blurs of the cut's edge that suit them.
pub(super) const EDGE_BLUR: [f32; 2] = [0.3, 0.75];
/// Pixels of edge that tell its width.
const LEAST_EDGE: f64 = 200.0;
/// Share of its depth from which the colours of a soft edge are pure.
const PURE: f32 = 0.6;

impl Edges {
    /// Those of a clip's cuts; hard where they do not tell.
    pub(super) fn of<C: Borrow<Cut> + Sync>(cuts: &[C]) -> Self {
        let sharp = Self { blur: width(cuts).map_or(HARD.blur, blur_of), ..HARD };
        let soft = softness(cuts).unwrap_or(0.0);
        let mix = |of: fn(&Self) -> f32| of(&sharp) + soft * (of(&SOFTEST) - of(&sharp));
        Self {
            band: mix(|e| e.band),
            depth: mix(|e| e.depth),
            weight: mix(|e| e.weight),
            blur: mix(|e| e.blur),
            trust: mix(|e| e.trust),
        }
    }

    /// Depth in pixels from which the occluder's colours are pure.
    pub(super) fn core(&self) -> f32 {
        if self.depth > HARD.depth { PURE * self.depth } else { super::foreground::CORE }
    }
}

/// The blur of a cut's edge that suits an edge as wide as that.
pub(super) fn blur_of(width: f64) -> f32 {
    let soft = ((width - WIDTHS[0]) / (WIDTHS[1] - WIDTHS[0])).clamp(0.0, 1.0) as f32;
    EDGE_BLUR[0] + soft * (EDGE_BLUR[1] - EDGE_BLUR[0])
}

/// How soft the occluders' edges are, 0 hard … 1 hair, by how much of the surface's texture shines through their rims. The
/// rim's own colours would not tell: a ball is shaded, too.
pub(super) fn softness<C: Borrow<Cut>>(cuts: &[C]) -> Option<f32> {
    let told = |cut: &Cut| Some(rim(cut)).filter(|[_, den]| *den > LEAST_TOLD).map(|[n, den]| (n / den, den));
    let seen: Vec<(f64, f64)> = cuts.iter().map(Borrow::borrow).filter_map(told).collect();
    let through = middle(seen).filter(|(_, frames)| *frames >= FEWEST)?.0;
    Some(((through - THROUGH[0]) / (THROUGH[1] - THROUGH[0])).clamp(0.0, 1.0) as f32)
}

/// The weighted median of values, and their number: a frame in which the surface itself was taken for an occluder has no
/// soft edge, and one that hardly shows an occluder tells little.
fn middle(mut values: Vec<(f64, f64)>) -> Option<(f64, usize)> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * values.iter().map(|v| v.1).sum::<f64>();
    let mut below = 0.0;
    let found = values.iter().find(|v| {
        below += v.1;
        below >= half
    })?;
    Some((found.0, values.len()))
}

/// How much of the surface's texture shows in the rim of a cut: its differences from pixel to pixel times the frame's, and
/// times themselves, summed. What the occluder adds to the frame's is its own and sums to nothing.
fn rim(cut: &Cut) -> [f64; 2] {
    let occluder = cut.surface.map(|s| !s);
    let inside = distance(&occluder, |o| !o);
    let on_rim =
        |at: (usize, usize)| inside[at] > RIM[0] && inside[at] < RIM[1] && cut.predicted.coverage[at] > 0.5;
    let (w, h) = occluder.size();
    let mut sum = [0.0; 2];
    for (x, y) in (1..h).flat_map(|y| (1..w).map(move |x| (x, y))).filter(|at| on_rim(*at)) {
        for beside in [(x - 1, y), (x, y - 1)].into_iter().filter(|at| on_rim(*at)) {
            for c in 0..3 {
                let of = |p: &Image<Rgba>| f64::from(p[(x, y)][c] - p[beside][c]);
                let (surface, frame) = (of(&cut.predicted.surface), of(&cut.frame));
                sum = [sum[0] + surface * frame, sum[1] + surface * surface];
            }
        }
    }
    sum
}

/// Standard deviation, in pixels, of the profile across the occluders' edges: what of their pixels is mixed, by the
/// length of the edges.
pub(super) fn width<C: Borrow<Cut> + Sync>(cuts: &[C]) -> Option<f64> {
    /// ∫ 4·Φ(x)·(1 − Φ(x)) dx over a normal distribution's Φ of deviation 1: 4/√π.
    const MIXED: f64 = 2.256_758;
    let measuring = Tuned { edges: Edges { weight: MEASURING, ..HARD }, palette: None, profiles: Vec::new() };
    let sums = cuts.par_iter().map(|cut| {
        let cut = cut.borrow();
        let occluder = cut.surface.map(|s| !s);
        let share = measuring.border(cut, &occluder).solve(None, &[]).map(|a| a.clamp(0.0, 1.0));
        let (w, h) = share.size();
        let (mut mixed, mut steps) = (0.0f64, 0usize);
        for (x, y) in (1..h).flat_map(|y| (1..w).map(move |x| (x, y))) {
            if cut.predicted.coverage[(x, y)] > 0.5 {
                let a = share[(x, y)];
                mixed += f64::from(4.0 * a * (1.0 - a));
                let parted = |q: (usize, usize)| usize::from((share[q] > 0.5) != (a > 0.5));
                steps += parted((x - 1, y)) + parted((x, y - 1));
            }
        }
        // Steps along rows and columns are, over all directions, 4/π as long as the edge.
        (mixed, steps as f64 * FRAC_PI_4)
    });
    let (mixed, length) =
        sums.collect::<Vec<_>>().into_iter().fold((0.0, 0.0), |s, t| (s.0 + t.0, s.1 + t.1));
    (length > LEAST_EDGE).then(|| mixed / length / MIXED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_is_found_by_weight() {
        assert_eq!(middle(vec![(0.95, 180.0), (0.77, 23.0), (0.79, 22.0)]), Some((0.95, 3)));
        assert_eq!(middle(vec![(0.6, 1.0), (0.9, 1.0), (0.7, 1.0)]), Some((0.7, 3)));
        assert_eq!(middle(Vec::new()), None);
    }
}
