//! What the surface looks like: the working-size atlas, from all frames, robust against whatever passes in front.

use super::align::Template;
use super::canvas::{Canvas, Map};
use super::highlights::{absolute_median, beyond_clipped};
use super::sequential::on_picture;
use crate::clip::Footage;
use crate::error::{Error, Result};
use crate::frame::{Image, Rgba, Scale, Vec2, bilinear, box_blur, cubic};
use crate::light::{Frames, Light, Samples};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Canvas pixels between light samples.
const SAMPLE_STRIDE: usize = 4;
/// Frames the median is taken over at most: enough to outvote any occluder, and memory stays bounded.
pub(super) const MEDIAN_FRAMES: usize = 33;
/// A normal distribution's standard deviation for a median absolute deviation of 1.
pub(crate) const MAD: f32 = 1.4826;
/// Misfit in levels beyond which a pixel does not enter the mean.
const SIGMA: f32 = 4.0;
/// Least sum of weights that makes a mean.
const ENOUGH: f32 = 0.1;
/// Frames read at once: results are summed in frame order, so they do not depend on the number of threads.
const CHUNK: usize = 4;

/// Everything found out about one region: where it is, how it is lit, what it looks like.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Solution {
    /// The region's canvas.
    pub canvas: Canvas,
    /// Per frame: canvas → frame.
    pub maps: Vec<Map>,
    /// Gains against the reference frame.
    pub light: Light,
    /// The surface in the reference frame's light, levels, on the canvas.
    pub atlas: Image<Rgba>,
    /// How far each atlas pixel is known, 0…1.
    pub known: Image<f32>,
    /// Per frame: how much its sharpness and size let it say about detail, 0…1.
    pub clarity: Vec<f32>,
    /// Per frame: how far tracking is to be believed, 0…1, by how much of the surface it saw.
    pub trust: Vec<f32>,
    /// Open share of the frame interval found in the footage.
    pub shutter: f32,
    /// Frames exposed for a shorter time than the others, with the share of that time, 0…1.
    pub short_exposures: BTreeMap<usize, f32>,
    /// Stiffness found for this surface.
    pub stiffness: f64,
    /// Largest level the footage can hold.
    pub ceiling: f32,
}

/// Share of each pixel of a frame that shows the surface, 0…1, over the whole frame at any size.
pub type Visible<'a> = dyn Fn(usize) -> Result<Image<f32>> + Sync + 'a;

/// One frame's visibility, asked for at the frame's own positions.
pub(crate) struct Seen {
    mask: Option<(Image<f32>, Scale)>,
}

impl Seen {
    /// Loads a frame's visibility; without any, all is taken as visible and robust weights alone decide.
    pub(crate) fn of(visible: Option<&Visible>, t: usize, frame: (usize, usize)) -> Result<Self> {
        let mask = visible.map(|v| v(t)).transpose()?;
        Ok(Self {
            mask: mask.map(|m| {
                let scale = Scale::between(frame, m.size());
                (m, scale)
            }),
        })
    }

    /// 1 where nothing but the surface shows at a frame position; mixed pixels do not count.
    pub(crate) fn at(&self, p: Vec2) -> f32 {
        match &self.mask {
            None => 1.0,
            Some((mask, scale)) => {
                let q = scale.to_coarse(p.map(f64::from)).map(|v| v as f32);
                ((bilinear(mask, q) - 0.9) * 10.0).clamp(0.0, 1.0)
            }
        }
    }
}

/// A frame read through a map, as it lies on the canvas; alpha is 1 where the frame has a pixel there, else 0.
pub(crate) fn unwarp(frame: &Image<Rgba>, positions: &Image<Vec2>) -> Image<Rgba> {
    let size = frame.size();
    Image::from_rows(positions.width(), positions.height(), [0.0; 4], |y, row| {
        for (out, p) in row.iter_mut().zip(positions.row(y)) {
            let [r, g, b, _] = cubic(frame, *p);
            *out = [r, g, b, f32::from(on_picture(*p, size))];
        }
    })
}

/// Does `work` for frame after frame on all threads and hands the results to `take` in frame order.
pub(crate) fn in_order<T: Send>(
    frames: &[usize],
    work: impl Fn(usize) -> Result<T> + Sync,
    mut take: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    for chunk in frames.chunks(CHUNK) {
        let done: Vec<_> = chunk.par_iter().map(|&t| work(t)).collect();
        for (&t, result) in chunk.iter().zip(done) {
            take(t, result?)?;
        }
    }
    Ok(())
}

