//! A batch: points of the clip with what flow says of them, on the device.

use super::samples::{Sample, Samples};
use super::space::Space;
use crate::error::Result;
use crate::frame::{Image, Rect, Rgba, Vec2, bilinear_or};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// What an earlier solution says of a frame position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// Atlas colour, levels.
    pub colour: Rgba,
    /// Gain.
    pub gain: Rgba,
    /// How far both are known, 0…1.
    pub weight: f32,
}

/// An earlier solution, from which a fit starts.
pub trait Prior: Sync {
    /// Reference-frame position of a frame position, pixels.
    fn place(&self, frame: usize, p: Vec2) -> Vec2;
    /// Atlas and light there.
    fn known(&self, frame: usize, p: Vec2) -> Known;
}

/// Where batches are drawn from.
pub struct Source<'a> {
    /// All points.
    pub samples: &'a Samples,
    /// Normalised coordinates.
    pub space: Space,
    /// The reference frame.
    pub reference: usize,
    /// The region's coverage of the reference frame's pixels, and where that picture lies on the frame.
    pub coverage: &'a Image<f32>,
    /// See [`Source::coverage`].
    pub bounds: Rect,
    /// Frame size.
    pub size: (usize, usize),
    /// The earlier solution, if there is one.
    pub prior: Option<&'a dyn Prior>,
}

/// Points p with their partners: q on the reference frame and a on an adjacent one.
///
/// Where p has no partner on the reference frame, q is any point of that frame: the losses of the reference frame are
/// evaluated at q throughout, so that no point is evaluated for one loss only.
pub struct Batch {
    /// p, q, a, and p a pixel to the right and below: [5n, 3], normalised.
    pub points: Tensor<2>,
    /// Where the earlier solution puts them: [5n, 2], normalised; 0 without one.
    pub base: Tensor<2>,
    /// c at p: [n, 3] in 0…1.
    pub colour: Tensor<2>,
    /// 1 where q is p's partner: [n, 1].
    pub has_reference: Tensor<2>,
    /// 1 where a is p's partner: [n, 1].
    pub has_adjacent: Tensor<2>,
    /// 1 where q lies in the region: [n, 1].
    pub in_region: Tensor<2>,
    /// The initial mask at p: [n, 1].
    pub initial: Tensor<2>,
    /// The earlier solution's gain at p, 1 without one: [n, 3].
    pub gain: Tensor<2>,
    /// Its atlas at p, 0…1: [n, 3].
    pub known: Tensor<2>,
    /// How far that is known: [n, 1].
    pub known_weight: Tensor<2>,
}

/// The same as numbers, a row a point.
struct Rows {
    points: [[f32; 3]; 5],
    base: [Vec2; 5],
    colour: [f32; 3],
    flags: [f32; 4],
    known: Known,
}

