//! How long the shutter was open, and what that does to the maps.
//!
//! Alignment finds the middle of what an exposure smeared, not where the surface was at the frame's own time. The
//! difference goes with the speed, so it is another in every frame, and paint would swim against the surface by it.

use super::appearance::{Solution, square_mean};
use super::canvas::Map;
use super::predict::{Inverses, MID_EXPOSURE, Predicted};
use crate::clip::Footage;
use crate::error::Result;
use crate::frame::{EXPOSURE, Image, Rgba, Vec2, cubic};
use rayon::prelude::*;

/// Speed in frame pixels from which a frame tells of motion blur.
const FAST: f32 = 3.0;
/// Shutters tried.
const SHUTTERS: [f32; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

impl Solution {
    /// Finds the shutter and puts all maps at their frames' own times.
    pub(super) fn find_exposure(&mut self, footage: &dyn Footage, reference: usize) -> Result<()> {
        self.find_shutter(footage)?;
        if self.shutter > 0.0 {
            self.at_frame_times(footage.size(), reference);
        }
        Ok(())
    }

    /// From maps of the exposures' middles to maps of the frames' times. The atlas was the middle of the reference's
    /// exposure, too, and moves with them: the reference's map is the identity before and after.
    fn at_frame_times(&mut self, frame: (usize, usize), reference: usize) {
        let inverses = Inverses::of(self, frame);
        let late = MID_EXPOSURE * self.shutter;
        let canvas = &self.canvas;
        let of_reference = |u: Vec2| inverses.motion(reference, canvas.to_reference(u));
        let one = |t: usize| -> Map {
            let (map, Some(inverse)) = (&self.maps[t], inverses.get(t)) else { return self.maps[t].clone() };
            let off = |p: Vec2| {
                let (own, all) = (inverses.motion(t, p), of_reference(inverse.at(p)));
                [0, 1].map(|i| late * (all[i] - own[i]))
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

    /// The shutter that explains the fast frames best.
    fn find_shutter(&mut self, footage: &dyn Footage) -> Result<()> {
        let mut fast: Vec<(f32, usize)> =
            (0..footage.len()).map(|t| (self.speed(t), t)).filter(|s| s.0 > FAST).collect();
        fast.sort_by(|a, b| b.0.total_cmp(&a.0));
        fast.truncate(12);
        if fast.len() < 4 {
            return Ok(());
        }
        let inverses = Inverses::of(self, footage.size());
        let mut cost = [0.0f64; SHUTTERS.len()];
        for &(_, t) in &fast {
            let frame = footage.levels(t)?;
            let costs: Vec<f64> = SHUTTERS
                .par_iter()
                .map(|&s| {
                    // The maps are still those of the exposures' middles.
                    let moments = EXPOSURE.map(|k| s * (k - MID_EXPOSURE));
                    let predicted = self.predict_with(&inverses, t, footage.size(), moments);
                    predicted.map_or(0.0, |p| misfit_inside(&p, &frame))
                })
                .collect();
            cost.iter_mut().zip(costs).for_each(|(sum, c)| *sum += c);
        }
        let best = (0..SHUTTERS.len()).min_by(|&a, &b| cost[a].total_cmp(&cost[b]));
        self.shutter = best.map_or(0.0, |i| SHUTTERS[i]);
        Ok(())
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
            shutter: 1.0,
            stiffness: 0.0,
            ceiling: 255.0,
            canvas: canvas.clone(),
        };
        solution.at_frame_times((400, 200), reference);
        for t in 1..frames - 1 {
            let at = [40.0, 30.0];
            let (p, q) = (canvas.position(&solution.maps[t], at), canvas.position(&map(0.0, t), at));
            assert!((p[0] - q[0]).abs() < 0.03 && (p[1] - q[1]).abs() < 0.03, "{p:?} for {q:?} in frame {t}");
        }
        // Paint is put where the reference frame shows the surface at its own time, an eighth of 12 pixels on.
        let moved = solution.atlas[(50, 30)][0] - 50.0;
        assert!((moved + 1.5).abs() < 0.05, "{moved}");
    }
}