impl Solution {
    /// What is known before anything is solved: the reference frame's picture, lying still.
    pub(crate) fn flat(canvas: &Canvas, footage: &dyn Footage, reference: usize) -> Result<Self> {
        let frame = footage.levels(reference)?;
        let (w, h) = canvas.size();
        let place = |x: usize, y: usize| canvas.to_reference([x as f32, y as f32]);
        Ok(Self {
            canvas: canvas.clone(),
            maps: vec![canvas.identity(); footage.len()],
            light: Light::unit(canvas.size(), footage.len()),
            atlas: Image::from_fn(w, h, |x, y| cubic(&frame, place(x, y))),
            known: Image::from_fn(w, h, |x, y| f32::from(on_picture(place(x, y), frame.size()))),
            clarity: vec![1.0; footage.len()],
            trust: vec![1.0; footage.len()],
            shutter: 0.0,
            short_exposures: BTreeMap::new(),
            stiffness: 0.0,
            ceiling: footage.ceiling(),
        })
    }

    /// The same solution on a finer canvas, seen in larger frames: `canvas` fine canvas pixels to one of this, `frame`
    /// fine frame pixels to one.
    pub(crate) fn finer(&self, canvas: Scale, frame: Scale, ceiling: f32) -> Result<Self> {
        let fine = self.canvas.finer(canvas)?;
        let (w, h) = fine.size();
        let back = |x: usize, y: usize| {
            let p = canvas.to_coarse(fine.to_reference([x as f32, y as f32]).map(f64::from));
            self.canvas.to_canvas(p.map(|v| v as f32))
        };
        let map = |map: &Map| {
            let positions = Image::from_fn(w, h, |x, y| {
                frame.to_fine(self.canvas.position(map, back(x, y)).map(f64::from)).map(|v| v as f32)
            });
            fine.map_of(&positions)
                .ok_or_else(|| Error::Roi("its motion cannot be followed at full size".into()))
        };
        let maps: Result<Vec<Map>> = self.maps.par_iter().map(map).collect();
        Ok(Self {
            maps: maps?,
            light: self.light.resized((w, h)),
            atlas: Image::from_fn(w, h, |x, y| cubic(&self.atlas, back(x, y))),
            known: Image::from_fn(w, h, |x, y| bilinear(&self.known, back(x, y))),
            clarity: self.clarity.clone(),
            trust: self.trust.clone(),
            shutter: self.shutter,
            short_exposures: self.short_exposures.clone(),
            stiffness: self.stiffness,
            ceiling,
            canvas: fine,
        })
    }

    /// The template for aligning one frame.
    pub(crate) fn template(&self, frame: usize) -> Template {
        let lit =
            self.atlas.zip(&self.light.field(frame), |a, g| [a[0] * g[0], a[1] * g[1], a[2] * g[2], 0.0]);
        Template { picture: lit, weight: self.known.clone() }
    }

    /// Mean distance, in frame pixels, the surface moves in one frame interval.
    pub(crate) fn speed(&self, frame: usize) -> f32 {
        let last = self.maps.len() - 1;
        let (a, b) = (frame.saturating_sub(1), (frame + 1).min(last));
        if a == b {
            return 0.0;
        }
        let (w, h) = self.canvas.size();
        let (mut sum, mut n) = (0.0, 0.0);
        for y in (0..h).step_by(8) {
            for x in (0..w).step_by(8) {
                if self.canvas.coverage[(x, y)] > 0.5 {
                    let at = [x as f32, y as f32];
                    let (p, q) =
                        (self.canvas.position(&self.maps[a], at), self.canvas.position(&self.maps[b], at));
                    sum += (p[0] - q[0]).hypot(p[1] - q[1]) / (b - a) as f32;
                    n += 1.0;
                }
            }
        }
        sum / f32::max(n, 1.0)
    }

    /// Judges how clearly each frame shows the surface: near and still is clear.
    pub(crate) fn judge_clarity(&mut self) {
        let clarity = |t: usize| {
            let zoom = self.canvas.magnification(&self.maps[t]);
            self.trust[t] * (zoom * zoom).min(1.0) / (1.0 + (self.speed(t) / 6.0).powi(2))
        };
        self.clarity = (0..self.maps.len()).map(clarity).collect();
    }

    /// Fits the light to all frames and gives the atlas the reference frame's.
    pub(crate) fn fit_light(
        &mut self,
        footage: &dyn Footage,
        reference: usize,
        rounds: usize,
        sigma: f32,
    ) -> Result<()> {
        let samples = self.samples(footage)?;
        self.light.solve(&samples, Frames::Doubted, rounds, sigma);
        let taken = self.light.anchor(reference);
        self.atlas = self.atlas.zip(&taken, |a, g| [a[0] * g[0], a[1] * g[1], a[2] * g[2], a[3]]);
        Ok(())
    }

