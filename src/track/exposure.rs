//! How long the shutter was open, and what that does to the maps.
//!
//! Alignment finds the middle of what an exposure smeared, not where the surface was at the frame's own time. The
//! difference goes with the speed, so it is another in every frame, and paint would swim against the surface by it.

use super::align::Template;
use super::appearance::{Solution, square_mean};
use super::canvas::Map;
use super::predict::{Inverses, MID_EXPOSURE, Predicted, through_shutter};
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{EXPOSURE, Image, Rgba, Vec2, cubic};
use crate::progress::Progress;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Speed in frame pixels from which a frame tells of motion blur.
const FAST: f32 = 3.0;
/// Smear of the atlas along a frame's motion, against the frame's own, up to which the two can be compared.
const MOST_SMEARED: f32 = 0.6;
/// Frames the shutter is told by at most, and at least.
const MOST_FRAMES: usize = 12;
const LEAST_FRAMES: usize = 4;
/// How much better than a smear across the motion, which explains frames that are merely soft, one along it must fit.
const EXPLAINED: f64 = 0.025;
/// Shutters tried.
const SHUTTERS: [f32; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Which of them most cameras are set to, and by how much less it needs to explain for being so.
const USUAL: usize = 2;
const LIKELIER: f64 = 0.02;
/// Shares of the others' exposure that a frame is tried with.
const SHORTER: [f32; 3] = [0.4, 0.55, 0.7];
/// Square of the share of its smear that an atlas keeps when it is sharpened once; chosen so that the cut frames of clips
/// with a known answer come out with the exposure they had.
const KEPT: f32 = 0.16;
/// How much of the misfit a shorter exposure may leave to be believed. Of eight clips filmed through half a frame
/// interval, frames exposed like the others keep 0.97 and more of it, those cut to a quarter and half 0.72 to 0.96.
const SHORT: f64 = 0.95;

impl Solution {
    /// Takes over the shutter: from maps of the exposures' middles to maps of the frames' times, or back by a shutter of
    /// 0. The atlas is of the reference's time, too, and moves with them: the reference's map stays the identity.
    pub(crate) fn expose(&mut self, shutter: f32, frame: (usize, usize), reference: usize) {
        let late = MID_EXPOSURE * (shutter - self.shutter);
        self.shutter = shutter;
        if late == 0.0 {
            return;
        }
        let inverses = Inverses::of(self, frame);
        let canvas = &self.canvas;
        let of_reference = |u: Vec2| {
            inverses.motion(reference, canvas.to_reference(u)).map(|v| self.exposure(reference) * v)
        };
        let one = |t: usize| -> Map {
            let (map, Some(inverse)) = (&self.maps[t], inverses.get(t)) else { return self.maps[t].clone() };
            let off = |p: Vec2| {
                let (own, all) = (inverses.motion(t, p), of_reference(inverse.at(p)));
                [0, 1].map(|i| late * (all[i] - self.exposure(t) * own[i]))
            };
            canvas.moved(map, off).unwrap_or_else(|| map.clone())
        };
        let maps: Vec<Map> = (0..self.maps.len()).into_par_iter().map(one).collect();
        let (w, h) = canvas.size();
        self.atlas = Image::from_fn(w, h, |x, y| {
            let u = [x as f32, y as f32];
            let v = of_reference(u);
            cubic(&self.atlas, [u[0] - late * v[0], u[1] - late * v[1]])
        });
        self.maps = maps;
    }

    /// The shutter that explains best how much more the fast frames are smeared than the atlas, which is smeared itself.
    pub(super) fn find_shutter(&self, footage: &dyn Footage) -> Result<f32> {
        let inverses = Inverses::of(self, footage.size());
        let motions: Vec<Vec<Vec2>> =
            (0..footage.len()).into_par_iter().map(|t| self.motions(&inverses, t)).collect();
        let smeared = Smear::of_mean(&motions, &self.clarity);
        let mut fast: Vec<(f32, f32, usize)> = Vec::new();
        for (t, motion) in motions.iter().enumerate().filter(|(t, _)| self.speed(*t) > FAST) {
            let (own, atlas) = smeared.along(motion);
            if atlas < MOST_SMEARED * own {
                fast.push((own - atlas, (1.0 - atlas / own).sqrt(), t));
            }
        }
        fast.sort_by(|a, b| b.0.total_cmp(&a.0));
        fast.truncate(MOST_FRAMES);
        if fast.len() < LEAST_FRAMES {
            return Ok(0.0);
        }
        let (mut along, mut across) = ([0.0f64; SHUTTERS.len()], [0.0f64; SHUTTERS.len()]);
        for &(_, share, t) in &fast {
            let frame = footage.levels(t)?;
            let cost = |s: f32, way: fn(Vec2) -> Vec2| {
                // The maps are still those of the exposures' middles.
                let moments = EXPOSURE.map(|k| share * s * (k - MID_EXPOSURE));
                let predicted = self.predict_with(&inverses, t, footage.size(), moments, way);
                predicted.map_or(0.0, |p| misfit_inside(&p, &frame))
            };
            let costs: Vec<[f64; 2]> =
                SHUTTERS.par_iter().map(|&s| [cost(s, |v| v), cost(s, |[x, y]| [-y, x])]).collect();
            for (i, [a, b]) in costs.into_iter().enumerate() {
                along[i] += a;
                across[i] += b;
            }
        }
        // An atlas that is sharper than the clarity of its frames tells makes a shutter seem longer.
        along[USUAL] *= 1.0 - LIKELIER;
        let best = (0..SHUTTERS.len()).min_by(|&a, &b| along[a].total_cmp(&along[b]));
        let believed = best.filter(|&i| along[i] < (1.0 - EXPLAINED) * across[i]);
        Ok(believed.map_or(0.0, |i| SHUTTERS[i]))
    }

    /// How long frame `t` was exposed, as a share of the others' time, 0…1.
    pub(super) fn exposure(&self, t: usize) -> f32 {
        self.short_exposures.get(&t).copied().unwrap_or(1.0)
    }

    /// Moments of the exposure of frame `t` through a `shutter`, in frame intervals from its middle.
    pub(super) fn around_middle(&self, t: usize, shutter: f32) -> [f32; 4] {
        EXPOSURE.map(|k| shutter * self.exposure(t) * (k - MID_EXPOSURE))
    }

    /// The template for aligning a frame; with `inverses`, smeared as a `shutter` smears the surface there.
    pub(super) fn template_through(&self, inverses: Option<&Inverses>, t: usize, shutter: f32) -> Template {
        let sharp = self.template(t);
        let Some(inverses) = inverses else { return sharp };
        let moments = self.around_middle(t, shutter);
        let positions = self.canvas.positions(&self.maps[t]);
        let (w, h) = self.canvas.size();
        let picture = Image::from_fn(w, h, |x, y| {
            let motion = inverses.motion(t, positions[(x, y)]);
            through_shutter([x as f32, y as f32], motion, moments, |u| cubic(&sharp.picture, u))
        });
        Template { picture, ..sharp }
    }

    /// Frames that a much shorter exposure than the others' explains better, with the share of the others' time.
    pub(super) fn find_short_exposures(
        &self,
        footage: &dyn Footage,
        shutter: f32,
        progress: &Progress,
    ) -> Result<BTreeMap<usize, f32>> {
        let inverses = Inverses::of(self, footage.size());
        let fast = (0..footage.len()).filter(|t| self.speed(*t) * shutter > FAST && self.trust[*t] > 0.9);
        let fast: Vec<usize> = fast.collect();
        let short = |&t: &usize| -> Result<Option<(usize, f32)>> {
            progress.check()?;
            let frame = footage.levels(t)?;
            let cost = |share: f32| {
                let more = (share * share - KEPT).max(0.0).sqrt();
                let moments = EXPOSURE.map(|k| more * shutter * (k - MID_EXPOSURE));
                let predicted = self.predict_with(&inverses, t, footage.size(), moments, |v| v);
                predicted.map_or(0.0, |p| misfit_inside(&p, &frame))
            };
            let costs = SHORTER.map(cost);
            let usual = cost(1.0);
            let best = (0..SHORTER.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b]));
            Ok(best.filter(|&i| costs[i] < SHORT * usual).map(|i| (t, SHORTER[i])))
        };
        let found: Vec<_> = fast.par_iter().map(short).collect::<Result<_>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Motions of frame `t` in one frame interval, canvas pixels, here and there in the region.
    fn motions(&self, inverses: &Inverses, t: usize) -> Vec<Vec2> {
        let (w, h) = self.canvas.size();
        let all = (0..h).step_by(8).flat_map(|y| (0..w).step_by(8).map(move |x| (x, y)));
        let inside = all.filter(|at| self.canvas.coverage[*at] > 0.5);
        inside
            .map(|(x, y)| inverses.motion(t, self.canvas.position(&self.maps[t], [x as f32, y as f32])))
            .collect()
    }
}

