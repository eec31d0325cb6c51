//! How well the reference frame is explained: what the best state is chosen by.

use super::batch::Source;
use super::networks::Networks;
use super::objective::Scene;
use super::space::Space;
use crate::frame::{Image, Rgba};
use burn::tensor::{Device, Tensor, TensorData};

/// Points looked at, at most.
const MOST: usize = 16_384;

/// Points of the region on the reference frame and their colours.
pub struct Probe {
    points: Tensor<2>,
    base: Tensor<2>,
    seen: Tensor<2>,
}

impl Probe {
    /// From the reference frame in levels.
    pub fn new(source: &Source, frame: &Image<Rgba>, device: &Device) -> Self {
        let inside = |x: usize, y: usize| source.covered([x as f32, y as f32]) > 0.5;
        let all: Vec<(usize, usize)> = (0..frame.height())
            .flat_map(|y| (0..frame.width()).map(move |x| (x, y)))
            .filter(|(x, y)| inside(*x, *y))
            .collect();
        let chosen: Vec<(usize, usize)> =
            all.iter().step_by(all.len().div_ceil(MOST).max(1)).copied().collect();
        let (n, space) = (chosen.len(), &source.space);
        let time = space.time(source.reference);
        let point = |(x, y): &(usize, usize)| {
            let p = space.place([*x as f32, *y as f32]);
            [p[0], p[1], time]
        };
        let base = |(x, y): &(usize, usize)| {
            let p = [*x as f32, *y as f32];
            source.prior.map_or([0.0; 2], |k| space.place(k.place(source.reference, p)))
        };
        let seen = |at: &(usize, usize)| [0, 1, 2].map(|c| frame[*at][c] / 255.0);
        let tensor = |v: Vec<f32>, k: usize| Tensor::from_data(TensorData::new(v, [n, k]), device);
        Self {
            points: tensor(chosen.iter().flat_map(point).collect(), 3),
            base: tensor(chosen.iter().flat_map(base).collect(), 2),
            seen: tensor(chosen.iter().flat_map(seen).collect(), 3),
        }
    }

    /// PSNR of L·A against the frame over the region, dB.
    pub fn psnr(&self, networks: &Networks, space: &Space) -> f64 {
        let uv = networks.place(self.points.clone(), self.base.clone());
        let (colour, gain) = Scene::new(networks, space).lit(uv, &self.points);
        let error = (colour * gain - self.seen.clone()).square().mean();
        let error = super::train::value(&error);
        // Not a number stays so, which `max` would not have it.
        if error.is_nan() { error } else { -10.0 * error.max(1e-10).log10() }
    }
}
