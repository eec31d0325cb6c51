//! The colours of what passes in front, learnt from where it certainly is.

use crate::frame::Rgba;

/// Bins along each channel.
const BINS: usize = 32;
/// Levels to a bin.
const WIDTH: f32 = 256.0 / BINS as f32;
/// Blur of the histogram, in bins.
const BLUR: f32 = 1.2;
/// Share of the distribution that allows any colour.
pub(crate) const UNIFORM: f32 = 0.3;
/// Fewer pixels than this say nothing.
const LEAST: usize = 500;

/// Counts of colours while frames are looked through.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    bins: Vec<u32>,
}

/// Density of the occluder's colours per level³.
#[derive(Debug, Clone)]
pub(super) struct Colours {
    density: Option<Vec<f32>>,
}

/// Density of a uniform distribution over all colours, per level³.
pub(crate) const ANY: f32 = 1.0 / (256.0 * 256.0 * 256.0);

fn bin(colour: Rgba) -> usize {
    let i = |v: f32| ((v / WIDTH) as usize).min(BINS - 1);
    (i(colour[0]) * BINS + i(colour[1])) * BINS + i(colour[2])
}

impl Counts {
    pub(super) fn new() -> Self {
        Self { bins: vec![0; BINS * BINS * BINS] }
    }

    pub(super) fn count(&mut self, colour: Rgba) {
        self.bins[bin(colour)] += 1;
    }

    pub(super) fn add(&mut self, other: &Counts) {
        self.bins.iter_mut().zip(&other.bins).for_each(|(a, b)| *a += b);
    }

    /// Smoothed to a density; without enough pixels any colour is as likely as any other.
    pub(super) fn into_colours(self) -> Colours {
        let total: u32 = self.bins.iter().sum();
        if (total as usize) < LEAST {
            return Colours { density: None };
        }
        let mut density: Vec<f32> = self.bins.iter().map(|&n| n as f32 / total as f32).collect();
        for stride in [1, BINS, BINS * BINS] {
            blur_along(&mut density, stride);
        }
        density.iter_mut().for_each(|v| *v /= WIDTH * WIDTH * WIDTH);
        Colours { density: Some(density) }
    }
}

/// Gaussian blur along one axis of the cube; what would leave it stays at its border.
fn blur_along(cube: &mut [f32], stride: usize) {
    let radius = (3.0 * BLUR).ceil() as i32;
    let kernel: Vec<f32> = (-radius..=radius).map(|i| (-0.5 * (i as f32 / BLUR).powi(2)).exp()).collect();
    let sum: f32 = kernel.iter().sum();
    let mut line = [0.0f32; BINS];
    for start in (0..cube.len()).filter(|i| (i / stride).is_multiple_of(BINS)) {
        line.fill(0.0);
        for i in 0..BINS {
            for (k, weight) in (-radius..=radius).zip(&kernel) {
                let j = (i as i32 + k).clamp(0, BINS as i32 - 1) as usize;
                line[j] += cube[start + i * stride] * weight / sum;
            }
        }
        for (i, v) in line.iter().enumerate() {
            cube[start + i * stride] = *v;
        }
    }
}

impl Colours {
    /// Any colour as likely as any other.
    pub(super) fn unknown() -> Self {
        Self { density: None }
    }

    /// Density of a colour of the occluder, per level³.
    pub(super) fn density(&self, colour: Rgba) -> f32 {
        match &self.density {
            None => ANY,
            Some(_) => UNIFORM * ANY + self.seen(colour),
        }
    }

    /// The part of it that is not allowed to any colour; 0 where nothing is known.
    pub(super) fn seen(&self, colour: Rgba) -> f32 {
        self.density.as_ref().map_or(0.0, |d| (1.0 - UNIFORM) * d[bin(colour)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_sum_to_one_and_favour_what_was_seen() {
        let mut counts = Counts::new();
        (0..1000).for_each(|i| counts.count([200.0 + (i % 10) as f32, 30.0, 90.0, 0.0]));
        let colours = counts.into_colours();
        let mut sum = 0.0f64;
        for r in 0..BINS {
            for g in 0..BINS {
                for b in 0..BINS {
                    let c = [r, g, b].map(|i| (i as f32 + 0.5) * WIDTH);
                    sum += f64::from(colours.density([c[0], c[1], c[2], 0.0]) * WIDTH.powi(3));
                }
            }
        }
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        assert!(
            colours.density([204.0, 30.0, 90.0, 0.0]) > 100.0 * colours.density([20.0, 200.0, 90.0, 0.0])
        );
        assert_eq!(Counts::new().into_colours().density([1.0, 2.0, 3.0, 0.0]), ANY);
    }
}