/// How far an open shutter smears a mean of frames: second moments of their motions xx, xy, yy, squared canvas pixels.
struct Smear([f32; 3]);

impl Smear {
    /// Of the mean of frames that move like `motions`, each counting `weights`.
    fn of_mean(motions: &[Vec<Vec2>], weights: &[f32]) -> Self {
        let mut sum = [0.0f32; 4];
        for (motion, k) in motions.iter().zip(weights).filter(|(m, _)| !m.is_empty()) {
            let k = k / motion.len() as f32;
            for [x, y] in motion {
                sum = [sum[0] + k * x * x, sum[1] + k * x * y, sum[2] + k * y * y, sum[3] + k];
            }
        }
        Self([0, 1, 2].map(|i| sum[i] / sum[3].max(1e-6)))
    }

    /// Along the mean of a frame's motions: the square of that, and how much of as much the mean of frames has.
    fn along(&self, motion: &[Vec2]) -> (f32, f32) {
        let sum = motion.iter().fold([0.0f32; 2], |s, v| [s[0] + v[0], s[1] + v[1]]);
        let [x, y] = sum.map(|v| v / motion.len().max(1) as f32);
        let own = x * x + y * y;
        let [xx, xy, yy] = self.0;
        (own, (xx * x * x + 2.0 * xy * x * y + yy * y * y) / own.max(1e-6))
    }
}

