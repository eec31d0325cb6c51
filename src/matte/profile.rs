//! How much of an occluder pixels usually show, at each depth about its edge: told by the clip itself.
//!
//! A pixel alone leaves its share open wherever occluder and surface look alike or scatter. But its place says much: two
//! pixels within a hard edge nearly all show the occluder only, two pixels within hair hardly one does. How often each
//! share occurs at a depth follows from what all pixels there say together, though none of them is sure (the mixing
//! distribution of greatest likelihood, N. Laird 1978, found by expectation and maximisation).

use super::foreground::{Likelihood, SHARES};

/// Rounds of expectation and maximisation: few, as many would take noise for shares that occur.
const ROUNDS: usize = 6;
/// Pixels' worth of an even spread in every prior.
const EVEN: f32 = 10.0;
/// Depth in pixels up to which each pixel of depth has a prior of its own, …
const FINE: f32 = 4.0;
/// … beyond it every so many, …
const STRIDE: f32 = 2.0;
/// … up to so many priors to a side.
const SIDE: usize = 16;
/// Least variance of a share that a single pixel tells.
const LEAST_VARIANCE: f32 = 3e-4;

/// Where a pixel lies about an occluder's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Place {
    /// At a depth in pixels about the edge, on the occluder's side or the surface's.
    pub(super) fn new(depth: f32, occluder: bool) -> Self {
        let step = if depth <= FINE { depth.round() } else { FINE + ((depth - FINE) / STRIDE).round() };
        Self((step as usize).min(SIDE - 1) + if occluder { SIDE } else { 0 })
    }
}

/// The priors of all places.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    priors: Vec<[f32; SHARES]>,
}

impl Profile {
    /// From pixels of the clip. `trust` is the power that the priors are taken to, 0 (they say nothing) … 1: an occluder
    /// of many colours is not as certain as its likelihoods have it, and they would be counted twice.
    pub(super) fn learn(pixels: &[(Place, Likelihood)], trust: f32) -> Self {
        let mut priors = vec![[1.0 / SHARES as f32; SHARES]; 2 * SIDE];
        for _ in 0..ROUNDS {
            let mut counts = vec![[EVEN / SHARES as f32; SHARES]; priors.len()];
            for (Place(place), likely) in pixels {
                let posterior = product(likely, &priors[*place]);
                let all = posterior.iter().sum::<f32>().max(f32::MIN_POSITIVE);
                counts[*place].iter_mut().zip(posterior).for_each(|(count, p)| *count += p / all);
            }
            priors = counts.into_iter().map(|c| c.map(|v| v / c.iter().sum::<f32>())).collect();
        }
        Self { priors: priors.into_iter().map(|p| p.map(|v| v.powf(trust))).collect() }
    }

    /// What a pixel and its place say of the occluder's share: weight, and weight times share, of the Gaussian that has
    /// the mean and the variance of the posterior.
    pub(super) fn share(&self, Place(place): Place, likely: &Likelihood) -> [f32; 2] {
        let (mean, variance) = moments(&product(likely, &self.priors[place]));
        [1.0 / variance, mean / variance]
    }
}

/// The same of a pixel alone. An even likelihood says nothing: its own mean and variance are taken off.
pub(super) fn alone(likely: &Likelihood) -> [f32; 2] {
    let mut likely = *likely;
    // The ends stand for half a step.
    likely[0] *= 0.5;
    likely[SHARES - 1] *= 0.5;
    let (mean, variance) = moments(&likely);
    let weight = (1.0 / variance - 12.0).max(0.0);
    [weight, (mean / variance - 6.0).clamp(0.0, weight)]
}

/// Mean and variance of a share that is so likely.
fn moments(likely: &Likelihood) -> (f32, f32) {
    let mut sums = [0.0f32; 3];
    for (i, p) in likely.iter().enumerate() {
        let share = i as f32 / (SHARES - 1) as f32;
        sums = [sums[0] + p, sums[1] + p * share, sums[2] + p * share * share];
    }
    let all = sums[0].max(f32::MIN_POSITIVE);
    let mean = sums[1] / all;
    (mean, (sums[2] / all - mean * mean).max(LEAST_VARIANCE))
}

fn product(a: &[f32; SHARES], b: &[f32; SHARES]) -> [f32; SHARES] {
    std::array::from_fn(|i| a[i] * b[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pixel that shows `share` and is seen wrong by `noise`, itself drawn from a deviation of 0.25.
    fn seen(share: f32, noise: f32) -> Likelihood {
        let off = |i: usize| i as f32 / (SHARES - 1) as f32 - share - noise;
        std::array::from_fn(|i| (-0.5 * (off(i) / 0.25).powi(2)).exp())
    }

    /// Pixels of an edge one of which in five is mixed, and what each shows; noise by the golden ratio, twelve of a kind
    /// summed.
    fn edge() -> Vec<(f32, Likelihood)> {
        let even = |k: usize| (k as f64 * 0.618_033_988_749_895).fract() as f32;
        let noise = |k: usize| 0.25 * ((0..12).map(|j| even(12 * k * k + 7 * j * k + j)).sum::<f32>() - 6.0);
        (0..4000)
            .map(|k| {
                let share = match k % 5 {
                    0 => even(k),
                    1 | 2 => 0.0,
                    _ => 1.0,
                };
                (share, seen(share, noise(k)))
            })
            .collect()
    }

    #[test]
    fn how_often_shares_occur_is_learnt_from_unsure_pixels() {
        let (edge, place) = (edge(), Place::new(1.0, true));
        let pixels: Vec<_> = edge.iter().map(|(_, likely)| (place, *likely)).collect();
        let error = |profile: &Profile| {
            let off = edge.iter().map(|(share, likely)| {
                let [weight, pull] = profile.share(place, likely);
                (pull / weight - share).powi(2)
            });
            (off.sum::<f32>() / edge.len() as f32).sqrt()
        };
        let (even, learnt) = (error(&Profile::learn(&[], 1.0)), error(&Profile::learn(&pixels, 1.0)));
        assert!(learnt < 0.85 * even, "{learnt} against {even}");
        let prior = Profile::learn(&pixels, 1.0).priors[place.0];
        let ends = prior[..6].iter().chain(&prior[SHARES - 6..]).sum::<f32>();
        assert!(ends > 0.7, "four pixels in five are pure: {ends}");
        // What was learnt there says nothing of other places.
        let elsewhere = Profile::learn(&pixels, 1.0).priors[Place::new(1.0, false).0];
        assert!(elsewhere.iter().all(|p| (p * SHARES as f32 - 1.0).abs() < 1e-3));
    }

    #[test]
    fn places_are_told_apart_by_side_and_depth() {
        let depths = [0.0, 1.0, 1.4, 2.0, 3.0, 4.0, 6.0, 40.0];
        let mut places: Vec<Place> =
            [false, true].iter().flat_map(|o| depths.map(|d| Place::new(d, *o))).collect();
        let last = Profile::learn(&[], 1.0).priors.len() - 1;
        assert_eq!(places.iter().map(|p| p.0).max(), Some(last));
        places.sort_by_key(|p| p.0);
        places.dedup();
        // 1 and 1.4 are one place.
        assert_eq!(places.len(), 2 * (depths.len() - 1));
        assert_eq!(Place::new(1e3, true), Place::new(1e4, true));
    }
}
