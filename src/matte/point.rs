//! What all looks at one point of an occluder say of how much it hides.
//!
//! One look, c = αF + (1−α)B with B known, leaves α open as long as F is. But an occluder moves before the surface: a
//! few frames on, the same point, with the same α and F, is seen before another B. Two such looks tell both (A. R. Smith,
//! J. F. Blinn, *Blue Screen Matting*, 1996, section 4, there with two backings in a studio). Here they are weighed, with
//! what is known of F, as observations of one point whose F is integrated out.

use crate::frame::{Rect, Rgba, Vec2, bilinear, cubic, opponent};
use crate::mask::Cut;

/// Standard deviation, in levels, of a look at a point from another frame, beside the surface's scatter there: sampling,
/// light, …
pub(super) const ELSEWHERE: f32 = 4.0;
/// … and pixels by which the way from each frame to the next is about wrong.
const ASTRAY: f32 = 0.15;
/// Shares at which looks are compared.
const TRIED: usize = 16;

/// One look at a point, along the axes of [`opponent`], levels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    colour: Rgba,
    /// The surface's colour there.
    surface: Rgba,
    variance: Rgba,
}

impl Look {
    /// A pixel of a cut.
    pub(super) fn at(cut: &Cut, at: (usize, usize)) -> Self {
        Self {
            colour: opponent(cut.frame[at]),
            surface: opponent(cut.predicted.surface[at]),
            variance: cut.scatter[at].map(|s| s * s),
        }
    }

    /// At a position in a cut's frame, so many frames away; `None` where the surface is not known there.
    pub(super) fn between(cut: &Cut, p: Vec2, frames: usize) -> Option<Self> {
        let Rect { x0, y0, .. } = cut.predicted.part;
        let (w, h) = cut.frame.size();
        let q = [p[0] - x0 as f32, p[1] - y0 as f32];
        let within = |v: f32, n: usize| v >= 1.0 && v <= n as f32 - 2.0;
        if !within(q[0], w) || !within(q[1], h) || bilinear(&cut.predicted.coverage, q) < 0.99 {
            return None;
        }
        let (frame, surface) = (&cut.frame, &cut.predicted.surface);
        let differs = |dx: f32, dy: f32| {
            let q = [q[0] + dx, q[1] + dy];
            let (c, b) = (bilinear(frame, q), bilinear(surface, q));
            opponent([c[0] - b[0], c[1] - b[1], c[2] - b[2], 0.0])
        };
        let (left, right, up, down) =
            (differs(-1.0, 0.0), differs(1.0, 0.0), differs(0.0, -1.0), differs(0.0, 1.0));
        let scatter = bilinear(&cut.scatter, q);
        let astray = ASTRAY * ASTRAY * frames as f32;
        let variance = std::array::from_fn(|k| {
            let slope = 0.25 * ((right[k] - left[k]).powi(2) + (down[k] - up[k]).powi(2));
            scatter[k] * scatter[k] + ELSEWHERE * ELSEWHERE + astray * slope
        });
        Some(Self { colour: opponent(cubic(frame, q)), surface: opponent(cubic(surface, q)), variance })
    }
}

/// All looks at a point, as sums over them, weighted by 1/variance.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// The first look's surface, which sums are taken about, so that they stay small.
    origin: Rgba,
    /// By channel: of 1, of what the frame differs from the surface by, of the surface, and of their squares and product.
    sums: [Sums; 3],
    /// ½ Σ ln variance.
    spread: f32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    one: f32,
    off: f32,
    surface: f32,
    off_off: f32,
    off_surface: f32,
    surface_surface: f32,
}