/// Mean robust misfit of a prediction against its frame, over what lies on the canvas.
fn misfit_inside(predicted: &Predicted, frame: &Image<Rgba>) -> f64 {
    let frame = frame.crop(predicted.part);
    let mut sum = [0.0f64; 2];
    let pairs = frame.pixels().iter().zip(predicted.surface.pixels()).zip(predicted.coverage.pixels());
    for ((c, b), _) in pairs.filter(|(_, k)| **k > 0.5) {
        let m = square_mean(*c, *b) / 36.0;
        sum = [sum[0] + f64::from(m / (1.0 + m)), sum[1] + 1.0];
    }
    sum[0] / sum[1].max(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Canvas;
    use super::super::homography::Homography;
    use super::*;
    use crate::light::Light;
    use crate::track::appearance::unwarp;
    use crate::track::filmed::Filmed;

    /// A surface that is nowhere at rest, filmed through a shutter, with maps of the exposures' middles.
    struct Filming {
        shutter: f64,
        /// Where the surface is fast, the footage has lost detail finer than this, pixels.
        coarse: f64,
        /// A frame and the share of the others' exposure it was given.
        short: (usize, f64),
    }

    impl Default for Filming {
        fn default() -> Self {
            Self { shutter: 0.5, coarse: 0.0, short: (0, 1.0) }
        }
    }

    fn texture(x: f64, y: f64) -> Rgba {
        let v = |a: f64, b: f64| {
            (128.0 + 50.0 * (a * x).sin() * (b * y).cos() + 30.0 * (b * x + a * y).sin()) as f32
        };
        [v(0.33, 0.21), v(0.25, 0.37), v(0.29, 0.31), 0.0]
    }

    impl Filming {
        const FRAMES: usize = 13;
        const REFERENCE: usize = 6;

        fn place(t: f64) -> f64 {
            9.0 * t + 7.0 * (0.5 * t).sin()
        }

        /// Share of the frame interval that frame `t` was exposed for.
        fn open(&self, t: usize) -> f64 {
            self.shutter * if t == self.short.0 { self.short.1 } else { 1.0 }
        }

        fn film(&self, t: usize, size: (usize, usize)) -> Image<Rgba> {
            Image::from_fn(size.0, size.1, |x, y| {
                let fast = Self::place(t as f64 + 0.5) - Self::place(t as f64 - 0.5) > 9.0;
                let coarse = if fast { 0.5 * self.coarse } else { 0.0 };
                let moments =
                    [(0, -1.0, -1.0), (1, 1.0, -1.0), (2, -1.0, 1.0), (3, 1.0, 1.0)].map(|(k, i, j)| {
                        let at = Self::place(t as f64 + self.open(t) * f64::from(EXPOSURE[k]));
                        texture(x as f64 - at + i * coarse, y as f64 + j * coarse)
                    });
                std::array::from_fn(|c| moments.iter().map(|m| 0.25 * m[c]).sum())
            })
        }

        fn solved(&self) -> (Solution, Filmed) {
            let (size, reference) = ((360, 160), Self::REFERENCE);
            let footage = Filmed((0..Self::FRAMES).map(|t| self.film(t, size)).collect());
            let first = Self::place(reference as f64);
            let corners = [[20.0, 30.0], [110.0, 30.0], [110.0, 120.0], [20.0, 120.0]];
            let canvas = Canvas::new(&corners.map(|[x, y]| [x + first, y]), size).unwrap();
            let middle = |t: usize| Self::place(t as f64 + self.open(t) * f64::from(MID_EXPOSURE));
            let map = |t: usize| {
                let x = middle(t) - middle(reference);
                Map {
                    homography: Homography([[1.0, 0.0, x], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
                    ..canvas.identity()
                }
            };
            let mut solution = Solution::flat(&canvas, &footage, reference).unwrap();
            solution.maps = (0..Self::FRAMES).map(map).collect();
            solution.judge_clarity();
            solution.mean_atlas(&footage, None, 0.0).unwrap();
            (solution, footage)
        }

        fn found(&self) -> f32 {
            let (solution, footage) = self.solved();
            solution.find_shutter(&footage).unwrap()
        }
    }

    #[test]
    fn the_shutter_is_found_though_no_frame_is_sharp() {
        assert_eq!(Filming::default().found(), 0.5);
    }

    /// Codecs keep less of what moves.
    #[test]
    fn coarse_frames_are_not_taken_for_smeared() {
        for coarse in [0.0, 1.0, 1.5] {
            let filming = Filming { shutter: 0.0, coarse, ..Filming::default() };
            assert_eq!(filming.found(), 0.0, "coarse by {coarse} pixels");
        }
    }

    #[test]
    fn a_frame_exposed_for_a_shorter_time_is_found() {
        for (short, wanted) in [((11, 0.4), 0.4..=0.55), ((0, 0.7), 0.55..=0.7), ((0, 1.0), 1.0..=1.0)] {
            let (mut solution, footage) = Filming { short, ..Filming::default() }.solved();
            solution.sharpen(&footage, None, 0.5).unwrap();
            solution.short_exposures =
                solution.find_short_exposures(&footage, 0.5, &Progress::silent()).unwrap();
            let found: Vec<f32> = (0..Filming::FRAMES).map(|t| solution.exposure(t)).collect();
            assert!(wanted.contains(&found[short.0]), "{found:?} for {short:?}");
            let others = found.iter().enumerate().filter(|(t, _)| *t != short.0);
            assert!(others.into_iter().all(|(_, e)| *e == 1.0), "{found:?} for {short:?}");
        }
    }

    /// A picture smeared more than its frame fits best a little off.
    #[test]
    fn a_frame_exposed_for_a_shorter_time_is_aligned_as_that_smears_it() {
        let short = (11, 0.25);
        let (mut solution, footage) = Filming { short, ..Filming::default() }.solved();
        solution.sharpen(&footage, None, 0.5).unwrap();
        solution.stiffness = 17_000.0;
        solution.short_exposures = BTreeMap::from([(short.0, short.1 as f32)]);
        let right = solution.maps[short.0].clone();
        solution.maps[short.0].homography.0[0][2] += 0.4;
        solution.settle_short(&footage, 0.5, None).unwrap();
        let [w, h] = [solution.canvas.size().0 as f32, solution.canvas.size().1 as f32];
        for u in [[0.3 * w, 0.3 * h], [0.5 * w, 0.5 * h], [0.7 * w, 0.6 * h]] {
            let [a, b] = [&right, &solution.maps[short.0]].map(|map| solution.canvas.position(map, u));
            assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 0.05, "{b:?} for {a:?}");
        }
    }

    #[test]
    fn a_template_is_smeared_as_its_frame_is() {
        let (mut solution, footage) = Filming::default().solved();
        let late = Filming::place(6.0) - Filming::place(6.0 + 0.5 * f64::from(MID_EXPOSURE));
        let origin = solution.canvas.to_reference([0.0, 0.0]).map(f64::from);
        let (w, h) = solution.canvas.size();
        solution.atlas = Image::from_fn(w, h, |x, y| {
            let x = x as f64 + origin[0] - Filming::place(6.0) + late;
            texture(x, y as f64 + origin[1])
        });
        let inverses = Inverses::of(&solution, footage.size());
        for t in [2, 7, 10] {
            let seen = unwarp(&footage.levels(t).unwrap(), &solution.canvas.positions(&solution.maps[t]));
            let off = |template: Template| {
                let inside = (20..h - 20).flat_map(|y| (20..w - 20).map(move |x| (x, y)));
                let of = |at| square_mean(seen[at], template.picture[at]);
                inside.clone().map(of).sum::<f32>() / inside.count() as f32
            };
            let sharp = off(solution.template(t));
            let smeared = off(solution.template_through(Some(&inverses), t, 0.5));
            assert!(smeared < 0.1 * sharp, "{smeared} of {sharp} in frame {t}");
        }
    }

    /// A surface that speeds up by three pixels a frame: where its exposures' middles are, and where it is.
    #[test]
    fn maps_of_the_middles_become_maps_of_the_frames_times() {
        let (frames, reference) = (10, 4);
        let canvas =
            Canvas::new(&[[60.0, 50.0], [140.0, 50.0], [140.0, 120.0], [60.0, 120.0]], (400, 200)).unwrap();
        let place = |t: f64| 1.5 * t * t;
        let map = |late: f64, t: usize| {
            let x = place(t as f64 + late) - place(reference as f64 + late);
            Map {
                homography: Homography([[1.0, 0.0, x], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
                ..canvas.identity()
            }
        };
        let (w, h) = canvas.size();
        let mut solution = Solution {
            maps: (0..frames).map(|t| map(f64::from(MID_EXPOSURE), t)).collect(),
            light: Light::unit((w, h), frames),
            atlas: Image::from_fn(w, h, |x, _| [x as f32, 0.0, 0.0, 0.0]),
            known: Image::new(w, h, 1.0),
            clarity: vec![1.0; frames],
            trust: vec![1.0; frames],
            shutter: 0.0,
            short_exposures: BTreeMap::new(),
            stiffness: 0.0,
            ceiling: 255.0,
            canvas: canvas.clone(),
        };
        solution.expose(1.0, (400, 200), reference);
        for t in 1..frames - 1 {
            let at = [40.0, 30.0];
            let (p, q) = (canvas.position(&solution.maps[t], at), canvas.position(&map(0.0, t), at));
            assert!((p[0] - q[0]).abs() < 0.03 && (p[1] - q[1]).abs() < 0.03, "{p:?} for {q:?} in frame {t}");
        }
        // Paint is put where the reference frame shows the surface at its own time, an eighth of 12 pixels on.
        let moved = solution.atlas[(50, 30)][0] - 50.0;
        assert!((moved + 1.5).abs() < 0.05, "{moved}");
        // And back.
        solution.expose(0.0, (400, 200), reference);
        for t in 1..frames - 1 {
            let at = [40.0, 30.0];
            let middle = map(f64::from(MID_EXPOSURE), t);
            let (p, q) = (canvas.position(&solution.maps[t], at), canvas.position(&middle, at));
            assert!((p[0] - q[0]).abs() < 0.03 && (p[1] - q[1]).abs() < 0.03, "{p:?} for {q:?} in frame {t}");
        }
        assert!((solution.atlas[(40, 30)][0] - 40.0).abs() < 0.05);
    }
}