    fn samples(&self, footage: &dyn Footage) -> Result<Samples> {
        let (points, atlas) = self.sampled();
        let all: Vec<usize> = (0..footage.len()).collect();
        let mut frames = Vec::with_capacity(all.len());
        in_order(
            &all,
            |t| self.see(footage, t, &points),
            |_, seen| {
                frames.push(seen);
                Ok(())
            },
        )?;
        Ok(Samples { points, atlas, frames })
    }

    /// The points light is fitted at, and their colours on the atlas.
    pub(super) fn sampled(&self) -> (Vec<Vec2>, Vec<Rgba>) {
        let (w, h) = self.canvas.size();
        let all =
            (0..h).step_by(SAMPLE_STRIDE).flat_map(|y| (0..w).step_by(SAMPLE_STRIDE).map(move |x| (x, y)));
        let inside = all.filter(|at| self.canvas.coverage[*at] > 0.5);
        inside.map(|(x, y)| ([x as f32, y as f32], self.atlas[(x, y)])).unzip()
    }

    /// What a frame shows at canvas positions; alpha is 0 off the picture.
    pub(super) fn see(&self, footage: &dyn Footage, t: usize, points: &[Vec2]) -> Result<Vec<Rgba>> {
        let frame = footage.levels(t)?;
        let see = |p: &Vec2| {
            let q = self.canvas.position(&self.maps[t], *p);
            let [r, g, b, _] = cubic(&frame, q);
            [r, g, b, f32::from(on_picture(q, frame.size()))]
        };
        Ok(points.iter().map(see).collect())
    }

    /// A frame on the canvas with its light taken off.
    pub(super) fn unlit(&self, footage: &dyn Footage, t: usize) -> Result<Image<Rgba>> {
        let seen = unwarp(&footage.levels(t)?, &self.canvas.positions(&self.maps[t]));
        Ok(seen.zip(&self.light.field(t), |s, g| [s[0] / g[0], s[1] / g[1], s[2] / g[2], s[3]]))
    }

    /// A first atlas that no occluder spoils: the median of the clearer frames.
    pub(crate) fn median_atlas(&mut self, footage: &dyn Footage) -> Result<()> {
        let medians = self.medians(footage, &self.clear_frames())?;
        self.atlas = self.atlas.zip(&medians, |a, m| [m[0], m[1], m[2], a[3]]);
        Ok(())
    }

    /// The frames that show the surface most clearly, evenly spread.
    pub(super) fn clear_frames(&self) -> Vec<usize> {
        let best = self.clarity.iter().copied().fold(0.0, f32::max);
        let clear: Vec<usize> = (0..self.clarity.len()).filter(|&t| self.clarity[t] > 0.5 * best).collect();
        spread(&clear, MEDIAN_FRAMES)
    }

    /// A frame on the canvas with its light taken off; clipped channels, which are as bright or brighter, as minus that.
    fn unlit_or_more(&self, footage: &dyn Footage, t: usize) -> Result<Image<Rgba>> {
        let seen = unwarp(&footage.levels(t)?, &self.canvas.positions(&self.maps[t]));
        Ok(seen.zip(&self.light.field(t), |s, g| {
            [0, 1, 2, 3].map(|c| match c {
                3 => s[3],
                _ if self.may_clip(s[c]) => -s[c] / g[c],
                _ => (s[c] / g[c]).max(0.0),
            })
        }))
    }

    /// Median colour of some frames, with their deviation from it in levels as alpha.
    pub(super) fn medians(&self, footage: &dyn Footage, frames: &[usize]) -> Result<Image<Rgba>> {
        let mut stack = Vec::with_capacity(frames.len());
        in_order(
            frames,
            |t| self.unlit_or_more(footage, t),
            |_, seen| {
                stack.push(seen);
                Ok(())
            },
        )?;
        let (w, h) = self.canvas.size();
        Ok(Image::from_rows(w, h, [0.0; 4], |y, row| {
            let mut values = Vec::with_capacity(stack.len());
            for (x, out) in row.iter_mut().enumerate() {
                *out = consensus(self.atlas[(x, y)], stack.iter().map(|s| s[(x, y)]), &mut values);
            }
        }))
    }