impl Sums {
    /// Σ r²/variance with F integrated out, r = c − B − α(F − B) being what a share α of F leaves of a look, and the factor
    /// by which the looks' volume grows. F has that mean, counted from the origin, and variance, and is common to all looks
    /// (J. Sherman, W. Morrison 1950: their covariance is diagonal plus α²·variance everywhere).
    #[inline(always)]
    fn misfit(&self, share: f32, mean: f32, variance: f32) -> (f32, f32) {
        let r = self.off + share * (self.surface - mean * self.one);
        let beside = self.off_surface - mean * self.off;
        let across = self.surface_surface - mean * (2.0 * self.surface - mean * self.one);
        let rr = self.off_off + share * (2.0 * beside + share * across);
        let common = share * share * variance;
        let wider = 1.0 + common * self.one;
        (rr - r * r * common / wider, wider)
    }
}

/// How well a point's looks are met by each share of an occluder of some colours, evenly from 0 to 1.
pub(super) struct Tries<const N: usize> {
    /// Squared, in units of what is expected.
    misfit: [f32; N],
    /// What is expected, as a volume, in units of that of the looks alone.
    volume: [f32; N],
}

impl<const N: usize> Tries<N> {
    /// Misfit of the best.
    fn least(&self) -> f32 {
        self.misfit.iter().copied().fold(f32::INFINITY, f32::min)
    }

    /// How likely the looks are at each share, in units of e^(−½ `least`) and of their own volume.
    fn likely(&self, least: f32) -> [f32; N] {
        std::array::from_fn(|i| (0.5 * (least - self.misfit[i])).exp() / self.volume[i].sqrt())
    }
}

/// A sum of likelihoods of shares, under occluders of several colours.
pub(super) struct Mixture<const N: usize> {
    least: f32,
    sums: [f32; N],
}

impl<const N: usize> Mixture<N> {
    pub(super) fn new() -> Self {
        Self { least: f32::INFINITY, sums: [0.0; N] }
    }

    /// Adds colours of that weight.
    pub(super) fn add(&mut self, weight: f32, tries: &Tries<N>) {
        self.scale_to(tries.least());
        let likely = tries.likely(self.least);
        self.sums.iter_mut().zip(likely).for_each(|(sum, l)| *sum += weight * l);
    }

    /// Adds one likelihood, of `misfit` and `volume`, at the share of 1. One of no weight is not looked at: were it the
    /// best, all others would be lost beside it.
    pub(super) fn add_hidden(&mut self, weight: f32, (misfit, volume): (f32, f32)) {
        if weight <= 0.0 {
            return;
        }
        self.scale_to(misfit);
        self.sums[N - 1] += weight * (0.5 * (self.least - misfit)).exp() / volume.sqrt();
    }

    fn scale_to(&mut self, misfit: f32) {
        if misfit < self.least {
            let scale = (0.5 * (misfit - self.least)).exp();
            self.sums.iter_mut().for_each(|sum| *sum *= scale);
            self.least = misfit;
        }
    }

    /// The likelihoods, the greatest 1.
    pub(super) fn likely(&self) -> [f32; N] {
        let most = self.sums.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        self.sums.map(|sum| sum / most)
    }
}

impl Point {
    pub(super) fn of(look: &Look) -> Self {
        let mut point = Self { origin: look.surface, sums: [Sums::default(); 3], spread: 0.0 };
        point.add(look, 1.0);
        point
    }

    /// One look more, believed to be at the same point with that probability.
    pub(super) fn add(&mut self, look: &Look, probability: f32) {
        for k in 0..3 {
            let variance = look.variance[k] / probability;
            let (w, off, surface) =
                (1.0 / variance, look.colour[k] - look.surface[k], look.surface[k] - self.origin[k]);
            let s = &mut self.sums[k];
            s.one += w;
            s.off += w * off;
            s.surface += w * surface;
            s.off_off += w * off * off;
            s.off_surface += w * off * surface;
            s.surface_surface += w * surface * surface;
            self.spread += 0.5 * variance.ln();
        }
    }

    /// How the looks are met by `N` shares of an occluder out of those of that mean and variance.
    pub(super) fn tries<const N: usize>(&self, (mean, variance): (Rgba, Rgba)) -> Tries<N> {
        let mut tries = Tries { misfit: [0.0; N], volume: [1.0; N] };
        for k in 0..3 {
            for i in 0..N {
                let share = i as f32 / (N - 1) as f32;
                let (misfit, wider) = self.sums[k].misfit(share, mean[k] - self.origin[k], variance[k]);
                tries.misfit[i] += misfit;
                tries.volume[i] *= wider;
            }
        }
        tries
    }