impl Source<'_> {
    /// Draws `n` points; the same for the same seed.
    pub fn draw(&self, n: usize, seed: u64, device: &Device) -> Result<Batch> {
        let mut random = fastrand::Rng::with_seed(seed);
        // In the file's order, so that reading does not jump to and fro.
        let mut numbers: Vec<u64> = (0..n).map(|_| random.u64(0..self.samples.len())).collect();
        numbers.sort_unstable();
        let samples = self.samples.read(&numbers)?;
        let draws: Vec<(Sample, u64)> = samples.into_iter().map(|s| (s, random.u64(..))).collect();
        let rows: Vec<Rows> =
            draws.par_iter().with_min_len(256).map(|(s, seed)| self.row(s, *seed)).collect();
        Ok(self.batch(&rows, device))
    }

    fn row(&self, sample: &Sample, seed: u64) -> Rows {
        let mut random = fastrand::Rng::with_seed(seed);
        let p = sample.at.map(f32::from);
        let moved = |d: Vec2| [p[0] + d[0], p[1] + d[1]];
        let q = sample.to[0].map_or_else(|| self.any(&mut random), moved);
        // Both directions are averaged by taking either as often.
        let next = random.bool();
        let adjacent = |next: bool| {
            let frame = if next { Some(sample.frame + 1) } else { sample.frame.checked_sub(1) };
            frame.zip(sample.to[if next { 1 } else { 2 }])
        };
        let adjacent = adjacent(next).or_else(|| adjacent(!next));
        let (frame, a) = adjacent.map_or((sample.frame, p), |(frame, d)| (frame, moved(d)));
        let five = [
            (sample.frame, p),
            (self.reference, q),
            (frame, a),
            (sample.frame, [p[0] + 1.0, p[1]]),
            (sample.frame, [p[0], p[1] + 1.0]),
        ];
        let point = |(t, p): (usize, Vec2)| {
            let [x, y] = self.space.place(p);
            [x, y, self.space.time(t)]
        };
        let base = |(t, p): (usize, Vec2)| self.prior.map_or([0.0; 2], |k| self.space.place(k.place(t, p)));
        let unknown = Known { colour: [0.0; 4], gain: [1.0; 4], weight: 0.0 };
        let flag = |b: bool| f32::from(u8::from(b));
        Rows {
            points: five.map(point),
            base: five.map(base),
            colour: [0, 1, 2].map(|c| sample.colour[c] / 255.0),
            flags: [
                flag(sample.to[0].is_some()),
                flag(adjacent.is_some()),
                flag(self.covered(q) > 0.5),
                sample.initial,
            ],
            known: self.prior.map_or(unknown, |k| k.known(sample.frame, p)),
        }
    }

    /// A point of the reference frame: every other one from around the region.
    fn any(&self, random: &mut fastrand::Rng) -> Vec2 {
        let whole = Rect::new(0, 0, self.size.0 as i32, self.size.1 as i32);
        let part = if random.bool() { whole } else { self.bounds.intersect(&whole) };
        let along = |from: i32, to: i32, r: f32| from as f32 + r * (to - from - 1).max(0) as f32;
        [along(part.x0, part.x1, random.f32()), along(part.y0, part.y1, random.f32())]
    }

    /// The region's coverage at a position of the reference frame.
    pub fn covered(&self, [x, y]: Vec2) -> f32 {
        bilinear_or(self.coverage, [x - self.bounds.x0 as f32, y - self.bounds.y0 as f32], 0.0)
    }

    fn batch(&self, rows: &[Rows], device: &Device) -> Batch {
        let n = rows.len();
        let tensor = |values: Vec<f32>, width: usize| {
            let rows = values.len() / width;
            Tensor::<2>::from_data(TensorData::new(values, [rows, width]), device)
        };
        let five = |k: usize| rows.iter().map(move |r| (r, k));
        let each = || (0..5).flat_map(five);
        let flag = |i: usize| tensor(rows.iter().map(|r| r.flags[i]).collect(), 1);
        let rgb = |f: &dyn Fn(&Rows) -> Rgba, scale: f32| {
            let values = rows.iter().flat_map(|r| {
                let c = f(r);
                [c[0] * scale, c[1] * scale, c[2] * scale]
            });
            tensor(values.collect(), 3)
        };
        debug_assert!(n > 0);
        Batch {
            points: tensor(each().flat_map(|(r, k)| r.points[k]).collect(), 3),
            base: tensor(each().flat_map(|(r, k)| r.base[k]).collect(), 2),
            colour: tensor(rows.iter().flat_map(|r| r.colour).collect(), 3),
            has_reference: flag(0),
            has_adjacent: flag(1),
            in_region: flag(2),
            initial: flag(3),
            gain: rgb(&|r| r.known.gain, 1.0),
            known: rgb(&|r| r.known.colour, 1.0 / 255.0),
            known_weight: tensor(rows.iter().map(|r| r.known.weight).collect(), 1),
        }
    }
}