    /// The atlas as the mean over all frames of what is `visible` and fits the atlas so far, clear frames counting more. What
    /// does not fit has a weight of `least`: if none fits, the atlas so far is what is wrong.
    pub(crate) fn mean_atlas(
        &mut self,
        footage: &dyn Footage,
        visible: Option<&Visible>,
        least: f32,
    ) -> Result<()> {
        let all: Vec<usize> = (0..footage.len()).collect();
        let (w, h) = self.canvas.size();
        // Per channel, weighted sum of levels, and sums of weights: of those that tell, and of all.
        let mut sum = Image::new(w, h, [[0.0f32; 3]; 3]);
        let read = |t: usize| {
            let frame = footage.levels(t)?;
            let positions = self.canvas.positions(&self.maps[t]);
            let gain = self.light.field(t);
            let unveiled = |s: Rgba, g: Rgba| [s[0] - g[3], s[1] - g[3], s[2] - g[3], s[3]];
            let seen = unwarp(&frame, &positions).zip(&gain, unveiled);
            let shown = Seen::of(visible, t, frame.size())?;
            let shows = |a: f32, g: f32| (a * g).min(self.ceiling);
            let lit =
                self.atlas.zip(&gain, |a, g| [shows(a[0], g[0]), shows(a[1], g[1]), shows(a[2], g[2]), 0.0]);
            let misfit = box_blur(&seen.zip(&lit, square_mean), 1);
            let clarity = self.clarity[t];
            let fits = |m: f32| (1.0 + m / (SIGMA * SIGMA)).powi(-2).max(least);
            let robust = seen.zip(&misfit, |s, m| clarity * s[3] * fits(m));
            let weight = robust.zip(&positions, |k, p| k * shown.at(p));
            Ok(Image::from_fn(w, h, |x, y| {
                let (s, g, a, k) = (seen[(x, y)], gain[(x, y)], self.atlas[(x, y)], weight[(x, y)]);
                [0, 1, 2].map(|c| {
                    let (level, told) = self.told(s[c], g[c], a[c]);
                    [k * told * level, k * told, k]
                })
            }))
        };
        in_order(&all, read, |_, part| {
            let sums = sum.pixels_mut().iter_mut().flatten().flatten();
            sums.zip(part.pixels().iter().flatten().flatten()).for_each(|(s, p)| *s += p);
            Ok(())
        })?;
        let enough = ENOUGH * if least > 0.0 { least } else { 1.0 };
        self.atlas = self.atlas.zip(&sum, |a, sums| {
            let mean = |c: usize| if sums[c][2] > enough { sums[c][0] / sums[c][1] } else { a[c] };
            [mean(0), mean(1), mean(2), a[3]]
        });
        Ok(())
    }
}

/// The median of what frames show at one point (alpha 0: not seen; less than 0: as much or more), with the frames'
/// deviation from it, in levels, as alpha; where no frame shows it, `otherwise` and no deviation.
fn consensus(otherwise: Rgba, seen: impl Iterator<Item = Rgba> + Clone, values: &mut Vec<f32>) -> Rgba {
    let mut result = otherwise;
    result[3] = 0.0;
    for c in 0..3 {
        values.clear();
        values.extend(seen.clone().filter(|s| s[3] > 0.0).map(|s| s[c]));
        let clipped = values.iter().filter(|v| **v < 0.0).count();
        let mostly = 2 * clipped > values.len();
        let middle = if mostly { beyond_clipped(values) } else { absolute_median(values) };
        let Some(middle) = middle else { return result };
        result[c] = middle;
        if !mostly {
            values.iter_mut().for_each(|v| *v = (*v - middle).abs());
            result[3] += MAD / 3.0 * median(values).unwrap_or(0.0);
        }
    }
    result
}

/// Mean over the colour channels of the squared difference.
#[inline]
pub(crate) fn square_mean(a: Rgba, b: Rgba) -> f32 {
    ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)) * (1.0 / 3.0)
}

/// The middle value, the lower of two; reorders.
pub(crate) fn median(values: &mut [f32]) -> Option<f32> {
    at_share(values, 0.5)
}

/// The value that a share of all is at most as large as; reorders.
pub(super) fn at_share(values: &mut [f32], share: f32) -> Option<f32> {
    let last = values.len().checked_sub(1)?;
    Some(*values.select_nth_unstable_by((last as f32 * share) as usize, f32::total_cmp).1)
}

/// At most `n` of the items, evenly spread.
pub(crate) fn spread(items: &[usize], n: usize) -> Vec<usize> {
    if items.len() <= n {
        return items.to_vec();
    }
    (0..n).map(|k| items[k * (items.len() - 1) / (n - 1).max(1)]).collect()
}