    /// −ln of how likely the looks are at one share; (2π)^(3/2) a look is left out.
    pub(super) fn cost(&self, share: f32, (mean, variance): (Rgba, Rgba)) -> f32 {
        let (mut misfit, mut volume) = (0.0, 1.0);
        for k in 0..3 {
            let (m, v) = self.sums[k].misfit(share, mean[k] - self.origin[k], variance[k]);
            misfit += m;
            volume *= v;
        }
        0.5 * (misfit + volume.ln()) + self.spread
    }

    /// Misfit and volume if the occluder hides the surface wholly, in a colour of which nothing is known: to be weighted
    /// by (2π)^(3/2) times that colour's density per level³.
    pub(super) fn hidden(&self) -> (f32, f32) {
        let one = |(misfit, volume): (f32, f32), s: &Sums| {
            let r = s.off + s.surface;
            let rr = s.off_off + 2.0 * s.off_surface + s.surface_surface;
            (misfit + rr - r * r / s.one, volume * s.one)
        };
        self.sums.iter().fold((0.0, 1.0), one)
    }

    /// −ln of the mean of how likely the looks are over all shares.
    fn evidence(&self, colours: (Rgba, Rgba)) -> f32 {
        let tries = self.tries::<TRIED>(colours);
        let least = tries.least();
        let mean = tries.likely(least).iter().sum::<f32>() / TRIED as f32;
        0.5 * least - mean.ln() + self.spread
    }

    /// ln of how much likelier it is that `look` is at the same point than at another, of another share and colour.
    pub(super) fn same(&self, look: &Look, colours: (Rgba, Rgba)) -> f32 {
        let mut both = self.clone();
        both.add(look, 1.0);
        self.evidence(colours) + Self::of(look).evidence(colours) - both.evidence(colours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look at an occluder's point of that share and colour before a surface, seen wrong by `off`.
    fn look(share: f32, colour: Rgba, surface: Rgba, off: f32) -> Look {
        let seen = std::array::from_fn(|k| share * colour[k] + (1.0 - share) * surface[k] + off);
        Look { colour: seen, surface, variance: [9.0, 4.0, 4.0, 0.0] }
    }

    const COLOUR: Rgba = [210.0, -30.0, 12.0, 0.0];
    const SURFACES: [Rgba; 3] = [[120.0, 5.0, -8.0, 0.0], [330.0, -20.0, 14.0, 0.0], [60.0, 40.0, 3.0, 0.0]];
    const SURE: (Rgba, Rgba) = ([190.0, -20.0, 5.0, 0.0], [400.0, 225.0, 100.0, 0.0]);
    const UNSURE: (Rgba, Rgba) = ([190.0, -20.0, 5.0, 0.0], [1e4, 1e4, 1e4, 0.0]);

    fn point(share: f32, looks: usize) -> Point {
        let all: Vec<Look> =
            SURFACES.iter().zip([1.0, -0.5, 0.7]).map(|(b, off)| look(share, COLOUR, *b, off)).collect();
        let mut point = Point::of(&all[0]);
        all[1..looks].iter().for_each(|l| point.add(l, 1.0));
        point
    }

    /// Against the integral over F, added up finely.
    #[test]
    fn what_looks_cost_is_the_integral_over_the_occluders_colour() {
        let normal = |x: f64, variance: f64| (-0.5 * x * x / variance).exp() / variance.sqrt();
        for share in [0.3f32, 0.4, 0.5] {
            let (mean, variance) = SURE;
            let mut likely = 1.0;
            for k in 0..3 {
                let step = 0.05;
                let sum: f64 = (-4000..4000)
                    .map(|i| {
                        let f = f64::from(mean[k]) + f64::from(i) * step;
                        let looks = SURFACES.iter().zip([1.0, -0.5, 0.7]).map(|(b, off)| {
                            let l = look(0.4, COLOUR, *b, off);
                            let a = f64::from(share);
                            let r = f64::from(l.colour[k]) - a * f - (1.0 - a) * f64::from(b[k]);
                            normal(r, f64::from(l.variance[k]))
                        });
                        normal(f - f64::from(mean[k]), f64::from(variance[k])) * looks.product::<f64>()
                    })
                    .sum();
                likely *= sum * step / std::f64::consts::TAU.sqrt();
            }
            let cost = f64::from(point(0.4, 3).cost(share, SURE));
            assert!((cost + likely.ln()).abs() < 1e-2 * cost.abs().max(1.0), "{cost}, {}", -likely.ln());
        }
    }

    #[test]
    fn tries_are_the_costs_of_single_shares() {
        let point = point(0.4, 3);
        let mut mixture = Mixture::<9>::new();
        mixture.add(1.0, &point.tries(SURE));
        let costs: [f32; 9] = std::array::from_fn(|i| point.cost(i as f32 / 8.0, SURE));
        let least = costs.iter().copied().fold(f32::INFINITY, f32::min);
        for (likely, cost) in mixture.likely().iter().zip(costs) {
            assert!((likely - (least - cost).exp()).abs() < 1e-3, "{likely} for {cost}");
        }
    }

    /// Blue screen matting with two backings: nothing need be known of the occluder's colour.
    #[test]
    fn looks_before_other_surfaces_tell_the_share_that_one_leaves_open() {
        let mean_and_deviation = |looks: usize| {
            let mut mixture = Mixture::<33>::new();
            mixture.add(1.0, &point(0.4, looks).tries(UNSURE));
            let likely = mixture.likely();
            let sum = |power: i32| -> f32 {
                likely.iter().enumerate().map(|(i, l)| l * (i as f32 / 32.0).powi(power)).sum()
            };
            let mean = sum(1) / sum(0);
            (mean, (sum(2) / sum(0) - mean * mean).sqrt())
        };
        let (one, three) = (mean_and_deviation(1), mean_and_deviation(3));
        assert!(one.1 > 0.15, "{one:?}");
        assert!((three.0 - 0.4).abs() < 0.03 && three.1 < 0.03, "{three:?}");
    }

    #[test]
    fn looks_at_one_point_are_told_from_looks_at_two() {
        let first = Point::of(&look(0.4, COLOUR, SURFACES[0], 0.5));
        let same = first.same(&look(0.4, COLOUR, SURFACES[1], -0.5), SURE);
        let another = first.same(&look(0.9, COLOUR, SURFACES[1], -0.5), SURE);
        assert!(same > 0.5 && another < -1.0, "{same}, {another}");
    }

    /// A look that no share explains well still has a best one.
    #[test]
    fn a_weightless_likelihood_changes_nothing() {
        let point = Point::of(&look(0.4, COLOUR, SURFACES[0], 300.0));
        let mut mixture = Mixture::<33>::new();
        mixture.add(1.0, &point.tries(SURE));
        let alone = mixture.likely();
        mixture.add_hidden(0.0, point.hidden());
        assert_eq!(mixture.likely(), alone);
        assert_eq!(alone.iter().filter(|l| **l == 1.0).count(), 1);
    }

    /// Of a colour of which nothing is known: what any variance tends to as it grows.
    #[test]
    fn a_hidden_surface_is_met_by_any_colour() {
        let point = point(1.0, 3);
        let (misfit, volume) = point.hidden();
        let variance = 1e7f32;
        let wide = point.cost(1.0, (COLOUR, [variance, variance, variance, 0.0]));
        let any = 0.5 * (misfit + (volume * variance.powi(3)).ln()) + point.spread;
        assert!((wide - any).abs() < 0.02, "{wide}, {any}");
        // One look is met wholly.
        assert!(Point::of(&look(1.0, COLOUR, SURFACES[0], 2.0)).hidden().0.abs() < 1e-3);
    }
}
